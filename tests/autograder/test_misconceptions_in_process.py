"""The hidden tests of all assignments against all they have to tell apart, without a kernel.

The references pass everything; each misconception loses points on its own question only, and gives
other outputs than every other one; functions that only pretend pass nothing.
"""

import copy
import functools
import importlib
import time
import weakref
import zlib
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from autograder import tensors
from autograder.compare import describe
from autograder.diagnose import MISCONCEPTIONS, load_misconceptions
from autograder.errors import NotDefined, StudentError, StudentRaised, WrongAnswer
from autograder.hidden import accuracies
from autograder.kernel import Took
from autograder.misconceptions import conv_layers, fast_layers
from autograder.questions import find_assignments
from autograder.student import check_state
from autograder.wire import Tensor
from cnnlab import data, design
from cnnlab.weights import load_weights
from solutions import convolution

ASSIGNMENTS = find_assignments()
for assignment in ASSIGNMENTS.values():
    load_misconceptions(assignment.misconceptions)
torch.set_num_threads(1)  # the nets are tiny: threads would only wait for each other
CONV_LAYERS = "2_conv_layers"
LEAST = {
    "conv_forward_naive": 6,
    "conv_backward_naive": 6,
    "conv_forward_fast": 6,
    "conv_backward_fast": 6,
    "hog_feature": 6,
}
FEWEST = 3
# without extra credit
POINTS = {
    "1_image_features": 53,
    CONV_LAYERS: 36,
    "3_fast_layers": 40,
    "4_convnet": 53,
    "5_gpu": 49,
}
SEED = 7
# the tensor that came as this Tensor: a function gets its own object back, with its graph
OWN: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


class Held:
    """A value that stays on the student's side, as a Handle does."""

    def __init__(self, value, student=None, maker=""):
        """``maker``: the function that it came from; of an object, the class; "" of a library."""
        self.__dict__.update(value=value, type_name=type(value).__name__)
        self.__dict__.update(_student=student, _maker=maker)

    def __getattr__(self, name):
        if name.startswith("_") or self._student is None:
            raise AttributeError(name)
        if not self._maker:  # a library's parts are nobody's answer
            return self._student.shown(getattr(self.value, name), "")
        return self._student.run(self._maker, functools.partial(getattr, self.value), name)

    def __setattr__(self, name, value):
        setattr(self.value, name, fresh(value))

    def __getitem__(self, key):
        return self._student.run(self._maker, self.value.__getitem__, key)

    def __len__(self):
        return len(self.value)

    def __call__(self, *args, **kwargs):
        # what a library calls counts for the function that was found for it
        found = [arg._maker for arg in args if isinstance(arg, Held) and arg._maker]
        maker = self._maker or next(iter(found), "")
        return self._student.run(maker, self.value, *args, **kwargs)


def fresh(value):
    """What the student's function gets: its own objects back, and copies of all else."""
    if isinstance(value, Held):
        return value.value
    if isinstance(value, Tensor):
        own = OWN.get(value)
        return tensors.from_array(value.array, value.grad) if own is None else own
    if isinstance(value, (list, tuple)):
        return type(value)(map(fresh, value))
    if isinstance(value, dict):
        return {key: fresh(item) for key, item in value.items()}
    return copy.deepcopy(value)


def as_sent(value):
    """What comes back: tensors as Tensors, in containers too."""
    if tensors.is_tensor(value):
        return Tensor(*tensors.to_array(value))
    if isinstance(value, (tuple, list)):
        items = map(as_sent, value)
        return tuple(items) if isinstance(value, tuple) else list(items)
    if isinstance(value, dict):
        return {key: as_sent(item) for key, item in value.items()}
    return value


def is_flat(value):
    return value is None or isinstance(value, (str, int, float, np.ndarray, np.generic, Tensor))


class FakeStudent:
    """The proxy without a kernel: fresh copies go in, what has no flat form comes back held."""

    def __init__(self, **functions):
        self.functions = functions
        self.calls = []  # (function's name, outcome), in order; a method counts for its class
        self.there = []  # what was put
        self.asked = ""  # the function that was called last
        self.known = []  # modules whose weights were set

    def __getattr__(self, name):
        if name not in self.functions:
            raise NotDefined(name)
        return functools.partial(self.run, name, self.functions[name])

    def run(self, name, function, *args, **kwargs):
        args = [fresh(arg) for arg in args]
        kwargs = {key: fresh(value) for key, value in kwargs.items()}
        self.asked = name
        try:
            result = function(*args, **kwargs)
        except Exception as error:
            self.calls.append((name, type(error).__name__))
            raise StudentRaised(name, type(error).__name__, str(error)) from error
        sent = as_sent(result)
        if is_flat(sent) or isinstance(sent, (tuple, list, dict)):
            self.calls.append((name, copy.deepcopy(sent)))
        return self.shown(result, name)

    def shown(self, value, name):
        def inner(item):
            if tensors.is_tensor(item):
                own, item = item, as_sent(item)
                OWN[item] = own
            return item if is_flat(item) else Held(item, self, name)

        if isinstance(value, (tuple, list)):
            return type(value)(map(inner, value))
        if isinstance(value, dict):
            return {key: copy.copy(inner(item)) for key, item in value.items()}
        return inner(value)

    def load_weights(self, net, file):
        """The weights that are handed out beside the solution of the question's assignment."""
        load = load_weights
        if tensors.is_module(net.value):
            from cnnlab.torch_weights import load_weights as load
        try:
            load(ASSIGNMENTS[home()[net._maker]].solution.with_name(file), net.value)
        except Exception as error:
            raise StudentRaised(net._maker, type(error).__name__, str(error)) from error

    def library(self, name):
        return Held(importlib.import_module(name), self)

    def find(self, name):
        if name not in self.functions:
            raise NotDefined(name)
        return Held(self.functions[name], self, name)

    def state(self, model):
        found = tensors.state(model.value) if isinstance(model, Held) else None
        if found is None:
            raise WrongAnswer(f"the model should be an nn.Module, but is {describe(model)}.")
        if any(model is known for known in self.known):  # else it is random
            # of a library's model: what the last function left of it
            maker = model._maker or (self.calls[-1][0] if self.calls else "")
            self.calls.append((maker, found))
        return found

    def set_state(self, model, values):
        values = {
            name: np.array(value.array if isinstance(value, Tensor) else value)
            for name, value in values.items()
        }
        check_state(self.state(model), values)
        self.known.append(model)
        tensors.set_state(
            model.value, {name: tensors.from_array(value) for name, value in values.items()}
        )

    def timed(self, name, *args):
        start = time.perf_counter()
        return getattr(self, name)(*args), Took(time.perf_counter() - start)

    def put(self, value):
        self.there.append(Held(fresh(value), self))
        return self.there[-1]

    def get(self, handle):
        value = copy.deepcopy(as_sent(handle.value))
        if any(handle is held for held in self.there):  # what the last function left of it
            self.calls.append((self.asked, value))
        return value


@functools.cache
def pictures(number):
    toys = data.load("toys")
    return design.prepared(toys.X_test[:number]), toys.y_test[:number]


@pytest.fixture(autouse=True)
def known_pictures(monkeypatch):
    """The design question's new pictures take seconds to paint; here a few that are there."""
    monkeypatch.setattr(accuracies, "PICTURES", 20)
    monkeypatch.setattr(accuracies, "BATCH", 20)
    monkeypatch.setattr(accuracies, "new_pictures", lambda salt: pictures(20))


class Collector:
    def pytest_collection_modifyitems(self, items):
        self.items = list(items)


@functools.cache
def hidden_tests(name):
    """The items that pytest collects for an assignment, with their question's marker."""
    collector = Collector()
    options = ["--collect-only", "-q", "-p", "no:cacheprovider"]
    path = str(ASSIGNMENTS[name].hidden_tests)
    code = pytest.main([*options, path], plugins=[collector])
    assert code == 0
    return [(item, item.get_closest_marker("question")) for item in collector.items]


def questions(name):
    return {marker.args[0]: marker.kwargs for _, marker in hidden_tests(name)}


@functools.cache
def home():
    """Question -> the assignment that it belongs to."""
    return {q.id: name for name, a in ASSIGNMENTS.items() for q in a.questions}


def references(name):
    return ASSIGNMENTS[name].references()


def run(name, functions, seed=SEED, only=None):
    """Results per question: a list with None for a passed test, else the exception.

    Whatever is neither a WrongAnswer nor a StudentError comes out: it is the grader's own mistake.
    """
    results, students, session = {}, {}, SimpleNamespace()
    for item, marker in hidden_tests(name):
        question = marker.args[0]
        if only and question != only:
            continue
        student = FakeStudent(**functions)
        student._session = session  # one for all tests, as in a kernel
        rng = np.random.default_rng([seed, zlib.crc32(item.name.encode())])
        case = item.callspec.params if hasattr(item, "callspec") else {}
        try:
            with np.errstate(all="ignore"):  # a kernel only warns
                getattr(item.cls(), item.originalname)(student=student, rng=rng, **case)
            outcome = None
        except (WrongAnswer, StudentError) as error:
            outcome = error
        results.setdefault(question, []).append(outcome)
        students.setdefault(question, []).append(student)
    return results, students


def all_misconceptions():
    return [(q, name) for q, variants in MISCONCEPTIONS.items() if q in home() for name in variants]


every_assignment = pytest.mark.parametrize("name", ASSIGNMENTS)


@every_assignment
def test_every_question_has_tests_points_and_plain_names(name):
    # in the order of the notebook
    assert list(questions(name)) == list(references(name))
    assert (
        sum(m["points"] for m in questions(name).values() if not m["extra_credit"])
        == (POINTS[name])
    )
    tests = [
        (i.cls, i.function.__doc__, getattr(i, "callspec", None)) for i, _ in hidden_tests(name)
    ]
    assert all(doc and "\n" not in doc and not doc.endswith(".") for _, doc, _ in tests)
    shown = [(cls, doc, spec and spec.id) for cls, doc, spec in tests]
    assert len(shown) == len(set(shown))


@every_assignment
def test_there_are_enough_misconceptions_with_hints(name):
    for question in questions(name):
        variants = MISCONCEPTIONS[question]
        assert len(variants) >= LEAST.get(question, FEWEST), question
        for function in variants.values():
            assert len(function.__doc__) > 40


@every_assignment
@pytest.mark.parametrize("seed", range(10))
def test_references_pass_whatever_the_seed(name, seed):
    results, _ = run(name, references(name), seed)
    assert not [error for errors in results.values() for error in errors if error]


@pytest.mark.parametrize("question, wrong", all_misconceptions())
def test_misconception_loses_on_its_own_question_only(question, wrong):
    name = home()[question]
    mutant = references(name) | {question: MISCONCEPTIONS[question][wrong]}
    results, _ = run(name, mutant, seed=1)
    assert any(results.pop(question))
    assert not [e for errors in results.values() for e in errors if e]
    # with other numbers too; that all else passes whatever the seed, the references show
    assert any(run(name, mutant, seed=2, only=question)[0][question])


def same_outcome(a, b):
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.grad == b.grad and same_outcome(a.array, b.array)
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return all(same_outcome(a[key], b[key]) for key in a)
    if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
        return all(same_outcome(*pair) for pair in zip(a, b, strict=True))
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.shape == b.shape and np.allclose(a, b)
    if type(a) is not type(b) or isinstance(a, np.ndarray):
        return False
    return a == b


@pytest.mark.parametrize("question", home())
def test_misconceptions_can_be_told_apart(question):
    calls, right = {}, references(home()[question])
    for name, wrong in MISCONCEPTIONS[question].items():
        _, students = run(home()[question], right | {question: wrong}, only=question)
        calls[name] = [
            [outcome for function, outcome in student.calls if function == question]
            for student in students[question]
        ]
    for one, other in combinations(calls, 2):
        # test by test, as far as both of them came
        assert not all(
            same_outcome(a, b)
            for both in zip(calls[one], calls[other], strict=True)
            for a, b in zip(*both, strict=False)
        ), f"{one} and {other} give the same outputs in every hidden test"


def emptied(module):
    tensors.set_state(
        module,
        {name: tensors.from_array(0 * array) for name, array in tensors.state(module).items()},
    )
    return module


def zeros_like_the_right_answer(function):
    def zeros(value):
        if isinstance(value, (tuple, list)):
            return type(value)(zeros(v) for v in value)
        if isinstance(value, dict):
            return {key: zeros(v) for key, v in value.items()}
        if hasattr(value, "params"):
            return Zeros(value)
        if tensors.is_module(value):
            value.register_forward_hook(lambda module, inputs, out: 0 * out)
            return emptied(value)
        if isinstance(value, (int, float, np.ndarray, np.generic)) or tensors.is_tensor(value):
            return 0 * value
        return value

    class Zeros:
        """An object all of whose attributes and results are zeros."""

        def __init__(self, right):
            self.__dict__["right"] = right

        def __getattr__(self, name):
            value = getattr(self.right, name)
            return zeros_like_the_right_answer(value) if callable(value) else zeros(value)

        def __setattr__(self, name, value):
            setattr(self.right, name, value)

    def dummy(*args, **options):
        result = function(*args, **options)
        for module in filter(tensors.is_module, args if result is None else ()):
            emptied(module)  # the answer was written into it
        return zeros(result)

    return dummy


def raises(error):
    def dummy(*args):
        raise error

    return dummy


DUMMIES = {
    "zeros of the right shape": zeros_like_the_right_answer,
    "None": lambda function: lambda *args: None,
    "None in a tuple": lambda function: lambda *args: (None, None, None),
    "one": lambda function: lambda *args: 1,
    "its input": lambda function: lambda *args: args[0],
    "its input and a cache": lambda function: lambda *args: (args[0], None),
    "text": lambda function: lambda *args: "passed",
    "NaN": lambda function: lambda *args: (np.full((2, 3), np.nan), ()),
    "NotImplementedError": lambda function: raises(NotImplementedError()),
    "ValueError": lambda function: raises(ValueError("no")),
}


@every_assignment
@pytest.mark.parametrize("dummy", DUMMIES)
def test_dummies_pass_nothing(name, dummy):
    dummies = {q: DUMMIES[dummy](function) for q, function in references(name).items()}
    results, _ = run(name, dummies)
    passed = {q: errors for q, errors in results.items() if not all(errors)}
    assert not passed


@every_assignment
def test_nothing_defined_passes_nothing(name):
    results, _ = run(name, {})
    assert all(isinstance(e, NotDefined) for errors in results.values() for e in errors)


@pytest.mark.parametrize(
    "forward",
    [
        *("conv_forward_naive", "max_pool_forward_naive", "two_layer_forward"),
        *("conv_forward_fast", "max_pool_forward_fast", "avg_pool_forward_fast"),
        *("affine_forward", "relu_forward", "dropout_forward"),
        "spatial_batchnorm_forward",
        "spatial_groupnorm_forward",
    ],
)
@pytest.mark.parametrize("dummy", ["None", "NotImplementedError", "its input and a cache"])
def test_a_missing_forward_pass_costs_only_itself(forward, dummy):
    name = home()[forward]
    functions = references(name)
    results, _ = run(name, functions | {forward: DUMMIES[dummy](functions[forward])})
    assert all(results.pop(forward))
    assert not [e for errors in results.values() for e in errors if e]


def test_own_cache_goes_to_own_backward():
    def forward(x, w, b, conv_param):
        out, cache = convolution.conv_forward_naive(x, w, b, conv_param)
        return [out.astype(np.float32), {"mine": cache}]

    def backward(dout, cache):
        return list(convolution.conv_backward_naive(dout, cache["mine"]))

    own = {"conv_forward_naive": forward, "conv_backward_naive": backward}
    results, _ = run(CONV_LAYERS, references(CONV_LAYERS) | own)
    assert not [e for errors in results.values() for e in errors if e]


REFERENCES = conv_layers.reference.__dict__ | fast_layers.reference.__dict__
CHANGED = [q for q in REFERENCES if q.endswith(("forward_naive", "forward_fast"))] + [
    *("im2col", "col2im", "conv_forward_strides", "conv_forward_fft"),
    *("affine_forward", "relu_forward", "spatial_batchnorm_forward"),
    "spatial_groupnorm_forward",
    *("sgd", "sgd_momentum", "rmsprop", "adam"),
    *("knn_distances", "softmax_loss", "svm_loss", "color_histogram_hsv", "hog_feature"),
    *("fit_whitening", "build_codebook", "encode_images", "perceptron_update"),
]


@pytest.mark.parametrize("question", CHANGED)
def test_changing_the_input_costs_one_test(question):
    name = home()[question]
    right = references(name)[question]

    def changes_x(x, *args, **options):
        result = right(x, *args, **options)
        x *= 2
        return result

    results, _ = run(name, references(name) | {question: changes_x})
    messages = [str(e) for e in results[question] if e]
    assert len(messages) == 1
    assert "changed its input" in messages[0]


KEEPING = [q for q in fast_layers.reference.__dict__ if q != "conv_pool_step"]


@pytest.mark.parametrize("question", KEEPING)
@pytest.mark.parametrize("dtype, lost", [(np.float32, 1), (np.float64, 0)])
def test_digits_that_are_lost_cost_one_test(question, dtype, lost):
    right = references("3_fast_layers")[question]

    def changed(value):
        return value.astype(dtype) if isinstance(value, np.ndarray) else value

    def casts(*args):
        result = right(*args)
        return tuple(map(changed, result)) if isinstance(result, tuple) else changed(result)

    results, _ = run(
        "3_fast_layers", references("3_fast_layers") | {question: casts}, only=question
    )
    messages = [str(e) for e in results[question] if e]
    if question in ("im2col", "col2im"):  # whose dtype is x's, and nothing else
        lost = 1
    assert len(messages) == lost
    assert all(f"has the dtype {np.dtype(dtype)}" in message for message in messages)


# -- the GPU part's own ways to pretend ------------------------------------------------------------


def with_one_changed(question, change):
    functions = references("5_gpu")
    functions = functions | {question: change(functions[question])}
    return run("5_gpu", functions, only=question)[0][question]


@pytest.mark.parametrize("twelfths", range(13))
def test_no_accuracy_is_right_for_all_models(twelfths):
    errors = with_one_changed("evaluate", lambda right: lambda *args: twelfths / 12)
    assert all(errors)


def test_a_copy_that_asks_for_gradients_has_no_graph():
    def change(right):
        return lambda x, params: right(x, params).detach().requires_grad_()

    (error,) = filter(None, with_one_changed("three_layer_convnet", change))
    assert "is cut" in str(error)


@pytest.mark.parametrize("question", ["TorchConvNet", "ResidualBlock"])
@pytest.mark.parametrize("method", ["state_dict", "named_parameters"])
def test_a_module_that_hides_its_weights_is_told_so(question, method):
    """Now and then: the first look at them is honest."""

    def change(right):
        looks = []

        def hides(self, *args, **options):
            looks.append(1)
            found = dict(getattr(torch.nn.Module, method)(self, *args, **options))
            if method == "state_dict":
                return found if len(looks) % 3 else {}
            return found.items() if len(looks) % 3 == 0 else {}.items()

        return type(question, (right,), {method: hides})

    errors = with_one_changed(question, change)  # an error of the grader's own would come out
    assert any(errors)
