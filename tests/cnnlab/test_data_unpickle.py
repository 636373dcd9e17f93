"""CIFAR-10's Python version, read without running it: right on honest files, inert on others."""

import os
import pickle
import struct

import numpy as np
import pytest
from cifar_files import python2_pickle
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.data.unpickle import read_batch


def batch(n=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, 3072), dtype=np.uint8), rng.integers(0, 10, n).tolist()


def test_a_file_as_python_2_writes_it():
    """oracle: the real pickle module"""
    data, labels = batch()
    content = python2_pickle(data, labels)
    honest = pickle.loads(content, encoding="bytes")
    np.testing.assert_array_equal(honest[b"data"], data)
    assert honest[b"labels"] == labels
    read, read_labels = read_batch(content)
    np.testing.assert_array_equal(read, data)
    assert read.dtype == np.uint8 and read_labels.tolist() == labels


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_file_as_python_3_writes_it(protocol, order):
    data, labels = batch()
    content = pickle.dumps(
        {"data": np.asarray(data, order=order), "labels": labels}, protocol=protocol
    )
    read, read_labels = read_batch(content)
    np.testing.assert_array_equal(read, data)
    assert read_labels.tolist() == labels


class Calls:
    """Pickles to a call of function(*arguments)."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def stack_global(module, name, argument):
    """The same by hand, for names that pickle would not write."""
    text = [s.encode() for s in (module, name, argument)]
    parts = [b"\x8c" + bytes([len(t)]) + t for t in text]
    return b"\x80\x04" + parts[0] + parts[1] + b"\x93" + parts[2] + b"\x85R."


@pytest.mark.parametrize("where", ["alone", "in the dict", "in the labels", "as a key"])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_nothing_in_a_hostile_pickle_runs(tmp_path, where, protocol):
    proof = tmp_path / "it ran"
    data, labels = [1, 2], [3, 4]
    bad = Calls(os.mkdir, str(proof))
    content = pickle.dumps(
        {
            "alone": bad,
            "in the dict": {"data": data, "labels": labels, "x": bad},
            "in the labels": {"data": data, "labels": [*labels, bad]},
            "as a key": {(bad,): 1, "data": data, "labels": labels},
        }[where],
        protocol=protocol,
    )
    with pytest.raises(ValueError, match=r"asks for \w+\.mkdir"):
        read_batch(content)
    assert not proof.exists()
    pickle.loads(content)  # else this test would prove nothing
    assert proof.exists()


@pytest.mark.parametrize(
    "module, name",
    [
        ("builtins", "eval"),
        ("__builtin__", "eval"),
        ("os", "system"),
        ("numpy", "load"),
        ("numpy", "dtype.__class__"),
        ("numpy", "ndarray.tofile"),
        ("numpy.core.multiarray", "fromfile"),
        ("cnnlab.data.unpickle", "np.load"),
    ],
)
def test_no_other_name_is_looked_up(module, name):
    with pytest.raises(ValueError, match="which image data has no use for"):
        read_batch(stack_global(module, name, "1+1"))


def test_the_stand_ins_lead_nowhere():
    """what a hostile pickle can still do with the allowed names gives no array of its own"""
    for content in (
        stack_global("numpy", "dtype", "O"),
        stack_global("numpy.core.multiarray", "_reconstruct", "x"),
    ):
        with pytest.raises(ValueError, match="not a dict"):
            read_batch(content)
    with pytest.raises(ValueError, match="cannot be read"):  # its stand-in takes no arguments
        read_batch(stack_global("numpy", "ndarray", "x"))


@pytest.mark.parametrize(
    "content, complaint",
    [
        ({"labels": [1]}, "has no 'data'"),
        ({"data": np.zeros((1, 3072), np.uint8)}, "has no 'labels'"),
        ({"data": [1, 2], "labels": [1]}, "'data' is not an array"),
        ({"data": np.zeros((1, 3072), np.float32), "labels": [1]}, "bytes"),
        ({"data": np.zeros((1, 3072), object), "labels": [1]}, "bytes"),
        ({"data": np.zeros((1, 3073), np.uint8), "labels": [1]}, "shape"),
        ({"data": np.zeros(3072, np.uint8), "labels": [1]}, "shape"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [-1]}, "labels"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [True]}, "labels"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": "1"}, "labels"),
        ([1, 2], "a list, not a dict"),
    ],
)
def test_other_contents_are_refused_in_words(content, complaint):
    with pytest.raises(ValueError, match=complaint):
        read_batch(pickle.dumps(content, protocol=4))


def test_a_shape_that_is_not_true_gives_no_memory_that_is_not_its_own():
    content = python2_pickle(*batch(2))
    lie = content.replace(b"K\x02M\x00\x0c\x86", b"K\x09M\x00\x0c\x86")
    assert lie != content
    with pytest.raises(ValueError, match=r"shape \(9, 3072\)"):
        read_batch(lie)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"\x80\x02", b"\x80\x04" + b"(" * 100_000, b"]" + b"]a" * 100 + b"."],
)
def test_what_is_no_pickle_is_refused(content):
    with pytest.raises(ValueError):
        read_batch(content)


def test_deep_nesting_is_refused_or_read_but_does_not_crash():
    with pytest.raises(ValueError):
        read_batch(b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".")


def test_a_length_that_the_file_does_not_have():
    huge = b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"x."
    with pytest.raises(ValueError, match="cannot be read"):
        read_batch(huge)


@settings(max_examples=300)
@given(st.data())
def test_damage_gives_an_error_or_the_right_shapes(data):
    content = bytearray(python2_pickle(*batch(2)))
    interesting = [i for i in range(len(content)) if i < 150 or i > len(content) - 80]
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.sampled_from(interesting))] = data.draw(st.integers(0, 255))
    try:
        pixels, labels = read_batch(bytes(content))
    except ValueError:
        return
    assert pixels.dtype == labels.dtype == np.uint8 and pixels.shape[1:] == (3072,)
