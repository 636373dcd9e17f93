"""Small files in CIFAR-10's layouts, for the tests: noise, but of the right shapes."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np

NAMES = (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch")


def images(name: str, n: int) -> tuple[np.ndarray, list[int]]:
    """The images (n, 3072) and labels that a file of this name holds."""
    rng = np.random.default_rng(NAMES.index(name))
    return rng.integers(0, 256, (n, 3072), dtype=np.uint8), rng.integers(0, 10, n).tolist()


def python2_pickle(data: np.ndarray, labels: list[int]) -> bytes:
    """As Python 2 wrote the official files, protocol 2, byte by byte: text is bytes there."""

    def text(value: bytes) -> bytes:
        return b"T" + struct.pack("<i", len(value)) + value

    def number(value: int) -> bytes:
        return b"K" + bytes([value]) if value < 256 else b"M" + struct.pack("<H", value)

    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85"
        + text(b"b")
        + b"\x87R(K\x01"
        + (number(data.shape[0]) + number(data.shape[1]) + b"\x86")
        + (b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R")
        + (b"(K\x03" + text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb")
        + (b"\x89" + text(data.tobytes()) + b"tb")
    )
    entries = {
        b"batch_label": text(b"training batch 1 of 5"),
        b"labels": b"](" + b"".join(map(number, labels)) + b"e",
        b"data": array,
    }
    return b"\x80\x02}(" + b"".join(text(k) + v for k, v in entries.items()) + b"u."


def binary(data: np.ndarray, labels: list[int]) -> bytes:
    return np.concatenate([np.array(labels, np.uint8)[:, None], data], axis=1).tobytes()


def contents(version: str, n: int) -> dict[str, bytes]:
    """Path within the archive -> content, for "binary" and "python"."""
    if version == "binary":
        files = {f"cifar-10-batches-bin/{name}.bin": binary(*images(name, n)) for name in NAMES}
        return files | {"cifar-10-batches-bin/batches.meta.txt": b"airplane\n"}
    files = {f"cifar-10-batches-py/{name}": python2_pickle(*images(name, n)) for name in NAMES}
    return files | {"cifar-10-batches-py/batches.meta": pickle.dumps({"label_names": []})}


def write_folder(folder: Path, version: str, n: int) -> Path:
    """Unpacked; returns the folder with the files."""
    for path, content in contents(version, n).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return (folder / path).parent


def archive(files: dict[str, bytes]) -> bytes:
    """A tar.gz of them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
