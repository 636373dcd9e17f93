"""The embedded set: 5,500 drawn pictures of ten toys, in one PNG of 50 pictures a row.

The PNG carries the class names, the sizes of the parts and the labels as JSON in a text chunk
named ``toys``. It is drawn by datasets/make_toys.py in the course's repository.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from cnnlab.data.dataset import Dataset
from cnnlab.data.errors import DataError

FILE = Path(__file__).with_name("toys.png")
SIDE = 32  # pixels


def load_toys(file: Path = FILE) -> Dataset:
    """Read the PNG. Raises DataError where it is missing or damaged."""
    from PIL import Image  # here, because importing cnnlab must stay quick

    try:
        with Image.open(file) as png:
            about = json.loads(png.text["toys"])
            sheet = np.asarray(png)
    except FileNotFoundError:
        raise DataError(f"{file} is missing. Copy cnnlab anew from what you received.") from None
    except (OSError, SyntaxError, KeyError, ValueError) as error:
        raise DataError(
            f"{file} is damaged ({error}). Copy cnnlab anew from what you received."
        ) from None
    rows, columns = sheet.shape[0] // SIDE, sheet.shape[1] // SIDE
    X = sheet.reshape(rows, SIDE, columns, SIDE, 3).swapaxes(1, 2).reshape(-1, SIDE, SIDE, 3)
    y = np.frombuffer(about["labels"].encode(), dtype=np.uint8).astype(np.int64) - ord("0")
    parts, start = {}, 0
    for part, size in about["splits"].items():
        parts |= {f"X_{part}": X[start : start + size].copy()}
        parts |= {f"y_{part}": y[start : start + size].copy()}
        start += size
    return Dataset(**parts, class_names=tuple(about["classes"]), name="toys")
