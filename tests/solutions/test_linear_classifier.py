"""The losses and their gradients against torch."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from solutions.linear_classifier import linear_backward, softmax_loss, svm_loss

THEIRS = {
    softmax_loss: torch.nn.functional.cross_entropy,
    # torch divides by the number of classes, the lecture does not
    svm_loss: lambda x, y: torch.nn.functional.multi_margin_loss(x, y) * x.shape[1],
}


@pytest.mark.parametrize("loss", THEIRS)
@given(n=st.integers(1, 9), c=st.integers(2, 9), seed=st.integers(0, 2**32 - 1))
def test_losses_and_gradients_are_torchs(loss, n, c, seed):
    rng = np.random.default_rng(seed)
    x, y = 3 * rng.standard_normal((n, c)), rng.integers(0, c, n)
    tensor = torch.tensor(x, requires_grad=True)
    expected = THEIRS[loss](tensor, torch.tensor(y))
    expected.backward()
    came, dx = loss(x, y)
    np.testing.assert_allclose(came, expected.item())
    np.testing.assert_allclose(dx, tensor.grad.numpy(), atol=1e-12)


def test_softmax_of_large_scores():
    loss, dx = softmax_loss(np.array([[1000.0, 0.0], [-1000.0, 0.0]]), np.array([1, 0]))
    assert loss == pytest.approx(1000)
    np.testing.assert_allclose(dx, [[0.5, -0.5], [-0.5, 0.5]])


def test_the_lectures_scores():
    """Scores 3.2, 5.1, -1.7 of a cat that is a cat: softmax 2.04, SVM 2.9."""
    x, y = np.array([[3.2, 5.1, -1.7]]), np.array([0])
    assert softmax_loss(x, y)[0] == pytest.approx(2.04, abs=0.005)
    assert svm_loss(x, y)[0] == pytest.approx(2.9)


def test_scores_are_left_alone():
    x, y = np.random.default_rng(0).standard_normal((3, 4)), np.array([0, 1, 2])
    before = x.copy()
    softmax_loss(x, y), svm_loss(x, y)
    np.testing.assert_array_equal(x, before)


def test_linear_gradients_are_torchs():
    rng = np.random.default_rng(0)
    X, W, b, y = rng.random((6, 5)), rng.random((5, 3)), rng.random(3), rng.integers(0, 3, 6)
    weights, bias = torch.tensor(W, requires_grad=True), torch.tensor(b, requires_grad=True)
    scores = torch.tensor(X) @ weights + bias
    loss = torch.nn.functional.cross_entropy(scores, torch.tensor(y))
    (loss + 0.7 / 2 * (weights**2).sum()).backward()
    _, dscores = softmax_loss(X @ W + b, y)
    dW, db = linear_backward(dscores, X, W, 0.7)
    np.testing.assert_allclose(dW, weights.grad.numpy())
    np.testing.assert_allclose(db, bias.grad.numpy(), atol=1e-12)
