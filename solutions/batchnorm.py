"""Batch normalisation for convolution layers: every channel with mean 0 and variance 1."""

import numpy as np


def spatial_batchnorm_forward(x, gamma, beta, bn_param):
    """Normalise each channel over all images and places of a batch; then scale and shift it.

    out = gamma * (x - mean) / sqrt(var + eps) + beta, channel by channel

    In training, mean and var are those of this batch: one of each per channel, over N, H and W
    together. In testing an image must not depend on its neighbours in the batch: there mean and
    var are running averages that the training has left.

    Args:
        x: shape (N, C, H, W), floats
        gamma: scales, shape (C,)
        beta: shifts, shape (C,)
        bn_param: dict
            'mode': 'train' or 'test'
            'eps': keeps from dividing by zero, 1e-5 if it is missing
            'momentum': how much of the running averages a training step keeps, 0.9 if it is missing
            'running_mean', 'running_var': shape (C,), of x's dtype; zeros if they are missing

    Returns:
        (out, cache)
        out: of x's shape and dtype
        cache: whatever your backward pass needs

    In 'train' mode, bn_param['running_mean'] and bn_param['running_var'] are set to
        momentum * running + (1 - momentum) * (this batch's)
    and the arrays that were in it are left as they were. All else in bn_param stays as it is, and
    in 'test' mode everything. Nothing is added, but perhaps the usual value of what is missing.

    Two conventions to know. The variance divides by N * H * W, not by one less, in the formula and
    in the running average; momentum is the share of the *old* average. (PyTorch's running_var
    divides by one less, and its momentum is the share of the new: its 0.1 is 0.9 here.)

    Raises:
        ValueError: the mode is neither of the two

    x, gamma and beta are left as they were.
    Source: Ioffe and Szegedy, "Batch normalization" (arXiv:1502.03167); section 3.2 for layers of
    convolutions. The averages are CS231n's.
    """
    ### BEGIN SOLUTION
    mode, eps = bn_param["mode"], bn_param.get("eps", 1e-5)
    momentum = bn_param.get("momentum", 0.9)
    N, C, H, W = x.shape
    running_mean = bn_param.get("running_mean", np.zeros(C, dtype=x.dtype))
    running_var = bn_param.get("running_var", np.zeros(C, dtype=x.dtype))
    if mode == "train":
        mean = x.mean(axis=(0, 2, 3))
        x_hat = x - mean[:, None, None]
        var = np.einsum("nchw,nchw->c", x_hat, x_hat) / (N * H * W)
        bn_param["running_mean"] = momentum * running_mean + (1 - momentum) * mean
        bn_param["running_var"] = momentum * running_var + (1 - momentum) * var
    elif mode == "test":
        x_hat, var = x - running_mean[:, None, None], running_var
    else:
        raise ValueError(f"the mode of batchnorm is 'train' or 'test', not {mode!r}")
    std = np.sqrt(var + eps)
    x_hat /= std[:, None, None]
    out = gamma[:, None, None] * x_hat
    out += beta[:, None, None]
    return out, (mode, x_hat, gamma, std)
    ### END SOLUTION


def spatial_batchnorm_backward(dout, cache):
    """Send the gradient back through batch normalisation.

    Args:
        dout: dL/dout for a loss L, shape (N, C, H, W)
        cache: what your spatial_batchnorm_forward returned as its cache

    Returns:
        (dx, dgamma, dbeta)
        dx: dL/dx, shape (N, C, H, W)
        dgamma: dL/dgamma, shape (C,)
        dbeta: dL/dbeta, shape (C,)

    In 'train' mode a number of x changes the output in three ways: directly, through the mean, and
    through the variance. So dx has three parts, and sums to zero over each channel. After a forward
    pass in 'test' mode the running averages are constants, and only the direct way is left.

    float32 where the forward pass was. dout and the arrays in cache are left as they were.
    """
    ### BEGIN SOLUTION
    mode, x_hat, gamma, std = cache
    N, _, H, W = dout.shape
    dbeta = np.sum(dout, axis=(0, 2, 3))
    dgamma = np.einsum("nchw,nchw->c", dout, x_hat)
    dx = dout.copy()
    if mode == "train":
        dx -= (dbeta / (N * H * W))[:, None, None]
        dx -= x_hat * (dgamma / (N * H * W))[:, None, None]
    dx *= (gamma / std)[:, None, None]
    return dx, dgamma, dbeta
    ### END SOLUTION
