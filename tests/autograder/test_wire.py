"""What ``dumps`` writes comes back as it was; anything else is refused with WireError, cheaply."""

import collections
import enum
import json
import socket
import tracemalloc
import warnings
from multiprocessing.connection import Client, Connection

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder import wire
from autograder.wire import Handle, WireError

QUICK = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])

DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?"),
    hnp.complex_number_dtypes(endianness="?"),
)
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=10),
    st.just("\ud800"),
)
VALUES = st.recursive(
    PLAIN | ARRAYS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=5), inner, max_size=3),
    ),
    max_leaves=10,
)


class Opaque:
    pass


def through(value):
    return wire.loads(wire.dumps(value), pytest.fail)


def read(tree, *buffers):
    """Read a frame that was written by hand."""
    text = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    return wire.loads([text, *buffers], lambda reference: reference)


def array_tree(**changes):
    return {"t": "array", "dtype": "<f8", "shape": [2], "buffer": 0, **changes}


def nested(value, levels):
    for _ in range(levels):
        value = [value]
    return value


def assert_same(actual, expected):
    assert type(actual) is type(expected)
    if isinstance(expected, (np.ndarray, np.generic)):
        assert actual.dtype == expected.dtype
        assert actual.shape == expected.shape
        np.testing.assert_array_equal(actual, expected)
    elif isinstance(expected, (tuple, list)):
        assert len(actual) == len(expected)
        for ours, theirs in zip(actual, expected, strict=True):
            assert_same(ours, theirs)
    elif isinstance(expected, dict):
        assert list(actual) == list(expected)
        for key in expected:
            assert_same(actual[key], expected[key])
    else:
        assert actual == expected or (actual != actual and expected != expected)


# -- there and back ---------------------------------------------------------------------------


@QUICK
@given(VALUES)
def test_every_plain_value_comes_back_as_it_was(value):
    assert_same(through(value), value)


@pytest.mark.parametrize("dtype", ["?", "<i1", ">i2", "<u8", "<f2", ">f4", "<f8", ">c8", "<c16"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (2, 3)])
def test_every_kind_of_number_in_every_kind_of_shape(dtype, shape):
    array = (np.arange(np.prod(shape, dtype=int)) % 2).reshape(shape).astype(dtype)
    assert_same(through(array), array)


def test_long_doubles_keep_all_their_digits():
    array = np.array([np.pi], np.longdouble) / 3
    assert_same(through(array), array)


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[::2, ::-1],
        lambda a: a.T,
        lambda a: np.broadcast_to(a[0], (3, 6)),
        lambda a: np.asfortranarray(a),
    ],
    ids=["strided", "transposed", "broadcast", "fortran"],
)
def test_strides_do_not_change_what_arrives(view):
    array = view(np.arange(24.0).reshape(4, 6))
    assert_same(through(array), array)


@pytest.mark.parametrize("scalar", [np.float32(0.1), np.bool_(True), np.int8(-3), np.complex64(1j)])
def test_numpy_scalars_stay_numpy_scalars(scalar):
    assert_same(through(scalar), scalar)


def test_a_zero_dimensional_array_does_not_become_a_scalar():
    assert type(through(np.array(3.0))) is np.ndarray


def test_arrays_arrive_writable_and_are_copies():
    array = np.arange(3.0)
    array.flags.writeable = False
    arrived = through(array)
    arrived[0] = 9
    assert array[0] == 0


@pytest.mark.parametrize("value", [np.float64("nan"), float("nan"), float("inf"), -float("inf")])
def test_what_json_has_no_number_for_arrives(value):
    assert_same(through(value), value)


@pytest.mark.parametrize("levels", range(14, 18))
@pytest.mark.parametrize("value", [1, 0.5, None, "a", float("nan"), -float("inf")])
def test_what_may_be_written_at_a_depth_can_be_read_there(value, levels):
    assert_same(through(nested(value, levels)), nested(value, levels))


@pytest.mark.parametrize("levels", range(12, 17))
def test_a_deep_value_can_be_read_in_the_bridges_envelope(levels):
    value = nested(np.arange(2), levels)
    frames = wire.dumps({"value": value}, depth=wire.MAX_DEPTH + 1)
    assert_same(wire.loads(frames, pytest.fail)["value"], value)


# -- what stays behind ------------------------------------------------------------------------


def sent_with_references(value, depth=wire.SHALLOW):
    """(what arrives with references in it, the objects that stayed behind)"""
    kept = []

    def keep(obj):
        kept.append(obj)
        return {"t": "handle", "id": len(kept) - 1, "type": type(obj).__name__}

    arrived = wire.loads(
        wire.dumps(value, keep, depth), lambda reference: ("kept", reference["id"])
    )
    return arrived, kept


@pytest.mark.parametrize(
    "value",
    [
        Opaque(),
        {1, 2},
        b"bytes",
        2**63,
        -(2**63) - 1,
        "x" * (wire.MAX_TEXT + 1),
        np.array([None, 1]),
        np.array(["text"]),
        np.array(["2020-01-01"], "M8[D]"),
        np.zeros(2, [("a", "f8"), ("b", "i4")]),
        {1: "a key that is not text"},
        [0] * (wire.MAX_ITEMS + 1),
        range(3),
        len,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_plain_form_is_kept_or_refused(value):
    arrived, kept = sent_with_references(value)
    assert arrived == ("kept", 0)
    assert kept[0] is value
    with pytest.raises(WireError, match="cannot be sent"):
        wire.dumps(value)


def test_a_results_own_items_are_values_and_deeper_ones_stay_behind():
    x = np.ones(3)
    cache = (x, {"stride": 1})
    (out, reference), kept = sent_with_references((x, cache))
    assert_same(out, x)
    assert reference == ("kept", 0)
    assert kept[0] is cache


def test_a_short_row_of_plain_numbers_is_a_value_wherever_it_is():
    value = [(2, 3, 4), [1.5, None, "a"], ()]
    assert sent_with_references(value) == (value, [])


@pytest.mark.parametrize("row", [(1, [2]), tuple(range(wire.SMALL + 1)), (1, np.ones(1))])
def test_a_deep_row_that_is_long_or_not_plain_stays_behind(row):
    arrived, kept = sent_with_references([row])
    assert arrived == [("kept", 0)]
    assert kept[0] is row


def test_a_value_that_holds_itself_ends():
    value = []
    value.append(value)
    arrived, _ = sent_with_references(value, wire.MAX_DEPTH)
    assert "kept" in repr(arrived)


def test_a_handle_asks_its_owner_and_is_nothing_that_numpy_can_look_into():
    asked = []

    class Owner:
        def step(self, handle, op, key):
            asked.append((op, key))
            return key

    handle = Handle(1, "Model", Owner())
    assert handle.weights == "weights"
    assert handle["w"] == "w"
    assert asked == [("attr", "weights"), ("item", "w")]
    assert not hasattr(handle, "__array_interface__")
    with pytest.raises(TypeError):
        iter(handle)
    with pytest.raises(TypeError):
        np.asarray(handle) + 1


# -- hostile frames ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype",
    [
        *(
            "O",
            "|O8",
            "V8",
            "U4",
            "S4",
            "M8",
            "m8",
            "f8,i4",
            "2f8",
            "(2,)f8",
            "f9",
            "",
            ",",
            "(",
            "{}",
        ),
        *("\ud800", "\0\0", "i0", "None", "<f8" * 40, 8, None, [], ["<f8"], {"names": ["a"]}, True),
    ],
    ids=repr,
)
def test_a_dtype_that_is_not_a_number_is_refused(dtype):
    with pytest.raises(WireError):
        read(array_tree(dtype=dtype), bytes(16))


@pytest.mark.parametrize(
    "shape",
    [
        *([3], [1], [], [2, 2], [-2], [-1, -2], [True, 2], [2.0], ["2"], [None], "2", 2, None, {}),
        *([2**40], [2**70], [2**40, 2**40], [10**4000] * 3, [1] * 33 + [2], [[2]]),
    ],
    ids=lambda shape: repr(shape)[:20],
)
def test_a_shape_that_the_bytes_do_not_fill_is_refused(shape):
    with pytest.raises(WireError):
        read(array_tree(shape=shape), bytes(16))


@pytest.mark.parametrize("shape", [[0, 2**70], [0, 2**40, 2**40], [2**62, 0, 8], [0, 10**4000]])
def test_a_huge_shape_without_any_bytes_is_refused(shape):
    with pytest.raises(WireError) as error:
        read(array_tree(shape=shape), b"")
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("index", [1, -1, True, False, 0.0, "0", None, [], 10**30])
def test_a_buffer_that_is_not_there_is_refused(index):
    with pytest.raises(WireError, match="buffer"):
        read(array_tree(buffer=index), bytes(16))


@pytest.mark.parametrize("left_out", ["t", "dtype", "shape", "buffer"])
def test_an_array_with_a_field_left_out_is_refused(left_out):
    tree = array_tree()
    del tree[left_out]
    with pytest.raises(WireError):
        read(tree, bytes(16))


@pytest.mark.parametrize(
    "tree",
    [
        [],
        [1],
        {},
        {"t": None},
        {"t": "object"},
        {"t": "pickle", "v": "gASVAA=="},
        {"t": "float", "v": "1e5"},
        {"t": "float", "v": None},
        {"t": "list"},
        {"t": "list", "v": {}},
        {"t": "tuple", "v": "abc"},
        {"t": "list", "v": [[]]},
        {"t": "list", "v": [0] * (wire.MAX_ITEMS + 1)},
        {"t": "dict", "v": {"a": 1}},
        {"t": "dict", "v": [["a"]]},
        {"t": "dict", "v": [[1, 1]]},
        {"t": "dict", "v": ["ab"]},
        {"t": "dict", "v": [["a", 1, 2]]},
        {"t": "handle", "id": "1", "type": "Model"},
        {"t": "handle", "id": 1, "type": None},
        {"t": "handle", "id": 1},
    ],
    ids=lambda tree: repr(tree)[:40],
)
def test_a_wrong_type_in_any_field_is_refused(tree):
    with pytest.raises(WireError):
        read(tree)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"\xff\xfe", b"\x80", b"nul", b"1" * 5000, b"[" * 10**5]
)
def test_what_is_not_json_is_refused(text):
    with pytest.raises(WireError, match="JSON"):
        read(text)


def test_no_frames_at_all_are_refused():
    with pytest.raises(WireError):
        wire.loads([], pytest.fail)


@pytest.mark.parametrize("levels", [50, 200, 500, 900, 950, 990, 5000])
def test_deep_nesting_is_refused(levels):
    for opening, closing in (
        (b'{"t":"list","v":[', b"]}"),
        (b'{"t":"dict","v":[["a",', b"]]}"),
        (b'{"t":', b"}"),
        (b'{"t":"list","v":[' * 16 + b'{"t":' + b"[" * levels, b"]" * levels + b"}" + b"]}" * 16),
    ):
        with pytest.raises(WireError):
            read(opening * levels + b"1" + closing * levels)


@pytest.mark.parametrize("depth", range(900, 1000, 3))
def test_a_name_nested_to_the_parsers_limit_is_refused(depth):
    text = b'{"t":"list","v":[' * 16 + b'{"t":' + b"[" * depth + b"]" * depth + b"}" + b"]}" * 16
    with pytest.raises(WireError):
        read(text)


@pytest.mark.parametrize("shape", [[2**30], [2**20, 2**10], [0, 2**40]])
def test_a_claim_of_gigabytes_allocates_nothing(shape):
    tree = array_tree(shape=shape, dtype="<f8")
    tracemalloc.start()
    try:
        if 0 in shape:
            assert read(tree, b"").size == 0
        else:
            with pytest.raises(WireError):
                read(tree, bytes(8))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def read_or_refuse(frames):
    """What is read holds numbers only; all else is WireError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's about old spellings of dtypes
        try:
            value = wire.loads(frames, lambda reference: None)
        except WireError:
            return
    stack = [value]
    while stack:
        value = stack.pop()
        assert isinstance(
            value, (type(None), bool, int, float, str, tuple, list, dict, np.ndarray, np.generic)
        )
        if isinstance(value, (np.ndarray, np.generic)):
            assert value.dtype.kind in wire.NUMBER_KINDS
            assert value.nbytes <= sum(map(len, frames))
        stack += value.values() if isinstance(value, dict) else ()
        stack += value if isinstance(value, (tuple, list)) else ()


@QUICK
@given(st.lists(st.binary(max_size=60), max_size=3))
def test_random_bytes_raise_nothing_but_wire_errors(frames):
    read_or_refuse(frames)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
SIZES = st.integers(-2, 4) | st.sampled_from([2**31, 2**62, 2**63, 2**64, True, 1.0])
FIELDS = {
    "t": st.sampled_from(["array", "scalar", "list", "tuple", "dict", "float", "handle"]) | JSON,
    "dtype": st.sampled_from(["<f8", ">i4", "?", "O", "V0", "U", "c16", "2f4"])
    | st.text("<>=|fiucbOSUVMm0123456789(),", max_size=8)
    | JSON,
    "shape": st.lists(SIZES, max_size=5) | JSON,
    "buffer": st.integers(-1, 2) | JSON,
    "v": st.lists(JSON, max_size=3)
    | st.lists(st.tuples(st.text(max_size=2), JSON), max_size=3)
    | st.sampled_from(["nan", "inf"])
    | JSON,
    "id": st.integers() | JSON,
    "type": st.text(max_size=4) | JSON,
}
NODES = st.one_of(
    st.fixed_dictionaries(
        {"t": FIELDS["t"]}, optional={name: FIELDS[name] for name in FIELDS if name != "t"}
    ),
    st.fixed_dictionaries(  # nearly an array
        {
            "t": st.sampled_from(["array", "scalar"]),
            "dtype": FIELDS["dtype"],
            "shape": st.lists(SIZES, max_size=5),
            "buffer": st.integers(0, 1),
        }
    ),
)
TREES = st.recursive(
    NODES,
    lambda inner: st.one_of(
        st.builds(lambda v: {"t": "list", "v": v}, st.lists(inner, max_size=3)),
        st.builds(lambda v: {"t": "tuple", "v": v}, st.lists(inner, max_size=3)),
        st.builds(lambda v: {"t": "dict", "v": v}, st.lists(st.tuples(st.text(max_size=2), inner))),
    ),
    max_leaves=5,
)
BUFFERS = st.lists(st.sampled_from([0, 1, 2, 4, 8, 16, 32, 64]).map(bytes), max_size=3)


@settings(QUICK, max_examples=400)
@given(TREES, BUFFERS)
def test_trees_of_nearly_the_right_form_raise_nothing_but_wire_errors(tree, buffers):
    read_or_refuse([json.dumps(tree).encode(), *buffers])


@QUICK
@given(VALUES, st.data())
def test_true_frames_with_bytes_changed_raise_nothing_but_wire_errors(value, data):
    frames = wire.dumps(value)
    which = data.draw(st.integers(0, len(frames) - 1))
    frame = bytearray(frames[which])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(frame)))
        frame[place : place + data.draw(st.integers(0, 3))] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b"[", b"]", b'"', b"{", b"-", b"9" * 20])
        )
    frames[which] = bytes(frame)
    if data.draw(st.booleans()):
        frames = frames[:-1]
    read_or_refuse(frames)


def test_subclasses_arrive_as_what_they_are_made_of():
    """an IntEnum, a namedtuple, a defaultdict: right answers in another dress"""
    size = enum.IntEnum("Size", {"BIG": 7}).BIG
    pair = collections.namedtuple("Pair", "out cache")(np.ones(2), 3)
    counts = collections.defaultdict(int, {"a": 1})
    for value, plain in ((size, 7), (counts, {"a": 1})):
        arrived = wire.loads(wire.dumps(value), None)
        assert arrived == plain and type(arrived) is type(plain)
    out, cache = wire.loads(wire.dumps(pair), None)
    assert cache == 3 and out.tolist() == [1, 1]


def test_a_buffer_is_named_once():
    """or a small message could name one of a megabyte ten thousand times"""
    node = array_tree(dtype="|i1", shape=[1 << 20])
    tracemalloc.start()
    try:
        with pytest.raises(WireError, match="used before"):
            read({"t": "list", "v": [node] * 10_000}, bytes(1 << 20))
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**4000, "x" * (wire.MAX_TEXT + 1)])
@pytest.mark.parametrize("box", [lambda v: v, lambda v: {"t": "list", "v": [1, v]}])
def test_what_could_not_be_sent_back_is_refused(value, box):
    with pytest.raises(WireError):
        read(box(value))


@pytest.mark.parametrize("number", [2**63, 10**4000])
def test_a_handle_of_an_endless_number_is_refused(number):
    with pytest.raises(WireError):
        read({"t": "handle", "id": number, "type": "tuple"})


@pytest.mark.parametrize("dtype", ["a", "a8", "?8", "p", "float64", "b1 ", "<f8\n"])
def test_other_names_for_dtypes_are_refused_without_a_warning(dtype):
    with warnings.catch_warnings(), pytest.raises(WireError, match="dtype"):
        warnings.simplefilter("error")
        read(array_tree(dtype=dtype), bytes(16))


def test_the_reader_may_allow_less_depth():
    frames = wire.dumps(nested(1, 5))
    assert wire.loads(frames, pytest.fail, 4) == nested(1, 5)
    with pytest.raises(WireError, match="deep"):
        wire.loads(frames, pytest.fail, 3)


class Liar(np.ndarray):
    shape = property(lambda self: (10**9,))
    dtype = property(lambda self: np.dtype("i1"))
    tobytes = __array__ = __len__ = lambda self, *args, **kwargs: 1 / 0


@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3), np.float32([7])])
def test_of_a_subclass_its_plain_numbers_are_sent(array):
    assert_same(through(array.view(Liar)), array)


def test_objects_that_pose_as_numbers_are_not_sent():
    with pytest.raises(WireError, match="cannot be sent"):
        wire.dumps(np.array([Opaque()]).view(Liar))


# -- through a connection --------------------------------------------------------------------------


@pytest.fixture
def ends():
    with socket.socket(socket.AF_UNIX) as door:
        door.bind("")  # a name of Linux's choice, which is no file
        door.listen()
        near = Client(door.getsockname(), "AF_UNIX")
        far, _ = door.accept()
    with near, Connection(far.detach()) as other:
        yield near, other


def test_frames_come_through_a_connection(ends):
    near, far = ends
    for frames in ([], [b""], wire.dumps([np.arange(1000.0), "ü"]), [b"x"] * wire.MAX_FRAMES):
        wire.send(near, frames)
        assert wire.receive(far, 10_000) == frames


@pytest.mark.parametrize(
    "messages",
    [
        [b"many"],
        [b"-1"],
        [b"999"],
        [b"1" * 50],
        [b"\xc2\xb2"],
        [b"1", b"x" * 101],
        [b"3", b"x" * 60, b"x" * 40, b"x"],
    ],
)
def test_more_than_was_agreed_on_is_refused_unread(ends, messages):
    near, far = ends
    for message in messages:
        near.send_bytes(message)
    with pytest.raises((OSError, ValueError)):
        wire.receive(far, 100)


def test_a_connection_that_ends_is_told_as_such(ends):
    near, far = ends
    near.send_bytes(b"2")
    near.send_bytes(b"half")
    near.close()
    with pytest.raises(EOFError):
        wire.receive(far, 100)


# --- tensors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("grad", [True, False])
def test_a_tensor_comes_back_as_one(grad):
    sent = wire.Tensor(np.arange(6.0, dtype=np.float32).reshape(2, 3), grad, "bfloat16")
    came = wire.loads(wire.dumps({"a": [sent, sent.array]}))["a"]
    assert isinstance(came[0], wire.Tensor) and isinstance(came[1], np.ndarray)
    assert (came[0].grad, came[0].dtype) == (grad, "bfloat16")
    np.testing.assert_array_equal(came[0].array, sent.array)


def test_each_side_has_its_own_tensors():
    class Theirs(list):
        """What is a tensor to the other side."""

    def as_tensor(value):
        return wire.Tensor(np.array(value)) if type(value) is Theirs else None

    frames = wire.dumps((Theirs([1.0, 2.0]), [1.0, 2.0]), tensor=as_tensor)
    came = wire.loads(frames, tensor=lambda tensor: Theirs(tensor.array))
    assert [type(value) for value in came] == [Theirs, list]


FORM = {"t": "array", "dtype": "<f8", "shape": [2], "buffer": 0}


@pytest.mark.parametrize(
    "change",
    [
        {"v": {**FORM, "shape": [2**40]}},
        {"v": {**FORM, "t": "scalar"}},
        {"v": {**FORM, "t": "tensor"}},
        {"v": {**FORM, "dtype": "|O8"}},
        {"v": {**FORM, "buffer": 1}},
        {"v": [1.0, 2.0]},
        {"grad": 1},
        {"of": "Float\n<script>"},
        {"of": "f" * 100},
        {"of": None},
    ],
)
def test_a_forged_tensor_is_refused(change):
    tree = {"t": "tensor", "v": FORM, "grad": False, "of": "float64"}
    right = [json.dumps(tree).encode(), np.ones(2).tobytes()]
    assert wire.loads(right).array.tolist() == [1, 1]
    with pytest.raises(wire.WireError):
        wire.loads([json.dumps(tree | change).encode(), np.ones(2).tobytes()])
