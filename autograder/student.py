"""The proxy that hidden tests call: ``student.f(*args)`` runs f in the kernel, through wire."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import wire
from .errors import (
    GivenUp,
    GraderError,
    KernelDied,
    NotDefined,
    StudentError,
    StudentRaised,
    TimedOut,
    UnreadableResult,
)
from .kernel import MAX_WORDS, Kernel
from .wire import Handle

PUT = -1  # the origin of a handle that a test made itself


@dataclass
class Call:
    """One call that a test made: enough to make it again with another function."""

    target: str | Handle
    args: tuple
    kwargs: dict
    result: Any = None
    error: StudentError | None = None

    @property
    def name(self) -> str:
        """The function's, as people know it."""
        return self.target if isinstance(self.target, str) else self.target.type_name


@dataclass
class Session:
    """Speaks with the kernel for one question's tests, and remembers what was called.

    ``revive`` brings back a kernel that died or was stopped, with the cells that had run;
    ``revive(calm=True)`` with their definitions only.
    """

    kernel: Kernel
    revive: Callable[..., None]
    calls: list[Call] = field(default_factory=list)
    deadline: float = float("inf")  # of the running test, on the monotonic clock
    waited: float = 0.0  # the kernel's count of seconds that were not the student's, before it
    why_undefined: dict[str, str] = field(default_factory=dict)
    rescued: Callable[[str], None] = lambda name: None  # told of what was stopped without guilt
    stops: Counter[str] = field(default_factory=Counter)  # how often a function hung or crashed

    def begin_test(self) -> None:
        self.calls = []
        self.deadline = time.monotonic() + self.kernel.limits.test_seconds
        self.waited = self.kernel.waited
        if self.kernel.alive:
            try:
                self._ask({"op": "forget"}, "the kernel")
            except (KernelDied, TimedOut):  # nothing of this test's had been called
                self.revive(calm=True)

    def may_be_innocent(self, error: Exception | None) -> bool:
        """Whether the kernel was lost in a call, but perhaps by what an earlier cell had started.

        The first time that a function is met like that, it deserves a second try.
        """
        if self.kernel.alive or not isinstance(error, (KernelDied, TimedOut)):
            return False
        return bool(self.calls) and self.stops[self.calls[-1].name] == 1

    def call(self, target: str | Handle, args: tuple, kwargs: dict) -> Any:
        call = Call(target, _snapshot(args), _snapshot(kwargs))
        self.calls.append(call)
        name = call.name
        request = {"op": "call", "target": target, "args": list(args), "kwargs": kwargs}
        try:
            # a function that hangs costs its own question, not the time of those that use it
            if self.stops[name] >= self.kernel.limits.stops:
                raise GivenUp(name, self.stops[name])
            if not self.kernel.alive:
                self.revive()
            value = self._ask(request, name)
        except StudentError as error:
            self.stops[name] += isinstance(error, (TimedOut, KernelDied))
            call.error = error
            raise
        call.result = _with_origins(value, len(self.calls) - 1, ())
        return call.result

    def put(self, value: Any) -> Handle:
        handle = self._ask({"op": "put", "value": value}, "the kernel")
        handle.__dict__["origin"] = (PUT, _snapshot(value))
        return handle

    def get(self, handle: Handle) -> Any:
        return self._ask({"op": "get", "of": handle}, handle.type_name)

    def length(self, handle: Handle) -> int:
        return self._ask({"op": "len", "of": handle}, handle.type_name)

    def step(self, handle: Handle, op: str, key: Any) -> Any:
        value = self._ask({"op": op, "of": handle, "key": key}, handle.type_name)
        index, path = handle.origin
        return _with_origins(value, index, (*path, (op, key)))

    def _ask(self, request: dict, name: str) -> Any:
        limits = self.kernel.limits
        left = self.deadline + (self.kernel.waited - self.waited) - time.monotonic()
        if left <= 0:
            raise TimedOut(name, limits.test_seconds)
        try:
            frames = self.kernel.request(
                wire.dumps(request, _reference), min(limits.call_seconds, left), name
            )
        except TimedOut:  # the whole limit, not what was left of it
            raise TimedOut(name, min(limits.call_seconds, limits.test_seconds)) from None
        try:
            answer = wire.loads(frames, self._handle)
        except wire.WireError as error:
            raise UnreadableResult(name, str(error)) from None
        match answer:
            case {"value": value} if len(answer) == 1:
                return value
            case {"missing": str(missing)}:
                raise NotDefined(missing[:100], self.why_undefined.get(missing, ""))
            case {"ename": str(ename), "evalue": str(evalue), "where": str(where)}:
                words = evalue[:MAX_WORDS]
                words += _advice(words) + limits.explain(ename, words)
                raise StudentRaised(name, ename[:100], words, where[:200])
        raise UnreadableResult(name, "it is not a value")

    def _handle(self, reference: dict) -> Handle:
        return Handle(reference["id"], reference["type"][:100], self, (PUT, None))


class Student:
    """What tests hold: every attribute is a function of the student's notebook.

    ``put(value)`` leaves a value in the kernel and returns its Handle; ``get(handle)`` brings the
    value back. With them a test sees whether a function changed its inputs.
    """

    def __init__(self, session: Session):
        self.__dict__["_session"] = session

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def remote(*args: Any, **kwargs: Any) -> Any:
            return self._session.call(name, args, kwargs)

        return remote

    def put(self, value: Any) -> Handle:
        return self._session.put(value)

    def get(self, handle: Handle) -> Any:
        return self._session.get(handle)


def _reference(obj: Any) -> dict:
    if isinstance(obj, Handle):
        return {"t": "handle", "id": obj.handle_id, "type": obj.type_name}
    raise GraderError(f"a hidden test passes a {type(obj).__name__}, which cannot be sent")


def _snapshot(value: Any) -> Any:
    """A copy that a test cannot change afterwards; handles stay what they are."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, (tuple, list)):
        return type(value)(_snapshot(item) for item in value)
    if isinstance(value, dict):
        return {key: _snapshot(item) for key, item in value.items()}
    return value


def _with_origins(value: Any, index: int, path: tuple) -> Any:
    """Note in each Handle of a result where it came from."""
    if isinstance(value, Handle):
        value.__dict__["origin"] = (index, path)
    elif isinstance(value, (tuple, list)):
        for position, item in enumerate(value):
            _with_origins(item, index, (*path, ("item", position)))
    elif isinstance(value, dict):
        for key, item in value.items():
            _with_origins(item, index, (*path, ("item", key)))
    return value


# Names that NumPy 2 removed without saying what to write instead.
RENAMED = {
    "product": "prod",
    "cumproduct": "cumprod",
    "in1d": "isin",
    "row_stack": "vstack",
    "trapz": "trapezoid",
    "sometrue": "any",
    "alltrue": "all",
    "float_": "float64",
    "Inf": "inf",
    "Infinity": "inf",
    "NaN": "nan",
    "asfarray": "asarray",
}


def _advice(evalue: str) -> str:
    removed = re.search(r"module 'numpy' has no attribute '(\w+)'", evalue)
    if removed and removed[1] in RENAMED:
        return f" (NumPy 2 removed np.{removed[1]}: write np.{RENAMED[removed[1]]})"
    if "unexpected keyword argument 'newshape'" in evalue:
        return " (NumPy 2.1 renamed newshape: write np.reshape(a, shape))"
    return ""
