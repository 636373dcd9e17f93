"""Two more ways to the same convolution: by strides, and by the Fourier transform."""

import numpy as np


def conv_forward_strides(x, w, b, conv_param):
    """Convolve without writing a loop: let NumPy see the windows through strides.

    An array's *strides* say how many bytes lie between neighbours along each axis. With two more
    axes that have the strides of rows and columns, the same memory is seen as an array of windows.
    Nothing is copied: np.lib.stride_tricks.sliding_window_view makes such a view.

    Args:
        x: images, shape (N, C, H, W)
        w: filters, shape (F, C, HH, WW)
        b: biases, shape (F,)
        conv_param: dict with two ints
            'stride': pixels from one window to the next, the same down and across
            'pad': rows and columns of zeros added around the image, on each of its four sides

    Returns:
        (out, cache)
        out: shape (N, F, H', W'), the same as conv_forward_fast's: floats, of x's dtype or float64
        cache: whatever a backward pass would need; (x, w, b, conv_param) is enough

    You may take it that the windows fit evenly. The inputs are left as they were.

    No loop at all: the sum over channels, rows and columns of the windows is np.tensordot's or
    np.einsum's work. (tensordot copies the windows into a matrix for it, as im2col does; einsum
    need not.)
    """
    ### BEGIN SOLUTION
    stride, pad = conv_param["stride"], conv_param["pad"]
    _, _, HH, WW = w.shape
    x_padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(x_padded, (HH, WW), axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride]  # (N, C, H', W', HH, WW)
    out = np.tensordot(windows, w, axes=((1, 4, 5), (1, 2, 3)))  # (N, H', W', F)
    out = np.ascontiguousarray((out + b).transpose(0, 3, 1, 2))
    return out, (x, w, b, conv_param)
    ### END SOLUTION


def conv_forward_fft(x, w, b, conv_param):
    """Convolve by Fourier transforms: there, a convolution is a product, frequency by frequency.

    In one dimension, with a and k of length n and their discrete Fourier transforms A and K, the
    cross-correlation that wraps around at the end, c[p] = sum over i of a[p + i] k[i], has the
    transform C = A * conj(K), number by number. (Without the conj it is the flipped convolution of
    signal processing.) A filter is shorter than its image: zeros fill it up. The windows that do
    not wrap around are the ones that we want.

    Args:
        x: images, shape (N, C, H, W)
        w: filters, shape (F, C, HH, WW)
        b: biases, shape (F,)
        conv_param: dict with two ints
            'stride': pixels from one window to the next, the same down and across
            'pad': rows and columns of zeros added around the image, on each of its four sides

    Returns:
        (out, cache)
        out: shape (N, F, H', W'), the same as conv_forward_fast's but for rounding: real floats, of
            x's dtype or float64
        cache: whatever a backward pass would need; (x, w, b, conv_param) is enough

    You may take it that the windows fit evenly. The inputs are left as they were.

    np.fft.rfft2(a, s=...) transforms the last two axes of real arrays, and fills up with zeros to
    the shape s; np.fft.irfft2(A, s=...) comes back, and wants to be told the shape too. The work
    hardly depends on the size of the filter.
    Source: Mathieu, Henaff and LeCun, "Fast training of convolutional networks through FFTs"
    (arXiv:1312.5851).
    """
    ### BEGIN SOLUTION
    stride, pad = conv_param["stride"], conv_param["pad"]
    _, _, H, W = x.shape
    _, _, HH, WW = w.shape
    H_padded, W_padded = H + 2 * pad, W + 2 * pad
    x_padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    x_waves = np.fft.rfft2(x_padded)  # (N, C, H_padded, W_padded // 2 + 1)
    w_waves = np.conj(np.fft.rfft2(w, s=(H_padded, W_padded)))
    # for each frequency the sum over channels: a small matrix product, (N, C) @ (C, F)
    out_waves = x_waves.transpose(2, 3, 0, 1) @ w_waves.transpose(2, 3, 1, 0)
    dense = np.fft.irfft2(out_waves.transpose(2, 3, 0, 1), s=(H_padded, W_padded))
    places = dense[:, :, : H_padded - HH + 1 : stride, : W_padded - WW + 1 : stride]
    out = (places + b[:, None, None]).astype(np.result_type(x, w, b, np.float32), copy=False)
    return out, (x, w, b, conv_param)
    ### END SOLUTION
