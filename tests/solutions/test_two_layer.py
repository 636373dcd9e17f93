"""The two-layer network against torch, and a numeric gradient."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.gradient_check import numeric_gradient, relative_error
from solutions.linear_classifier import softmax_loss
from solutions.two_layer import two_layer_backward, two_layer_forward


def draw(seed, n, d, h, c):
    rng = np.random.default_rng(seed)
    params = {
        "W1": rng.standard_normal((d, h)),
        "b1": rng.standard_normal(h),
        "W2": rng.standard_normal((h, c)),
        "b2": rng.standard_normal(c),
    }
    return rng.standard_normal((n, d)), params, rng.integers(0, c, n)


sizes = st.integers(1, 6)


@given(n=sizes, d=sizes, h=sizes, c=sizes, reg=st.floats(0, 2), seed=st.integers(0, 2**32))
def test_is_torchs(n, d, h, c, reg, seed):
    X, params, y = draw(seed, n, d, h, c)
    theirs = {k: torch.tensor(v, requires_grad=True) for k, v in params.items()}
    hidden = torch.relu(torch.tensor(X) @ theirs["W1"] + theirs["b1"])
    expected = hidden @ theirs["W2"] + theirs["b2"]
    penalty = reg / 2 * (theirs["W1"].square().sum() + theirs["W2"].square().sum())
    (torch.nn.functional.cross_entropy(expected, torch.tensor(y)) + penalty).backward()

    scores, cache = two_layer_forward(X, params)
    np.testing.assert_allclose(scores, expected.detach().numpy(), atol=1e-12)
    _, dscores = softmax_loss(scores, y)
    grads = two_layer_backward(dscores, cache, reg)
    assert grads.keys() == params.keys()
    for name, tensor in theirs.items():
        np.testing.assert_allclose(grads[name], tensor.grad.numpy(), atol=1e-12)


def test_numeric_gradient():
    X, params, _ = draw(0, 4, 5, 6, 3)
    scores, cache = two_layer_forward(X, params)
    dscores = np.random.default_rng(1).standard_normal(scores.shape)
    grads = two_layer_backward(dscores, cache)
    for name, value in params.items():

        def moved(numbers, name=name):
            return two_layer_forward(X, {**params, name: numbers})[0]

        assert relative_error(grads[name], numeric_gradient(moved, value, dscores)) < 1e-7
