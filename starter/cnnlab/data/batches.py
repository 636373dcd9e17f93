"""One file of CIFAR-10, as arrays."""

from __future__ import annotations

import numpy as np

from cnnlab.data.errors import DataError
from cnnlab.data.unpickle import read_batch

TRAINING = tuple(f"data_batch_{n}" for n in range(1, 6))
TEST = "test_batch"
FILES = {  # of each version: the folder in its archive, and its files
    "binary": ("cifar-10-batches-bin", tuple(f"{name}.bin" for name in (*TRAINING, TEST))),
    "python": ("cifar-10-batches-py", (*TRAINING, TEST)),
}
RECORD = 1 + 3 * 32 * 32  # bytes of an image in the binary version: label, red, green, blue
LARGEST = 64_000_000  # bytes; the official files have 31 million


def decode(name: str, content: bytes, images: int) -> tuple[np.ndarray, np.ndarray]:
    """One file's images and labels.

    Args:
        name: the file's, "data_batch_1.bin" (binary) or "data_batch_1" (Python version).
        content: its bytes.
        images: how many images belong in it.

    Returns:
        X: uint8 (images, 32, 32, 3), red, green, blue, 0..255. y: int64 (images,), 0..9.

    Raises:
        DataError: the content is damaged, or something else.
    """
    try:
        pixels, labels = _binary(content) if name.endswith(".bin") else read_batch(content)
    except ValueError as error:
        raise DataError(f"{name} is not a file of CIFAR-10: {error}.") from None
    if not len(pixels) == len(labels) == images:
        raise DataError(
            f"{name} is damaged: it holds {len(pixels):,} images and {len(labels):,} labels, "
            f"{images:,} of each belong there."
        )
    if labels.max(initial=0) > 9:
        raise DataError(
            f"{name} is damaged: image {int(labels.argmax())} has the label "
            f"{int(labels.max())}, classes go from 0 to 9."
        )
    X = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(X), labels.astype(np.int64)


def _binary(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    if len(content) % RECORD:
        raise ValueError(
            f"its {len(content):,} bytes do not divide into images of {RECORD:,} bytes"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    return records[:, 1:], records[:, 0]
