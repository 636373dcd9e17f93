"""Draw the embedded data set: 5,500 pictures of ten toys, 32x32x3, into one PNG.

    python datasets/make_toys.py [--out datasets/toys.png] [--check]

Each picture is painted at 128x128 (four times too large), back to front: a background, clutter, a
shadow, the toy, now and then something in front of it; then lit, and averaged down, so that edges
are smooth. The dataset card, README.md, shows a sample and says what the classes are for.

The same bytes come out on each machine: the random numbers are MT19937's (``RandomState``, whose
stream NumPy has frozen), only uniform ones are drawn, sines are rounded before use, and the
pixels are sums of integers.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

SEED = 231
SIZE, OVER = 32, 4  # pixels of a side; painted that many times larger
SPLITS = {"train": 4000, "val": 500, "test": 1000}
COLUMNS = 50  # pictures side by side in the PNG
STEP = 4  # colours are multiples of it: the eye does not see it, and the file is a third smaller

# -- colours: red, green, blue in 0..255 ------------------------------------------------------
# Three pairs of opposites. Each pair's mean is the same grey, so a toy that is half one and half
# the other looks alike to a sum over pixels, whichever pair it is; their hues tell them apart.

RED, TURQUOISE = (220, 45, 50), (40, 200, 200)
BLUE, YELLOW = (45, 75, 215), (225, 180, 40)
GREEN, PINK = (50, 175, 60), (220, 75, 190)
WHITE, WOOD = (240, 238, 230), (150, 105, 70)
PALETTE = (RED, TURQUOISE, BLUE, YELLOW, GREEN, PINK, WHITE)
# the floors' hues lie between those of the toys: wood, lawn, a violet carpet
FLOORS = ((165, 120, 80), (120, 150, 75), (115, 95, 150))

# -- shapes: true where (u, v) lies inside. The toy is about 2 units high, v points down -------

Shape = Callable[[np.ndarray, np.ndarray], np.ndarray]


def disc(radius: float, x: float = 0.0, y: float = 0.0) -> Shape:
    return lambda u, v: (u - x) * (u - x) + (v - y) * (v - y) < radius * radius


def polygon(*corners: tuple[float, float]) -> Shape:
    """By the even-odd rule: inside is where a line to the right crosses the border an odd number
    of times."""

    def inside(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        result = np.zeros(u.shape, dtype=bool)
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
            if y0 == y1:
                continue
            crosses = (y0 > v) != (y1 > v)
            result ^= crosses & (u < x0 + (v - y0) * ((x1 - x0) / (y1 - y0)))
        return result

    return inside


def box(left: float, top: float, right: float, bottom: float) -> Shape:
    return polygon((left, top), (right, top), (right, bottom), (left, bottom))


def sector(radius: float, first: float, last: float) -> Shape:
    """A slice of a disc, between two angles in degrees, less than 90 apart."""
    x0, y0, x1, y1 = (
        round(f(math.radians(angle)), 6) for angle in (first, last) for f in (math.cos, math.sin)
    )

    def inside(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return disc(radius)(u, v) & (x0 * v - y0 * u >= 0) & (x1 * v - y1 * u < 0)

    return inside


def without(shape: Shape, hole: Shape) -> Shape:
    return lambda u, v: shape(u, v) & ~hole(u, v)


# -- the toys ---------------------------------------------------------------------------------

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Toy:
    """Parts are painted in turn, each over those before it."""

    name: str
    parts: tuple[tuple[Shape, Color], ...]


def _star(name: str, one: Color, other: Color) -> Toy:
    """Five points, each half in the one colour and half in the other."""
    rim = [
        (
            round(math.sin(i * math.pi / 5) * (1.1, 0.5)[i % 2], 6),
            round(-math.cos(i * math.pi / 5) * (1.1, 0.5)[i % 2], 6),
        )
        for i in range(10)
    ]
    facets = [polygon((0.0, 0.0), rim[i], rim[(i + 1) % 10]) for i in range(10)]
    return Toy(name, tuple((facet, (one, other)[i % 2]) for i, facet in enumerate(facets)))


def _ring(name: str, one: Color, other: Color) -> Toy:
    """A swimming ring in eight pieces of alternating colour."""
    pieces = [without(sector(1.0, 45 * i, 45 * i + 45), disc(0.42)) for i in range(8)]
    return Toy(name, tuple((piece, (one, other)[i % 2]) for i, piece in enumerate(pieces)))


def _block(name: str, one: Color, other: Color) -> Toy:
    """A square of two by two."""
    squares = [box(x, y, x + 0.86, y + 0.86) for y in (-0.86, 0.0) for x in (-0.86, 0.0)]
    return Toy(name, tuple(zip(squares, (one, other, other, one), strict=True)))


def _house(name: str, roof: Color, walls: Color) -> Toy:
    return Toy(
        name,
        (
            (box(-0.7, -0.04, 0.7, 0.9), walls),
            (polygon((-1.05, -0.02), (0.0, -1.1), (1.05, -0.02)), roof),
            (box(-0.18, 0.4, 0.18, 0.9), WHITE),
        ),
    )


def _boat(name: str, hull: Color, sail: Color) -> Toy:
    return Toy(
        name,
        (
            (box(-0.06, -1.05, 0.06, 0.3), WOOD),
            (polygon((0.08, -1.05), (0.95, 0.14), (0.08, 0.14)), sail),
            (polygon((-0.08, -0.9), (-0.08, 0.14), (-0.76, 0.14)), sail),
            (polygon((-1.05, 0.24), (1.05, 0.24), (0.72, 0.84), (-0.72, 0.84)), hull),
        ),
    )


TOYS = (
    _star("red and turquoise star", RED, TURQUOISE),
    _star("blue and yellow star", BLUE, YELLOW),
    _ring("blue and yellow ring", BLUE, YELLOW),
    _ring("green and pink ring", GREEN, PINK),
    _block("green and pink block", GREEN, PINK),
    _block("red and turquoise block", RED, TURQUOISE),
    _house("house with a red roof", RED, TURQUOISE),
    _house("house with a turquoise roof", TURQUOISE, RED),
    _boat("boat with a blue hull", BLUE, YELLOW),
    _boat("boat with a yellow hull", YELLOW, BLUE),
)

# -- painting ---------------------------------------------------------------------------------


class Canvas:
    """A picture at OVER times its size, (H, W, 3) float in 0..255."""

    def __init__(self, rng: np.random.RandomState):
        self.rng = rng
        side = SIZE * OVER
        self.x, self.y = np.meshgrid(*[(np.arange(side) + 0.5) / OVER] * 2)
        self.pixels = np.zeros((side, side, 3))

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * self.rng.random_sample()

    def choice(self, options):
        return options[self.rng.randint(len(options))]

    def color(self, base, spread: float) -> np.ndarray:
        """The colour, a little off in each channel: no two toys are from the same paint."""
        off = np.array([self.uniform(-spread, spread) for _ in range(3)])
        return np.clip(np.array(base) * self.uniform(0.8, 1.1) + off, 0, 255)

    def place(self, x: float, y: float, scale: float, degrees: float, mirror: bool = False):
        """The canvas's pixels in the coordinates (u, v) of something that stands at (x, y)."""
        cos = round(math.cos(math.radians(degrees)), 6)
        sin = round(math.sin(math.radians(degrees)), 6)
        dx, dy = (self.x - x) / scale, (self.y - y) / scale
        u, v = cos * dx + sin * dy, cos * dy - sin * dx
        return (-u if mirror else u), v

    def paint(self, mask: np.ndarray, color: np.ndarray, opacity: float = 1.0) -> None:
        self.pixels[mask] = self.pixels[mask] * (1 - opacity) + color * opacity


def background(canvas: Canvas) -> None:
    """A floor of one colour, or of two: planks or tiles."""
    base = canvas.color(canvas.choice(FLOORS), 12) * canvas.uniform(0.6, 1.4)
    canvas.pixels[:] = base
    kind = canvas.rng.randint(3)
    other = base * canvas.uniform(0.75, 1.3)
    u, v = canvas.place(16, 16, canvas.uniform(4, 10), canvas.uniform(0, 90))
    if kind == 1:
        canvas.paint(np.floor(u) % 2 == 0, other)
    elif kind == 2:
        canvas.paint((np.floor(u) + np.floor(v)) % 2 == 0, other)


def bit(canvas: Canvas, x: float, y: float, scale: float) -> None:
    """A small thing that is no toy: a marble, a brick, a chip."""
    shape = canvas.choice(
        (
            disc(0.9),
            box(-1.0, -0.5, 1.0, 0.5),
            box(-0.8, -0.8, 0.8, 0.8),
            polygon((0.0, -1.0), (0.9, 0.7), (-0.9, 0.7)),
            box(-1.6, -0.25, 1.6, 0.25),
        )
    )
    u, v = canvas.place(x, y, scale, canvas.uniform(0, 360))
    canvas.paint(shape(u, v), canvas.color(canvas.choice(PALETTE), 25))


def clutter(canvas: Canvas, lowest: int, highest: int) -> None:
    for _ in range(canvas.rng.randint(lowest, highest + 1)):
        bit(canvas, canvas.uniform(0, 32), canvas.uniform(0, 32), canvas.uniform(1.2, 2.8))


def toy(canvas: Canvas, which: Toy) -> None:
    scale = canvas.uniform(8.5, 12.5)
    slack = 14.5 - scale  # the toy may go a little over the edge
    x, y = 16 + canvas.uniform(-slack, slack), 16 + canvas.uniform(-slack, slack)
    degrees = canvas.uniform(-25, 25)
    mirror = canvas.rng.randint(2) == 1
    dx, dy = canvas.uniform(-2, 2), canvas.uniform(0.5, 2.5)
    black, strength = np.zeros(3), canvas.uniform(0.15, 0.45)
    colors: dict = {}
    for _, base in which.parts:
        colors.setdefault(base, canvas.color(base, 22))
    u, v = canvas.place(x + dx, y + dy, scale, degrees, mirror)
    shadow = np.any([shape(u, v) for shape, _ in which.parts], axis=0)
    canvas.paint(shadow, black, strength)
    u, v = canvas.place(x, y, scale, degrees, mirror)
    for shape, base in which.parts:
        canvas.paint(shape(u, v), colors[base])


def light(canvas: Canvas) -> None:
    """A lamp: how bright, of which colour, and brighter on its own side."""
    degrees = canvas.uniform(0, 360)
    u, _ = canvas.place(16, 16, 16, degrees)
    gain = canvas.uniform(0.55, 1.15) * (1 + canvas.uniform(0, 0.3) * u)
    tint = np.array([canvas.uniform(0.92, 1.08) for _ in range(3)])
    canvas.pixels *= gain[:, :, None] * tint


def shrink(canvas: Canvas) -> np.ndarray:
    """To SIZE: the mean of each OVER x OVER square, as a multiple of STEP."""
    fine = np.clip(canvas.pixels, 0, 255).astype(np.int64)
    sums = fine.reshape(SIZE, OVER, SIZE, OVER, 3).sum((1, 3))
    return (sums // (OVER * OVER * STEP) * STEP + STEP // 2).astype(np.uint8)


def picture(label: int, rng: np.random.RandomState) -> np.ndarray:
    """One picture of a toy: uint8 (SIZE, SIZE, 3), red, green, blue."""
    canvas = Canvas(rng)
    background(canvas)
    clutter(canvas, 2, 6)
    toy(canvas, TOYS[label])
    if rng.randint(3) == 0:  # something lies on it
        bit(canvas, canvas.uniform(6, 26), canvas.uniform(6, 26), canvas.uniform(1.5, 3.0))
    light(canvas)
    return shrink(canvas)


# -- the file ---------------------------------------------------------------------------------


def make_labels() -> np.ndarray:
    """(5500,) class numbers, shuffled; in each split every class is there equally often."""
    rng = np.random.RandomState(SEED)
    return np.concatenate([rng.permutation(np.arange(n) % len(TOYS)) for n in SPLITS.values()])


def make() -> bytes:
    """The PNG: COLUMNS pictures a row, in the order train, val, test; a text chunk named ``toys``
    holds the rest as JSON."""
    labels = make_labels()
    pictures = [picture(y, np.random.RandomState([SEED, i])) for i, y in enumerate(labels)]
    sheet = np.concatenate(
        [np.concatenate(pictures[i : i + COLUMNS], 1) for i in range(0, len(labels), COLUMNS)]
    )
    about = {
        "classes": [toy.name for toy in TOYS],
        "splits": SPLITS,
        "labels": "".join(map(str, labels)),
    }
    text = PngImagePlugin.PngInfo()
    text.add_text("toys", json.dumps(about))
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "PNG", optimize=True, pnginfo=text)
    return file.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("toys.png"))
    options = parser.parse_args()
    data = make()
    options.out.write_bytes(data)
    print(f"{options.out}: {len(data) / 1e6:.2f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
