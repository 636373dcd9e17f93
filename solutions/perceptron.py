"""The perceptron of 1957: a linear classifier that learns from its mistakes only."""

import numpy as np


def perceptron_update(w, b, x, d, learning_rate=1.0):
    """Show the perceptron one image, and correct it if it is wrong: Rosenblatt's rule.

    The perceptron says 1 if the sum of w_i x_i, plus b, is larger than 0, and 0 otherwise. With y
    what it says and d what it should have said, each weight changes by learning_rate (d - y) x_i,
    and the bias by learning_rate (d - y).

    Args:
        w: weights, shape (D,), floats
        b: the bias, a number
        x: one image, shape (D,)
        d: what the perceptron should say, 0 or 1
        learning_rate: a number > 0

    Returns:
        (w, b): the weights, shape (D,), and the bias, a number, after the correction. If the
            perceptron was right, they are the same as before.

    w and x are left as they were: return a new array.
    Source: Rosenblatt, "The perceptron: a probabilistic model" (1958); the lecture's Mark I.
    """
    ### BEGIN SOLUTION
    y = 1 if np.sum(w * x) + b > 0 else 0
    return w + learning_rate * (d - y) * x, b + learning_rate * (d - y)
    ### END SOLUTION
