"""The proxy: values, handles, and errors in a learner's words."""

import time

import numpy as np
import pytest

from autograder.compare import assert_close
from autograder.errors import GivenUp, NotDefined, StudentRaised, TimedOut, UnreadableResult
from autograder.kernel import Kernel
from autograder.limits import Limits
from autograder.student import TOO_LARGE, Part, Session, Student
from autograder.wire import Handle

CODE = """
import numpy as np
class Net:
    def __init__(self, scale): self.params = {"W": np.ones(2) * scale}
    def loss(self, X): return float((X * self.params["W"]).sum())
def pair(x): return x + 1, (x, {"pad": 1})
def use(dout, cache): return dout * cache[0]
def make(scale): return Net(scale)
def shape(x): return (x.shape, 3)
def double_in_place(x):
    x *= 2
    return x
def old(x): return np.product(x)
def later(): raise NotImplementedError()
def sizes(box): return len(box)
def hang():
    while True: pass
def odd(): return [np.float32(1.5), np.True_, None, "text", 2**80, {1: 2}, object()]
"""


@pytest.fixture(scope="module")
def session():
    with Kernel(Limits(test_seconds=1.0, stops=1)) as kernel:
        kernel.run_cell(CODE, 10)
        running = Session(kernel, lambda calm=False: kernel.restart())
        yield running


@pytest.fixture
def student(session):
    session.begin_test()
    return Student(session)


def test_arrays_come_as_values_and_a_cache_as_a_handle(student):
    out, cache = student.pair(np.arange(3.0))
    np.testing.assert_array_equal(out, [1, 2, 3])
    assert isinstance(cache, Handle) and cache.type_name == "tuple"


def test_a_handle_goes_back_and_can_be_looked_into(student):
    x = np.arange(3.0)
    _, cache = student.pair(x)
    np.testing.assert_array_equal(student.use(np.full(3, 2.0), cache), 2 * x)
    np.testing.assert_array_equal(cache[0], x)
    assert len(cache) == 2 and cache[1]["pad"] == 1


def test_an_object_stays_in_the_kernel_and_its_methods_can_be_called(student):
    net = student.make(3.0)
    assert net.loss(np.ones(2)) == 6.0
    np.testing.assert_array_equal(net.params["W"], [3, 3])


def test_an_attribute_of_an_object_in_the_kernel_can_be_assigned(student, session):
    net = student.make(3.0)
    net.params["W"][:] = 9  # of a copy
    assert net.loss(np.ones(2)) == 6.0
    net.params = {"W": np.array([1.0, 4.0])}
    assert net.loss(np.ones(2)) == 5.0
    assigned = session.calls[-2]
    assert assigned.assigned == "params" and assigned.target is net
    net.params = {"W": student.make(1.0).params["W"]}
    assert net.loss(np.ones(2)) == 2.0


def test_a_method_is_called_by_its_name(student, session):
    net = student.Net(2.0)
    net.loss(np.ones(2))
    assert [call.name for call in session.calls] == ["Net", "Net.loss"]
    with pytest.raises(StudentRaised, match=r"Net\.loss"):
        net.loss("not an array")


def test_a_shape_is_a_value_wherever_it_stands(student):
    assert student.shape(np.zeros((2, 5))) == ((2, 5), 3)


def test_every_call_gets_fresh_copies_and_put_shows_what_was_changed(student):
    x = np.ones(2)
    student.double_in_place(x)
    np.testing.assert_array_equal(x, 1)
    kept = student.put(x)
    student.double_in_place(kept)
    np.testing.assert_array_equal(student.get(kept), 2)


def test_a_look_at_what_was_put_is_remembered_and_can_be_sent_back(student, session):
    kept = student.put({"x": np.ones(2)})
    found = student.get(kept)
    student.double_in_place(found["x"])  # a copy, as everything that a test sends
    np.testing.assert_array_equal(student.get(kept)["x"], 1)
    put, look, call, _ = session.calls
    assert (put.op, look.op, call.op) == ("put", "get", "call")
    np.testing.assert_array_equal(look.result["x"], 1)
    assert call.args[0].origin == (1, (("item", "x"),))


def test_odd_values_arrive_as_themselves_or_as_handles(student):
    number, truth, nothing, text, huge, mapping, thing = student.odd()
    assert number == np.float32(1.5) and isinstance(number, np.float32)
    assert truth == np.True_ and nothing is None and text == "text"
    assert {huge.type_name, mapping.type_name, thing.type_name} == {"int", "dict", "object"}


def test_a_name_that_does_not_exist_is_explained(student, session):
    session.why_undefined["missing"] = "Its cell stopped with SyntaxError."
    with pytest.raises(NotDefined, match="Its cell stopped with SyntaxError"):
        student.missing(1)


def test_an_exception_brings_its_line_and_advice(student):
    with pytest.raises(StudentRaised, match=r"NumPy 2 removed np\.product: write np\.prod"):
        student.old(np.ones(3))
    with pytest.raises(StudentRaised, match="NotImplementedError") as caught:
        student.later()
    assert caught.value.ename == "NotImplementedError"


def test_what_hangs_is_stopped_and_not_tried_again(student, session):
    with pytest.raises(TimedOut):
        student.hang()
    session.begin_test()
    with pytest.raises(GivenUp, match="hung or crashed"):
        student.hang()
    session.kernel.run_cell(CODE, 10)
    assert student.shape(np.zeros(1)) == ((1,), 3)


def test_a_kernel_that_speaks_nonsense_is_the_students_error(session):
    broken = """
kernel = get_ipython().kernel
def answer(frames): return [b"\\x00 not json"]
kernel._answer = answer
"""
    session.kernel.run_cell(broken, 5)
    with pytest.raises(UnreadableResult):
        Student(session).shape(np.zeros(1))
    session.kernel.run_cell("del kernel._answer", 5)


def test_a_kernel_that_forges_a_message_wins_a_value_at_most(session):
    """the bridge can be replaced: it then returns what the student likes, and no score"""
    forged = """
import json
full = {"t": "dict", "v": [["value", 1e9], ["score", 100]]}
def answer(frames): return [json.dumps(full).encode()]
kernel._answer = answer
"""
    session.kernel.run_cell(forged, 5)
    session.calls = []
    with pytest.raises(UnreadableResult):
        Student(session).shape(np.zeros(1))
    session.kernel.run_cell("del kernel._answer", 5)


# -- a bridge that was replaced ---------------------------------------------------------------


@pytest.fixture
def replaced(session):
    """Let the kernel answer each call of this sort with a value of our choice."""

    def replace(op, value):
        session.kernel.run_cell(
            f"""
import json
kernel = get_ipython().kernel
def answer(frames):
    asked = dict(json.loads(frames[0])["v"])
    if asked["op"] == {op!r}:
        return [json.dumps({{"t": "dict", "v": [["value", {value!r}]]}}).encode()]
    return type(kernel)._answer(kernel, frames)
kernel._answer = answer
""",
            5,
        )

    yield replace
    session.kernel.run_cell("del kernel._answer", 5)


def test_a_value_that_was_not_kept_is_the_students_error(student, replaced):
    replaced("put", 7)
    with pytest.raises(UnreadableResult, match="did not keep"):
        student.put(np.ones(2))


@pytest.mark.parametrize("length", ["x", -1, 2**62, None, True])
def test_a_length_that_is_none_is_the_students_error(student, replaced, length):
    _, cache = student.pair(np.arange(3.0))
    replaced("len", length)
    with pytest.raises(UnreadableResult, match="pair returned"):
        len(cache)


@pytest.mark.parametrize(
    "cache",
    ["x" * 20_000, 2**70, {"t": "tuple", "v": [{"t": "list", "v": [2**64]}]}],
    ids=["text", "int", "nested"],
)
def test_what_cannot_be_sent_back_does_not_arrive(student, replaced, cache):
    """a test passes it on as it came, and must not be blamed for it"""
    replaced("call", {"t": "tuple", "v": [1, cache]})
    with pytest.raises(UnreadableResult):
        student.pair(np.ones(2))


def test_what_arrives_can_be_sent_back_however_deep_it_is(student, replaced):
    deep = 1
    for _ in range(16):
        deep = {"t": "list", "v": [deep]}
    replaced("call", {"t": "tuple", "v": [1, deep["v"][0]]})
    _, cache = student.pair(np.ones(2))
    student._session.kernel.run_cell("del kernel._answer", 5)
    student._session.kept_from = 1  # as after a restart: by value, then
    assert student.sizes(cache) == 1


def test_a_function_gets_its_own_object_back(student, session):
    """whatever its class: here the test sees plain values only"""
    session.kernel.run_cell(
        """
import collections
import numpy as np
class Tagged(np.ndarray):
    pass
Cache = collections.namedtuple("Cache", "x param")
class Key(tuple):
    pass
def tagged(x):
    a = x.view(Tagged)
    a.param = 5
    key = Key((1, 2))
    key.name = "k"
    return a, Cache(x, {"pad": 1}), key, {"deep": [a]}
def own(a, cache, key, more):
    return [a.param, cache.param["pad"], key.name, more["deep"][0] is a]
""",
        5,
    )
    result = student.tagged(np.ones(3))
    assert type(result[0]) is np.ndarray
    assert student.own(*result[:3], result[3]) == [5, 1, "k", True]
    assert student.own(result[0], result[1], key=result[2], more={"deep": [result[0]]})[3]


def test_a_part_that_the_kernel_names_is_unreadable(student, replaced):
    replaced("call", {"t": "part", "call": 0, "path": []})
    with pytest.raises(UnreadableResult, match="part of another result"):
        student.pair(np.ones(2))


# -- what is remembered -----------------------------------------------------------------------


def test_what_the_student_made_is_remembered_by_its_place(student, session):
    x = np.arange(3.0)
    out, cache = student.pair(x)
    student.sizes({"a": [out, x]})
    student.sizes(student.get(cache))
    first, second, third = session.calls[-3:]
    np.testing.assert_array_equal(first.args[0], x)
    assert second.args[0]["a"][0] == Part((0, (("item", 0),)))
    np.testing.assert_array_equal(second.args[0]["a"][1], x)
    assert third.args == (Part((0, (("item", 1),))),)


def test_large_results_are_not_kept_for_the_diagnosis(student, session):
    session.kernel.run_cell("def large(): return np.zeros(1_000_000)", 5)
    assert student.large().size == 1_000_000
    assert session.calls[-1].result == TOO_LARGE


def test_lists_within_lists_come_as_handles_and_count_as_numbers(student, session):
    session.kernel.run_cell("def rows(x): return x.tolist(), (x,)", 5)
    x = np.arange(24.0).reshape(2, 3, 4)
    out, _ = student.rows(x)
    assert_close(out, x)


def test_a_kernel_that_ends_between_two_tests_is_told_of_and_begun_again():
    told = []
    with Kernel(Limits()) as kernel:
        kernel.run_cell("import os, threading; threading.Timer(0.3, os._exit, [0]).start()", 10)
        session = Session(kernel, lambda calm=False: kernel.restart(), rescued=told.append)
        time.sleep(1)
        session.begin_test()
        assert told == ["a test"]
        assert kernel.run_cell("1 + 1", 10).status == "ok"
