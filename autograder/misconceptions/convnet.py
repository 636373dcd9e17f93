"""The typical bugs of assignment 4.

Each function or class runs inside the student's kernel too, pasted there by its source: it may use
np, ``reference``, what the notebook carries from earlier ones, and its arguments, nothing else. Its
docstring is the hint. A wrong net is a subclass of the right one.
"""

from types import SimpleNamespace

import numpy as np

from autograder.diagnose import misconception
from solutions import convnet, design_net, network_cost, three_layer_convnet
from solutions.fast_convolution import conv_backward_fast, conv_forward_fast
from solutions.fast_pooling import (
    avg_pool_backward_fast,
    avg_pool_forward_fast,
    max_pool_backward_fast,
    max_pool_forward_fast,
)
from solutions.linear_classifier import softmax_loss

reference = SimpleNamespace(
    ThreeLayerConvNet=three_layer_convnet.ThreeLayerConvNet,
    network_cost=network_cost.network_cost,
    ConvNet=convnet.ConvNet,
    design_net=design_net.design_net,
)


# --- ThreeLayerConvNet ----------------------------------------------------------------------------


@misconception("ThreeLayerConvNet")
class forgets_the_penalty_in_the_gradients(reference.ThreeLayerConvNet):
    """The loss has the penalty, the gradients of W1, W2 and W3 have not: each gets reg times its
    array added."""

    def loss(self, X, y=None):
        if y is None:
            return super().loss(X)
        loss, grads = super().loss(X, y)
        for name in ("W1", "W2", "W3"):
            grads[name] = grads[name] - self.reg * self.params[name]
        return loss, grads


@misconception("ThreeLayerConvNet")
class forgets_the_penalty_in_the_loss(reference.ThreeLayerConvNet):
    """The gradients have the penalty, the loss has not: add reg / 2 times the sum of all squared
    weights."""

    def loss(self, X, y=None):
        if y is None:
            return super().loss(X)
        loss, grads = super().loss(X, y)
        return loss - self.reg / 2 * sum(
            np.sum(self.params[n] ** 2) for n in ("W1", "W2", "W3")
        ), grads


@misconception("ThreeLayerConvNet")
class leaves_out_the_half(reference.ThreeLayerConvNet):
    """The penalty is twice as large, in the loss and in the gradients: it is reg / 2 times the sum
    of squares, so that its gradient is reg times the weight."""

    def loss(self, X, y=None):
        if y is None:
            return super().loss(X)
        loss, grads = super().loss(X, y)
        for name in ("W1", "W2", "W3"):
            loss = loss + self.reg / 2 * np.sum(self.params[name] ** 2)
            grads[name] = grads[name] + self.reg * self.params[name]
        return loss, grads


@misconception("ThreeLayerConvNet")
class halves_the_penalty_in_the_gradients(reference.ThreeLayerConvNet):
    """The gradients' penalty is reg / 2 times the weight. The 2 of the square cancels the half: reg
    times the weight."""

    def loss(self, X, y=None):
        if y is None:
            return super().loss(X)
        loss, grads = super().loss(X, y)
        for name in ("W1", "W2", "W3"):
            grads[name] = grads[name] - self.reg / 2 * self.params[name]
        return loss, grads


@misconception("ThreeLayerConvNet")
class makes_the_biases_pay(reference.ThreeLayerConvNet):
    """The biases pay the penalty too. Only W1, W2 and W3 do."""

    def loss(self, X, y=None):
        if y is None:
            return super().loss(X)
        loss, grads = super().loss(X, y)
        for name in ("b1", "b2", "b3"):
            loss = loss + self.reg / 2 * np.sum(self.params[name] ** 2)
            grads[name] = grads[name] + self.reg * self.params[name]
        return loss, grads


@misconception("ThreeLayerConvNet")
class penalises_the_first_layer_only(reference.ThreeLayerConvNet):
    """Only one of the three layers pays the penalty: W1, W2 and W3 all do."""

    def loss(self, X, y=None):
        if y is None:
            return super().loss(X)
        loss, grads = super().loss(X, y)
        for name in ("W2", "W3"):
            loss = loss - self.reg / 2 * np.sum(self.params[name] ** 2)
            grads[name] = grads[name] - self.reg * self.params[name]
        return loss, grads


@misconception("ThreeLayerConvNet")
class leaves_out_the_relu_after_the_convolution(reference.ThreeLayerConvNet):
    """The ReLU between the convolution and the pooling is missing, forward and backward."""

    def loss(self, X, y=None):
        p, X = self.params, X.astype(self.dtype)
        conv_param = {"stride": 1, "pad": (p["W1"].shape[2] - 1) // 2}
        pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}
        out, conv_cache = conv_forward_fast(X, p["W1"], p["b1"], conv_param)
        pooled, pool_cache = max_pool_forward_fast(out, pool_param)
        flat = pooled.reshape(len(X), -1)
        hidden = np.maximum(flat @ p["W2"] + p["b2"], 0)
        scores = hidden @ p["W3"] + p["b3"]
        if y is None:
            return scores
        loss, d = softmax_loss(scores, y)
        grads = {"W3": hidden.T @ d, "b3": d.sum(axis=0)}
        d = (d @ p["W3"].T) * (hidden > 0)
        grads |= {"W2": flat.T @ d, "b2": d.sum(axis=0)}
        d = max_pool_backward_fast((d @ p["W2"].T).reshape(pooled.shape), pool_cache)
        _, grads["W1"], grads["b1"] = conv_backward_fast(d, conv_cache)
        for name in ("W1", "W2", "W3"):
            loss += self.reg / 2 * np.sum(p[name] ** 2)
            grads[name] += self.reg * p[name]
        return loss, grads


@misconception("ThreeLayerConvNet")
class leaves_out_the_hidden_relu(reference.ThreeLayerConvNet):
    """The ReLU between the two affine layers is missing: without it they are one affine layer."""

    def loss(self, X, y=None):
        p, X = self.params, X.astype(self.dtype)
        conv_param = {"stride": 1, "pad": (p["W1"].shape[2] - 1) // 2}
        pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}
        out, conv_cache = conv_forward_fast(X, p["W1"], p["b1"], conv_param)
        pooled, pool_cache = max_pool_forward_fast(np.maximum(out, 0), pool_param)
        flat = pooled.reshape(len(X), -1)
        hidden = flat @ p["W2"] + p["b2"]
        scores = hidden @ p["W3"] + p["b3"]
        if y is None:
            return scores
        loss, d = softmax_loss(scores, y)
        grads = {"W3": hidden.T @ d, "b3": d.sum(axis=0)}
        d = d @ p["W3"].T
        grads |= {"W2": flat.T @ d, "b2": d.sum(axis=0)}
        d = max_pool_backward_fast((d @ p["W2"].T).reshape(pooled.shape), pool_cache)
        _, grads["W1"], grads["b1"] = conv_backward_fast(d * (out > 0), conv_cache)
        for name in ("W1", "W2", "W3"):
            loss += self.reg / 2 * np.sum(p[name] ** 2)
            grads[name] += self.reg * p[name]
        return loss, grads


@misconception("ThreeLayerConvNet")
class puts_a_relu_on_the_scores(reference.ThreeLayerConvNet):
    """The scores are cut off at 0. The last affine layer has no ReLU: scores may be negative."""

    def loss(self, X, y=None):
        p, X = self.params, X.astype(self.dtype)
        conv_param = {"stride": 1, "pad": (p["W1"].shape[2] - 1) // 2}
        pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}
        out, conv_cache = conv_forward_fast(X, p["W1"], p["b1"], conv_param)
        pooled, pool_cache = max_pool_forward_fast(np.maximum(out, 0), pool_param)
        flat = pooled.reshape(len(X), -1)
        hidden = np.maximum(flat @ p["W2"] + p["b2"], 0)
        scores = np.maximum(hidden @ p["W3"] + p["b3"], 0)
        if y is None:
            return scores
        loss, d = softmax_loss(scores, y)
        d = d * (scores > 0)
        grads = {"W3": hidden.T @ d, "b3": d.sum(axis=0)}
        d = (d @ p["W3"].T) * (hidden > 0)
        grads |= {"W2": flat.T @ d, "b2": d.sum(axis=0)}
        d = max_pool_backward_fast((d @ p["W2"].T).reshape(pooled.shape), pool_cache)
        _, grads["W1"], grads["b1"] = conv_backward_fast(d * (out > 0), conv_cache)
        for name in ("W1", "W2", "W3"):
            loss += self.reg / 2 * np.sum(p[name] ** 2)
            grads[name] += self.reg * p[name]
        return loss, grads


@misconception("ThreeLayerConvNet")
class pools_with_averages(reference.ThreeLayerConvNet):
    """The pooling is average pooling. This net has max pooling."""

    def loss(self, X, y=None):
        p, X = self.params, X.astype(self.dtype)
        conv_param = {"stride": 1, "pad": (p["W1"].shape[2] - 1) // 2}
        pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}
        out, conv_cache = conv_forward_fast(X, p["W1"], p["b1"], conv_param)
        pooled, pool_cache = avg_pool_forward_fast(np.maximum(out, 0), pool_param)
        flat = pooled.reshape(len(X), -1)
        hidden = np.maximum(flat @ p["W2"] + p["b2"], 0)
        scores = hidden @ p["W3"] + p["b3"]
        if y is None:
            return scores
        loss, d = softmax_loss(scores, y)
        grads = {"W3": hidden.T @ d, "b3": d.sum(axis=0)}
        d = (d @ p["W3"].T) * (hidden > 0)
        grads |= {"W2": flat.T @ d, "b2": d.sum(axis=0)}
        d = avg_pool_backward_fast((d @ p["W2"].T).reshape(pooled.shape), pool_cache)
        _, grads["W1"], grads["b1"] = conv_backward_fast(d * (out > 0), conv_cache)
        for name in ("W1", "W2", "W3"):
            loss += self.reg / 2 * np.sum(p[name] ** 2)
            grads[name] += self.reg * p[name]
        return loss, grads


@misconception("ThreeLayerConvNet")
class sends_the_gradient_past_the_relu(reference.ThreeLayerConvNet):
    """On the way back the ReLU after the convolution is left out: where its input was negative, no
    gradient passes."""

    def loss(self, X, y=None):
        if y is None:
            return super().loss(X)
        p, X = self.params, X.astype(self.dtype)
        loss, grads = super().loss(X, y)
        conv_param = {"stride": 1, "pad": (p["W1"].shape[2] - 1) // 2}
        pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}
        out, conv_cache = conv_forward_fast(X, p["W1"], p["b1"], conv_param)
        pooled, pool_cache = max_pool_forward_fast(np.maximum(out, 0), pool_param)
        hidden = np.maximum(pooled.reshape(len(X), -1) @ p["W2"] + p["b2"], 0)
        _, d = softmax_loss(hidden @ p["W3"] + p["b3"], y)
        d = (d @ p["W3"].T) * (hidden > 0)
        d = max_pool_backward_fast((d @ p["W2"].T).reshape(pooled.shape), pool_cache)
        _, dW, grads["b1"] = conv_backward_fast(d, conv_cache)
        grads["W1"] = dW + self.reg * p["W1"]
        return loss, grads


@misconception("ThreeLayerConvNet")
class starts_with_zeros(reference.ThreeLayerConvNet):
    """All weights are 0 at first. Then all filters get the same gradient, and stay alike: draw them
    at random, times weight_scale."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.params = {name: 0 * array for name, array in self.params.items()}


@misconception("ThreeLayerConvNet")
class returns_shares_where_scores_are_wanted(reference.ThreeLayerConvNet):
    """Without labels loss gives not the scores but their softmax. Return what the last affine layer
    makes."""

    def loss(self, X, y=None):
        if y is not None:
            return super().loss(X, y)
        scores = super().loss(X)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)


# --- network_cost ---------------------------------------------------------------------------------


@misconception("network_cost")
def does_not_count_the_biases(layers, input_dim=(3, 32, 32), num_classes=10):
    """The biases are not counted among the parameters: one for each filter, one for each output."""
    rows = reference.network_cost(layers, input_dim, num_classes)
    return [(k, shape, p - shape[0] if p else 0, m) for k, shape, p, m in rows]


@misconception("network_cost")
def counts_the_biases_as_multiply_adds(layers, input_dim=(3, 32, 32), num_classes=10):
    """The additions of the biases are counted as multiply-adds. There is no product in them."""
    rows = reference.network_cost(layers, input_dim, num_classes)
    return [(k, s, p, m + int(np.prod(s)) if p else 0) for k, s, p, m in rows]


@misconception("network_cost")
def gives_pools_parameters(layers, input_dim=(3, 32, 32), num_classes=10):
    """Pooling layers have parameters here. They learn nothing: 0."""
    rows = reference.network_cost(layers, input_dim, num_classes)
    pools = [layer.get("pool_height", 0) * layer.get("pool_width", 0) for layer in layers] + [0]
    return [(k, s, p + area, m) for (k, s, p, m), area in zip(rows, pools)]  # noqa: B905


@misconception("network_cost")
def counts_comparisons_in_pools(layers, input_dim=(3, 32, 32), num_classes=10):
    """Pooling counts among the multiply-adds here. It multiplies nothing: 0."""
    rows = reference.network_cost(layers, input_dim, num_classes)
    pools = [layer.get("pool_height", 0) * layer.get("pool_width", 0) for layer in layers] + [0]
    return [(k, s, p, m + area * int(np.prod(s))) for (k, s, p, m), area in zip(rows, pools)]  # noqa: B905


@misconception("network_cost")
def multiplies_by_the_size_of_the_input(layers, input_dim=(3, 32, 32), num_classes=10):
    """A convolution's multiply-adds are counted for each pixel of its input. Each place of its
    output takes one pass over the filter: multiply by the output's height and width."""
    rows, before = [], tuple(input_dim)
    for k, s, p, m in reference.network_cost(layers, input_dim, num_classes):
        if k == "conv":
            m = m // (s[1] * s[2]) * before[1] * before[2]
        rows.append((k, s, p, m))
        before = s
    return rows


@misconception("network_cost")
def forgets_the_stride(layers, input_dim=(3, 32, 32), num_classes=10):
    """The convolutions' stride is not used: it divides the height and the width of what comes
    out."""
    layers = [{**layer, "stride": 1} if layer["kind"] == "conv" else layer for layer in layers]
    return reference.network_cost(layers, input_dim, num_classes)


@misconception("network_cost")
def forgets_the_pad(layers, input_dim=(3, 32, 32), num_classes=10):
    """The padding is not used: the image grows by 2 * pad in height and width."""
    layers = [{**layer, "pad": 0} if layer["kind"] == "conv" else layer for layer in layers]
    return reference.network_cost(layers, input_dim, num_classes)


@misconception("network_cost")
def pads_on_one_side(layers, input_dim=(3, 32, 32), num_classes=10):
    """The padding is added once. It lies on both sides of the image: 2 * pad."""
    rows, shape = [], tuple(input_dim)
    for layer in [*layers, {"kind": "fc", "outputs": num_classes}]:
        if layer["kind"] == "conv":
            H, W = (1 + (n + layer["pad"] - layer["kernel"]) // layer["stride"] for n in shape[1:])
            weights = shape[0] // layer["groups"] * layer["filters"] * layer["kernel"] ** 2
            shape = (layer["filters"], H, W)
            rows.append(("conv", shape, weights + layer["filters"], weights * H * W))
        elif layer["kind"] == "fc":
            inputs, shape = int(np.prod(shape)), (layer["outputs"],)
            rows.append(("fc", shape, (inputs + 1) * shape[0], inputs * shape[0]))
        else:
            H = 1 + (shape[1] - layer["pool_height"]) // layer["stride"]
            W = 1 + (shape[2] - layer["pool_width"]) // layer["stride"]
            shape = (shape[0], H, W)
            rows.append((layer["kind"], shape, 0, 0))
    return rows


@misconception("network_cost")
def ignores_the_groups(layers, input_dim=(3, 32, 32), num_classes=10):
    """groups is not used. In a layer of two groups each filter sees half of the channels, and has
    half of the weights."""
    layers = [{**layer, "groups": 1} if layer["kind"] == "conv" else layer for layer in layers]
    return reference.network_cost(layers, input_dim, num_classes)


@misconception("network_cost")
def leaves_out_the_scores(layers, input_dim=(3, 32, 32), num_classes=10):
    """The last row is missing: after the list comes one more affine layer, which makes the
    scores."""
    return reference.network_cost(layers, input_dim, num_classes)[:-1]


@misconception("network_cost")
def counts_each_multiply_add_twice(layers, input_dim=(3, 32, 32), num_classes=10):
    """Multiplications and additions are counted one by one. Here a multiplication and its addition
    count as one."""
    rows = reference.network_cost(layers, input_dim, num_classes)
    return [(k, s, p, 2 * m) for k, s, p, m in rows]


@misconception("network_cost")
def flattens_the_channels_only(layers, input_dim=(3, 32, 32), num_classes=10):
    """The first affine layer has an input for each channel. It sees every place of each: channels
    times height times width."""
    rows, before = [], tuple(input_dim)
    for k, s, p, m in reference.network_cost(layers, input_dim, num_classes):
        if k == "fc":
            p, m = (before[0] + 1) * s[0], before[0] * s[0]
        rows.append((k, s, p, m))
        before = s
    return rows


@misconception("network_cost")
def counts_for_one_channel(layers, input_dim=(3, 32, 32), num_classes=10):
    """Each filter is counted as kernel x kernel numbers. It has so many for each channel that it
    sees."""
    rows, before = [], tuple(input_dim)
    convs = {i: layer for i, layer in enumerate(layers) if layer["kind"] == "conv"}
    for i, (k, s, p, m) in enumerate(reference.network_cost(layers, input_dim, num_classes)):
        if i in convs:
            depth = before[0] // convs[i]["groups"]
            p, m = (p - s[0]) // depth + s[0], m // depth
        rows.append((k, s, p, m))
        before = s
    return rows


# --- ConvNet --------------------------------------------------------------------------------------


@misconception("ConvNet")
class gives_gradients_without_the_penalty(reference.ConvNet):
    """The loss has the penalty, the gradients of the weights W have not: each gets reg times its
    array added."""

    def loss(self, X, y=None):
        if y is None:
            return super().loss(X)
        loss, grads = super().loss(X, y)
        for name in self.params:
            if name[0] == "W":
                grads[name] = grads[name] - self.reg * self.params[name]
        return loss, grads


@misconception("ConvNet")
class takes_the_whole_square(reference.ConvNet):
    """The penalty is twice as large: it is reg / 2 times the sum of squares, so that its gradient
    is reg times the weight."""

    def loss(self, X, y=None):
        if y is None:
            return super().loss(X)
        loss, grads = super().loss(X, y)
        for name, array in self.params.items():
            if name[0] == "W":
                loss = loss + self.reg / 2 * np.sum(array**2)
                grads[name] = grads[name] + self.reg * array
        return loss, grads


@misconception("ConvNet")
class makes_everybody_pay(reference.ConvNet):
    """All params pay the penalty. Only the weights W1, W2, ... do: no biases, gammas or betas."""

    def loss(self, X, y=None):
        if y is None:
            return super().loss(X)
        loss, grads = super().loss(X, y)
        for name, array in self.params.items():
            if name[0] != "W":
                loss = loss + self.reg / 2 * np.sum(array**2)
                grads[name] = grads[name] + self.reg * array
        return loss, grads


@misconception("ConvNet")
class makes_the_gammas_pay(reference.ConvNet):
    """The gammas of batch normalisation pay the penalty too. Only the weights W1, W2, ... do."""

    def loss(self, X, y=None):
        if y is None:
            return super().loss(X)
        loss, grads = super().loss(X, y)
        for name, array in self.params.items():
            if name.startswith("gamma"):
                loss = loss + self.reg / 2 * np.sum(array**2)
                grads[name] = grads[name] + self.reg * array
        return loss, grads


@misconception("ConvNet")
class cuts_off_the_scores(reference.ConvNet):
    """The last FC has a ReLU. The scores have none: they may be negative."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        relus = [step for step in self.steps if step[0].startswith("relu")]
        if relus:
            self.steps.append(("relu of the scores", *relus[0][1:]))


@misconception("ConvNet")
class leaves_the_fcs_without_relu(reference.ConvNet):
    """The FC layers of the list have no ReLU: only the last one, which makes the scores, has
    none."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        fcs = {step[0].replace("fc", "relu") for step in self.steps if step[0].startswith("fc")}
        self.steps = [step for step in self.steps if step[0] not in fcs]


@misconception("ConvNet")
class leaves_the_convolutions_without_relu(reference.ConvNet):
    """The convolutions have no ReLU: after each of them, and its batch normalisation, comes one."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        convs = [step[0] for step in self.steps if step[0].startswith("conv")]
        relus = [name.replace("conv", "relu") for name in convs]
        self.steps = [step for step in self.steps if step[0] not in relus]


@misconception("ConvNet")
class normalises_after_the_relu(reference.ConvNet):
    """The batch normalisation stands behind the ReLU. Its place is between the convolution and the
    ReLU."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        for place in range(len(self.steps) - 1, -1, -1):
            if self.steps[place][0].startswith("batchnorm"):
                self.steps[place : place + 2] = self.steps[place + 1], self.steps[place]


@misconception("ConvNet")
class scores_in_train_mode(reference.ConvNet):
    """Without labels the net runs in 'train' mode: the batch normalisation takes this batch's mean,
    and dropout drops. loss(X) is for testing: forward(X, "test")."""

    def loss(self, X, y=None):
        if y is None:
            return self.forward(X, "train")[0][-1]
        return super().loss(X, y)


@misconception("ConvNet")
class trains_in_test_mode(reference.ConvNet):
    """With labels the net runs in 'test' mode: the batch normalisation takes its running averages,
    and dropout keeps everything. loss(X, y) is for training: forward(X, "train")."""

    def forward(self, X, mode="test"):
        return super().forward(X, "test")


@misconception("ConvNet")
class drops_while_testing(reference.ConvNet):
    """Dropout drops numbers in 'test' mode too. Give it the mode of this forward pass."""

    def forward(self, X, mode="test"):
        for param in self.bn_params:
            param["mode"] = mode
        self.dropout_param["mode"] = "train"
        out, outs, caches = X.astype(self.dtype, copy=False), [], []
        for _, forward, _, names, settings in self.steps:
            out, cache = forward(out, *(self.params[name] for name in names), *settings)
            outs.append(out)
            caches.append(cache)
        return outs, caches


@misconception("ConvNet")
class never_drops(reference.ConvNet):
    """There is no dropout: after the ReLU of each FC of the list it belongs, where the ratio is
    below 1."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.steps = [step for step in self.steps if not step[0].startswith("dropout")]


@misconception("ConvNet")
class forgets_the_running_averages(reference.ConvNet):
    """The running averages are lost: each forward pass gets a new bn_param. Make the dicts once, in
    __init__, and keep them in bn_params."""

    def forward(self, X, mode="test"):
        before = [dict(param) for param in self.bn_params]
        result = super().forward(X, mode)
        for param, old in zip(self.bn_params, before):  # noqa: B905
            param.update(running_mean=old["running_mean"], running_var=old["running_var"])
        return result


@misconception("ConvNet")
class shares_one_bn_param(reference.ConvNet):
    """All batch normalisations share one bn_param, and so their running averages. Each needs its
    own dict."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        for place, step in enumerate(self.steps):
            if step[0].startswith("batchnorm"):
                self.steps[place] = (*step[:-1], (self.bn_params[0],))


@misconception("ConvNet")
class forgets_the_two_of_he(reference.ConvNet):
    """The weights are too small: sqrt(1 / inputs). Half of the numbers end in a ReLU, so it is
    sqrt(2 / inputs)."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        for name, array in self.params.items():
            if name[0] == "W":
                self.params[name] = (array / np.sqrt(2)).astype(array.dtype)


@misconception("ConvNet")
class counts_the_outputs(reference.ConvNet):
    """The weights' size follows the number of outputs. Count the inputs, the numbers that one
    output sees: C * kernel * kernel of a CONV, D of an FC."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        for name, array in self.params.items():
            if name[0] == "W":
                conv = array.ndim == 4
                ratio = array.shape[1] / array.shape[0] if conv else array.shape[0] / array.shape[1]
                self.params[name] = (array * np.sqrt(ratio)).astype(array.dtype)


@misconception("ConvNet")
class forgets_the_root(reference.ConvNet):
    """The square root is missing: the standard deviation is sqrt(2 / inputs)."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        for name, array in self.params.items():
            if name[0] == "W":
                inputs = np.prod(array.shape[1:] if array.ndim == 4 else array.shape[:1])
                self.params[name] = (array * np.sqrt(2 / inputs)).astype(array.dtype)


@misconception("ConvNet")
class starts_with_large_scores(reference.ConvNet):
    """The last FC's weights are as large as the others'. There it is a tenth: so all classes begin
    nearly equal."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        last = max(int(name[1:]) for name in self.params if name[0] == "W")
        self.params[f"W{last}"] = 10 * self.params[f"W{last}"]


@misconception("ConvNet")
class is_not_guided(reference.ConvNet):
    """guided changes nothing. Where it is True, what is negative in the gradient becomes 0 at each
    ReLU, too."""

    def backward(self, dout, caches, guided=False):
        return super().backward(dout, caches)


@misconception("ConvNet")
class is_guided_at_every_step(reference.ConvNet):
    """Guided, negative gradients are cut off after every step, the convolutions too. Only at the
    ReLUs they are."""

    def backward(self, dout, caches, guided=False):
        grads = {}
        for step, cache in reversed(list(zip(self.steps, caches))):  # noqa: B905
            _, _, backward, names, _ = step
            if guided:
                dout = np.maximum(dout, 0)
            if names:
                dout, *gradients = backward(dout, cache)
                grads.update(zip(names, gradients))  # noqa: B905
            else:
                dout = backward(dout, cache)
        return dout, grads


@misconception("ConvNet")
class is_guided_by_the_gradient_alone(reference.ConvNet):
    """Guided, only the gradient's sign counts at a ReLU (a "deconvnet"). Where the ReLU's input was
    negative nothing passes either: cut off, and then go on with relu_backward."""

    def backward(self, dout, caches, guided=False):
        if not guided:
            return super().backward(dout, caches)
        for step, cache in reversed(list(zip(self.steps, caches))):  # noqa: B905
            name, _, backward, names, _ = step
            if name.startswith("relu"):
                dout = np.maximum(dout, 0)
            else:
                dout = backward(dout, cache)[0] if names else backward(dout, cache)
        return dout, {}


# --- design_net -----------------------------------------------------------------------------------


@misconception("design_net")
def returns_nothing():
    """The net is made, but not returned: end with return net."""
    reference.design_net()


@misconception("design_net")
def returns_the_weights():
    """The dict of weights comes back. Return the net itself: the grader loads the weights."""
    return reference.design_net().params


@misconception("design_net")
def returns_a_pair():
    """More than the net comes back. Return the net alone."""
    return reference.design_net(), "design_net.npz"


@misconception("design_net")
def returns_the_name_of_the_file():
    """The name of the file comes back. Return the net: the grader finds the file by itself."""
    return "design_net.npz"
