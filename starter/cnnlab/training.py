"""The training loop: stochastic gradient descent with momentum, for any model and loss.

There is no gradient in here. It calls your functions, and walks where they point.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Params = dict[str, np.ndarray]


def fit(
    forward: Callable,
    backward: Callable,
    loss: Callable,
    params: Params,
    X: np.ndarray,
    y: np.ndarray,
    *,
    epochs: int = 10,
    learning_rate: float = 0.01,
    reg: float = 1e-3,
    momentum: float = 0.9,
    batch: int = 200,
    seed: int = 0,
) -> tuple[Params, list[float]]:
    """Train a model on X, y.

    In each step a batch of images is drawn, forward, loss and backward give the gradients, and

        velocity = momentum * velocity - rate * gradient;  parameter += velocity

    An *epoch* is once through all images, in a new order. The rate falls along half a cosine, from
    learning_rate to 0: large steps first, small ones at the end.

    Args:
        forward: (X, params) -> (scores, cache).
        backward: (dscores, cache, reg) -> a dict of gradients with the keys of params.
        loss: (scores, y) -> (loss, dscores), such as softmax_loss.
        params: where to start; left as it is.
        X, y: (N, D) and (N,). float32 is twice as fast as float64.
        epochs, learning_rate, reg, momentum, batch: see above; reg goes to backward.
        seed: of the orders in which the images are drawn.

    Returns:
        (params, losses): the trained parameters, of X's dtype, and the loss of every batch.

    Raises:
        FloatingPointError: the loss became NaN or infinite.
    """
    rng = np.random.default_rng(seed)
    params = {name: value.astype(X.dtype) for name, value in params.items()}
    velocity = {name: np.zeros_like(value) for name, value in params.items()}
    batch = min(batch, len(X))
    steps = epochs * (len(X) // batch)
    losses: list[float] = []
    for step in range(steps):
        if step % (len(X) // batch) == 0:
            order = rng.permutation(len(X))
        start = step % (len(X) // batch) * batch
        rows = order[start : start + batch]
        scores, cache = forward(X[rows], params)
        value, dscores = loss(scores, y[rows])
        if not np.isfinite(value):
            raise FloatingPointError(
                f"the loss became {value} after {step} steps: the learning rate {learning_rate} is "
                "too large for these features. Try a third of it, or standardise the features."
            )
        losses.append(float(value))
        gradients = backward(dscores.astype(X.dtype), cache, reg)
        rate = learning_rate * 0.5 * (1 + np.cos(np.pi * step / steps))
        for name in params:
            velocity[name] = momentum * velocity[name] - rate * gradients[name].astype(X.dtype)
            params[name] += velocity[name]
    return params, losses


def linear_params(features: int, classes: int) -> Params:
    """A linear classifier's start, all zeros: 'W' (features, classes) and 'b' (classes,)."""
    return {"W": np.zeros((features, classes)), "b": np.zeros(classes)}


def two_layer_params(features: int, hidden: int, classes: int, seed: int = 0) -> Params:
    """A two-layer network's start: small random weights, all biases 0.

    From zeros all hidden numbers would stay alike forever. The weights are drawn with standard
    deviation sqrt(2 / inputs), which keeps the numbers' size from layer to layer.

    Returns:
        'W1' (features, hidden), 'b1' (hidden,), 'W2' (hidden, classes), 'b2' (classes,).

    Source: He et al., "Delving deep into rectifiers" (arXiv:1502.01852).
    """
    rng = np.random.default_rng(seed)
    return {
        "W1": rng.standard_normal((features, hidden)) * np.sqrt(2 / features),
        "b1": np.zeros(hidden),
        "W2": rng.standard_normal((hidden, classes)) * np.sqrt(2 / hidden),
        "b2": np.zeros(classes),
    }


def predict(forward: Callable, params: Params, X: np.ndarray, batch: int = 1000) -> np.ndarray:
    """The class with the largest score for each row of X: int64 (N,)."""
    scores = [forward(X[i : i + batch], params)[0] for i in range(0, len(X), batch)]
    return np.argmax(np.concatenate(scores), axis=1)


def confusion(y: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """How often class i was taken for class j: int64 (classes, classes), [i, j]."""
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (y, predicted), 1)
    return counts
