"""Naming the bug behind wrong answers, with made-up calls."""

import warnings

import numpy as np
import pytest

from autograder import diagnose as diagnosis
from autograder.diagnose import TestedCalls, diagnose, misconception
from autograder.errors import StudentRaised
from autograder.student import LOST, TOO_LARGE, Call, Part
from autograder.wire import Handle


@pytest.fixture(autouse=True)
def only_these(monkeypatch):
    monkeypatch.setattr(diagnosis, "MISCONCEPTIONS", {})

    @misconception("double")
    def adds_one(x):
        """Adds one."""
        return x + 1

    @misconception("double")
    def squares(x):
        """Squares."""
        return x**2

    @misconception("double")
    def refuses_zeros(x):
        """Refuses."""
        if np.any(x == 0):
            raise ValueError("no zeros")
        return x * 2

    @misconception("back")
    def back_forgets(dout, cache):
        """Forgets."""
        return dout


REFERENCES = {
    "double": lambda x: x * 2,
    "forward": lambda x: (x, (x,)),
    "back": lambda dout, cache: dout * cache[0],
}


def one_test(passed, *calls):
    return TestedCalls(passed, list(calls))


def call(name, argument, result=None, error=None):
    return Call(name, (np.asarray(argument, float),), {}, result, error)


def test_the_bug_is_named():
    tests = [one_test(False, call("double", [3, 5], np.array([4.0, 6.0])))]
    assert diagnose("double", tests, REFERENCES) == "adds_one"


def test_a_bug_that_nobody_foresaw_has_no_name():
    tests = [one_test(False, call("double", [3, 5], np.array([0.0, 0.0])))]
    assert diagnose("double", tests, REFERENCES) is None


def test_a_right_answer_is_no_evidence():
    """on [2] squaring and doubling agree: this test failed for another reason"""
    tests = [one_test(False, call("double", [2], np.array([4.0])))]
    assert diagnose("double", tests, REFERENCES) is None


def test_the_variant_that_explains_most_wins():
    tests = [
        one_test(False, call("double", [1, 1], np.array([1.0, 1.0]))),
        one_test(False, call("double", [3, 5], np.array([9.0, 25.0]))),
        one_test(True, call("double", [2], np.array([4.0]))),
    ]
    assert diagnose("double", tests, REFERENCES) == "squares"


def test_a_bug_in_a_dict_of_arrays_is_named():
    @misconception("grads")
    def forgets_the_bias(x):
        """Forgets."""
        return {"w": 2 * x, "b": 0 * x}

    references = {"grads": lambda x: {"w": 2 * x, "b": x}}
    x = np.array([1.0, 2.0])
    same = {"b": np.zeros(2), "w": 2 * x}  # in another order
    assert diagnose("grads", [one_test(False, Call("grads", (x,), {}, same))], references) == (
        "forgets_the_bias"
    )
    for other in ({"w": 2 * x}, {"w": x, "b": 0 * x}, {"w": 2 * x, "b": 0 * x, "c": x}, 2 * x):
        assert diagnose("grads", [one_test(False, Call("grads", (x,), {}, other))], references) is (
            None
        )


def test_rounding_does_not_hide_a_bug():
    tests = [one_test(False, call("double", [3, 5], np.array([4, 6], np.float32) * (1 + 1e-7)))]
    assert diagnose("double", tests, REFERENCES) == "adds_one"


def test_an_exception_counts_only_where_everything_fits():
    error = StudentRaised("double", "ValueError", "other words")
    right = call("double", [1], np.array([2.0]))
    tests = [one_test(False, call("double", [0], error=error)), one_test(True, right)]
    assert diagnose("double", tests, REFERENCES) == "refuses_zeros"
    tests.append(one_test(False, call("double", [1], np.array([7.0]))))
    assert diagnose("double", tests, REFERENCES) is None


def test_a_backward_pass_is_replayed_with_its_own_cache():
    forward = call("forward", [2, 3], (np.array([2.0, 3.0]), None))
    cache = Handle(1, "tuple", None, (0, (("item", 1),)))
    dout = np.array([5.0, 7.0])
    backward = Call("back", (dout, cache), {}, dout.copy())
    assert diagnose("back", [one_test(False, forward, backward)], REFERENCES) == "back_forgets"


def test_a_cache_that_came_as_a_value_is_replayed_with_the_replays_own():
    forward = call("forward", [2, 3], (np.array([2.0, 3.0]), (9, 9)))
    dout = np.array([5.0, 7.0])
    backward = Call("back", (dout, Part((0, (("item", 1),)))), {}, dout.copy())
    assert diagnose("back", [one_test(False, forward, backward)], REFERENCES) == "back_forgets"


def test_what_a_function_writes_into_an_argument_is_diagnosed():
    def count(box, step=1):
        box["n"] = box["n"] + step
        return 10 * np.ceil(box["n"] / 2)

    @misconception("count")
    def counts_by_two(box):
        """By two: the first result is right all the same."""
        return count(box, 2)

    def asked(found, then):
        """A dict is put, the function called, a look taken, and what was found goes in again."""
        box = Handle(1, "dict", None, (0, ()))
        put = Call(None, ({"n": np.zeros(1)},), {}, op="put")
        first = Call("count", (box,), {}, np.array([10.0]))
        look = Call(box, (), {}, {"n": np.array(found)}, op="get")
        again = Call("count", ({"n": Part((2, (("item", "n"),)))},), {}, np.array(then))
        return [one_test(False, put, first, look, again)]

    assert diagnose("count", asked([2.0], [20.0]), {"count": count}) == "counts_by_two"
    assert diagnose("count", asked([5.0], [20.0]), {"count": count}) is None
    assert diagnose("count", asked([2.0], [30.0]), {"count": count}) is None
    assert diagnose("count", asked([1.0], [10.0]), {"count": count}) is None  # which is right


@pytest.mark.parametrize(
    "origin", [(LOST, ()), (0, (("item", 7),)), (0, (("attr", "x"),)), (0, (("item", "x"),))]
)
def test_no_function_of_ours_is_run_on_what_only_the_students_kernel_can_make(origin):
    def back(dout, cache):
        raise SystemExit("this was run")

    forward = call("forward", [2, 3], (np.array([2.0, 3.0]), None))
    backward = Call("back", (np.ones(2), Part(origin)), {}, np.ones(2))
    references = {**REFERENCES, "back": back}
    assert diagnose("back", [one_test(False, forward, backward)], references) is None


@pytest.mark.parametrize(
    "odd",
    [None, "x", 10**4000, {"a": np.ones(2)}, [[1], 2], np.zeros((0, 2**40)), TOO_LARGE, (), 1j]
    + [np.full(2, np.nan, d) for d in ("<f2", ">f8", "<c32", "<f16")],
    ids=lambda odd: type(odd).__name__,
)
def test_odd_results_have_no_name_and_make_no_noise(odd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (
            diagnose("double", [one_test(False, call("double", [3, 5], odd))], REFERENCES) is None
        )


def test_two_misconceptions_of_one_name_are_refused():
    with pytest.raises(ValueError, match="already"):

        @misconception("double")
        def adds_one(x):
            return x


class Line:
    """A class that is a question: params, and a method."""

    def __init__(self, size):
        self.params = {"w": np.random.random(size)}

    def at(self, x):
        return self.params["w"] @ x + 1


def calls_of_a_line(results):
    """What a test of Line calls: make one, give it weights, and ask twice."""
    made = Handle(1, "Line", origin=(0, ()))
    method = Handle(2, "method", origin=(0, (("attr", "at"),)))
    calls = [
        Call("Line", (2,), {}, made),
        Call(made, ({"w": np.array([2.0, 3.0])},), {}, assigned="params"),
    ]
    for x, result in zip(([1.0, 0.0], [1.0, 1.0]), results, strict=True):
        calls.append(Call(method, (np.array(x),), {}, result))
    return calls


@pytest.mark.parametrize(
    "results, name", [((2.0, 5.0), "forgets_the_bias"), ((3.0, 6.0), None), ((7.0, 7.0), None)]
)
def test_the_bug_of_a_class_is_named(results, name):
    @misconception("Line")
    class forgets_the_bias(Line):
        """Forgets."""

        def at(self, x):
            return super().at(x) - 1

    tests = [one_test(results == (3.0, 6.0), *calls_of_a_line(results))]
    assert diagnose("Line", tests, {"Line": Line}) == name
    assert diagnosis.hint(forgets_the_bias) == "Forgets."
