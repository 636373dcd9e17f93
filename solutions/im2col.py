"""Windows as columns of a matrix, and back: what turns a convolution into a matrix product."""

import numpy as np


def im2col(x, kernel_height, kernel_width, pad, stride):
    """Copy every window of every image into a column of one matrix.

    A convolution multiplies a filter with each window. With the windows as columns of a matrix, and
    the filters as rows of another, it is one matrix product.

    Args:
        x: images, shape (N, C, H, W)
        kernel_height, kernel_width: rows and columns of a window, HH and WW below
        pad: rows and columns of zeros added around the image, on each of its four sides
        stride: pixels from one window to the next, the same down and across

    Returns:
        cols: shape (C * HH * WW, N * H' * W'), of x's dtype, where H' and W' count the places that
            fit down and across. A new array: writing to it does not change x.

    The order is part of the specification. *Down a column* stand the numbers of one window as
    w[f].reshape(-1) has them: channel by channel, each channel row by row. *Along a row* stand the
    windows: image by image, each image row by row. In one formula, x_padded being x with its zeros:

        cols.reshape(C, HH, WW, N, H', W')[c, i, j, n, p, q]
            == x_padded[n, c, p * stride + i, q * stride + j]

    Neither images nor windows have to be square; windows may overlap or leave gaps. You may take it
    that they fit evenly. x is left as it was.

    Write it without a loop over images or windows. A loop over the HH * WW places *in* a window
    is short. (CS231n's im2col has the same columns in another order, in which the images alternate.
    Here those of an image are neighbours, so a few images can be worked on at a time.)
    Source: Chellapilla, Puri and Simard, "High performance convolutional neural networks for
    document processing" (2006); the name is Matlab's.
    """
    ### BEGIN SOLUTION
    N, C, H, W = x.shape
    H_out = 1 + (H + 2 * pad - kernel_height) // stride
    W_out = 1 + (W + 2 * pad - kernel_width) // stride
    x_padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    cols = np.empty((C, kernel_height, kernel_width, N, H_out, W_out), dtype=x.dtype)
    for i in range(kernel_height):
        for j in range(kernel_width):
            # of every window the number in row i and column j: the image, moved by i and j
            rows = slice(i, i + stride * H_out, stride)
            columns = slice(j, j + stride * W_out, stride)
            cols[:, i, j] = x_padded[:, :, rows, columns].transpose(1, 0, 2, 3)
    return cols.reshape(C * kernel_height * kernel_width, N * H_out * W_out)
    ### END SOLUTION


def col2im(cols, x_shape, kernel_height, kernel_width, pad, stride):
    """Add every column back to the pixels that it came from: the backward pass of im2col.

    im2col copies a pixel into every window that covers it. On the way back, the gradients of all
    its copies belong to that one pixel: they add up. So col2im(im2col(x, ...), ...) is not x: it is
    each pixel times the number of windows that cover it.

    Args:
        cols: shape (C * HH * WW, N * H' * W'), in im2col's order
        x_shape: (N, C, H, W), the shape of the images, without padding
        kernel_height, kernel_width, pad, stride: as im2col had them

    Returns:
        x: shape (N, C, H, W), of cols's dtype. What fell on the zeros of the padding is dropped.
            Pixels that no window covers are 0.

    You may take it that the windows fit evenly. cols is left as it was.
    """
    ### BEGIN SOLUTION
    N, C, H, W = x_shape
    H_out = 1 + (H + 2 * pad - kernel_height) // stride
    W_out = 1 + (W + 2 * pad - kernel_width) // stride
    cols = cols.reshape(C, kernel_height, kernel_width, N, H_out, W_out)
    x_padded = np.zeros((N, C, H + 2 * pad, W + 2 * pad), dtype=cols.dtype)
    for i in range(kernel_height):
        for j in range(kernel_width):
            # within one (i, j) no pixel comes twice, so += adds each
            rows = slice(i, i + stride * H_out, stride)
            columns = slice(j, j + stride * W_out, stride)
            x_padded[:, :, rows, columns] += cols[:, i, j].transpose(1, 0, 2, 3)
    return x_padded[:, :, pad : pad + H, pad : pad + W]
    ### END SOLUTION
