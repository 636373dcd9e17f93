"""One step through convolution and max pooling, against torch."""

import numpy as np
import pytest
import torch

from solutions.fast_step import conv_pool_step


@pytest.mark.parametrize(
    "x_shape, w_shape, stride, pad, window, pool_stride",
    [
        ((2, 3, 8, 6), (4, 3, 3, 5), 1, 2, (2, 2), 2),
        ((1, 1, 9, 9), (2, 1, 3, 3), 1, 1, (3, 3), 1),
        ((3, 2, 11, 9), (2, 2, 3, 3), 2, 1, (2, 3), 2),
    ],
)
def test_agrees_with_torch(x_shape, w_shape, stride, pad, window, pool_stride):
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(shape) for shape in (x_shape, w_shape, w_shape[:1]))
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, w, b)]
    features = torch.nn.functional.conv2d(*tensors, stride=stride, padding=pad)
    right = torch.nn.functional.max_pool2d(features, window, stride=pool_stride)
    dout = rng.standard_normal(tuple(right.shape))
    right.backward(torch.tensor(dout))
    conv_param = {"stride": stride, "pad": pad}
    pool = {"pool_height": window[0], "pool_width": window[1], "stride": pool_stride}
    out, *gradients = conv_pool_step(x, w, b, conv_param, pool, dout)
    np.testing.assert_allclose(out, right.detach(), atol=1e-12)
    for gradient, tensor in zip(gradients, tensors, strict=True):
        np.testing.assert_allclose(gradient, tensor.grad, atol=1e-12)
