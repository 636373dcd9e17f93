"""The typical bugs of assignment 4.

Each function or class runs inside the student's kernel too, pasted there by its source: it may use
np, ``reference``, what the notebook carries from earlier ones, and its arguments, nothing else. Its
docstring is the hint. A wrong forward pass returns a right cache, so that it does no harm to the
backward pass; a wrong net is a subclass of the right one.
"""

from types import SimpleNamespace

import numpy as np

from autograder.diagnose import misconception
from solutions import (
    affine,
    batchnorm,
    convnet,
    design_net,
    dropout,
    groupnorm,
    network_cost,
    relu,
    three_layer_convnet,
    update_rules,
)
from solutions.fast_convolution import conv_backward_fast, conv_forward_fast
from solutions.fast_pooling import (
    avg_pool_backward_fast,
    avg_pool_forward_fast,
    max_pool_backward_fast,
    max_pool_forward_fast,
)
from solutions.linear_classifier import softmax_loss

reference = SimpleNamespace(
    affine_forward=affine.affine_forward,
    affine_backward=affine.affine_backward,
    relu_forward=relu.relu_forward,
    relu_backward=relu.relu_backward,
    dropout_forward=dropout.dropout_forward,
    dropout_backward=dropout.dropout_backward,
    spatial_batchnorm_forward=batchnorm.spatial_batchnorm_forward,
    spatial_batchnorm_backward=batchnorm.spatial_batchnorm_backward,
    sgd=update_rules.sgd,
    sgd_momentum=update_rules.sgd_momentum,
    rmsprop=update_rules.rmsprop,
    adam=update_rules.adam,
    ThreeLayerConvNet=three_layer_convnet.ThreeLayerConvNet,
    network_cost=network_cost.network_cost,
    ConvNet=convnet.ConvNet,
    design_net=design_net.design_net,
    spatial_groupnorm_forward=groupnorm.spatial_groupnorm_forward,
    spatial_groupnorm_backward=groupnorm.spatial_groupnorm_backward,
)


# --- affine_forward -------------------------------------------------------------------------------


@misconception("affine_forward")
def forgets_to_flatten(x, w, b):
    """Images go into the product with all their axes. Lay each out as one row first:
    x.reshape(len(x), -1)."""
    return x @ w + b, (x, w, b)


@misconception("affine_forward")
def leaves_out_the_biases_of_affine(x, w, b):
    """The biases are missing: output m gets b[m] added."""
    return reference.affine_forward(x, w, 0 * b)[0], (x, w, b)


@misconception("affine_forward")
def reshapes_to_columns(x, w, b):
    """x.reshape(D, N).T has the right shape, but its rows are made of several images: reshape never
    moves a number, it only counts them off anew. Reshape to (N, D)."""
    rows = x.reshape(-1, len(x)).T
    return rows @ w + b, (x, w, b)


@misconception("affine_forward")
def moves_the_channels_last(x, w, b):
    """The channels of a pixel are laid side by side. Take the numbers in the order in which reshape
    finds them: first all of channel 0, then channel 1."""
    rows = np.moveaxis(x, 1, -1).reshape(len(x), -1)
    return rows @ w + b, (x, w, b)


@misconception("affine_forward")
def cuts_off_at_zero(x, w, b):
    """Negative outputs became 0. The ReLU is a layer of its own: an affine layer has none."""
    out, cache = reference.affine_forward(x, w, b)
    return np.maximum(out, 0), cache


# --- affine_backward ------------------------------------------------------------------------------


@misconception("affine_backward")
def forgets_to_reshape_dx(dout, cache):
    """dx is still in rows. A gradient has the shape of what it belongs to: reshape it to
    x.shape."""
    dx, dw, db = reference.affine_backward(dout, cache)
    return dx.reshape(len(dx), -1), dw, db


@misconception("affine_backward")
def returns_dw_first(dout, cache):
    """The gradients come in another order: dx, dw, db."""
    dx, dw, db = reference.affine_backward(dout, cache)
    return dw, dx, db


@misconception("affine_backward")
def sums_db_over_the_outputs(dout, cache):
    """db is summed along the wrong axis, and has a number for each image. Each output has a bias,
    and all images use it: sum over the images, axis 0."""
    dx, dw, _ = reference.affine_backward(dout, cache)
    return dx, dw, dout.sum(axis=1)


@misconception("affine_backward")
def averages_dw_and_db(dout, cache):
    """dw and db are divided by the number of images. The loss has averaged already: only sum."""
    dx, dw, db = reference.affine_backward(dout, cache)
    return dx, dw / len(dout), db / len(dout)


@misconception("affine_backward")
def transposes_dw(dout, cache):
    """dw is transposed. It has the shape of w, (D, M): rows.T @ dout."""
    dx, dw, db = reference.affine_backward(dout, cache)
    return dx, dw.T.copy(), db


@misconception("affine_backward")
def reads_dx_in_columns(dout, cache):
    """dx.T.reshape(x.shape) mixes the images: the product dout @ w.T has a row for each image, in
    the order of x already."""
    x, w, _ = cache
    _, dw, db = reference.affine_backward(dout, cache)
    return (dout @ w.T).T.reshape(x.shape), dw, db


@misconception("affine_backward")
def mixes_the_images_in_dw(dout, cache):
    """dw is made from x.reshape(D, N), which mixes the images. Reshape to (N, D) first, then
    transpose."""
    x, _, _ = cache
    dx, _, db = reference.affine_backward(dout, cache)
    return dx, x.reshape(-1, len(x)) @ dout, db


# --- relu_forward ---------------------------------------------------------------------------------


@misconception("relu_forward")
def asks_whether_all_is_larger(x):
    """Python's max(0, x) asks whether the whole array is larger than 0, and has no answer. Compare
    number by number: np.maximum."""
    return max(0, x), x


@misconception("relu_forward")
def takes_the_largest_of_all(x):
    """np.max finds the largest numbers within one array. np.maximum compares two, number by
    number."""
    return np.max(x, 0), x


@misconception("relu_forward")
def keeps_the_negative_ones(x):
    """The positive numbers became 0, and the negative ones stayed: it is the other way round."""
    return np.minimum(x, 0), x


@misconception("relu_forward")
def takes_the_absolute_value(x):
    """Negative numbers change their sign. They should become 0."""
    return np.abs(x), x


@misconception("relu_forward")
def leaks(x):
    """A hundredth of the negative numbers goes through: that is a leaky ReLU. Here they become
    0."""
    return np.where(x > 0, x, 0.01 * x), x


# --- relu_backward --------------------------------------------------------------------------------


@misconception("relu_backward")
def asks_the_gradient(dout, cache):
    """The gradient passes where it is positive itself. It passes where the input x was positive,
    and may well be negative."""
    return dout * (dout > 0)


@misconception("relu_backward")
def lets_everything_through(dout, cache):
    """The gradient passes everywhere. Where x was negative, the output is 0 whatever x does there:
    no gradient."""
    return dout.copy()


@misconception("relu_backward")
def returns_the_slope(dout, cache):
    """dx is the slope of the ReLU, 0 or 1. By the chain rule, multiply it with dout."""
    return np.where(cache > 0, 1.0, 0.0)


@misconception("relu_backward")
def multiplies_by_the_output(dout, cache):
    """The gradient is multiplied with the output. The slope of the ReLU is 1 where x is positive,
    however large x is."""
    return dout * np.maximum(cache, 0)


@misconception("relu_backward")
def passes_on_the_wrong_side(dout, cache):
    """The gradient passes where x was negative. It is the other way round."""
    return dout * (cache < 0)


# --- dropout_forward ------------------------------------------------------------------------------


@misconception("dropout_forward")
def forgets_to_divide_by_p(x, dropout_param):
    """What is kept is not divided by p. Then the outputs of training are smaller, on average, than
    those of testing: divide by p in training (inverted dropout)."""
    out, (dropout_param, mask) = reference.dropout_forward(x, dropout_param)
    if mask is None:
        return out, (dropout_param, mask)
    return x * (mask > 0), (dropout_param, (mask > 0).astype(x.dtype))


@misconception("dropout_forward")
def takes_p_for_the_share_that_is_dropped(x, dropout_param):
    """p is used as the probability of dropping, as PyTorch does. Here p is the probability of
    keeping a number: keep where random < p, and divide by p."""
    p = dropout_param["p"]
    out, (_, mask) = reference.dropout_forward(x, {**dropout_param, "p": 1 - p})
    return out, (dropout_param, mask)


@misconception("dropout_forward")
def keeps_what_should_be_dropped(x, dropout_param):
    """The comparison is the wrong way round: random > p happens with the probability 1 - p. Keep
    where random < p."""
    out, (dropout_param, mask) = reference.dropout_forward(x, dropout_param)
    if mask is None:
        return out, (dropout_param, mask)
    mask = ((mask == 0) / dropout_param["p"]).astype(x.dtype)
    return x * mask, (dropout_param, mask)


@misconception("dropout_forward")
def multiplies_by_p(x, dropout_param):
    """What is kept is multiplied by p. It has to become larger, to make up for what is dropped:
    divide by p."""
    out, (dropout_param, mask) = reference.dropout_forward(x, dropout_param)
    if mask is None:
        return out, (dropout_param, mask)
    mask = mask * dropout_param["p"] ** 2
    return x * mask, (dropout_param, mask)


@misconception("dropout_forward")
def drops_when_testing_too(x, dropout_param):
    """Numbers are dropped in the mode 'test' too. Testing uses the whole net: return x as it is."""
    _, cache = reference.dropout_forward(x, dropout_param)
    out, (_, mask) = reference.dropout_forward(x, {**dropout_param, "mode": "train"})
    return out, (cache if cache[1] is None else (dropout_param, mask))


@misconception("dropout_forward")
def scales_when_testing(x, dropout_param):
    """In 'test' the numbers are multiplied by p: that is dropout as it was first published. Here
    it is inverted: training divides by p, and testing does nothing."""
    out, cache = reference.dropout_forward(x, dropout_param)
    return (out * dropout_param["p"] if dropout_param["mode"] == "test" else out), cache


@misconception("dropout_forward")
def divides_when_testing_too(x, dropout_param):
    """In 'test' the numbers are divided by p too. Nothing was dropped there, so there is nothing to
    make up for."""
    out, cache = reference.dropout_forward(x, dropout_param)
    return (out / dropout_param["p"] if dropout_param["mode"] == "test" else out), cache


@misconception("dropout_forward")
def drops_the_same_of_every_image(x, dropout_param):
    """One mask is drawn, and used for all images. Each number is dropped by itself: draw as many
    random numbers as x has, x.shape."""
    _, (dropout_param, mask) = reference.dropout_forward(x[:1], dropout_param)
    return (x if mask is None else x * mask), (dropout_param, mask)


@misconception("dropout_forward")
def keeps_a_fixed_number(x, dropout_param):
    """In every call the same share of the numbers is kept, as a permutation does it. Each number is
    kept with the probability p, whatever becomes of the others."""
    p, seed = dropout_param["p"], dropout_param.get("seed")
    if dropout_param["mode"] != "train":
        return reference.dropout_forward(x, dropout_param)
    generator = np.random if seed is None else np.random.default_rng(seed)
    order = generator.permutation(x.size).reshape(x.shape)
    mask = np.divide(order < round(p * x.size), p, dtype=x.dtype)
    return x * mask, (dropout_param, mask)


# --- dropout_backward -----------------------------------------------------------------------------


@misconception("dropout_backward")
def lets_the_gradient_through_everywhere(dout, cache):
    """What was dropped gets a gradient all the same. It had no influence on the output: multiply
    dout with the mask of the forward pass."""
    return dout.copy()


@misconception("dropout_backward")
def forgets_to_divide_the_gradient(dout, cache):
    """The gradient is not divided by p. The forward pass divided by p, so the backward pass does,
    too."""
    dx = reference.dropout_backward(dout, cache)
    return dx * cache[0]["p"] if cache[0]["mode"] == "train" else dx


@misconception("dropout_backward")
def divides_the_gradient_twice(dout, cache):
    """The gradient is divided by p twice: a mask that is 0 or 1 / p has done it already."""
    dx = reference.dropout_backward(dout, cache)
    return dx / cache[0]["p"] if cache[0]["mode"] == "train" else dx


@misconception("dropout_backward")
def passes_where_it_was_dropped(dout, cache):
    """The gradient passes where numbers were dropped. It passes where they were kept."""
    dx, (dropout_param, mask) = reference.dropout_backward(dout, cache), cache
    return dx if mask is None else dout * (mask == 0) / dropout_param["p"]


# --- spatial_batchnorm_forward --------------------------------------------------------------------


@misconception("spatial_batchnorm_forward")
def normalises_over_the_images_only(x, gamma, beta, bn_param):
    """Each pixel has a mean and a variance of its own, over the images. In a layer of convolutions
    all places of a channel belong together: one mean and variance per channel, axes 0, 2 and 3."""
    out, cache = reference.spatial_batchnorm_forward(x, gamma, beta, bn_param)
    if bn_param["mode"] == "train":
        mean, var = x.mean(axis=0, keepdims=True), x.var(axis=0, keepdims=True)
        x_hat = (x - mean) / np.sqrt(var + bn_param.get("eps", 1e-5))
        out = gamma[:, None, None] * x_hat + beta[:, None, None]
    return out, cache


@misconception("spatial_batchnorm_forward")
def normalises_each_image_by_itself(x, gamma, beta, bn_param):
    """Each image is normalised by itself. The mean and the variance of a channel are those of the
    whole batch: axes 0, 2 and 3."""
    out, cache = reference.spatial_batchnorm_forward(x, gamma, beta, bn_param)
    if bn_param["mode"] == "train":
        mean, var = x.mean(axis=(2, 3), keepdims=True), x.var(axis=(2, 3), keepdims=True)
        x_hat = (x - mean) / np.sqrt(var + bn_param.get("eps", 1e-5))
        out = gamma[:, None, None] * x_hat + beta[:, None, None]
    return out, cache


@misconception("spatial_batchnorm_forward")
def averages_the_images_variances(x, gamma, beta, bn_param):
    """The variance is the mean of the images' own variances. That leaves out how far apart their
    means lie: subtract the mean of the whole channel, then average the squares."""
    out, cache = reference.spatial_batchnorm_forward(x, gamma, beta, bn_param)
    if bn_param["mode"] == "train":
        mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(2, 3)).mean(axis=0)
        std = np.sqrt(var + bn_param.get("eps", 1e-5))
        x_hat = (x - mean[:, None, None]) / std[:, None, None]
        out = gamma[:, None, None] * x_hat + beta[:, None, None]
    return out, cache


@misconception("spatial_batchnorm_forward")
def keeps_its_cache_in_bn_param(x, gamma, beta, bn_param):
    """Something for the backward pass is kept in bn_param. Keep it in the cache: bn_param outlives
    this pass, and the net calls the layer again."""
    out, cache = reference.spatial_batchnorm_forward(x, gamma, beta, bn_param)
    if bn_param["mode"] == "train":
        bn_param["x_hat"] = cache[1]
    return out, cache


@misconception("spatial_batchnorm_forward")
def normalises_all_channels_together(x, gamma, beta, bn_param):
    """All channels share one mean and one variance. Each channel has its own: axes 0, 2 and 3."""
    out, cache = reference.spatial_batchnorm_forward(x, gamma, beta, bn_param)
    if bn_param["mode"] == "train":
        mean, var = (
            x.mean(axis=(0, 1, 2, 3), keepdims=True),
            x.var(axis=(0, 1, 2, 3), keepdims=True),
        )
        x_hat = (x - mean) / np.sqrt(var + bn_param.get("eps", 1e-5))
        out = gamma[:, None, None] * x_hat + beta[:, None, None]
    return out, cache


@misconception("spatial_batchnorm_forward")
def normalises_as_a_layer(x, gamma, beta, bn_param):
    """The mean is taken over the channels of each image: that is layer normalisation. Here it is
    taken over the images and places of each channel: axes 0, 2 and 3."""
    out, cache = reference.spatial_batchnorm_forward(x, gamma, beta, bn_param)
    if bn_param["mode"] == "train":
        mean, var = x.mean(axis=(1, 2, 3), keepdims=True), x.var(axis=(1, 2, 3), keepdims=True)
        x_hat = (x - mean) / np.sqrt(var + bn_param.get("eps", 1e-5))
        out = gamma[:, None, None] * x_hat + beta[:, None, None]
    return out, cache


@misconception("spatial_batchnorm_forward")
def divides_by_the_variance(x, gamma, beta, bn_param):
    """x - mean is divided by the variance, without a root: divide by sqrt(var + eps)."""
    eps = bn_param.get("eps", 1e-5)
    mean, var = bn_param.get("running_mean", 0 * gamma), bn_param.get("running_var", 0 * gamma)
    _, cache = reference.spatial_batchnorm_forward(x, gamma, beta, bn_param)
    if bn_param["mode"] == "train":
        mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
    x_hat = (x - mean[:, None, None]) / (var + eps)[:, None, None]
    return gamma[:, None, None] * x_hat + beta[:, None, None], cache


@misconception("spatial_batchnorm_forward")
def adds_eps_outside_the_root(x, gamma, beta, bn_param):
    """eps is added to the standard deviation. It belongs inside the root: sqrt(var + eps)."""
    eps = bn_param.get("eps", 1e-5)
    mean, var = bn_param.get("running_mean", 0 * gamma), bn_param.get("running_var", 0 * gamma)
    _, cache = reference.spatial_batchnorm_forward(x, gamma, beta, bn_param)
    if bn_param["mode"] == "train":
        mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
    x_hat = (x - mean[:, None, None]) / (np.sqrt(var) + eps)[:, None, None]
    return gamma[:, None, None] * x_hat + beta[:, None, None], cache


@misconception("spatial_batchnorm_forward")
def knows_one_eps_only(x, gamma, beta, bn_param):
    """bn_param['eps'] is not used: eps is always 1e-5."""
    _, cache = reference.spatial_batchnorm_forward(x, gamma, beta, dict(bn_param))
    eps = bn_param.pop("eps", None)
    out, _ = reference.spatial_batchnorm_forward(x, gamma, beta, bn_param)
    if eps is not None:
        bn_param["eps"] = eps
    return out, cache


@misconception("spatial_batchnorm_forward")
def lays_gamma_along_the_columns(x, gamma, beta, bn_param):
    """gamma * x multiplies along the last axis, the columns. gamma has a number for each channel:
    give it the shape (C, 1, 1) first."""
    _, cache = reference.spatial_batchnorm_forward(x, gamma, beta, bn_param)
    plain, _ = reference.spatial_batchnorm_forward(x, gamma**0, 0 * beta, dict(bn_param))
    return gamma * plain + beta, cache


@misconception("spatial_batchnorm_forward")
def forgets_to_shift(x, gamma, beta, bn_param):
    """beta is missing: it is added at the end, channel by channel."""
    out, cache = reference.spatial_batchnorm_forward(x, gamma, beta, bn_param)
    return out - beta[:, None, None], cache


@misconception("spatial_batchnorm_forward")
def forgets_to_scale(x, gamma, beta, bn_param):
    """gamma is missing: the normalised numbers are multiplied by it, channel by channel."""
    out, cache = reference.spatial_batchnorm_forward(x, gamma, beta, bn_param)
    beta = beta[:, None, None]
    return (out - beta) / gamma[:, None, None] + beta, cache


@misconception("spatial_batchnorm_forward")
def divides_the_variance_by_one_less(x, gamma, beta, bn_param):
    """The variance divides by N * H * W - 1 (ddof=1). Here it divides by N * H * W."""
    before = bn_param.get("running_var", 0 * gamma)
    out, cache = reference.spatial_batchnorm_forward(x, gamma, beta, bn_param)
    if bn_param["mode"] == "train":
        mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3), ddof=1)
        std, momentum = np.sqrt(var + bn_param.get("eps", 1e-5)), bn_param.get("momentum", 0.9)
        x_hat = (x - mean[:, None, None]) / std[:, None, None]
        out = gamma[:, None, None] * x_hat + beta[:, None, None]
        bn_param["running_var"] = momentum * before + (1 - momentum) * var
    return out, cache


@misconception("spatial_batchnorm_forward")
def averages_variances_as_pytorch_does(x, gamma, beta, bn_param):
    """The running variance averages variances that divide by one less, as PyTorch's does. Here both
    divide by N * H * W."""
    before = bn_param.get("running_var", 0 * gamma)
    out, cache = reference.spatial_batchnorm_forward(x, gamma, beta, bn_param)
    if bn_param["mode"] == "train":
        momentum, var = bn_param.get("momentum", 0.9), x.var(axis=(0, 2, 3), ddof=1)
        bn_param["running_var"] = momentum * before + (1 - momentum) * var
    return out, cache


@misconception("spatial_batchnorm_forward")
def swaps_the_shares_of_the_momentum(x, gamma, beta, bn_param):
    """momentum and 1 - momentum are exchanged in the running averages. Here momentum is the share
    of the old average. (In PyTorch it is that of the new.)"""
    old = {**bn_param, "momentum": 1 - bn_param.get("momentum", 0.9)}
    out, cache = reference.spatial_batchnorm_forward(x, gamma, beta, old)
    if bn_param["mode"] == "train":
        bn_param.update(running_mean=old["running_mean"], running_var=old["running_var"])
    return out, cache


@misconception("spatial_batchnorm_forward")
def knows_one_momentum_only(x, gamma, beta, bn_param):
    """bn_param['momentum'] is not used: it is always 0.9."""
    old = {**bn_param, "momentum": 0.9}
    out, cache = reference.spatial_batchnorm_forward(x, gamma, beta, old)
    if bn_param["mode"] == "train":
        bn_param.update(running_mean=old["running_mean"], running_var=old["running_var"])
    return out, cache


@misconception("spatial_batchnorm_forward")
def forgets_the_running_averages(x, gamma, beta, bn_param):
    """The running averages are not updated, or not put back: assign them to
    bn_param['running_mean'] and bn_param['running_var'] at each step of training."""
    return reference.spatial_batchnorm_forward(x, gamma, beta, dict(bn_param))


@misconception("spatial_batchnorm_forward")
def keeps_the_last_batch_only(x, gamma, beta, bn_param):
    """The running averages are those of the last batch. Average them with what was there:
    momentum * old + (1 - momentum) * new."""
    out, cache = reference.spatial_batchnorm_forward(x, gamma, beta, bn_param)
    if bn_param["mode"] == "train":
        bn_param.update(running_mean=x.mean(axis=(0, 2, 3)), running_var=x.var(axis=(0, 2, 3)))
    return out, cache


@misconception("spatial_batchnorm_forward")
def averages_the_standard_deviation(x, gamma, beta, bn_param):
    """running_var averages standard deviations. It should average variances: take the root when you
    use it."""
    before = bn_param.get("running_var", 0 * gamma)
    out, cache = reference.spatial_batchnorm_forward(x, gamma, beta, bn_param)
    if bn_param["mode"] == "train":
        momentum = bn_param.get("momentum", 0.9)
        bn_param["running_var"] = momentum * before + (1 - momentum) * x.std(axis=(0, 2, 3))
    return out, cache


@misconception("spatial_batchnorm_forward")
def trains_with_the_running_averages(x, gamma, beta, bn_param):
    """Training normalises with the running averages. They are for testing: training uses the mean
    and the variance of this batch."""
    _, cache = reference.spatial_batchnorm_forward(x, gamma, beta, bn_param)
    out, _ = reference.spatial_batchnorm_forward(x, gamma, beta, {**bn_param, "mode": "test"})
    return out, cache


@misconception("spatial_batchnorm_forward")
def tests_with_the_batch(x, gamma, beta, bn_param):
    """Testing normalises with the mean and the variance of the batch. There an image must not
    depend on its neighbours: use the running averages."""
    _, cache = reference.spatial_batchnorm_forward(x, gamma, beta, bn_param)
    train = {**bn_param, "mode": "train" if bn_param["mode"] == "test" else bn_param["mode"]}
    return reference.spatial_batchnorm_forward(x, gamma, beta, train)[0], cache


@misconception("spatial_batchnorm_forward")
def goes_on_averaging_when_testing(x, gamma, beta, bn_param):
    """The running averages are updated in 'test' too. Testing only reads them."""
    out, cache = reference.spatial_batchnorm_forward(x, gamma, beta, bn_param)
    if bn_param["mode"] == "test":
        train = {**bn_param, "mode": "train"}
        reference.spatial_batchnorm_forward(x, gamma, beta, train)
        bn_param.update(running_mean=train["running_mean"], running_var=train["running_var"])
    return out, cache


# --- spatial_batchnorm_backward -------------------------------------------------------------------


@misconception("spatial_batchnorm_backward")
def takes_mean_and_variance_for_constants(dout, cache):
    """dx has only its direct part. In training the mean and the variance are made from x too, and
    each number of x changes the output through them."""
    _, dgamma, dbeta = reference.spatial_batchnorm_backward(dout, cache)
    _, _, gamma, std = cache
    return dout * (gamma / std)[:, None, None], dgamma, dbeta


@misconception("spatial_batchnorm_backward")
def forgets_the_way_through_the_variance(dout, cache):
    """dx lacks the part that goes through the variance."""
    _, dgamma, dbeta = reference.spatial_batchnorm_backward(dout, cache)
    mode, _, gamma, std = cache
    mean = dout.mean(axis=(0, 2, 3), keepdims=True) if mode == "train" else 0
    return (dout - mean) * (gamma / std)[:, None, None], dgamma, dbeta


@misconception("spatial_batchnorm_backward")
def forgets_the_way_through_the_mean(dout, cache):
    """dx lacks the part that goes through the mean: it does not sum to 0 over a channel."""
    dx, dgamma, dbeta = reference.spatial_batchnorm_backward(dout, cache)
    mode, _, gamma, std = cache
    mean = dout.mean(axis=(0, 2, 3), keepdims=True) if mode == "train" else 0
    return dx + mean * (gamma / std)[:, None, None], dgamma, dbeta


@misconception("spatial_batchnorm_backward")
def divides_by_the_number_of_images_only(dout, cache):
    """The means of the backward pass divide by N. A channel has N * H * W numbers."""
    dx, dgamma, dbeta = reference.spatial_batchnorm_backward(dout, cache)
    mode, x_hat, gamma, std = cache
    if mode == "train":
        ways = dbeta[:, None, None] + x_hat * dgamma[:, None, None]
        dx = (dout - ways / len(dout)) * (gamma / std)[:, None, None]
    return dx, dgamma, dbeta


@misconception("spatial_batchnorm_backward")
def forgets_gamma_in_dx(dout, cache):
    """dx lacks gamma: the forward pass multiplied by it after normalising."""
    dx, dgamma, dbeta = reference.spatial_batchnorm_backward(dout, cache)
    return dx / cache[2][:, None, None], dgamma, dbeta


@misconception("spatial_batchnorm_backward")
def forgets_the_standard_deviation_in_dx(dout, cache):
    """dx is not divided by sqrt(var + eps), as x was."""
    dx, dgamma, dbeta = reference.spatial_batchnorm_backward(dout, cache)
    return dx * cache[3][:, None, None], dgamma, dbeta


@misconception("spatial_batchnorm_backward")
def takes_dgamma_from_what_is_not_divided(dout, cache):
    """dgamma sums dout times x - mean. gamma is multiplied with the normalised numbers, which are
    divided by sqrt(var + eps) too."""
    dx, dgamma, dbeta = reference.spatial_batchnorm_backward(dout, cache)
    return dx, dgamma * cache[3], dbeta


@misconception("spatial_batchnorm_backward")
def forgets_the_normalised_numbers_in_dgamma(dout, cache):
    """dgamma is the sum of dout alone. It sums dout times what gamma was multiplied with, the
    normalised numbers."""
    dx, _, dbeta = reference.spatial_batchnorm_backward(dout, cache)
    return dx, dbeta.copy(), dbeta


@misconception("spatial_batchnorm_backward")
def sums_over_the_images_only(dout, cache):
    """dgamma and dbeta are summed over the images only. Sum over the places too: axes 0, 2 and
    3."""
    dx, _, _ = reference.spatial_batchnorm_backward(dout, cache)
    return dx, (dout * cache[1]).sum(axis=0), dout.sum(axis=0)


@misconception("spatial_batchnorm_backward")
def averages_dgamma_and_dbeta(dout, cache):
    """dgamma and dbeta are means. Sum over images and places: the loss has averaged already."""
    dx, dgamma, dbeta = reference.spatial_batchnorm_backward(dout, cache)
    numbers = dout.size // dout.shape[1]
    return dx, dgamma / numbers, dbeta / numbers


@misconception("spatial_batchnorm_backward")
def goes_through_the_batch_when_testing(dout, cache):
    """After a forward pass in 'test', dx has the parts of training. There the mean and the variance
    are constants: only the direct part is left."""
    return reference.spatial_batchnorm_backward(dout, ("train", *cache[1:]))


# --- sgd ------------------------------------------------------------------------------------------


@misconception("sgd")
def climbs(w, dw, config=None):
    """The step goes up the gradient, and the loss grows: subtract it."""
    next_w, config = reference.sgd(w, dw, config)
    return 2 * w - next_w, config


@misconception("sgd")
def takes_the_whole_gradient(w, dw, config=None):
    """The learning rate is missing: the step is learning_rate * dw."""
    return w - dw, reference.sgd(w, dw, config)[1]


@misconception("sgd")
def knows_one_learning_rate_only(w, dw, config=None):
    """config['learning_rate'] is not used: the step is always 1e-2 times the gradient."""
    return w - 1e-2 * dw, reference.sgd(w, dw, config)[1]


@misconception("sgd")
def begins_with_another_learning_rate(w, dw, config=None):
    """The learning rate is 1e-3 if it is missing. Here it is 1e-2; it is Adam's that is 1e-3."""
    return reference.sgd(w, dw, {"learning_rate": 1e-3, **(config or {})})


@misconception("sgd")
def loses_the_settings(w, dw, config=None):
    """The config that comes back has lost its settings, so that the next step begins anew. Return
    the one that came in."""
    return reference.sgd(w, dw, config)[0], {}


# --- sgd_momentum ---------------------------------------------------------------------------------


@misconception("sgd_momentum")
def speeds_up_the_gradient(w, dw, config=None):
    """The velocity grows up the gradient, and the loss with it: the gradient is taken off,
    momentum * velocity - learning_rate * dw."""
    return reference.sgd_momentum(w, -dw, config)


@misconception("sgd_momentum")
def moves_against_the_velocity(w, dw, config=None):
    """The velocity is subtracted. The minus sign is in it already: next_w = w + velocity."""
    next_w, config = reference.sgd_momentum(w, dw, config)
    return 2 * w - next_w, config


@misconception("sgd_momentum")
def puts_the_learning_rate_outside(w, dw, config=None):
    """The learning rate multiplies the velocity, as in PyTorch. Here it is in the velocity:
    momentum * velocity - learning_rate * dw."""
    config = {"learning_rate": 1e-2, "momentum": 0.9, **(config or {})}
    velocity = config.get("velocity", np.zeros_like(w))
    config["velocity"] = config["momentum"] * velocity + dw
    return w - config["learning_rate"] * config["velocity"], config


@misconception("sgd_momentum")
def forgets_to_keep_the_velocity(w, dw, config=None):
    """The new velocity is not put back into config, so that each step begins with the old one."""
    next_w, new = reference.sgd_momentum(w, dw, config)
    new.pop("velocity")
    return next_w, {**new, **(config or {})}


@misconception("sgd_momentum")
def looks_ahead(w, dw, config=None):
    """That is Nesterov's momentum, which looks one step ahead. Here next_w is w + velocity."""
    _, config = reference.sgd_momentum(w, dw, config)
    return w + config["momentum"] * config["velocity"] - config["learning_rate"] * dw, config


@misconception("sgd_momentum")
def weighs_the_gradient_down(w, dw, config=None):
    """The gradient is multiplied by 1 - momentum too. The velocity is no average here: the whole of
    learning_rate * dw is taken off."""
    momentum = (config or {}).get("momentum", 0.9)
    return reference.sgd_momentum(w, (1 - momentum) * dw, config)


@misconception("sgd_momentum")
def moves_with_the_old_velocity(w, dw, config=None):
    """The step is made with the velocity of the step before. Update the velocity first."""
    old = (config or {}).get("velocity", np.zeros_like(w))
    return w + old, reference.sgd_momentum(w, dw, config)[1]


@misconception("sgd_momentum")
def knows_one_momentum_of_steps_only(w, dw, config=None):
    """config['momentum'] is not used: it is always 0.9."""
    return reference.sgd_momentum(w, dw, {**(config or {}), "momentum": 0.9})


# --- rmsprop --------------------------------------------------------------------------------------


@misconception("rmsprop")
def swaps_the_decay(w, dw, config=None):
    """decay_rate and 1 - decay_rate are exchanged: decay_rate is the share of the old cache."""
    decay = (config or {}).get("decay_rate", 0.99)
    next_w, new = reference.rmsprop(w, dw, {**(config or {}), "decay_rate": 1 - decay})
    return next_w, {**new, "decay_rate": decay}


@misconception("rmsprop")
def adds_epsilon_inside_the_root(w, dw, config=None):
    """epsilon is added inside the root. Here it is added after it: sqrt(cache) + epsilon."""
    _, config = reference.rmsprop(w, dw, config)
    return w - config["learning_rate"] * dw / np.sqrt(config["cache"] + config["epsilon"]), config


@misconception("rmsprop")
def divides_by_the_squares(w, dw, config=None):
    """The root is missing: cache is a mean of squares, so divide by its root."""
    _, config = reference.rmsprop(w, dw, config)
    return w - config["learning_rate"] * dw / (config["cache"] + config["epsilon"]), config


@misconception("rmsprop")
def divides_by_the_old_cache(w, dw, config=None):
    """The step is divided by the root of the old cache. Update the cache first."""
    old = (config or {}).get("cache", np.zeros_like(w))
    _, config = reference.rmsprop(w, dw, config)
    return w - config["learning_rate"] * dw / (np.sqrt(old) + config["epsilon"]), config


@misconception("rmsprop")
def adds_up_all_squares(w, dw, config=None):
    """The squares are added up from the beginning, and the steps become ever smaller: that is
    Adagrad. Here old squares are forgotten: decay_rate * cache + (1 - decay_rate) * dw ** 2."""
    old = (config or {}).get("cache", np.zeros_like(w))
    _, config = reference.rmsprop(w, dw, config)
    config["cache"] = old + dw**2
    step = config["learning_rate"] * dw / (np.sqrt(config["cache"]) + config["epsilon"])
    return w - step, config


@misconception("rmsprop")
def forgets_to_keep_the_cache(w, dw, config=None):
    """The new cache is not put back into config, so that each step begins with the old one."""
    next_w, new = reference.rmsprop(w, dw, config)
    new.pop("cache")
    return next_w, {**new, **(config or {})}


@misconception("rmsprop")
def forgets_the_square(w, dw, config=None):
    """The cache averages the gradients themselves, which cancel, and have no root where they are
    negative. It averages their squares."""
    old = (config or {}).get("cache", np.zeros_like(w))
    _, config = reference.rmsprop(w, dw, config)
    config["cache"] = config["decay_rate"] * old + (1 - config["decay_rate"]) * dw
    step = config["learning_rate"] * dw / (np.sqrt(config["cache"]) + config["epsilon"])
    return w - step, config


@misconception("rmsprop")
def forgets_sooner(w, dw, config=None):
    """decay_rate is 0.9 if it is missing, as in Hinton's lecture. Here it is 0.99."""
    return reference.rmsprop(w, dw, {"decay_rate": 0.9, **(config or {})})


# --- adam -----------------------------------------------------------------------------------------


@misconception("adam")
def forgets_to_correct(w, dw, config=None):
    """The means are used as they are. They start from zeros, so they are too small at first: divide
    by 1 - beta ** t."""
    _, config = reference.adam(w, dw, config)
    root = np.sqrt(config["v"]) + config["epsilon"]
    return w - config["learning_rate"] * config["m"] / root, config


@misconception("adam")
def corrects_the_first_mean_only(w, dw, config=None):
    """v is not corrected. It starts from zeros, as m does: divide it by 1 - beta2 ** t."""
    _, config = reference.adam(w, dw, config)
    m_hat = config["m"] / (1 - config["beta1"] ** config["t"])
    return w - config["learning_rate"] * m_hat / (np.sqrt(config["v"]) + config["epsilon"]), config


@misconception("adam")
def counts_after_the_step(w, dw, config=None):
    """t is raised after it was used. In the first step it is 0 then, and 1 - beta ** 0 is 0: raise
    it first."""
    _, config = reference.adam(w, dw, config)
    t = config["t"] - 1
    m_hat = config["m"] / np.float64(1 - config["beta1"] ** t)
    v_hat = config["v"] / np.float64(1 - config["beta2"] ** t)
    return w - config["learning_rate"] * m_hat / (np.sqrt(v_hat) + config["epsilon"]), config


@misconception("adam")
def forgets_to_keep_count(w, dw, config=None):
    """config['t'] stays as it was: every step is corrected as if it were the first. Put the raised
    t back into config."""
    next_w, new = reference.adam(w, dw, config)
    return next_w, {**new, "t": (config or {}).get("t", 0)}


@misconception("adam")
def adds_epsilon_inside_adams_root(w, dw, config=None):
    """epsilon is added inside the root. Here it is added after it: sqrt(v_hat) + epsilon."""
    _, config = reference.adam(w, dw, config)
    m_hat = config["m"] / (1 - config["beta1"] ** config["t"])
    v_hat = config["v"] / (1 - config["beta2"] ** config["t"])
    return w - config["learning_rate"] * m_hat / np.sqrt(v_hat + config["epsilon"]), config


@misconception("adam")
def divides_by_v(w, dw, config=None):
    """The root is missing: v is a mean of squares, so divide by the root of v_hat."""
    _, config = reference.adam(w, dw, config)
    m_hat = config["m"] / (1 - config["beta1"] ** config["t"])
    v_hat = config["v"] / (1 - config["beta2"] ** config["t"])
    return w - config["learning_rate"] * m_hat / (v_hat + config["epsilon"]), config


@misconception("adam")
def swaps_the_betas(w, dw, config=None):
    """beta1 and beta2 are exchanged: beta1 belongs to m, beta2 to v."""
    given = config or {}
    betas = {"beta1": given.get("beta2", 0.999), "beta2": given.get("beta1", 0.9)}
    next_w, new = reference.adam(w, dw, {**given, **betas})
    return next_w, {**new, "beta1": betas["beta2"], "beta2": betas["beta1"]}


@misconception("adam")
def keeps_the_corrected_means(w, dw, config=None):
    """config keeps the corrected means, which are then corrected again. Keep m and v as they are,
    and the corrected ones in variables of their own."""
    next_w, new = reference.adam(w, dw, config)
    new["m"] = new["m"] / (1 - new["beta1"] ** new["t"])
    new["v"] = new["v"] / (1 - new["beta2"] ** new["t"])
    return next_w, new


@misconception("adam")
def begins_with_the_learning_rate_of_sgd(w, dw, config=None):
    """The learning rate is 1e-2 if it is missing. Adam's is 1e-3."""
    return reference.adam(w, dw, {"learning_rate": 1e-2, **(config or {})})


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
def calls_every_pooling_pool(layers, input_dim=(3, 32, 32), num_classes=10):
    """The rows of poolings begin with 'pool'. Their kinds are 'max_pool' and 'avg_pool': take
    layer['kind'] as it is."""
    rows = reference.network_cost(layers, input_dim, num_classes)
    return [("pool" if kind.endswith("pool") else kind, *others) for kind, *others in rows]


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
class hands_dropout_the_share_that_is_dropped(reference.ConvNet):
    """Dropout gets 1 - dropout_keep_ratio for its p. Both are how likely a number is kept: hand it
    on as it is."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.dropout_param["p"] = 1 - self.dropout_param["p"]


@misconception("ConvNet")
class seeds_its_dropout(reference.ConvNet):
    """Dropout gets the net's seed, and with a seed it draws the same in each call: one and the same
    part of the net learns nothing. The seed is for the weights alone."""

    def __init__(self, *args, seed=None, **options):
        super().__init__(*args, seed=seed, **options)
        self.dropout_param["seed"] = seed


@misconception("ConvNet")
class seeds_the_common_generator(reference.ConvNet):
    """np.random.seed(seed) sets the generator that everybody draws from, dropout too. Give the net
    a generator of its own, np.random.default_rng(seed)."""

    def __init__(self, *args, seed=None, **options):
        super().__init__(*args, seed=seed, **options)
        if seed is not None:
            np.random.seed(seed)


@misconception("ConvNet")
class takes_the_layers_apart(reference.ConvNet):
    """The list of layers that came in is changed, so that no second net can be made from it. Read
    layer['kind']; pop takes it out of the caller's dict."""

    def __init__(self, layers, *args, **options):
        super().__init__([dict(layer) for layer in layers], *args, **options)
        for layer in layers:
            layer.pop("kind")


@misconception("ConvNet")
class trains_where_no_mode_is_given(reference.ConvNet):
    """Without a mode forward runs as in 'train'. The first line of forward says 'test': who only
    asks the net for its scores must not change it."""

    def forward(self, X, mode="train"):
        return super().forward(X, mode)


@misconception("ConvNet")
class lets_backward_pay(reference.ConvNet):
    """backward adds the penalty to its gradients. It sends back what it is given, from wherever;
    the penalty is of the loss, and is added there."""

    def backward(self, dout, caches, guided=False):
        dX, grads = super().backward(dout, caches, guided)
        for name in grads:
            if name[0] == "W":
                grads[name] = grads[name] + self.reg * self.params[name]
        return dX, grads

    def loss(self, X, y=None):
        if y is None:
            return super().loss(X)
        loss, grads = super().loss(X, y)  # which pays in backward, and then again
        for name, array in self.params.items():
            if name[0] == "W":
                grads[name] = grads[name] - self.reg * array
        return loss, grads


@misconception("ConvNet")
class averages_twice_in_a_step(reference.ConvNet):
    """The images go forward twice in a step of training, so the running averages move twice. loss
    runs forward once, and keeps what comes out."""

    def loss(self, X, y=None):
        if y is not None:
            self.forward(X, "train")
        return super().loss(X, y)


@misconception("ConvNet")
class loses_the_running_averages(reference.ConvNet):
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


# --- spatial_groupnorm_forward --------------------------------------------------------------------


@misconception("spatial_groupnorm_forward")
def deals_the_channels_out_in_turn(x, gamma, beta, G, gn_param):
    """The channels are dealt out to the groups in turn, like cards. A group is a block of
    neighbouring channels: reshape to (N, G, C // G, H, W)."""
    _, cache = reference.spatial_groupnorm_forward(x, gamma, beta, G, gn_param)
    order = np.arange(x.shape[1]).reshape(-1, G).T.ravel()
    ones, zeros = np.ones_like(gamma), np.zeros_like(beta)
    out, _ = reference.spatial_groupnorm_forward(x[:, order], ones, zeros, G, gn_param)
    return gamma * out[:, np.argsort(order)] + beta, cache


@misconception("spatial_groupnorm_forward")
def takes_G_for_the_size_of_a_group(x, gamma, beta, G, gn_param):
    """G is used as the number of channels in a group. It is the number of groups."""
    _, cache = reference.spatial_groupnorm_forward(x, gamma, beta, G, gn_param)
    groups = x.shape[1] // G
    return reference.spatial_groupnorm_forward(x, gamma, beta, groups, gn_param)[0], cache


@misconception("spatial_groupnorm_forward")
def normalises_each_channel_of_each_image(x, gamma, beta, G, gn_param):
    """Each channel of an image has a mean of its own, whatever G is. The channels of a group share
    one: average over them too."""
    _, cache = reference.spatial_groupnorm_forward(x, gamma, beta, G, gn_param)
    return reference.spatial_groupnorm_forward(x, gamma, beta, x.shape[1], gn_param)[0], cache


@misconception("spatial_groupnorm_forward")
def normalises_over_the_batch(x, gamma, beta, G, gn_param):
    """The mean and the variance of a group are taken over all images. Here each image is normalised
    by itself."""
    _, cache = reference.spatial_groupnorm_forward(x, gamma, beta, G, gn_param)
    groups = x.reshape(len(x), G, -1)
    mean, var = groups.mean(axis=(0, 2), keepdims=True), groups.var(axis=(0, 2), keepdims=True)
    x_hat = ((groups - mean) / np.sqrt(var + gn_param.get("eps", 1e-5))).reshape(x.shape)
    return gamma * x_hat + beta, cache


@misconception("spatial_groupnorm_forward")
def adds_the_eps_of_groups_outside(x, gamma, beta, G, gn_param):
    """eps is added to the standard deviation. It belongs inside the root: sqrt(var + eps)."""
    _, cache = reference.spatial_groupnorm_forward(x, gamma, beta, G, gn_param)
    groups = x.reshape(len(x), G, -1)
    std = groups.std(axis=2, keepdims=True) + gn_param.get("eps", 1e-5)
    x_hat = ((groups - groups.mean(axis=2, keepdims=True)) / std).reshape(x.shape)
    return gamma * x_hat + beta, cache


@misconception("spatial_groupnorm_forward")
def divides_a_groups_variance_by_one_less(x, gamma, beta, G, gn_param):
    """The variance divides by one less than a group has numbers (ddof=1). Here it divides by all of
    them."""
    _, cache = reference.spatial_groupnorm_forward(x, gamma, beta, G, gn_param)
    groups = x.reshape(len(x), G, -1)
    var = groups.var(axis=2, keepdims=True, ddof=1)
    x_hat = (groups - groups.mean(axis=2, keepdims=True)) / np.sqrt(var + gn_param.get("eps", 1e-5))
    return gamma * x_hat.reshape(x.shape) + beta, cache


@misconception("spatial_groupnorm_forward")
def forgets_to_scale_and_shift(x, gamma, beta, G, gn_param):
    """gamma and beta are not used: each channel is scaled and shifted at the end."""
    _, cache = reference.spatial_groupnorm_forward(x, gamma, beta, G, gn_param)
    return reference.spatial_groupnorm_forward(x, gamma**0, 0 * beta, G, gn_param)[0], cache


# --- spatial_groupnorm_backward -------------------------------------------------------------------


@misconception("spatial_groupnorm_backward")
def takes_the_groups_mean_and_variance_for_constants(dout, cache):
    """dx has only its direct part. The mean and the variance of a group are made from x too."""
    G, x_hat, gamma, std = cache
    _, dgamma, dbeta = reference.spatial_groupnorm_backward(dout, cache)
    dx = (dout * gamma).reshape(len(x_hat), G, -1) / std
    return dx.reshape(dout.shape), dgamma, dbeta


@misconception("spatial_groupnorm_backward")
def multiplies_by_gamma_at_the_end(dout, cache):
    """dx is multiplied by gamma at the end. The channels of a group have different gammas, so it
    belongs inside the means: begin with dout * gamma."""
    G, x_hat, gamma, std = cache
    _, dgamma, dbeta = reference.spatial_groupnorm_backward(dout, cache)
    dx, _, _ = reference.spatial_groupnorm_backward(dout, (G, x_hat, gamma**0, std))
    return dx * gamma, dgamma, dbeta


@misconception("spatial_groupnorm_backward")
def forgets_gamma_of_groups_in_dx(dout, cache):
    """dx lacks gamma: the forward pass multiplied by it after normalising."""
    G, x_hat, gamma, std = cache
    _, dgamma, dbeta = reference.spatial_groupnorm_backward(dout, cache)
    dx, _, _ = reference.spatial_groupnorm_backward(dout, (G, x_hat, gamma**0, std))
    return dx, dgamma, dbeta


@misconception("spatial_groupnorm_backward")
def loses_the_axes_of_gamma(dout, cache):
    """dgamma and dbeta have the shape (C,). A gradient has the shape of what it belongs to, here
    (1, C, 1, 1): keepdims=True."""
    dx, dgamma, dbeta = reference.spatial_groupnorm_backward(dout, cache)
    return dx, dgamma.ravel(), dbeta.ravel()


@misconception("spatial_groupnorm_backward")
def forgets_the_groups_variance(dout, cache):
    """dx lacks the part that goes through the variance."""
    G, x_hat, gamma, std = cache
    _, dgamma, dbeta = reference.spatial_groupnorm_backward(dout, cache)
    d_hat = (dout * gamma).reshape(len(x_hat), G, -1)
    dx = (d_hat - d_hat.mean(axis=2, keepdims=True)) / std
    return dx.reshape(dout.shape), dgamma, dbeta


@misconception("spatial_groupnorm_backward")
def sums_without_the_normalised_numbers(dout, cache):
    """dgamma is the sum of dout alone. It sums dout times what gamma was multiplied with, the
    normalised numbers."""
    dx, _, dbeta = reference.spatial_groupnorm_backward(dout, cache)
    return dx, dbeta.copy(), dbeta
