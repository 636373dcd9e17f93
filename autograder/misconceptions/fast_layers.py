"""The typical bugs of assignment 3.

Each function runs inside the student's kernel too, pasted there by its source: it may use np,
``reference`` and its arguments, nothing else. Its docstring is the hint. A wrong forward pass
returns a right cache, so that it does no harm to the backward pass.
"""

from types import SimpleNamespace

import numpy as np

from autograder.diagnose import misconception
from solutions import fast_convolution, fast_pooling, fast_step, im2col, other_convolutions

reference = SimpleNamespace(
    im2col=im2col.im2col,
    col2im=im2col.col2im,
    conv_forward_fast=fast_convolution.conv_forward_fast,
    conv_backward_fast=fast_convolution.conv_backward_fast,
    max_pool_forward_fast=fast_pooling.max_pool_forward_fast,
    max_pool_backward_fast=fast_pooling.max_pool_backward_fast,
    avg_pool_forward_fast=fast_pooling.avg_pool_forward_fast,
    avg_pool_backward_fast=fast_pooling.avg_pool_backward_fast,
    conv_pool_step=fast_step.conv_pool_step,
    conv_forward_strides=other_convolutions.conv_forward_strides,
    conv_forward_fft=other_convolutions.conv_forward_fft,
)


# --- im2col ---------------------------------------------------------------------------------------


@misconception("im2col")
def lets_the_images_alternate(x, kernel_height, kernel_width, pad, stride):
    """The images alternate along a row: first the first window of each image, then the second of
    each. Here all windows of the first image come first. (CS231n's order is the other one.)"""
    cols = reference.im2col(x, kernel_height, kernel_width, pad, stride)
    return cols.reshape(len(cols), len(x), -1).swapaxes(1, 2).reshape(cols.shape)


@misconception("im2col")
def stacks_the_windows_as_rows(x, kernel_height, kernel_width, pad, stride):
    """The matrix is transposed: a window should be a column, not a row."""
    return reference.im2col(x, kernel_height, kernel_width, pad, stride).T.copy()


@misconception("im2col")
def puts_the_channels_of_a_pixel_together(x, kernel_height, kernel_width, pad, stride):
    """Down a column the channels of each pixel stand together. They should come one after the
    other, each with all of its pixels, as w[f].reshape(-1) has them."""
    cols = reference.im2col(x, kernel_height, kernel_width, pad, stride)
    return cols.reshape(x.shape[1], -1, cols.shape[1]).swapaxes(0, 1).reshape(cols.shape)


@misconception("im2col")
def reads_windows_column_by_column(x, kernel_height, kernel_width, pad, stride):
    """Each window is read column by column. Read it row by row, as w[f].reshape(-1) does."""
    cols = reference.im2col(x, kernel_height, kernel_width, pad, stride)
    shape = (x.shape[1], kernel_height, kernel_width, cols.shape[1])
    return cols.reshape(shape).swapaxes(1, 2).reshape(cols.shape)


@misconception("im2col")
def goes_down_before_across(x, kernel_height, kernel_width, pad, stride):
    """The windows are taken column by column of the image. Take them row by row: the second window
    lies to the right of the first."""
    cols = reference.im2col(x, kernel_height, kernel_width, pad, stride)
    H_out = 1 + (x.shape[2] + 2 * pad - kernel_height) // stride
    places = cols.reshape(len(cols), len(x), H_out, -1)
    return places.swapaxes(2, 3).reshape(cols.shape)


@misconception("im2col")
def takes_windows_at_every_pixel(x, kernel_height, kernel_width, pad, stride):
    """The windows start at every pixel, and those that are too many are dropped. Step by the
    stride: row p * stride, column q * stride."""
    cols = reference.im2col(x, kernel_height, kernel_width, pad, stride)
    H_out = 1 + (x.shape[2] + 2 * pad - kernel_height) // stride
    W_out = 1 + (x.shape[3] + 2 * pad - kernel_width) // stride
    dense = reference.im2col(x, kernel_height, kernel_width, pad, 1)
    dense = dense.reshape(len(cols), len(x), x.shape[2] + 2 * pad - kernel_height + 1, -1)
    return dense[:, :, :H_out, :W_out].reshape(cols.shape)


@misconception("im2col")
def forgets_to_pad(x, kernel_height, kernel_width, pad, stride):
    """The padding is missing: put `pad` rows and columns of zeros on all four sides first."""
    return reference.im2col(x, kernel_height, kernel_width, 0, stride)


@misconception("im2col")
def lays_the_window_on_its_side(x, kernel_height, kernel_width, pad, stride):
    """Height and width of the window are exchanged: kernel_height counts rows, x's third axis."""
    return reference.im2col(x, kernel_width, kernel_height, pad, stride)


# --- col2im ---------------------------------------------------------------------------------------


@misconception("col2im")
def overwrites_where_windows_overlap(cols, x_shape, kernel_height, kernel_width, pad, stride):
    """A pixel keeps only what came last. It was copied into several windows, and what comes back
    from them adds up: += instead of =."""
    N, C, H, W = x_shape
    H_out = 1 + (H + 2 * pad - kernel_height) // stride
    W_out = 1 + (W + 2 * pad - kernel_width) // stride
    cols = cols.reshape(C, kernel_height, kernel_width, N, H_out, W_out)
    x = np.zeros((N, C, H + 2 * pad, W + 2 * pad))
    for i in range(kernel_height):
        for j in range(kernel_width):
            part = cols[:, i, j].swapaxes(0, 1)
            x[:, :, i : i + stride * H_out : stride, j : j + stride * W_out : stride] = part
    return x[:, :, pad : pad + H, pad : pad + W]


@misconception("col2im")
def takes_the_mean_of_the_copies(cols, x_shape, kernel_height, kernel_width, pad, stride):
    """The copies of a pixel are averaged, so that im2col's x comes back. That is not what the
    gradient needs: add them up."""
    ones = np.ones(cols.shape)
    count = reference.col2im(ones, x_shape, kernel_height, kernel_width, pad, stride)
    total = reference.col2im(cols, x_shape, kernel_height, kernel_width, pad, stride)
    return total / np.maximum(count, 1)


@misconception("col2im")
def keeps_the_padding(cols, x_shape, kernel_height, kernel_width, pad, stride):
    """The padding is still there. It was no part of x: cut it off on all four sides."""
    N, C, H, W = x_shape
    padded = (N, C, H + 2 * pad, W + 2 * pad)
    return reference.col2im(cols, padded, kernel_height, kernel_width, 0, stride)


@misconception("col2im")
def cuts_with_minus_pad(cols, x_shape, kernel_height, kernel_width, pad, stride):
    """When pad is 0, nothing is left: a slice pad:-pad is then 0:0. Cut from pad to pad + H, and to
    pad + W."""
    N, C, H, W = x_shape
    padded = (N, C, H + 2 * pad, W + 2 * pad)
    x = reference.col2im(cols, padded, kernel_height, kernel_width, 0, stride)
    return x[:, :, pad:-pad, pad:-pad]


@misconception("col2im")
def cuts_at_the_corner(cols, x_shape, kernel_height, kernel_width, pad, stride):
    """The padding is cut off below and on the right only, so x is shifted: skip the first `pad`
    rows and columns."""
    N, C, H, W = x_shape
    padded = (N, C, H + 2 * pad, W + 2 * pad)
    x = reference.col2im(cols, padded, kernel_height, kernel_width, 0, stride)
    return x[:, :, :H, :W]


@misconception("col2im")
def takes_the_images_in_turn(cols, x_shape, kernel_height, kernel_width, pad, stride):
    """The columns are read as if the images alternated. In im2col's order all windows of the first
    image come first: reshape to (C, HH, WW, N, H', W')."""
    order = np.arange(cols.shape[1]).reshape(-1, x_shape[0]).T.ravel()
    return reference.col2im(cols[:, order], x_shape, kernel_height, kernel_width, pad, stride)


@misconception("col2im")
def adds_back_at_every_pixel(cols, x_shape, kernel_height, kernel_width, pad, stride):
    """The windows go back to every pixel, whatever the stride. Window (p, q) starts at row
    p * stride, column q * stride."""
    N, C, H, W = x_shape
    H_out = 1 + (H + 2 * pad - kernel_height) // stride
    W_out = 1 + (W + 2 * pad - kernel_width) // stride
    cols = cols.reshape(C, kernel_height, kernel_width, N, H_out, W_out)
    x = np.zeros((N, C, H + 2 * pad, W + 2 * pad))
    for i in range(kernel_height):
        for j in range(kernel_width):
            x[:, :, i : i + H_out, j : j + W_out] += cols[:, i, j].swapaxes(0, 1)
    return x[:, :, pad : pad + H, pad : pad + W]


# --- conv_forward_fast ----------------------------------------------------------------------------


@misconception("conv_forward_fast")
def reshapes_where_it_should_transpose(x, w, b, conv_param):
    """The product has a row for each filter, and in it all images: its shape is (F, N * H' * W').
    A reshape to (N, F, H', W') mixes filters and images. Reshape to (F, N, H', W') first, then
    transpose."""
    out, cache = reference.conv_forward_fast(x, w, b, conv_param)
    return out.transpose(1, 0, 2, 3).reshape(out.shape), cache


@misconception("conv_forward_fast")
def takes_the_images_for_alternating(x, w, b, conv_param):
    """The product is reshaped to (F, H', W', N), as if the images alternated along its rows: that
    is the order of CS231n's im2col. Here all windows of the first image come first: reshape to
    (F, N, H', W'), then transpose."""
    out, cache = reference.conv_forward_fast(x, w, b, conv_param)
    N, F, H_out, W_out = out.shape
    products = out.transpose(1, 0, 2, 3)
    return products.reshape(F, H_out, W_out, N).transpose(3, 0, 1, 2).copy(), cache


@misconception("conv_forward_fast")
def leaves_out_the_bias(x, w, b, conv_param):
    """The biases are missing: each output of filter f gets b[f] added."""
    out, _ = reference.conv_forward_fast(x, w, 0 * b, conv_param)
    return out, (x, w, b, conv_param)


@misconception("conv_forward_fast")
def turns_the_filters_round(x, w, b, conv_param):
    """The filters are flipped. A convolution layer lays them on as they are, so w.reshape(F, -1) is
    all that there is to do."""
    out, _ = reference.conv_forward_fast(x, w[:, :, ::-1, ::-1], b, conv_param)
    return out, (x, w, b, conv_param)


@misconception("conv_forward_fast")
def takes_filters_for_columns(x, w, b, conv_param):
    """The filters are reshaped to (C * HH * WW, F) and then transposed, which tears them apart. In
    memory each filter is one row already: w.reshape(F, C * HH * WW)."""
    torn = w.reshape(-1, len(w)).T.reshape(w.shape)
    out, _ = reference.conv_forward_fast(x, torn, b, conv_param)
    return out, (x, w, b, conv_param)


@misconception("conv_forward_fast")
def loses_the_images_that_are_left_over(x, w, b, conv_param):
    """The images are taken a few at a time, and the last few are left out when they do not fill a
    chunk. Let the last chunk be shorter: x[n : n + step] takes care of that by itself."""
    out, cache = reference.conv_forward_fast(x, w, b, conv_param)
    if len(x) > 8:
        out[len(x) - len(x) % 4 :] = 0
    return out, cache


@misconception("conv_forward_fast")
def steps_by_one_pixel(x, w, b, conv_param):
    """The stride is not used: the windows lie one pixel apart, and the output is too large."""
    out, _ = reference.conv_forward_fast(x, w, b, {**conv_param, "stride": 1})
    return out, (x, w, b, conv_param)


@misconception("conv_forward_fast")
def convolves_without_padding(x, w, b, conv_param):
    """The padding is not used: hand conv_param['pad'] on to im2col."""
    out, _ = reference.conv_forward_fast(x, w, b, {**conv_param, "pad": 0})
    return out, (x, w, b, conv_param)


@misconception("conv_forward_fast")
def exchanges_rows_and_columns(x, w, b, conv_param):
    """The output is transposed: its third axis should run down the image, the fourth across it."""
    out, cache = reference.conv_forward_fast(x, w, b, conv_param)
    return out.swapaxes(2, 3).copy(), cache


# --- conv_backward_fast ---------------------------------------------------------------------------


@misconception("conv_backward_fast")
def reshapes_dout_without_transposing(dout, cache):
    """dout is reshaped to (F, N * H' * W') as it is, which mixes images and filters. Its filters
    are its second axis: transpose to (F, N, H', W') first, then reshape."""
    N, F, H_out, W_out = dout.shape
    mixed = dout.reshape(F, N, H_out, W_out).transpose(1, 0, 2, 3)
    return reference.conv_backward_fast(mixed, cache)


@misconception("conv_backward_fast")
def reads_dout_as_if_the_images_alternated(dout, cache):
    """dout is brought to (F, H' * W' * N), in which the images alternate: that is the order of
    CS231n's im2col. Here all windows of the first image come first: transpose to (F, N, H', W'),
    then reshape."""
    N, F, H_out, W_out = dout.shape
    mixed = dout.transpose(1, 2, 3, 0).reshape(F, N, H_out, W_out).transpose(1, 0, 2, 3)
    return reference.conv_backward_fast(mixed, cache)


@misconception("conv_backward_fast")
def transposes_dw(dout, cache):
    """dw is cols @ dproducts.T, of shape (C * HH * WW, F), reshaped to w's shape: that tears the
    filters apart. Transpose it first, or multiply the other way round: dproducts @ cols.T."""
    dx, dw, db = reference.conv_backward_fast(dout, cache)
    return dx, dw.reshape(len(dw), -1).T.reshape(dw.shape), db


@misconception("conv_backward_fast")
def keeps_the_dw_of_the_last_image(dout, cache):
    """dw comes from the last image only. All images use the filters, and their gradients add up:
    += instead of =."""
    x, w, b, conv_param = cache
    dx, _, db = reference.conv_backward_fast(dout, cache)
    _, dw, _ = reference.conv_backward_fast(dout[-1:], (x[-1:], w, b, conv_param))
    return dx, dw, db


@misconception("conv_backward_fast")
def overwrites_in_dx(dout, cache):
    """dx keeps only what was written last where windows overlap. The copies of a pixel add up:
    what brings dcols back to the image has to use +=, as col2im does."""
    x, w, _, conv_param = cache
    stride, pad = conv_param["stride"], conv_param["pad"]
    _, dw, db = reference.conv_backward_fast(dout, cache)
    (N, C, H, W), (F, _, HH, WW), (_, _, H_out, W_out) = x.shape, w.shape, dout.shape
    dcols = w.reshape(F, -1).T @ dout.transpose(1, 0, 2, 3).reshape(F, -1)
    dcols = dcols.reshape(C, HH, WW, N, H_out, W_out)
    dx = np.zeros((N, C, H + 2 * pad, W + 2 * pad))
    for i in range(HH):
        for j in range(WW):
            part = dcols[:, i, j].swapaxes(0, 1)
            dx[:, :, i : i + stride * H_out : stride, j : j + stride * W_out : stride] = part
    return dx[:, :, pad : pad + H, pad : pad + W], dw, db


@misconception("conv_backward_fast")
def divides_by_the_number_of_images(dout, cache):
    """dw and db are divided by the number of images. The loss has done any averaging already, and
    dout has it in: only sum."""
    dx, dw, db = reference.conv_backward_fast(dout, cache)
    return dx, dw / len(dout), db / len(dout)


@misconception("conv_backward_fast")
def gives_db_a_row_for_each_image(dout, cache):
    """db has a row for each image. All images use the same biases: sum over images, rows and
    columns."""
    dx, dw, _ = reference.conv_backward_fast(dout, cache)
    return dx, dw, dout.sum(axis=(2, 3))


@misconception("conv_backward_fast")
def ignores_the_stride_on_the_way_back(dout, cache):
    """The backward pass puts its windows at every pixel. Window (i, j) starts at i * stride and
    j * stride: hand the stride on to im2col and col2im."""
    x, w, b, conv_param = cache
    _, _, db = reference.conv_backward_fast(dout, cache)
    dense = np.zeros((*dout.shape[:2], *(s - k + 1 for s, k in zip(x.shape[2:], w.shape[2:]))))  # noqa: B905
    pad = 2 * conv_param["pad"]
    dense = np.pad(dense, ((0, 0), (0, 0), (0, pad), (0, pad)))
    dense[:, :, : dout.shape[2], : dout.shape[3]] = dout
    dx, dw, _ = reference.conv_backward_fast(dense, (x, w, b, {**conv_param, "stride": 1}))
    return dx, dw, db


@misconception("conv_backward_fast")
def multiplies_with_torn_filters(dout, cache):
    """dx is made with w.reshape(C * HH * WW, F), which tears the filters apart. What is wanted is
    the transpose of the forward pass's matrix: w.reshape(F, C * HH * WW).T"""
    x, w, b, conv_param = cache
    _, dw, db = reference.conv_backward_fast(dout, cache)
    torn = w.reshape(-1, len(w)).T.reshape(w.shape)
    dx, _, _ = reference.conv_backward_fast(dout, (x, torn, b, conv_param))
    return dx, dw, db


# --- max_pool_forward_fast ------------------------------------------------------------------------


@misconception("max_pool_forward_fast")
def begins_with_zeros(x, pool_param):
    """A maximum is never below 0: it is compared with zeros that were there to begin with. Begin
    with the first number of each window, or with -np.inf."""
    out, (x, right, pool_param) = reference.max_pool_forward_fast(x, pool_param)
    return np.maximum(out, 0), (x, right, pool_param)


@misconception("max_pool_forward_fast")
def mixes_the_channels(x, pool_param):
    """The maximum is taken over the channels too: im2col puts all channels of a window into one
    column. Each channel is pooled on its own."""
    out, cache = reference.max_pool_forward_fast(x, pool_param)
    return np.repeat(out.max(axis=1, keepdims=True), x.shape[1], axis=1), cache


@misconception("max_pool_forward_fast")
def lays_windows_side_by_side(x, pool_param):
    """The windows lie side by side, whatever the stride. A reshape can do no other; for windows
    that overlap or leave gaps, take slices with a step of pool_param['stride']."""
    _, cache = reference.max_pool_forward_fast(x, pool_param)
    height, width = pool_param["pool_height"], pool_param["pool_width"]
    H_out, W_out = x.shape[2] // height, x.shape[3] // width
    x = x[:, :, : H_out * height, : W_out * width]
    out = x.reshape(*x.shape[:2], H_out, height, W_out, width).max(axis=(3, 5))
    return out, cache


@misconception("max_pool_forward_fast")
def slides_by_one_pixel(x, pool_param):
    """The windows start at every pixel: the slices lack their step. From i to i + stride * H', in
    steps of the stride."""
    out, cache = reference.max_pool_forward_fast(x, pool_param)
    dense, _ = reference.max_pool_forward_fast(x, {**pool_param, "stride": 1})
    return dense[:, :, : out.shape[2], : out.shape[3]].copy(), cache


@misconception("max_pool_forward_fast")
def turns_the_window(x, pool_param):
    """The window lies on its side: pool_height counts rows (the third axis of x), pool_width
    columns."""
    _, cache = reference.max_pool_forward_fast(x, pool_param)
    height, width = pool_param["pool_height"], pool_param["pool_width"]
    turned = {**pool_param, "pool_height": width, "pool_width": height}
    return reference.max_pool_forward_fast(x, turned)[0], cache


@misconception("max_pool_forward_fast")
def averages_instead(x, pool_param):
    """This is average pooling: the question asks for the largest number of each window."""
    _, cache = reference.max_pool_forward_fast(x, pool_param)
    return reference.avg_pool_forward_fast(x, pool_param)[0], cache


# --- max_pool_backward_fast -----------------------------------------------------------------------


@misconception("max_pool_backward_fast")
def assigns_instead_of_adding(dout, cache):
    """Where windows overlap, what one place of the windows wrote is overwritten by the next, with
    zeros too. The gradients add up: += instead of =."""
    x, out, pool_param = cache
    stride = pool_param["stride"]
    H_out, W_out = dout.shape[2:]
    dx = np.zeros(x.shape)
    for i in range(pool_param["pool_height"]):
        for j in range(pool_param["pool_width"]):
            rows = slice(i, i + stride * H_out, stride)
            columns = slice(j, j + stride * W_out, stride)
            dx[:, :, rows, columns] = (x[:, :, rows, columns] == out) * dout
    return dx


@misconception("max_pool_backward_fast")
def forgets_the_mask(dout, cache):
    """Every pixel of a window gets the whole gradient. Only the largest had any influence: multiply
    by where the window's number equals its out."""
    x, _, pool_param = cache
    size = pool_param["pool_height"] * pool_param["pool_width"]
    return size * reference.avg_pool_backward_fast(dout, (x, pool_param))


@misconception("max_pool_backward_fast")
def shares_the_gradient(dout, cache):
    """The gradient is shared by the window, as in average pooling. The largest pixel gets it
    all."""
    x, _, pool_param = cache
    return reference.avg_pool_backward_fast(dout, (x, pool_param))


@misconception("max_pool_backward_fast")
def looks_for_the_largest_of_the_image(dout, cache):
    """Only the largest number of the whole image gets a gradient. Each window has a largest of its
    own: compare with out, not with x.max()."""
    x, _, pool_param = cache
    size = pool_param["pool_height"] * pool_param["pool_width"]
    largest = x == x.max(axis=(2, 3), keepdims=True)
    return largest * size * reference.avg_pool_backward_fast(dout, (x, pool_param))


@misconception("max_pool_backward_fast")
def multiplies_by_the_number_that_won(dout, cache):
    """The gradient is multiplied by the largest number itself. The output is a copy of it, so the
    gradient goes through unchanged."""
    return cache[0] * reference.max_pool_backward_fast(dout, cache)


@misconception("max_pool_backward_fast")
def steps_by_one_on_the_way_back(dout, cache):
    """The backward pass puts its windows at every pixel. Window (i, j) starts at i * stride and
    j * stride, as in the forward pass."""
    x, out, pool_param = cache
    dx = np.zeros(x.shape)
    H_out, W_out = dout.shape[2:]
    for i in range(pool_param["pool_height"]):
        for j in range(pool_param["pool_width"]):
            part = x[:, :, i : i + H_out, j : j + W_out]
            dx[:, :, i : i + H_out, j : j + W_out] += (part == out) * dout
    return dx


# --- avg_pool_forward_fast ------------------------------------------------------------------------


@misconception("avg_pool_forward_fast")
def only_adds_up(x, pool_param):
    """The windows are summed. Their mean is that, divided by the number of pixels of a window."""
    out, cache = reference.avg_pool_forward_fast(x, pool_param)
    return out * pool_param["pool_height"] * pool_param["pool_width"], cache


@misconception("avg_pool_forward_fast")
def takes_windows_for_square(x, pool_param):
    """The sum is divided by pool_height * pool_height. A window that is not square has another
    number of pixels."""
    out, cache = reference.avg_pool_forward_fast(x, pool_param)
    return out * pool_param["pool_width"] / pool_param["pool_height"], cache


@misconception("avg_pool_forward_fast")
def averages_the_channels(x, pool_param):
    """The mean is taken over the channels too: im2col puts all channels of a window into one
    column. Each channel is pooled on its own."""
    out, cache = reference.avg_pool_forward_fast(x, pool_param)
    return np.repeat(out.mean(axis=1, keepdims=True), x.shape[1], axis=1), cache


@misconception("avg_pool_forward_fast")
def averages_windows_side_by_side(x, pool_param):
    """The windows lie side by side, whatever the stride. A reshape can do no other; for windows
    that overlap or leave gaps, take slices with a step of pool_param['stride']."""
    height, width = pool_param["pool_height"], pool_param["pool_width"]
    H_out, W_out = x.shape[2] // height, x.shape[3] // width
    whole = x[:, :, : H_out * height, : W_out * width]
    out = whole.reshape(*x.shape[:2], H_out, height, W_out, width).mean(axis=(3, 5))
    return out, (x, pool_param)


@misconception("avg_pool_forward_fast")
def averages_in_steps_of_one(x, pool_param):
    """The windows start at every pixel: the slices lack their step. From i to i + stride * H', in
    steps of the stride."""
    out, cache = reference.avg_pool_forward_fast(x, pool_param)
    dense, _ = reference.avg_pool_forward_fast(x, {**pool_param, "stride": 1})
    return dense[:, :, : out.shape[2], : out.shape[3]].copy(), cache


@misconception("avg_pool_forward_fast")
def takes_the_maximum_instead(x, pool_param):
    """This is max pooling: the question asks for the mean of each window."""
    out, _ = reference.max_pool_forward_fast(x, pool_param)
    return out, (x, pool_param)


# --- avg_pool_backward_fast -----------------------------------------------------------------------


@misconception("avg_pool_backward_fast")
def gives_everybody_all_of_it(dout, cache):
    """Every pixel gets the whole gradient. Its influence on the mean is 1 over the number of pixels
    of the window, and so is its share."""
    size = cache[1]["pool_height"] * cache[1]["pool_width"]
    return size * reference.avg_pool_backward_fast(dout, cache)


@misconception("avg_pool_backward_fast")
def assigns_the_shares(dout, cache):
    """Where windows overlap, a pixel keeps the share that was written last. The shares add up:
    += instead of =."""
    x, pool_param = cache
    height, width = pool_param["pool_height"], pool_param["pool_width"]
    stride = pool_param["stride"]
    H_out, W_out = dout.shape[2:]
    dx = np.zeros(x.shape)
    for i in range(height):
        for j in range(width):
            rows = slice(i, i + stride * H_out, stride)
            dx[:, :, rows, j : j + stride * W_out : stride] = dout / (height * width)
    return dx


@misconception("avg_pool_backward_fast")
def shares_as_if_square(dout, cache):
    """The gradient is divided by pool_height * pool_height. A window that is not square has another
    number of pixels."""
    dx = reference.avg_pool_backward_fast(dout, cache)
    return dx * cache[1]["pool_width"] / cache[1]["pool_height"]


@misconception("avg_pool_backward_fast")
def shares_in_steps_of_one(dout, cache):
    """The backward pass puts its windows at every pixel. Window (i, j) starts at i * stride and
    j * stride, as in the forward pass."""
    x, pool_param = cache
    height, width = pool_param["pool_height"], pool_param["pool_width"]
    H_out, W_out = dout.shape[2:]
    dx = np.zeros(x.shape)
    for i in range(height):
        for j in range(width):
            dx[:, :, i : i + H_out, j : j + W_out] += dout / (height * width)
    return dx


@misconception("avg_pool_backward_fast")
def divides_by_the_overlap(dout, cache):
    """What a pixel gets is divided by the number of windows that cover it. Each window's share is
    dout divided by the pixels of a window, and the shares add up."""
    size = cache[1]["pool_height"] * cache[1]["pool_width"]
    total = reference.avg_pool_backward_fast(dout, cache)
    covered = size * reference.avg_pool_backward_fast(np.ones(dout.shape), cache)
    return total / np.maximum(np.round(covered), 1)


# --- conv_pool_step -------------------------------------------------------------------------------


@misconception("conv_pool_step")
def spreads_the_gradient_over_the_window(x, w, b, conv_param, pool_param, dout):
    """The pooling's backward pass is the one of average pooling. Only the largest number of a
    window gets the gradient."""
    features, conv_cache = reference.conv_forward_fast(x, w, b, conv_param)
    out, (features, _, pool_param) = reference.max_pool_forward_fast(features, pool_param)
    dfeatures = reference.avg_pool_backward_fast(dout, (features, pool_param))
    return out, *reference.conv_backward_fast(dfeatures, conv_cache)


@misconception("conv_pool_step")
def returns_what_goes_into_the_pooling(x, w, b, conv_param, pool_param, dout):
    """out is what comes out of the convolution. It should be what comes out of the pooling."""
    features, _ = reference.conv_forward_fast(x, w, b, conv_param)
    _, *gradients = reference.conv_pool_step(x, w, b, conv_param, pool_param, dout)
    return features, *gradients


@misconception("conv_pool_step")
def returns_the_gradients_in_another_order(x, w, b, conv_param, pool_param, dout):
    """The gradients come in another order: they should be dx, dw, db, as conv_backward_fast
    returns them."""
    out, dx, dw, db = reference.conv_pool_step(x, w, b, conv_param, pool_param, dout)
    return out, dw, dx, db


@misconception("conv_pool_step")
def pools_with_averages(x, w, b, conv_param, pool_param, dout):
    """The pooling is average pooling, forward and backward. The step asks for max pooling."""
    features, conv_cache = reference.conv_forward_fast(x, w, b, conv_param)
    out, pool_cache = reference.avg_pool_forward_fast(features, pool_param)
    dfeatures = reference.avg_pool_backward_fast(dout, pool_cache)
    return out, *reference.conv_backward_fast(dfeatures, conv_cache)


@misconception("conv_pool_step")
def pools_before_it_convolves(x, w, b, conv_param, pool_param, dout):
    """The image is pooled first, and then convolved. Convolve first; on the way back the pooling
    comes first."""
    pooled, _ = reference.max_pool_forward_fast(x, pool_param)
    out, _ = reference.conv_forward_fast(pooled, w, b, conv_param)
    _, *gradients = reference.conv_pool_step(x, w, b, conv_param, pool_param, dout)
    return out, *gradients


@misconception("conv_pool_step")
def puts_a_relu_between(x, w, b, conv_param, pool_param, dout):
    """Negative numbers become 0 between the convolution and the pooling. A network often has such a
    ReLU there; this step has none."""
    features, conv_cache = reference.conv_forward_fast(x, w, b, conv_param)
    out, pool_cache = reference.max_pool_forward_fast(np.maximum(features, 0), pool_param)
    dfeatures = reference.max_pool_backward_fast(dout, pool_cache) * (features > 0)
    return np.maximum(out, 0), *reference.conv_backward_fast(dfeatures, conv_cache)


@misconception("conv_pool_step")
def gives_the_gradient_to_the_whole_window(x, w, b, conv_param, pool_param, dout):
    """On the way back every pixel of a pooling window gets the whole gradient. Only the largest
    number of the window gets it."""
    features, conv_cache = reference.conv_forward_fast(x, w, b, conv_param)
    out, _ = reference.max_pool_forward_fast(features, pool_param)
    dfeatures = reference.avg_pool_backward_fast(dout, (features, pool_param))
    dfeatures = dfeatures * pool_param["pool_height"] * pool_param["pool_width"]
    return out, *reference.conv_backward_fast(dfeatures, conv_cache)


@misconception("conv_pool_step")
def averages_the_gradients_over_the_images(x, w, b, conv_param, pool_param, dout):
    """dw and db are divided by the number of images. The loss has done any averaging already, and
    dout has it in: only sum."""
    out, dx, dw, db = reference.conv_pool_step(x, w, b, conv_param, pool_param, dout)
    return out, dx, dw / len(x), db / len(x)


@misconception("conv_pool_step")
def stops_before_the_convolution(x, w, b, conv_param, pool_param, dout):
    """dx is the gradient of the features that go into the pooling. It has still to go back through
    the convolution: dx is the first of what conv_backward_fast returns."""
    features, _ = reference.conv_forward_fast(x, w, b, conv_param)
    _, pool_cache = reference.max_pool_forward_fast(features, pool_param)
    out, _, dw, db = reference.conv_pool_step(x, w, b, conv_param, pool_param, dout)
    return out, reference.max_pool_backward_fast(dout, pool_cache), dw, db


# --- conv_forward_strides -------------------------------------------------------------------------


@misconception("conv_forward_strides")
def views_every_window(x, w, b, conv_param):
    """The windows lie one pixel apart, and the output is too large: sliding_window_view has no
    stride. Take every stride-th of its windows, down and across."""
    out, _ = reference.conv_forward_strides(x, w, b, {**conv_param, "stride": 1})
    return out, (x, w, b, conv_param)


@misconception("conv_forward_strides")
def views_the_image_without_padding(x, w, b, conv_param):
    """The padding is not used: pad x with zeros before you make the view."""
    out, _ = reference.conv_forward_strides(x, w, b, {**conv_param, "pad": 0})
    return out, (x, w, b, conv_param)


@misconception("conv_forward_strides")
def leaves_the_filters_last(x, w, b, conv_param):
    """The output's channels are its last axis: tensordot puts the filters' axis there. Transpose to
    (N, F, H', W')."""
    out, cache = reference.conv_forward_strides(x, w, b, conv_param)
    return out.transpose(0, 2, 3, 1).copy(), cache


@misconception("conv_forward_strides")
def sums_without_the_bias(x, w, b, conv_param):
    """The biases are missing: each output of filter f gets b[f] added."""
    out, _ = reference.conv_forward_strides(x, w, 0 * b, conv_param)
    return out, (x, w, b, conv_param)


@misconception("conv_forward_strides")
def pairs_rows_with_columns(x, w, b, conv_param):
    """The rows of the windows are multiplied with the columns of the filters: in tensordot's axes,
    or einsum's letters, two of them are exchanged."""
    if w.shape[2] != w.shape[3]:
        raise ValueError("shape-mismatch for sum")
    out, _ = reference.conv_forward_strides(x, w.swapaxes(2, 3), b, conv_param)
    return out, (x, w, b, conv_param)


# --- conv_forward_fft -----------------------------------------------------------------------------


@misconception("conv_forward_fft")
def forgets_the_conjugate(x, w, b, conv_param):
    """The filter's transform lacks its conj. Without it the product belongs to the convolution of
    signal processing, with the filter flipped."""
    pad, stride = conv_param["pad"], conv_param["stride"]
    right, cache = reference.conv_forward_fft(x, w, b, conv_param)
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    shape = x.shape[2:]
    waves = np.einsum("nchw,fchw->nfhw", np.fft.rfft2(x), np.fft.rfft2(w, s=shape))
    out = np.fft.irfft2(waves, s=shape)[:, :, ::stride, ::stride]
    return out[:, :, : right.shape[2], : right.shape[3]] + b[:, None, None], cache


@misconception("conv_forward_fft")
def cuts_out_the_wrong_part(x, w, b, conv_param):
    """The places are cut out from row HH - 1 and column WW - 1 on, as for a flipped filter. With
    the conj, the windows that do not wrap around are the first ones: begin at 0."""
    pad, stride = conv_param["pad"], conv_param["stride"]
    right, cache = reference.conv_forward_fft(x, w, b, conv_param)
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    shape = x.shape[2:]
    waves = np.einsum("nchw,fchw->nfhw", np.fft.rfft2(x), np.conj(np.fft.rfft2(w, s=shape)))
    out = np.fft.irfft2(waves, s=shape)[:, :, w.shape[2] - 1 :: stride, w.shape[3] - 1 :: stride]
    return out[:, :, : right.shape[2], : right.shape[3]] + b[:, None, None], cache


@misconception("conv_forward_fft")
def keeps_the_windows_that_wrap_around(x, w, b, conv_param):
    """The windows that wrap around are still there: the output is as large as the padded image.
    Only the first H + 2 * pad - HH + 1 rows, and as many columns, are whole windows."""
    pad, stride = conv_param["pad"], conv_param["stride"]
    _, cache = reference.conv_forward_fft(x, w, b, conv_param)
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    shape = x.shape[2:]
    waves = np.einsum("nchw,fchw->nfhw", np.fft.rfft2(x), np.conj(np.fft.rfft2(w, s=shape)))
    return np.fft.irfft2(waves, s=shape)[:, :, ::stride, ::stride] + b[:, None, None], cache


@misconception("conv_forward_fft")
def does_not_use_the_stride(x, w, b, conv_param):
    """The stride is not used. The transform gives all places: keep every stride-th of them, down
    and across."""
    out, _ = reference.conv_forward_fft(x, w, b, {**conv_param, "stride": 1})
    return out, (x, w, b, conv_param)


@misconception("conv_forward_fft")
def does_not_say_how_wide(x, w, b, conv_param):
    """irfft2 is not told the shape, and takes the width for even. Say s=(height, width) of the
    padded image."""
    pad, stride = conv_param["pad"], conv_param["stride"]
    _, cache = reference.conv_forward_fft(x, w, b, conv_param)
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    waves = np.conj(np.fft.rfft2(w, s=x.shape[2:]))
    out = np.fft.irfft2(np.einsum("nchw,fchw->nfhw", np.fft.rfft2(x), waves))
    rows, columns = x.shape[2] - w.shape[2] + 1, x.shape[3] - w.shape[3] + 1
    return out[:, :, :rows:stride, :columns:stride] + b[:, None, None], cache


@misconception("conv_forward_fft")
def transforms_without_the_bias(x, w, b, conv_param):
    """The biases are missing: each output of filter f gets b[f] added."""
    out, _ = reference.conv_forward_fft(x, w, 0 * b, conv_param)
    return out, (x, w, b, conv_param)
