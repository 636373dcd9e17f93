"""The proxy that hidden tests call: ``student.f(*args)`` runs f in the kernel, through wire."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
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
    WrongAnswer,
)
from .kernel import MAX_WORDS, Kernel, Took
from .wire import Handle, Tensor

KEPT = 4_000_000  # bytes of a result that are kept for the diagnosis; right answers are smaller
LONG = 1000  # items
LOST = -1  # the origin of what only the student's kernel can make
TOO_LARGE = "a result too large to be kept"


@dataclass(frozen=True)
class Part:
    """In a remembered call: an argument that came out of an earlier call.

    The student chose its value, so no function of ours is ever run on it: a cache that asks for a
    padding of a million pixels would be our own memory and time.
    """

    origin: tuple  # (number of the call, path)


@dataclass
class Call:
    """One call that a test made: enough to make it again with another function.

    Or an assignment, ``target.assigned = args[0]``. Or, by its ``op``, a value that was put into
    the kernel, ``args[0]``, or a look at one: what functions write into their arguments is to be
    diagnosed too. Or a ``library``, or a function of the student's to be handed on (``find``), of
    the name ``target``; or a module's weights, read (``state``) or written (``set_state``).
    """

    target: str | Handle | None
    args: tuple
    kwargs: dict
    result: Any = None
    error: StudentError | WrongAnswer | None = None
    name: str = ""  # the function's, as people know it
    assigned: str | None = None
    op: str = "call"
    seen: list[tuple[tuple, Any]] = field(default_factory=list)  # (path, what the result has there)


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
    company: bool = False  # whether something that earlier cells had left was running at its begin
    why_undefined: dict[str, str] = field(default_factory=dict)
    rescued: Callable[[str], None] = lambda name: None  # told of what was stopped without guilt
    stops: Counter[str] = field(default_factory=Counter)  # how often a function hung or crashed
    kept_from: int = 0  # the first call of this test's whose result is still in the kernel
    parts: dict[int, tuple[Any, tuple]] = field(default_factory=dict)  # id: (object, its origin)

    def begin_test(self) -> None:
        self.calls, self.parts, self.kept_from = [], {}, 0
        self.deadline = float("inf")
        self.waited, self.company = self.kernel.waited, self.kernel.has_company()
        if self.kernel.alive:
            try:
                self._ask({"op": "forget"}, "the kernel")
            except StudentError:  # and nothing of this test's had been called
                self.rescued("a test")
                self.revive(calm=True)
        self.deadline = time.monotonic() + self.kernel.limits.test_seconds

    def may_be_innocent(self, error: Exception | None) -> bool:
        """Whether a call was lost, but perhaps by what an earlier cell had started.

        The first time that a function is met like that, it deserves a second try.
        """
        stopped = isinstance(error, (KernelDied, TimedOut)) and (
            self.company or not self.kernel.alive
        )
        if not stopped and not _is_lost_layer(error):
            return False
        return bool(self.calls) and self.stops[self.calls[-1].name] == 1

    def call(self, target: str | Handle, args: tuple, kwargs: dict) -> Any:
        name = self._name_of_call(target, args)
        call = Call(target, self._remembered(args), self._remembered(kwargs), name=name)
        self.calls.append(call)
        number = len(self.calls) - 1
        try:
            # a function that hangs costs its own question, not the time of those that use it
            if self.stops[name] >= self.kernel.limits.stops:
                raise GivenUp(name, self.stops[name])
            if not self.kernel.alive:
                start = time.monotonic()
                self.revive()
                self.deadline += time.monotonic() - start  # which is not this function's time
                self.kept_from = number
            request = {"op": "call", "target": target, "number": number}
            request |= {"args": self._to_send(list(args)), "kwargs": self._to_send(kwargs)}
            value = self._ask(request, name)
        except StudentError as error:
            call.error = error
            raise
        call.result = value if _weight(value) <= KEPT else TOO_LARGE
        return self._with_origins(value, number, ())

    def assign(self, handle: Handle, attribute: str, value: Any) -> None:
        name = self._name_of(handle)
        call = Call(handle, (self._remembered(value),), {}, name=name, assigned=attribute)
        self.calls.append(call)
        request = {"op": "assign", "of": handle, "key": attribute, "value": self._to_send(value)}
        try:
            self._ask(request, name)
        except StudentError as error:
            call.error = error
            raise

    def put(self, value: Any) -> Handle:
        handle = self._ask({"op": "put", "value": value}, "the kernel")
        if not isinstance(handle, Handle):
            raise UnreadableResult("the kernel", "it did not keep a value that it was given")
        handle.__dict__["origin"] = (len(self.calls), ())
        put = Call(None, (self._remembered(value),), {}, name=handle.type_name, op="put")
        self.calls.append(put)
        return handle

    def get(self, handle: Handle) -> Any:
        index, path = handle.origin
        value = self._ask({"op": "get", "of": handle}, self._name_of(handle))
        if self._was_put(index):  # it may have changed meanwhile, and may change again
            index, path = len(self.calls), ()
            look = Call(handle, (), {}, name=self.calls[-1].name, op="get")
            look.result = value if _weight(value) <= KEPT else TOO_LARGE
            self.calls.append(look)
        else:
            self._note(index, path, value)
        return self._with_origins(value, index, path)

    def load_weights(self, net: Handle, file: str) -> None:
        self._ask({"op": "load_weights", "of": net, "key": file}, f"the file {file}")

    def library(self, name: str) -> Handle:
        """A module of the kernel's, which is none of the student's."""
        usable = (*self.kernel.limits.uses, "cnnlab")
        if name.partition(".")[0] not in usable:
            raise GraderError(
                f"A hidden test takes the library {name}, but this assignment's are "
                f"{', '.join(usable)}: its hidden tests say so by USES = (…)."
            )
        return self._named("library", name)

    def find(self, name: str) -> Handle:
        return self._named("find", name)

    def _named(self, op: str, name: str) -> Handle:
        handle = self._ask({"op": op, "name": name}, name)
        if not isinstance(handle, Handle):
            raise UnreadableResult(name, "it did not stay where it was")
        handle.__dict__["origin"] = (len(self.calls), ())
        self.calls.append(Call(name, (), {}, name=name, op=op))
        return handle

    def state(self, model: Any) -> dict[str, np.ndarray]:
        found = self._state(model)
        # what nobody has set is random, and says nothing
        if any(call.op == "set_state" and call.target is model for call in self.calls):
            look = Call(model, (), {}, name=self._name_of(model), op="state")
            look.result = found if _weight(found) <= KEPT else TOO_LARGE
            self.calls.append(look)
        return found

    def _state(self, model: Any) -> dict[str, np.ndarray]:
        if not isinstance(model, Handle):
            raise WrongAnswer(f"the model should be an nn.Module, but is {_briefly(model)}.")
        found = self._ask({"op": "state", "of": model}, self._name_of(model))
        if found is None:
            raise WrongAnswer(
                f"the model should be an nn.Module, but is an object of type {model.type_name}."
            )
        if not (isinstance(found, dict) and all(isinstance(v, np.ndarray) for v in found.values())):
            raise UnreadableResult(self._name_of(model), "its weights are not a dict of tensors")
        return found

    def set_state(self, model: Any, values: Mapping[str, Any]) -> None:
        arrays = {name: _array_of(value) for name, value in values.items()}
        there = self._state(model)
        call = Call(model, (arrays,), {}, name=self._name_of(model), op="set_state")
        self.calls.append(call)
        try:
            check_state(there, arrays)
            sent = {name: Tensor(array) for name, array in arrays.items()}
            self._ask({"op": "set_state", "of": model, "value": sent}, call.name)
        except (StudentError, WrongAnswer) as error:
            call.error = error
            raise

    def length(self, handle: Handle) -> int:
        name = self._name_of(handle)
        length = self._ask({"op": "len", "of": handle}, name)
        if type(length) is not int or not 0 <= length < 2**31:
            raise UnreadableResult(name, "its length is not a number of items")
        return length

    def step(self, handle: Handle, op: str, key: Any) -> Any:
        index, path = handle.origin
        value = self._ask({"op": op, "of": handle, "key": key}, self._name_of(handle))
        origin = (LOST, ()) if self._was_put(index) else (index, (*path, (op, key)))
        self._note(*origin, value)
        return self._with_origins(value, *origin)

    def _was_put(self, index: int) -> bool:
        return 0 <= index < len(self.calls) and self.calls[index].op == "put"

    def _note(self, index: int, path: tuple, value: Any) -> None:
        """Remember a part of a result that a test looked at, for the diagnosis.

        Not an object's attributes: a net's first weights are random.
        """
        is_part = index >= 0 and all(op == "item" for op, _ in path)
        if is_part and not isinstance(value, Handle) and _weight(value) <= KEPT:
            self.calls[index].seen.append((path, value))

    def _name_of(self, handle: Handle) -> str:
        """The function that returned it, else the name of its type; of a method, Class.method."""
        index, path = handle.origin
        call = self.calls[index] if 0 <= index < len(self.calls) else None
        if call is None:
            return handle.type_name
        return ".".join([call.name, *(key for op, key in path if op == "attr")])

    def _name_of_call(self, target: str | Handle, args: tuple) -> str:
        """What is called; where a library is to call a function of the student's, that one."""
        if isinstance(target, str):
            return target
        if self._op_of(target) == "library":
            found = [arg for arg in args if isinstance(arg, Handle) and self._op_of(arg) == "find"]
            target = found[0] if found else target
        return self._name_of(target)

    def _op_of(self, handle: Handle) -> str:
        index, _ = handle.origin
        return self.calls[index].op if 0 <= index < len(self.calls) else ""

    def _remembered(self, value: Any) -> Any:
        """A copy that a test cannot change afterwards, with a Part for what the student made."""
        return self._with_parts(value, LOST, np.ndarray.copy)

    def _to_send(self, value: Any) -> Any:
        """With a Part for what is still in the kernel: a function gets its own object back, not a
        plain copy of it."""
        return self._with_parts(value, self.kept_from, lambda array: array)

    def _with_parts(self, value: Any, since: int, take: Callable[[np.ndarray], np.ndarray]) -> Any:
        """With a Part for all that came out of this call and those after it."""
        known = self.parts.get(id(value))
        if known is not None and known[1][0] >= since and self._is_there(known[1][0], since):
            return Part(known[1])
        if isinstance(value, np.ndarray):
            return take(value)
        if isinstance(value, Tensor):
            return Tensor(take(value.array), value.grad, value.dtype)
        if type(value) in (tuple, list):
            return type(value)(self._with_parts(item, since, take) for item in value)
        if isinstance(value, dict):
            return {key: self._with_parts(item, since, take) for key, item in value.items()}
        return value

    def _is_there(self, index: int, since: int) -> bool:
        """Whether the kernel has what this call gave: what a look brought was a copy."""
        return since == LOST or self.calls[index].op == "call"

    def _with_origins(self, value: Any, index: int, path: tuple) -> Any:
        """Note where each part of a result came from."""
        if isinstance(value, Handle):
            value.__dict__["origin"] = (index, path)
            return value
        if not _is_shared(value):
            # with the object itself, so that no other can have its id as long as the test runs
            self.parts[id(value)] = value, (index, path)
        for key, item in _items(value):
            self._with_origins(item, index, (*path, ("item", key)))
        return value

    def _ask(self, request: dict, name: str) -> Any:
        limits = self.kernel.limits
        left = self.deadline + (self.kernel.waited - self.waited) - time.monotonic()
        if left <= 0:
            raise TimedOut(name, limits.test_seconds)
        frames = wire.dumps(request, _reference, wire.MAX_DEPTH + wire.ENVELOPE + 1)
        try:
            frames = self.kernel.request(frames, min(limits.call_seconds, left), name)
        except TimedOut:  # the whole limit, not what was left of it
            self.stops[name] += 1
            raise TimedOut(name, min(limits.call_seconds, limits.test_seconds)) from None
        except KernelDied:
            self.stops[name] += 1
            raise
        try:
            # no deeper than what the bridge sends, so that all of it can be sent back
            answer = wire.loads(frames, self._handle, wire.MAX_DEPTH + 1)
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
                error = StudentRaised(name, ename[:100], words, where[:200])
                self.stops[name] += _is_lost_layer(error)
                raise error
        raise UnreadableResult(name, "it is not a value")

    def _handle(self, reference: dict) -> Handle:
        if reference["t"] != "handle":  # only the grader writes those
            raise wire.WireError("it names a part of another result")
        return Handle(reference["id"], reference["type"][:100], self, (LOST, ()))


class Student:
    """What tests hold: every attribute is a function of the student's notebook.

    ``put(value)`` leaves a value in the kernel and returns its Handle; ``get(handle)`` brings the
    value back. With them a test sees whether a function changed its inputs.
    ``timed(name, *args)`` calls a function and says how long it took.
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

    def load_weights(self, net: Handle, file: str) -> None:
        """Give a net the weights from a file that was handed in beside the notebook.

        The kernel reads it, by cnnlab.weights, or for an nn.Module by cnnlab.torch_weights; no
        byte of it comes here.
        """
        self._session.load_weights(net, file)

    def library(self, name: str) -> Handle:
        """A module in the kernel, to build models, optimizers or arguments there.

        One of the assignment's USES or of cnnlab: ``student.library("torch.nn").Linear(3, 2)``.
        """
        return self._session.library(name)

    def find(self, name: str) -> Handle:
        """A function of the student's, to be handed on: to a library that launches it, say."""
        return self._session.find(name)

    def state(self, model: Handle) -> dict[str, np.ndarray]:
        """Copies of an nn.Module's weights and buffers, by their names in its state_dict.

        A batch norm's num_batches_tracked, which is no weight, is left out. Raises WrongAnswer for
        what is no nn.Module.
        """
        return self._session.state(model)

    def set_state(self, model: Handle, values: Mapping[str, Any]) -> None:
        """Give an nn.Module these weights (arrays or Tensors), by name: all that it has, no other.

        They take the dtype of what is there. Raises WrongAnswer where names or shapes do not fit.
        """
        self._session.set_state(model, values)

    def timed(self, name: str, *args: Any) -> tuple[Any, Took]:
        """Call a function: (what it returned, how long it took).

        Timed from outside, from the sending of the call to its reply; no clock in the kernel is
        asked. Arguments and results travel within that time.
        """
        value = self._session.call(name, args, {})
        return value, self._session.kernel.took


def check_state(there: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray]) -> None:
    """Raise WrongAnswer unless a module's state has these names and shapes."""
    missing, other = values.keys() - there.keys(), there.keys() - values.keys()
    if missing or other:
        names = ", ".join(values)
        found = ", ".join(name[:40] for name in list(there)[:20]) or "none"
        raise WrongAnswer(
            f"the model's weights should be called {names}, but it has {found}. The names come "
            "from its attributes: self.conv = nn.Conv2d(…) makes conv.weight and conv.bias."
        )
    for name, value in values.items():
        if there[name].shape != value.shape:
            raise WrongAnswer(
                f"{name} of the model has the shape {there[name].shape}, but should have "
                f"{value.shape}."
            )


def _array_of(value: Any) -> np.ndarray:
    return np.array(value.array if isinstance(value, Tensor) else value)


def _briefly(value: Any) -> str:
    return "None (is there a return?)" if value is None else f"a {type(value).__name__}"


def _is_lost_layer(error: Exception | None) -> bool:
    """Whether a layer that the grader supplies was lost, says the kernel (see ``supplied``)."""
    return isinstance(error, StudentRaised) and error.ename == "LayerLost"


def _reference(obj: Any) -> dict:
    if isinstance(obj, Handle):
        return {"t": "handle", "id": obj.handle_id, "type": obj.type_name}
    if isinstance(obj, Part):
        call, path = obj.origin
        return {"t": "part", "call": call, "path": [list(step) for step in path]}
    raise GraderError(f"a hidden test passes a {type(obj).__name__}, which cannot be sent")


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    """What a container holds, with its keys; of a long list, only what is not a mere number."""
    pairs = value.items() if isinstance(value, dict) else ()
    pairs = enumerate(value) if isinstance(value, (tuple, list)) else pairs
    if isinstance(value, (tuple, list, dict)) and len(value) > LONG:
        return ((key, item) for key, item in pairs if not isinstance(item, (int, float, str)))
    return pairs


def _is_shared(value: Any) -> bool:
    """Whether Python has one object for it everywhere: None, small numbers, short texts, ()."""
    if isinstance(value, int):
        return -1000 < value < 1000
    return (
        value is None
        or isinstance(value, np.bool_)
        or (isinstance(value, (str, tuple)) and len(value) < 2)
    )


def _weight(value: Any) -> int:
    """About how many bytes a result takes."""
    if isinstance(value, Tensor):
        return value.array.nbytes
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, str):
        return len(value)
    if isinstance(value, (tuple, list)):
        return 64 * len(value) + sum(map(_weight, value))
    if isinstance(value, dict):
        return 128 * len(value) + sum(map(_weight, value.values()))
    return 32


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
