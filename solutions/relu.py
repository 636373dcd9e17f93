"""The rectified linear unit: what is negative becomes zero."""

import numpy as np


def relu_forward(x):
    """Replace every negative number by 0, and leave the others: out = max(0, x).

    Args:
        x: an array of any shape

    Returns:
        (out, cache)
        out: of x's shape and dtype
        cache: whatever your backward pass needs; x is enough

    x is left as it was.
    Source: Nair and Hinton (2010); Krizhevsky et al. (2012) made it the usual choice.
    """
    ### BEGIN SOLUTION
    return np.maximum(x, 0), x
    ### END SOLUTION


def relu_backward(dout, cache):
    """Send the gradient back through a ReLU: it passes where the input was positive.

    Args:
        dout: dL/dout for a loss L, of the forward pass's shape
        cache: what your relu_forward returned as its cache

    Returns:
        dx: dL/dx, of the same shape. 0 wherever x was negative. Right at the kink, where x is 0,
            any number between 0 and dout is accepted; 0 is usual.

    float32 where dout and x are float32. dout and cache are left as they were.
    """
    ### BEGIN SOLUTION
    return dout * (cache > 0)
    ### END SOLUTION
