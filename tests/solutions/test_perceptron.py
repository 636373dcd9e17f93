"""Rosenblatt's rule against scikit-learn's perceptron, and his convergence theorem."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Perceptron

from solutions.perceptron import perceptron_update


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_one_pass_is_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    X, d = rng.standard_normal((20, 5)), rng.integers(0, 2, 20)
    d[:2] = 0, 1  # both classes are there
    # not from zero: there a sum is exactly 0, where scikit-learn takes every answer for wrong
    w, b = rng.standard_normal(5), 0.1
    theirs = Perceptron(shuffle=False, max_iter=1, tol=None, eta0=0.5)
    theirs.fit(X, d, coef_init=w.copy(), intercept_init=[b])
    for x, wanted in zip(X, d, strict=True):
        w, b = perceptron_update(w, b, x, wanted, learning_rate=0.5)
    np.testing.assert_allclose(w, theirs.coef_[0], atol=1e-12)
    np.testing.assert_allclose(b, theirs.intercept_[0], atol=1e-12)


def test_it_comes_to_an_end_where_a_line_separates():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 2))
    d = (X @ [2.0, -1.0] > 0).astype(int)
    X[d == 1] += [0.4, -0.2]
    w, b = np.zeros(2), 0.0
    for _ in range(200):
        for x, wanted in zip(X, d, strict=True):
            w, b = perceptron_update(w, b, x, wanted)
    np.testing.assert_array_equal(X @ w + b > 0, d)


def test_its_inputs_are_left_alone():
    w, x = np.zeros(3), np.ones(3)
    new, _ = perceptron_update(w, 0.0, x, 0)
    assert new is not w and not w.any() and x.all()
    moved, b = perceptron_update(w, 0.0, x, 1)
    assert moved.tolist() == [1, 1, 1] and b == 1 and not w.any()
