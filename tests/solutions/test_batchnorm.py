"""Batch normalisation against torch: values, gradients, and what is left for testing."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from layer_oracle import torch_gradients, untouched
from numpy.testing import assert_allclose, assert_array_equal

from cnnlab.gradient_check import numeric_gradient, relative_error
from solutions.batchnorm import spatial_batchnorm_backward, spatial_batchnorm_forward


def draw(seed, shape, dtype=np.float64):
    """x, gamma, beta, dout; x far from mean 0 and variance 1."""
    rng = np.random.default_rng(seed)
    C = shape[1]
    x = 3 * rng.standard_normal(shape) + rng.standard_normal(C)[:, None, None]
    others = (rng.standard_normal(C), rng.standard_normal(C), rng.standard_normal(shape))
    return [array.astype(dtype) for array in (x, *others)]


shapes = st.tuples(st.integers(2, 4), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))


@given(shape=shapes, eps=st.sampled_from([1e-5, 1e-3, 0.1]), seed=st.integers(0, 2**32))
def test_training_is_torchs(shape, eps, seed):
    *arrays, dout = draw(seed, shape)
    out, cache = spatial_batchnorm_forward(*arrays, {"mode": "train", "eps": eps})
    expected, gradients = torch_gradients(
        lambda x, g, b: torch.nn.functional.batch_norm(x, None, None, g, b, True, eps=eps),
        arrays,
        dout,
    )
    assert_allclose(out, expected, atol=1e-9)
    for mine, theirs in zip(spatial_batchnorm_backward(dout, cache), gradients, strict=True):
        assert mine.shape == theirs.shape
        assert_allclose(mine, theirs, atol=1e-7, rtol=1e-7)


@given(shape=shapes, seed=st.integers(0, 2**32))
def test_testing_is_torchs(shape, seed):
    *arrays, dout = draw(seed, shape)
    rng = np.random.default_rng(seed)
    mean, var = rng.standard_normal(shape[1]), rng.uniform(0.1, 3, shape[1])
    param = {"mode": "test", "running_mean": mean, "running_var": var}
    out, cache = spatial_batchnorm_forward(*arrays, param)
    expected, gradients = torch_gradients(
        lambda x, g, b: torch.nn.functional.batch_norm(
            x, torch.tensor(mean), torch.tensor(var), g, b, False
        ),
        arrays,
        dout,
    )
    assert_allclose(out, expected, atol=1e-10)
    for mine, theirs in zip(spatial_batchnorm_backward(dout, cache), gradients, strict=True):
        assert_allclose(mine, theirs, atol=1e-10)
    assert param.keys() == {"mode", "running_mean", "running_var"}


def test_running_averages_over_some_steps_are_torchs():
    """but for torch's variance, which divides by one less, and its momentum, which is the rest"""
    layer = torch.nn.BatchNorm2d(3, momentum=0.2, dtype=torch.float64)
    layer.running_var.zero_()  # ours starts from zeros where nothing is given
    param = {"mode": "train", "momentum": 0.8}
    count = 5 * 4 * 6
    for seed in range(4):
        x = draw(seed, (5, 3, 4, 6))[0]
        spatial_batchnorm_forward(x, np.ones(3), np.zeros(3), param)
        layer(torch.tensor(x))
    assert_allclose(param["running_mean"], layer.running_mean.numpy(), atol=1e-12)
    theirs = layer.running_var.numpy() * (count - 1) / count
    assert_allclose(param["running_var"], theirs, rtol=1e-12)
    assert param["mode"] == "train" and param["momentum"] == 0.8


def test_a_batch_comes_out_normalised_and_the_mean_gradient_is_zero():
    x, _, _, dout = draw(0, (8, 3, 5, 4))
    out, cache = spatial_batchnorm_forward(x, np.ones(3), np.zeros(3), {"mode": "train"})
    assert_allclose(out.mean(axis=(0, 2, 3)), 0, atol=1e-12)
    assert_allclose(out.var(axis=(0, 2, 3)), 1, atol=1e-5)
    dx = spatial_batchnorm_backward(dout, cache)[0]
    assert_allclose(dx.sum(axis=(0, 2, 3)), 0, atol=1e-12)


@pytest.mark.parametrize("mode", ["train", "test"])
def test_numeric_gradient(mode):
    *arrays, dout = draw(1, (3, 2, 3, 2))
    param = {"mode": mode, "running_mean": np.ones(2), "running_var": np.full(2, 4.0)}
    _, cache = spatial_batchnorm_forward(*arrays, dict(param))
    for k, gradient in enumerate(spatial_batchnorm_backward(dout, cache)):

        def moved(numbers, k=k):
            parts = [*arrays[:k], numbers, *arrays[k + 1 :]]
            return spatial_batchnorm_forward(*parts, dict(param))[0]

        assert relative_error(gradient, numeric_gradient(moved, arrays[k], dout)) < 1e-8


def test_float32_is_near_float64():
    single = draw(2, (64, 5, 16, 16), np.float32)
    double = [np.float64(a) for a in single]
    results = []
    for *arrays, dout in (single, double):
        param = {"mode": "train"}
        out, cache = spatial_batchnorm_forward(*arrays, param)
        averages = (param["running_mean"], param["running_var"])
        results.append([out, *spatial_batchnorm_backward(dout, cache), *averages])
    for mine, exact in zip(*results, strict=True):
        assert mine.dtype == np.float32
        assert relative_error(mine, exact) < 3e-6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", ["train", "test"])
def test_keeps_the_dtype_and_its_inputs(dtype, mode):
    x, gamma, beta, dout = draw(0, (4, 2, 3, 3), dtype)
    averages = np.zeros(2, dtype), np.ones(2, dtype)
    param = {"mode": mode, "running_mean": averages[0], "running_var": averages[1]}
    with untouched(x, gamma, beta, dout, *averages):
        out, cache = spatial_batchnorm_forward(x, gamma, beta, param)
        results = [out, *spatial_batchnorm_backward(dout, cache)]
    results += [param["running_mean"], param["running_var"]]
    assert all(result.dtype == dtype for result in results)
    assert not any(np.shares_memory(r, a) for r in results[:2] for a in (x, dout))
    if mode == "test":
        assert_array_equal(param["running_var"], 1)


def test_another_mode_is_told():
    with pytest.raises(ValueError, match="'eval'"):
        spatial_batchnorm_forward(np.ones((1, 1, 1, 1)), np.ones(1), np.ones(1), {"mode": "eval"})
