"""CIFAR-10's Python version, read without running what is in it.

A pickle is a program: it may name any function and have it called. Here a name gives one of three
inert stand-ins, which only write down what NumPy would have been told; every other name is an
error, before anything is called. What remains can only build dicts, lists, tuples, numbers, bytes
and text.
"""

from __future__ import annotations

import io
import pickle

import numpy as np


class _Dtype:
    """Stands for numpy.dtype: its arguments, such as ("u1", 0, 1)."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __setstate__(self, state):
        pass  # byte order and alignment: a byte has neither


class _Array:
    """Stands for an array in the making: numpy tells it version, shape, dtype, order, bytes."""

    state: tuple = ()

    def __setstate__(self, state):
        self.state = state


class _ArrayType:
    """Stands for the class numpy.ndarray, which is only ever an argument."""


def _reconstruct(*_):
    return _Array()


_STAND_INS = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _ArrayType,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,  # NumPy 2 writes this name
}


class _Reader(pickle.Unpickler):
    def find_class(self, module, name):
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, which image data has no use for"
            ) from None


def read_batch(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """The images and labels of one file of the Python version.

    Args:
        content: a pickled dict with "data", a uint8 array (N, 3072), and "labels", a list of N
            numbers from 0 to 9. Written by Python 2 (as the official files are) or 3.

    Returns:
        data: uint8 (N, 3072), a copy. labels: uint8 (N,).

    Raises:
        ValueError: the content is something else; nothing in it was run.
    """
    try:
        batch = _Reader(io.BytesIO(content), encoding="bytes").load()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except Exception as error:  # a broken pickle can raise anything
        raise ValueError(f"it cannot be read as a pickle: {error}") from None
    if not isinstance(batch, dict):
        raise ValueError(f"it holds a {type(batch).__name__}, not a dict")
    return _images(_entry(batch, "data")), _labels(_entry(batch, "labels"))


def _entry(batch: dict, key: str):
    for spelling in (key.encode(), key):  # Python 2's text arrives as bytes
        if spelling in batch:
            return batch[spelling]
    raise ValueError(f"it has no {key!r}")


def _images(array) -> np.ndarray:
    if not isinstance(array, _Array) or len(array.state) != 5:
        raise ValueError("its 'data' is not an array")
    _, shape, dtype, fortran, pixels = array.state
    if not isinstance(dtype, _Dtype) or dtype.arguments[:1] not in ((b"u1",), ("u1",)):
        raise ValueError("its 'data' does not consist of bytes (uint8)")
    if not isinstance(pixels, bytes) or shape != (len(pixels) // 3072, 3072):
        raise ValueError(f"its 'data' has the shape {shape}, not (images, 3072)")
    if len(pixels) % 3072:
        raise ValueError("its 'data' ends within an image")
    order = "F" if fortran else "C"
    return np.frombuffer(pixels, np.uint8).reshape(shape, order=order).copy()


def _labels(labels) -> np.ndarray:
    if not isinstance(labels, list) or not all(type(y) is int and 0 <= y <= 255 for y in labels):
        raise ValueError("its 'labels' are not a list of numbers from 0 to 9")
    return np.array(labels, dtype=np.uint8)
