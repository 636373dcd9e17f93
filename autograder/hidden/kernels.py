"""What hidden tests of CUDA kernels share: a launch, and what it left in the output.

The kernel runs in the student's own kernel process, by ``cnnlab.simulator.launch``, in numba's
simulator, whatever device the grader has. It is slow, so the shapes are tiny.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.compare import assert_close, describe
from autograder.errors import WrongAnswer
from autograder.hidden.inputs import SINGLE, assert_unchanged


def blocks_over(shape: tuple, threads: tuple) -> tuple[int, int, int]:
    """So many blocks as cover an output (N, F, rows, columns): columns, rows, planes."""
    N, F, rows, columns = shape
    return tuple(-(-n // t) for n, t in zip((columns, rows, N * F), threads, strict=True))


def check(
    student: Any,
    name: str,
    threads: tuple[int, int, int],
    arrays: dict[str, np.ndarray],
    expected: np.ndarray,
    *numbers: int,
) -> Any:
    """Launch the student's kernel ``name(*arrays, out, *numbers)`` and look at out.

    It holds NaN at first: what no thread writes, and what is added to what was there, shows.

    Returns:
        how many numbers the threads read from each of the arguments, if the student's process is to
        be believed
    """
    dtype = next(iter(arrays.values())).dtype
    held = {key: student.put(array) for key, array in arrays.items()}
    out = student.put(np.full(expected.shape, np.nan, dtype))
    launch = student.library("cnnlab.simulator").launch_counting
    blocks = blocks_over(expected.shape, threads)
    reads = launch(student.find(name), blocks, threads, *held.values(), out, *numbers)
    came = student.get(out)
    if not isinstance(came, np.ndarray) or (came.shape, came.dtype) != (expected.shape, dtype):
        raise WrongAnswer(
            f"out was an array of its right shape and dtype, and is now {describe(came)}."
        )
    empty = int(np.isnan(came).sum())
    if empty:
        raise WrongAnswer(
            f"out is NaN in {empty} of its {came.size} entries. It was NaN before the launch: no "
            "thread wrote there, or one added to what was there, or read shared memory before "
            "anything was in it."
        )
    tolerance = SINGLE if dtype == np.float32 else {}
    assert_close(came, expected, name="out", **tolerance)
    for key, handle in held.items():
        assert_unchanged(student.get(handle), arrays[key], key)
    return reads
