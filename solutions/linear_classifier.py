"""Two losses for scores, and the gradient of a linear classifier."""

import numpy as np


def softmax_loss(x, y):
    """Turn scores into probabilities, and charge for what the right class did not get.

    For one image with scores s, the probability of class j is exp(s_j) divided by the sum of all
    exp(s_k). Its loss is -log of the probability of the right class (the natural logarithm).

    Args:
        x: scores, shape (N, C): N images, C classes
        y: the right classes, shape (N,), integers from 0 to C - 1

    Returns:
        (loss, dx)
        loss: one number, the mean over the N images
        dx: the gradient of loss with respect to x, shape (N, C), floats

    Scores can be as large as 1000, where exp overflows: subtract each row's largest score first.
    That changes no probability. x and y are left as they were.
    Source: Bridle (1990); the lecture on linear classifiers.
    """
    ### BEGIN SOLUTION
    N = len(x)
    shifted = x - np.max(x, axis=1, keepdims=True)
    log_sums = np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    log_probabilities = shifted - log_sums
    loss = -np.mean(log_probabilities[np.arange(N), y])
    dx = np.exp(log_probabilities)
    dx[np.arange(N), y] -= 1
    return loss, dx / N
    ### END SOLUTION


def svm_loss(x, y):
    """Charge for every wrong class that comes too close to the right one: the multiclass SVM loss.

    For one image with scores s, each class j except the right one, y, costs
    max(0, s_j - s_y + 1). The loss of the image is the sum.

    Args:
        x: scores, shape (N, C): N images, C classes
        y: the right classes, shape (N,), integers from 0 to C - 1

    Returns:
        (loss, dx)
        loss: one number, the mean over the N images
        dx: the gradient of loss with respect to x, shape (N, C), floats

    Right at the kink, where s_j - s_y + 1 is 0, any value between both slopes is accepted.
    x and y are left as they were.
    Source: Weston and Watkins (1999); the lecture on linear classifiers.
    """
    ### BEGIN SOLUTION
    N = len(x)
    rows = np.arange(N)
    margins = np.maximum(0, x - x[rows, y][:, None] + 1)
    margins[rows, y] = 0
    loss = np.sum(margins) / N
    dx = (margins > 0).astype(margins.dtype)
    dx[rows, y] = -np.sum(dx, axis=1)
    return loss, dx / N
    ### END SOLUTION


def linear_backward(dscores, X, W, reg):
    """Send the gradient of the scores back to the weights of a linear classifier.

    The forward pass is scores = X @ W + b. To the loss of the scores comes a penalty for large
    weights: reg / 2 times the sum of all squared entries of W. (The bias pays no penalty.)

    Args:
        dscores: the gradient of the loss with respect to the scores, shape (N, C), as softmax_loss
            and svm_loss return it: their mean over the N images is in it already
        X: images or features as rows, shape (N, D)
        W: weights, shape (D, C): column c holds the weights of class c
        reg: a number >= 0, the strength of the penalty

    Returns:
        (dW, db)
        dW: the gradient of loss plus penalty with respect to W, shape (D, C)
        db: the gradient with respect to b, shape (C,)

    The inputs are left as they were.
    """
    ### BEGIN SOLUTION
    dW = X.T @ dscores + reg * W
    db = np.sum(dscores, axis=0)
    return dW, db
    ### END SOLUTION
