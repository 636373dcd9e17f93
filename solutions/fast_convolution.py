"""The convolution layer as matrix products.

This is the one to read. fastest_layers is quicker, and takes more lines and an idea more.
"""

import numpy as np

from .im2col import col2im, im2col


def conv_forward_fast(x, w, b, conv_param):
    """Compute what conv_forward_naive computes, as matrix products: the forward pass.

    Args:
        x: images, shape (N, C, H, W): images, channels, rows, columns
        w: filters, shape (F, C, HH, WW): each of the F filters spans all C channels
        b: biases, shape (F,)
        conv_param: dict with two ints
            'stride': pixels from one window to the next, the same down and across
            'pad': rows and columns of zeros added around the image, on each of its four sides

    Returns:
        (out, cache)
        out: shape (N, F, H', W'), where H' and W' count the places that fit down and across.
            Floats, of x's dtype or float64.
        cache: whatever your backward pass needs; (x, w, b, conv_param) is enough

    Neither images nor filters have to be square; windows may overlap or leave gaps. You may take it
    that the windows fit evenly. x, w, b and conv_param are left as they were.

    No loop over pixels. The column matrix is up to HH * WW times as large as the images: for a
    large batch, take a few images at a time. Then it needs little memory, and is often faster too.
    Source: Chellapilla, Puri and Simard (2006); image by image, Jia's Caffe (2014).
    """
    ### BEGIN SOLUTION
    stride, pad = conv_param["stride"], conv_param["pad"]
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    H_out = 1 + (H + 2 * pad - HH) // stride
    W_out = 1 + (W + 2 * pad - WW) // stride
    w_rows = w.reshape(F, C * HH * WW)
    out = np.empty((N, F, H_out, W_out), dtype=np.result_type(x, w, b))
    # as many images as keep the column matrix at half a million numbers: 2 MB of float32
    step = max(1, 2**19 // (C * HH * WW * H_out * W_out))
    for n in range(0, N, step):
        products = w_rows @ im2col(x[n : n + step], HH, WW, pad, stride)
        products = products.reshape(F, -1, H_out, W_out).transpose(1, 0, 2, 3)
        out[n : n + step] = products + b[:, None, None]
    cache = (x, w, b, conv_param)
    return out, cache
    ### END SOLUTION


def conv_backward_fast(dout, cache):
    """Send the gradient back through a convolution layer, as matrix products: the backward pass.

    Args:
        dout: dL/dout for a loss L, shape (N, F, H', W'), the shape of the forward pass's out
        cache: what your conv_forward_fast returned as its cache

    Returns:
        (dx, dw, db)
        dx: dL/dx, shape (N, C, H, W). The zeros of the padding are not part of x.
        dw: dL/dw, shape (F, C, HH, WW), summed over the images, not averaged
        db: dL/db, shape (F,)
        All three are floats, of dout's dtype or float64.

    It has to hold for every layer that your forward pass can do: any stride, pad 0 and more,
    images and filters that are not square, windows that overlap or leave gaps.
    dout and the arrays in cache are left as they were.

    No loop over pixels: the forward pass was products = w_rows @ cols, and you know the backward
    pass of a matrix product. im2col's is col2im. Building cols again costs little, and keeping it
    from the forward pass costs much memory.
    """
    ### BEGIN SOLUTION
    x, w, _, conv_param = cache
    stride, pad = conv_param["stride"], conv_param["pad"]
    N, C, _, _ = x.shape
    F, _, HH, WW = w.shape
    _, _, H_out, W_out = dout.shape
    w_rows = w.reshape(F, C * HH * WW)
    dtype = np.result_type(dout, x, w)
    dx = np.empty(x.shape, dtype=dtype)
    dw_rows = np.zeros(w_rows.shape, dtype=dtype)
    step = max(1, 2**19 // (C * HH * WW * H_out * W_out))
    for n in range(0, N, step):
        part = x[n : n + step]
        dproducts = dout[n : n + step].transpose(1, 0, 2, 3).reshape(F, -1)
        dw_rows += dproducts @ im2col(part, HH, WW, pad, stride).T
        dx[n : n + step] = col2im(w_rows.T @ dproducts, part.shape, HH, WW, pad, stride)
    db = np.sum(dout, axis=(0, 2, 3), dtype=dtype)
    return dx, dw_rows.reshape(w.shape), db
    ### END SOLUTION
