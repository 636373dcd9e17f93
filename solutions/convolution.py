"""The convolution layer, forward and backward, in loops that can be read like the formula."""

import numpy as np


def conv_forward_naive(x, w, b, conv_param):
    """Slide every filter over every image: the forward pass of a convolution layer.

    At each place, one output is the sum of the products of the filter with the window of the image
    under it, over all channels, plus the filter's bias. The filter is used as it is, not flipped:
    what deep learning calls convolution is the cross-correlation of signal processing.

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

    Write it with plain loops: this one has to be right, a later assignment makes it fast.
    Source: LeCun et al., "Gradient-based learning applied to document recognition" (1998).
    """
    ### BEGIN SOLUTION
    stride, pad = conv_param["stride"], conv_param["pad"]
    N, _, H, W = x.shape
    F, _, HH, WW = w.shape
    H_out = 1 + (H + 2 * pad - HH) // stride
    W_out = 1 + (W + 2 * pad - WW) // stride
    x_padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    out = np.zeros((N, F, H_out, W_out), dtype=np.result_type(x, w, b))
    for n in range(N):
        for f in range(F):
            for i in range(H_out):
                for j in range(W_out):
                    top, left = i * stride, j * stride
                    window = x_padded[n, :, top : top + HH, left : left + WW]
                    out[n, f, i, j] = np.sum(window * w[f]) + b[f]
    cache = (x, w, b, conv_param)
    return out, cache
    ### END SOLUTION


def conv_backward_naive(dout, cache):
    """Send the gradient back through a convolution layer: the backward pass.

    Somewhere downstream is a loss L, one number. You are given how it changes with each output of
    the layer, and work out how it changes with each input, each weight and each bias.

    Args:
        dout: dL/dout, shape (N, F, H', W'), the shape of the forward pass's out
        cache: what your conv_forward_naive returned as its cache

    Returns:
        (dx, dw, db)
        dx: dL/dx, shape (N, C, H, W). The zeros of the padding are not part of x.
        dw: dL/dw, shape (F, C, HH, WW), summed over the images, not averaged
        db: dL/db, shape (F,)

    It has to hold for every layer that your forward pass can do: any stride, pad 0 and more,
    images and filters that are not square, windows that overlap or leave gaps.
    dout and the arrays in cache are left as they were.

    A pixel, a weight or a bias that took part in several outputs collects a gradient from each.
    To convince yourself, compare with a numeric gradient.
    Source: the lecture on backpropagation; LeCun et al. (1998).
    """
    ### BEGIN SOLUTION
    x, w, b, conv_param = cache
    stride, pad = conv_param["stride"], conv_param["pad"]
    _, _, H, W = x.shape
    _, _, HH, WW = w.shape
    N, F, H_out, W_out = dout.shape
    x_padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dtype = np.result_type(dout, x, w)
    dx_padded = np.zeros(x_padded.shape, dtype=dtype)
    dw = np.zeros(w.shape, dtype=dtype)
    db = np.zeros(b.shape, dtype=dtype)
    for n in range(N):
        for f in range(F):
            for i in range(H_out):
                for j in range(W_out):
                    rows = slice(i * stride, i * stride + HH)
                    columns = slice(j * stride, j * stride + WW)
                    gradient = dout[n, f, i, j]
                    dx_padded[n, :, rows, columns] += gradient * w[f]
                    dw[f] += gradient * x_padded[n, :, rows, columns]
                    db[f] += gradient
    # not pad:-pad, which is empty when pad is 0
    dx = dx_padded[:, :, pad : pad + H, pad : pad + W]
    return dx, dw, db
    ### END SOLUTION


def conv_forward_general(x, w, b, conv_param):
    """Convolve with groups and dilation: the rest of what PyTorch's Conv2d can do.

    *Groups* cut the layer into parts that do not see each other. The channels of x, and the
    filters, are cut in order into equal parts; the filters of one part see the channels of the
    same part only. One group is the usual layer; as many groups as channels is "depthwise".

    *Dilation* spreads a filter out: neighbouring weights fall on pixels that are `dilation` pixels
    apart. Dilation 1 is the usual layer; with 2, a 3x3 filter reaches over 5x5 pixels and looks at
    nine of them.

    Args:
        x: images, shape (N, C, H, W); groups divides C
        w: filters, shape (F, C // groups, HH, WW); groups divides F
        b: biases, shape (F,)
        conv_param: dict with four ints
            'stride' and 'pad': as in conv_forward_naive
            'groups': how many parts, >= 1
            'dilation': pixels between neighbouring weights, >= 1, the same down and across

    Returns:
        (out, cache)
        out: shape (N, F, H', W'), floats; the filters are in the order of w
        cache: whatever a backward pass would need; (x, w, b, conv_param) is enough

    You may take it that the windows fit evenly. The inputs are left as they were.

    Sources: groups, Krizhevsky, Sutskever and Hinton (2012), who had two small GPUs; dilation,
    Yu and Koltun, "Multi-scale context aggregation by dilated convolutions" (arXiv:1511.07122).
    """
    ### BEGIN SOLUTION
    stride, pad = conv_param["stride"], conv_param["pad"]
    groups, dilation = conv_param["groups"], conv_param["dilation"]
    N, _, H, W = x.shape
    F, C_group, HH, WW = w.shape
    F_group = F // groups
    reach_down = dilation * (HH - 1) + 1
    reach_across = dilation * (WW - 1) + 1
    H_out = 1 + (H + 2 * pad - reach_down) // stride
    W_out = 1 + (W + 2 * pad - reach_across) // stride
    x_padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    out = np.zeros((N, F, H_out, W_out), dtype=np.result_type(x, w, b))
    for n in range(N):
        for f in range(F):
            first = (f // F_group) * C_group
            channels = slice(first, first + C_group)
            for i in range(H_out):
                for j in range(W_out):
                    rows = slice(i * stride, i * stride + reach_down, dilation)
                    columns = slice(j * stride, j * stride + reach_across, dilation)
                    window = x_padded[n, channels, rows, columns]
                    out[n, f, i, j] = np.sum(window * w[f]) + b[f]
    cache = (x, w, b, conv_param)
    return out, cache
    ### END SOLUTION
