"""Changes to a bridge's reply: to its JSON tree, its text, its buffers, its frames, its values.

A change takes (rng, frames) and returns new frames. Those in HONEST do not change what is meant:
a fair grader gives the same score for them.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from autograder import wire

Frames = list[bytes]
HUGE_INT, LONG = 10**4000, "x" * 20_000
DTYPES = [
    *("<f8", ">f8", "<f4", "<f2", "<c16", "<c8", "<i8", ">i4", "<i1", "|b1", "?", "<u8", "|u1"),
    *("<f16", "<c32", "O", "|O8", "V8", "<U2", "S8", "M8[s]", "m8", "f8,i4", "2f8", "e", "g", "G"),
    *("", ",", "{}", "\ud800", "a", "?8", "b99", "n", "p", "<f8" * 9),
]
HANDLE = {"t": "handle", "id": 1, "type": "tuple"}
NASTY: list[Any] = [
    *(None, True, False, -1, 0, 1, 7, 2**31, 2**63, 2**64, -(2**70), HUGE_INT, 1.5, 1e308, -0.0),
    *("", "x", "\ud800", "\x00", LONG, "value", "nan", "array", [], {}, [[]], [1], {"t": "list"}),
    *(HANDLE, {**HANDLE, "id": HUGE_INT}, {**HANDLE, "type": LONG}, {**HANDLE, "type": "\ud83d"}),
    *({**HANDLE, "id": True}, {**HANDLE, "id": -5}, {"t": "float", "v": "nan"}),
    {"t": "array", "dtype": "<f8", "shape": [0, 2**40], "buffer": 0},
    {"t": "dict", "v": [["type_name", 1], ["shape", 2]]},
    {"t": "tuple", "v": [{"t": "dict", "v": [["stride", 0], ["pad", -3]]}] * 4},
]


def nodes(tree: Any, path: tuple = ()) -> Iterator[tuple]:
    """The paths of all places in a JSON tree."""
    yield path
    if isinstance(tree, (dict, list)):
        for key, item in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from nodes(item, (*path, key))


def at(tree: Any, path: tuple) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def put(tree: Any, path: tuple, value: Any) -> Any:
    if not path:
        return value
    at(tree, path[:-1])[path[-1]] = value
    return tree


def pick(rng, options: list) -> Any:
    return options[int(rng.integers(len(options)))]


def place(rng, tree: Any, kind: type | tuple = object) -> tuple:
    """The path of a place that holds this kind of thing; () where there is none."""
    return pick(rng, [p for p in nodes(tree) if p and isinstance(at(tree, p), kind)] or [()])


def arrays(tree: Any) -> list[dict]:
    found = [at(tree, path) for path in nodes(tree)]
    return [n for n in found if isinstance(n, dict) and n.get("t") in ("array", "scalar")]


def on_tree(change: Callable) -> Callable[..., Frames]:
    def changed(rng, frames: Frames) -> Frames:
        tree = change(rng, json.loads(frames[0]))
        return [json.dumps(tree).encode(), *frames[1:]]

    changed.__name__ = change.__name__
    return changed


# -- the tree ---------------------------------------------------------------------------------


@on_tree
def replaces_a_place(rng, tree):
    return put(tree, place(rng, tree), copy.deepcopy(pick(rng, NASTY)))


@on_tree
def replaces_the_value(rng, tree):
    if tree.get("t") == "dict" and tree["v"] and tree["v"][0][0] == "value":
        tree["v"][0][1] = copy.deepcopy(pick(rng, NASTY))
    return tree


@on_tree
def replaces_an_item(rng, tree):
    """One item of the result, such as the cache, whose values go back to the kernel later."""
    items = [p for p in nodes(tree) if isinstance(at(tree, p), dict) and "t" in at(tree, p)]
    return put(tree, pick(rng, items), copy.deepcopy(pick(rng, NASTY)))


@on_tree
def deletes_a_key(rng, tree):
    owner = at(tree, place(rng, tree, dict))
    if isinstance(owner, dict) and owner:
        del owner[pick(rng, list(owner))]
    return tree


@on_tree
def swaps_two_places(rng, tree):
    a, b = place(rng, tree), place(rng, tree)
    if a[: len(b)] == b or b[: len(a)] == a:
        return tree
    x, y = at(tree, a), at(tree, b)
    return put(put(tree, a, y), b, x)


@on_tree
def nests_a_place(rng, tree):
    path, depth = place(rng, tree), pick(rng, [1, 2, 14, 15, 16, 17, 18, 19, 60, 300])
    value = at(tree, path)
    for _ in range(depth):
        value = {"t": "list", "v": [value]} if rng.random() < 0.7 else [value]
    return put(tree, path, value)


@on_tree
def repeats_an_item(rng, tree):
    """The same thing many times: an array that is sent once and named a thousand times."""
    holder = at(tree, place(rng, tree, list))
    if isinstance(holder, list) and holder:
        holder += [pick(rng, holder)] * pick(rng, [1, 2, 50, 3000])
    return tree


def _on_array(change: Callable) -> Callable[..., Frames]:
    def changed(rng, tree):
        found = arrays(tree)
        if found:
            change(rng, pick(rng, found))
        return tree

    changed.__name__ = change.__name__
    return on_tree(changed)


@_on_array
def changes_a_dtype(rng, node):
    node["dtype"] = pick(rng, DTYPES)


@_on_array
def changes_a_shape(rng, node):
    shape = node["shape"]
    node["shape"] = pick(
        rng,
        [
            *(shape[::-1], [*shape, 1], [1, *shape], shape[1:], [-1], [0], [0, *shape], []),
            *([int(np.prod(shape))], [True, *shape], [1.0, *shape], [*shape, 0, 2**62], None),
            *([2**62, 0, 2**62], [2**32] * 2, [HUGE_INT], [1] * 32 + shape, [1] * 70, [[]], "3"),
        ],
    )


@_on_array
def changes_a_buffers_number(rng, node):
    node["buffer"] = pick(rng, [-1, 0, 1, 2, 3, 2**31, HUGE_INT, True, 0.0, None, "0", [0]])


@_on_array
def scalar_for_array(rng, node):
    node["t"] = "scalar" if node["t"] == "array" else "array"


def answers_otherwise(rng, frames):
    long = pick(rng, ["x", LONG * 40, "\ud800\x1b[31m<script>", HUGE_INT, None, ["ValueError"], {}])
    return wire_dict(
        pick(
            rng,
            [
                {"missing": long},
                {"ename": "ValueError", "evalue": long, "where": "x"},
                {"ename": long, "evalue": "", "where": long},
                {"ename": "?", "evalue": "", "where": ""},
                {"ename": "NotImplementedError", "evalue": "", "where": ""},
                {"value": 1, "ename": "x", "evalue": "x", "where": "x"},
                {"value": 1, "score": 100},
                {},
                {"value": HUGE_INT - 1},
            ],
        )
    )


def wire_dict(items: dict[str, Any]) -> Frames:
    plain = {k: [] if isinstance(v, (list, dict)) else v for k, v in items.items()}
    return [json.dumps({"t": "dict", "v": [list(pair) for pair in plain.items()]}).encode()]


# -- the text ---------------------------------------------------------------------------------

WORDS = [
    *(b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"1" * 5000, b"9" * 4300, b"1" * 400),
    *(b'"\\ud800"', b'"\\ud83d\\ude00"', b"[" * 3000, b"[" * 600 + b"]" * 600, b"nul", b"", b"0x1"),
    *(b"-0", b"1e-999", b"18446744073709551616", b"0.1e1", b'{"t":"list","v":' * 500),
]


def writes_a_word(rng, frames):
    """A number, or a text, written as only text can be: NaN, 1e999, five thousand digits."""
    tree = json.loads(frames[0])
    path = place(rng, tree, (int, float, str, dict))
    text = json.dumps(put(tree, path, "@@")).encode()
    return [text.replace(b'"@@"', pick(rng, WORDS)), *frames[1:]]


def flips_text(rng, frames):
    text = bytearray(frames[0])
    for _ in range(int(rng.integers(1, 5))):
        text[int(rng.integers(len(text)))] = int(rng.integers(256))
    return [bytes(text), *frames[1:]]


def cuts_text(rng, frames):
    return [frames[0][: int(rng.integers(len(frames[0])))], *frames[1:]]


def encodes_otherwise(rng, frames):
    encoding = pick(rng, ["utf-16", "utf-32", "utf-8-sig", "utf-7", "utf-16-be"])
    return [frames[0].decode().encode(encoding), *frames[1:]]


def doubles_a_key(rng, frames):
    """The first of two equal keys loses, as in every reader of JSON in Python."""
    word = pick(rng, [b'"t": "list", ', b'"shape": [9], ', b'"v": 0, ', b'"dtype": "O", '])
    return [frames[0].replace(b"{", b"{" + word), *frames[1:]]


# -- buffers and frames -----------------------------------------------------------------------


def _on_buffer(change: Callable) -> Callable[..., Frames]:
    def changed(rng, frames: Frames) -> Frames:
        if len(frames) < 2:
            return frames
        which = int(rng.integers(1, len(frames)))
        return [*frames[:which], change(rng, frames[which]), *frames[which + 1 :]]

    changed.__name__ = change.__name__
    return changed


@_on_buffer
def cuts_a_buffer(rng, data):
    return data[: int(rng.integers(len(data) + 1))]


@_on_buffer
def extends_a_buffer(rng, data):
    return data + bytes(pick(rng, [1, 4, 8, len(data), 1 << 20]))


@_on_buffer
def flips_bits(rng, data):
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        if changed:
            changed[int(rng.integers(len(changed)))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


@_on_buffer
def fills_a_buffer(rng, data):
    return pick(rng, [b"\xff", b"\x00", b"\x7f", b"\x01"]) * len(data)


def swaps_buffers(rng, frames):
    order = rng.permutation(len(frames) - 1)
    return [frames[0], *(frames[1 + int(i)] for i in order)]


def other_frames(rng, frames):
    return pick(
        rng,
        [
            [],
            [b""],
            frames[1:],
            frames[:1],
            frames[::-1],
            [*frames, *[b"x"] * 5000],
            [b"{}"] * 2000,
            [frames[0] + b" " * (2 << 20), *frames[1:]],
            [b"[" + b'{"":[]},' * 100_000 + b"0]"],
        ],
    )


def large_array(rng, frames):
    """Of the largest size that a reply may have, in place of the result or of its first item."""
    code, size = pick(rng, [("|i1", 1), ("<f8", 8), ("|b1", 1), ("<f2", 2), ("<i8", 8), ("<c8", 8)])
    data = bytes(60_000_000)
    shape = pick(
        rng, [[len(data) // size], [len(data) // size // 4, 4], [1, 1, 1, len(data) // size]]
    )
    node = {"t": "array", "dtype": code, "shape": shape, "buffer": 0}
    pair = {"t": "tuple", "v": [node, pick(rng, [1, HANDLE, None])]}
    value = pick(rng, [node, pair, {"t": "list", "v": [node]}])
    tree = {"t": "dict", "v": [["value", value]]}
    return [json.dumps(tree).encode(), data]


def array_of_many_names(rng, frames):
    """One buffer of a megabyte, named ten thousand times."""
    node = {"t": "array", "dtype": "|i1", "shape": [1 << 20], "buffer": 0}
    value = {"t": "list", "v": [node] * 10_000}
    return [json.dumps({"t": "dict", "v": [["value", value]]}).encode(), bytes(1 << 20)]


def rows_that_grow(rng, frames):
    """Many rows of bytes and one of the widest complex numbers: an array of them all is large."""
    row, count = 100_000, 400
    nodes = [{"t": "array", "dtype": "|b1", "shape": [row], "buffer": i + 1} for i in range(count)]
    nodes.append({"t": "array", "dtype": "<c32", "shape": [row], "buffer": 0})
    value = {"t": "list", "v": nodes}
    pair = {"t": "tuple", "v": [value, None]}
    tree = {"t": "dict", "v": [["value", pick(rng, [value, pair])]]}
    return [json.dumps(tree).encode(), bytes(row * 32), *[bytes(row)] * count]


def bomb_for_a_cache(rng, frames):
    """A cache of plain values, which would be gigabytes or hours for who computes with it."""
    x = np.ones((2, 3, 5, 5))
    w = np.ones((4, 3, 3, 3))
    conv = {"stride": pick(rng, [1, 1, 0, -1]), "pad": pick(rng, [700, 1500, 10**9, HUGE_INT])}
    pool = {"pool_height": 10**7, "pool_width": 10**7, "stride": 1}
    many = np.broadcast_to(np.ones(1, np.int8), (10**6, 10, 1, 1))
    cache = pick(
        rng, [(x, w, np.ones(4), conv), (x, pool), (many, w, np.ones(4), conv), many, 10**18]
    )
    value = {"value": (np.zeros((2, 4, 5, 5)), cache)}
    big = lambda obj: obj  # noqa: E731 (a huge int: its digits, which the bridge would not send)
    return wire.dumps(value, big, depth=8)


# -- values -----------------------------------------------------------------------------------


def on_values(change: Callable) -> Callable[..., Frames]:
    """Read the reply, change its value, write it again; handles stay what they were."""

    def changed(rng, frames: Frames) -> Frames:
        handles = []

        def resolve(reference):
            handles.append(Reference(reference))
            return handles[-1]

        answer = wire.loads(frames, resolve)
        if not isinstance(answer, dict) or "value" not in answer:
            return frames
        value = change(rng, answer["value"])
        return wire.dumps({"value": value}, lambda obj: obj.reference, depth=20)

    changed.__name__ = change.__name__
    return changed


class Reference:
    def __init__(self, reference):
        self.reference = reference


def on_numbers(change: Callable) -> Callable[..., Frames]:
    """Change each array or number of the result, not those inside handles."""

    def over(rng, value):
        if isinstance(value, (tuple, list)):
            return type(value)(over(rng, item) for item in value)
        if isinstance(value, (np.ndarray, np.generic, int, float)) and type(value) is not bool:
            return change(rng, value)
        return value

    over.__name__ = change.__name__
    return on_values(over)


def on_one_entry(change: Callable) -> Callable[..., Frames]:
    def changed(rng, value):
        array = np.array(value, np.float64)
        if array.size:
            array.flat[int(rng.integers(array.size))] = change(rng, float(array.max()))
        return array if isinstance(value, np.ndarray) else array[()]

    changed.__name__ = change.__name__
    return on_numbers(changed)


@on_one_entry
def one_entry_is_odd(rng, largest):
    return pick(rng, [np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 0.0, largest + 1])


@on_numbers
def off_by_a_factor(rng, value):
    return value * (1 + pick(rng, [1e-5, -1e-5, 1e-3, 0.1, -1, 1, -2, 1e6]))


@on_numbers
def off_by_an_amount(rng, value):
    return value + pick(rng, [1, -1, 0.5, 1e-3, np.float16(1), 1e300])


@on_numbers
def transposed(rng, value):
    array = np.atleast_1d(value)
    return pick(rng, [array.T, array[::-1], array[None], array.ravel(), array.reshape(-1, 1)])


@on_numbers
def cast_with_loss(rng, value):
    with np.errstate(all="ignore"):
        kind = pick(rng, ["f2", "i8", "i1", "u2", "?", "c8", "c16", "c32", ">f2", "u8"])
        return np.asarray(value).astype(kind)


@on_numbers
def grown(rng, value):
    with np.errstate(all="ignore"):
        return np.asarray(value).astype(np.longdouble) * np.longdouble("1e4000")


@on_numbers
def emptied(rng, value):
    return np.asarray(value)[..., :0] if np.ndim(value) else np.zeros(0)


@on_numbers
def as_text_or_truth(rng, value):
    return pick(rng, [str(np.ravel(value)[:1]), True, np.True_, None, [value], (value,), [[]], ()])


@on_values
def in_another_box(rng, value):
    items = list(value) if isinstance(value, (tuple, list)) else [value]
    return pick(
        rng,
        [
            {str(i): item for i, item in enumerate(items)},
            [items],
            (*items, None),
            items[:-1],
            items[::-1],
            items[0] if items else None,
            None,
        ],
    )


# -- the same in another dress ----------------------------------------------------------------


@on_values
def list_for_tuple(rng, value):
    return list(value) if isinstance(value, tuple) else value


@on_numbers
def nested_lists_for_arrays(rng, value):
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


@on_numbers
def tuples_of_arrays(rng, value):
    return tuple(value) if isinstance(value, np.ndarray) and value.ndim > 1 else value


@on_numbers
def another_float(rng, value):
    if isinstance(value, (int, np.integer)):
        return pick(rng, [np.float64(value), float(value), np.array(float(value))])
    return np.asarray(value).astype(pick(rng, ["<f4", ">f4", "<f16", ">f8", "<f8"]))


@on_numbers
def numpys_number(rng, value):
    if isinstance(value, (int, np.integer)):
        kind = pick(rng, [np.int64, np.uint32, np.int32, np.longdouble, np.dtype(">i8").type])
        return pick(rng, [kind(value), np.array(kind(value))])
    return np.asfortranarray(value) if isinstance(value, np.ndarray) else value


@on_numbers
def off_by_less_than_the_room(rng, value):
    if isinstance(value, (int, np.integer)):
        return value
    return np.asarray(value) * (1 + pick(rng, [3e-7, -3e-7, 1e-12]))


def spaced_text(rng, frames):
    tree = json.loads(frames[0])
    return [json.dumps(tree, indent=2, sort_keys=True).encode(), *frames[1:]]


@on_tree
def another_type_name(rng, tree):
    for path in nodes(tree):
        node = at(tree, path)
        if isinstance(node, dict) and node.get("t") == "handle":
            node["type"] = pick(rng, ["", "tuple", "Cache", "\ud800", LONG, "list<b>"])
    return tree


HONEST = [
    list_for_tuple,
    nested_lists_for_arrays,
    tuples_of_arrays,
    another_float,
    numpys_number,
    off_by_less_than_the_room,
    spaced_text,
    another_type_name,
]
HOSTILE = [
    replaces_a_place,
    replaces_the_value,
    replaces_an_item,
    deletes_a_key,
    swaps_two_places,
    nests_a_place,
    repeats_an_item,
    changes_a_dtype,
    changes_a_shape,
    changes_a_buffers_number,
    scalar_for_array,
    answers_otherwise,
    writes_a_word,
    flips_text,
    cuts_text,
    encodes_otherwise,
    doubles_a_key,
    cuts_a_buffer,
    extends_a_buffer,
    flips_bits,
    fills_a_buffer,
    swaps_buffers,
    other_frames,
    large_array,
    array_of_many_names,
    rows_that_grow,
    bomb_for_a_cache,
    one_entry_is_odd,
    off_by_a_factor,
    off_by_an_amount,
    transposed,
    cast_with_loss,
    grown,
    emptied,
    as_text_or_truth,
    in_another_box,
]
