"""The embedded set: what the file holds, and that its generator still draws it."""

import importlib.util
import json
import sys

import numpy as np
import pytest
from PIL import Image

from autograder.questions import PROJECT
from cnnlab.data import DataError, load
from cnnlab.data.toys import FILE, load_toys


@pytest.fixture(scope="module")
def toys():
    return load("toys")


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location("make_toys", PROJECT / "datasets/make_toys.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_toys"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_shapes_types_and_balance(toys):
    for part, size in (("train", 4000), ("val", 500), ("test", 1000)):
        X, y = getattr(toys, f"X_{part}"), getattr(toys, f"y_{part}")
        assert X.shape == (size, 32, 32, 3) and X.dtype == np.uint8
        assert X.flags.c_contiguous and X.flags.writeable
        assert y.shape == (size,) and y.dtype == np.int64
        assert np.bincount(y).tolist() == [size // 10] * 10
    assert len(set(toys.class_names)) == 10


def test_no_picture_is_there_twice(toys):
    """neither within a part nor in two: the test pictures are new to whoever has trained"""
    X = np.concatenate([toys.X_train, toys.X_val, toys.X_test]).reshape(5500, -1)
    assert len(np.unique(X, axis=0)) == 5500


def test_the_labels_are_not_in_a_simple_order(toys):
    steps = np.bincount(np.diff(toys.y_train) % 10, minlength=10)
    assert steps.max() < 2 * steps.min()


def test_the_committed_file_is_what_the_generator_draws(toys, generator):
    assert generator.make_labels()[:4000].tolist() == toys.y_train.tolist()
    assert tuple(toy.name for toy in generator.TOYS) == toys.class_names
    for part, start in (("train", 0), ("val", 4000), ("test", 4500)):
        X, y = getattr(toys, f"X_{part}"), getattr(toys, f"y_{part}")
        for i in range(0, len(y), len(y) // 12):
            np.testing.assert_array_equal(generator.draw(start + i, int(y[i])), X[i])


def test_the_file_is_small_enough_to_commit():
    assert FILE.stat().st_size <= 6_000_000


def test_half_of_a_two_coloured_toy_is_the_one_colour_and_half_the_other(generator):
    """else the amounts of the colours would tell a roof from a wall"""
    u, v = np.meshgrid(*[np.linspace(-1.4, 1.4, 400)] * 2)
    for toy in generator.TOYS:
        top = np.full(u.shape, -1)
        colors = sorted({color for _, color in toy.parts})
        for shape, color in toy.parts:
            top[shape(u, v)] = colors.index(color)
        areas = sorted(np.bincount(top[top >= 0]))[-2:]
        assert areas[0] / areas[1] > 0.88, toy.name


def test_two_classes_of_the_same_shape_have_the_same_outline(generator):
    u, v = np.meshgrid(*[np.linspace(-1.4, 1.4, 200)] * 2)
    outlines = [np.any([shape(u, v) for shape, _ in toy.parts], 0) for toy in generator.TOYS]
    for one, other in zip(outlines[::2], outlines[1::2], strict=True):
        np.testing.assert_array_equal(one, other)
    assert len({outline.tobytes() for outline in outlines}) == 5


def test_a_missing_or_damaged_file_is_told(tmp_path):
    with pytest.raises(DataError, match="is missing"):
        load_toys(tmp_path / "toys.png")
    content = FILE.read_bytes()
    for name, damaged in {
        "cut": content[: len(content) // 2],
        "empty": b"",
        "text": b"<html>not found</html>",
        "flipped": content[:-2000] + bytes([content[-2000] ^ 1]) + content[-1999:],
    }.items():
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(DataError, match=r"damaged.*Copy cnnlab anew"):
            load_toys(tmp_path / name)
    Image.new("RGB", (1600, 3520)).save(tmp_path / "bare.png")
    with pytest.raises(DataError, match="damaged"):
        load_toys(tmp_path / "bare.png")


def test_the_file_tells_what_it_holds():
    with Image.open(FILE) as png:
        about = json.loads(png.text["toys"])
    assert about["splits"] == {"train": 4000, "val": 500, "test": 1000}
    assert len(about["labels"]) == 5500
