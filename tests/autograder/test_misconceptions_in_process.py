"""The hidden tests of the convolution layers against all they have to tell apart, without a kernel.

The references pass everything; each misconception loses points on its own question only, and gives
other outputs than every other one; functions that only pretend pass nothing.
"""

import copy
import functools
import zlib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import autograder
from autograder.diagnose import MISCONCEPTIONS
from autograder.errors import NotDefined, StudentError, StudentRaised, WrongAnswer
from autograder.misconceptions import conv_layers  # registers them
from solutions import arithmetic, convolution, pooling

HIDDEN = Path(autograder.__file__).parent / "hidden" / "test_conv_layers.py"
ARITHMETIC = ("conv_output_size", "conv_cost", "receptive_field")
LEAST = {
    "conv_forward_naive": 6,
    "conv_backward_naive": 6,
    "conv_forward_general": 3,
} | dict.fromkeys(ARITHMETIC, 3)
SEED = 7


class Held:
    """A value that stays on the student's side, as a Handle does."""

    def __init__(self, value):
        self.value = value
        self.type_name = type(value).__name__


class FakeStudent:
    """The proxy without a kernel: fresh copies go in, what has no flat form comes back held."""

    def __init__(self, **functions):
        self.functions = functions
        self.calls = []  # (function's name, outcome), in order

    def __getattr__(self, name):
        if name not in self.functions:
            raise NotDefined(name)
        return functools.partial(self.call, name)

    def call(self, name, *args):
        args = [a.value if isinstance(a, Held) else copy.deepcopy(a) for a in args]
        try:
            result = self.functions[name](*args)
        except Exception as error:
            self.calls.append((name, type(error).__name__))
            raise StudentRaised(name, type(error).__name__, str(error)) from error
        self.calls.append((name, copy.deepcopy(result)))
        if isinstance(result, tuple):
            return tuple(Held(r) if isinstance(r, (tuple, list, dict)) else r for r in result)
        return result

    def put(self, value):
        return Held(copy.deepcopy(value))

    def get(self, handle):
        return handle.value


class Collector:
    def pytest_collection_modifyitems(self, items):
        self.items = list(items)


@functools.cache
def hidden_tests():
    """The items that pytest collects, with their question's marker."""
    collector = Collector()
    code = pytest.main(
        ["--collect-only", "-q", "-p", "no:cacheprovider", str(HIDDEN)], plugins=[collector]
    )
    assert code == 0
    return [(item, item.get_closest_marker("question")) for item in collector.items]


def questions():
    return {marker.args[0]: marker.kwargs for _, marker in hidden_tests()}


def references():
    modules = (arithmetic, convolution, pooling)
    return {q: next(getattr(m, q) for m in modules if hasattr(m, q)) for q in questions()}


def run(functions, seed=SEED, only=None):
    """Results per question: a list with None for a passed test, else the exception.

    Whatever is neither a WrongAnswer nor a StudentError comes out: it is the grader's own mistake.
    """
    results, students = {}, {}
    for item, marker in hidden_tests():
        question = marker.args[0]
        if only and question != only:
            continue
        student = FakeStudent(**functions)
        rng = np.random.default_rng([seed, zlib.crc32(item.name.encode())])
        case = item.callspec.params if hasattr(item, "callspec") else {}
        try:
            getattr(item.cls(), item.originalname)(student=student, rng=rng, **case)
            outcome = None
        except (WrongAnswer, StudentError) as error:
            outcome = error
        results.setdefault(question, []).append(outcome)
        students.setdefault(question, []).append(student)
    return results, students


def all_misconceptions():
    return [(q, name) for q, variants in MISCONCEPTIONS.items() for name in variants]


def test_every_question_has_tests_points_and_plain_names():
    assert list(questions()) == [
        *ARITHMETIC,
        *("conv_forward_naive", "conv_backward_naive"),
        *("max_pool_forward_naive", "max_pool_backward_naive"),
        *("avg_pool_forward_naive", "avg_pool_backward_naive"),
        "conv_forward_general",
    ]
    assert sum(m["points"] for m in questions().values() if not m["extra_credit"]) == 36
    names = [(i.cls, i.function.__doc__, getattr(i, "callspec", None)) for i, _ in hidden_tests()]
    assert all(doc and "\n" not in doc and not doc.endswith(".") for _, doc, _ in names)
    shown = [(cls, doc, spec and spec.id) for cls, doc, spec in names]
    assert len(shown) == len(set(shown))


def test_there_are_enough_misconceptions_with_hints():
    for question in questions():
        variants = MISCONCEPTIONS[question]
        assert len(variants) >= LEAST.get(question, 4), question
        for function in variants.values():
            assert len(function.__doc__) > 40


@pytest.mark.parametrize("seed", range(10))
def test_references_pass_whatever_the_seed(seed):
    results, _ = run(references(), seed)
    assert not [error for errors in results.values() for error in errors if error]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("question, name", all_misconceptions())
def test_misconception_loses_on_its_own_question_only(question, name, seed):
    wrong = MISCONCEPTIONS[question][name]
    results, _ = run(references() | {question: wrong}, seed)
    assert any(results.pop(question))
    assert not [e for errors in results.values() for e in errors if e]


def same_outcome(a, b):
    if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
        return all(same_outcome(*pair) for pair in zip(a, b, strict=True))
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.shape == b.shape and np.allclose(a, b)
    if type(a) is not type(b) or isinstance(a, np.ndarray):
        return False
    return isinstance(a, dict) or a == b


@pytest.mark.parametrize("question", MISCONCEPTIONS)
def test_misconceptions_can_be_told_apart(question):
    calls = {}
    for name, wrong in MISCONCEPTIONS[question].items():
        _, students = run(references() | {question: wrong}, only=question)
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


def zeros_like_the_right_answer(function):
    def zeros(value):
        if isinstance(value, tuple):
            return tuple(zeros(v) for v in value)
        return 0 * value if isinstance(value, (int, np.ndarray)) else value

    return lambda *args: zeros(function(*args))


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


@pytest.mark.parametrize("dummy", DUMMIES)
def test_dummies_pass_nothing(dummy):
    dummies = {name: DUMMIES[dummy](function) for name, function in references().items()}
    results, _ = run(dummies)
    passed = {q: errors for q, errors in results.items() if not all(errors)}
    assert not passed


def test_nothing_defined_passes_nothing():
    results, _ = run({})
    assert all(isinstance(e, NotDefined) for errors in results.values() for e in errors)


@pytest.mark.parametrize("forward", ["conv_forward_naive", "max_pool_forward_naive"])
@pytest.mark.parametrize("dummy", ["None", "NotImplementedError", "its input and a cache"])
def test_a_missing_forward_pass_costs_only_itself(forward, dummy):
    functions = references()
    results, _ = run(functions | {forward: DUMMIES[dummy](functions[forward])})
    assert all(results.pop(forward))
    assert not [e for errors in results.values() for e in errors if e]


def test_own_cache_goes_to_own_backward():
    def forward(x, w, b, conv_param):
        out, cache = convolution.conv_forward_naive(x, w, b, conv_param)
        return [out.astype(np.float32), {"mine": cache}]

    def backward(dout, cache):
        return list(convolution.conv_backward_naive(dout, cache["mine"]))

    results, _ = run(
        references() | {"conv_forward_naive": forward, "conv_backward_naive": backward}
    )
    assert not [e for errors in results.values() for e in errors if e]


@pytest.mark.parametrize(
    "question", [q for q in conv_layers.reference.__dict__ if "forward_naive" in q]
)
def test_changing_the_input_costs_one_test(question):
    right = references()[question]

    def changes_x(x, *args):
        result = right(x, *args)
        x *= 2
        return result

    results, _ = run(references() | {question: changes_x})
    messages = [str(e) for e in results[question] if e]
    assert len(messages) == 1
    assert "changed its input x" in messages[0]
