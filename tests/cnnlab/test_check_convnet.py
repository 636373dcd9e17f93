"""The visible checks of the convnet's layers: references pass, typical mistakes are explained."""

import numpy as np
import pytest
from answers import NONSENSE, Answers, assert_explained, assert_plain_names

from autograder.diagnose import MISCONCEPTIONS
from cnnlab.checks import check

ANSWERS = Answers("4_convnet")
as_written, message = ANSWERS.as_written, ANSWERS.message
NETS = ("ThreeLayerConvNet", "network_cost", "ConvNet", "design_net")  # in test_check_nets.py
REFERENCES = {name: f for name, f in ANSWERS.references.items() if name not in NETS}
LAYERS = [question for question in REFERENCES if question.endswith("ward")]
BACKWARD = [question for question in LAYERS if question.endswith("backward")]


@pytest.mark.parametrize("question", REFERENCES)
def test_the_reference_passes(question, capfd):
    ANSWERS.assert_passes(question, capfd)


def test_the_names_of_the_steps_are_plain():
    assert_plain_names(REFERENCES)


# What the message about it has to say.
NAMED = {
    "forgets_to_flatten": "matmul",
    "leaves_out_the_biases_of_affine": "biases are not added",
    "reshapes_to_columns": "mixes the rows",
    "moves_the_channels_last": "channels last",
    "cuts_off_at_zero": "no ReLU",
    "returns_dw_first": "in another order",
    "forgets_to_reshape_dx": "still in rows",
    "sums_db_over_the_outputs": "axis 0",
    "averages_dw_and_db": "divided by the number of images",
    "transposes_dw": "dw is transposed",
    "reads_dx_in_columns": "mixes the images",
    "mixes_the_images_in_dw": "mixes the images",
    "asks_whether_all_is_larger": "ambiguous",
    "takes_the_largest_of_all": "np.max does not",
    "keeps_the_negative_ones": "wrong side",
    "takes_the_absolute_value": "changed their sign",
    "leaks": "leaky",
    "asks_the_gradient": "sign of dout",
    "lets_everything_through": "everything passed",
    "returns_the_slope": "that is the slope",
    "multiplies_by_the_output": "multiplied with x",
    "passes_on_the_wrong_side": "wrong side",
    "forgets_to_divide_by_p": "not divided by p",
    "takes_p_for_the_share_that_is_dropped": "for the probability of dropping",
    "keeps_what_should_be_dropped": "for the probability of dropping",
    "multiplies_by_p": "multiplied by p",
    "drops_when_testing_too": "dropped when testing too",
    "scales_when_testing": "multiplied by p",
    "divides_when_testing_too": "divided by p. Nothing was dropped",
    "drops_the_same_of_every_image": "one mask for many",
    "keeps_a_fixed_number": "always keeps as many",
    "lets_the_gradient_through_everywhere": "the mask is missing",
    "forgets_to_divide_the_gradient": "not divided by p",
    "divides_the_gradient_twice": "divided by p twice",
    "passes_where_it_was_dropped": "the other way round",
    "normalises_over_the_images_only": "over images only",
    "normalises_each_image_by_itself": "image by image",
    "averages_the_images_variances": "the images' own variances",
    "keeps_its_cache_in_bn_param": "belongs into the cache",
    "normalises_all_channels_together": "one mean and one variance per channel",
    "normalises_as_a_layer": "image by image",
    "divides_by_the_variance": "take the root",
    "adds_eps_outside_the_root": "inside the root",
    "knows_one_eps_only": "bn_param['eps'] is not used",
    "lays_gamma_along_the_columns": "along the columns",
    "forgets_to_shift": "beta is not added",
    "forgets_to_scale": "gamma is not used",
    "divides_the_variance_by_one_less": "no ddof",
    "averages_variances_as_pytorch_does": "ddof=1",
    "swaps_the_shares_of_the_momentum": "exchanged",
    "knows_one_momentum_only": "bn_param['momentum'] is not used",
    "forgets_the_running_averages": "not updated",
    "keeps_the_last_batch_only": "this batch's alone",
    "averages_the_standard_deviation": "no root here",
    "trains_with_the_running_averages": "mean is 4, the variance 5",
    "tests_with_the_batch": "use the running averages",
    "goes_on_averaging_when_testing": "changed in 'test'",
    "takes_mean_and_variance_for_constants": "only the direct way",
    "forgets_the_way_through_the_variance": "through the variance is missing",
    "forgets_the_way_through_the_mean": "through the mean is missing",
    "divides_by_the_number_of_images_only": "N·H·W numbers",
    "forgets_gamma_in_dx": "gamma is missing",
    "forgets_the_standard_deviation_in_dx": "not divided by sqrt",
    "takes_dgamma_from_what_is_not_divided": "divided by the root too",
    "forgets_the_normalised_numbers_in_dgamma": "sum of dout alone",
    "sums_over_the_images_only": "axis=(0, 2, 3)",
    "averages_dgamma_and_dbeta": "that is a mean",
    "goes_through_the_batch_when_testing": "only the direct way is left",
    "climbs": "up the gradient",
    "takes_the_whole_gradient": "learning rate is missing",
    "knows_one_learning_rate_only": "config['learning_rate'] is not used",
    "begins_with_another_learning_rate": "here it is 1e-2",
    "loses_the_settings": "without its learning rate",
    "speeds_up_the_gradient": "added to the velocity",
    "moves_against_the_velocity": "velocity is subtracted",
    "puts_the_learning_rate_outside": "belongs to dw alone",
    "forgets_to_keep_the_velocity": "config['velocity'] = ...",
    "looks_ahead": "Nesterov",
    "weighs_the_gradient_down": "1 − momentum multiplies",
    "moves_with_the_old_velocity": "moved with the old velocity",
    "knows_one_momentum_of_steps_only": "config['momentum'] is not used",
    "swaps_the_decay": "exchanged",
    "adds_epsilon_inside_the_root": "inside the root",
    "divides_by_the_squares": "root is missing",
    "divides_by_the_old_cache": "update it first",
    "adds_up_all_squares": "Adagrad",
    "forgets_to_keep_the_cache": "config['cache'] = ...",
    "forgets_the_square": "averages squares",
    "forgets_sooner": "decay_rate is 0.99",
    "forgets_to_correct": "correction is missing",
    "corrects_the_first_mean_only": "v is not corrected",
    "counts_after_the_step": "raise t first",
    "forgets_to_keep_count": "not raised, or not put back",
    "adds_epsilon_inside_adams_root": "inside the root",
    "divides_by_v": "root is missing",
    "swaps_the_betas": "beta1 belongs to m",
    "keeps_the_corrected_means": "corrected one",
    "begins_with_the_learning_rate_of_sgd": "Adam's is 1e-3",
    "deals_the_channels_out_in_turn": "dealt out in turn",
    "takes_G_for_the_size_of_a_group": "G is the number of groups",
    "normalises_each_channel_of_each_image": "each channel alone",
    "normalises_over_the_batch": "over the images",
    "adds_the_eps_of_groups_outside": "inside the root",
    "divides_a_groups_variance_by_one_less": "no ddof",
    "forgets_to_scale_and_shift": "gamma and beta are not used",
    "takes_the_groups_mean_and_variance_for_constants": "only the direct way",
    "multiplies_by_gamma_at_the_end": "gamma came last",
    "forgets_gamma_of_groups_in_dx": "gamma is missing",
    "loses_the_axes_of_gamma": "keepdims=True",
    "forgets_the_groups_variance": "through the variance is missing",
    "sums_without_the_normalised_numbers": "sum of dout alone",
}


@pytest.mark.parametrize("question, name", [(q, n) for q in REFERENCES for n in MISCONCEPTIONS[q]])
def test_a_typical_mistake_is_explained(question, name):
    text = message(question, MISCONCEPTIONS[question][name])
    assert_explained(question, text, NAMED[name])


def test_the_names_here_are_those_of_typical_mistakes():
    assert set(NAMED) == {name for question in REFERENCES for name in MISCONCEPTIONS[question]}


@pytest.mark.parametrize("question", REFERENCES)
@pytest.mark.parametrize("dummy", NONSENSE, ids=repr)
def test_nonsense_fails_and_says_what_came(question, dummy):
    ANSWERS.assert_refuses(question, dummy)


@pytest.mark.parametrize("question", REFERENCES)
def test_double_precision_for_single_is_refused(question):
    def changed(*args, **options):
        result = REFERENCES[question](*args, **options)
        if isinstance(result, np.ndarray):
            return result.astype(np.float64)
        return (result[0].astype(np.float64), *result[1:])

    assert "dtype float64" in message(question, changed)


@pytest.mark.parametrize("question", REFERENCES)
def test_inputs_are_left_as_they_were(question):
    def spoils(first, *rest):
        result = REFERENCES[question](first.copy(), *rest)
        first += 1
        return result

    what = "dout" if question in BACKWARD else "x" if question in LAYERS else "w"
    assert f"{what} was changed by the call" in message(question, spoils)


@pytest.mark.parametrize("question", BACKWARD)
@pytest.mark.parametrize("broken", ["not written", "None", "wrong"])
def test_a_broken_forward_pass_is_named(question, broken):
    def stub(*args):
        raise NotImplementedError()

    forward = question.replace("backward", "forward")
    wrong = {
        "not written": stub,
        "None": lambda *args: None,
        "wrong": next(iter(MISCONCEPTIONS[forward].values())),
    }[broken]
    others = {forward: as_written(forward, wrong)}
    assert f"your {forward}" in message(question, REFERENCES[question], **others)


# --- smaller slips --------------------------------------------------------------------------------


def draws_a_new_mask(dout, cache):
    dropout_param, mask = cache
    if mask is None:
        return dout
    return dout * (np.random.random(dout.shape) < dropout_param["p"]) / dropout_param["p"]


def forgets_the_mode(dout, cache):
    return dout * cache[1]


def draws_with(draw):
    """Dropout, with a generator of its own."""

    def dropout_forward(x, dropout_param):
        p = dropout_param["p"]
        if dropout_param["mode"] not in ("train", "test"):
            raise ValueError("mode")
        if dropout_param["mode"] == "test":
            return x, (dropout_param, None)
        mask = ((draw(dropout_param.get("seed"), x.shape) < p) / p).astype(x.dtype)
        return x * mask, (dropout_param, mask)

    return dropout_forward


def seeds_the_common_generator(seed, shape):
    if seed is not None:
        np.random.seed(seed)
    return np.random.random(shape)


def knows_no_seed(seed, shape):
    return np.random.random(shape)


def always_the_same(seed, shape):
    return np.random.default_rng(0).random(shape)


def another_generator(seed, shape):
    return np.random.default_rng(seed).random(shape)


def takes_seed_0_for_none(seed, shape):
    return (np.random.default_rng(seed) if seed else np.random).random(shape)


def draws_one_mask_without_a_seed(seed, shape):
    if seed is None:
        return np.broadcast_to(np.random.random(shape[1:]), shape)
    return np.random.default_rng(seed).random(shape)


def normal(seed, shape):
    return np.random.default_rng(seed).standard_normal(shape)


def old_generator(seed, shape):
    return (np.random if seed is None else np.random.RandomState(seed)).random(shape)


def takes_other_modes(x, dropout_param):
    mode = "train" if dropout_param["mode"] == "train" else "test"
    return REFERENCES["dropout_forward"](x, {**dropout_param, "mode": mode})


def scales_by_what_is_dropped(x, dropout_param):
    out, cache = REFERENCES["dropout_forward"](x, dropout_param)
    p = dropout_param["p"]
    return (out * p / (1 - p) if dropout_param["mode"] == "train" else out), cache


def takes_images_for_channels(x, gamma, beta, bn_param):
    C = x.shape[1]
    rows = x.reshape(C, -1)
    param = {**bn_param, "mode": "test"}
    param |= {"running_mean": rows.mean(axis=1), "running_var": rows.var(axis=1)}
    out, _ = REFERENCES["spatial_batchnorm_forward"](x, gamma, beta, param)
    return out, REFERENCES["spatial_batchnorm_forward"](x, gamma, beta, bn_param)[1]


def scales_dout_in_place(question):
    def backward(dout, cache):
        result = REFERENCES[question](dout, cache)
        dout *= 2
        return result

    return backward


def brakes_late(w, dw, config=None):
    return REFERENCES["adam"](w, dw, {"beta1": 0.8, **(config or {})})


def brakes_a_little_late(w, dw, config=None):
    return REFERENCES["adam"](w, dw, {"beta1": 0.89, **(config or {})})


def turns_round(question):
    return lambda dout, cache: REFERENCES[question](dout, cache)[::-1]


def forgets_slowly(w, dw, config=None):
    return REFERENCES["adam"](w, dw, {"beta2": 0.99, **(config or {})})


def fills_in_no_default(question, name):
    """Reads a setting that may be missing, as if it were always there."""

    def reads(*args):
        (args[-1] if isinstance(args[-1], dict) else {})[name]
        return REFERENCES[question](*args)

    return reads


def expects_a_config(w, dw, config=None):
    config["learning_rate"]
    return REFERENCES["sgd"](w, dw, config)


def written_as(correct=lambda beta, t: 1 - beta**t, share="beta2", corrects="beta2", begin=0):
    """Adam, with one of its lines written in another way."""

    def adam(w, dw, config=None):
        config = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8} | (
            config or {}
        )
        t = config.get("t", begin) + 1
        m = config.get("m", 0 * w) * config["beta1"] + (1 - config["beta1"]) * dw
        v = config.get("v", 0 * w) * config["beta2"] + (1 - config[share]) * dw**2
        root = np.sqrt(v / correct(config[corrects], t)) + config["epsilon"]
        next_w = w - config["learning_rate"] * m / correct(config["beta1"], t) / root
        return next_w, {**config, "m": m, "v": v, "t": t}

    return adam


def cuts_groups_in_another_order(x, gamma, beta, G, gn_param):
    groups = x.reshape(len(x), -1, G).transpose(0, 2, 1)
    mean, var = groups.mean(axis=2, keepdims=True), groups.var(axis=2, keepdims=True)
    normal = (groups - mean) / np.sqrt(var + gn_param.get("eps", 1e-5))
    return normal.reshape(x.shape) * gamma + beta, None


def forgets_the_axis(x, gamma, beta, bn_param):
    mean = x.mean()
    return x - mean[None, :, None, None], None


@pytest.mark.parametrize(
    "question, wrong, words",
    [
        *(
            (question, fills_in_no_default(question, name), f".get('{name}', {default})")
            for question, name, default in (
                ("spatial_batchnorm_forward", "eps", "1e-5"),
                ("spatial_batchnorm_forward", "running_mean", "np.zeros(C, dtype=x.dtype)"),
                ("spatial_groupnorm_forward", "eps", "1e-5"),
                ("dropout_forward", "seed", "None"),
                ("sgd_momentum", "momentum", "0.9"),
                ("adam", "beta2", "0.999"),
            )
        ),
        ("adam", written_as(correct=lambda beta, t: 1 - beta * t), "beta ** t is a power"),
        ("adam", written_as(share="beta1"), "v has beta2 in both places"),
        ("adam", written_as(corrects="beta1"), "corrected with beta1"),
        ("adam", written_as(begin=1), "t was 2 in the first step"),
        ("spatial_groupnorm_forward", cuts_groups_in_another_order, "sizes of the reshape"),
        ("sgd", expects_a_config, "config = dict(config or {})"),
        ("spatial_batchnorm_forward", forgets_the_axis, "axis=(0, 2, 3)"),
        *(
            (q, scales_dout_in_place(q), "dout was changed")
            for q in ("spatial_batchnorm_backward", "spatial_groupnorm_backward")
        ),
        ("adam", forgets_slowly, "beta2 is 0.99"),
        ("adam", brakes_late, "beta1 is 0.8"),
        ("adam", brakes_a_little_late, "0.99936"),
        ("spatial_batchnorm_forward", takes_images_for_channels, "puts images into its rows"),
        ("dropout_backward", draws_a_new_mask, "a new mask was drawn"),
        ("dropout_backward", forgets_the_mode, "keeps no mask: it is None"),
        ("dropout_forward", draws_with(seeds_the_common_generator), "np.random.seed(seed) sets"),
        ("dropout_forward", draws_with(knows_no_seed), "the seed is not used"),
        ("dropout_forward", draws_with(always_the_same), "one and the same seed"),
        ("dropout_forward", draws_with(another_generator), "is another generator"),
        ("dropout_forward", draws_with(normal), "np.random.randn"),
        ("dropout_forward", draws_with(takes_seed_0_for_none), "0 is a seed"),
        ("dropout_forward", draws_with(draws_one_mask_without_a_seed), "without a seed, some"),
        *(
            (q, turns_round(q), "in another order")
            for q in ("affine_backward", "spatial_batchnorm_backward", "spatial_groupnorm_backward")
        ),
        ("dropout_forward", takes_other_modes, "a ValueError"),
        ("dropout_forward", scales_by_what_is_dropped, "not by 1 − p"),
    ],
)
def test_a_slip_is_refused_and_named_and_does_no_harm_to_the_next(question, wrong, words):
    assert words in message(question, wrong)
    check(as_written(question, REFERENCES[question]))


def test_any_generator_of_ones_own_will_do():
    check(as_written("dropout_forward", draws_with(old_generator)))


@pytest.mark.parametrize("question", ["sgd", "sgd_momentum", "rmsprop", "adam"])
def test_a_config_may_be_changed_in_place(question):
    def in_place(w, dw, config=None):
        config = {} if config is None else config
        next_w, new = REFERENCES[question](w, dw, config)
        config.update(new)
        return [next_w, config]

    check(as_written(question, in_place))


@pytest.mark.parametrize("question", ["sgd", "sgd_momentum", "rmsprop", "adam"])
def test_a_config_that_all_weights_share_is_refused(question):
    common = {}

    def shared(w, dw, config=None):
        common.update(config or {})
        next_w, new = REFERENCES[question](w, dw, common)
        common.update(new)
        return next_w, common

    message(question, shared)


def normalises_step_by_step(x, gamma, beta, bn_param):
    """As many students write it, with the plain batch normalisation of a matrix in between."""
    N, C, H, W = x.shape
    rows = x.transpose(0, 2, 3, 1).reshape(-1, C)
    eps, momentum = bn_param.setdefault("eps", 1e-5), bn_param.get("momentum", 0.9)
    mean, var = rows.mean(axis=0), rows.var(axis=0)
    if bn_param["mode"] == "train":
        for name, new in (("running_mean", mean), ("running_var", var)):
            old = bn_param.get(name, np.zeros(C, x.dtype))
            bn_param[name] = momentum * old + (1 - momentum) * new
    elif bn_param["mode"] == "test":
        mean, var = bn_param["running_mean"], bn_param["running_var"]
    else:
        raise ValueError(bn_param["mode"])
    out = gamma * (rows - mean) / np.sqrt(var + eps) + beta
    cache = {"rows": rows, "mean": mean, "var": var + eps, "gamma": gamma, "mode": bn_param["mode"]}
    return out.reshape(N, H, W, C).transpose(0, 3, 1, 2), cache


def goes_back_step_by_step(dout, cache):
    N, C, H, W = dout.shape
    drows = dout.transpose(0, 2, 3, 1).reshape(-1, C)
    centred, var = cache["rows"] - cache["mean"], cache["var"]
    dnorm = drows * cache["gamma"]
    dx = dnorm / np.sqrt(var)
    if cache["mode"] == "train":
        dvar = np.sum(dnorm * centred * -0.5 * var**-1.5, axis=0)
        dmean = -np.sum(dnorm / np.sqrt(var), axis=0)
        dx = dx + (dvar * 2 * centred + dmean) / len(drows)
    dgamma = np.sum(drows * centred / np.sqrt(var), axis=0)
    return dx.reshape(N, H, W, C).transpose(0, 3, 1, 2), dgamma, np.sum(drows, axis=0)


def test_batch_normalisation_step_by_step_passes():
    pair = {
        "spatial_batchnorm_forward": normalises_step_by_step,
        "spatial_batchnorm_backward": goes_back_step_by_step,
    }
    for question, answer in pair.items():
        check(as_written(question, answer, **pair))


@pytest.mark.parametrize("question", [q for q in BACKWARD if "relu" not in q])
def test_a_cache_that_is_spoiled_is_noticed(question):
    def spoils(dout, cache):
        result = REFERENCES[question](dout, cache)
        for part in cache:
            if isinstance(part, np.ndarray):
                part[...] = part + 1
        return result

    text = message(question, spoils)
    assert "changed by the first call" in text or "was changed by the call" in text
