"""Names the misconception behind a wrong answer.

A hidden test's calls are made again with a wrong variant of the reference in the place of the
student's function. Where the variant is wrong in just the way in which the student is, to the last
digits, its name is the diagnosis.
"""

from __future__ import annotations

import copy
import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import tensors
from .student import Call, Part, check_state
from .wire import Handle, Tensor

# question id -> {misconception's name: wrong variant of the reference}
MISCONCEPTIONS: dict[str, dict[str, Callable]] = {}


def misconception(question_id: str) -> Callable[[Callable], Callable]:
    """Register a function as a typical wrong answer to a question.

    The function has the reference's signature. Its name is the misconception's name; its docstring
    is the hint that the student reads.
    """

    def register(function: Callable) -> Callable:
        variants = MISCONCEPTIONS.setdefault(question_id, {})
        if function.__name__ in variants:
            raise ValueError(f"{question_id} already has a misconception {function.__name__}")
        variants[function.__name__] = function
        return function

    return register


def load_misconceptions(path: Path) -> None:
    """Import the file that registers an assignment's misconceptions, once."""
    name = f"autograder.misconceptions.{path.stem}"
    if path.exists():
        importlib.import_module(name)


def hint(function: Callable) -> str:
    """The docstring as one paragraph."""
    return " ".join((function.__doc__ or "").split())


@dataclass(frozen=True)
class TestedCalls:
    """The calls that one hidden test made, and whether the student passed it."""

    __test__ = False  # not a class of tests, whatever pytest thinks of the name

    passed: bool
    calls: list[Call]


@dataclass(frozen=True)
class Outcome:
    """What a call gave: a value, or the name of an exception.

    ``as_returned`` is the value with copies of its tensors, made before any other call.
    """

    value: Any = None
    error: str | None = None
    as_returned: Any = None

    @property
    def shown(self) -> Any:
        return self.value if self.as_returned is None else self.as_returned


PREPARES = ("put", "library", "find")  # what says nothing about a function
UNKNOWN = Outcome(error="?")  # the call cannot be made again


def diagnose(
    question_id: str, tests: list[TestedCalls], references: dict[str, Callable]
) -> str | None:
    """The name of the misconception that explains the failed tests best, or None."""
    # A test that passed without a wrong value can still rule a variant out: it would have failed.
    expected = [replay(test.calls, references) for test in tests]
    best: tuple[tuple[int, int], str] | None = None
    for name, variant in MISCONCEPTIONS.get(question_id, {}).items():
        explained = consistent = in_value = 0
        for test, right in zip(tests, expected, strict=True):
            wrong = replay(test.calls, {**references, question_id: variant})
            relation = _relate(question_id, test, right, wrong)
            explained += relation.explains and not test.passed
            consistent += relation.agrees
            in_value += relation.in_value and not test.passed
        failed = sum(not test.passed for test in tests)
        # the same exception alone says little: then everything else has to fit too
        if explained and (in_value or (explained == failed and consistent == len(tests))):
            rank = (explained, consistent)
            if best is None or rank > best[0]:
                best = (rank, name)
    return best[1] if best else None


@dataclass(frozen=True)
class Relation:
    agrees: bool  # the variant gives what the student's function gave, on every call
    explains: bool  # and that differs from what is right
    in_value: bool  # in a returned value, not only in an exception


def _relate(
    question_id: str, test: TestedCalls, right: list[Outcome], wrong: list[Outcome]
) -> Relation:
    agrees, explains, in_value = True, False, False
    asked = None
    for call, good, bad in zip(test.calls, right, wrong, strict=True):
        if call.op == "call":  # a look at an argument is about the function that had it last
            asked = _asked(call, test.calls)
        if call.op == "set_state":
            # of a library's model: it is still about the function that had it
            asked = _asked(call, test.calls) or asked
        if call.op in PREPARES or asked != question_id or bad is UNKNOWN or good is UNKNOWN:
            continue
        students = _outcome(call)
        if not (_alike(students, bad) and _has_what_was_seen(bad, call)):
            agrees = False
        elif not (_alike(students, good) and _has_what_was_seen(good, call)):
            explains = True
            in_value |= students.error is None
    return Relation(agrees, agrees and explains, agrees and explains and in_value)


def _asked(call: Call, calls: list[Call]) -> str | None:
    """The function that was called; of a method, the function or class that made its object.

    Where a library calls a function of the student's, or works on an object that one has made, it
    is that function: ``launch(student.find("kernel"), …)``.
    """
    *_, root = chain = _chain(call, calls)
    if root.op != "library":
        return root.target if isinstance(root.target, str) else None
    for link in chain:
        for argument in (*link.args, *link.kwargs.values()):
            if isinstance(argument, (Handle, Part)):
                maker = _chain(Call(argument, (), {}), calls)[-1]
                if maker.op in ("call", "find") and isinstance(maker.target, str):
                    return maker.target
    return None


def _chain(call: Call, calls: list[Call]) -> list[Call]:
    """The call, the one that its target came from, and so on, to one by name if there is one."""
    chain = [call]
    while isinstance(chain[-1].target, (Handle, Part)):
        index, _ = chain[-1].target.origin
        if index < 0:
            break
        chain.append(calls[index])
    return chain


def _outcome(call: Call) -> Outcome:
    if call.error is None:
        return Outcome(call.result)
    return Outcome(error=getattr(call.error, "ename", type(call.error).__name__))


def replay(calls: list[Call], functions: dict[str, Callable]) -> list[Outcome]:
    """Make the calls again, in order, with functions of our own."""
    outcomes: list[Outcome] = []
    for call in calls:
        try:
            if call.op == "put":
                function = _itself
            elif call.op == "get":
                function = functools.partial(_copied, _refill(call.target, outcomes))
            elif call.op == "library":
                function = functools.partial(importlib.import_module, call.target)
            elif call.op == "find":
                function = functools.partial(_itself, functions[call.target])
            elif call.op in ("state", "set_state"):
                function = functools.partial(STATES[call.op], _refill(call.target, outcomes))
            elif isinstance(call.target, str):
                function = functions.get(call.target)
            else:  # a method, of the object that was made here in the place of the student's
                function = _refill(call.target, outcomes)
            if call.assigned is not None:
                function = functools.partial(setattr, function, call.assigned)
            args = [_refill(argument, outcomes) for argument in call.args]
            kwargs = {name: _refill(value, outcomes) for name, value in call.kwargs.items()}
        except (LookupError, AttributeError, TypeError):
            function = None
        if function is None:
            outcomes.append(UNKNOWN)
            continue
        try:
            with np.errstate(all="ignore"):
                value = function(*args, **kwargs)
            outcomes.append(Outcome(value, as_returned=_tensors_copied(value)))
        except Exception as error:  # a variant may fail just as the student's code does
            outcomes.append(Outcome(error=type(error).__name__))
    return outcomes


def _itself(value: Any) -> Any:
    return value


def _copied(value: Any) -> Any:
    if tensors.is_tensor(value):  # torch copies only what no graph has made
        return tensors.copied(value)
    if type(value) in (tuple, list):
        return type(value)(map(_copied, value))
    if type(value) is dict:
        return {key: _copied(item) for key, item in value.items()}
    return copy.deepcopy(value)


def _tensors_copied(value: Any) -> Any:
    """As a kernel would have sent it at once: a later call may write into the same tensors."""
    if tensors.is_tensor(value):
        return _as_sent(value)
    if type(value) in (tuple, list):
        return type(value)(map(_tensors_copied, value))
    if type(value) is dict:
        return {key: _tensors_copied(item) for key, item in value.items()}
    return value


def _set_state(model: Any, values: dict[str, np.ndarray]) -> None:
    check_state(tensors.state(model), values)
    tensors.set_state(model, {name: tensors.from_array(array) for name, array in values.items()})


STATES: dict[str, Callable] = {"state": tensors.state, "set_state": _set_state}


def _refill(argument: Any, outcomes: list[Outcome]) -> Any:
    """An argument as the replayed functions need it: the student's replaced by the replay's."""
    if isinstance(argument, (Handle, Part)):
        index, path = argument.origin
        if index < 0 or outcomes[index].error is not None:
            raise LookupError(index)
        return _part(outcomes[index].value, path)
    if isinstance(argument, np.ndarray):
        return argument.copy()
    if isinstance(argument, Tensor):
        return tensors.from_array(argument.array, argument.grad)
    if isinstance(argument, (tuple, list)):
        return type(argument)(_refill(item, outcomes) for item in argument)
    if isinstance(argument, dict):
        return {key: _refill(item, outcomes) for key, item in argument.items()}
    return argument


def _alike(a: Outcome, b: Outcome) -> bool:
    if a.error or b.error:
        # only the kind: the words are the student's own, or hold the numbers of a broadcast
        return a.error == b.error
    return _same_value(a.shown, b.shown)


def _has_what_was_seen(outcome: Outcome, call: Call) -> bool:
    """Whether the parts of the student's result that the test looked at are in this one too."""
    for path, value in call.seen:
        try:
            part = _part(outcome.shown, path)
        except (LookupError, AttributeError, TypeError):
            return False
        if not _same_value(value, part):
            return False
    return True


def _part(value: Any, path: tuple) -> Any:
    for op, key in path:
        value = value[key] if op == "item" else getattr(value, key)
    return value


def _as_sent(value: Any) -> Any:
    """A tensor of a function of our own as the student's came: a Tensor."""
    return Tensor(*tensors.to_array(value)) if tensors.is_tensor(value) else value


def _same_value(a: Any, b: Any) -> bool:
    """Equal up to rounding. What stayed in the kernel (a cache) is not compared."""
    if isinstance(a, Handle) or isinstance(b, Handle):
        return True
    a, b = _as_sent(a), _as_sent(b)
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.grad == b.grad and _same_value(a.array, b.array)
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return False
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same_value(a[name], b[name]) for name in a)
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(map(_same_value, a, b))
    if isinstance(a, (tuple, list)) != isinstance(b, (tuple, list)):
        return False
    try:
        x, y = np.asarray(a), np.asarray(b)
        if x.shape != y.shape or x.dtype.kind not in "biufc" or y.dtype.kind not in "biufc":
            return x.dtype == y.dtype and x.shape == y.shape and bool(np.all(x == y))
        single = np.float32 in (x.dtype, y.dtype)
        return np.allclose(
            x, y, rtol=1e-4 if single else 1e-7, atol=1e-6 if single else 1e-10, equal_nan=True
        )
    except (TypeError, ValueError, OverflowError):
        return False
