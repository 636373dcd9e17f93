"""Tensors on the wire, modules and kernels in the sandbox, and what names their mistakes.

All in a real kernel, with functions and classes as a student would write them.
"""

import inspect
import textwrap

import numpy as np
import pytest

from autograder import diagnose as diagnosis
from autograder.compare import assert_close, describe, tensor
from autograder.diagnose import TestedCalls, diagnose, misconception
from autograder.errors import GraderError, NotDefined, StudentRaised, WrongAnswer
from autograder.kernel import Kernel
from autograder.limits import Limits
from autograder.student import Session, Student
from autograder.wire import Handle, Tensor

torch = pytest.importorskip("torch")
nn = torch.nn

CODE = """
import numpy as np
import torch
import torch.nn as nn

def double(x): return 2 * x
def kind(x): return [type(x).__name__, str(x.dtype), x.requires_grad, str(x.device)]
def both(x, y): return x + y, {"sum": (x + y).sum(), "array": np.ones(2)}
def scale(x): x *= 3
def follows(x):
    loss = (x * x).sum()
    loss.backward()
    return loss
def brain(x): return x.to(torch.bfloat16)
def meta(): return torch.ones(3, device="meta")
def sparse(): return torch.eye(3).to_sparse()
def nested(): return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
def quantized(): return torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.quint8)
def imaginary(): return torch.tensor([1 + 2j]).conj()
def negative(): return torch.tensor([1 + 2j]).conj().imag
def expanded(): return torch.ones(1).expand(10**10)
def steps(): return torch.arange(12.0).reshape(3, 4).T[::2]
def a_parameter(): return nn.Parameter(torch.ones(2))

class Liar(torch.Tensor):
    shape = property(lambda self: (1, 1))
    requires_grad = property(lambda self: True)
    def detach(self): raise ValueError("no")
    def cpu(self): return torch.zeros(7)
    def numpy(self): return np.zeros(7)
    def __reduce_ex__(self, protocol): raise ValueError("pickled")
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return torch.zeros(9)

class Pretender:
    __class__ = property(lambda self: torch.Tensor)

def liar(): return torch.ones(3).as_subclass(Liar)
def pretender(): return Pretender()

class Net(nn.Module):
    def __init__(self, size=3):
        super().__init__()
        self.fc = nn.Linear(size, 2)
        self.bn = nn.BatchNorm1d(2)
    def forward(self, x): return self.bn(self.fc(x))

def no_net(): return None
def an_array(): return np.ones(3)
def fill(arrays, model):
    with torch.no_grad():
        model.weight.copy_(torch.as_tensor(arrays["W"]))
"""


@pytest.fixture(scope="module")
def session():
    with Kernel(Limits().using(("torch", "numba"))) as kernel:
        assert kernel.run_cell(CODE, 30).status == "ok"
        yield Session(kernel, lambda calm=False: kernel.restart())


@pytest.fixture
def student(session):
    session.begin_test()
    return Student(session)


@pytest.mark.parametrize(
    "dtype", [np.float32, np.float64, np.int64, np.bool_, np.uint8, np.float16]
)
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_tensors_go_in_and_come_back_with_dtype_and_shape(student, dtype, shape):
    sent = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    came = student.get(student.put(Tensor(sent)))
    assert isinstance(came, Tensor) and came.dtype == np.dtype(dtype).name
    assert came.array.dtype == dtype and not came.grad
    np.testing.assert_array_equal(came.array, sent)


def test_what_arrives_is_a_tensor_of_torchs_own(student):
    x = np.ones((2, 3), np.float32)
    assert student.kind(Tensor(x)) == ["Tensor", "torch.float32", False, "cpu"]
    assert student.kind(Tensor(x, grad=True))[2] is True


def test_tensors_in_tuples_and_dicts_and_arrays_beside_them(student):
    x = np.arange(3.0)
    out, more = student.both(Tensor(x), Tensor(x))
    np.testing.assert_array_equal(out.array, 2 * x)
    assert more["sum"].shape == () and more["sum"].array == 6
    assert isinstance(more["array"], np.ndarray)


def test_a_tensor_that_is_put_shows_what_was_done_to_it(student):
    x = student.put(Tensor(np.ones(3)))
    student.scale(x)
    np.testing.assert_array_equal(student.get(x).array, 3 * np.ones(3))
    assert x.grad is None and not student.get(x).grad
    leaf = student.put(Tensor(np.ones(3), grad=True))
    assert student.follows(leaf).grad  # the loss was not detached
    np.testing.assert_array_equal(leaf.grad.array, 2 * np.ones(3))


def test_a_result_goes_back_as_the_very_object_with_its_graph(student):
    leaf = student.put(Tensor(np.ones(3), grad=True))
    doubled = student.double(leaf)
    student.follows(doubled)
    np.testing.assert_array_equal(leaf.grad.array, 8 * np.ones(3))


def test_bfloat16_comes_as_float32_and_is_given_its_room(student):
    x = 1 + np.random.default_rng(0).random(100).astype(np.float32)
    came = student.brain(Tensor(x))
    assert came.dtype == "bfloat16" and came.array.dtype == np.float32
    assert_close(came, x)
    with pytest.raises(WrongAnswer):
        assert_close(came, 1.1 * x)


def test_strides_and_parameters(student):
    np.testing.assert_array_equal(student.steps().array, np.arange(12.0).reshape(3, 4).T[::2])
    came = student.a_parameter()
    assert came.grad and came.array.tolist() == [1, 1]


def test_conjugate_and_negative_views_are_written_out(student):
    assert student.imaginary().array.tolist() == [1 - 2j]
    assert student.negative().array.tolist() == [-2]


@pytest.mark.parametrize(
    "name, words",
    [
        ("meta", "meta device"),
        ("sparse", "sparse or nested"),
        ("nested", "sparse or nested"),
        ("quantized", "quantized"),
        ("expanded", "the result has 40000 MB; the grader takes 64 MB"),
    ],
)
def test_tensors_without_ordinary_numbers_are_told_so(student, name, words):
    with pytest.raises(StudentRaised, match=words) as raised:
        getattr(student, name)()
    assert raised.value.ename in ("ValueError", "MemoryError")  # never "not attempted"


def test_what_a_subclass_says_of_itself_does_not_count(student):
    came = student.liar()
    assert came.array.tolist() == [1, 1, 1] and not came.grad
    assert isinstance(student.pretender(), Handle)


def test_neither_side_pickles(student, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("pickled")

    for name in ("save", "load"):
        monkeypatch.setattr(torch, name, never)
    model = student.Net()
    student.set_state(model, student.state(model))
    assert isinstance(student.liar(), Tensor)  # whose own pickling raises


# --- comparing ------------------------------------------------------------------------------------


def test_a_tensor_is_compared_as_its_numbers(student):
    x = np.arange(3.0)
    assert_close(Tensor(x), x)
    assert_close(x, Tensor(x))
    with pytest.raises(WrongAnswer, match="has the shape"):
        assert_close(Tensor(x), x[:2])
    assert describe(Tensor(x)) == "one tensor of shape (3,)"


@pytest.mark.parametrize(
    "came, words",
    [
        (np.ones(3), r"should be a tensor, but is one array .*numpy\(\)"),
        (1.5, r"should be a tensor, but is one number.*item\(\)"),
        (None, "loss is None. Is there a return"),
        ((1, 2), "is a tuple of 2"),
    ],
)
def test_what_is_no_tensor_is_told_so(came, words):
    with pytest.raises(WrongAnswer, match=words):
        tensor(came, "loss")
    assert tensor(Tensor(np.ones(3)), "loss").tolist() == [1, 1, 1]


# --- libraries, functions, modules ----------------------------------------------------------------


def test_a_library_builds_what_the_student_has_not(student):
    model = student.library("torch.nn").Linear(3, 2)
    assert model.type_name == "Linear" and model.weight.shape == (2, 3)
    student.set_state(model, {"weight": np.ones((2, 3)), "bias": np.zeros(2)})
    assert model(Tensor(np.ones((1, 3), np.float32))).array.tolist() == [[3, 3]]


def test_only_the_assignments_libraries_can_be_taken(student):
    assert student.library("cnnlab").type_name == "module"
    for name in ("os", "numpy", "torchvision", "torch_evil"):
        with pytest.raises(GraderError, match="torch, numba, cnnlab"):
            student.library(name)


def test_a_function_of_the_students_can_be_handed_on(student):
    x = student.put(Tensor(np.ones(2)))
    double = student.find("double")
    assert isinstance(double, Handle) and double.type_name == "function"
    mapped = student.library("torch").func.vmap(double)
    assert mapped(x).array.tolist() == [2, 2]
    with pytest.raises(NotDefined):
        student.find("nothing_of_that_name")


def test_an_error_behind_a_library_names_the_students_function(student):
    with pytest.raises(StudentRaised, match=r"^both raised TypeError"):
        student.library("torch").func.vmap(student.find("both"))(Tensor(np.ones(2)))


def test_weights_are_set_and_read_by_name(student):
    model = student.Net()
    weights = {
        "fc.weight": np.arange(6.0).reshape(2, 3),
        "fc.bias": np.ones(2),
        "bn.weight": np.ones(2),
        "bn.bias": np.zeros(2),
        "bn.running_mean": np.full(2, 5.0),
        "bn.running_var": np.ones(2),
    }
    assert set(student.state(model)) == set(weights)  # without num_batches_tracked
    student.set_state(model, weights)
    for name, value in student.state(model).items():
        np.testing.assert_array_equal(value, weights[name])
        assert value.dtype == np.float32  # the model's
    model.eval()
    out = model(Tensor(np.ones((1, 3), np.float32)))
    np.testing.assert_allclose(out.array, [[-1, 8]], rtol=1e-4)


@pytest.mark.parametrize(
    "weights, words",
    [
        ({"fc.weight": np.ones((2, 3))}, "should be called fc.weight, but it has fc.weight, fc.b"),
        ({"weight": np.ones((3, 2)), "bias": np.ones(2)}, "weight of the model has the shape"),
        ({"weight": np.ones((2, 3)), "other": np.ones(2)}, "should be called weight, other"),
    ],
)
def test_weights_that_do_not_fit_are_a_wrong_answer(student, weights, words):
    model = student.Net() if "fc" in words else student.library("torch.nn").Linear(3, 2)
    with pytest.raises(WrongAnswer, match=words):
        student.set_state(model, weights)


@pytest.mark.parametrize("name", ["no_net", "an_array", "pretender", "double"])
def test_what_is_no_module_is_a_wrong_answer(student, name):
    model = student.find(name) if name == "double" else getattr(student, name)()
    with pytest.raises(WrongAnswer, match=r"should be an nn\.Module, but is"):
        student.state(model)


# --- naming mistakes ------------------------------------------------------------------------------


def halve(x):
    return x / 2


class Affine(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, x):
        return self.fc(x)


def overwrite(x, model):
    with torch.no_grad():
        x *= 2
        model.weight.zero_()


REFERENCES = {"halve": halve, "Affine": Affine, "overwrite": overwrite}


@pytest.fixture
def variants(monkeypatch):
    """Misconceptions of this module's own functions."""
    monkeypatch.setattr(diagnosis, "MISCONCEPTIONS", {})

    @misconception("halve")
    def doubles(x):
        """It doubles."""
        return x * 2

    @misconception("halve")
    def gives_an_array(x):
        """It is no tensor."""
        return halve(x).numpy()

    @misconception("halve")
    def keeps_the_graph(x):
        """It asks for gradients."""
        return halve(x).requires_grad_()

    @misconception("Affine")
    class NoBias(Affine):
        """The bias is left out."""

        def forward(self, x):
            return x @ self.fc.weight.T

    @misconception("Affine")
    class OtherName(Affine):
        """The layer has another name."""

        def __init__(self):
            super().__init__()
            self.linear = self.__dict__["_modules"].pop("fc")

    @misconception("overwrite")
    def leaves_the_weight(x, model):
        """The weight is not written."""
        x.mul_(2)

    @misconception("overwrite")
    def leaves_the_input(x, model):
        """The input is not written."""
        with torch.no_grad():
            model.weight.zero_()


def test_an_optimizer_asks_for_packages_that_are_not_there_and_works(student):
    optim, model = student.library("torch.optim"), student.library("torch.nn").Linear(2, 1)
    assert optim.SGD(model.parameters(), lr=0.1).type_name == "SGD"


def named(question, passed, session):
    return diagnose(question, [TestedCalls(passed, session.calls)], REFERENCES)


@pytest.fixture
def write(session):
    def run(source):
        assert session.kernel.run_cell(source, 20).status == "ok"
        session.begin_test()
        return Student(session)

    return run


@pytest.mark.parametrize(
    "body, name",
    [
        ("x + x", "doubles"),
        ("(x / 2).numpy()", "gives_an_array"),
        ("(x / 2).requires_grad_()", "keeps_the_graph"),
        ("x - 7", None),
    ],
)
def test_a_wrong_tensor_is_named(write, session, variants, body, name):
    write(f"def halve(x): return {body}").halve(Tensor(np.arange(1.0, 4.0)))
    assert named("halve", False, session) == name


def test_a_function_that_a_library_calls_is_named(write, session, variants):
    student = write("def halve(x): return x * 2")
    x = student.put(Tensor(np.arange(1.0, 4.0)))
    student.library("torch").func.vmap(student.find("halve"))(x)
    assert named("halve", False, session) == "doubles"


AFFINE = """
class Affine(nn.Module):
    def __init__(self):
        super().__init__()
        self.{name} = nn.Linear(3, 2)
    def forward(self, x): return {forward}
"""


@pytest.mark.parametrize(
    "forward, name",
    [("x @ self.fc.weight.T", "NoBias"), ("self.fc(x) + 1", None)],
)
def test_a_module_with_given_weights_is_named(write, session, variants, forward, name):
    student = write(AFFINE.format(name="fc", forward=forward))
    model = student.Affine()
    student.set_state(model, {"fc.weight": np.ones((2, 3)), "fc.bias": np.array([2.0, 3.0])})
    model(Tensor(np.ones((1, 3), np.float32)))
    assert named("Affine", False, session) == name


def test_weights_of_another_name_are_named(write, session, variants):
    student = write(AFFINE.format(name="layer", forward="self.layer(x)"))
    with pytest.raises(WrongAnswer, match=r"called fc\.weight, fc\.bias, but it has layer\.weight"):
        student.set_state(student.Affine(), {"fc.weight": np.ones((2, 3)), "fc.bias": np.ones(2)})
    assert named("Affine", False, session) == "OtherName"


@pytest.mark.parametrize(
    "body, name",
    [("x.mul_(2)", "leaves_the_weight"), ("model.weight.data.zero_()", "leaves_the_input")],
)
def test_what_is_written_into_arguments_is_named(write, session, variants, body, name):
    student = write(f"def overwrite(x, model): {body}")
    model, x = student.library("torch.nn").Linear(3, 2), student.put(Tensor(np.ones(3)))
    student.set_state(model, {"weight": np.ones((2, 3)), "bias": np.ones(2)})
    student.overwrite(x, model)
    student.get(x), student.state(model)
    assert named("overwrite", False, session) == name


def test_what_a_later_call_adds_to_a_result_does_not_hide_the_first(write, session, variants):
    @misconception("halve")
    def adds_up(x):
        """The second call writes into the first one's result."""
        x.grad = x.detach() * 3 if x.grad is None else x.grad.add_(1)
        return x.grad

    body = inspect.getsource(adds_up).split('"""\n', 1)[1]
    student = write("def halve(x):\n" + textwrap.indent(textwrap.dedent(body), "    "))
    x = student.put(Tensor(np.arange(1.0, 4.0)))
    student.halve(x), student.halve(x)
    assert named("halve", False, session) == "adds_up"
