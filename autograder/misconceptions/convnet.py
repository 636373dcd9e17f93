"""The typical bugs of assignment 4.

Each function runs inside the student's kernel too, pasted there by its source: it may use np,
``reference`` and its arguments, nothing else. Its docstring is the hint. A wrong forward pass
returns a right cache, so that it does no harm to the backward pass.
"""

from types import SimpleNamespace

import numpy as np

from autograder.diagnose import misconception
from solutions import affine, batchnorm, dropout, groupnorm, relu, update_rules

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
