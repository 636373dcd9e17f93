"""Max and average pooling, forward and backward, in loops that can be read like the definition."""

import numpy as np


def max_pool_forward_naive(x, pool_param):
    """Keep the largest number of every window: the forward pass of max pooling.

    Each channel of each image is pooled on its own. There is nothing to learn, and no padding.

    Args:
        x: images, shape (N, C, H, W)
        pool_param: dict with three ints
            'pool_height', 'pool_width': rows and columns of a window
            'stride': pixels from one window to the next, the same down and across

    Returns:
        (out, cache)
        out: shape (N, C, H', W'), where H' and W' count the places that fit down and across
        cache: whatever your backward pass needs; (x, pool_param) is enough

    The numbers may be negative, all of them. Windows and images need not be square; windows may
    overlap (stride smaller than the window) or leave gaps. You may take it that they fit evenly.
    x and pool_param are left as they were.

    Source: the lecture; overlapping windows, Krizhevsky, Sutskever and Hinton (2012).
    """
    ### BEGIN SOLUTION
    height, width = pool_param["pool_height"], pool_param["pool_width"]
    stride = pool_param["stride"]
    N, C, H, W = x.shape
    H_out = 1 + (H - height) // stride
    W_out = 1 + (W - width) // stride
    out = np.zeros((N, C, H_out, W_out), dtype=x.dtype)
    for n in range(N):
        for c in range(C):
            for i in range(H_out):
                for j in range(W_out):
                    top, left = i * stride, j * stride
                    out[n, c, i, j] = np.max(x[n, c, top : top + height, left : left + width])
    cache = (x, pool_param)
    return out, cache
    ### END SOLUTION


def max_pool_backward_naive(dout, cache):
    """Send the gradient back through max pooling: only the largest number of a window gets it.

    Args:
        dout: dL/dout for a loss L, shape (N, C, H', W'), the shape of the forward pass's out
        cache: what your max_pool_forward_naive returned as its cache

    Returns:
        dx: dL/dx, shape (N, C, H, W)

    Where windows overlap, one pixel can be the largest of several: its gradients add up. Pixels
    that won nowhere, or that no window covers, get 0. If several pixels of a window share the
    largest value, any of the usual conventions is accepted: the first, all of them, or a split.
    dout and the arrays in cache are left as they were.
    """
    ### BEGIN SOLUTION
    x, pool_param = cache
    height, width = pool_param["pool_height"], pool_param["pool_width"]
    stride = pool_param["stride"]
    N, C, H_out, W_out = dout.shape
    dx = np.zeros(x.shape, dtype=np.result_type(dout, x))
    for n in range(N):
        for c in range(C):
            for i in range(H_out):
                for j in range(W_out):
                    top, left = i * stride, j * stride
                    window = x[n, c, top : top + height, left : left + width]
                    row, column = np.unravel_index(np.argmax(window), window.shape)
                    dx[n, c, top + row, left + column] += dout[n, c, i, j]
    return dx
    ### END SOLUTION


def avg_pool_forward_naive(x, pool_param):
    """Replace every window by its mean: the forward pass of average pooling.

    Each channel of each image is pooled on its own. There is nothing to learn, and no padding.

    Args:
        x: images, shape (N, C, H, W)
        pool_param: dict with three ints
            'pool_height', 'pool_width': rows and columns of a window
            'stride': pixels from one window to the next, the same down and across

    Returns:
        (out, cache)
        out: shape (N, C, H', W'), floats, where H' and W' count the places that fit
        cache: whatever your backward pass needs; (x, pool_param) is enough

    Windows and images need not be square; windows may overlap or leave gaps. You may take it that
    they fit evenly. x and pool_param are left as they were.

    Source: the lecture; LeCun et al. (1998) pooled this way.
    """
    ### BEGIN SOLUTION
    height, width = pool_param["pool_height"], pool_param["pool_width"]
    stride = pool_param["stride"]
    N, C, H, W = x.shape
    H_out = 1 + (H - height) // stride
    W_out = 1 + (W - width) // stride
    out = np.zeros((N, C, H_out, W_out), dtype=np.result_type(x, np.float32))
    for n in range(N):
        for c in range(C):
            for i in range(H_out):
                for j in range(W_out):
                    top, left = i * stride, j * stride
                    out[n, c, i, j] = np.mean(x[n, c, top : top + height, left : left + width])
    cache = (x, pool_param)
    return out, cache
    ### END SOLUTION


def avg_pool_backward_naive(dout, cache):
    """Send the gradient back through average pooling: every pixel of a window gets its share.

    Args:
        dout: dL/dout for a loss L, shape (N, C, H', W'), the shape of the forward pass's out
        cache: what your avg_pool_forward_naive returned as its cache

    Returns:
        dx: dL/dx, shape (N, C, H, W)

    Where windows overlap, the shares add up. Pixels that no window covers get 0.
    dout and the arrays in cache are left as they were.
    """
    ### BEGIN SOLUTION
    x, pool_param = cache
    height, width = pool_param["pool_height"], pool_param["pool_width"]
    stride = pool_param["stride"]
    N, C, H_out, W_out = dout.shape
    dx = np.zeros(x.shape, dtype=np.result_type(dout, x, np.float32))
    for n in range(N):
        for c in range(C):
            for i in range(H_out):
                for j in range(W_out):
                    top, left = i * stride, j * stride
                    share = dout[n, c, i, j] / (height * width)
                    dx[n, c, top : top + height, left : left + width] += share
    return dx
    ### END SOLUTION
