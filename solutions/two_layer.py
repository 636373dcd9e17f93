"""The two-layer network: a linear classifier on features that it makes itself."""

import numpy as np


def two_layer_forward(X, params):
    """Compute the scores of a network with one hidden layer.

    hidden = max(0, X @ W1 + b1), number by number; scores = hidden @ W2 + b2.

    Args:
        X: images or features as rows, shape (N, D)
        params: dict of arrays: 'W1' (D, H), 'b1' (H,), 'W2' (H, C), 'b2' (C,). In the lecture D is
            32 * 32 * 3 = 3072, H is 100, C is 10.

    Returns:
        (scores, cache)
        scores: shape (N, C). No max(0, ...) there: scores may be negative.
        cache: whatever your backward pass needs; (X, hidden, params) is enough

    X and params are left as they were.
    """
    ### BEGIN SOLUTION
    hidden = np.maximum(0, X @ params["W1"] + params["b1"])
    scores = hidden @ params["W2"] + params["b2"]
    return scores, (X, hidden, params)
    ### END SOLUTION


def two_layer_backward(dscores, cache, reg=0.0):
    """Send the gradient of the scores back to all weights of the two-layer network.

    To the loss of the scores comes a penalty for large weights: reg / 2 times the sum of all
    squared entries of W1 and of W2. (The biases pay no penalty.)

    Args:
        dscores: the gradient of the loss with respect to the scores, shape (N, C); the mean over
            the N images is in it already
        cache: what your two_layer_forward returned as its cache
        reg: a number >= 0, the strength of the penalty

    Returns:
        grads: dict with the keys of params, 'W1', 'b1', 'W2', 'b2'; each holds the gradient of
            loss plus penalty, of that array's shape

    A hidden number that max(0, ...) has set to 0 passes no gradient on. dscores and the arrays in
    cache are left as they were.
    """
    ### BEGIN SOLUTION
    X, hidden, params = cache
    dhidden = dscores @ params["W2"].T * (hidden > 0)
    return {
        "W1": X.T @ dhidden + reg * params["W1"],
        "b1": np.sum(dhidden, axis=0),
        "W2": hidden.T @ dscores + reg * params["W2"],
        "b2": np.sum(dscores, axis=0),
    }
    ### END SOLUTION
