"""Results as students return them: the right numbers in odd clothes, and objects that lie.

Each takes a function's right result, inside the kernel, before the bridge sees it. Those in FAIR
are the right numbers, and have to pass. All others may fail, but as the student's error.
"""

from __future__ import annotations

import decimal
import enum
import fractions

import numpy as np


def over(change):
    """Change the arrays and numbers of a result, not its cache."""

    def dressed(result):
        if type(result) is tuple:
            last_is_cache = len(result) == 2  # (out, cache)
            items = result[:-1] if last_is_cache else result
            return (*map(dressed, items), *result[len(items) :])
        return change(result)

    dressed.__name__ = change.__name__
    return dressed


def on_arrays(change):
    return over(lambda value: change(value) if isinstance(value, np.ndarray) else value)


def on_integers(change):
    return over(lambda value: change(value) if isinstance(value, int) else value)


class Plain(np.ndarray):
    pass


class Liar(np.ndarray):
    """Says that it is of another shape and kind, equals everything, and has other bytes."""

    shape = property(lambda self: (10**9,))
    dtype = property(lambda self: np.dtype("f4"))
    size = property(lambda self: -1)
    ndim = property(lambda self: 99)

    def tobytes(self, *args):
        return b"x" * 7

    def __array__(self, *args, **kwargs):
        return np.array([object()])

    def __eq__(self, other):
        return True

    __hash__ = None


class Thrower(np.ndarray):
    def tobytes(self, *args):
        raise SystemExit("no")

    def __array__(self, *args, **kwargs):
        raise KeyboardInterrupt

    def __array_finalize__(self, other):
        pass

    def __len__(self):
        raise MemoryError


class FloatLiar(float):
    def __float__(self):
        raise ValueError("no")

    def __repr__(self):
        return "1e999"


class LongTuple(tuple):
    def __len__(self):
        return 10**9

    def __iter__(self):
        raise RuntimeError("no")


class Frame:
    """As a table of pandas: has values, and knows how to become an array."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return self.values


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def every_second(array):
    """A view with gaps between its numbers."""
    wide = np.repeat(array, 2, axis=-1)
    return wide[..., ::2]


FAIR = {
    "float128": on_arrays(lambda a: a.astype(np.longdouble)),
    "big-endian": on_arrays(lambda a: a.astype(a.dtype.newbyteorder(">"))),
    "float32": on_arrays(lambda a: a.astype(np.float32)),
    "read-only": on_arrays(read_only),
    "view with gaps": on_arrays(every_second),
    "reversed view": on_arrays(lambda a: a[::-1].copy()[::-1]),
    "Fortran order": on_arrays(np.asfortranarray),
    "masked array": on_arrays(np.ma.masked_array),
    "subclass": on_arrays(lambda a: a.view(Plain)),
    "nested lists": on_arrays(lambda a: a.tolist()),
    "list of arrays": on_arrays(list),
    "tuple of arrays": on_arrays(tuple),
    "lists of NumPy's numbers": on_arrays(lambda a: [list(row) for row in a] if a.ndim == 2 else a),
    "list for tuple": lambda result: list(result) if type(result) is tuple else result,
    "int64": on_integers(np.int64),
    "uint8 or more": on_integers(lambda n: np.min_scalar_type(n).type(n)),
    "float": on_integers(float),
    "0-d": on_integers(np.array),
    "IntEnum": on_integers(lambda n: enum.IntEnum("Size", {"N": n}).N),
    "sum of truths": on_integers(lambda n: np.ones(n, bool).sum() if n < 10**7 else n),
    "lying subclass": on_arrays(lambda a: a.view(Liar)),
}
ODD = {
    "array of objects": on_arrays(lambda a: a.astype(object)),
    "generator": lambda result: (item for item in [result]),
    "generator of parts": on_arrays(lambda a: (row for row in a)),
    "lazy": lambda result: lambda: result,
    "map": lambda result: map(abs, [1]),
    "dict": lambda result: {"out": result, "cache": None},
    "table": on_arrays(Frame),
    "throwing subclass": on_arrays(lambda a: a.view(Thrower)),
    "set": lambda result: {1, 2},
    "class": lambda result: Liar,
    "fraction": on_integers(fractions.Fraction),
    "decimal": on_integers(decimal.Decimal),
    "huge int": on_integers(lambda n: n + 2**80),
    "complex": on_integers(complex),
    "text": on_integers(str),
    "bytes": on_integers(lambda n: b"7"),
    "lying float": on_integers(FloatLiar),
    "long tuple": lambda result: LongTuple([1, 2]),
    "holds itself": lambda result: _holding_itself(),
    "records": on_arrays(lambda a: np.zeros(a.shape, [("x", "f8")])),
    "dates": on_arrays(lambda a: np.zeros(a.shape, "M8[s]")),
    "texts": on_arrays(lambda a: a.astype("U8")),
    "matrix": on_arrays(lambda a: np.matrix(a.reshape(len(a), -1))),
    "ragged": on_arrays(lambda a: [a.tolist(), [1]]),
    "deep": on_arrays(lambda a: _nested(a, 40)),
    "module": lambda result: np,
    "type of NumPy": lambda result: np.float64,
    "empty tuple": lambda result: (),
    "masked": on_arrays(lambda a: np.ma.masked),
    "NaN": on_integers(lambda n: float("nan")),
    "infinite": on_integers(lambda n: float("inf")),
    "longdouble infinite": on_integers(lambda n: np.longdouble("1e4000")),
    "longdouble with a fraction": on_integers(lambda n: np.longdouble(n) + np.longdouble(1e-15)),
}


def _holding_itself():
    value = []
    value.append(value)
    return value


def _nested(value, levels):
    for _ in range(levels):
        value = [value]
    return value
