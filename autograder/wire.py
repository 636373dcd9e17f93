"""Arrays and plain values to bytes and back: all that passes between the grader and a kernel.

This file runs on both sides: in the grader, and in the kernel beside the student's code (so it
imports NumPy and the standard library only, and holds no secret). A value becomes a JSON tree
and a list of buffers. Arrays travel as raw bytes with dtype and shape in the tree, not as ``.npy``:
so the reader can compare the claimed size with the bytes that came before it allocates anything.
Never pickle.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

DTYPE = re.compile(r"[<>|=]?(\?|[biufc]\d{1,2})")
TORCH_DTYPE = re.compile(r"[a-z][a-z0-9_]{0,23}")
NUMBER_KINDS = "biufc"  # bool, int, uint, float, complex: no objects, no records, no dates
MAX_DEPTH = 16
MAX_ITEMS = 100_000
MAX_TEXT = 10_000
MAX_JSON = 1 << 20  # bytes; parsed, it takes up to thirty times as much
MAX_INT = 2**63
MAX_DIGITS, MAX_FRAMES = 3, 200  # of a message through a connection
ENVELOPE = 2  # levels of what was sent: the bridge's own dict around it, a short row inside it
SHALLOW = 1  # a result's own items come back as values; what lies deeper stays behind a Handle,
SMALL = 16  # but for short rows of plain numbers: a shape is a value wherever it is


class WireError(ValueError):
    """The bytes are not what ``dumps`` writes."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """Stands, in the grader, for a PyTorch tensor: its numbers, in an array.

    Sent, it arrives in the kernel as a tensor of the array's dtype on the CPU, which asks for
    gradients where ``grad`` says so; a tensor that a student returns comes back as one. ``dtype``
    is torch's name for what the numbers were: a bfloat16's come as float32.
    """

    array: np.ndarray
    grad: bool = False
    dtype: str = ""

    __array__ = None  # a test has to say that it wants a tensor: compare.tensor(came, name)

    def __post_init__(self) -> None:
        object.__setattr__(self, "array", np.asarray(self.array))
        object.__setattr__(self, "dtype", self.dtype or self.array.dtype.name)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape


class Handle:
    """Stands, in the grader, for an object that stays in the kernel.

    A test can pass it back as an argument, index it, call it, take its length, read its attributes
    and assign to them; each of these asks the kernel. (An attribute that is a plain value, such as
    a dict of arrays, comes as a copy: changing the copy changes nothing, assigning it does.)
    ``type_name`` is the name of the object's class, as the kernel tells it. ``origin`` says how it
    was come by: (number of the call, path).
    """

    def __init__(self, handle_id: int, type_name: str, owner: Any = None, origin: Any = None):
        self.__dict__.update(handle_id=handle_id, type_name=type_name, owner=owner, origin=origin)

    def __repr__(self) -> str:
        return f"<Handle to a {self.type_name}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # NumPy, copy and pytest look for protocols: not the kernel's
            raise AttributeError(name)
        return self.owner.step(self, "attr", name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.owner.assign(self, name, value)

    def __getitem__(self, key: Any) -> Any:
        return self.owner.step(self, "item", key)

    def __len__(self) -> int:
        return self.owner.length(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.owner.call(self, args, kwargs)

    __iter__ = None  # unpack() says what is wrong in a learner's words; endless indexing does not
    __array__ = None  # NumPy must not try to look inside


def dumps(
    value: Any,
    keep: Callable[[Any], dict] | None = None,
    depth: int = MAX_DEPTH,
    tensor: Callable[[Any], Tensor | None] = lambda value: None,
) -> list[bytes]:
    """Write a value as [JSON, buffer, buffer, …].

    ``keep(obj)`` is asked for the reference of everything that has no plain form, or lies deeper
    than ``depth`` containers. Without it such a value raises WireError. ``tensor(obj)`` is asked
    first: what is a tensor to it travels as the Tensor that it gives.
    """
    buffers: list[bytes] = []
    tree = _to_tree(value, buffers, _Forms(keep or _refuse, tensor), depth)
    return [json.dumps(tree, allow_nan=False).encode(), *buffers]


def _no_reference(reference: dict) -> Any:
    raise WireError("it names an object of another process")


def loads(
    frames: list[bytes],
    resolve: Callable[[dict], Any] = _no_reference,
    depth: int = MAX_DEPTH + ENVELOPE,
    tensor: Callable[[Tensor], Any] = lambda tensor: tensor,
) -> Any:
    """Read what ``dumps`` wrote. Raises WireError for anything else, without allocating much.

    ``resolve(reference)`` turns the references of ``keep`` into objects; by default there may be
    none. ``tensor(came)`` makes of each Tensor what this side has for it. What is read can be
    written again: nothing in it is larger, or deeper, than ``dumps`` takes.
    """
    if frames and len(frames[0]) > MAX_JSON:
        raise WireError(f"{len(frames[0]) / 1e6:.0f} MB of JSON, where arrays travel beside it")
    try:
        tree = json.loads(bytes(frames[0]))
    except (ValueError, IndexError, RecursionError) as error:
        raise WireError(f"not JSON: {error}") from None
    return _from_tree(tree, dict(enumerate(frames[1:])), _Objects(resolve, tensor), depth)


def send(connection: Any, frames: list[bytes]) -> None:
    """Send frames through a ``multiprocessing.connection.Connection``, which carries bytes."""
    connection.send_bytes(str(len(frames)).encode())
    for frame in frames:
        connection.send_bytes(frame)


def receive(connection: Any, most: int) -> list[bytes]:
    """The next frames, of at most that many bytes together. Raises EOFError or OSError.

    After an error the connection is good for nothing: what comes next may be the rest of a frame.
    """
    count = connection.recv_bytes(MAX_DIGITS)
    if not (count.isdigit() and int(count) <= MAX_FRAMES):
        raise OSError("not the number of frames")
    frames: list[bytes] = []
    for _ in range(int(count)):
        frames.append(connection.recv_bytes(max(0, most - sum(map(len, frames)))))
    return frames


def _refuse(obj: Any) -> dict:
    raise WireError(f"a {type(obj).__name__} cannot be sent")


@dataclass(frozen=True)
class _Forms:
    """What a value without a plain form becomes when it is written."""

    keep: Callable[[Any], dict]
    tensor: Callable[[Any], Tensor | None]


@dataclass(frozen=True)
class _Objects:
    """And what such forms become when they are read."""

    resolve: Callable[[dict], Any]
    tensor: Callable[[Tensor], Any]


PLAIN = (int, float, str, tuple, list, dict)


def _as_plain(value: Any) -> Any:
    """An IntEnum as its int, a namedtuple as its tuple, a defaultdict as its dict."""
    # np.float64 is a float too, and keeps its dtype
    if type(value) in (bool, *PLAIN) or isinstance(value, np.generic):
        return value
    return next((base(value) for base in PLAIN if isinstance(value, base)), value)


def _to_tree(value: Any, buffers: list[bytes], forms: _Forms, depth: int) -> Any:
    tensor = value if type(value) is Tensor else forms.tensor(value)
    if tensor is not None:
        return {
            "t": "tensor",
            "v": _of_array(tensor.array, buffers),
            "grad": tensor.grad,
            "of": tensor.dtype,
        }
    given, value = value, _as_plain(value)
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is int and -MAX_INT <= value < MAX_INT:
        return value
    if kind is str and len(value) <= MAX_TEXT:
        return value
    if kind is float:
        return value if np.isfinite(value) else {"t": "float", "v": repr(value)}
    # of a subclass, its plain numbers: what it says of its own dtype and shape does not count
    array = np.asarray(value) if isinstance(value, (np.ndarray, np.generic)) else None
    if array is not None and array.dtype.kind in NUMBER_KINDS:
        return _of_array(array, buffers, "scalar" if isinstance(value, np.generic) else "array")
    if depth >= 0 and kind in (tuple, list, dict) and len(value) <= MAX_ITEMS:
        items = [list(pair) for pair in value.items()] if kind is dict else list(value)
        if depth > 0 and kind is not dict:
            return {
                "t": kind.__name__,
                "v": [_to_tree(item, buffers, forms, depth - 1) for item in items],
            }
        if depth > 0 and all(type(key) is str for key, _ in items):
            return {
                "t": "dict",
                "v": [[key, _to_tree(item, buffers, forms, depth - 1)] for key, item in items],
            }
    short = type(given) in (tuple, list) and len(given) <= SMALL
    if depth == 0 and short and all(map(_is_plain, given)):
        return {"t": kind.__name__, "v": [_to_tree(item, buffers, forms, 0) for item in given]}
    return forms.keep(given)  # a namedtuple that is a cache comes back as one


def _of_array(array: np.ndarray, buffers: list[bytes], what: str = "array") -> dict:
    buffers.append(array.tobytes())  # C order, whatever the strides were
    return {
        "t": what,
        "dtype": array.dtype.str,
        "shape": list(array.shape),
        "buffer": len(buffers) - 1,
    }


def _is_plain(value: Any) -> bool:
    return value is None or type(value) in (bool, int, float, str)


def _from_tree(tree: Any, buffers: dict[int, bytes], objects: _Objects, depth: int) -> Any:
    if tree is None or isinstance(tree, (bool, float)):
        return tree
    if isinstance(tree, int):
        if not -MAX_INT <= tree < MAX_INT:
            raise WireError("an integer of more than 64 bits")
        return tree
    if isinstance(tree, str):
        if len(tree) > MAX_TEXT:
            raise WireError(f"a text of {len(tree)} characters")
        return tree
    if not isinstance(tree, dict) or depth < 0:
        raise WireError(f"a {type(tree).__name__} where a value should be, or nested too deeply")
    match tree:
        case {"t": "float", "v": "nan" | "inf" | "-inf" as text}:
            return float(text)
        case {"t": "array" | "scalar" as what, "dtype": dtype, "shape": shape, "buffer": index}:
            array = _array(dtype, shape, index, buffers)
            return array[()] if what == "scalar" and array.ndim == 0 else array
        case {"t": "tensor", "v": dict(form), "grad": bool(grad), "of": str(name)}:
            return objects.tensor(_tensor(form, grad, name, buffers))
        case {"t": "tuple" | "list" as what, "v": list(items)} if len(items) <= MAX_ITEMS:
            values = [_from_tree(item, buffers, objects, depth - 1) for item in items]
            return tuple(values) if what == "tuple" else values
        case {"t": "dict", "v": list(pairs)} if len(pairs) <= MAX_ITEMS:
            result = {}
            for pair in pairs:
                if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)):
                    raise WireError("a dict's items must be pairs with text keys")
                result[pair[0]] = _from_tree(pair[1], buffers, objects, depth - 1)
            return result
        case {"t": "handle", "id": int(number), "type": str()} if abs(number) < MAX_INT:
            return objects.resolve(tree)
        case {"t": "part", "call": int(), "path": list()}:
            return objects.resolve(tree)
    raise WireError(f"unknown kind of value {str(tree.get('t'))[:40]!r}")


def _tensor(form: dict, grad: bool, name: str, buffers: dict[int, bytes]) -> Tensor:
    if not TORCH_DTYPE.fullmatch(name):
        raise WireError(f"a tensor's dtype {name[:20]!r}")
    match form:
        case {"t": "array", "dtype": dtype, "shape": shape, "buffer": index}:
            return Tensor(_array(dtype, shape, index, buffers), grad, name)
    raise WireError("a tensor without an array")


def _array(dtype: Any, shape: Any, index: Any, buffers: dict[int, bytes]) -> np.ndarray:
    def whole(number: Any) -> bool:
        return type(number) is int and 0 <= number < MAX_INT

    # NumPy reads many more names, some with a warning
    if not (isinstance(dtype, str) and DTYPE.fullmatch(dtype)):
        raise WireError(f"the dtype is {str(dtype)[:20]!r}, which is not a number's")
    try:
        numpy_type = np.dtype(dtype)
    except TypeError:
        raise WireError(f"unknown dtype {dtype!r}") from None
    if not (isinstance(shape, list) and len(shape) <= 32 and all(map(whole, shape))):
        raise WireError("the shape is not a list of sizes")
    if not (whole(index) and index in buffers):
        raise WireError("the buffer is missing, or was used before")
    count = 1
    for size in shape:
        count *= size
    data = bytes(buffers.pop(index))  # each once, or a small message could name one a million times
    if count * numpy_type.itemsize != len(data):
        raise WireError(f"{len(data)} bytes cannot fill shape {tuple(shape)} of {dtype}")
    try:
        # a copy, so that tests get an ordinary writable array
        return np.frombuffer(data, numpy_type).reshape(shape).copy()
    except ValueError:  # nothing, but of a huge size: (0, 2**40, 2**40)
        raise WireError("NumPy has no array of that shape") from None
