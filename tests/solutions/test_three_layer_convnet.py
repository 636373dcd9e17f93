"""ThreeLayerConvNet against torch, numeric gradients, and CS231n's sanity checks."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional

from cnnlab.gradient_check import numeric_gradient, relative_error
from solutions.three_layer_convnet import ThreeLayerConvNet
from solutions.update_rules import adam


def small(dtype=np.float64, **settings):
    np.random.seed(0)
    sizes = {"input_dim": (2, 6, 8), "num_filters": 3, "filter_size": 3, "hidden_dim": 5}
    return ThreeLayerConvNet(**{**sizes, "num_classes": 4, "dtype": dtype, **settings})


def batch(N=4, shape=(2, 6, 8), classes=4):
    rng = np.random.default_rng(1)
    return rng.standard_normal((N, *shape)), rng.integers(0, classes, N)


@pytest.mark.parametrize("filter_size", [1, 3, 5])
def test_scores_loss_and_gradients_are_torchs(filter_size):
    net, (X, y) = small(weight_scale=0.5, reg=0.3, filter_size=filter_size), batch()
    for name in ("b1", "b2", "b3"):
        net.params[name] += np.random.randn(*net.params[name].shape)
    p = {name: torch.tensor(array, requires_grad=True) for name, array in net.params.items()}
    out = functional.conv2d(torch.tensor(X), p["W1"], p["b1"], padding=(filter_size - 1) // 2)
    out = functional.max_pool2d(out.relu(), 2).flatten(1)
    scores = (out @ p["W2"] + p["b2"]).relu() @ p["W3"] + p["b3"]
    penalty = sum(p[name].square().sum() for name in ("W1", "W2", "W3"))
    expected = functional.cross_entropy(scores, torch.tensor(y)) + 0.3 / 2 * penalty
    expected.backward()

    assert_allclose(net.loss(X), scores.detach().numpy(), atol=1e-12)
    loss, grads = net.loss(X, y)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    assert grads.keys() == net.params.keys()
    for name, tensor in p.items():
        assert_allclose(grads[name], tensor.grad.numpy(), atol=1e-12)


def test_numeric_gradient():
    net, (X, y) = small(weight_scale=0.3, reg=0.1), batch()
    _, grads = net.loss(X, y)
    for name, value in net.params.items():

        def moved(numbers, name=name, value=value):
            net.params[name] = numbers
            loss = net.loss(X, y)[0]
            net.params[name] = value
            return loss

        assert relative_error(grads[name], numeric_gradient(moved, value, np.array(1.0))) < 1e-6


def test_the_default_is_cs231ns_and_starts_at_log_10():
    net, rng = ThreeLayerConvNet(), np.random.default_rng(0)
    shapes = {name: array.shape for name, array in net.params.items()}
    assert shapes == {
        "W1": (32, 3, 7, 7), "b1": (32,),
        "W2": (8192, 100), "b2": (100,),
        "W3": (100, 10), "b3": (10,),
    }  # fmt: skip
    assert net.params["W2"].std() == pytest.approx(1e-3, rel=0.02)
    assert all(array.dtype == np.float32 for array in net.params.values())
    X, y = rng.standard_normal((50, 3, 32, 32)), rng.integers(0, 10, 50)
    plain = net.loss(X, y)[0]
    assert plain == pytest.approx(np.log(10), abs=1e-3)
    net.reg = 0.5
    penalty = sum(np.sum(np.square(net.params[name], dtype=float)) for name in ("W1", "W2", "W3"))
    assert net.loss(X, y)[0] == pytest.approx(plain + 0.25 * penalty, rel=1e-5)
    assert net.loss(X, y)[0] > plain + 0.1


def test_a_tiny_set_is_learned_by_heart():
    np.random.seed(0)
    net = ThreeLayerConvNet((3, 8, 8), 8, 3, 20, weight_scale=1e-2)
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 3, 8, 8)).astype(np.float32), rng.integers(0, 10, 30)
    configs = {}
    for _ in range(60):
        loss, grads = net.loss(X, y)
        for name, gradient in grads.items():
            config = configs.get(name, {"learning_rate": 1e-2})
            net.params[name], configs[name] = adam(net.params[name], gradient, config)
    assert loss < 0.05
    assert np.mean(net.loss(X).argmax(axis=1) == y) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keeps_the_dtype_and_its_inputs(dtype):
    net, (X, y) = small(dtype, reg=0.1), batch()
    for array in (X, y, *net.params.values()):
        array.flags.writeable = False
    loss, grads = net.loss(X, y)
    assert np.asarray(loss).dtype == dtype
    assert net.loss(X).dtype == dtype
    for name, gradient in grads.items():
        assert gradient.dtype == dtype and gradient.shape == net.params[name].shape


def test_a_seed_repeats_the_start():
    assert_array_equal(small().params["W2"], small().params["W2"])
