"""The smallest ConvNet that is worth the name: convolution, pooling, two affine layers."""

import numpy as np

from .affine import affine_backward, affine_forward
from .fast_convolution import conv_backward_fast, conv_forward_fast
from .fast_pooling import max_pool_backward_fast, max_pool_forward_fast
from .linear_classifier import softmax_loss
from .relu import relu_backward, relu_forward


class ThreeLayerConvNet:
    """A ConvNet with three layers that learn:

        conv - relu - 2x2 max pool - affine - relu - affine - softmax

    The convolution has stride 1 and as much padding as keeps the height and width. It works on
    batches of images of shape (N, C, H, W). The pooling is 2x2 with stride 2.

    net.params is a dict of arrays, the learned numbers; loss reads them from there each time:
        'W1' (num_filters, C, filter_size, filter_size), 'b1' (num_filters,)
        'W2' (num_filters * H/2 * W/2, hidden_dim), 'b2' (hidden_dim,)
        'W3' (hidden_dim, num_classes), 'b3' (num_classes,)
    """

    def __init__(
        self,
        input_dim=(3, 32, 32),
        num_filters=32,
        filter_size=7,
        hidden_dim=100,
        num_classes=10,
        weight_scale=1e-3,
        reg=0.0,
        dtype=np.float32,
    ):
        """Make params: the weights small and random, the biases zero.

        Args:
            input_dim: (C, H, W) of an image; H and W are even
            num_filters, filter_size: of the convolution; filter_size is odd, and
                (filter_size - 1) / 2 the padding
            hidden_dim: how many numbers the first affine layer makes
            num_classes: how many scores the second one makes
            weight_scale: the standard deviation of the weights, from a normal distribution with
                mean 0. Draw from np.random.randn or np.random.normal, so that np.random.seed makes
                it repeatable.
            reg: a number >= 0, the strength of the penalty for large weights
            dtype: NumPy's type of all arrays in params, and of all that is computed: np.float32, or
                its name, "float32"
        """
        ### BEGIN SOLUTION
        C, H, W = input_dim
        self.params = {
            "W1": np.random.randn(num_filters, C, filter_size, filter_size) * weight_scale,
            "b1": np.zeros(num_filters),
            "W2": np.random.randn(num_filters * (H // 2) * (W // 2), hidden_dim) * weight_scale,
            "b2": np.zeros(hidden_dim),
            "W3": np.random.randn(hidden_dim, num_classes) * weight_scale,
            "b3": np.zeros(num_classes),
        }
        self.params = {name: array.astype(dtype) for name, array in self.params.items()}
        self.reg, self.dtype = reg, dtype
        ### END SOLUTION

    def loss(self, X, y=None):
        """Compute the scores of a batch; or, where labels are given, the loss and its gradients.

        Args:
            X: images, shape (N, C, H, W); converted to the net's dtype if it is another
            y: the right classes, shape (N,), integers from 0 to num_classes - 1; or None

        Returns:
            if y is None: scores, shape (N, num_classes)
            else: (loss, grads)
                loss: one number, the softmax loss plus the penalty: reg / 2 times the sum of all
                    squared entries of W1, W2 and W3. (Biases pay no penalty.)
                grads: dict with the keys of params; each holds the gradient of loss, of that
                    array's shape and dtype

        X, y and params are left as they were.
        """
        ### BEGIN SOLUTION
        params = self.params
        X = X.astype(self.dtype, copy=False)
        conv_param = {"stride": 1, "pad": (params["W1"].shape[2] - 1) // 2}
        pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}

        out, conv_cache = conv_forward_fast(X, params["W1"], params["b1"], conv_param)
        out, relu_cache = relu_forward(out)
        out, pool_cache = max_pool_forward_fast(out, pool_param)
        out, hidden_cache = affine_forward(out, params["W2"], params["b2"])
        out, hidden_relu_cache = relu_forward(out)
        scores, scores_cache = affine_forward(out, params["W3"], params["b3"])
        if y is None:
            return scores

        loss, dout = softmax_loss(scores, y)
        grads = {}
        dout, grads["W3"], grads["b3"] = affine_backward(dout, scores_cache)
        dout = relu_backward(dout, hidden_relu_cache)
        dout, grads["W2"], grads["b2"] = affine_backward(dout, hidden_cache)
        dout = max_pool_backward_fast(dout, pool_cache)
        dout = relu_backward(dout, relu_cache)
        _, grads["W1"], grads["b1"] = conv_backward_fast(dout, conv_cache)
        for name in ("W1", "W2", "W3"):
            loss += self.reg / 2 * np.sum(params[name] ** 2)
            grads[name] += self.reg * params[name]
        return loss, grads
        ### END SOLUTION
