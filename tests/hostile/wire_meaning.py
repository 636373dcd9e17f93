"""What a reply means, read without the grader's own code, and whether it is the right answer.

This is the second opinion of the fuzzer: a test may pass only where this says that every value
which the test compares is the right one.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from wire_stand_in import Exchange, StandIn

NOTHING = object()  # a reply that means nothing
ROOM = {2: 1.1e-2, 4: 1.1e-4}  # relative, by the size of a float; else 1.1e-6


def meaning(frames: list[bytes], kernel: StandIn) -> Any:
    """{"value": …} or {"ename": …} with plain lists and arrays in it, or NOTHING."""
    try:
        return _value(json.loads(bytes(frames[0])), frames[1:], kernel, 0)
    except Exception:
        return NOTHING


def _value(tree: Any, buffers: list[bytes], kernel: StandIn, depth: int) -> Any:
    if not isinstance(tree, dict):
        return tree if not isinstance(tree, list) else NOTHING
    kind = tree["t"]
    if kind == "float":
        return float(tree["v"])
    if kind in ("array", "scalar"):
        data = bytes(buffers[tree["buffer"]])
        return np.ndarray(tuple(tree["shape"]), np.dtype(tree["dtype"]), data)
    if kind == "handle":
        return kernel.held(tree["id"]) if tree["id"] in kernel.bridge._kept else NOTHING
    if kind == "dict":
        return {key: _value(item, buffers, kernel, depth + 1) for key, item in tree["v"]}
    assert kind in ("list", "tuple") and depth < 40
    return [_value(item, buffers, kernel, depth + 1) for item in tree["v"]]


def is_right(
    parts: dict[str, tuple | None], exchanges: list[Exchange], clean: list[Exchange], kernel, before
) -> bool:
    """Whether all that a test compares means what the right answers mean.

    ``parts`` tells for each function which items of its result are compared: None for all of it,
    () for nothing. ``kernel`` holds the objects of this run, ``before`` those of the clean one.
    """
    ours, right = _calls(exchanges), _calls(clean)
    if len(ours) != len(right):
        return False
    for a, b in zip(ours, right, strict=True):
        compared = parts.get(b.target, ()) if b.op == "call" else None
        if compared == ():
            continue
        actual, expected = meaning(a.sent, kernel), meaning(b.answer, before)
        if a.target != b.target or not _same_reply(actual, expected, compared):
            return False
    return True


def _calls(exchanges: list[Exchange]) -> list[Exchange]:
    """The calls, and of the values that were fetched those of the arguments left in the kernel."""
    held = sum(e.op == "put" for e in exchanges)
    fetched = [e for e in exchanges if e.op == "get"]
    return [e for e in exchanges if e.op == "call"] + (fetched[-held:] if held else [])


def _same_reply(actual: Any, expected: Any, compared: tuple | None) -> bool:
    if not isinstance(actual, dict) or not isinstance(expected, dict):
        return False
    if "ename" in expected:
        return actual.get("ename") == expected["ename"]
    if "value" not in actual:
        return False
    actual, expected = actual["value"], expected["value"]
    if compared is None:
        return same_numbers(actual, expected)
    if not isinstance(actual, (list, tuple)) or len(actual) != len(expected):
        return False
    return all(same_numbers(actual[i], expected[i]) for i in compared)


def same_numbers(actual: Any, expected: Any) -> bool:
    try:
        a, b = _numbers(actual), _numbers(expected)
    except Exception:
        return False
    if a.shape != b.shape or a.dtype.kind not in "biufc":
        return False
    sizes = [x.dtype.itemsize for x in (a, b) if x.dtype.kind == "f"]
    room = max([ROOM.get(size, 1.1e-6) for size in sizes], default=1.1e-6)
    with np.errstate(all="ignore"):
        a, b = a.astype(np.clongdouble), b.astype(np.clongdouble)
        largest = np.abs(b).max(initial=0) or 1
        return bool(np.all(np.abs(a - b) <= room * (np.abs(b) + largest)))


def _numbers(value: Any) -> np.ndarray:
    """Lists as the array that they spell; a bare number as an array without axes."""
    if isinstance(value, (list, tuple)):
        return np.array([_numbers(item) for item in value])
    return np.asarray(value)
