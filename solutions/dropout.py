"""Dropout: while training, some numbers are set to zero at random."""

import numpy as np


def dropout_forward(x, dropout_param):
    """Drop numbers at random while training, and none when testing: inverted dropout.

    "Inverted" says when the scaling is done: in training, what is kept is divided by p. So the
    expected value of each number stays what it was, and testing has nothing to do at all.

    Args:
        x: an array of floats, any shape
        dropout_param: dict
            'mode': 'train' or 'test'
            'p': the probability with which a number is KEPT, 0 < p <= 1. (Others, PyTorch among
                them, call p the probability of dropping.)
            'seed': optional, an int >= 0: the same seed drops the same numbers, for gradient
                checks. Without it, draw from NumPy's common generator, np.random.random(...): then
                each call drops others, and np.random.seed makes a whole training repeatable.

    Returns:
        (out, cache)
        out: of x's shape and dtype. In 'train', each number is 0 or x / p, by itself. In 'test', x.
        cache: whatever your backward pass needs; (dropout_param, mask) is enough

    Raises:
        ValueError: the mode is neither of the two

    x and dropout_param are left as they were; so is, with a seed, NumPy's common generator.
    Source: Srivastava et al., "Dropout" (2014); the inverted form is from the CS231n notes.
    """
    ### BEGIN SOLUTION
    mode, p = dropout_param["mode"], dropout_param["p"]
    if mode == "test":
        return x, (dropout_param, None)
    if mode != "train":
        raise ValueError(f"the mode of dropout is 'train' or 'test', not {mode!r}")
    seed = dropout_param.get("seed")
    generator = np.random if seed is None else np.random.default_rng(seed)
    mask = np.divide(generator.random(x.shape) < p, p, dtype=x.dtype)  # 0 or 1 / p
    return x * mask, (dropout_param, mask)
    ### END SOLUTION


def dropout_backward(dout, cache):
    """Send the gradient back through dropout.

    Args:
        dout: dL/dout for a loss L, of the forward pass's shape
        cache: what your dropout_forward returned as its cache

    Returns:
        dx: dL/dx, of the same shape. What was dropped gets no gradient; what was divided by p has
            its gradient divided by p. In 'test', dx is dout.

    float32 where dout and x are float32. dout and cache are left as they were.
    """
    ### BEGIN SOLUTION
    dropout_param, mask = cache
    return dout if dropout_param["mode"] == "test" else dout * mask
    ### END SOLUTION
