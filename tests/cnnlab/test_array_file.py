"""Arrays in a file: exactly what was written, whole or not at all, and nothing that runs."""

import io
import os
import pickle
import time
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from cnnlab import array_file
from cnnlab.array_file import ArrayFileError, read_arrays, write_arrays

MUCH = 10**6
ARRAYS = {
    "a/b": np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2],
    "empty": np.zeros((0, 3)),
    "none": np.array(2.5),
    "yes": np.array([True, False]),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
}


def test_comes_back_as_it_was(tmp_path):
    about = {"losses": [0.1, 2.302585092994046], "big": 2**127 + 1, "text": "é"}
    path = write_arrays(tmp_path / "a.npz", ARRAYS, about)
    arrays, told = read_arrays(path, MUCH)
    assert told == about
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert_array_equal(arrays[name], array, strict=True)


def test_numpy_reads_it_and_the_other_way_round(tmp_path):
    path = write_arrays(tmp_path / "a.npz", {"w": np.eye(3)})
    assert_array_equal(np.load(path)["w"], np.eye(3))
    np.savez_compressed(tmp_path / "b.npz", w=np.eye(4), v=np.arange(3))
    arrays, about = read_arrays(tmp_path / "b.npz", MUCH)
    assert about is None
    assert_array_equal(arrays["w"], np.eye(4))


def test_the_same_arrays_make_the_same_bytes_at_another_time(tmp_path, monkeypatch):
    arrays = {"W1": np.arange(6.0).reshape(2, 3), "b1": np.zeros(3, np.float32)}
    first = write_arrays(tmp_path / "a.npz", arrays, {"epoch": 3}).read_bytes()
    later = time.localtime(time.time() + 1e6)
    monkeypatch.setattr(time, "localtime", lambda *_: later)
    assert write_arrays(tmp_path / "b.npz", arrays, {"epoch": 3}).read_bytes() == first


@pytest.mark.skipif(os.name != "posix", reason="other systems have other permissions")
def test_others_may_read_it(tmp_path):
    """it is handed in, and another user's grader opens it"""
    path = write_arrays(tmp_path / "a.npz", {"W1": np.ones(2)})
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_crash_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    path = write_arrays(tmp_path / "a.npz", {"w": np.zeros(3)})
    before = path.read_bytes()

    def crash(*_):
        raise KeyboardInterrupt

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patched:
            patched.setattr(os, name, crash)
            with pytest.raises(KeyboardInterrupt):
                write_arrays(path, {"w": np.ones(3)})
        assert path.read_bytes() == before
        assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize(
    "array", [np.array([{}]), np.array(["text"]), [1, 2], np.array([1j])], ids=repr
)
def test_only_arrays_of_numbers_are_written(tmp_path, array):
    with pytest.raises(ValueError, match="w is no array of real numbers"):
        write_arrays(tmp_path / "a.npz", {"w": array})
    assert not list(tmp_path.iterdir())


def test_the_name_ends_in_npz(tmp_path):
    with pytest.raises(ValueError, match=r"end in \.npz"):
        write_arrays(tmp_path / "net.pkl", {})


def npy(array, **options):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, **options)
    return stream.getvalue()


def zipped(path, members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


class Ran(Exception):
    pass


class Bomb:
    def __reduce__(self):
        return exec, ("raise __import__('test_array_file').Ran",)


def header_of(shape, dtype="<f8"):
    stream = io.BytesIO()
    described = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, described)
    return stream.getvalue()


HOSTILE = {
    "a pickle": (lambda p: p.write_bytes(pickle.dumps(Bomb())), "damaged"),
    "a pickled array": (
        lambda p: zipped(p, {"w.npy": npy(np.array([Bomb()], object), allow_pickle=True)}),
        "w holds object, not real numbers",
    ),
    "texts": (lambda p: zipped(p, {"w.npy": npy(np.array(["a"]))}), "w holds <U1"),
    "a claim of many numbers": (
        lambda p: zipped(p, {"w.npy": header_of((10**12,)) + b"12345678"}),
        "w is cut off",
    ),
    "a claim that overflows": (
        lambda p: zipped(p, {"w.npy": header_of((2**62, 2**62))}),
        "w is cut off",
    ),
    "a negative length": (lambda p: zipped(p, {"w.npy": header_of((-1,))}), "has the shape"),
    "a zip that swells": (
        lambda p: zipped(p, {"w.npy": npy(np.zeros(10**6))}, zipfile.ZIP_DEFLATED),
        r"holds 8\.0 MB of numbers; at most 1 MB",
    ),
    "another kind of file": (lambda p: zipped(p, {"notes.txt": "hi"}), "holds 'notes.txt'"),
    "a cut-off file": (
        lambda p: p.write_bytes(zipped(p, {"w.npy": npy(np.eye(9))}).read_bytes()[:-40]),
        "damaged",
    ),
    "a changed byte": (
        lambda p: p.write_bytes(
            zipped(p, {"w.npy": npy(np.zeros(99))}).read_bytes().replace(b"\0" * 400, b"\1" * 400)
        ),
        "damaged",
    ),
    "an odd header": (lambda p: zipped(p, {"w.npy": b"\x93NUMPY\x01\0\x04\0{}[]"}), "damaged"),
    "no header": (lambda p: zipped(p, {"w.npy": b"abc"}), "damaged"),
    "another version": (lambda p: zipped(p, {"w.npy": b"\x93NUMPY\x09\0"}), "version"),
    "odd JSON": (lambda p: zipped(p, {"about.json": "[" * 10**5}), "damaged"),
    "nothing": (lambda p: None, "There is no file"),
    "a folder": (lambda p: p.mkdir(), "cannot be read"),
    "an empty file": (lambda p: p.write_bytes(b""), "damaged"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_it_did_not_write_is_told_and_not_run(tmp_path, kind):
    make, words = HOSTILE[kind]
    path = tmp_path / "a.npz"
    make(path)
    with pytest.raises(ArrayFileError, match=words):
        read_arrays(path, MUCH)


def test_too_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr(array_file, "MEMBERS", 3)
    path = zipped(tmp_path / "a.npz", {f"{n}.npy": npy(np.zeros(1)) for n in range(4)})
    with pytest.raises(ArrayFileError, match="holds 4 arrays, more than 3"):
        read_arrays(path, MUCH)


@settings(max_examples=300)
@given(data=st.data())
def test_any_damage_is_an_error_of_its_own_or_harmless(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damage")
    whole = bytearray(write_arrays(folder / "a.npz", ARRAYS, {"x": 1}).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    (folder / "b.npz").write_bytes(whole)
    try:
        arrays, _ = read_arrays(folder / "b.npz", MUCH)
    except ArrayFileError:
        return
    assert all(array.nbytes <= MUCH for array in arrays.values())
