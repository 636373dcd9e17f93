"""A data set in three parts, and smaller ones made from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Pictures and their classes, to learn from (train), to choose by (val), to report (test).

    X_train, X_val, X_test: uint8 (N, 32, 32, 3): picture, row, column, channel (red, green, blue);
        0 is dark, 255 is bright.
    y_train, y_val, y_test: int64 (N,), each from 0 to len(class_names) - 1.
    class_names: class_names[y] is the word for class y.
    name: what ``load`` was asked for.
    """

    X_train: np.ndarray
    y_train: np.ndarray
    X_val: np.ndarray
    y_val: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple[str, ...]
    name: str

    def __repr__(self) -> str:
        sizes = f"{len(self.X_train):,} train, {len(self.X_val):,} val, {len(self.X_test):,} test"
        return f"<{self.name}: {sizes}, {len(self.class_names)} classes>"


def split(
    X: np.ndarray, y: np.ndarray, n_last: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cut off the last n_last pictures. The order is kept, so the cut is the same each time.

    Args:
        X, y: (N, ...) and (N,).
        n_last: how many go to the second part, 0 to N.

    Returns:
        X_first, y_first, X_last, y_last: views, not copies.

    Raises:
        ValueError: X and y differ in length, or n_last is out of range.
    """
    if len(X) != len(y):
        raise ValueError(f"X holds {len(X)} pictures and y {len(y)} labels: they must be as many")
    if not 0 <= n_last <= len(X):
        raise ValueError(f"n_last must be from 0 to {len(X)}, the number of pictures, not {n_last}")
    cut = len(X) - n_last
    return X[:cut], y[:cut], X[cut:], y[cut:]


def subset(dataset: Dataset, n_train: int, n_val: int, n_test: int) -> Dataset:
    """Fewer pictures, of each class as many as of the others: for code that is still slow.

    Of each class the first ones are taken, in the order in which they stand, so the same numbers
    give the same pictures. Where n does not divide by the number of classes, or a class has run
    out, the counts differ by as little as they can.

    Args:
        n_train, n_val, n_test: how many of each part to keep, 0 up to all.

    Returns:
        A new Dataset; the arrays are copies.

    Raises:
        ValueError: a part does not hold as many.
    """
    chosen = {}
    for part, n in (("train", n_train), ("val", n_val), ("test", n_test)):
        X, y = getattr(dataset, f"X_{part}"), getattr(dataset, f"y_{part}")
        if not 0 <= n <= len(y):
            raise ValueError(
                f"n_{part} must be from 0 to {len(y)}, the size of {dataset.name}'s {part} part, "
                f"not {n}"
            )
        kept = _balanced(y, n)
        chosen |= {f"X_{part}": X[kept], f"y_{part}": y[kept]}
    return replace(dataset, **chosen)


def _balanced(y: np.ndarray, n: int) -> np.ndarray:
    """Indices, rising, of the n pictures that come first within their classes."""
    place = np.zeros(len(y), dtype=np.int64)  # is it the 0th, 1st, 2nd … of its class?
    for label in np.unique(y):
        same = np.flatnonzero(y == label)
        place[same] = np.arange(len(same))
    return np.sort(np.lexsort((y, place))[:n])
