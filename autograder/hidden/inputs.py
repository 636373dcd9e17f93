"""What hidden tests of several assignments share: inputs that stay as they were, caches."""

from __future__ import annotations

import numpy as np

from autograder.compare import assert_close, unpack
from autograder.errors import StudentError, WrongAnswer
from autograder.wire import Tensor

# sums of products in single precision, whatever their order
SINGLE = {"rtol": 1e-4, "atol": 1e-5}


def assert_unchanged(after, before, name):
    try:
        assert_close(after, before, name=name)
    except WrongAnswer:
        raise WrongAnswer(
            f"your function changed its input {name}. Make a copy before you write into it"
        ) from None


def assert_dtype(value, dtype, name, *, or_double=True):
    """Raise WrongAnswer unless an array has this dtype, or a tensor just it. (A list has none.)"""
    allowed = {np.dtype(dtype), np.dtype(np.float64 if or_double else dtype)}
    if isinstance(value, Tensor):
        if value.dtype != np.dtype(dtype).name:
            raise WrongAnswer(
                f"{name} has the dtype {value.dtype} where {np.dtype(dtype)} came in, and should "
                "have that too. torch.zeros and torch.empty take a dtype: that of what came in"
            )
        return
    if isinstance(value, np.ndarray) and value.dtype not in allowed:
        wanted = " or ".join(sorted(map(str, allowed)))
        raise WrongAnswer(
            f"{name} has the dtype {value.dtype} where {np.dtype(dtype)} came in, and should have "
            f"{wanted}. np.zeros, np.empty and astype take a dtype: that of what came in"
        )


def own_cache(student, forward, *args, otherwise):
    """The cache of the student's own forward pass, whatever is in it.

    Where that does not run, ``otherwise``, the tuple that the docstring names: a missing forward
    pass has cost its own points already.
    """
    try:
        _, cache = unpack(getattr(student, forward)(*args), "out", "cache")
    except (StudentError, WrongAnswer):
        return otherwise
    return otherwise if cache is None else cache
