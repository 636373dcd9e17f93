"""Dropout: how much it drops, that it drops the same on the way back, and its expected value."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layer_oracle import untouched
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binomtest

from cnnlab.gradient_check import numeric_gradient, relative_error
from solutions.dropout import dropout_backward, dropout_forward

keep = st.floats(0.05, 1)


@given(p=keep, seed=st.integers(0, 2**32))
def test_what_is_kept_is_divided_by_p_and_as_much_as_p_says(p, seed):
    x = np.random.default_rng(seed).uniform(1, 2, (40, 50))
    out, _ = dropout_forward(x, {"mode": "train", "p": p, "seed": seed})
    kept = out != 0
    assert_allclose(out[kept], x[kept] / p)
    assert binomtest(int(kept.sum()), kept.size, p).pvalue > 1e-9


def test_the_expected_value_stays():
    x = np.full((1000, 1000), 3.0)
    out, _ = dropout_forward(x, {"mode": "train", "p": 0.3, "seed": 1})
    assert out.mean() == pytest.approx(3, rel=0.01)
    assert np.unique(out[:, 0]).tolist() == [0, 10]  # each number by itself, not rows or columns
    assert len(np.unique(out[0])) == 2


def test_testing_changes_nothing():
    x = np.arange(6.0).reshape(2, 3)
    out, cache = dropout_forward(x, {"mode": "test", "p": 0.3})
    assert_array_equal(out, x)
    assert_array_equal(dropout_backward(-x, cache), -x)


def test_numeric_gradient():
    rng = np.random.default_rng(0)
    x, dout = rng.standard_normal((2, 5, 4)), rng.standard_normal((2, 5, 4))
    param = {"mode": "train", "p": 0.6, "seed": 3}
    _, cache = dropout_forward(x, param)
    expected = numeric_gradient(lambda t: dropout_forward(t, param)[0], x, dout)
    assert relative_error(dropout_backward(dout, cache), expected) < 1e-8


def test_a_seed_repeats_and_leaves_the_common_generator_alone():
    x = np.ones((9, 9))
    np.random.seed(7)
    first, again, other = (
        dropout_forward(x, {"mode": "train", "p": 0.5, "seed": seed})[0] for seed in (1, 1, 2)
    )
    assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    after = np.random.random()
    np.random.seed(7)
    assert np.random.random() == after


def test_without_a_seed_each_call_differs_and_np_random_seed_repeats_them():
    x, param = np.ones((9, 9)), {"mode": "train", "p": 0.5}
    np.random.seed(5)
    one, two = (dropout_forward(x, param)[0] for _ in range(2))
    np.random.seed(5)
    assert_array_equal(dropout_forward(x, param)[0], one)
    assert not np.array_equal(one, two)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [0.4, np.float64(0.4), 1])
@pytest.mark.parametrize("mode", ["train", "test"])
def test_keeps_the_dtype_and_its_inputs(dtype, p, mode):
    x, dout = np.ones((5, 6), dtype), np.ones((5, 6), dtype)
    param = {"mode": mode, "p": p, "seed": 0}
    with untouched(x, dout):
        out, cache = dropout_forward(x, param)
        dx = dropout_backward(dout, cache)
    assert out.dtype == dx.dtype == dtype
    assert param == {"mode": mode, "p": p, "seed": 0}


def test_another_mode_is_told():
    with pytest.raises(ValueError, match="'training'"):
        dropout_forward(np.ones(3), {"mode": "training", "p": 0.5})
