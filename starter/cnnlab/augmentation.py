"""More pictures than there are: each time an image is shown, it is a little different.

An augmentation takes a batch (N, C, H, W) and a generator, and returns a batch of the same shape
and dtype. The images that it was given stay as they were.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Flip:
    """Mirror each image, left and right exchanged, with this probability. A mirrored cat is a cat.

    (A mirrored 3 is no 3: not every set of pictures can be flipped.)
    """

    probability: float = 0.5

    def __call__(self, X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        mirrored = rng.random(len(X)) < self.probability
        return np.where(mirrored[:, None, None, None], X[..., ::-1], X)


@dataclass(frozen=True)
class Shift:
    """Move each image by up to ``pixels`` in both directions; zeros come in at the border.

    In images that are standardised, zero is the mean colour.
    """

    pixels: int = 4

    def __call__(self, X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        p, (H, W) = self.pixels, X.shape[2:]
        padded = np.pad(X, ((0, 0), (0, 0), (p, p), (p, p)))
        shifted = np.empty_like(X)
        for n, (top, left) in enumerate(rng.integers(0, 2 * p + 1, (len(X), 2))):
            shifted[n] = padded[n, :, top : top + H, left : left + W]
        return shifted
