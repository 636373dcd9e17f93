"""Comparisons whose failures teach.

Values come from a student, so they may be anything; expected values come from a reference. A
message tells what kind of thing came back, its shape, how far off it is and in what pattern. It
never holds an expected value or an input: the same message must not help to guess the answer.
"""

from __future__ import annotations

import math
import numbers

import numpy as np

from .errors import WrongAnswer
from .wire import Handle, Tensor

# what a float of that precision can be asked for, however the sums were ordered: (rtol, atol)
_LOOSEST = {2: (1e-2, 1e-2), 4: (1e-4, 1e-5)}
_HALF = {"bfloat16": 3e-2}
_MAX_NESTING = 16
ENTRIES = 100_000  # of nested lists, beyond those that a right answer has


def assert_close(actual, expected, *, rtol=1e-6, atol=1e-8, name="the result"):
    """Raise WrongAnswer unless ``actual`` is ``expected`` up to rounding.

    An entry may be off by ``rtol`` times its own size plus ``atol`` times the size of the largest
    entry: sums of numbers that cancel are only as exact as their largest terms. Results in single
    or half precision are given the room that they need. A tensor counts as the array of its
    numbers: whether it has to be one, ``tensor`` asks.
    """
    if isinstance(actual, Tensor):
        if actual.dtype in _HALF:  # its numbers came in single precision, and are as rough as half
            rtol, atol = max(rtol, _HALF[actual.dtype]), max(atol, _HALF[actual.dtype])
        actual = actual.array
    expected = np.asarray(expected.array if isinstance(expected, Tensor) else expected)
    most = 4 * expected.size + ENTRIES
    actual = _as_array(_fetched(actual, name, most), name, most)
    if actual.dtype.kind == "f" and actual.dtype.itemsize in _LOOSEST:
        least_rtol, least_atol = _LOOSEST[actual.dtype.itemsize]
        rtol, atol = max(rtol, least_rtol), max(atol, least_atol)
    if actual.shape != expected.shape:
        raise WrongAnswer(_about_the_shape(actual.shape, expected.shape, name))
    whole_numbers = actual.dtype.kind in "iu"
    with np.errstate(all="ignore"):
        actual, expected = actual.astype(np.float64), expected.astype(np.float64)
        wrong = _differs(actual, expected, rtol, atol)
        if not wrong.any():
            return
        _check_finite(actual, expected, name)
        message = [_about_the_size(actual, expected, wrong, name)]
        hint = _about_the_pattern(actual, expected, wrong, rtol, atol, whole_numbers)
    raise WrongAnswer(" ".join(message + ([hint] if hint else [])))


def assert_equal_int(actual, expected, *, name="the result"):
    """Raise WrongAnswer unless ``actual`` is the integer ``expected``; 32.0 counts as 32."""
    actual = _as_integer(actual, name)
    if actual != expected:
        raise WrongAnswer(f"{name} is too {'large' if actual > expected else 'small'}.")


def assert_equal_ints(actual, expected, *, name="the result"):
    """Raise WrongAnswer unless ``actual`` is a tuple (or list, or array) of these integers."""
    expected, actual = tuple(expected), _fetched(actual, name, ENTRIES)
    is_row = isinstance(actual, np.ndarray) and actual.ndim == 1
    if not (is_row or isinstance(actual, (tuple, list))):
        raise WrongAnswer(
            f"{name} should be a tuple of {len(expected)} integers, but is {describe(actual)}."
        )
    if len(actual) != len(expected):
        raise WrongAnswer(f"{name} should have {len(expected)} numbers, but has {len(actual)}.")
    parts = [_as_integer(part, f"number {i} of {name}") for i, part in enumerate(actual, start=1)]
    if tuple(parts) == expected:
        return
    if sorted(parts) == sorted(expected):
        raise WrongAnswer(f"{name} has the right numbers in the wrong order.")
    wrong = [str(i) for i, (a, e) in enumerate(zip(parts, expected, strict=True), 1) if a != e]
    raise WrongAnswer(f"{name} is wrong in its number {' and '.join(wrong)}.")


def tensor(came, name="the result") -> np.ndarray:
    """The numbers of a tensor that a student returned; WrongAnswer for anything else."""
    if isinstance(came, Tensor):
        return came.array
    if came is None:
        raise WrongAnswer(f"{name} is None. Is there a return at the end, with a value?")
    hint = ""
    if isinstance(came, (np.ndarray, np.generic)):
        hint = " Is there a .numpy() too many?"
    elif isinstance(came, (bool, int, float)):
        hint = " Is there an .item() too many?"
    raise WrongAnswer(f"{name} should be a tensor, but is {describe(came)}.{hint}")


def unpack(value, *names):
    """The parts of a returned tuple or list, which has to have exactly these parts."""
    wanted = f"the {_COUNTED.get(len(names), 'tuple')} ({', '.join(names)})"
    if not isinstance(value, (tuple, list)):
        hint = " Is there a return?" if value is None else ""
        raise WrongAnswer(
            f"the function should return {wanted}, but returned {describe(value)}.{hint}"
        )
    if len(value) != len(names):
        few_or_many = "only " if 0 < len(value) < len(names) else ""
        raise WrongAnswer(
            f"the function should return {wanted}, but returned {few_or_many}"
            f"{_count(len(value), 'value')}."
        )
    return tuple(value)


_COUNTED = {2: "pair", 3: "triple"}


def describe(value) -> str:
    """What kind of thing a value is, in a few words: "one array of shape (2, 3)"."""
    if value is None:
        return "None"
    if isinstance(value, Tensor):
        return f"one tensor of shape {value.shape}"
    if isinstance(value, np.ndarray):
        return f"one array of shape {value.shape}"
    if isinstance(value, (bool, np.bool_)):
        return "one truth value"
    if isinstance(value, numbers.Real):
        return "one number"
    if isinstance(value, numbers.Complex):
        return "one complex number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, (tuple, list)):
        return f"a {'tuple' if isinstance(value, tuple) else 'list'} of {len(value)}"
    kind = str(getattr(value, "type_name", type(value).__name__))
    return _KINDS.get(kind, f"an object of type {kind[:60]}")


# What stays in the kernel, in words that say what to look for.
_LAZY = "{}, which has computed nothing yet (make a list or an array from it)"
_KINDS = {
    "int": "an integer of more than 64 bits",
    "str": "a long text",
    "complex": "one complex number",
    "dict": "a dict",
    "set": "a set",
    "type": "a class (are the brackets of a call missing?)",
    "function": "a function (are the brackets of a call missing?)",
    "generator": _LAZY.format("a generator (from a yield, or from brackets around a for)"),
    **{name: _LAZY.format(f"a {name} object") for name in ("map", "zip", "filter", "range")},
    "ndarray": (
        "an array of something else than numbers (look at its dtype: an array that is made from "
        "None, text, or rows of different lengths has the dtype object)"
    ),
}


def _fetched(value, name: str, most: int):
    """The value itself where nested lists stayed in the kernel, whole or row by row."""
    if _is_list_elsewhere(value):
        return value.owner.get(value)
    if not (isinstance(value, (list, tuple)) and any(map(_is_list_elsewhere, value))):
        return value
    rows, entries = [], 0
    for row in value:
        rows.append(row.owner.get(row) if _is_list_elsewhere(row) else row)
        entries += _entries(rows[-1])
        _check_entries(entries, most, name)
    return rows


def _is_list_elsewhere(value) -> bool:
    return isinstance(value, Handle) and value.type_name in ("list", "tuple")


def _check_entries(entries: int, most: int, name: str) -> None:
    if entries > most:  # an array of them could need far more memory than they do
        raise WrongAnswer(f"{name} has more than {most} entries, far more than the right answer.")


def _as_array(actual, name: str, most: int) -> np.ndarray:
    """The value as a plain array of real numbers, or WrongAnswer."""
    if actual is None:
        raise WrongAnswer(f"{name} is None. Is there a return at the end, with a value?")
    if not _is_numeric(actual):
        raise WrongAnswer(
            f"{name} should be {_ARRAY_OR_NUMBER}, but is {describe(actual)}."
            + (
                " It holds something else than numbers."
                if isinstance(actual, (list, tuple))
                else ""
            )
        )
    if isinstance(actual, (list, tuple)):
        _check_entries(_entries(actual), most, name)
    try:
        # of a subclass, its plain data: nothing that the student wrote is called from here on
        array = np.asarray(actual)
    except Exception:  # rows of different lengths, and whatever else NumPy refuses
        raise WrongAnswer(
            f"{name} should be {_ARRAY_OR_NUMBER}, but is {describe(actual)} that has no array "
            "form: are its rows of different lengths?"
        ) from None
    if array.dtype.kind in "iuf":
        return array
    if array.dtype.kind == "b":
        raise WrongAnswer(f"{name} holds truth values (dtype bool) where numbers are wanted.")
    if array.dtype.kind == "c":
        raise WrongAnswer(f"{name} holds complex numbers; real ones are wanted.")
    if array.dtype.kind == "O":
        raise WrongAnswer(
            f"{name} is an array of Python objects (dtype object), not of numbers, "
            "or has integers that are too large for an array."
        )
    raise WrongAnswer(f"{name} has the dtype {array.dtype.name}, where numbers are wanted.")


_ARRAY_OR_NUMBER = "an array or a number"


def _is_numeric(value, depth: int = 0) -> bool:
    if isinstance(value, (np.ndarray, np.generic, bool, int, float, complex)):
        return True
    if isinstance(value, (list, tuple)) and depth < _MAX_NESTING:
        return all(_is_numeric(part, depth + 1) for part in value)
    return False


def _entries(value) -> int:
    """How many numbers there are in nested lists of numbers and arrays."""
    if isinstance(value, (list, tuple)):
        return sum(map(_entries, value))
    return np.size(value)


def _as_integer(actual, name: str) -> int:
    if isinstance(actual, np.ndarray) and actual.ndim == 0:
        actual = np.asarray(actual)[()]
    if actual is None:
        raise WrongAnswer(f"{name} is None. Is there a return at the end, with a value?")
    if isinstance(actual, (bool, np.bool_)) or not isinstance(
        actual, (int, float, np.integer, np.floating)
    ):
        raise WrongAnswer(f"{name} should be an integer, but is {describe(actual)}.")
    if isinstance(actual, (int, np.integer)):
        return int(actual)
    if not math.isfinite(actual):
        raise WrongAnswer(f"{name} should be an integer, but is not even finite.")
    if actual != math.floor(actual):
        raise WrongAnswer(f"{name} should be an integer, but has a fractional part.")
    return int(actual)


def _about_the_shape(actual: tuple, expected: tuple, name: str) -> str:
    message = f"{name} has the shape {actual}, but should have {expected}."
    if actual == () or expected == ():
        hint = "One is a single number, the other an array."
    elif 0 in actual and 0 not in expected:
        hint = (
            "It is empty: is there a slice whose end comes before its start, "
            "such as [p:-p] with p = 0?"
        )
    elif [n for n in actual if n != 1] == [n for n in expected if n != 1]:
        extra = len(actual) - len(expected)
        axes = "It differs by an axis of length 1 that is"
        hint = f"{axes} {'too many' if extra > 0 else 'missing' if extra < 0 else 'misplaced'}."
    elif sorted(actual) == sorted(expected):
        hint = "The same lengths, in another order: are two axes swapped?"
    elif math.prod(actual) == math.prod(expected):
        hint = "The number of entries is right: is it only a matter of reshape?"
    elif len(actual) == len(expected):
        axes = [i for i, (a, e) in enumerate(zip(actual, expected, strict=True)) if a != e]
        plural = "axes" if len(axes) > 1 else "axis"
        hint = f"Look at {plural} {' and '.join(map(str, axes))}, counted from 0."
    else:
        hint = f"It has {_count(len(actual), 'axis', 'axes')} instead of {len(expected)}."
    return f"{message} {hint}"


def _differs(actual, expected, rtol: float, atol: float) -> np.ndarray:
    """Which entries are wrong; infinities and NaN have to be the same."""
    scale = _scale(expected)
    finite = np.isfinite(actual) & np.isfinite(expected)
    close = np.abs(actual - expected) <= rtol * np.abs(expected) + atol * scale
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    return ~np.where(finite, close, same)


def _scale(expected) -> float:
    finite = np.abs(expected[np.isfinite(expected)])
    largest = float(finite.max()) if finite.size else 0.0
    return largest or 1.0  # next to nothing but zeros, tolerances are absolute


def _check_finite(actual, expected, name: str) -> None:
    for what, is_it, cause in (
        ("NaN", np.isnan, "0/0, inf - inf, or memory from np.empty that was never written?"),
        ("infinite", np.isinf, "a division by 0, an overflow?"),
    ):
        unexpected = is_it(actual) & ~is_it(expected)
        if unexpected.any():
            share = _share(int(unexpected.sum()), unexpected.size)
            raise WrongAnswer(f"{name} is {what} in {share}: {cause}")


def _about_the_size(actual, expected, wrong, name: str) -> str:
    count = int(wrong.sum())
    if wrong.ndim == 0:
        message = f"{name} is not right"
    else:
        message = f"{name} has the right shape, but {_share(count, wrong.size)} differ"
        message += "s" if count == 1 < wrong.size else ""
    errors = np.abs(actual - expected)[wrong & np.isfinite(actual) & np.isfinite(expected)]
    if not errors.size:
        return message + "."
    ratio = _in_words(float(errors.max()) / _scale(expected))
    if wrong.ndim == 0:
        return f"{message}: it is off by {ratio} its size."
    return f"{message}, by up to {ratio} the largest right entry."


def _in_words(ratio: float) -> str:
    for limit, words in (
        (1e-4, "less than a ten-thousandth of"),
        (0.01, "less than a hundredth of"),
        (0.1, "a few hundredths of"),
        (0.35, "a few tenths of"),
        (0.75, "about half of"),
        (1.5, "about"),
        (5, "a few times"),
        (100, "many times"),
    ):
        if ratio < limit:
            return words
    return "hundreds of times" if ratio < 1000 else "more than a thousand times"


def _share(count: int, size: int) -> str:
    if size == 1:
        return "its only entry"
    if count == size:
        return f"all of its {size} entries"
    percent = 100 * count / size
    rounded = "less than 1%" if percent < 1 else f"{min(round(percent), 99)}%"
    return f"{count} of its {size} entries ({rounded})"


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _about_the_pattern(actual, expected, wrong, rtol, atol, whole_numbers: bool) -> str:
    """One sentence about what kind of wrong it is, or nothing."""

    def is_right(candidate):
        return (
            candidate.shape == expected.shape
            and not _differs(candidate, expected, rtol, atol).any()
        )

    if not (np.isfinite(actual).all() and np.isfinite(expected).all()):
        return ""
    if not actual.any():
        return "It is all zeros." if actual.ndim else "It is zero."
    if whole_numbers and (expected != np.round(expected)).any():
        return "It holds integers: is the array that you fill made with an integer dtype?"
    if is_right(-actual):
        return "It is exactly the negative of the right answer."
    if actual.size == 1:  # any two numbers differ by a factor, so that would say nothing
        return ""
    factor = float(np.vdot(expected, actual) / (np.vdot(expected, expected) or 1.0))
    if factor and is_right(actual / factor):
        return f"It is the right answer times a constant factor of about {factor:.2g}."
    if is_right(actual - np.mean(actual - expected)):
        return "Every entry is off by the same amount."
    if np.ptp(actual) == 0:
        return "All of its entries are the same number."
    return _about_the_places(actual, expected, wrong, is_right)


def _about_the_places(actual, expected, wrong, is_right) -> str:
    if actual.ndim >= 2:
        if is_right(np.swapaxes(actual, -1, -2)):
            return "It is right after swapping its last two axes."
        if is_right(actual[..., ::-1, ::-1]):
            return "It is right after flipping its last two axes."
        inner = wrong[..., 1:-1, 1:-1]
        if inner.size and not inner.any():
            return "Only entries at the border (of the last two axes) differ."
    if _is_right_in_another_order(actual, expected, is_right):
        return "It has the right numbers in the wrong places."
    for axis in range(actual.ndim):
        entries = wrong.swapaxes(0, axis).reshape(wrong.shape[axis], -1).any(axis=1)
        if len(entries) > 1 and not entries[0] and entries[1:].all():
            return f"Only the first entry along axis {axis} (counted from 0) is right."
    return ""


def _is_right_in_another_order(actual, expected, is_right) -> bool:
    order = np.argsort(expected, axis=None)
    rearranged = np.empty(expected.size)
    rearranged[order] = np.sort(actual, axis=None)
    return is_right(rearranged.reshape(expected.shape))
