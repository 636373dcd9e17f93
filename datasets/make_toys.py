"""Draw the embedded data set: 5,500 pictures of ten toys, 32x32x3, into one PNG.

    python datasets/make_toys.py [--out datasets/toys.png]
    python datasets/make_toys.py --sheet docs/images/toys.png

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
from PIL import Image, ImageDraw, PngImagePlugin

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
PAIRS = ((RED, TURQUOISE), (BLUE, YELLOW), (GREEN, PINK))
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
    """Parts are painted in turn, each over those before it. ``swap``: its two colours change
    places in half of the pictures, so that only which ones they are matters."""

    name: str
    parts: tuple[tuple[Shape, Color], ...]
    swap: tuple[Color, Color] | None = None


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
    parts = tuple((facet, (one, other)[i % 2]) for i, facet in enumerate(facets))
    return Toy(name, parts, swap=(one, other))


def _ring(name: str, one: Color, other: Color) -> Toy:
    """A swimming ring in eight pieces of alternating colour."""
    pieces = [without(sector(1.0, 45 * i, 45 * i + 45), disc(0.42)) for i in range(8)]
    parts = tuple((piece, (one, other)[i % 2]) for i, piece in enumerate(pieces))
    return Toy(name, parts, swap=(one, other))


def _block(name: str, one: Color, other: Color) -> Toy:
    """A square of two by two."""
    squares = [box(x, y, x + 0.86, y + 0.86) for y in (-0.86, 0.0) for x in (-0.86, 0.0)]
    parts = tuple(zip(squares, (one, other, other, one), strict=True))
    return Toy(name, parts, swap=(one, other))


def _house(name: str, one: Color, other: Color) -> Toy:
    """Roof and walls, of about the same area."""
    parts = (
        (box(-0.7, -0.04, 0.7, 0.9), one),
        (polygon((-1.05, -0.02), (0.0, -1.1), (1.05, -0.02)), other),
        (box(-0.18, 0.4, 0.18, 0.9), WHITE),
    )
    return Toy(name, parts, swap=(one, other))


def _boat(name: str, hull: Color, sail: Color) -> Toy:
    return Toy(
        name,
        (
            (box(-0.06, -1.05, 0.06, 0.3), WOOD),
            (polygon((0.08, -1.05), (0.95, 0.14), (0.08, 0.14)), sail),
            (polygon((-0.08, -0.9), (-0.08, 0.14), (-0.76, 0.14)), sail),
            (polygon((-1.05, 0.24), (1.05, 0.24), (0.76, 0.74), (-0.76, 0.74)), hull),
        ),
    )


TOYS = (
    _star("red and turquoise star", RED, TURQUOISE),
    _star("blue and yellow star", BLUE, YELLOW),
    _ring("blue and yellow ring", BLUE, YELLOW),
    _ring("green and pink ring", GREEN, PINK),
    _block("green and pink block", GREEN, PINK),
    _block("red and turquoise block", RED, TURQUOISE),
    _house("red and turquoise house", RED, TURQUOISE),
    _house("green and pink house", GREEN, PINK),
    _boat("boat with a blue hull", BLUE, YELLOW),
    _boat("boat with a yellow hull", YELLOW, BLUE),
)

# -- painting ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """A part of a canvas (a view of its pixels), and the coordinates of what is painted there."""

    pixels: np.ndarray
    u: np.ndarray
    v: np.ndarray

    def paint(self, mask: np.ndarray, color: np.ndarray, opacity: float = 1.0) -> None:
        self.pixels[mask] = self.pixels[mask] * (1 - opacity) + color * opacity


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

    def place(
        self, x: float, y: float, scale: float, degrees: float, reach: float, stretch: float = 1.0
    ) -> Place:
        """The pixels around something that stands at (x, y), in its own coordinates (u, v).

        x, y: in pixels of the final picture. scale: how many of them are one unit of u and v.
        reach: how far the thing extends, in units. stretch: how much wider than high it is;
        below 0 it is mirrored.
        """
        rows, columns = (
            slice(
                max(0, math.floor((c - reach * scale) * OVER)),
                math.ceil((c + reach * scale) * OVER),
            )
            for c in (y, x)
        )
        cos = round(math.cos(math.radians(degrees)), 6)
        sin = round(math.sin(math.radians(degrees)), 6)
        dx, dy = (self.x[rows, columns] - x) / scale, (self.y[rows, columns] - y) / scale
        u, v = cos * dx + sin * dy, cos * dy - sin * dx
        return Place(self.pixels[rows, columns], u / stretch, v * abs(stretch))


def background(canvas: Canvas) -> None:
    """A floor of one colour, or of two: planks or tiles."""
    base = canvas.color(canvas.choice(FLOORS), 12) * canvas.uniform(0.6, 1.4)
    canvas.pixels[:] = base
    kind = canvas.rng.randint(3)
    other = base * canvas.uniform(0.75, 1.3)
    floor = canvas.place(16, 16, canvas.uniform(4, 10), canvas.uniform(0, 90), reach=16)
    if kind == 1:
        floor.paint(np.floor(floor.u) % 2 == 0, other)
    elif kind == 2:
        floor.paint((np.floor(floor.u) + np.floor(floor.v)) % 2 == 0, other)


def bit(canvas: Canvas, x: float, y: float, scale: float) -> None:
    """A small thing that is no toy: a marble, a brick, a stick; in two colours, as the toys are."""
    shape = canvas.choice(
        (
            disc(0.9),
            box(-1.0, -0.5, 1.0, 0.5),
            box(-0.8, -0.8, 0.8, 0.8),
            polygon((0.0, -1.0), (0.9, 0.7), (-0.9, 0.7)),
            box(-1.6, -0.25, 1.6, 0.25),
        )
    )
    spot = canvas.place(x, y, scale, canvas.uniform(0, 360), reach=1.7)
    one, other = (canvas.color(color, 30) for color in canvas.choice(PAIRS))
    inside = shape(spot.u, spot.v)
    spot.paint(inside & (spot.u < 0), one)
    spot.paint(inside & (spot.u >= 0), other)


def clutter(canvas: Canvas, lowest: int, highest: int) -> None:
    for _ in range(canvas.rng.randint(lowest, highest + 1)):
        bit(canvas, canvas.uniform(0, 32), canvas.uniform(0, 32), canvas.uniform(1.3, 3.4))


def toy(canvas: Canvas, which: Toy) -> None:
    scale = canvas.uniform(6.5, 11.5)
    slack = 13.5 - scale  # the toy may go a little over the edge
    x, y = 16 + canvas.uniform(-slack, slack), 16 + canvas.uniform(-slack, slack)
    degrees = canvas.uniform(-22, 22)
    stretch = canvas.uniform(0.8, 1.2) * (1, -1)[canvas.rng.randint(2)]
    dx, dy = canvas.uniform(-2, 2), canvas.uniform(0.5, 2.5)
    black, strength = np.zeros(3), canvas.uniform(0.15, 0.45)
    colors = {base: canvas.color(base, 50) for base in dict.fromkeys(c for _, c in which.parts)}
    if which.swap and canvas.rng.randint(2):
        one, other = which.swap
        colors[one], colors[other] = colors[other], colors[one]
    below = canvas.place(x + dx, y + dy, scale, degrees, 1.6, stretch)
    shadow = np.any([shape(below.u, below.v) for shape, _ in which.parts], axis=0)
    below.paint(shadow, black, strength)
    spot = canvas.place(x, y, scale, degrees, 1.6, stretch)
    for shape, base in which.parts:
        spot.paint(shape(spot.u, spot.v), colors[base])


def light(canvas: Canvas) -> None:
    """A lamp: how bright, of which colour, and brighter on its own side."""
    degrees = canvas.uniform(0, 360)
    room = canvas.place(16, 16, 16, degrees, reach=1)
    gain = canvas.uniform(0.3, 1.2) * (1 + canvas.uniform(0, 0.4) * room.u)
    tint = np.array([canvas.uniform(0.86, 1.12) for _ in range(3)])
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
    clutter(canvas, 5, 11)
    toy(canvas, TOYS[label])
    for _ in range(rng.randint(3)):  # things that lie on it
        bit(canvas, canvas.uniform(8, 24), canvas.uniform(8, 24), canvas.uniform(2.0, 3.8))
    light(canvas)
    return shrink(canvas)


# -- the file ---------------------------------------------------------------------------------


def make_labels() -> np.ndarray:
    """(5500,) class numbers, shuffled; in each split every class is there equally often."""
    rng = np.random.RandomState(SEED)
    return np.concatenate([rng.permutation(np.arange(n) % len(TOYS)) for n in SPLITS.values()])


def draw(index: int, label: int) -> np.ndarray:
    """Picture number ``index``: its random numbers are its own, whatever was drawn before."""
    return picture(label, np.random.RandomState([SEED, index]))


def make() -> bytes:
    """The PNG: COLUMNS pictures a row, in the order train, val, test; a text chunk named ``toys``
    holds the rest as JSON."""
    labels = make_labels()
    pictures = [draw(index, label) for index, label in enumerate(labels)]
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


def sample_sheet(each: int = 14, zoom: int = 2) -> Image.Image:
    """The first training pictures of each class, a row a class, with the names."""
    labels, gap, margin = make_labels()[: SPLITS["train"]], 6, 190
    side = SIZE * zoom
    sheet = Image.new("RGB", (margin + each * (side + gap), len(TOYS) * (side + gap)), "white")
    pen = ImageDraw.Draw(sheet)
    for label, which in enumerate(TOYS):
        y = label * (side + gap)
        pen.text((4, y + side // 2), f"{label}  {which.name}", "black", anchor="lm", font_size=14)
        for place, index in enumerate(np.flatnonzero(labels == label)[:each]):
            tile = Image.fromarray(draw(int(index), label)).resize((side, side), Image.NEAREST)
            sheet.paste(tile, (margin + place * (side + gap), y))
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("toys.png"))
    parser.add_argument("--sheet", type=Path, help="write only the sample sheet, to this file")
    options = parser.parse_args()
    if options.sheet:
        sample_sheet().save(options.sheet, optimize=True)
        return
    data = make()
    options.out.write_bytes(data)
    print(f"{options.out}: {len(data) / 1e6:.2f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
