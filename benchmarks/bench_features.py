"""How far hand-made features come on CIFAR-10, and how fast they are.

    python benchmarks/bench_features.py [--quick] [--json FILE] [--data DIR] [--words K]

Everything is a tool of the notebook 1_image_features: its questions' functions, cnnlab.features,
cnnlab.training. Classifiers learn from 45,000 training images. Some early settings were compared on
the test images, before the validation images took that over: so the test column may flatter by some
tenths of a point. DIR holds the official files; without it cnnlab.data finds or downloads them.
"""

import argparse
import json
import os
import resource
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from skimage.feature import hog

from cnnlab import data
from cnnlab.features import extract, mirrored, normalize_contrast, standardized, tiles
from cnnlab.forked import CORES
from cnnlab.training import fit, linear_params, predict, two_layer_params
from solutions.bag_of_words import build_codebook, encode_images, extract_patches, fit_whitening
from solutions.histograms import color_histogram_hsv
from solutions.hog import hog_feature
from solutions.linear_classifier import linear_backward, softmax_loss
from solutions.two_layer import two_layer_backward, two_layer_forward

SIZE = 6  # pixels: the side of a visual word
TARGETS = {
    "linear on pixels": 0.40,
    "linear on HoG + colour": 0.52,
    "two layers on HoG + colour": 0.63,
    "linear on visual words": 0.70,
}


# -- features ---------------------------------------------------------------------------------


def pixels(images):
    return images.reshape(len(images), -1) / np.float32(255)


def fine_hog(images):
    return hog_feature(images, cell=4, block=2)


def coarse_hog(images):
    return hog_feature(images, cell=8, block=2)


def colours(images):
    """The colour histogram of the image, of its quarters, and of its sixteenths."""
    grids = (color_histogram_hsv(tiles(images, n)).reshape(len(images), -1) for n in (1, 2, 4))
    return np.concatenate(list(grids), axis=1)


HOG_AND_COLOUR = (fine_hog, coarse_hog, colours)


def make_words(images, count: int, patches: int):
    """A function that encodes images with words that were learned from these."""
    rng = np.random.default_rng(0)
    drawn = []
    for part in np.array_split(images, max(1, len(images) // 1000)):
        rows = extract_patches(part, SIZE).reshape(-1, SIZE * SIZE * 3)
        drawn.append(rows[rng.integers(0, len(rows), patches * len(part) // len(images))])
    normal = normalize_contrast(np.concatenate(drawn))
    mean, P = (a.astype(np.float32) for a in fit_whitening(normal, 0.1))
    white = (normal - mean) @ P
    words = build_codebook(white, white[rng.choice(len(white), count, replace=False)], 10)

    def visual_words(images):
        patches = normalize_contrast(extract_patches(images, SIZE))
        flat = patches.reshape(-1, patches.shape[-1])  # one large product, not thousands
        return encode_images(((flat - mean) @ P).reshape(patches.shape), words)

    return visual_words


# -- classifiers ------------------------------------------------------------------------------


def linear_forward(X, params):
    return X @ params["W"] + params["b"], (X, params)


def linear_gradients(dscores, cache, reg):
    X, params = cache
    dW, db = linear_backward(dscores, X, params["W"], reg)
    return {"W": dW, "b": db}


def classify(features, labels, hidden=0, **settings) -> tuple[float, float]:
    """Train on the first of three feature arrays; accuracies on the second and third."""
    size = features[0].shape[1]
    if hidden:
        model, params = (two_layer_forward, two_layer_backward), two_layer_params(size, hidden, 10)
    else:
        model, params = (linear_forward, linear_gradients), linear_params(size, 10)
    params, _ = fit(*model, softmax_loss, params, features[0], labels[0], **settings)
    return tuple(
        float(np.mean(predict(model[0], params, X) == y))
        for X, y in zip(features[1:], labels[1:], strict=True)
    )


# -- what is measured -------------------------------------------------------------------------


def measure_speed(images, quick: bool) -> dict[str, float]:
    """HoG + colour of all images in one call, against a loop over scikit-image's HoG alone.

    Both compute the same cells; the loop does fewer images, and is scaled up.
    """

    def hog_and_colour(part):
        return np.concatenate([hog_feature(part), color_histogram_hsv(part)], axis=1)

    looped = images[:500] if quick else images[:3000]
    options = {"pixels_per_cell": (8, 8), "cells_per_block": (1, 1), "block_norm": "L2"}
    extract(images[:200], hog_and_colour)
    turns = []
    for part in np.array_split(looped, 3):  # in turns: a busy machine slows both down
        start = time.perf_counter()
        for image in part:
            hog(image, orientations=9, channel_axis=-1, **options)
        loop = (time.perf_counter() - start) / len(part) * len(images)
        start = time.perf_counter()
        result = extract(images, hog_and_colour, progress=False)
        turns.append((loop, time.perf_counter() - start))
    loop, ours = np.median(turns, axis=0)
    assert result.shape == (len(images), 154)
    return {"images": len(images), "loop": float(loop), "ours": float(ours), "ratio": loop / ours}


def peak_memory() -> float:
    """The most memory that this process and its workers have had, in GB; not more than that.

    What they share is counted for each of them.
    """
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return (own + CORES * worker) / 1e6


class Rows:
    """What came out, printed as it comes."""

    def __init__(self):
        self.rows = []

    def add(self, name: str, features, labels, seconds: float, **settings) -> None:
        start = time.perf_counter()
        val, test = classify(features, labels, **settings)
        row = {"name": name, "numbers": features[0].shape[1], "val": val, "test": test}
        row |= {"features_seconds": seconds, "training_seconds": time.perf_counter() - start}
        self.rows.append(row | {"settings": settings})
        print(f"{name}: val {val:.3f}, test {test:.3f}", flush=True)

    def table(self) -> Table:
        table = Table(title="CIFAR-10")
        for heading in ("", "numbers", "val", "test", "target", "features", "training"):
            table.add_column(heading, justify="right" if heading else "left")
        for row in self.rows:
            target = TARGETS.get(row["name"])
            table.add_row(
                row["name"],
                f"{row['numbers']:,}",
                f"{row['val']:.3f}",
                f"{row['test']:.3f}",
                f"{target:.2f}" if target else "",
                f"{row['features_seconds']:.0f} s",
                f"{row['training_seconds']:.0f} s",
            )
        return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few images and words: a trial run")
    parser.add_argument("--json", type=Path, help="write the rows here too")
    parser.add_argument("--data", type=Path, help="a folder with CIFAR-10's official files")
    parser.add_argument("--words", type=int, default=800, help="visual words, 800")
    options = parser.parse_args()
    cifar = data.load("cifar10", source=options.data)
    words, patches = options.words, 400_000
    if options.quick:
        cifar = data.subset(cifar, 4000, 500, 1000)
        words, patches = min(words, 50), 10_000
    parts = (cifar.X_train, cifar.X_val, cifar.X_test)
    labels = (cifar.y_train, cifar.y_val, cifar.y_test)

    speed = measure_speed(np.concatenate(parts), options.quick)
    speed["peak_gb"] = peak_memory()
    print(
        f"HoG + colour of {speed['images']:,} images: {speed['ours']:.1f} s in one call, "
        f"{speed['loop']:.1f} s in a loop over scikit-image's HoG: {speed['ratio']:.0f}x; "
        f"{speed['peak_gb']:.1f} GB at the most, the images included",
        flush=True,
    )

    def features_of(*functions):
        start = time.perf_counter()
        made = [extract(X, *functions) for X in parts]
        return made, time.perf_counter() - start

    def normal(*sets):
        """Several sets of features side by side, standardised."""
        return standardized(*(np.concatenate(same, axis=1) for same in zip(*sets, strict=True)))

    rows = Rows()
    made, seconds = features_of(pixels)
    rows.add(
        "linear on pixels", normal(made), labels, seconds, epochs=12, learning_rate=0.002, reg=0.01
    )
    hog_colour, hog_seconds = features_of(*HOG_AND_COLOUR)
    features = normal(hog_colour)
    rows.add("linear on HoG + colour", features, labels, hog_seconds, epochs=10, reg=1e-3)
    rows.add(
        "two layers on HoG + colour",
        features,
        labels,
        hog_seconds,
        hidden=200,
        epochs=15,
        learning_rate=0.03,
        reg=0.01,
    )
    del features

    start = time.perf_counter()
    encode = make_words(cifar.X_train, words, patches)
    codebook_seconds = time.perf_counter() - start
    made, seconds = features_of(encode)
    print(f"codebook of {words} words: {codebook_seconds:.0f} s; encoding: {seconds:.0f} s")
    features = normal(made)
    rows.add(
        "linear on visual words",
        features,
        labels,
        seconds,
        epochs=30,
        learning_rate=0.03,
        reg=3e-4,
    )
    rows.add(
        "two layers on visual words",
        features,
        labels,
        seconds,
        hidden=200,
        epochs=12,
        learning_rate=0.015,
        reg=0.007,
    )
    del features

    together = [np.concatenate(same, axis=1) for same in zip(made, hog_colour, strict=True)]
    del made, hog_colour
    seconds += hog_seconds
    settings = {"hidden": 300, "epochs": 10, "learning_rate": 0.015, "reg": 0.01}
    rows.add("two layers on all of it", standardized(*together), labels, seconds, **settings)

    # every training image a second time, mirrored
    start = time.perf_counter()
    twins = extract(mirrored(cifar.X_train), encode, *HOG_AND_COLOUR)
    seconds += time.perf_counter() - start
    together[0] = np.concatenate([together[0], twins])
    labels = (np.concatenate([labels[0], labels[0]]), *labels[1:])
    everything = standardized(*together)
    rows.add("the same, mirrored images too", everything, labels, seconds, **settings)

    Console().print(rows.table())
    peak = peak_memory()
    print(f"{os.cpu_count()} cores, {peak:.1f} GB of memory at the most")
    if options.json:
        result = {"speed": speed, "rows": rows.rows, "codebook_seconds": codebook_seconds}
        options.json.write_text(json.dumps(result | {"peak_gb": peak}, indent=2))


if __name__ == "__main__":
    main()
