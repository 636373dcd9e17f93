"""A photograph to try filters on: Rear Admiral Grace Hopper, from matplotlib's sample data.

The picture is a work of the US Navy and in the public domain. It is installed with matplotlib, so
nothing is downloaded.
"""

from __future__ import annotations

import numpy as np
from matplotlib.cbook import get_sample_data
from PIL import Image  # matplotlib depends on Pillow, to read pictures

# left, upper, right, lower in pixels of the 512 x 600 original: the cap, the face, some stars
_CROP = (112, 12, 400, 300)


def photograph(size: int = 96, grey: bool = False) -> np.ndarray:
    """The photograph, cropped to the face and cap.

    Args:
        size: height and width of the result, in pixels, 1 to 288. Naive loops are slow: stay
            below 100.
        grey: one channel, from the luminance, instead of three.

    Returns:
        float64 in [0, 1], shape (3, size, size) as red, green, blue; (1, size, size) if grey.

    Raises:
        ValueError: size is out of range.
    """
    if not 1 <= size <= 288:
        raise ValueError(f"size must be from 1 to 288 pixels, not {size}")
    with get_sample_data("grace_hopper.jpg") as file, Image.open(file) as original:
        picture = original.convert("L" if grey else "RGB")
        picture = picture.resize((size, size), Image.Resampling.BOX, box=_CROP)
    pixels = np.asarray(picture, dtype=np.float64) / 255
    return pixels[None] if grey else pixels.transpose(2, 0, 1).copy()
