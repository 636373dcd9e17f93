"""Group normalisation: what batch normalisation does, without looking at the rest of the batch."""

import numpy as np


def spatial_groupnorm_forward(x, gamma, beta, G, gn_param):
    """Normalise each image by itself, a group of its channels at a time.

    The C channels are cut, in order, into G groups of C / G. Each group of each image has one mean
    and one variance, over its channels and places; then each channel is scaled and shifted:

        out = gamma * (x - mean) / sqrt(var + eps) + beta

    With one group it is layer normalisation, with C groups instance normalisation. As no image
    looks at another, training and testing are the same, and batches may be small.

    Args:
        x: shape (N, C, H, W), floats
        gamma: scales, one per channel, shape (1, C, 1, 1)
        beta: shifts, one per channel, shape (1, C, 1, 1)
        G: the number of groups, >= 1; it divides C
        gn_param: dict
            'eps': keeps from dividing by zero, 1e-5 if it is missing

    Returns:
        (out, cache)
        out: of x's shape and dtype
        cache: whatever your backward pass needs

    The variance divides by the number of a group's numbers, C / G * H * W, not by one less.
    x, gamma, beta and gn_param are left as they were.
    Source: Wu and He, "Group normalization" (arXiv:1803.08494).
    """
    ### BEGIN SOLUTION
    eps = gn_param.get("eps", 1e-5)
    groups = x.reshape(len(x), G, -1)
    std = np.sqrt(groups.var(axis=2, keepdims=True) + eps)
    x_hat = ((groups - groups.mean(axis=2, keepdims=True)) / std).reshape(x.shape)
    return gamma * x_hat + beta, (G, x_hat, gamma, std)
    ### END SOLUTION


def spatial_groupnorm_backward(dout, cache):
    """Send the gradient back through group normalisation.

    Args:
        dout: dL/dout for a loss L, shape (N, C, H, W)
        cache: what your spatial_groupnorm_forward returned as its cache

    Returns:
        (dx, dgamma, dbeta)
        dx: dL/dx, shape (N, C, H, W)
        dgamma: dL/dgamma, shape (1, C, 1, 1)
        dbeta: dL/dbeta, shape (1, C, 1, 1)

    float32 where the forward pass was. dout and the arrays in cache are left as they were.
    """
    ### BEGIN SOLUTION
    G, x_hat, gamma, std = cache
    dbeta = np.sum(dout, axis=(0, 2, 3), keepdims=True)
    dgamma = np.sum(dout * x_hat, axis=(0, 2, 3), keepdims=True)
    rows = x_hat.reshape(len(x_hat), G, -1)
    d_hat = (dout * gamma).reshape(rows.shape)
    d_hat_mean = d_hat.mean(axis=2, keepdims=True)
    along_rows = np.mean(d_hat * rows, axis=2, keepdims=True)
    dx = (d_hat - d_hat_mean - rows * along_rows) / std
    return dx.reshape(dout.shape), dgamma, dbeta
    ### END SOLUTION
