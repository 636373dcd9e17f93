"""Comparisons accept what is right, refuse the rest with a helpful message, and never crash."""

import re
import tracemalloc
import warnings
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.compare import assert_close, assert_equal_int, assert_equal_ints, describe, unpack
from autograder.errors import WrongAnswer
from autograder.wire import Handle

RIGHT = np.random.default_rng(0).standard_normal((2, 3, 4, 5))


class Opaque:
    """As a Handle: something that stayed in the kernel."""

    type_name = "Tensor"

    def __array__(self, *args, **kwargs):
        raise SystemExit("nothing of the student's may be called")


def message(check, *args, **options) -> str:
    with pytest.raises(WrongAnswer) as error:
        check(*args, **options)
    return str(error.value)


@pytest.mark.parametrize(
    "actual, expected",
    [
        (RIGHT, RIGHT),
        (RIGHT.copy(order="F"), RIGHT),
        (RIGHT.tolist(), RIGHT),
        (tuple(RIGHT), RIGHT),
        (RIGHT * (1 + 1e-9), RIGHT),
        (RIGHT.astype(np.float32), RIGHT),
        (1e9 * RIGHT.astype(np.float32), 1e9 * RIGHT),
        ((RIGHT + 1e-5).astype(np.float16), RIGHT),
        (RIGHT.astype(np.longdouble), RIGHT),
        (RIGHT[0, 0].view(np.matrix), RIGHT[0, 0]),
        (np.ma.masked_array(RIGHT), RIGHT),
        (np.arange(6), np.arange(6.0)),
        (np.arange(6, dtype=np.uint8), np.arange(6)),
        (3, 3.0),
        (np.float32(0.1), 0.1),
        (np.array(0.5), 0.5),
        ([], np.zeros(0)),
        (np.array([1, np.nan, np.inf, -np.inf]), np.array([1, np.nan, np.inf, -np.inf])),
        (np.zeros(3) + 1e-12, np.zeros(3)),
    ],
)
def test_accepts_what_is_right(actual, expected):
    assert_close(actual, expected)


def test_accepts_sums_in_another_order():
    rng = np.random.default_rng(1)
    terms = rng.standard_normal((50, 20_000)) * 10.0 ** rng.integers(-3, 4, (50, 20_000))
    assert_close(terms[:, ::-1].cumsum(axis=1)[:, -1], terms.sum(axis=1))
    single = terms.astype(np.float32)
    assert_close(single.sum(axis=1), terms.sum(axis=1))


def test_small_gradients_are_not_excused():
    tiny = 1e-12 * RIGHT
    assert "all zeros" in message(assert_close, np.zeros_like(tiny), tiny)


def test_tolerance_can_be_wider():
    assert "hundredth" in message(assert_close, RIGHT * 1.001, RIGHT)
    assert_close(RIGHT * 1.001, RIGHT, rtol=0.01)


FLIPPED = RIGHT[..., ::-1, ::-1]
SQUARE = RIGHT[..., :4]


def changed(where, by=0.5, array=RIGHT):
    result = array.copy()
    result[where] += by * (1 + np.arange(result[where].size).reshape(result[where].shape))
    return result


BORDER = np.ones(RIGHT.shape, bool)
BORDER[..., 1:-1, 1:-1] = False


@pytest.mark.parametrize(
    "actual, expected, words",
    [
        (None, RIGHT, "is None. Is there a return"),
        ("hello", RIGHT, "but is text"),
        (Opaque(), RIGHT, "an object of type Tensor"),
        ([Opaque()], RIGHT, "something else than numbers"),
        ({"a": 1}, RIGHT, "a dict"),
        (RIGHT + 1j, RIGHT, "complex"),
        (RIGHT > 0, RIGHT, "truth values"),
        (True, 1.0, "truth values"),
        (RIGHT.astype(object), RIGHT, "dtype object"),
        (np.array(["1.0"]), np.ones(1), "dtype str"),
        (np.array(["2020-01-01"], "M8[D]"), np.ones(1), "dtype datetime64"),
        ([[1, 2], [3]], np.ones((2, 2)), "different lengths"),
        (10**400, 1.0, "too large"),
        (RIGHT[0], RIGHT, "(3, 4, 5), but should have (2, 3, 4, 5)"),
        (RIGHT[None], RIGHT, "an axis of length 1 that is too many"),
        (RIGHT[:1, 0], RIGHT[:1, :1], "an axis of length 1 that is missing"),
        (RIGHT.swapaxes(2, 3), RIGHT, "are two axes swapped"),
        (RIGHT.reshape(6, 20), RIGHT, "matter of reshape"),
        (RIGHT[..., :0, :0], RIGHT, "It is empty"),
        (RIGHT[..., :3, :3], RIGHT, "Look at axes 2 and 3"),
        (RIGHT[:, :2], RIGHT, "Look at axis 1,"),
        (1.0, RIGHT, "a single number"),
        (RIGHT, 1.0, "a single number"),
        (RIGHT * np.nan, RIGHT, "is NaN in all of its 120 entries"),
        (
            changed((0, 0, 0, 0), np.inf),
            RIGHT,
            "is infinite in 1 of its 120 entries (less than 1%)",
        ),
        (np.zeros_like(RIGHT), RIGHT, "all of its 120 entries differ"),
        (np.zeros_like(RIGHT), RIGHT, "It is all zeros"),
        (np.zeros(()), 1.5, "It is zero"),
        (-RIGHT, RIGHT, "exactly the negative"),
        (2 * RIGHT, RIGHT, "constant factor of about 2."),
        (RIGHT / 20, RIGHT, "constant factor of about 0.05."),
        (RIGHT + 1, RIGHT, "off by the same amount"),
        (np.ones_like(RIGHT), RIGHT, "the same number"),
        (SQUARE.swapaxes(2, 3), SQUARE, "after swapping its last two axes"),
        (FLIPPED, RIGHT, "after flipping its last two axes"),
        (RIGHT[::-1], RIGHT, "right numbers in the wrong places"),
        (changed(BORDER), RIGHT, "at the border"),
        (changed((slice(1, None),)), RIGHT, "first entry along axis 0"),
        (changed((slice(None), slice(1, None))), RIGHT, "first entry along axis 1"),
        (RIGHT.astype(int) + 1, RIGHT, "integer dtype"),
        (changed((1, 2, 1, 1)), RIGHT, "1 of its 120 entries (less than 1%) differs"),
        (1.5, 1.0, "off by about half of its size"),
        (1e6, 1.0, "more than a thousand times"),
    ],
)
def test_says_what_is_wrong(actual, expected, words):
    assert words in message(assert_close, actual, expected)


def test_a_subclass_cannot_decide_for_itself():
    class Agreeable(np.ndarray):
        def __array_ufunc__(self, *args, **kwargs):
            return np.True_

        def __eq__(self, other):
            return True

        def __array_finalize__(self, other):
            pass

    assert "all zeros" in message(assert_close, np.zeros_like(RIGHT).view(Agreeable), RIGHT)
    assert "shape" in message(assert_close, np.zeros((2, 3, 1, 5)).view(Agreeable), RIGHT)


ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(10**399, 10**400),
        st.floats(),
        st.complex_numbers(),
        st.text(max_size=3),
        st.binary(max_size=3),
        st.builds(Opaque),
        st.sampled_from(
            [np.zeros((2, 2)), np.array(np.nan), np.array([None, 1]), np.float16(7), np.array("")]
        ),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner),
    max_leaves=5,
)


@settings(max_examples=300)
@given(ANYTHING)
def test_never_crashes_whatever_comes(value):
    for check, expected in (
        (assert_close, RIGHT),
        (assert_close, np.ones((2, 2))),
        (assert_close, 2.5),
        (assert_equal_int, 10**6 + 7),
        (assert_equal_ints, (10**6 + 7, 3)),
    ):
        with pytest.raises(WrongAnswer):
            check(value, expected)
    with suppress(WrongAnswer):
        unpack(value, "out", "cache")
    assert describe(value)


def test_a_list_that_holds_itself_is_refused():
    endless = []
    endless.append(endless)
    message(assert_close, endless, RIGHT)


@pytest.mark.filterwarnings("error")
@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 1e-300, 1e300]))
def test_messages_hold_no_values(seed, size):
    rng = np.random.default_rng(seed)
    expected = size * rng.uniform(1, 10, (3, 4))
    text = message(assert_close, rng.uniform(-9, 9, (3, 4)), expected, name="dx")
    assert text.startswith("dx ")
    # the only numbers are counts, shares, and axes
    assert not re.search(r"\d\.\d", text)


def test_integers():
    for right in (32, np.int64(32), np.uint8(32), np.array(32), 32.0, np.float32(32)):
        assert_equal_int(right, 32)
    for wrong, words in (
        (31, "too small"),
        (10**5000, "too large"),
        (True, "truth value"),
        (32.5, "fractional part"),
        (np.nan, "finite"),
        (None, "return"),
        ("32", "text"),
        ([32], "a list of 1"),
        (np.array([32]), "one array of shape (1,)"),
        (Opaque(), "Tensor"),
    ):
        text = message(assert_equal_int, wrong, 32, name="the size")
        assert words in text
        assert "32" not in text


def test_tuples_of_integers():
    for right in ((10, 32, 30), [10, 32, 30], np.array([10, 32, 30]), (10.0, np.int64(32), 30)):
        assert_equal_ints(right, (10, 32, 30))
    for wrong, words in (
        ((32, 30, 10), "wrong order"),
        ((10, 32, 31), "its number 3"),
        ((10, 31, 31), "its number 2 and 3"),
        ((10, 32), "should have 3 numbers, but has 2"),
        (10, "tuple of 3 integers, but is one number"),
        (None, "but is None"),
        ((10, 32, None), "number 3 of the shape is None"),
        (np.ones((3, 1)), "one array of shape (3, 1)"),
    ):
        assert words in message(assert_equal_ints, wrong, (10, 32, 30), name="the shape")


def test_unpack():
    cache = Opaque()
    assert unpack((RIGHT, cache), "out", "cache") == (RIGHT, cache)
    assert unpack([1, 2, 3], "dx", "dw", "db") == (1, 2, 3)
    pair = "should return the pair (out, cache), but returned "
    for wrong, words in (
        (None, "None. Is there a return?"),
        (RIGHT, "one array of shape (2, 3, 4, 5)."),
        (1.5, "one number."),
        (Opaque(), "an object of type Tensor."),
        ((RIGHT,), "only 1 value."),
        ((RIGHT, 1, 2), "3 values."),
        ({"out": 1, "cache": 2}, "a dict."),
    ):
        assert pair + words in message(unpack, wrong, "out", "cache")


# -- what a hostile kernel may send ---------------------------------------------------------------


class Owner:
    """Asked for a list that stayed in the kernel."""

    def __init__(self, value):
        self.value, self.asked = value, 0

    def get(self, handle):
        self.asked += 1
        return self.value


def elsewhere(value, type_name="list"):
    return Handle(1, type_name, Owner(value), (0, ()))


def test_nested_lists_that_stayed_in_the_kernel_are_the_numbers_that_they_hold():
    assert_close(elsewhere(RIGHT.tolist()), RIGHT)
    assert_close([elsewhere(part.tolist()) for part in RIGHT], RIGHT)
    assert_close((RIGHT[0], elsewhere(list(RIGHT[1]), "tuple")), RIGHT)
    assert_equal_ints(elsewhere([1, np.int64(2)]), (1, 2))
    assert "negative" in message(assert_close, elsewhere((-RIGHT).tolist()), RIGHT)


def test_lists_that_hold_themselves_in_the_kernel_are_fetched_once():
    endless = elsewhere(None)
    endless.owner.value = [endless]
    assert "list" in message(assert_close, endless, RIGHT)
    assert endless.owner.asked == 1


def test_rows_without_end_are_not_fetched():
    row = elsewhere(np.zeros(50_000))
    assert "entries" in message(assert_close, [row] * 1000, RIGHT)
    assert row.owner.asked < 10


def test_lists_that_would_make_a_large_array_are_not_made_into_one():
    rows = [np.zeros(100_000, bool) for _ in range(50)] + [np.zeros(100_000, np.clongdouble)]
    tracemalloc.start()
    try:
        assert "entries" in message(assert_close, rows, RIGHT)
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
        large = np.zeros(5_000_000, np.int8)
        tracemalloc.reset_peak()
        assert "3 numbers" in message(assert_equal_ints, large, (1, 2, 3))
        assert tracemalloc.get_traced_memory()[1] < large.nbytes + (10 << 20)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "actual, words",
    [
        (elsewhere(None, "int"), "more than 64 bits"),
        (elsewhere(None, "ndarray"), "dtype object"),
        (elsewhere(None, "generator"), "generator"),
        (elsewhere(None, "function"), "brackets"),
        (elsewhere(None, "x" * 1000), "of type xxx"),
        (3 + 0j, "complex number"),
        (np.complex64(3), "complex number"),
    ],
)
def test_what_kind_of_thing_came_back_is_said(actual, words):
    told = message(assert_equal_int, actual, 3)
    assert words in told and len(told) < 300


@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f16", "<c32", "|b1", ">i8", "<u8", "|i1"])
@pytest.mark.parametrize("fill", [np.nan, np.inf, 0, 1, 1e300])
def test_every_dtype_filled_with_anything_is_judged(dtype, fill):
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        actual = np.full(RIGHT.shape, fill).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert message(assert_close, actual, RIGHT)
        message(assert_equal_int, actual.ravel()[0], 3)
        message(assert_equal_ints, actual.ravel()[:3], (3, 4, 5))
