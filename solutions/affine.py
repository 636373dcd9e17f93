"""The affine layer, also called fully connected: every output sees every input."""

import numpy as np


def affine_forward(x, w, b):
    """Multiply every image with a weight matrix, and add biases: out = rows @ w + b.

    Each image, whatever its shape, is first laid out as one row of D numbers, in the order in
    which reshape takes them.

    Args:
        x: images or what a layer made of them, shape (N, d_1, ..., d_k), k at least 1;
            D = d_1 * ... * d_k
        w: weights, shape (D, M): column m holds the weights of output m
        b: biases, shape (M,)

    Returns:
        (out, cache)
        out: shape (N, M), floats. float32 where x, w and b are float32.
        cache: whatever your backward pass needs; (x, w, b) is enough

    x, w and b are left as they were.
    Source: the lecture on neural networks.
    """
    ### BEGIN SOLUTION
    out = x.reshape(len(x), -1) @ w + b
    return out, (x, w, b)
    ### END SOLUTION


def affine_backward(dout, cache):
    """Send the gradient back through an affine layer.

    Args:
        dout: dL/dout for a loss L, shape (N, M)
        cache: what your affine_forward returned as its cache

    Returns:
        (dx, dw, db)
        dx: dL/dx, of x's shape (N, d_1, ..., d_k)
        dw: dL/dw, shape (D, M), summed over the images, not averaged
        db: dL/db, shape (M,)

    float32 where dout and the arrays in cache are float32. dout and cache are left as they were.
    """
    ### BEGIN SOLUTION
    x, w, _ = cache
    dx = (dout @ w.T).reshape(x.shape)
    dw = x.reshape(len(x), -1).T @ dout
    db = np.sum(dout, axis=0)
    return dx, dw, db
    ### END SOLUTION
