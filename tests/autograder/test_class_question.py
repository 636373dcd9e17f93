"""Questions that are classes, end to end: the real nets in a real kernel, right and wrong."""

import re

import numpy as np
import pytest

from autograder import diagnose as diagnosis
from autograder.compare import assert_close
from autograder.diagnose import TestedCalls, diagnose, misconception
from autograder.errors import StudentRaised
from autograder.kernel import Kernel
from autograder.limits import Limits
from autograder.questions import PROJECT
from autograder.release import function_source
from autograder.student import Session, Student
from cnnlab.architectures import conv, fc, max_pool
from solutions.convnet import ConvNet
from solutions.three_layer_convnet import ThreeLayerConvNet

PARTS = {
    "affine": ["affine_forward", "affine_backward"],
    "relu": ["relu_forward", "relu_backward"],
    "dropout": ["dropout_forward", "dropout_backward"],
    "batchnorm": ["spatial_batchnorm_forward", "spatial_batchnorm_backward"],
    "im2col": ["im2col", "col2im"],
    "fast_convolution": ["conv_forward_fast", "conv_backward_fast"],
    "fast_pooling": [
        f"{kind}_pool_{way}_fast" for kind in ("max", "avg") for way in ("forward", "backward")
    ],
    "linear_classifier": ["softmax_loss"],
    "three_layer_convnet": ["ThreeLayerConvNet"],
    "convnet": ["ConvNet"],
}
SMALL = ((2, 4, 4), 3, 3, 5, 4, 1.0, 0.1)  # ThreeLayerConvNet's arguments
LAYERS = [conv(3, 3), max_pool(2), fc(5)]


def notebook(spoil=lambda source: source):
    """All of the nets' cells, as a student would have them."""
    sources = ["import numpy as np"]
    for module, names in PARTS.items():
        sources += [function_source(PROJECT / "solutions" / f"{module}.py", n) for n in names]
    return spoil("\n\n\n".join(sources))


@pytest.fixture
def write():
    """A session with a kernel in which this source has run."""
    with Kernel(Limits()) as kernel:

        def run(source):
            kernel.run_cell(source, 20)
            session = Session(kernel, lambda calm=False: kernel.restart())
            session.begin_test()
            return session

        yield run


def weights(shapes, seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(array.shape) for name, array in shapes.items()}


def batch(shape):
    rng = np.random.default_rng(1)
    return rng.standard_normal((5, *shape)), rng.integers(0, 4, 5)


def ask_three(student):
    """What a hidden test calls: its right answer beside it."""
    right = ThreeLayerConvNet(*SMALL, dtype=np.float64)
    right.params = weights(right.params)
    net = student.ThreeLayerConvNet(*SMALL, dtype="float64")
    net.params = right.params
    X, y = batch(SMALL[0])
    loss, grads = net.loss(X, y)  # the dict stays in the kernel until it is asked for
    return (loss, student.get(grads)), right.loss(X, y), net


def assert_alike(grads, expected):
    assert grads.keys() == expected.keys()
    for name, gradient in expected.items():
        assert_close(grads[name], gradient)


def test_right_nets_give_the_references_answers(write):
    session = write(notebook())
    student = Student(session)
    (loss, grads), (expected, others), net = ask_three(student)
    assert loss == pytest.approx(expected)
    assert_alike(grads, others)
    X, _ = batch(SMALL[0])
    assert net.loss(X).shape == (5, 4)

    reference = ConvNet(LAYERS, (2, 4, 4), 4, reg=0.2, batchnorm=True, dtype=np.float64, seed=0)
    net = student.ConvNet(LAYERS, (2, 4, 4), 4, reg=0.2, batchnorm=True, dtype="float64")
    assert_close(net.params["gamma1"], np.ones(3))
    reference.params = weights(reference.params)
    net.params = reference.params
    X, y = batch((2, 4, 4))
    loss, grads = net.loss(X, y)
    expected, others = reference.loss(X, y)
    assert loss == pytest.approx(expected)
    assert_alike(student.get(grads), others)
    outs, caches = net.forward(X)
    assert len(outs) == len(caches) == len(reference.steps)
    dX, _ = net.backward(np.ones((5, 4)), caches)
    assert dX.shape == X.shape


def test_a_bug_in_a_method_is_named(write, monkeypatch):
    monkeypatch.setattr(diagnosis, "MISCONCEPTIONS", {})

    @misconception("ThreeLayerConvNet")
    class forgets_the_penalty(ThreeLayerConvNet):
        """The gradients lack the penalty."""

        def loss(self, X, y=None):
            reg, self.reg = self.reg, 0
            result = super().loss(X, y)
            self.reg = reg
            return result

    @misconception("ThreeLayerConvNet")
    class penalty_is_twice_as_large(ThreeLayerConvNet):
        """Another bug."""

        def loss(self, X, y=None):
            self.reg *= 2
            result = super().loss(X, y)
            self.reg /= 2
            return result

    @misconception("ThreeLayerConvNet")
    class forgets_the_penalty_in_gradients(ThreeLayerConvNet):
        """The loss is right, the gradients are not."""

        def loss(self, X, y=None):
            result = super().loss(X, y)
            if y is None:
                return result
            for name in ("W1", "W2", "W3"):
                result[1][name] -= self.reg * self.params[name]
            return result

    right = notebook()
    for spoiled, name in (
        (re.sub(r"self\.reg / 2 \*|self\.reg \*", "0 *", right), "forgets_the_penalty"),
        (re.sub(r"self\.reg \*", "0 *", right), "forgets_the_penalty_in_gradients"),
        (re.sub(r"self\.reg \*", "0.3 *", right), None),
    ):
        session = write(spoiled)
        ask_three(Student(session))
        tests = [TestedCalls(False, session.calls)]
        references = {"ThreeLayerConvNet": ThreeLayerConvNet}
        assert diagnose("ThreeLayerConvNet", tests, references) == name


def test_an_error_in_a_method_tells_which(write):
    session = write(
        notebook(lambda source: source.replace("dout, hidden_relu_cache", "dout, nope"))
    )
    with pytest.raises(StudentRaised, match=r"ThreeLayerConvNet\.loss.*nope"):
        ask_three(Student(session))
