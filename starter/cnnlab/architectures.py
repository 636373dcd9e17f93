"""ConvNets as lists of layers: the words, and two famous sentences.

    [conv(32, 3), conv(32, 3), max_pool(2), fc(100)]

reads: two convolutions with 32 filters of 3x3, a 2x2 pooling, an affine layer with 100 outputs.
After each conv and each fc comes a ReLU, and after the whole list one more affine layer, which
makes the scores: neither is written down. A layer is a plain dict in which nothing is left out.
"""

from __future__ import annotations


def conv(filters: int, kernel: int, stride: int = 1, pad: int | None = None, groups: int = 1):
    """A convolution layer, with the ReLU after it.

    Args:
        filters: how many.
        kernel: the side of a filter, in pixels.
        stride: pixels from one window to the next.
        pad: zeros around the image. None: (kernel - 1) // 2, which keeps height and width where
            the kernel is odd and the stride 1.
        groups: parts of the layer that do not see each other; for counting AlexNet only.

    Returns:
        dict with 'kind': 'conv', and the five numbers under their names.
    """
    pad = (kernel - 1) // 2 if pad is None else pad
    return _layer("conv", filters=filters, kernel=kernel, stride=stride, pad=pad, groups=groups)


def max_pool(size: int, stride: int | None = None):
    """Max pooling with windows of size x size; stride None: windows side by side.

    Returns:
        dict with 'kind': 'max_pool', 'pool_height', 'pool_width', 'stride'.
    """
    return _pool("max_pool", size, stride)


def avg_pool(size: int, stride: int | None = None):
    """Average pooling with windows of size x size; stride None: windows side by side.

    Returns:
        dict with 'kind': 'avg_pool', 'pool_height', 'pool_width', 'stride'.
    """
    return _pool("avg_pool", size, stride)


def fc(outputs: int):
    """An affine ("fully connected") layer, with the ReLU after it.

    Returns:
        dict with 'kind': 'fc', 'outputs'.
    """
    return _layer("fc", outputs=outputs)


def _pool(kind: str, size: int, stride: int | None) -> dict:
    stride = size if stride is None else stride
    return _layer(kind, pool_height=size, pool_width=size, stride=stride)


def _layer(kind: str, **numbers: int) -> dict:
    for name, number in numbers.items():
        least = 0 if name == "pad" else 1
        if isinstance(number, bool) or int(number) != number or number < least:
            raise ValueError(f"{name} of a {kind} layer is {number!r}: a whole number >= {least}")
    return {"kind": kind, **{name: int(number) for name, number in numbers.items()}}


# LeCun et al. (1998) on grey images, input_dim (1, 32, 32), 10 classes. Theirs had averages with
# weights for pooling, tanh for ReLU, and a table of which filter sees which channel. Their third
# convolution is as large as its image: an fc(120).
LENET5 = [conv(6, 5, pad=0), max_pool(2), conv(16, 5, pad=0), max_pool(2), fc(120), fc(84)]

# Krizhevsky, Sutskever and Hinton (2012), input_dim (3, 227, 227), 1000 classes. (The paper says
# 224; the numbers fit for 227.) Groups, because half of the net was on each of two GPUs.
ALEXNET = [
    conv(96, 11, stride=4, pad=0),
    max_pool(3, stride=2),
    conv(256, 5, groups=2),
    max_pool(3, stride=2),
    conv(384, 3),
    conv(384, 3, groups=2),
    conv(256, 3, groups=2),
    max_pool(3, stride=2),
    fc(4096),
    fc(4096),
]
