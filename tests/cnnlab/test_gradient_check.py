"""Numeric gradients of functions whose gradient is known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from cnnlab.gradient_check import numeric_gradient, relative_error

shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)


@pytest.mark.parametrize(
    "f, slope",
    [
        (np.sin, np.cos),
        (np.exp, np.exp),
        (lambda x: x**3, lambda x: 3 * x**2),
        (lambda x: 5 * x + 2, lambda x: np.full_like(x, 5)),
    ],
)
@settings(max_examples=30)
@given(shapes, st.integers(0, 2**32 - 1))
def test_elementwise_functions(f, slope, shape, seed):
    rng = np.random.default_rng(seed)
    x, df = rng.standard_normal(shape), rng.standard_normal(shape)
    gradient = numeric_gradient(f, x, df)
    assert gradient.shape == x.shape
    assert_allclose(gradient, slope(x) * df, rtol=1e-6, atol=1e-8)


def test_a_matrix_product():
    rng = np.random.default_rng(0)
    x, w, df = (rng.standard_normal(s) for s in [(4, 3), (3, 5), (4, 5)])
    assert relative_error(numeric_gradient(lambda moved: moved @ w, x, df), df @ w.T) < 1e-9
    assert relative_error(numeric_gradient(lambda moved: x @ moved, w, df), x.T @ df) < 1e-9


def test_a_function_that_gives_one_number():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert_allclose(numeric_gradient(lambda moved: np.sum(moved**2), x, 3.0), 6 * x)


def test_a_straight_line_is_exact_with_a_large_step():
    x = np.array([0.25, -1.5], dtype=np.float32)
    gradient = numeric_gradient(lambda v: np.float32(2) * v.astype(np.float32), x, [1, 10], h=0.5)
    assert gradient.dtype == np.float64
    assert gradient.tolist() == [2, 20]


def test_x_is_not_changed_and_may_hold_integers():
    x = np.array([1, 2, 3])
    assert_allclose(numeric_gradient(np.square, x, np.ones(3)), [2, 4, 6])
    assert x.tolist() == [1, 2, 3]


def test_f_may_hand_back_the_array_it_got():
    assert_allclose(numeric_gradient(lambda x: x, np.zeros(2), np.ones(2)), [1, 1])


def test_a_df_of_another_shape():
    with pytest.raises(ValueError, match=r"\(3,\).*\(2,\)"):
        numeric_gradient(lambda x: x, np.zeros(3), np.ones(2))


@pytest.mark.parametrize(
    "a, b, error",
    [
        ([1, 2], [1, 2], 0),
        ([0, 0], [0, 0], 0),
        ([], [], 0),
        ([1], [-1], 1),
        ([3, 0], [1, 0], 0.5),
        ([100, 0], [100, 1], 0.005),  # a fraction of the largest number, not of each
        (2, 2, 0),
    ],
)
def test_relative_error(a, b, error):
    came = relative_error(np.array(a), np.array(b))
    assert type(came) is float
    assert came == pytest.approx(error)
    assert relative_error(b, a) == came


def test_relative_error_does_not_broadcast_or_hide_nan():
    with pytest.raises(ValueError, match="shapes differ"):
        relative_error(np.ones((3, 1)), np.ones(3))
    assert math.isnan(relative_error([1, np.nan], [1, 2]))
