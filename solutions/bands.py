"""Work on a batch in bands that fit the processor's cache: how it is cut, copied and shared.

A *band* is a few rows of a few images. Here is what the layers of fastest_layers have in common.
"""

import functools
import itertools
import os
from concurrent.futures import ThreadPoolExecutor


def cut(N, rows, rows_in_a_band):
    """The bands of N images of so many rows: a list of (slice of images, first row, last row + 1).

    Large images are cut into bands of rows; of small images, several make one band.
    """
    if rows_in_a_band >= rows:
        step = rows_in_a_band // rows
        return [(slice(n, min(n + step, N)), 0, rows) for n in range(0, N, step)]
    count = -(-rows // max(1, rows_in_a_band))
    edges = [rows * k // count for k in range(count + 1)]  # as equal as possible
    return [
        (slice(n, n + 1), first, last)
        for n in range(N)
        for first, last in itertools.pairwise(edges)
    ]


def share(work, bands, threads):
    """Call work(part of the bands) in so many threads; the list of what it returned.

    NumPy lets go of Python's lock while it copies and multiplies, so threads do run side by side.
    Neighbouring bands stay with one thread.
    """
    threads = min(threads, len(bands))
    if threads <= 1:
        return [work(bands)]
    edges = [len(bands) * k // threads for k in range(threads + 1)]
    parts = [bands[first:last] for first, last in itertools.pairwise(edges)]
    return list(_pool(threads).map(work, parts))


@functools.cache
def _pool(threads):
    return ThreadPoolExecutor(threads)


if hasattr(os, "register_at_fork"):  # a forked process inherits the pool, but not its threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


def copy_padded(target, x, first, pad):
    """Fill target, (n, C, rows, columns), with rows of the padded images x, (n, C, H, W).

    ``first`` is target's first row as a row of x, without padding: negative in the zeros above.
    """
    inside, pixels = _overlap(target, x, first, pad)
    top, left = (s.start for s in inside)
    bottom, right = (s.stop for s in inside)
    target[:, :, :top] = 0
    target[:, :, bottom:] = 0
    target[:, :, top:bottom, :left] = 0
    target[:, :, top:bottom, right:] = 0
    target[:, :, *inside] = x[:, :, *pixels]


def add_padded(dx, source, first, pad, lock):
    """Add rows of the padded images' gradient to dx: the backward pass of copy_padded.

    Neighbouring bands overlap in a few rows of dx; the lock keeps their threads apart.
    """
    inside, pixels = _overlap(source, dx, first, pad)
    with lock:
        dx[:, :, *pixels] += source[:, :, *inside]


def _overlap(padded, x, first, pad):
    """Where padded and x have the same pixels: (rows, columns) of padded, (rows, columns) of x."""
    (rows, columns), (H, W) = padded.shape[2:], x.shape[2:]
    top = min(max(0, -first), rows)
    bottom = max(top, min(rows, H - first))
    left = min(pad, columns)
    right = max(left, min(columns, pad + W))
    return (
        (slice(top, bottom), slice(left, right)),
        (slice(top + first, bottom + first), slice(left - pad, right - pad)),
    )
