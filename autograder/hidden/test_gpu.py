"""The hidden tests of assignment 5: the same nets in PyTorch, and kernels of one's own.

Modules, optimizers and devices are made in the student's kernel, from the library's own names; the
same ones are made here, and the reference works on those. The weights come from the tests, so that
all numbers can be compared. CUDA kernels run in the simulator, but for the question that needs a
device.
"""

import contextlib
import math

import numpy as np
import pytest
import torch

from autograder.compare import assert_close, assert_equal_int, describe, unpack
from autograder.errors import StudentRaised, WrongAnswer
from autograder.hidden import accuracies, kernels, nets, torch_nets
from autograder.hidden.inputs import SINGLE, assert_unchanged
from autograder.hidden.torch_nets import (
    CLASSES,
    ODD,
    POINTS,
    SQUARE,
    Twins,
    assert_has_graph,
    assert_left_alone,
    assert_module,
    assert_number,
    assert_tensor,
    assert_tensor_dtype,
    draw_net,
    local,
    names_and_shapes_are,
    sent,
    state_of_convnet,
    states_are,
)
from autograder.questions import question
from autograder.wire import Tensor
from cnnlab import design
from cnnlab.architectures import conv, fc, max_pool
from cnnlab.checks.probes import gradients
from cnnlab.pretend_device import PretendDevice
from cnnlab.simulator import TILE
from solutions import (
    honest_timing,
    module_cost,
    network_cost,
    residual_network,
    torch_training,
)
from solutions.fast_convolution import conv_forward_fast
from solutions.fast_pooling import max_pool_forward_fast
from solutions.three_layer_convnet import ThreeLayerConvNet

USES = ("torch", "numba")  # of the packages that other assignments do without

SIZES = pytest.mark.parametrize(
    "sizes",
    [
        pytest.param(SQUARE, id="3x3 filters"),
        pytest.param(ODD, id="5x5 filters, images that are not square"),
        pytest.param(POINTS, id="1x1 filters, images that are not square"),
    ],
)
LAYER = pytest.mark.parametrize(
    "names",
    [
        pytest.param(("W3", "b3"), id="of the scores' layer"),
        pytest.param(("W2", "b2"), id="of the hidden layer"),
        pytest.param(("W1", "b1"), id="of the convolution"),
    ],
)


# --- three levels of the library ------------------------------------------------------------------


@question("three_layer_convnet", points=3)
class TestThreeLayerConvnet:
    def check(self, student, right, X, name="scores", **tolerance):
        scores = student.three_layer_convnet(Tensor(X), torch_nets.tensors(right.params))
        assert_tensor(scores, right.loss(X), name, **tolerance)
        return scores

    @SIZES
    def test_scores(self, student, rng, sizes):
        """the scores of the NumPy net with the same weights"""
        right, X, _ = draw_net(rng, sizes)
        self.check(student, right, X)

    def test_other_weights(self, student, rng):
        """the weights are those of the argument, whatever came before; a batch of one"""
        for N in (3, 1):
            right, X, _ = draw_net(rng, ODD, N=N)
            self.check(student, right, X, f"scores of {N} image{'s' * (N > 1)}")

    def test_leaves_its_inputs_alone(self, student, rng):
        """single precision stays single; x and params are left as they were"""
        right, X, _ = draw_net(rng, ODD, "float32")
        arrays = {"x": X, **right.params}
        held = torch_nets.put(student, arrays)
        scores = student.three_layer_convnet(held["x"], {n: held[n] for n in right.params})
        assert_tensor(scores, right.loss(X), "scores", **SINGLE)
        assert_tensor_dtype(scores, "float32", "scores")
        assert_left_alone(student, held, arrays)

    def test_has_a_graph(self, student, rng):
        """gradients can come back through the scores to the weights"""
        right, X, y = draw_net(rng, SQUARE)
        _, expected = right.loss(X, y)
        for name, array in right.params.items():
            held = student.put(Tensor(array, grad=True))
            scores = student.three_layer_convnet(
                Tensor(X), {**torch_nets.tensors(right.params), name: held}
            )
            assert_tensor(scores, right.loss(X), "scores")
            way = f"the way from params[{name!r}] to scores"
            assert_has_graph(scores, way)
            # a copy says that it asks for gradients, too: so go back on the way
            loss = student.library("torch.nn.functional").cross_entropy(scores, Tensor(y))
            student.library("torch.autograd").backward(loss)
            gradient = held.grad
            if gradient is None:
                raise torch_nets.cut(way)
            assert_tensor(gradient, expected[name], f"the gradient of params[{name!r}]")


@question("loss_and_gradients", points=4)
class TestLossAndGradients:
    def both(self, student, right, X, y, params=None):
        """The student's loss and gradients, and the right ones."""
        params = torch_nets.tensors(right.params) if params is None else params
        result = student.loss_and_gradients(Tensor(X), Tensor(y), params)
        loss, grads = unpack(result, "loss", "grads")
        return loss, nets.plain_dict(student, grads, "grads"), right.loss(X, y)

    @SIZES
    def test_loss(self, student, rng, sizes):
        """the loss, a mean over the images"""
        loss, _, expected = self.both(student, *draw_net(rng, sizes))
        assert_number(loss, expected[0], "loss")

    @LAYER
    def test_gradients(self, student, rng, names):
        """the gradients"""
        _, grads, (_, expected) = self.both(student, *draw_net(rng, ODD))
        nets.assert_gradients(grads, expected, names)

    def test_no_others(self, student, rng):
        """tensors for all names in params, and for no others"""
        _, grads, (_, expected) = self.both(student, *draw_net(rng, SQUARE))
        nets.assert_gradients(grads, expected)
        for name, gradient in grads.items():
            assert_tensor(gradient, expected[name], f"grads[{name!r}]")

    def test_twice(self, student, rng):
        """a second batch, with the same tensors: gradients do not add up"""
        right, X, y = draw_net(rng, ODD)
        held = torch_nets.put(student, right.params)
        for factor in (1, -0.5):
            loss, grads, expected = self.both(student, right, factor * X, y, held)
            assert_number(loss, expected[0], "loss")
            nets.assert_gradients(grads, expected[1])

    def test_leaves_params_alone(self, student, rng):
        """single precision; params come out as they went in, with no gradient on them"""
        right, X, y = draw_net(rng, ODD, "float32")
        held = torch_nets.put(student, right.params)
        loss, grads, expected = self.both(student, right, X, y, held)
        assert_number(loss, expected[0], "loss", **SINGLE)
        nets.assert_gradients(grads, expected[1], **SINGLE)
        assert_left_alone(student, held, right.params, "params[{!r}]")
        for name, handle in held.items():
            if student.get(handle).grad:  # a tensor: assert_left_alone has seen it
                raise WrongAnswer(
                    f"params[{name!r}] has requires_grad=True after the call. Work on a tensor of "
                    "your own: detach().requires_grad_()."
                )
            if handle.grad is not None:
                raise WrongAnswer(f"params[{name!r}].grad is set after the call.")


class ConvNetModule:
    """Tests of a module that is the three layers, whatever its layers are called."""

    name, layers = "", torch_nets.LAYERS

    def make(self, student, **options):
        return assert_module(getattr(student, self.name)(**options), self.name)

    def draw(self, student, rng, sizes, dtype="float64"):
        """The student's module and the NumPy net with the same weights; images and classes."""
        right, X, y = draw_net(rng, sizes, dtype)
        model = self.make(student, **sizes, num_classes=CLASSES)
        if dtype == "float64":
            nets.call(model, "double")
        student.set_state(model, state_of_convnet(right.params, self.layers))
        return model, right, X, y

    @SIZES
    def test_scores(self, student, rng, sizes):
        """the scores of the NumPy net with the same weights"""
        model, right, X, _ = self.draw(student, rng, sizes)
        assert_tensor(model(Tensor(X)), right.loss(X), "scores")

    def test_other_weights(self, student, rng):
        """other weights for the same module, and a batch of one"""
        model, *_ = self.draw(student, rng, ODD)
        right, X, _ = draw_net(rng, ODD, N=1)
        student.set_state(model, state_of_convnet(right.params, self.layers))
        assert_tensor(model(Tensor(X)), right.loss(X), "scores")

    def test_gradients(self, student, rng):
        """the gradients of all weights"""
        model, right, X, y = self.draw(student, rng, ODD)
        assert_tensor(model(Tensor(X)), right.loss(X), "scores")
        expected = state_of_convnet(right.loss(X, y)[1], self.layers)
        grads = torch_nets.gradients_of(student, model, X, y, expected)
        for name, array in expected.items():
            assert_tensor(grads[name], array, f"the gradient of {name}")

    def test_single_precision(self, student, rng):
        """float32, a module's own precision; x is left as it was"""
        model, right, X, _ = self.draw(student, rng, ODD, "float32")
        held = student.put(Tensor(X))
        scores = model(held)
        assert_tensor(scores, right.loss(X), "scores", **SINGLE)
        assert_tensor_dtype(scores, "float32", "scores")
        assert_left_alone(student, {"x": held}, {"x": X})

    def shapes(self, **options):
        """Arrays of the shapes that the module's weights should have."""
        return state_of_convnet(ThreeLayerConvNet(**options).params, self.layers)


@question("TorchConvNet", points=4)
class TestTorchConvNet(ConvNetModule):
    name = "TorchConvNet"

    @pytest.mark.parametrize("sizes", [{}, {**ODD, "num_classes": 40}], ids=["by default", "given"])
    def test_first_weights(self, student, rng, sizes):
        """names, shapes and first values of the weights: He's"""
        model = self.make(student, **sizes)
        shape = sizes.get("input_dim", (3, 32, 32))
        model(Tensor(rng.standard_normal((2, *shape)).astype(np.float32)))  # zeros give zeros
        shapes = self.shapes(**sizes)
        names_and_shapes_are(student, model, shapes)
        state = student.state(model)
        torch_nets.has_all(state, shapes, "the model")
        for name, like in shapes.items():
            if name.endswith("bias"):
                nets.assert_constant(state[name], like.shape, 0, name)
            else:
                std, causes = he(like.shape)
                nets.assert_weights(state[name], like.shape, std, name, causes)


def he(shape):
    """The standard deviation of a layer's first weights; and other ones, with their causes."""
    inputs, outputs = np.prod(shape[1:]), shape[0] * np.prod(shape[2:])
    return np.sqrt(2 / inputs), (
        (
            np.sqrt(1 / (3 * inputs)),
            "So PyTorch's layers begin by themselves: draw He's with nn.init.kaiming_normal_.",
        ),
        (np.sqrt(1 / inputs), "The 2 is missing: half of the numbers end in a ReLU."),
        (np.sqrt(2 / outputs), "Count the inputs that one output sees, not the outputs."),
        (1e-3, "That is the weight_scale of the NumPy net."),
    )


@question("sequential_convnet", points=2)
class TestSequentialConvnet(ConvNetModule):
    name, layers = "sequential_convnet", ("0", "4", "6")

    def test_layers(self, student, rng):
        """an nn.Sequential of seven layers, in the order of the net; sizes by default"""
        model, right, X, _ = self.draw(student, rng, SQUARE)
        assert_tensor(model(Tensor(X)), right.loss(X), "scores")
        names_and_shapes_are(student, self.make(student), self.shapes())
        if model.type_name != "Sequential":
            raise WrongAnswer(f"the model should be an nn.Sequential, but is a {model.type_name}.")
        kinds = [getattr(model[i], "type_name", "?") for i in range(len(model))]
        if kinds != ["Conv2d", "ReLU", "MaxPool2d", "Flatten", "Linear", "ReLU", "Linear"]:
            came = ", ".join(str(kind)[:20] for kind in kinds[:12])
            raise WrongAnswer(f"the layers are {came}. That is not the order of this net.")


# --- copy_weights ---------------------------------------------------------------------------------


def plain_model(nn, sizes):
    """The three layers; and what their names are."""
    C, H, W = sizes["input_dim"]
    F, k, hidden = sizes["num_filters"], sizes["filter_size"], sizes["hidden_dim"]
    model = nn.Sequential(
        nn.Conv2d(C, F, k, padding=k // 2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(F * (H // 2) * (W // 2), hidden),
        nn.ReLU(),
        nn.Linear(hidden, CLASSES),
    )
    return model, ("0", "4", "6")


def nested_model(nn, sizes):
    """The same in blocks, with layers in between that are not copied to."""
    C, H, W = sizes["input_dim"]
    F, k, hidden = sizes["num_filters"], sizes["filter_size"], sizes["hidden_dim"]
    model = nn.Sequential(
        nn.Dropout(0.5),
        nn.Sequential(nn.Conv2d(C, F, k, padding=k // 2), nn.ReLU()),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Sequential(
            nn.Sequential(nn.Linear(F * (H // 2) * (W // 2), hidden), nn.ReLU()),
            nn.Linear(hidden, CLASSES),
        ),
    )
    return model, ("1.0", "4.0.0", "4.1")


# the first optimizer of a kernel takes seconds: PyTorch imports its compiler for it
@question("copy_weights", points=3, limits={"call_seconds": 30, "test_seconds": 60})
class TestCopyWeights:
    def model(self, student, build=plain_model, sizes=ODD):
        """A model in the student's kernel, whose weights are known; and the names of its layers."""
        model, names = build(student.library("torch.nn"), sizes)
        state = student.state(model)
        student.set_state(model, {name: 0.5 + 0 * array for name, array in state.items()})
        return model, names

    def copied(self, student, right, build=plain_model, sizes=ODD):
        """A model in double precision into which the weights were copied."""
        model, names = self.model(student, build, sizes)
        model.double()
        student.copy_weights(right.params, model)
        self.assert_copied(student, model, names, right)
        return model

    def assert_copied(self, student, model, names, right, **tolerance):
        states_are(student.state(model), state_of_convnet(right.params, names), "{}", **tolerance)

    @SIZES
    def test_scores(self, student, rng, sizes):
        """the weights, and the scores of the NumPy net"""
        right, X, _ = draw_net(rng, sizes)
        model = self.copied(student, right, sizes=sizes)
        assert_tensor(model(Tensor(X)), right.loss(X), "scores")

    def test_nested(self, student, rng):
        """a model in blocks, with other layers in between"""
        right, X, _ = draw_net(rng, ODD)
        model = self.copied(student, right, nested_model)
        model.eval()
        assert_tensor(model(Tensor(X)), right.loss(X), "scores")

    def test_keeps_the_model(self, student, rng):
        """a model in single precision stays so; its weights can go on learning"""
        right, X, y = draw_net(rng, SQUARE)
        model, names = self.model(student, sizes=SQUARE)
        optimizer = student.library("torch.optim").SGD(model.parameters(), lr=1.0)
        student.copy_weights(right.params, model)
        self.assert_copied(student, model, names, right, **SINGLE)
        X = X.astype(np.float32)
        assert_tensor_dtype(model(Tensor(X)), "float32", "the scores of a model in float32")
        probes = student.library("cnnlab.checks.probes")
        probes.descend(model, optimizer, Tensor(X), Tensor(y))
        expected = {n: right.params[n] - g for n, g in right.loss(X, y)[1].items()}
        came, wanted = student.state(model), state_of_convnet(expected, names)
        try:
            states_are(came, wanted, "{}", **SINGLE)
        except WrongAnswer as error:
            raise WrongAnswer(
                "an optimizer that had the model's parameters before no longer moves them as it "
                f"should. Write into the parameters, with copy_. {error}"
            ) from None

    def test_leaves_params_alone(self, student, rng):
        """a copy: what the model learns later does not change params"""
        right, *_ = draw_net(rng, ODD)
        model, names = self.model(student)
        model.double()
        held = {name: student.put(array) for name, array in right.params.items()}
        student.copy_weights(held, model)
        self.assert_copied(student, model, names, right)
        zeros = {name: 0 * array for name, array in student.state(model).items()}
        student.set_state(model, zeros)
        for name, handle in held.items():
            assert_unchanged(student.get(handle), right.params[name], f"params[{name!r}]")

    @pytest.mark.parametrize(
        "name, cut",
        [
            pytest.param("W1", np.s_[:, :1], id="filters for one channel"),
            pytest.param("b1", np.s_[:1], id="one bias for all filters"),
            pytest.param("W2", np.s_[:, :-1], id="a hidden layer that is too small"),
        ],
    )
    def test_refuses(self, student, rng, name, cut):
        """ValueError where shapes do not fit, even if they could be stretched"""
        right, *_ = draw_net(rng, ODD)
        model = self.copied(student, right)
        before = student.state(model)
        wrong = {key: array + 1 for key, array in right.params.items()}
        wrong[name] = np.ascontiguousarray(wrong[name][cut])
        why = f"the shape of params[{name!r}] does not fit the model"
        raises_value_error(lambda: student.copy_weights(wrong, model), why)
        try:
            states_are(student.state(model), before)
        except WrongAnswer:
            raise WrongAnswer(
                f"{why}, and a part of the weights was copied all the same. Compare all shapes "
                "before you copy anything."
            ) from None

    @pytest.mark.parametrize("kind", ["Conv2d", "Linear"], ids=["a Conv2d", "a Linear"])
    def test_other_models(self, student, rng, kind):
        """ValueError for a model with one layer too many"""
        right, *_ = draw_net(rng, ODD)
        self.copied(student, right)
        nn = student.library("torch.nn")
        model, _ = plain_model(nn, ODD)
        other = nn.Conv2d(2, 2, 1) if kind == "Conv2d" else nn.Linear(CLASSES, CLASSES)
        model = nn.Sequential(other, model) if kind == "Conv2d" else nn.Sequential(model, other)
        raises_value_error(
            lambda: student.copy_weights(right.params, model), f"the model has a {kind} too many"
        )


def raises_value_error(call, why):
    try:
        call()
    except StudentRaised as error:
        if error.ename == "ValueError":
            return
        raise
    raise WrongAnswer(f"{why}, and no ValueError came")


# --- module_cost ----------------------------------------------------------------------------------


def sequence(nn, layers):
    """An nn.Sequential of these; a number stands for the layer of that place, used once more."""
    made = []
    for layer in layers:
        if isinstance(layer, int):
            made.append(made[layer])
        else:
            kind, *args = layer
            options = args.pop() if args and isinstance(args[-1], dict) else {}
            made.append(getattr(nn, kind)(*args, **options))
    return nn.Sequential(*made)


@question("module_cost", points=4)
class TestModuleCost:
    def check(self, student, layers, shape):
        """The two numbers of a model; returns the model."""
        model = sequence(student.library("torch.nn"), layers)
        self.compare(student, model, layers, shape)
        return model

    def compare(self, student, model, layers, shape):
        came = student.module_cost(model, shape)
        expected = module_cost.module_cost(sequence(torch.nn, layers), shape)
        for number, name in enumerate(("parameters", "multiply_adds")):
            unpacked = unpack(came, "parameters", "multiply_adds")
            assert_equal_int(unpacked[number], expected[number], name=name)

    @pytest.mark.parametrize(
        "options",
        [
            pytest.param({"padding": 2}, id="padding"),
            pytest.param({"stride": 2, "padding": 1}, id="stride"),
            pytest.param({"groups": 2}, id="groups"),
            pytest.param({"dilation": 2, "padding": 3}, id="dilation"),
            pytest.param({"padding": 1, "bias": False}, id="no bias"),
            pytest.param({"stride": (1, 3), "padding": (2, 0)}, id="another stride each way"),
        ],
    )
    def test_conv(self, student, rng, options):
        """one convolution, on an image that is not square"""
        C, F = 2 * int(rng.integers(2, 5)), 2 * int(rng.integers(5, 8))
        self.check(student, [("Conv2d", C, F, (3, 5), options)], (C, 11, 17))

    def test_linear(self, student, rng):
        """affine layers, with and without biases, and the ReLU between them"""
        hidden = int(rng.integers(5, 9))
        layers = [("Flatten",), ("Linear", 24, hidden), ("ReLU",)]
        layers.append(("Linear", hidden, 3, {"bias": False}))
        self.check(student, layers, (2, 3, 4))

    def test_batchnorm(self, student, rng):
        """a batch normalisation has parameters; pooling and dropout have none"""
        F = int(rng.integers(4, 9))
        layers = [("Conv2d", 3, F, 3), ("BatchNorm2d", F), ("ReLU",), ("AvgPool2d", 2)]
        layers += [("Dropout", 0.5), ("Flatten",), ("Linear", F * 2 * 3, 5)]
        self.check(student, layers, (3, 6, 8))

    def test_shared(self, student, rng):
        """a layer that is used twice: its parameters count once, its multiply-adds twice"""
        C = int(rng.integers(3, 7))
        self.check(student, [("Conv2d", C, C, 3, {"padding": 1}), ("ReLU",), 0], (C, 5, 4))

    def test_lenet(self, student, rng):
        """LeNet-5, with a filter more here and there, as network_cost counts it"""
        more = int(rng.integers(1, 9))
        c, f = 6 + more, 16 + more
        layers = [("Conv2d", 1, c, 5), ("ReLU",), ("MaxPool2d", 2), ("Conv2d", c, f, 5), ("ReLU",)]
        layers += [("MaxPool2d", 2), ("Flatten",), ("Linear", 25 * f, 120), ("ReLU",)]
        layers += [("Linear", 120, 84), ("ReLU",), ("Linear", 84, 10)]
        table = network_cost.network_cost(
            [conv(c, 5, pad=0), max_pool(2), conv(f, 5, pad=0), max_pool(2), fc(120), fc(84)],
            (1, 32, 32),
        )
        model = sequence(student.library("torch.nn"), layers)
        came = unpack(student.module_cost(model, (1, 32, 32)), "parameters", "multiply_adds")
        for number, name in enumerate(("parameters", "multiply_adds")):
            right = sum(row[2 + number] for row in table)
            assert_equal_int(came[number], right, name=name)

    @pytest.mark.parametrize("mode", ["train", "eval"])
    def test_leaves_no_trace(self, student, rng, mode):
        """asked twice, in this mode: the model is left as it was, with no hooks"""
        F = int(rng.integers(4, 9))
        # a batch of one whose channels are one number each: in training, its variance is nothing
        layers = [("Conv2d", 3, F, (5, 3)), ("BatchNorm2d", F), ("ReLU",), ("Flatten",)]
        layers.append(("Linear", F, 5))
        model = sequence(student.library("torch.nn"), layers)
        getattr(model, mode)()
        before = student.state(model)
        for _ in range(2):
            self.compare(student, model, layers, (3, 5, 3))
        after = student.state(model)
        torch_nets.has_all(after, before, "the model")
        for name, array in before.items():
            assert_unchanged(after[name], array, f"model, in its {name}")
        if model.training is not (mode == "train"):
            raise WrongAnswer(
                f"the model was in {mode} mode before the call, and is not after it. Put it back."
            )
        self.assert_no_hooks(student, model)

    def test_fails(self, student, rng):
        """after an image that the model cannot take, there are no hooks either"""
        layers = [("Conv2d", 3, int(rng.integers(4, 9)), 3), ("ReLU",)]
        model = self.check(student, layers, (3, 5, 6))
        with contextlib.suppress(StudentRaised):
            student.module_cost(model, (2, 5, 6))
        self.assert_no_hooks(student, model)

    def assert_no_hooks(self, student, model):
        count = student.library("cnnlab.checks.probes").hooks(model)
        if not isinstance(count, int) or count:
            raise WrongAnswer(
                "there are hooks on the model after the call. Each register_forward_hook gives a "
                "handle: call its remove()."
            )


# --- honest_time ----------------------------------------------------------------------------------


def whole(count, what="calls of the pretend device"):
    """A count that was kept where a student's code can change it."""
    if type(count) is not int:
        raise WrongAnswer(f"the count of {what} is {describe(count)}: leave it alone.")
    return count


@question("honest_time", points=3)
class TestHonestTime:
    """Timed on cnnlab's pretend device, whose clock gives the same numbers each time."""

    def check(self, student, rng, repeats, before, queued=0, **options):
        options["seconds"] = float(rng.uniform(0.002, 0.2))
        there = student.library("cnnlab.pretend_device").PretendDevice(**options)
        here = PretendDevice(**options)
        for _ in range(queued):
            there.work()
            here.work()
        came = student.honest_time(
            there.work, there.synchronize, repeats, before, clock=there.clock
        )
        expected = honest_timing.honest_time(
            here.work, here.synchronize, repeats, before, here.clock
        )
        assert_close(came, expected, name="the time")
        calls = whole(there.calls)
        if calls != here.calls:
            raise WrongAnswer(
                f"work was called {calls - queued} times; {before} for warming up and "
                f"{repeats} that are timed are {before + repeats}."
            )

    def test_usual(self, student, rng):
        """ten calls after three for warming up; another program gets in between"""
        self.check(student, rng, 10, 3, hiccup=50.0)

    def test_warm_up(self, student, rng):
        """few calls are timed, and the device is cold"""
        self.check(student, rng, 2, 3)

    def test_queue(self, student, rng):
        """one call, while work from before is still queued"""
        self.check(student, rng, 1, 0, queued=5, warmup=())

    @pytest.mark.parametrize("repeats", [4, 5], ids=["four times", "five times"])
    def test_median(self, student, rng, repeats):
        """every second call is held up"""
        self.check(student, rng, repeats, 3, hiccup_every=2)

    def test_uneven(self, student, rng):
        """a device that needs more warming up than it gets"""
        self.check(student, rng, 3, 1, warmup=(9.0, 4.0, 2.5))

    def test_defaults(self, student, rng):
        """ten times after three, on a clock of the processor, if nothing else is said"""
        there = student.library("cnnlab.pretend_device").PretendDevice()
        came = student.honest_time(there.work, there.synchronize)
        if (calls := whole(there.calls)) != 13:
            raise WrongAnswer(f"work was called {calls} times instead of 3 + 10.")
        if not (isinstance(came, (int, float)) and 0 < came < 60):
            raise WrongAnswer("the time should be one number, of seconds, above 0.")


# --- a training loop ------------------------------------------------------------------------------


@question("crop_and_flip", points=3)
class TestCropAndFlip:
    def draw(self, rng, shape, pad, dtype="float64"):
        """Images, offsets and flips; each offset from 0 to 2 * pad is likely."""
        x = rng.standard_normal(shape).astype(dtype)
        offsets = rng.integers(0, 2 * pad + 1, (shape[0], 2))
        return x, offsets, rng.permutation(np.arange(shape[0]) % 2 == 0)

    def check(self, student, x, offsets, flip, *pad, **tolerance):
        came = student.crop_and_flip(Tensor(x), Tensor(offsets), Tensor(flip), *pad)
        arguments = map(torch.from_numpy, (x, offsets, flip))
        expected = torch_training.crop_and_flip(*arguments, *pad).numpy()
        assert_tensor(came, expected, "out", **tolerance)
        return came

    def test_crops(self, student, rng):
        """cropped only, at other rows than columns; the usual pad"""
        x, offsets, flip = self.draw(rng, (6, 3, 5, 8), 4)
        self.check(student, x, offsets, flip & False)

    def test_flips(self, student, rng):
        """mirrored only: offsets that leave the image where it is"""
        x, offsets, flip = self.draw(rng, (5, 2, 4, 7), 3)
        self.check(student, x, 0 * offsets + 3, flip, 3)

    @pytest.mark.parametrize(
        "shape, pad",
        [
            pytest.param((7, 3, 8, 5), 2, id="pad 2, tall images"),
            pytest.param((7, 1, 3, 6), 4, id="pad 4, wide images of one channel"),
            pytest.param((4, 2, 4, 4), 1, id="pad 1, square images"),
            pytest.param((1, 3, 6, 5), 3, id="one image"),
            pytest.param((4, 3, 6, 5), 0, id="no pad"),
        ],
    )
    def test_both(self, student, rng, shape, pad):
        """cropped and mirrored"""
        x, offsets, flip = self.draw(rng, shape, pad)
        self.check(student, x, offsets, flip | (shape[0] == 1) | (pad == 0), pad)

    def test_corners(self, student, rng):
        """the offsets of the corners: the least and the largest"""
        x, _, flip = self.draw(rng, (8, 2, 4, 6), 2)
        offsets = np.array([(0, 0), (0, 4), (4, 0), (4, 4)] * 2)
        self.check(student, x, offsets, flip, 2)

    def test_leaves_its_inputs_alone(self, student, rng):
        """single precision stays single; the inputs are left as they were"""
        arrays = dict(
            zip(("x", "offsets", "flip"), self.draw(rng, (5, 2, 6, 4), 2, "float32"), strict=True)
        )
        held = torch_nets.put(student, arrays)
        came = student.crop_and_flip(*held.values(), 2)
        expected = torch_training.crop_and_flip(*map(torch.from_numpy, arrays.values()), 2)
        assert_tensor(came, expected.numpy(), "out", **SINGLE)
        assert_tensor_dtype(came, "float32", "out")
        for name in ("x", "offsets"):
            assert_left_alone(student, {name: held[name]}, arrays)


def draw_batches(rng, sizes=(5, 5, 2)):
    """Batches of images, 2 x 3 x 4, of unequal size; the last one is louder."""
    return [
        (rng.standard_normal((N, 2, 3, 4)) * (1 + 2 * (N < 5)), rng.integers(0, CLASSES, N))
        for N in sizes
    ]


def linear(nn):
    return nn.Sequential(nn.Flatten(), nn.Linear(24, CLASSES))


def normed(nn):
    """A model that works otherwise in training."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(24, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Linear(7, CLASSES)
    )


def dropping(nn):
    """In training it drops so much that hardly an answer is right."""
    return nn.Sequential(nn.Dropout(0.95), *(nn.Flatten(), nn.Linear(24, CLASSES)))


def cpu(student):
    return student.library("torch").device("cpu")


@question("train_epoch", points=3, limits={"call_seconds": 30, "test_seconds": 60})
class TestTrainEpoch:
    def check(self, student, twins, optimizers, batches, given=None):
        """The loss of an epoch, and the weights after it."""
        there, here = optimizers
        given = sent(batches) if given is None else given
        came = student.train_epoch(twins.model, given, there, cpu(student))
        expected = torch_training.train_epoch(
            twins.right, local(batches), here, torch.device("cpu")
        )
        assert_number(came, expected, "the mean loss", rtol=1e-5)  # may be added up in float32
        twins.assert_equal("{} after the epoch")

    def test_mean_loss(self, student, rng):
        """the mean over the images, not over the batches: no steps yet, as the rate is 0"""
        twins = Twins(student, rng, linear)
        self.check(student, twins, twins.optimizers(lr=0.0), draw_batches(rng, (6, 6, 1)))

    @pytest.mark.parametrize("batches", [1, 3], ids=["one batch", "three batches"])
    def test_steps(self, student, rng, batches):
        """a step of gradient descent for each batch"""
        twins = Twins(student, rng, linear)
        batches = draw_batches(rng, (4, 5, 2)[:batches])
        self.check(student, twins, twins.optimizers(lr=0.3), batches)

    def test_two_epochs(self, student, rng):
        """a second epoch with the same optimizer, which has momentum"""
        twins = Twins(student, rng, linear)
        optimizers = twins.optimizers(lr=0.1, momentum=0.5, weight_decay=0.1)
        for _ in range(2):
            self.check(student, twins, optimizers, draw_batches(rng))

    def test_train_mode(self, student, rng):
        """batch normalisation: in train mode, even if the model comes in eval mode"""
        twins = Twins(student, rng, normed)
        twins.model.eval()
        self.check(student, twins, twins.optimizers(lr=0.2), draw_batches(rng, (4, 5, 3)))

    def test_loader(self, student, rng):
        """batches from a DataLoader, which have no list"""
        twins = Twins(student, rng, linear)
        ((X, y),) = draw_batches(rng, (7,))
        library = student.library("torch.utils.data")
        loader = library.DataLoader(library.TensorDataset(Tensor(X), Tensor(y)), batch_size=3)
        batches = [(X[i : i + 3], y[i : i + 3]) for i in (0, 3, 6)]
        self.check(student, twins, twins.optimizers(lr=0.2), batches, loader)

    def test_moves(self, student, rng):
        """batches that lie on another device are moved"""
        twins = Twins(student, rng, linear)
        batches = draw_batches(rng)
        far = student.library("cnnlab.checks.probes").FarBatches(sent(batches))
        self.check(student, twins, twins.optimizers(lr=0.2), batches, far)


@question("evaluate", points=2)
class TestEvaluate:
    def draw(self, student, rng, build):
        """Twins, batches, and how many images of each are classified rightly.

        Of two batches of 5 images, some are; of the last one, of 2, none. So neither all nor none
        are right, and the mean of the batches' accuracies is another.
        """
        twins = Twins(student, rng, build)
        twins.right.eval()
        batches, rights = [], [*map(int, rng.permutation([2, 3, 4, 5])[:2]), 0]
        for N, right in zip((5, 5, 2), rights, strict=True):
            X = rng.standard_normal((N, 2, 3, 4))
            with torch.no_grad():
                best = twins.right(torch.from_numpy(X)).argmax(1).numpy()
            wrong = (best + rng.integers(1, CLASSES, N)) % CLASSES
            batches.append((X, np.where(np.arange(N) < right, best, wrong)))
        return twins, batches, rights

    def check(self, student, twins, batches, rights, given=None):
        given = sent(batches) if given is None else given
        came = student.evaluate(twins.model, given, cpu(student))
        assert_number(came, sum(rights) / 12, "the accuracy")
        # of the first batch it is never the same
        came = student.evaluate(twins.model, sent(batches[:1]), cpu(student))
        assert_number(came, rights[0] / 5, "the accuracy on a single batch")

    def test_accuracy(self, student, rng):
        """the share of all images, in batches of unequal size"""
        self.check(student, *self.draw(student, rng, linear))

    @pytest.mark.parametrize("build", [normed, dropping], ids=["batch normalisation", "dropout"])
    @pytest.mark.parametrize("mode", ["train", "eval"])
    def test_mode(self, student, rng, build, mode):
        """in eval mode; after that, the model is in the mode that it came in"""
        twins, batches, rights = self.draw(student, rng, build)
        getattr(twins.model, mode)()
        self.check(student, twins, batches, rights)
        twins.assert_equal("{} after the evaluation")
        if twins.model.training is not (mode == "train"):
            raise WrongAnswer(
                f"the model came in {mode} mode, and is not in it afterwards. Remember "
                "model.training, and put it back."
            )

    def test_mode_after_a_failure(self, student, rng):
        """after a batch that the model cannot take, the mode is as it was, too"""
        twins, batches, rights = self.draw(student, rng, normed)
        twins.model.train()
        self.check(student, twins, batches, rights)
        with contextlib.suppress(StudentRaised):
            student.evaluate(
                twins.model, sent([(batches[0][0][:, :1], batches[0][1])]), cpu(student)
            )
        if twins.model.training is not True:
            raise WrongAnswer(
                "a batch made the model fail, and it stayed in eval mode. try: ... finally: puts "
                "the mode back whatever happens."
            )

    def test_records_nothing(self, student, rng):
        """no gradients are recorded"""
        twins, batches, rights = self.draw(student, rng, linear)
        witness = student.library("cnnlab.checks.probes").Witness(twins.model)
        self.check(student, twins, batches, rights)
        recorded = nets.rows_of(student, witness.recorded, "recorded")
        if any(one is not False for one in recorded):
            raise WrongAnswer(
                "PyTorch recorded the forward pass for gradients that nobody asks for: with "
                "torch.no_grad(): ..., or torch.inference_mode()."
            )

    def test_moves(self, student, rng):
        """batches that lie on another device are moved"""
        twins, batches, rights = self.draw(student, rng, linear)
        far = student.library("cnnlab.checks.probes").FarBatches(sent(batches))
        self.check(student, twins, batches, rights, far)


# --- ResidualBlock --------------------------------------------------------------------------------

BLOCKS = pytest.mark.parametrize(
    "args, shape",
    [
        pytest.param((4, 4), (3, 4, 5, 7), id="nothing changes"),
        pytest.param((3, 6), (3, 3, 6, 4), id="more channels"),
        pytest.param((4, 6, 2), (4, 4, 6, 8), id="more channels, stride 2"),
        pytest.param((5, 5, 2), (3, 5, 7, 5), id="stride 2, odd sizes"),
        pytest.param((6, 3), (3, 6, 4, 3), id="fewer channels"),
    ],
)


@question("ResidualBlock", points=4)
class TestResidualBlock:
    def draw(self, student, rng, args, shape):
        """The student's block and the right one, with the same weights; and images."""
        right = residual_network.ResidualBlock(*args).double()
        state = torch_nets.random_state(rng, right.state_dict())
        right.load_state_dict({n: torch.from_numpy(a) for n, a in state.items()}, strict=False)
        block = assert_module(student.ResidualBlock(*args), "ResidualBlock")
        nets.call(block, "double")
        student.set_state(block, state)
        return block, right, rng.standard_normal(shape)

    def check(self, block, right, x, what="out"):
        with torch.no_grad():
            expected = right(torch.from_numpy(x)).numpy()
        assert_tensor(block(Tensor(x)), expected, what)

    @BLOCKS
    def test_eval(self, student, rng, args, shape):
        """in eval mode, with the running averages"""
        block, right, x = self.draw(student, rng, args, shape)
        nets.call(block, "eval")
        self.check(block, right.eval(), x)

    @BLOCKS
    def test_train(self, student, rng, args, shape):
        """in train mode, and the running averages after it"""
        block, right, x = self.draw(student, rng, args, shape)
        nets.call(block, "train")
        self.check(block, right.train(), x)
        expected = {n: t.numpy() for n, t in right.state_dict().items() if n.find("running") > 0}
        states_are(student.state(block), expected, "{} after a step in train mode")

    def test_gradients(self, student, rng):
        """the gradients of all weights, through both ways"""
        block, right, x = self.draw(student, rng, (3, 5, 2), (4, 3, 6, 8))
        self.check(block.eval(), right.eval(), x)
        y = rng.integers(0, 5, (4, 3, 4))
        expected = gradients(right, torch.from_numpy(x), torch.from_numpy(y))
        grads = torch_nets.gradients_of(student, block, x, y, expected)
        for name, array in expected.items():
            assert_tensor(grads[name], array.numpy(), f"the gradient of {name}")

    def test_leaves_its_input_alone(self, student, rng):
        """x is left as it was; another batch afterwards"""
        block, right, x = self.draw(student, rng, (4, 4), (2, 4, 3, 5))
        for block_mode in (block.eval, right.eval):
            block_mode()
        held = student.put(Tensor(x))
        with torch.no_grad():
            expected = right(torch.from_numpy(x)).numpy()
        assert_tensor(block(held), expected, "out")
        assert_left_alone(student, {"x": held}, {"x": x})


# --- the design question --------------------------------------------------------------------------


@question("design_resnet", points=6, limits={"call_seconds": 20, "test_seconds": 90})
class TestDesignResnet:
    @pytest.mark.parametrize("least", design.RESNET_LINES, ids="at least {:.2f}".format)
    def test_accuracy(self, student, rng, least):
        """the accuracy on new pictures, with the weights that were handed in"""
        accuracies.assert_reaches(student, rng, least, accuracies.RESNET)


# --- kernels --------------------------------------------------------------------------------------


def draw_conv(rng, x_shape, w_shape, dtype):
    x = rng.standard_normal(x_shape).astype(dtype)
    w = rng.standard_normal(w_shape).astype(dtype)
    return x, w, rng.uniform(1, 2, w_shape[0]).astype(dtype)


@question("conv_kernel", points=3, limits={"test_seconds": 40})
class TestConvKernel:
    def check(self, student, rng, x_shape, w_shape, stride, pad, threads, dtype="float64"):
        x, w, b = draw_conv(rng, x_shape, w_shape, dtype)
        expected, _ = conv_forward_fast(x, w, b, {"stride": stride, "pad": pad})
        kernels.check(
            student, "conv_kernel", threads, {"x": x, "w": w, "b": b}, expected, stride, pad
        )

    def test_one_block(self, student, rng):
        """one block that covers the output exactly"""
        self.check(student, rng, (1, 1, 4, 5), (1, 1, 2, 2), 1, 0, (4, 3, 1))

    def test_planes(self, student, rng):
        """many images, filters and channels"""
        self.check(student, rng, (2, 3, 4, 4), (3, 3, 3, 3), 1, 0, (2, 2, 2))

    @pytest.mark.parametrize(
        "hw, kernel, stride, pad, threads",
        [
            pytest.param((3, 6), (3, 3), 1, 1, (4, 2, 1), id="pad 1, wide images"),
            pytest.param((7, 5), (3, 2), 2, 0, (2, 3, 2), id="stride 2, tall images"),
            pytest.param((4, 5), (3, 3), 2, 2, (3, 2, 4), id="stride 2, pad 2"),
            pytest.param((5, 4), (1, 1), 3, 0, (1, 1, 1), id="1x1 filters, stride 3"),
        ],
    )
    def test_stride_and_pad(self, student, rng, hw, kernel, stride, pad, threads):
        """strides and pads, images that are not square, threads that have nothing to do"""
        self.check(student, rng, (2, 2, *hw), (2, 2, *kernel), stride, pad, threads)

    def test_leaves_its_inputs_alone(self, student, rng):
        """single precision; x, w and b are left as they were"""
        self.check(student, rng, (1, 2, 3, 5), (3, 2, 3, 3), 1, 1, (4, 2, 2), "float32")


@question("max_pool_kernel", points=2, limits={"test_seconds": 40})
class TestMaxPoolKernel:
    def check(self, student, rng, shape, size, stride, threads, dtype="float64", shift=0.0):
        x = (rng.standard_normal(shape) + shift).astype(dtype)
        param = {"pool_height": size, "pool_width": size, "stride": stride}
        expected, _ = max_pool_forward_fast(x, param)
        kernels.check(student, "max_pool_kernel", threads, {"x": x}, expected, size, stride)

    def test_one_block(self, student, rng):
        """one block that covers the output exactly"""
        self.check(student, rng, (1, 1, 4, 6), 2, 2, (3, 2, 1))

    def test_negative(self, student, rng):
        """numbers that are all negative"""
        self.check(student, rng, (1, 2, 4, 6), 2, 2, (2, 2, 2), shift=-9)

    @pytest.mark.parametrize(
        "hw, size, stride, threads",
        [
            pytest.param((5, 8), 3, 2, (2, 2, 4), id="windows that overlap"),
            pytest.param((7, 4), 2, 3, (2, 4, 1), id="gaps between windows"),
            pytest.param((4, 7), 2, 1, (4, 2, 2), id="stride 1"),
            pytest.param((7, 5), 2, 2, (3, 2, 3), id="a row and a column are left over"),
        ],
    )
    def test_windows(self, student, rng, hw, size, stride, threads):
        """sizes and strides, images that are not square, threads that have nothing to do"""
        self.check(student, rng, (2, 3, *hw), size, stride, threads)

    def test_leaves_its_input_alone(self, student, rng):
        """single precision; x is left as it was"""
        self.check(student, rng, (2, 2, 4, 5), 2, 2, (4, 2, 1), "float32")


@question("conv_tiled_kernel", points=3, limits={"call_seconds": 20, "test_seconds": 60})
class TestConvTiledKernel:
    def check(self, student, rng, x_shape, w_shape, pad, dtype="float32"):
        x, w, b = draw_conv(rng, x_shape, w_shape, dtype)
        expected, _ = conv_forward_fast(x, w, b, {"stride": 1, "pad": pad})
        arrays = {"x": x, "w": w, "b": b}
        # TILE is this process's: in the student's kernel it can be anything
        tile = (TILE, TILE, 1)
        reads = kernels.check(student, "conv_tiled_kernel", tile, arrays, expected, pad)
        self.check_reads(reads, x_shape, w_shape, kernels.blocks_over(expected.shape, tile))

    def check_reads(self, reads, x_shape, w_shape, blocks):
        """No pixel is fetched twice for a patch."""
        of_x = whole(reads[0], "numbers read from x") if type(reads) is list and reads else -1
        patch = (TILE + w_shape[2] - 1) * (TILE + w_shape[3] - 1)
        most = math.prod(blocks) * x_shape[1] * patch
        if not 0 < of_x <= most:
            raise WrongAnswer(
                f"out is right, but {of_x} numbers were read from x. The patches of all tiles have "
                f"{most} numbers together: fetch each of them once into shared memory, and read "
                "the windows there."
            )

    def test_one_tile(self, student, rng):
        """an output of one tile, one channel, no padding"""
        self.check(student, rng, (1, 1, 10, 10), (1, 1, 3, 3), 0)

    def test_channels(self, student, rng):
        """many channels: each patch is used up before the next one overwrites it"""
        self.check(student, rng, (1, 3, 8, 8), (1, 3, 3, 3), 1)

    def test_tiles(self, student, rng):
        """many tiles, that stick out of an image that is not square"""
        self.check(student, rng, (1, 1, 9, 14), (1, 1, 3, 3), 1)

    def test_planes(self, student, rng):
        """many images and filters"""
        self.check(student, rng, (2, 2, 4, 8), (2, 2, 3, 3), 1)

    def test_large_filters(self, student, rng):
        """5x5 filters: a wider halo"""
        self.check(student, rng, (1, 2, 6, 10), (1, 2, 5, 5), 2)


# the first call starts the driver and compiles the kernel
@question(
    "conv_on_device",
    points=2,
    extra_credit=True,
    needs="cuda",
    limits={"call_seconds": 40, "test_seconds": 80},
)
class TestConvOnDevice:
    @pytest.mark.parametrize(
        "hw, kernel, options",
        [
            pytest.param((5, 7), (3, 3), (), id="stride 1, no padding"),
            pytest.param((9, 5), (3, 2), (2, 1), id="stride 2, pad 1"),
            pytest.param((9, 11), (5, 5), (1, 2), id="pad 2, and more than one block each way"),
        ],
    )
    def test_convolves(self, student, rng, hw, kernel, options):
        """out, from arrays to arrays"""
        x, w, b = draw_conv(rng, (2, 3, *hw), (4, 3, *kernel), np.float32)
        stride, pad = options or (1, 0)
        expected, _ = conv_forward_fast(x, w, b, {"stride": stride, "pad": pad})
        assert_close(student.conv_on_device(x, w, b, *options), expected, name="out", **SINGLE)

    def test_leaves_its_inputs_alone(self, student, rng):
        """x, w and b are left as they were"""
        arrays = dict(
            zip("xwb", draw_conv(rng, (1, 2, 6, 4), (3, 2, 3, 3), np.float32), strict=True)
        )
        held = {name: student.put(array) for name, array in arrays.items()}
        expected, _ = conv_forward_fast(*arrays.values(), {"stride": 1, "pad": 1})
        came = student.conv_on_device(*held.values(), 1, 1)
        assert_close(came, expected, name="out", **SINGLE)
        for name, handle in held.items():
            assert_unchanged(student.get(handle), arrays[name], name)
