"""Comparisons that explain themselves: each raises CheckFailed, or returns what was asked for."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from cnnlab.checks.run import run_steps
from cnnlab.checks.steps import DIGITS, STEPS, CheckFailed, Grid
from cnnlab.checks.table import digits_apart, number
from cnnlab.gradient_check import numeric_gradient

_LARGEST_GRID = 8


def parts(result, names: Sequence[str]) -> list:
    """The ``len(names)`` values that a result should hold. A list will do for a tuple."""
    wanted = f"{len(names)} values: ({', '.join(names)})"
    if result is None:
        raise CheckFailed("None", wanted, "a missing return at the end of the function.")
    if not isinstance(result, tuple | list):
        raise CheckFailed(
            f"one {type(result).__name__}", wanted, f"return {', '.join(names)}  (all of them)."
        )
    if len(result) != len(names):
        raise CheckFailed(f"{len(result)} values", wanted, f"return {', '.join(names)}.")
    return list(result)


def in_order(came: Sequence, expected: Sequence, names: Sequence[str]) -> None:
    """Say so where all of ``expected`` came, but in another order."""
    arrays = [np.asarray(right, dtype=float) for right in expected]
    for order in itertools.permutations(range(len(arrays))):
        if list(order) == sorted(order):  # the right one: there is nothing to say
            continue
        if all(_is_near(one, arrays[i]) for one, i in zip(came, order, strict=True)):
            raise CheckFailed(
                f"({', '.join(names[i] for i in order)})",
                f"({', '.join(names)})",
                "all of them are right, and they stand in another order than the description's.",
            )


def _is_near(came, right: np.ndarray) -> bool:
    dtype = getattr(came, "dtype", None)
    return (
        dtype is not None
        and dtype.kind == "f"
        and came.shape == right.shape
        and np.allclose(came, right, rtol=0, atol=1e-6 * max(1.0, np.abs(right).max(initial=0)))
    )


def whole_number(came, expected: int, call: str, cause: str, known: dict[int, str] | None = None):
    """came must be the integer expected; ``known`` names the mistake behind other numbers."""
    if came is None:
        raise CheckFailed(f"{call} gave None", str(expected), "a missing return.")
    if isinstance(came, float | np.floating):
        why = "/ gives a float even when it divides evenly. Use //." if came == expected else cause
        raise CheckFailed(f"{call} gave {float(came)!r}, a float", f"the int {expected}", why)
    if isinstance(came, np.ndarray) and came.ndim == 0:
        came = came[()]
    if isinstance(came, bool) or not isinstance(came, int | np.integer):
        raise CheckFailed(f"{call} gave {_kind(came)}", f"the int {expected}", cause)
    if came != expected:
        why = (known or {}).get(int(came), cause)
        raise CheckFailed(f"{call} gave {came:,}", f"{expected:,}", why)


def scalar(came, expected: float, what: str, cause: str, known: Sequence[tuple] = ()) -> None:
    """came must be the number expected; ``known`` pairs wrong numbers with their causes."""
    if came is None:
        raise CheckFailed(f"{what} is None", number(expected), "a missing return.")
    if isinstance(came, np.ndarray) and came.ndim == 0:
        came = came[()]
    if isinstance(came, bool) or not isinstance(came, int | float | np.integer | np.floating):
        kind = f"an array of shape {came.shape}" if isinstance(came, np.ndarray) else _kind(came)
        raise CheckFailed(f"{what} is {kind}", f"one number: {number(expected)}", cause)
    came, limit = float(came), 1e-5 * max(1.0, abs(expected))
    if abs(came - expected) <= limit:
        return
    for other, why in known:
        if abs(came - other) <= limit:
            cause = why
            break
    if not np.isfinite(came):
        cause = f"an overflow, a division by zero, or the logarithm of 0 ({cause.rstrip('.')})."
    digits = digits_apart(came, expected)
    shown = (f"{what} = {number(value, digits)}" for value in (came, expected))
    raise CheckFailed(*shown, cause)


def integers(came, expected, what: str, cause: str, known: Sequence[tuple] = ()) -> None:
    """came must be an array (or list) of these whole numbers."""
    if came is None:
        raise CheckFailed(f"{what} is None", f"{expected}", "a missing return.")
    try:
        numbers = np.asarray(came)
    except ValueError:  # ragged lists
        numbers = np.asarray(None)
    if numbers.dtype.kind not in "iuf" or numbers.shape != np.shape(expected):
        kind = f"has shape {numbers.shape}" if numbers.dtype.kind in "iuf" else f"is {_kind(came)}"
        raise CheckFailed(f"{what} {kind}", f"{what} = {expected}", cause)
    if np.array_equal(numbers, expected):
        return
    cause = next((why for other, why in known if np.array_equal(numbers, other)), cause)
    raise CheckFailed(f"{what} = {numbers.tolist()}", f"{what} = {expected}", cause)


def value_error(
    run: Callable,
    call: str,
    why_not: str,
    cause: str = "// rounds down and hides the rest: test with % before you divide.",
):
    """run() must raise a ValueError."""
    try:
        came = run()
    except ValueError:
        return
    raise CheckFailed(
        f"{call} gave {came!r}",
        f"a ValueError: {why_not}",
        cause,
    )


def array(
    came,
    expected,
    what: str,
    cause: str,
    *,
    shape_cause: str = "",
    known: Sequence[tuple[object, str]] = (),
    known_shapes: Mapping[tuple, str] | None = None,
    inputs: Mapping[str, object] | None = None,
    tolerance: float = 1e-6,
    source: str = "expected",
) -> np.ndarray:
    """came must be a real floating-point array with the shape and the numbers of expected.

    Args:
        came: what the student's function returned; a list of numbers will do.
        expected: an array, or nested lists.
        what: its name in the messages ("out").
        cause: what usually makes the numbers wrong.
        shape_cause: what usually makes the shape wrong (``cause`` if empty).
        known: pairs of a wrong answer and what causes exactly that answer.
        known_shapes: a wrong shape -> what causes exactly that shape.
        inputs: title -> a matrix that went in, to be shown beside the answer.
        tolerance: relative to the largest number expected.
        source: the title over the expected numbers.
    """
    expected = np.asarray(expected, dtype=np.float64)
    if came is None:
        raise CheckFailed(f"{what} is None", _shape_of(expected), "a missing return.")
    try:
        numbers = np.asarray(came)
    except ValueError:  # ragged lists
        numbers = np.asarray(None)
    if numbers.dtype.kind == "c":
        why = "np.fft.ifft and ifft2 give complex numbers; irfft and irfft2 come back to real ones."
        raise CheckFailed(f"{what} has complex numbers ({numbers.dtype})", "real ones", why)
    if numbers.dtype.kind not in "fiub":
        raise CheckFailed(f"{what} is {_kind(came)}", f"an array of {_shape_of(expected)}", cause)
    if numbers.shape != expected.shape:
        raise CheckFailed(
            f"{what} has shape {numbers.shape}",
            _shape_of(expected),
            (known_shapes or {}).get(numbers.shape, shape_cause or cause),
            _given(inputs)
            + _grids(numbers, expected, np.zeros(expected.shape, bool), what, source),
        )
    if numbers.dtype.kind != "f":
        raise CheckFailed(
            f"{what} has dtype {numbers.dtype}",
            "floating point (float64, or float32)",
            "an array made with dtype=int, or from whole numbers only: fractions are cut off.",
        )
    numbers = numbers.astype(np.float64)
    limit = tolerance * max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    wrong = ~(np.abs(numbers - expected) <= limit)
    if not wrong.any():
        return numbers
    for other, why in known:
        if np.allclose(numbers, other, rtol=0, atol=limit):
            cause = why
            break
    if not np.isfinite(numbers).all():
        cause = "a division by zero, or an array from np.empty that was never filled."
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = f"{what}[{', '.join(map(str, at))}]"
    digits = digits_apart(numbers[at], expected[at])
    others = f", and {int(wrong.sum())} of {wrong.size} numbers differ" if wrong.size > 1 else ""
    raise CheckFailed(
        f"{place} = {number(numbers[at], digits)}{others}",
        f"{place} = {number(expected[at], digits)}",
        cause,
        _given(inputs) + _grids(numbers, expected, wrong, what, source),
    )


def same_dtype(run: Callable, what: str, like: str, cause: str) -> None:
    """run(dtype) must give an array of the dtype of what went in, float32 and float64."""
    for dtype in (np.float32, np.float64):
        came = np.asarray(run(dtype)).dtype
        if came != dtype:
            raise CheckFailed(f"{what} of dtype {came}", f"{np.dtype(dtype)}, as {like}", cause)


def own_forward(f: Callable, name: str) -> Callable:
    """The student's own forward function, from where f was written.

    A backward function is checked against the numeric gradient of its own forward. So that one
    has to be there, and right, first.
    """
    forward = getattr(inspect.unwrap(f), "__globals__", {}).get(name)
    if not callable(forward):
        raise CheckFailed(
            f"there is no {name} here. This check compares your gradient with the numeric "
            f"gradient of your own {name}: run its cell first."
        )
    return forward


def forward_of(f: Callable) -> str:
    """The name of the forward function that belongs to a backward function."""
    return getattr(f, "__name__", "").replace("backward", "forward")


def forward_works(f: Callable, name: str) -> None:
    """Run the first steps of the forward function's check, without showing them."""
    failure, _, _ = run_steps(own_forward(f, name), STEPS[name])
    if failure is not None and "which your function calls" in failure.came:
        raise CheckFailed(f"your {name} cannot run yet. {failure.came}")
    if failure is not None and "not written yet" in failure.came:
        raise CheckFailed(
            f"your {name} is not written yet. This check compares your gradient with the numeric "
            f"gradient of that function, so write it first; then run check({name})."
        )
    if failure is not None:
        raise CheckFailed(
            f"your {name} does not pass its own check yet. This check compares your gradient with "
            f"the numeric gradient of that function, so put it right first: run check({name})."
        )


def gradient(
    came,
    f: Callable,
    x: np.ndarray,
    df: np.ndarray,
    what: str,
    cause: str,
    shape_cause: str = "",
    *,
    multiples: dict[float, str] | None = None,
    h: float = 1e-5,
) -> None:
    """came must be the numeric gradient of f at x, when df arrives at f's output.

    ``multiples`` names the mistake behind a gradient that is wrong by just that factor. The layers
    here are straight lines between kinks, so a large h is exact, and does no harm to a forward
    function that computes in float32.
    """
    numeric = numeric_gradient(lambda moved: f(moved.copy()), x, df, h)
    array(
        came,
        numeric,
        what,
        cause,
        shape_cause=shape_cause or f"a gradient has the shape of what it belongs to: {x.shape}.",
        known=[(factor * numeric, why) for factor, why in (multiples or {}).items()],
        source=f"{what}, numeric",
    )


@contextmanager
def common_generator_kept() -> Iterator[None]:
    """After the with block np.random goes on as if nobody had drawn from it."""
    kept = np.random.get_state()
    try:
        yield
    finally:
        np.random.set_state(kept)


def moves_the_common_generator(run: Callable[[], object]) -> bool:
    """Whether np.random gives other numbers after run()."""
    with common_generator_kept():
        np.random.seed(1)
        right = np.random.random(3)
        np.random.seed(1)
        run()
        return not np.array_equal(np.random.random(3), right)


@contextmanager
def unchanged(**arrays: np.ndarray) -> Iterator[None]:
    """Inside the with block, nobody may write into these arrays."""
    before = {name: values.copy() for name, values in arrays.items()}
    yield
    for name, values in arrays.items():
        if not np.array_equal(values, before[name]):
            raise CheckFailed(
                f"{name} was changed by the call",
                f"{name} as it was before",
                f"+=, out= or an assignment into {name}, or into a slice of it, which is a view "
                f"of the same numbers. Work on a copy: {name}.copy(), or that of the slice.",
            )


def dtype_of(came, wanted: np.dtype, what: str, like: str) -> None:
    """An array has to have the dtype of what went in, or float64. (A list has none.)"""
    dtype = getattr(came, "dtype", np.dtype(np.float64))
    if dtype not in (wanted, np.dtype(np.float64)):
        raise CheckFailed(
            f"{what} has dtype {dtype}, where {like} has {wanted}",
            f"{wanted}" + (", or float64" if wanted != np.float64 else ""),
            f"an array made with a fixed dtype, or astype: digits were lost. Write "
            f"dtype={like}.dtype.",
        )


def _given(inputs: Mapping[str, object] | None) -> tuple[Grid, ...]:
    """What went in, as matrices with nothing marked."""
    pages = {k: np.atleast_2d(np.asarray(v, np.float64)) for k, v in (inputs or {}).items()}
    return tuple(Grid(title, page, np.zeros(page.shape, bool)) for title, page in pages.items())


def _grids(numbers, expected, wrong, what: str, source: str) -> tuple[Grid, ...]:
    """The two matrices to show side by side: the first image and channel with a mistake in it."""
    if numbers.ndim == 0 or expected.ndim == 0 or not numbers.size:
        return ()
    lead = tuple(np.argwhere(wrong)[0][:-2]) if wrong.any() else (0,) * max(expected.ndim - 2, 0)
    place = f"[{', '.join(map(str, lead))}]" if lead else ""
    grids, digits = [], DIGITS
    for title, values, marks in [
        (f"yours: {what}{place}", numbers, wrong),
        (f"{source}{place if source.startswith(what) else ''}", expected, np.zeros_like(wrong)),
    ]:
        if values.ndim != expected.ndim or any(i >= n for i, n in zip(lead, values.shape)):  # noqa: B905
            return ()
        page = np.atleast_2d(values[lead]).astype(np.float64)
        if max(page.shape) > _LARGEST_GRID:
            return ()
        same = marks.shape == values.shape
        marked = np.atleast_2d(marks[lead]) if same else np.zeros(page.shape, bool)
        grids.append(Grid(title, page, marked))
    if wrong.any():  # then they have the same shape
        (one, other), marked = (grid.numbers for grid in grids), grids[0].wrong
        digits = max(map(digits_apart, one[marked], other[marked]))
    return tuple(dataclasses.replace(grid, digits=digits) for grid in grids)


def _shape_of(array: np.ndarray) -> str:
    return f"shape {array.shape}"


def _kind(value) -> str:
    return f"{value!r}"[:60] + f", of type {type(value).__name__}"
