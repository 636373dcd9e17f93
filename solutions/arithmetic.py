"""The lecture's arithmetic: sizes, costs and receptive fields, before any pixel is touched."""

import numpy as np  # noqa: F401  (every solution cell has np)


def conv_output_size(size, kernel, pad, stride):
    """Count the places where a filter fits along one side of an image.

    Height and width are worked out one at a time, so this looks at one side only.

    Args:
        size: int >= 1, the length of this side of the image, in pixels, without padding
        kernel: int >= 1, the length of the filter along the same side
        pad: int >= 0, the rows (or columns) of zeros added at *each* of the two ends
        stride: int >= 1, how many pixels the filter moves from one place to the next

    Returns:
        int: the length of this side of the output

    Raises:
        ValueError: if the filter is larger than the padded side, or if the steps do not come out
            even: the last place has to end exactly at the far edge. Name the numbers in the
            message, for the person who has to find out which layer it was.

    The lecture: on a side of 7, a filter of 3 with stride 1 fits in 5 places, with stride 2 in 3,
    and with stride 3 it does not fit. On a side of 32, a filter of 5 with pad 2 gives 32 again.
    More pictures: Dumoulin and Visin, "A guide to convolution arithmetic" (arXiv:1603.07285).
    """
    ### BEGIN SOLUTION
    room = size + 2 * pad - kernel
    if room < 0:
        raise ValueError(f"a filter of {kernel} is larger than a side of {size} with pad {pad}")
    if room % stride != 0:
        raise ValueError(
            f"a filter of {kernel} with stride {stride} does not fit a side of {size} "
            f"with pad {pad}: {room % stride} would be left over"
        )
    return room // stride + 1
    ### END SOLUTION


def conv_cost(in_shape, num_filters, kernel, pad, stride):
    """Work out what one convolution layer puts out, stores, and computes, for one image.

    Args:
        in_shape: (C, H, W), three ints: channels, height and width of the layer's input
        num_filters: int >= 1, how many filters the layer has
        kernel: int >= 1; a filter is kernel pixels high and wide and spans all C channels
        pad: int >= 0, the zeros added on each of the four sides of the image
        stride: int >= 1, the same in both directions

    Returns:
        (out_shape, parameters, multiply_adds)
        out_shape: (channels, height, width) of the output, a tuple of ints
        parameters: int, the numbers that the layer learns: all weights, and one bias per filter
        multiply_adds: int, the multiplications needed for all outputs together. Each goes with
            one addition, and the pair counts as one. Adding the biases is not counted, and
            multiplying with the zeros of the padding is.

    You may take it that the filters fit evenly. H and W can differ.

    The lecture: input (3, 32, 32), ten filters of 5, pad 2, stride 1
    -> ((10, 32, 32), 760, 768000).
    """
    ### BEGIN SOLUTION
    channels, height, width = in_shape
    out_height = (height + 2 * pad - kernel) // stride + 1
    out_width = (width + 2 * pad - kernel) // stride + 1
    weights_per_filter = channels * kernel * kernel
    parameters = num_filters * (weights_per_filter + 1)
    multiply_adds = num_filters * out_height * out_width * weights_per_filter
    return (num_filters, out_height, out_width), parameters, multiply_adds
    ### END SOLUTION


def receptive_field(layers):
    """Find how many input pixels, along one side, one output of a stack of layers can see.

    Args:
        layers: a list of (kernel, stride) pairs of ints, the layer next to the image first.
            Pooling layers have a kernel and a stride too, and count in the same way.

    Returns:
        int: the length of the side of the receptive field, in pixels of the input image.
            Borders are ignored: imagine an endless image.

    No layer at all, an empty list, sees 1 pixel: itself.

    The lecture: L layers with kernel K and stride 1 see 1 + L(K - 1) pixels. A stride in an early
    layer pushes the outputs of that layer apart, and so widens what all *later* layers see.
    More: Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks"
    (Distill, 2019).
    """
    ### BEGIN SOLUTION
    field = 1
    spacing = 1  # input pixels between two neighbouring outputs of the layers so far
    for kernel, stride in layers:
        field += (kernel - 1) * spacing
        spacing *= stride
    return field
    ### END SOLUTION
