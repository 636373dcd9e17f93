"""``check(f)``: run a question's steps, show the table, raise what failed."""

from __future__ import annotations

import inspect
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

from IPython.display import display

from cnnlab.checks.steps import STEPS, CheckFailed, Step
from cnnlab.checks.table import CheckTable

_HERE = str(Path(__file__).resolve().parents[1])

# What old code on the web still uses, and what to write today.
_REMOVED_FROM_NUMPY = {
    "product": "np.prod",
    "bool": "bool",
    "int": "int",
    "float": "float",
    "float_": "np.float64",
    "Inf": "np.inf",
    "NaN": "np.nan",
    "cumproduct": "np.cumprod",
    "alltrue": "np.all",
    "sometrue": "np.any",
}

# What a question's dict may leave out, and the default that its docstring gives.
_RATE = {"learning_rate": "1e-2"}
_AVERAGES = {name: "np.zeros(C, dtype=x.dtype)" for name in ("running_mean", "running_var")}
_DEFAULTS = {
    "dropout_forward": {"seed": "None"},
    "spatial_batchnorm_forward": {"eps": "1e-5", "momentum": "0.9", **_AVERAGES},
    "spatial_groupnorm_forward": {"eps": "1e-5"},
    "sgd": _RATE,
    "sgd_momentum": {**_RATE, "momentum": "0.9", "velocity": "np.zeros_like(w)"},
    "rmsprop": {**_RATE, "decay_rate": "0.99", "epsilon": "1e-8", "cache": "np.zeros_like(w)"},
    "adam": {
        **{"learning_rate": "1e-3", "beta1": "0.9", "beta2": "0.999", "epsilon": "1e-8"},
        **{"m": "np.zeros_like(w)", "v": "np.zeros_like(w)", "t": "0"},
    },
}


def check(f: Callable) -> None:
    """Run the visible check of the question that f answers, and show how it went.

    Args:
        f: your function, under the question's name (``f.__name__``).

    Raises:
        CheckFailed: a step failed; it says what came, what was expected, what usually causes it.
        TypeError: f is not a function. ValueError: no question has its name.
    """
    if not callable(f):
        raise TypeError(f"check wants the function itself, check(f), not {type(f).__name__}")
    name = getattr(f, "__name__", type(f).__name__)
    if name not in STEPS:
        raise ValueError(f"no check for {name!r}. There are checks for: {', '.join(STEPS)}")
    failure, passed, notes = run_steps(f, STEPS[name])
    names = tuple(step.name for step in STEPS[name])
    if failure is None:
        display(CheckTable(name, names, notes=notes))
        return
    failed, not_run = names[passed], len(names) - passed - 1
    display(CheckTable(name, names[:passed], failed, not_run, failure.grids, notes))
    failure.heading = f"{name}: {failed}"
    # "from None" hides this function's frames only; an error in f's own code stays as the cause
    raise failure from failure.__cause__


def run_steps(f: Callable, steps: list[Step]) -> tuple[CheckFailed | None, int, tuple[str, ...]]:
    """Run the steps until one fails.

    Returns:
        The failure or None, the number of steps that passed, and the warnings that came up.
        (A warning printed to stderr would cost the cell in nbgrader's Validate.)
    """
    passed, failure = 0, None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for each in steps:
            try:
                each.run(f)
            except CheckFailed as problem:
                failure = problem
            except NotImplementedError as error:
                failure = _not_written(f, error)
            except Exception as error:  # whatever a student's code can raise
                failure = _raised(f, error)
                failure.__cause__ = error
            if failure is not None:
                break
            passed += 1
    notes = tuple(dict.fromkeys(f"{w.category.__name__}: {w.message}" for w in caught))
    return failure, passed, notes[:3]


def _not_written(f: Callable, error: Exception) -> CheckFailed:
    """Say which function still raises NotImplementedError: f, or one that f calls."""
    own = {getattr(f, "__name__", ""), getattr(inspect.unwrap(f), "__name__", "")}
    innermost = _own_frames(f, error)[-1:]
    if innermost and innermost[0].name not in own:
        return CheckFailed(
            f"{innermost[0].name}, which your function calls, is not written yet: it raises "
            "NotImplementedError. Write it first, or do without it."
        )
    return CheckFailed(
        "not written yet: it raises NotImplementedError. "
        "Replace that line with your code, run the cell, and come back."
    )


def _raised(f: Callable, error: Exception) -> CheckFailed:
    """Frame an exception of the student's code: their own lines, and what was raised."""
    lines = ["your code raised an exception:"]
    for frame in _own_frames(f, error)[-3:]:
        lines.append(f"    line {frame.lineno} of {frame.name}:  {frame.line}")
    lines.append(f"    {type(error).__name__}: {error}".removesuffix(": "))
    return CheckFailed("\n".join(lines), cause=_usual_cause(error))


def _own_frames(f: Callable, error: Exception) -> list[traceback.FrameSummary]:
    """The notebook's frames, innermost last: f's, and those of other cells' functions."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not str(Path(frame.filename)).startswith(_HERE)
    ]
    code = getattr(inspect.unwrap(f), "__code__", None)
    # NumPy's own frames are noise; but keep something if the cells cannot be told apart
    own = [
        x
        for x in frames
        if (code is not None and x.filename == code.co_filename)
        or "ipykernel_" in x.filename
        or x.filename.startswith("<ipython")
    ]
    return own or [x for x in frames if x.filename.startswith("<")] or frames[:1]


def _usual_cause(error: Exception) -> str:
    """What mostly lies behind such an error; "" if nothing does."""
    calls = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    defaults = next((_DEFAULTS[name] for name in reversed(calls) if name in _DEFAULTS), {})
    text = str(error)
    if isinstance(error, AttributeError) and "numpy" in text:
        for old, new in _REMOVED_FROM_NUMPY.items():
            if f"'{old}'" in text or f"np.{old}`" in text:
                return f"NumPy 2 no longer has np.{old}; write {new}."
    if "design_net" in calls and "__init__" in calls and (cause := cause_in_a_list(text)):
        return cause
    if isinstance(error, TypeError) and text.startswith(("conv() missing", "conv() got")):
        return "conv(filters, kernel), such as conv(32, 3): 32 filters of 3 × 3."
    if isinstance(error, NameError):
        return "a cell that was not run (imports, helpers), or a misspelt name."
    if isinstance(error, TypeError) and "positional argument" in text:
        return "the arguments differ from those in the question; keep the ones that came with it."
    if isinstance(error, AssertionError):
        return "an assert where the question wants an error: raise ValueError(...), not assert."
    if isinstance(error, TypeError) and "Cannot cast ufunc" in text and "int" in text:
        return "dx (or another array) was made with an integer dtype; use floats: np.zeros(shape)."
    if isinstance(error, TypeError | ValueError) and "setting an array element" in text:
        return "the right side is an array, not one number: b[f]? a sum over all axes?"
    if isinstance(error, TypeError) and "integer" in text and ("float" in text or "got '" in text):
        return "/ gives a float even when it divides evenly; sizes and indices need //."
    key = error.args[0] if isinstance(error, KeyError) and error.args else None
    if isinstance(key, str) and key in defaults:
        return f"{text} may be missing. Fill in its default: .get({text}, {defaults[key]})."
    if isinstance(error, TypeError) and "NoneType" in text and "learning_rate" in defaults:
        return "config is None when none is given: begin with config = dict(config or {})."
    if key is not None:
        return (
            f"the dict has no {text}: misspelt, taken out by pop, or the other dict "
            "(a convolution's has stride and pad; a pooling's pool_height, pool_width and stride)."
        )
    if isinstance(error, ZeroDivisionError) or "range() arg 3 must not be zero" in text:
        return (
            "a number that // rounded down to 0, images at a time perhaps. At least one: max(1, …)."
        )
    if isinstance(error, ValueError) and "to unpack" in text and "backward" in calls[:-1]:
        return (
            "a cache that belongs to another step. caches may hold the first steps only: pair "
            "first, then reverse: reversed(list(zip(self.steps, caches)))."
        )
    if isinstance(error, ValueError) and "values to unpack" in text:
        return (
            "as many names on the left as there are values on the right: images and filters have "
            "four sizes, a forward pass returns two things, (out, cache)."
        )
    if isinstance(error, ValueError) and ("matmul" in text or "not aligned" in text):
        return (
            "in a product of matrices, the left one has as many columns as the right one rows. "
            "Print both shapes just before this line: is a transpose (.T) missing, or too many?"
        )
    if isinstance(error, ValueError) and "cannot reshape" in text:
        return (
            "a reshape keeps all numbers: multiply the new sizes, and compare with the array's "
            "size. Print its shape just before this line."
        )
    if isinstance(error, ValueError) and ("broadcast" in text or "shape" in text):
        return "two arrays of different shapes; print both shapes just before this line."
    if isinstance(error, IndexError) and "to scalar" in text:
        return (
            "one number where an array was expected: a mean or a sum without an axis takes all "
            "numbers together. For one of each channel: axis=(0, 2, 3)."
        )
    if isinstance(error, IndexError):
        return "a loop that runs too far, or height and width exchanged."
    return ""


def cause_in_a_list(text: str) -> str:
    """What is wrong with the list of layers that a ConvNet could not be made of; "" if unknown."""
    if "division by zero" in text or "negative dimensions" in text:
        return (
            "the image has shrunk to nothing on its way: 32 pixels can be halved five times. "
            "Leave out a pooling or a stride, or pad the convolutions."
        )
    if "indices must be integers" in text or "not iterable" in text:
        return "the layers are one list: ConvNet([conv(32, 3), max_pool(2), fc(64)])."
    return ""
