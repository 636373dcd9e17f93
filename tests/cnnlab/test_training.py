"""The training loop against gradients by torch, and its helpers."""

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix

from cnnlab.training import confusion, fit, linear_params, predict, two_layer_params
from solutions.linear_classifier import linear_backward, softmax_loss
from solutions.two_layer import two_layer_backward, two_layer_forward


def forward(X, params):
    return X @ params["W"] + params["b"], (X, params)


def backward(dscores, cache, reg):
    X, params = cache
    dW, db = linear_backward(dscores, X, params["W"], reg)
    return {"W": dW, "b": db}


def blobs(n=90):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    return rng.normal(size=(n, 2)) + 3 * np.array([[0, 0], [1, 0], [0, 1]])[y], y


def test_steps_with_momentum_along_torchs_gradients_and_a_cosine():
    X, y = blobs(60)
    steps, rate = 5, 0.2
    params, losses = fit(
        forward, backward, softmax_loss, linear_params(2, 3), X, y,
        epochs=steps, learning_rate=rate, reg=0.1, batch=60,
    )  # fmt: skip
    W = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    b = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    velocity = [torch.zeros_like(W), torch.zeros_like(b)]
    for step in range(steps):
        loss = torch.nn.functional.cross_entropy(torch.tensor(X) @ W + b, torch.tensor(y))
        assert losses[step] == pytest.approx(loss.item())
        gradients = torch.autograd.grad(loss + 0.1 / 2 * W.square().sum(), (W, b))
        now = rate * 0.5 * (1 + np.cos(np.pi * step / steps))
        with torch.no_grad():
            for v, p, g in zip(velocity, (W, b), gradients, strict=True):
                v.mul_(0.9).sub_(now * g)
                p.add_(v)
    np.testing.assert_allclose(params["W"], W.detach().numpy(), atol=1e-10)
    np.testing.assert_allclose(params["b"], b.detach().numpy(), atol=1e-10)


def test_it_learns_and_leaves_the_start_alone():
    X, y = blobs()
    start = linear_params(2, 3)
    params, losses = fit(forward, backward, softmax_loss, start, X, y, epochs=50, batch=30)
    assert len(losses) == 150
    assert losses[0] == pytest.approx(np.log(3)) and losses[-1] < 0.5
    assert np.mean(predict(forward, params, X, batch=7) == y) > 0.85
    assert not start["W"].any()


def test_two_layers_learn_what_one_cannot():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2)).astype(np.float32)
    y = (np.hypot(*X.T) > 1).astype(int)
    model = (two_layer_forward, two_layer_backward, softmax_loss)
    params, _ = fit(*model, two_layer_params(2, 20, 2), X, y, epochs=200, learning_rate=0.1)
    assert np.mean(predict(two_layer_forward, params, X) == y) > 0.95
    assert all(value.dtype == np.float32 for value in params.values())


def test_the_same_seed_gives_the_same_result():
    X, y = blobs()
    one, other, third = (
        fit(forward, backward, softmax_loss, linear_params(2, 3), X, y, batch=10, seed=seed)[0]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one["W"], other["W"])
    assert not np.array_equal(one["W"], third["W"])


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
def test_too_large_steps_are_stopped_with_advice():
    X, y = blobs()
    with pytest.raises(FloatingPointError, match="learning rate 1e\\+200 is too large"):
        fit(forward, backward, softmax_loss, linear_params(2, 3), 1e150 * X, y, learning_rate=1e200)


def test_weights_start_small_and_different():
    params = two_layer_params(500, 40, 10, seed=3)
    assert params["W1"].std() == pytest.approx(np.sqrt(2 / 500), rel=0.05)
    assert len(np.unique(params["W1"])) == 500 * 40
    assert not params["b1"].any() and not params["b2"].any()


def test_confusions_are_scikit_learns():
    rng = np.random.default_rng(0)
    y, predicted = rng.integers(0, 4, 50), rng.integers(0, 4, 50)
    np.testing.assert_array_equal(confusion(y, predicted, 4), confusion_matrix(y, predicted))
