"""Mean image, standardisation, channels first: against plain NumPy in float64, and torch."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cnnlab.data import (
    channel_statistics,
    for_training,
    load,
    mean_image,
    standardize,
    subset,
    to_nchw,
)

pictures = hnp.arrays(
    np.uint8,
    st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 6), st.integers(1, 4)),
)


@given(pictures)
def test_the_mean_image_is_the_mean_of_each_pixel(X):
    mean = mean_image(X)
    assert mean.dtype == np.float32 and mean.shape == X.shape[1:]
    np.testing.assert_allclose(mean, X.astype(np.float64).sum(0) / len(X), rtol=1e-6)


def test_a_mean_of_many_bytes_does_not_overflow():
    X = np.full((70_000, 1, 1, 1), 250, dtype=np.uint8)
    X[0] = 0
    assert mean_image(X)[0, 0, 0] == pytest.approx(250 * 69_999 / 70_000, rel=1e-6)


@given(pictures)
def test_channel_statistics_agree_with_torch(X):
    mean, std = channel_statistics(X)
    flat = torch.from_numpy(X).double().flatten(0, 2)
    np.testing.assert_allclose(mean, flat.mean(0), rtol=1e-6)
    np.testing.assert_allclose(std, flat.std(0, correction=0), rtol=1e-5, atol=1e-5)


def test_standardized_training_pictures_have_mean_0_and_deviation_1():
    X = np.random.default_rng(0).integers(0, 256, (50, 8, 7, 3), dtype=np.uint8)
    before = X.copy()
    Z = standardize(X, *channel_statistics(X))
    assert Z.dtype == np.float32 and Z.shape == X.shape
    np.testing.assert_allclose(Z.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(Z.std((0, 1, 2)), 1, atol=1e-5)
    np.testing.assert_array_equal(X, before)


def test_other_pictures_are_measured_by_the_training_pictures_rule():
    X = np.array([[[[10, 100]]], [[[30, 100]]]], dtype=np.uint8)
    Z = standardize(X, np.array([20.0, 50.0]), np.array([10.0, 25.0]))
    np.testing.assert_array_equal(Z, [[[[-1, 2]]], [[[1, 2]]]])


def test_a_mean_image_may_stand_for_the_mean():
    X = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), dtype=np.uint8)
    Z = standardize(X, mean_image(X), np.ones(3))
    np.testing.assert_allclose(Z.mean(0), 0, atol=1e-4)


@pytest.mark.parametrize(
    "mean, std, complaint",
    [
        (np.zeros(4), np.ones(3), r"mean has shape \(4,\)"),
        (np.zeros(3), np.ones((2, 2)), r"std has shape \(2, 2\)"),
        (np.zeros(3), np.array([1.0, 0.0, 1.0]), "above 0 everywhere, its smallest is 0.0"),
        (np.zeros(3), np.array([1.0, np.nan, 1.0]), "above 0"),
    ],
)
def test_what_cannot_be_a_mean_or_a_deviation_is_refused(mean, std, complaint):
    with pytest.raises(ValueError, match=complaint):
        standardize(np.zeros((2, 4, 5, 3), dtype=np.uint8), mean, std)


@given(pictures)
def test_channels_first_is_torchs_permute(X):
    moved = to_nchw(X)
    assert moved.dtype == np.float32 and moved.flags.c_contiguous
    np.testing.assert_array_equal(moved, torch.from_numpy(X).permute(0, 3, 1, 2).float())


@pytest.mark.parametrize("f", [mean_image, channel_statistics, to_nchw])
def test_one_picture_without_its_first_axis_is_refused(f):
    with pytest.raises(ValueError, match=r"\(N, H, W, C\).*not \(32, 32, 3\)"):
        f(np.zeros((32, 32, 3), dtype=np.uint8))


@pytest.mark.parametrize("f", [mean_image, channel_statistics])
def test_no_pictures_have_no_mean(f):
    with pytest.raises(ValueError, match="at least one"):
        f(np.zeros((0, 32, 32, 3), dtype=np.uint8))


def test_a_dataset_is_prepared_for_training_with_the_training_pictures_statistics():
    few = subset(load("toys"), 50, 20, 20)
    made = for_training(few)
    assert list(made) == ["X_train", "y_train", "X_val", "y_val", "X_test", "y_test"]
    plain = few.X_train.astype(np.float64)
    mean, std = plain.mean(axis=(0, 1, 2)), plain.std(axis=(0, 1, 2))
    for part in ("train", "val", "test"):
        X = (getattr(few, f"X_{part}") - mean) / std
        assert made[f"X_{part}"].dtype == np.float32
        np.testing.assert_allclose(made[f"X_{part}"], X.transpose(0, 3, 1, 2), atol=1e-4)
        np.testing.assert_array_equal(made[f"y_{part}"], getattr(few, f"y_{part}"))
