"""Max and average pooling without a loop over pixels.

fastest_layers runs these functions in threads.
"""

import numpy as np


def max_pool_forward_fast(x, pool_param):
    """Compute what max_pool_forward_naive computes, many windows at a time: the forward pass.

    Each channel of each image is pooled on its own. There is nothing to learn, and no padding.

    Args:
        x: images, shape (N, C, H, W)
        pool_param: dict with three ints
            'pool_height', 'pool_width': rows and columns of a window
            'stride': pixels from one window to the next, the same down and across

    Returns:
        (out, cache)
        out: shape (N, C, H', W'), floats, of x's dtype or float64, where H' and W' count the places
            that fit down and across
        cache: whatever your backward pass needs; (x, out, pool_param) is enough

    The numbers may be negative, all of them. Windows and images need not be square; windows may
    overlap (stride smaller than the window) or leave gaps. You may take it that they fit evenly.
    x and pool_param are left as they were.

    No loop over channels or windows. A loop over the places *in* a window is short: the upper left
    numbers of all windows are one array of out's shape, and so are their neighbours. Such a slice
    is a view of x: start from a copy of it, or from a new array. (The loop gets shorter if you pool
    down first, then across.) Of a large batch, take a few images at a time: it saves memory, and
    often time.
    """
    ### BEGIN SOLUTION
    height, width = pool_param["pool_height"], pool_param["pool_width"]
    stride = pool_param["stride"]
    N, C, H, W = x.shape
    H_out = 1 + (H - height) // stride
    W_out = 1 + (W - width) // stride
    out = np.empty((N, C, H_out, W_out), dtype=x.dtype)
    step = max(1, 2**17 // (C * H * W))  # images: few enough for the cache
    for n in range(0, N, step):
        part = x[n : n + step]
        tall = part[:, :, : stride * H_out : stride]  # pooled down, not yet across: all columns
        for i in range(1, height):
            tall = np.maximum(tall, part[:, :, i : i + stride * H_out : stride])
        best = tall[..., : stride * W_out : stride]
        for j in range(1, width):
            best = np.maximum(best, tall[..., j : j + stride * W_out : stride])
        out[n : n + step] = best
    cache = (x, out, pool_param)
    return out, cache
    ### END SOLUTION


def max_pool_backward_fast(dout, cache):
    """Send the gradient back through max pooling: only the largest number of a window gets it.

    Args:
        dout: dL/dout for a loss L, shape (N, C, H', W'), the shape of the forward pass's out
        cache: what your max_pool_forward_fast returned as its cache

    Returns:
        dx: dL/dx, shape (N, C, H, W), floats, of dout's dtype or float64

    Where windows overlap, one pixel can be the largest of several: its gradients add up. Pixels
    that won nowhere, or that no window covers, get 0. If several pixels of a window share the
    largest value, any of the usual conventions is accepted: the first, all of them, or a split.
    dout and the arrays in cache are left as they were.

    No loop over channels or windows. A number of a window won if it equals the window's out.
    """
    ### BEGIN SOLUTION
    x, out, pool_param = cache
    height, width = pool_param["pool_height"], pool_param["pool_width"]
    stride = pool_param["stride"]
    N, C, H, W = x.shape
    _, _, H_out, W_out = dout.shape
    dx = np.zeros(x.shape, dtype=np.result_type(dout, x))
    step = max(1, 2**17 // (C * H * W))
    for n in range(0, N, step):
        images = slice(n, n + step)
        no_winner_yet = np.ones(out[images].shape, dtype=bool)
        for i in range(height):
            for j in range(width):
                rows = slice(i, i + stride * H_out, stride)
                columns = slice(j, j + stride * W_out, stride)
                won = (x[images, :, rows, columns] == out[images]) & no_winner_yet
                no_winner_yet ^= won  # of several equal numbers, the first takes it all
                dx[images, :, rows, columns] += dout[images] * won
    return dx
    ### END SOLUTION


def avg_pool_forward_fast(x, pool_param):
    """Compute what avg_pool_forward_naive computes, many windows at a time: the forward pass.

    Each channel of each image is pooled on its own. There is nothing to learn, and no padding.

    Args:
        x: images, shape (N, C, H, W)
        pool_param: dict with three ints
            'pool_height', 'pool_width': rows and columns of a window
            'stride': pixels from one window to the next, the same down and across

    Returns:
        (out, cache)
        out: shape (N, C, H', W'), floats, of x's dtype or float64, where H' and W' count the places
            that fit down and across
        cache: whatever your backward pass needs; (x, pool_param) is enough

    Windows and images need not be square; windows may overlap or leave gaps. You may take it that
    they fit evenly. x and pool_param are left as they were.

    No loop over channels or windows. A slice of x is a view: do not add into it.
    """
    ### BEGIN SOLUTION
    height, width = pool_param["pool_height"], pool_param["pool_width"]
    stride = pool_param["stride"]
    N, C, H, W = x.shape
    H_out = 1 + (H - height) // stride
    W_out = 1 + (W - width) // stride
    dtype = np.result_type(x, np.float32)
    out = np.zeros((N, C, H_out, W_out), dtype=dtype)
    step = max(1, 2**17 // (C * H * W))
    for n in range(0, N, step):
        part, part_out = x[n : n + step], out[n : n + step]
        tall = np.zeros((len(part), C, H_out, W), dtype=dtype)  # summed down, not yet across
        for i in range(height):
            tall += part[:, :, i : i + stride * H_out : stride]
        for j in range(width):
            part_out += tall[..., j : j + stride * W_out : stride]
        part_out /= height * width
    cache = (x, pool_param)
    return out, cache
    ### END SOLUTION


def avg_pool_backward_fast(dout, cache):
    """Send the gradient back through average pooling: every pixel of a window gets its share.

    Args:
        dout: dL/dout for a loss L, shape (N, C, H', W'), the shape of the forward pass's out
        cache: what your avg_pool_forward_fast returned as its cache

    Returns:
        dx: dL/dx, shape (N, C, H, W), floats, of dout's dtype or float64

    Where windows overlap, the shares add up. Pixels that no window covers get 0.
    dout and the arrays in cache are left as they were.

    No loop over channels or windows.
    """
    ### BEGIN SOLUTION
    x, pool_param = cache
    height, width = pool_param["pool_height"], pool_param["pool_width"]
    stride = pool_param["stride"]
    N, C, H, W = x.shape
    _, _, H_out, W_out = dout.shape
    dx = np.zeros(x.shape, dtype=np.result_type(dout, x, np.float32))
    step = max(1, 2**17 // (C * H * W))
    for n in range(0, N, step):
        share = dout[n : n + step] / (height * width)
        tall = np.zeros((len(share), C, H_out, W), dtype=dx.dtype)  # spread across, not yet down
        for j in range(width):
            tall[..., j : j + stride * W_out : stride] += share
        for i in range(height):
            dx[n : n + step, :, i : i + stride * H_out : stride] += tall
    return dx
    ### END SOLUTION
