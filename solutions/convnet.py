"""ConvNets of any depth, from a list of layers."""

import numpy as np

from .affine import affine_backward, affine_forward
from .batchnorm import spatial_batchnorm_backward, spatial_batchnorm_forward
from .dropout import dropout_backward, dropout_forward
from .fast_convolution import conv_backward_fast, conv_forward_fast
from .fast_pooling import (
    avg_pool_backward_fast,
    avg_pool_forward_fast,
    max_pool_backward_fast,
    max_pool_forward_fast,
)
from .linear_classifier import softmax_loss
from .relu import relu_backward, relu_forward


class ConvNet:
    """A ConvNet from a list of layers, of the pattern

        [(CONV - BATCHNORM? - RELU) * N - POOL?] * M - (FC - RELU - DROPOUT?) * K - FC - SOFTMAX

    The list names the CONV, POOL and FC layers. BATCHNORM, RELU, DROPOUT and the last FC, which
    makes the scores, are put in by the net.

    What others may rely on:
        params: dict of arrays, all that is learned. The CONV and FC layers are numbered from 1, and
            their arrays called 'W1', 'b1', 'W2', 'b2', ...: (F, C, kernel, kernel) and (F,) for
            CONV, (D, M) and (M,) for FC. With batch normalisation, convolution 1 has 'gamma1' and
            'beta1', shape (F,), too, and so on. The methods read params anew each time.
        bn_params: list with the bn_param of every batch normalisation, in their order; the running
            averages are kept there
        steps: list of tuples, one for each step of the forward pass, in its order. The first entry
            of each is the step's name: 'conv1', 'batchnorm1', 'relu1', 'max_pool1', 'conv2', ...,
            'fc3', with the number of the CONV or FC that it is, or that it follows.
    """

    def __init__(
        self,
        layers,
        input_dim=(3, 32, 32),
        num_classes=10,
        reg=0.0,
        batchnorm=False,
        dropout_keep_ratio=1.0,
        dtype=np.float32,
        seed=None,
    ):
        """Work out all shapes, and make params.

        Args:
            layers: a list of dicts, as conv, max_pool, avg_pool and fc of cnnlab.architectures make
                them:
                {'kind': 'conv', 'filters', 'kernel', 'stride', 'pad', 'groups'}; groups is 1
                {'kind': 'max_pool' or 'avg_pool', 'pool_height', 'pool_width', 'stride'}
                {'kind': 'fc', 'outputs'}
            input_dim: (C, H, W) of an image
            num_classes: how many scores
            reg: a number >= 0, the strength of the penalty for large weights
            batchnorm: whether a batch normalisation stands between each convolution and its ReLU
            dropout_keep_ratio: with which probability dropout, after the ReLU of each FC of the
                list, keeps a number; 1 for no dropout
            dtype: NumPy's type of all arrays in params, and of all that is computed: np.float32, or
                its name, "float32"
            seed: of the random weights: the same seed gives the same. None: others each time.
                (Dropout gets no seed: it drops other numbers in each pass.)

        The weights are drawn from a normal distribution with mean 0 and standard deviation
        sqrt(2 / inputs), where inputs counts the numbers that one output sees: C * kernel * kernel
        or D. So the numbers keep their size from layer to layer, as half of them end in a ReLU.
        In the last FC it is a tenth of that: all classes start nearly equal, and the loss near
        log(num_classes). Biases and betas are 0, gammas 1.

        layers is left as it was; so is, with a seed, NumPy's common generator.

        Raises:
            ValueError: a layer is of another kind, or a convolution has groups

        Source: He et al., "Delving deep into rectifiers" (arXiv:1502.01852).
        """
        ### BEGIN SOLUTION
        self.params, self.bn_params, self.steps = {}, [], []
        self.dropout_param = {"p": dropout_keep_ratio}
        self.reg, self.dtype = reg, dtype
        rng = np.random.default_rng(seed)
        pools = {
            "max_pool": (max_pool_forward_fast, max_pool_backward_fast),
            "avg_pool": (avg_pool_forward_fast, avg_pool_backward_fast),
        }

        def places(side, kernel, pad, stride):
            return 1 + (side + 2 * pad - kernel) // stride

        def add_weights(number, w_shape, outputs, std):
            W = rng.standard_normal(w_shape) * std
            self.params[f"W{number}"] = W.astype(dtype)
            self.params[f"b{number}"] = np.zeros(outputs, dtype)
            return f"W{number}", f"b{number}"

        # A step: its name, forward, backward, the names of its params, its settings
        shape, number = tuple(input_dim), 0
        for layer in layers:
            kind = layer["kind"]
            if kind in pools:
                H = places(shape[1], layer["pool_height"], 0, layer["stride"])
                W = places(shape[2], layer["pool_width"], 0, layer["stride"])
                shape = (shape[0], H, W)
                self.steps.append((f"{kind}{number}", *pools[kind], (), (layer,)))
                continue  # no ReLU after a pooling
            number += 1
            if kind == "conv" and layer["groups"] == 1:
                F, kernel = layer["filters"], layer["kernel"]
                w_shape = (F, shape[0], kernel, kernel)
                names = add_weights(number, w_shape, F, np.sqrt(2 / np.prod(w_shape[1:])))
                H, W = (places(side, kernel, layer["pad"], layer["stride"]) for side in shape[1:])
                shape = (F, H, W)
                pair = (conv_forward_fast, conv_backward_fast)
                self.steps.append((f"conv{number}", *pair, names, (layer,)))
            elif kind == "fc":
                inputs, outputs = int(np.prod(shape)), layer["outputs"]
                names = add_weights(number, (inputs, outputs), outputs, np.sqrt(2 / inputs))
                shape = (outputs,)
                self.steps.append((f"fc{number}", affine_forward, affine_backward, names, ()))
            else:
                raise ValueError(f"a ConvNet has no layer {layer}")
            if kind == "conv" and batchnorm:
                zeros, ones = np.zeros(F, dtype), np.ones(F, dtype)
                self.params |= {f"gamma{number}": ones, f"beta{number}": zeros}
                bn_param = {"running_mean": zeros.copy(), "running_var": ones.copy()}
                self.bn_params.append(bn_param)
                names = (f"gamma{number}", f"beta{number}")
                pair = (spatial_batchnorm_forward, spatial_batchnorm_backward)
                self.steps.append((f"batchnorm{number}", *pair, names, (bn_param,)))
            self.steps.append((f"relu{number}", relu_forward, relu_backward, (), ()))
            if kind == "fc" and dropout_keep_ratio < 1:
                pair = (dropout_forward, dropout_backward)
                self.steps.append((f"dropout{number}", *pair, (), (self.dropout_param,)))

        inputs, number = int(np.prod(shape)), number + 1
        names = add_weights(number, (inputs, num_classes), num_classes, 0.1 * np.sqrt(2 / inputs))
        self.steps.append((f"fc{number}", affine_forward, affine_backward, names, ()))
        ### END SOLUTION

    def forward(self, X, mode="test"):
        """Send images through all steps.

        Args:
            X: images, shape (N, C, H, W); converted to the net's dtype if it is another
            mode: 'train' or 'test', for batch normalisation and dropout; 'test' if it is missing

        Returns:
            (outs, caches)
            outs: list, the output of every step; the last are the scores, shape (N, num_classes)
            caches: list, the cache of every step

        X and params are left as they were. In 'train' mode the running averages are updated.
        """
        ### BEGIN SOLUTION
        for param in [*self.bn_params, self.dropout_param]:
            param["mode"] = mode
        out, outs, caches = X.astype(self.dtype, copy=False), [], []
        for _, forward, _, names, settings in self.steps:
            out, cache = forward(out, *(self.params[name] for name in names), *settings)
            outs.append(out)
            caches.append(cache)
        return outs, caches
        ### END SOLUTION

    def backward(self, dout, caches, guided=False):
        """Send a gradient back, through the steps whose caches are given.

        Args:
            dout: the gradient of some number L with respect to the output of step len(caches) - 1.
                With all caches that are the scores.
            caches: the list from forward, or only its beginning, caches[:k]: then the way back
                starts at step k - 1
            guided: at each ReLU, set what is negative in the gradient to 0 too, before it goes on.
                That is no gradient any more, but pictures of it are clearer.

        Returns:
            (dX, grads)
            dX: dL/dX, of X's shape
            grads: dict with the gradients of those params that took part, of their shapes and
                dtypes; no penalty is in them

        dout and caches are left as they were.
        Source of guided: Springenberg et al., "Striving for simplicity" (arXiv:1412.6806).
        """
        ### BEGIN SOLUTION
        grads = {}
        for step, cache in reversed(list(zip(self.steps, caches, strict=False))):
            _, _, backward, names, _ = step
            if guided and backward is relu_backward:
                dout = np.maximum(dout, 0)
            if names:
                dout, *gradients = backward(dout, cache)
                grads.update(zip(names, gradients, strict=True))
            else:
                dout = backward(dout, cache)
        return dout, grads
        ### END SOLUTION

    def loss(self, X, y=None):
        """Compute the scores of a batch; or, where labels are given, the loss and its gradients.

        Args:
            X: images, shape (N, C, H, W)
            y: the right classes, shape (N,), integers from 0 to num_classes - 1; or None

        Returns:
            if y is None: scores, shape (N, num_classes), in 'test' mode
            else, in 'train' mode: (loss, grads)
                loss: one number, the softmax loss plus the penalty: reg / 2 times the sum of all
                    squared entries of W1, W2, ... (Biases, gammas and betas pay no penalty.)
                grads: dict with the keys of params; each holds the gradient of loss, of that
                    array's shape and dtype

        X, y and params are left as they were.
        """
        ### BEGIN SOLUTION
        outs, caches = self.forward(X, "test" if y is None else "train")
        if y is None:
            return outs[-1]
        loss, dscores = softmax_loss(outs[-1], y)
        _, grads = self.backward(dscores, caches)
        for name, array in self.params.items():
            if name[0] == "W":
                loss += self.reg / 2 * np.sum(array**2)
                grads[name] += self.reg * array
        return loss, grads
        ### END SOLUTION
