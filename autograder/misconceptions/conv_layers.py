"""The typical bugs of assignment 2.

Each function runs inside the student's kernel too, pasted there by its source: it may use np,
``reference`` and its arguments, nothing else. Its docstring is the hint. A wrong forward pass
returns a right cache, so that it does no harm to the backward pass.
"""

from types import SimpleNamespace

import numpy as np

from autograder.diagnose import misconception
from solutions import convolution, pooling

reference = SimpleNamespace(
    conv_forward_naive=convolution.conv_forward_naive,
    conv_backward_naive=convolution.conv_backward_naive,
    conv_forward_general=convolution.conv_forward_general,
    max_pool_forward_naive=pooling.max_pool_forward_naive,
    max_pool_backward_naive=pooling.max_pool_backward_naive,
    avg_pool_forward_naive=pooling.avg_pool_forward_naive,
    avg_pool_backward_naive=pooling.avg_pool_backward_naive,
)


# --- conv_output_size -----------------------------------------------------------------------------


@misconception("conv_output_size")
def pads_one_end_only(size, kernel, pad, stride):
    """The padding is counted once, but zeros are added at both ends of the side: count it twice."""
    room = size + pad - kernel
    if room < 0 or room % stride:
        raise ValueError(f"{kernel} does not fit {size} with pad {pad} and stride {stride}")
    return room // stride + 1


@misconception("conv_output_size")
def forgets_the_first_place(size, kernel, pad, stride):
    """The size is one too small: you count the steps, but there is one more place than steps."""
    room = size + 2 * pad - kernel
    if room < 0 or room % stride:
        raise ValueError(f"{kernel} does not fit {size} with pad {pad} and stride {stride}")
    return room // stride


@misconception("conv_output_size")
def rounds_instead_of_refusing(size, kernel, pad, stride):
    """Where the steps do not come out even, a rounded number comes back. Raise a ValueError."""
    room = size + 2 * pad - kernel
    if room < 0:
        raise ValueError(f"{kernel} is larger than {size} with pad {pad}")
    return room // stride + 1


@misconception("conv_output_size")
def lets_too_large_filters_through(size, kernel, pad, stride):
    """A filter that is larger than the padded side gets a size. Check for it: ValueError."""
    room = size + 2 * pad - kernel
    if room % stride:
        raise ValueError(f"{kernel} does not fit {size} with pad {pad} and stride {stride}")
    return room // stride + 1


@misconception("conv_output_size")
def never_refuses(size, kernel, pad, stride):
    """The sizes are right, but filters that do not fit get one too. Raise a ValueError for them."""
    return (size + 2 * pad - kernel) // stride + 1


@misconception("conv_output_size")
def divides_all_by_the_stride(size, kernel, pad, stride):
    """The first place is divided by the stride too. Only the steps are: mind the brackets."""
    room = size + 2 * pad - kernel
    if room < 0 or room % stride:
        raise ValueError(f"{kernel} does not fit {size} with pad {pad} and stride {stride}")
    return (room + 1) // stride


# --- conv_cost ------------------------------------------------------------------------------------


@misconception("conv_cost")
def leaves_out_the_biases(in_shape, num_filters, kernel, pad, stride):
    """The parameters lack the biases: every filter has one."""
    C, H, W = in_shape
    H_out, W_out = (1 + (side + 2 * pad - kernel) // stride for side in (H, W))
    weights = num_filters * C * kernel * kernel
    return (num_filters, H_out, W_out), weights, weights * H_out * W_out


@misconception("conv_cost")
def gives_a_filter_one_channel(in_shape, num_filters, kernel, pad, stride):
    """The filters are counted as flat, but each of them spans all channels of the input."""
    _, H, W = in_shape
    H_out, W_out = (1 + (side + 2 * pad - kernel) // stride for side in (H, W))
    weights = num_filters * kernel * kernel
    return (num_filters, H_out, W_out), weights + num_filters, weights * H_out * W_out


@misconception("conv_cost")
def keeps_the_channels_of_the_input(in_shape, num_filters, kernel, pad, stride):
    """The output is given as many channels as the input. It has one for each filter."""
    C, H, W = in_shape
    H_out, W_out = (1 + (side + 2 * pad - kernel) // stride for side in (H, W))
    weights = num_filters * C * kernel * kernel
    return (C, H_out, W_out), weights + num_filters, weights * H_out * W_out


@misconception("conv_cost")
def puts_the_channels_last(in_shape, num_filters, kernel, pad, stride):
    """The output shape has its channels last. Here they come first: channels, height, width."""
    C, H, W = in_shape
    H_out, W_out = (1 + (side + 2 * pad - kernel) // stride for side in (H, W))
    weights = num_filters * C * kernel * kernel
    return (H_out, W_out, num_filters), weights + num_filters, weights * H_out * W_out


@misconception("conv_cost")
def computes_at_every_input_pixel(in_shape, num_filters, kernel, pad, stride):
    """The multiply-adds are counted per pixel of the input. Count them per place of the output."""
    C, H, W = in_shape
    H_out, W_out = (1 + (side + 2 * pad - kernel) // stride for side in (H, W))
    weights = num_filters * C * kernel * kernel
    return (num_filters, H_out, W_out), weights + num_filters, weights * H * W


@misconception("conv_cost")
def counts_the_bias_additions(in_shape, num_filters, kernel, pad, stride):
    """The bias additions are among the multiply-adds. By the convention here they do not count."""
    C, H, W = in_shape
    H_out, W_out = (1 + (side + 2 * pad - kernel) // stride for side in (H, W))
    parameters = num_filters * (C * kernel * kernel + 1)
    return (num_filters, H_out, W_out), parameters, parameters * H_out * W_out


# --- receptive_field ------------------------------------------------------------------------------


@misconception("receptive_field")
def ignores_strides(layers):
    """The strides are not used. Behind a stride of 2, neighbouring outputs are 2 pixels apart."""
    return 1 + sum(kernel - 1 for kernel, _ in layers)


@misconception("receptive_field")
def applies_a_stride_too_early(layers):
    """A layer's stride widens the layer itself. It should widen only the layers after it."""
    field, spacing = 1, 1
    for kernel, stride in layers:
        spacing *= stride
        field += (kernel - 1) * spacing
    return field


@misconception("receptive_field")
def applies_strides_backwards(layers):
    """Each layer is widened by the strides of the layers after it: it should be those before it.
    The first layer of the list is the one next to the image."""
    field, spacing = 1, 1
    for kernel, stride in reversed(layers):
        field += (kernel - 1) * spacing
        spacing *= stride
    return field


@misconception("receptive_field")
def keeps_only_the_last_stride(layers):
    """Only the stride of the layer before is used. The strides of all earlier layers multiply."""
    field, spacing = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * spacing
        spacing = stride
    return field


@misconception("receptive_field")
def adds_whole_kernels(layers):
    """The kernels are added up whole. One pixel of each was in view already: count kernel - 1."""
    field, spacing = 0, 1
    for kernel, stride in layers:
        field += kernel * spacing
        spacing *= stride
    return field


@misconception("receptive_field")
def forgets_the_pixel_itself(layers):
    """The field is one too small: start from the one pixel that no layer at all would see."""
    field, spacing = 0, 1
    for kernel, stride in layers:
        field += (kernel - 1) * spacing
        spacing *= stride
    return field


# --- conv_forward_naive ---------------------------------------------------------------------------


@misconception("conv_forward_naive")
def flips_the_filter(x, w, b, conv_param):
    """The filter is flipped. Deep learning's convolution is a cross-correlation: drop the flip."""
    out, _ = reference.conv_forward_naive(x, w[:, :, ::-1, ::-1], b, conv_param)
    return out, (x, w, b, conv_param)


@misconception("conv_forward_naive")
def forgets_the_bias(x, w, b, conv_param):
    """The biases are missing: each output of filter f gets b[f] added, once."""
    out, _ = reference.conv_forward_naive(x, w, 0 * b, conv_param)
    return out, (x, w, b, conv_param)


@misconception("conv_forward_naive")
def adds_the_bias_to_every_product(x, w, b, conv_param):
    """The bias is added inside the sum, once for every product. Add it once, after the sum."""
    out, _ = reference.conv_forward_naive(x, w, b * w[0].size, conv_param)
    return out, (x, w, b, conv_param)


@misconception("conv_forward_naive")
def windows_start_at_every_pixel(x, w, b, conv_param):
    """The output's size knows the stride, the windows do not: window i starts at i * stride."""
    right, cache = reference.conv_forward_naive(x, w, b, conv_param)
    dense, _ = reference.conv_forward_naive(x, w, b, {**conv_param, "stride": 1})
    return dense[:, :, : right.shape[2], : right.shape[3]].copy(), cache


@misconception("conv_forward_naive")
def ignores_the_stride(x, w, b, conv_param):
    """The stride is not used: the filter moves by one pixel, and the output is too large."""
    out, _ = reference.conv_forward_naive(x, w, b, {**conv_param, "stride": 1})
    return out, (x, w, b, conv_param)


@misconception("conv_forward_naive")
def ignores_the_padding(x, w, b, conv_param):
    """The padding is not used: put `pad` rows and columns of zeros on all four sides first."""
    out, _ = reference.conv_forward_naive(x, w, b, {**conv_param, "pad": 0})
    return out, (x, w, b, conv_param)


@misconception("conv_forward_naive")
def pads_top_and_left_only(x, w, b, conv_param):
    """The zeros are all above and to the left of the image. Half of them belong below and right."""
    pad = conv_param["pad"]
    shifted = np.pad(x, ((0, 0), (0, 0), (2 * pad, 0), (2 * pad, 0)))
    out, _ = reference.conv_forward_naive(shifted, w, b, {**conv_param, "pad": 0})
    return out, (x, w, b, conv_param)


@misconception("conv_forward_naive")
def always_pads_by_one(x, w, b, conv_param):
    """The padding is always 1, whatever conv_param says. Read it from conv_param['pad']."""
    out, _ = reference.conv_forward_naive(x, w, b, {**conv_param, "pad": 1})
    return out, (x, w, b, conv_param)


@misconception("conv_forward_naive")
def repeats_the_border(x, w, b, conv_param):
    """The image is padded with copies of its border pixels. Pad with zeros."""
    pad = conv_param["pad"]
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), mode="edge")
    out, _ = reference.conv_forward_naive(padded, w, b, {**conv_param, "pad": 0})
    return out, (x, w, b, conv_param)


@misconception("conv_forward_naive")
def takes_images_for_square(x, w, b, conv_param):
    """The output's width is worked out from the image's height. That is right for square images and
    filters only: take x's last axis, and w's, for the width."""
    out, cache = reference.conv_forward_naive(x, w, b, conv_param)
    side = 1 + (x.shape[2] + 2 * conv_param["pad"] - w.shape[2]) // conv_param["stride"]
    if side > out.shape[3]:
        raise ValueError("operands could not be broadcast together")
    return out[:, :, :, :side].copy(), cache


@misconception("conv_forward_naive")
def swaps_rows_and_columns_of_the_output(x, w, b, conv_param):
    """The output is transposed: its third axis should run down the image, the fourth across it."""
    out, cache = reference.conv_forward_naive(x, w, b, conv_param)
    return out.swapaxes(2, 3).copy(), cache


@misconception("conv_forward_naive")
def uses_the_first_channel_only(x, w, b, conv_param):
    """Only the first channel is used. A filter spans all channels, and its products are summed over
    them too."""
    out, _ = reference.conv_forward_naive(x[:, :1], w[:, :1], b, conv_param)
    return out, (x, w, b, conv_param)


@misconception("conv_forward_naive")
def uses_the_first_image_only(x, w, b, conv_param):
    """Every output is computed from the first image. Check the index of the loop over images."""
    out, _ = reference.conv_forward_naive(np.repeat(x[:1], len(x), axis=0), w, b, conv_param)
    return out, (x, w, b, conv_param)


@misconception("conv_forward_naive")
def loses_the_last_row_and_column(x, w, b, conv_param):
    """The output is one row and one column short: there is one more place than there are steps."""
    out, cache = reference.conv_forward_naive(x, w, b, conv_param)
    return out[:, :, :-1, :-1].copy(), cache


# --- conv_backward_naive --------------------------------------------------------------------------


@misconception("conv_backward_naive")
def crops_with_minus_pad(dout, cache):
    """When pad is 0, dx is empty: a slice pad:-pad is then 0:0. Crop from pad to pad + H, and to
    pad + W."""
    pad = cache[3]["pad"]
    dx, dw, db = reference.conv_backward_naive(dout, cache)
    padded = np.pad(dx, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    return padded[:, :, pad:-pad, pad:-pad], dw, db


@misconception("conv_backward_naive")
def returns_the_padded_dx(dout, cache):
    """dx still has its padding. The zeros around the image were no input: cut their part off."""
    x, w, b, conv_param = cache
    pad = conv_param["pad"]
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    return reference.conv_backward_naive(dout, (padded, w, b, {**conv_param, "pad": 0}))


@misconception("conv_backward_naive")
def crops_the_wrong_corner(dout, cache):
    """dx is cut out of the padded gradient at its corner, and so is shifted: skip the first `pad`
    rows and columns."""
    x, w, b, conv_param = cache
    pad = conv_param["pad"]
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    unpadded = {**conv_param, "pad": 0}
    dx, dw, db = reference.conv_backward_naive(dout, (padded, w, b, unpadded))
    return dx[:, :, : x.shape[2], : x.shape[3]].copy(), dw, db


@misconception("conv_backward_naive")
def always_crops_by_one(dout, cache):
    """dx is always cropped by one pixel on each side. Crop by conv_param['pad']."""
    x, w, b, conv_param = cache
    pad = conv_param["pad"]
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    unpadded = {**conv_param, "pad": 0}
    dx, dw, db = reference.conv_backward_naive(dout, (padded, w, b, unpadded))
    return dx[:, :, 1:-1, 1:-1].copy(), dw, db


@misconception("conv_backward_naive")
def overwrites_dx(dout, cache):
    """dx keeps only what was written last. A pixel takes part in several windows and filters, and
    its gradients add up: += instead of =."""
    x, w, _, conv_param = cache
    pad, stride = conv_param["pad"], conv_param["stride"]
    _, dw, db = reference.conv_backward_naive(dout, cache)
    N, F, H_out, W_out = dout.shape
    HH, WW = w.shape[2:]
    dx = np.zeros((*x.shape[:2], x.shape[2] + 2 * pad, x.shape[3] + 2 * pad))
    for n in range(N):
        for f in range(F):
            for i in range(H_out):
                for j in range(W_out):
                    rows = slice(i * stride, i * stride + HH)
                    columns = slice(j * stride, j * stride + WW)
                    dx[n, :, rows, columns] = dout[n, f, i, j] * w[f]
    return dx[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]], dw, db


@misconception("conv_backward_naive")
def overwrites_dw(dout, cache):
    """dw keeps only the last window of the last image. A filter is used at every place of every
    image, and its gradients add up: += instead of =."""
    dx, _, db = reference.conv_backward_naive(dout, cache)
    last = np.zeros_like(dout)
    last[-1, :, -1, -1] = dout[-1, :, -1, -1]
    _, dw, _ = reference.conv_backward_naive(last, cache)
    return dx, dw, db


@misconception("conv_backward_naive")
def forgets_the_stride_in_backward(dout, cache):
    """The backward pass puts its windows at every pixel. Window i starts at i * stride, as in the
    forward pass."""
    x, w, b, conv_param = cache
    _, _, db = reference.conv_backward_naive(dout, cache)
    dx, dw, _ = reference.conv_backward_naive(dout, (x, w, b, {**conv_param, "stride": 1}))
    return dx, dw, db


@misconception("conv_backward_naive")
def averages_over_the_images(dout, cache):
    """dw and db are divided by the number of images. The loss has done any averaging already, and
    dout has it in: only sum."""
    dx, dw, db = reference.conv_backward_naive(dout, cache)
    return dx, dw / len(dout), db / len(dout)


@misconception("conv_backward_naive")
def flips_the_filter_in_dx(dout, cache):
    """dx is made with a flipped filter. In these loops each window gets the filter as it is; the
    flip appears only when the same thing is written as one convolution of dout."""
    x, w, b, conv_param = cache
    _, dw, db = reference.conv_backward_naive(dout, cache)
    dx, _, _ = reference.conv_backward_naive(dout, (x, w[:, :, ::-1, ::-1], b, conv_param))
    return dx, dw, db


@misconception("conv_backward_naive")
def sums_db_over_the_images_only(dout, cache):
    """db is summed over the images only. A bias is added at every place of every image: sum over
    images, rows and columns."""
    dx, dw, _ = reference.conv_backward_naive(dout, cache)
    return dx, dw, dout.sum(axis=0)


@misconception("conv_backward_naive")
def takes_db_from_the_first_image(dout, cache):
    """db comes from one image only. Sum it over all the images of the batch."""
    dx, dw, _ = reference.conv_backward_naive(dout, cache)
    return dx, dw, dout[0].sum(axis=(1, 2))


@misconception("conv_backward_naive")
def takes_dw_from_the_unpadded_image(dout, cache):
    """dw is made from windows of the image without its padding. The forward pass cut its windows
    from the padded image: cut the same ones."""
    x, _, _, conv_param = cache
    dx, dw, db = reference.conv_backward_naive(dout, cache)
    pad, stride = conv_param["pad"], conv_param["stride"]
    HH, WW = dw.shape[2:]
    dw = np.zeros_like(dw)
    # past the border, where a window would be cut short, nothing is there to be multiplied with
    x = np.pad(x, ((0, 0), (0, 0), (0, 2 * pad), (0, 2 * pad)))
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            top, left = i * stride, j * stride
            window = x[:, :, top : top + HH, left : left + WW]
            dw += np.einsum("nf,nchw->fchw", dout[:, :, i, j], window)
    return dx, dw, db


# --- max_pool_forward_naive -----------------------------------------------------------------------


@misconception("max_pool_forward_naive")
def starts_from_zero(x, pool_param):
    """A maximum is never below 0: it is compared with zeros that were there to begin with. The
    largest of some negative numbers is negative."""
    out, cache = reference.max_pool_forward_naive(x, pool_param)
    return np.maximum(out, 0), cache


@misconception("max_pool_forward_naive")
def steps_by_the_window(x, pool_param):
    """The windows lie side by side, whatever the stride. They may overlap or leave gaps: step by
    pool_param['stride']."""
    height, width = pool_param["pool_height"], pool_param["pool_width"]
    rows = range(0, x.shape[2] - height + 1, height)
    columns = range(0, x.shape[3] - width + 1, width)
    out = np.zeros((*x.shape[:2], len(rows), len(columns)))
    for i, top in enumerate(rows):
        for j, left in enumerate(columns):
            out[:, :, i, j] = x[:, :, top : top + height, left : left + width].max(axis=(2, 3))
    return out, (x, pool_param)


@misconception("max_pool_forward_naive")
def pools_at_every_pixel(x, pool_param):
    """The output's size knows the stride, the windows do not: window i starts at i * stride."""
    right, cache = reference.max_pool_forward_naive(x, pool_param)
    dense, _ = reference.max_pool_forward_naive(x, {**pool_param, "stride": 1})
    return dense[:, :, : right.shape[2], : right.shape[3]].copy(), cache


@misconception("max_pool_forward_naive")
def swaps_the_sides_of_the_window(x, pool_param):
    """The window lies on its side: pool_height counts rows (the third axis of x), pool_width
    columns."""
    height, width = pool_param["pool_height"], pool_param["pool_width"]
    swapped = {**pool_param, "pool_height": width, "pool_width": height}
    out, _ = reference.max_pool_forward_naive(x, swapped)
    return out, (x, pool_param)


@misconception("max_pool_forward_naive")
def takes_the_largest_of_all_channels(x, pool_param):
    """The maximum is taken over the channels too, so that they all come out alike. Each channel is
    pooled on its own."""
    out, cache = reference.max_pool_forward_naive(x, pool_param)
    return np.repeat(out.max(axis=1, keepdims=True), x.shape[1], axis=1), cache


@misconception("max_pool_forward_naive")
def takes_the_mean(x, pool_param):
    """This is average pooling: the question asks for the largest number of each window."""
    out, _ = reference.avg_pool_forward_naive(x, pool_param)
    return out, (x, pool_param)


# --- max_pool_backward_naive ----------------------------------------------------------------------


@misconception("max_pool_backward_naive")
def overwrites_the_window(dout, cache):
    """Each window overwrites what its neighbours wrote where they overlap, with zeros too. The
    gradients add up: += instead of =."""
    x, pool_param = cache
    height, width = pool_param["pool_height"], pool_param["pool_width"]
    stride = pool_param["stride"]
    dx = np.zeros(x.shape)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            rows = slice(i * stride, i * stride + height)
            columns = slice(j * stride, j * stride + width)
            window = x[:, :, rows, columns]
            largest = window == window.max(axis=(2, 3), keepdims=True)
            dx[:, :, rows, columns] = largest * dout[:, :, i : i + 1, j : j + 1]
    return dx


@misconception("max_pool_backward_naive")
def overwrites_the_largest(dout, cache):
    """A pixel that is the largest of several windows keeps the gradient of the last one only. The
    gradients add up: += instead of =."""
    x, pool_param = cache
    height, width = pool_param["pool_height"], pool_param["pool_width"]
    stride = pool_param["stride"]
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dout.shape):
        top, left = i * stride, j * stride
        window = x[n, c, top : top + height, left : left + width]
        row, column = np.unravel_index(np.argmax(window), window.shape)
        dx[n, c, top + row, left + column] = dout[n, c, i, j]
    return dx


@misconception("max_pool_backward_naive")
def gives_it_to_the_whole_window(dout, cache):
    """Every pixel of a window gets the whole gradient. Only the largest has any influence on the
    output, so only it gets any."""
    pool_param = cache[1]
    size = pool_param["pool_height"] * pool_param["pool_width"]
    return size * reference.avg_pool_backward_naive(dout, cache)


@misconception("max_pool_backward_naive")
def shares_it_in_the_window(dout, cache):
    """The gradient is shared by the window, as in average pooling. Only the largest pixel has any
    influence on the output, so it gets everything."""
    return reference.avg_pool_backward_naive(dout, cache)


@misconception("max_pool_backward_naive")
def forgets_where_the_window_starts(dout, cache):
    """The gradients pile up in the corner of dx: the place of the largest pixel within its window
    is used as its place in the image. Add where the window starts."""
    x, pool_param = cache
    height, width = pool_param["pool_height"], pool_param["pool_width"]
    stride = pool_param["stride"]
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dout.shape):
        top, left = i * stride, j * stride
        window = x[n, c, top : top + height, left : left + width]
        row, column = np.unravel_index(np.argmax(window), window.shape)
        dx[n, c, row, column] += dout[n, c, i, j]
    return dx


@misconception("max_pool_backward_naive")
def multiplies_by_the_largest(dout, cache):
    """The gradient is multiplied by the largest number itself. The output is a copy of it, so the
    gradient goes through unchanged."""
    x = cache[0]
    return x * reference.max_pool_backward_naive(dout, cache)


@misconception("max_pool_backward_naive")
def forgets_the_stride_in_max_pool(dout, cache):
    """The backward pass puts its windows at every pixel. Window i starts at i * stride, as in the
    forward pass."""
    x, pool_param = cache
    return reference.max_pool_backward_naive(dout, (x, {**pool_param, "stride": 1}))


# --- avg_pool_forward_naive -----------------------------------------------------------------------


@misconception("avg_pool_forward_naive")
def divides_by_the_height_squared(x, pool_param):
    """The sum is divided by pool_height * pool_height. A window that is not square has another
    number of pixels."""
    out, cache = reference.avg_pool_forward_naive(x, pool_param)
    return out * pool_param["pool_width"] / pool_param["pool_height"], cache


@misconception("avg_pool_forward_naive")
def forgets_to_divide(x, pool_param):
    """The windows are summed. Their mean is that, divided by the number of pixels of a window."""
    out, cache = reference.avg_pool_forward_naive(x, pool_param)
    return out * pool_param["pool_height"] * pool_param["pool_width"], cache


@misconception("avg_pool_forward_naive")
def averages_side_by_side(x, pool_param):
    """The windows lie side by side, whatever the stride. They may overlap or leave gaps: step by
    pool_param['stride']."""
    height, width = pool_param["pool_height"], pool_param["pool_width"]
    rows = range(0, x.shape[2] - height + 1, height)
    columns = range(0, x.shape[3] - width + 1, width)
    out = np.zeros((*x.shape[:2], len(rows), len(columns)))
    for i, top in enumerate(rows):
        for j, left in enumerate(columns):
            out[:, :, i, j] = x[:, :, top : top + height, left : left + width].mean(axis=(2, 3))
    return out, (x, pool_param)


@misconception("avg_pool_forward_naive")
def averages_at_every_pixel(x, pool_param):
    """The output's size knows the stride, the windows do not: window i starts at i * stride."""
    right, cache = reference.avg_pool_forward_naive(x, pool_param)
    dense, _ = reference.avg_pool_forward_naive(x, {**pool_param, "stride": 1})
    return dense[:, :, : right.shape[2], : right.shape[3]].copy(), cache


@misconception("avg_pool_forward_naive")
def averages_over_channels(x, pool_param):
    """The mean is taken over the channels too, so that they all come out alike. Each channel is
    pooled on its own."""
    out, cache = reference.avg_pool_forward_naive(x, pool_param)
    return np.repeat(out.mean(axis=1, keepdims=True), x.shape[1], axis=1), cache


@misconception("avg_pool_forward_naive")
def takes_the_largest(x, pool_param):
    """This is max pooling: the question asks for the mean of each window."""
    out, _ = reference.max_pool_forward_naive(x, pool_param)
    return out, (x, pool_param)


# --- avg_pool_backward_naive ----------------------------------------------------------------------


@misconception("avg_pool_backward_naive")
def forgets_to_share(dout, cache):
    """Every pixel gets the whole gradient. Its influence on the mean is 1 over the number of pixels
    of the window, and so is its share."""
    pool_param = cache[1]
    size = pool_param["pool_height"] * pool_param["pool_width"]
    return size * reference.avg_pool_backward_naive(dout, cache)


@misconception("avg_pool_backward_naive")
def overwrites_shares(dout, cache):
    """Where windows overlap, a pixel keeps the share of the last one only. The shares add up:
    += instead of =."""
    x, pool_param = cache
    height, width = pool_param["pool_height"], pool_param["pool_width"]
    stride = pool_param["stride"]
    dx = np.zeros(x.shape)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            rows = slice(i * stride, i * stride + height)
            columns = slice(j * stride, j * stride + width)
            dx[:, :, rows, columns] = dout[:, :, i : i + 1, j : j + 1] / (height * width)
    return dx


@misconception("avg_pool_backward_naive")
def shares_by_the_height_squared(dout, cache):
    """The gradient is divided by pool_height * pool_height. A window that is not square has another
    number of pixels."""
    pool_param = cache[1]
    dx = reference.avg_pool_backward_naive(dout, cache)
    return dx * pool_param["pool_width"] / pool_param["pool_height"]


@misconception("avg_pool_backward_naive")
def gives_it_to_the_largest(dout, cache):
    """Only the largest pixel of a window gets the gradient, as in max pooling. All pixels of a
    window have the same part in its mean."""
    return reference.max_pool_backward_naive(dout, cache)


@misconception("avg_pool_backward_naive")
def forgets_the_stride_in_avg_pool(dout, cache):
    """The backward pass puts its windows at every pixel. Window i starts at i * stride, as in the
    forward pass."""
    x, pool_param = cache
    return reference.avg_pool_backward_naive(dout, (x, {**pool_param, "stride": 1}))


@misconception("avg_pool_backward_naive")
def divides_by_the_number_of_windows(dout, cache):
    """The gradient is divided by the number of windows. Divide it by the number of pixels of one
    window: so many share it."""
    pool_param = cache[1]
    size = pool_param["pool_height"] * pool_param["pool_width"]
    dx = reference.avg_pool_backward_naive(dout, cache)
    return dx * size / (dout.shape[2] * dout.shape[3])


# --- conv_forward_general -------------------------------------------------------------------------


@misconception("conv_forward_general")
def shows_all_filters_the_first_group(x, w, b, conv_param):
    """All filters look at the channels of the first group. Filters of group g see the channels of
    group g."""
    channels = np.tile(x[:, : w.shape[1]], (1, conv_param["groups"], 1, 1))
    out, _ = reference.conv_forward_general(channels, w, b, conv_param)
    return out, (x, w, b, conv_param)


@misconception("conv_forward_general")
def deals_channels_out_in_turn(x, w, b, conv_param):
    """The channels are dealt out to the groups in turn, like cards. A group is a block of
    neighbouring channels."""
    groups = conv_param["groups"]
    order = np.arange(x.shape[1]).reshape(-1, groups).T.ravel()
    out, _ = reference.conv_forward_general(x[:, order], w, b, conv_param)
    return out, (x, w, b, conv_param)


@misconception("conv_forward_general")
def deals_filters_out_in_turn(x, w, b, conv_param):
    """The filters are dealt out to the groups in turn, like cards. A group is a block of
    neighbouring filters: its number is f divided by the filters per group, not a remainder."""
    order = np.arange(len(w)).reshape(-1, conv_param["groups"]).T.ravel()
    out, _ = reference.conv_forward_general(x, w[order], b[order], conv_param)
    return out[:, np.argsort(order)], (x, w, b, conv_param)


@misconception("conv_forward_general")
def ignores_the_dilation(x, w, b, conv_param):
    """The dilation is not used: neighbouring weights belong on pixels `dilation` apart."""
    out, _ = reference.conv_forward_general(x, w, b, {**conv_param, "dilation": 1})
    return out, (x, w, b, conv_param)


@misconception("conv_forward_general")
def dilates_by_one_more(x, w, b, conv_param):
    """The weights are one pixel too far apart: dilation 1 is the usual filter, without gaps."""
    wider = {**conv_param, "dilation": conv_param["dilation"] + 1}
    out, _ = reference.conv_forward_general(x, w, b, wider)
    return out, (x, w, b, conv_param)
