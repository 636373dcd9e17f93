"""The steps for ConvNet."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from cnnlab.architectures import avg_pool, conv, fc, max_pool
from cnnlab.checks import hand_worked
from cnnlab.checks.expect import (
    array,
    gradient,
    moves_the_common_generator,
    parts,
    scalar,
    unchanged,
    value_error,
)
from cnnlab.checks.nets import (
    LAYERS,
    OLD_WEIGHTS,
    dtype_by_name,
    given_by_hand,
    gradients_are_numeric,
    if_numbers,
    loss_and_grads,
    names_are,
    net_step,
    params_of,
    penalties_are,
    precision_is,
    shapes_are,
    weights_are,
    zeros_are,
)
from cnnlab.checks.steps import CheckFailed


def _convnet(name: str):
    return net_step("ConvNet", name, LAYERS)


_LAYERS = [conv(3, 3), conv(4, 3), max_pool(2), fc(6)]
_NORMED = [conv(3, 3), max_pool(2), conv(4, 3), avg_pool(2), fc(5)]


def _net(f, layers=None, shape=(2, 4, 8), **options) -> Any:
    layers = copy.deepcopy(_LAYERS if layers is None else layers)
    return f(layers, shape, 5, **{"dtype": np.float64, "seed": 1, **options})


def _shares_no_settings(f) -> None:
    """Each batch normalisation of each net has a dict of its own."""
    dicts = [d for net in [_net(f, _NORMED, batchnorm=True) for _ in "ab"] for d in net.bn_params]
    if len({id(d) for d in dicts}) != len(dicts):
        cause = (
            "make each dict anew in __init__, one for each layer; and the list in self.bn_params, "
            "which must not be the class's or a global one."
        )
        came = "several layers, or two nets, share one dict of bn_params"
        raise CheckFailed(came, "a dict for each layer of each net", cause)


def _shaken(f, layers=None, **options):
    """A net with biases, gammas and betas of its own, and six images."""
    net, rng = _net(f, layers, **options), np.random.default_rng(6)
    for name, w in params_of(net).items():
        if name[0] != "W":
            net.params[name] = (w + rng.standard_normal(w.shape) / 2).astype(w.dtype)
    return net, rng.standard_normal((6, 2, 4, 8)), np.arange(6) % 5


def _forward(net: Any, X: np.ndarray, mode: str) -> tuple[list, list]:
    outs, caches = parts(net.forward(X, mode), ("outs", "caches"))
    if not isinstance(outs, list | tuple) or not isinstance(caches, list | tuple):
        came = f"outs of type {type(outs).__name__}, caches of type {type(caches).__name__}"
        raise CheckFailed(came, "two lists, with an entry for each step", "outs.append(out).")
    return list(outs), list(caches)


@_convnet("params: names and shapes of CONV, CONV, POOL, FC, and of the scores")
def _(f):
    shapes = {
        "W1": (3, 2, 3, 3), "b1": (3,), "W2": (4, 3, 3, 3), "b2": (4,),
        "W3": (32, 6), "b3": (6,), "W4": (6, 5), "b4": (5,),
    }  # fmt: skip
    known = {
        (128, 6): "the pooling halves the height and the width before the FC.",
        (4, 2, 3, 3): "the second convolution sees the 3 channels that the first one makes.",
        (6, 32): "an affine layer's weights are (inputs, outputs).",
    }
    cause = "follow the shape through the list: (2, 4, 8), (3, 4, 8), (4, 4, 8), (4, 2, 4), (6,)."
    shapes_are(params_of(_net(f)), shapes, known, cause)


@_convnet("params with batch normalisation: gammas and betas beside each convolution")
def _(f):
    net = _net(f, _NORMED, batchnorm=True)
    shapes = {
        "W1": (3, 2, 3, 3), "b1": (3,), "gamma1": (3,), "beta1": (3,),
        "W2": (4, 3, 3, 3), "b2": (4,), "gamma2": (4,), "beta2": (4,),
        "W3": (8, 5), "b3": (5,), "W4": (5, 5), "b4": (5,),
    }  # fmt: skip
    shapes_are(params_of(net), shapes, {}, "a number for each filter.")
    zeros_are(net.params, ["b1", "b2", "b3", "b4", "beta1", "beta2"])
    zeros_are(net.params, ["gamma1", "gamma2"], 1)
    if not isinstance(getattr(net, "bn_params", None), list | tuple) or len(net.bn_params) != 2:
        cause = "a dict for each batch normalisation, made once, in __init__."
        raise CheckFailed(f"bn_params is {getattr(net, 'bn_params', None)!r:.60}", "2 dicts", cause)
    _shares_no_settings(f)


@_convnet("first values: He's standard deviation, sqrt(2 / inputs)")
def _(f):
    params = params_of(_net(f, [conv(40, 5), max_pool(2), conv(30, 3), fc(70)]))
    for name, inputs, outputs in (("W1", 50, 1000), ("W2", 360, 270), ("W3", 240, 70)):
        std = float(np.sqrt(2 / inputs))
        known = [
            (np.sqrt(1 / inputs), "the 2 is missing: half of the numbers end in a ReLU."),
            (np.sqrt(2 / outputs), "count the inputs that one output sees, not the outputs."),
            (2 / inputs, "the square root is missing."),
        ]
        cause = "sqrt(2 / inputs), where one output sees C * kernel * kernel numbers, or D."
        weights_are(params[name], std, f"params['{name}']", cause, known)
    std = 0.1 * float(np.sqrt(2 / 70))
    known = [(10 * std, "in the last FC it is a tenth of that.")]
    weights_are(params["W4"], std, "params['W4']", "0.1 * sqrt(2 / inputs).", known)


@_convnet("the same seed gives the same weights; none gives others each time")
def _(f):
    params = [params_of(_net(f, seed=seed)) for seed in (0, 0, None)]
    one, two, other = (each["W2"] for each in params)
    if not np.array_equal(one, two):
        cause = (
            "rng = np.random.default_rng(seed), once, and all weights drawn from it. (0 is a seed, "
            "too: `if seed` takes it for none.)"
        )
        raise CheckFailed("two nets with seed=0 differ", "the same weights", cause)
    if np.array_equal(one, other):
        cause = "np.random.default_rng(None) draws others each time."
        raise CheckFailed("seed=None gives what seed=0 gives", "other weights", cause)
    first, second = (np.ravel(params[0][name])[:12] for name in ("W1", "W2"))
    if np.corrcoef(first, second)[0, 1] > 0.999:
        cause = "the generator is made anew for each layer: make it once, before the loop."
        raise CheckFailed("W1 and W2 hold the same numbers, scaled", "others", cause)


@_convnet("what is not the net's own is left alone: the list of layers, NumPy's generator")
def _(f):
    layers = copy.deepcopy(_NORMED)
    f(layers, (2, 4, 8), 5, batchnorm=True)
    if layers != _NORMED:
        cause = "pop, append or an assignment into a layer's dict: only read them, layer['kind']."
        raise CheckFailed("layers was changed by the call", "layers as it was before", cause)
    if moves_the_common_generator(lambda: _net(f, seed=0)):
        cause = "np.random.seed(seed) sets the generator of everybody, and dropout draws from it "
        cause += "too: the net needs one of its own."
        raise CheckFailed("with a seed, np.random gives other numbers after it", "none", cause)


@_convnet("the names of the steps, in their order")
def _(f):
    _names_are(_net(f), ["conv1", "relu1", "conv2", "relu2", "max_pool2", "fc3", "relu3", "fc4"])
    expected = [
        *("conv1", "batchnorm1", "relu1", "max_pool1"),
        *("conv2", "batchnorm2", "relu2", "avg_pool2"),
        *("fc3", "relu3", "dropout3", "fc4"),
    ]
    net = _net(f, _NORMED, batchnorm=True, dropout_keep_ratio=0.5)
    _names_are(net, expected)
    _, X, _ = _shaken(f)
    outs, caches = _forward(net, X, "test")
    if len(outs) != 12 or len(caches) != 12:
        came = f"{len(outs)} outs and {len(caches)} caches"
        raise CheckFailed(came, "12 of each: one for each step", "append them in the loop.")


def _names_are(net: Any, expected: list[str]) -> None:
    steps = getattr(net, "steps", None)
    if not isinstance(steps, list | tuple):
        raise CheckFailed(f"steps is {steps!r}"[:60], "a list of tuples", "self.steps.append(...).")
    came = [row[0] if isinstance(row, list | tuple) and row else row for row in steps]
    if came != expected:
        at = next(
            (i for i, (a, b) in enumerate(zip(came, expected, strict=False)) if a != b),
            min(len(came), len(expected)),
        )
        raise CheckFailed(
            f"step {at}, counted from 0, is {came[at] if at < len(came) else 'missing'!r}",
            f"{expected[at] if at < len(expected) else 'no more steps'!r}",
            "CONV, then its batch normalisation, then its ReLU; FC, then ReLU, then dropout; and "
            "the last FC with nothing behind it. A pooling has the number of the CONV before it.",
        )


@_convnet("by hand: a filter of 1×1 with weight 2 and bias −1, average pooling, an FC")
def _(f):
    net = f([conv(1, 1), avg_pool(2), fc(2)], (1, 2, 2), 2, dtype=np.float64)
    names_are(params_of(net), list(hand_worked.PARAMS), "params")
    before = net.loss(hand_worked.IMAGE.copy())
    given_by_hand(net)
    for image, right, cause, known in (
        (
            hand_worked.IMAGE,
            [[2.25, -15.5]],
            "2x − 1; ReLU: (1, 3, 5, 0); the mean is 2.25; times (1, −1), plus (0, 1): "
            "(2.25, −1.25); ReLU: (2.25, 0); times W3, plus b3.",
            [
                ([[5, -10]], "that is max pooling."),
                ([[2.25, 0]], "the scores are cut off at 0: the last FC has no ReLU."),
                ([[-1.5, -20.5]], "the ReLU after the FC is missing."),
                ([[2.0, -16]], "the ReLU after the convolution is missing."),
                *if_numbers(before, OLD_WEIGHTS),
            ],
        ),
        (
            0 * hand_worked.IMAGE,
            [[3, -16]],
            "the convolution gives −1 everywhere, the ReLU 0; what is left comes from the biases.",
            [hand_worked.NO_RELU_AFTER_CONV],
        ),
    ):
        inputs = {"X[0, 0]": image[0, 0]}
        array(net.loss(image.copy()), right, "scores", cause, known=known, inputs=inputs)


@_convnet("numeric gradients: two convolutions, max pooling, an FC")
def _(f):
    gradients_are_numeric(*_shaken(f), {})


@_convnet("numeric gradients: batch normalisation, average pooling")
def _(f):
    cause = "loss(X, y) runs forward in 'train' mode; and back through batch normalisation."
    names = [f"{kind}{n}" for kind in ("W", "b", "gamma", "beta") for n in (1, 2)]
    gradients_are_numeric(*_shaken(f, _NORMED, batchnorm=True), dict.fromkeys(names, cause))


@_convnet("what reg = 0.5 adds to the loss and the gradients")
def _(f):
    (plain, grads), (paid, more) = (
        loss_and_grads(*_shaken(f, _NORMED, batchnorm=True, reg=reg)) for reg in (0.0, 0.5)
    )
    params = params_of(_shaken(f, _NORMED, batchnorm=True)[0])
    squares = {name: float(np.sum(w**2)) for name, w in params.items()}
    expected = sum(squares[name] for name in squares if name[0] == "W") / 4
    everything = sum(squares.values()) / 4
    gammas = sum(squares[name] for name in squares if name.startswith("gamma")) / 4
    known = [
        (0.0, "the penalty is missing."),
        (2 * expected, "it is reg / 2 times the sum of squares."),
        (everything, "biases, gammas and betas pay too: only W1, W2, ... do."),
        (expected + gammas, "the gammas pay too: only W1, W2, ... do."),
    ]
    cause = "reg / 2 times the sum of all squared weights W1, W2, ..."
    scalar(float(paid) - float(plain), expected, "what reg = 0.5 adds to the loss", cause, known)
    penalties_are(grads, more, params, 0.5)


@_convnet("batch normalisation: the running averages learn in training, and count in testing")
def _(f):
    net, X, y = _shaken(f, _NORMED, batchnorm=True)
    for _ in range(100):
        net.loss(X.copy(), y)
    alone = np.concatenate([np.asarray(net.loss(X[n : n + 1].copy())) for n in range(len(X))])
    tested, trained = (_forward(net, X.copy(), mode)[0][-1] for mode in ("test", "train"))
    cause = "loss(X) without y is for testing: 'test' mode, with the running averages."
    if np.array_equal(tested, trained):
        cause = (
            "forward gives the same in 'test' as in 'train' mode: its mode has to be in the "
            "bn_param of each batch normalisation, bn_param['mode'] = mode, in every pass."
        )
    array(net.loss(X.copy()), alone, "scores of six images", cause, source="one by one")
    array(
        alone,
        trained,
        "scores in 'test' mode, after 100 times the same batch",
        "by then the running averages are this batch's. Are they kept from call to call, in one "
        "dict for each batch normalisation?",
        tolerance=0.01,
        source="in 'train' mode",
    )


@_convnet("a step of training averages once; and forward without a mode does not train")
def _(f):
    net, X, y = _shaken(f, _NORMED, batchnorm=True)
    before = {"running_mean": np.zeros(3), "running_var": np.ones(3)}
    net.bn_params[0].update({name: value.copy() for name, value in before.items()})
    for given in ((X.copy(), "test"), (X.copy(),)):
        outs, _ = parts(net.forward(*given), ("outs", "caches"))
        if any(not np.array_equal(net.bn_params[0].get(n), v) for n, v in before.items()):
            how = "of forward(X), without a mode," if len(given) == 1 else "in 'test' mode"
            cause = "where no mode is given it is 'test': look at the first line of forward."
            came = f"the running averages moved in a pass {how}"
            raise CheckFailed(came, "as they were", cause)
    new = {
        "running_mean": outs[0].mean(axis=(0, 2, 3)),
        "running_var": outs[0].var(axis=(0, 2, 3)),
    }
    net.loss(X.copy(), y)
    for name, old in before.items():
        array(
            net.bn_params[0].get(name),
            0.9 * old + 0.1 * new[name],
            f"bn_params[0]['{name}'] after one step of training",
            "0.9 times the old average, and 0.1 times that of what conv1 put out.",
            known=[
                (0.81 * old + 0.19 * new[name], "averaged twice: loss runs forward once."),
                (old, "it is still the old one."),
            ],
        )


@_convnet("a copy of the net learns by itself, as when cores share a batch")
def _(f):
    options = {"batchnorm": True}
    (net, X, y), (plain, _, _) = _shaken(f, _NORMED, **options), _shaken(f, _NORMED, **options)
    cause = (
        "a step holds the net, or one of its dicts, in a lambda or an inner function; those are "
        "not copied. Put the dict itself into the step, or find it by its number."
    )
    before = copy.deepcopy(net.bn_params)
    try:
        twin = copy.deepcopy(net)
        for _ in range(3):
            twin.loss(X.copy(), y)
        came = twin.loss(X.copy())
    except Exception as error:
        what = f"copy.deepcopy(net) raised {type(error).__name__}: {error}"
        raise CheckFailed(what, "another net, just like it", cause) from error
    for one, other in zip(before, net.bn_params, strict=True):
        if any(not np.array_equal(one[key], other.get(key)) for key in one if key != "mode"):
            raise CheckFailed(
                "a copy was trained, and the net's bn_params moved", "none of it", cause
            )
    for _ in range(3):
        plain.loss(X.copy(), y)
    right = np.asarray(plain.loss(X.copy()))
    array(came, right, "scores of a copy that was trained", cause, source="a net trained likewise")


@_convnet("dropout: in training only")
def _(f):
    net, X, _ = _shaken(f, dropout_keep_ratio=1e-9)
    plain, _, _ = _shaken(f)
    cause = "in 'test' mode dropout keeps everything: tell it the mode of this forward pass."
    whole = np.asarray(plain.loss(X.copy()))
    array(net.loss(X.copy()), whole, "scores", cause, source="without")
    out = _forward(net, X.copy(), "train")[0][-1]
    right = np.tile(np.asarray(net.params["b4"]), (6, 1))
    known = [
        (
            whole,
            "all is kept. dropout_keep_ratio is how likely a number is kept, and so is the p of "
            "your dropout_forward: 1 − ratio is PyTorch's. And 'train' is its mode here.",
        )
    ]
    cause = "dropout follows the FC's ReLU."
    array(out, right, "scores where nothing is kept", cause, known=known)


@_convnet("dropout: each pass drops others, and so does each layer")
def _(f):
    net = _net(f, [fc(40), fc(40)], dropout_keep_ratio=0.5)
    for name, w in params_of(net).items():
        net.params[name] = np.zeros(w.shape) + (name[0] == "b")  # 1 comes out of every FC
    passes = []
    for _ in range(2):
        outs, _ = _forward(net, np.ones((6, 2, 4, 8)), "train")
        passes.append([np.asarray(outs[place]) != 0 for place in (2, 5)])
    (one, next_layer), (two, _) = passes
    for other, came in (
        (two, "the second pass in 'train' mode dropped what the first one did"),
        (next_layer, "dropout2 dropped what dropout1 did"),
    ):
        if np.array_equal(one, other):
            cause = (
                "dropout was given a seed, and with one it draws the same in each call. The net's "
                "seed is for its weights alone."
            )
            raise CheckFailed(came, "others each time", cause)


@_convnet("back to the image: from the scores, from a step inside, and guided")
def _(f):
    net, X, _ = _shaken(f, reg=0.5)
    outs, caches = _forward(net, X.copy(), "test")
    rng = np.random.default_rng(7)
    for count, place in ((len(outs), "the scores"), (4, "relu2")):
        dout = rng.standard_normal(outs[count - 1].shape)

        def out(moved, count=count):
            return _forward(net, moved.copy(), "test")[0][count - 1]

        some = caches[:count]
        with unchanged(dout=dout):
            dX, _ = parts(net.backward(dout, some), ("dX", "grads"))
        if len(some) != count:
            what = f"backward took {count - len(some)} caches out of the list"
            raise CheckFailed(what, "the list as it was", "walk over it, without pop.")
        cause = "start at step len(caches) - 1, and take the steps and their caches backwards."
        gradient(dX, out, X, dout, f"dX, back from {place}", cause)
    _pays_nothing(f, np.ones((6, 5)))
    net = _net(f, [conv(1, 1), conv(1, 1)], (1, 1, 3))
    net.params |= {f"W{n}": np.full((1, 1, 1, 1), -1.0) for n in (1, 2)}
    _, caches = _forward(net, np.array([[[[-3.0, -1, 2]]]]), "test")
    dX, _ = parts(net.backward(np.array([[[[2.0, -5, -7]]]]), caches[:3], True), ("dX", "grads"))
    array(
        dX,
        [[[[0, -5, 0]]]],
        "dX, guided, back from conv2; both filters are a weight of −1",
        "conv2 turns (2, −5, −7) into (−2, 5, 7). At the ReLU −2 is cut off, as it is negative, "
        "and 7, as the ReLU's input was. conv1 turns the sign again.",
        known=[
            ([[[[2, -5, 0]]]], "guided changes nothing: cut off what is negative in dout too."),
            ([[[[0, -5, -7]]]], "where the ReLU's input was negative nothing passes either."),
            ([[[[0, 0, 0]]]], "only at the ReLUs is anything cut off, not at the convolutions."),
        ],
    )


def _pays_nothing(f, dout: np.ndarray) -> None:
    """backward's grads are the same whatever reg is."""
    came = []
    for reg in (0.0, 0.5):
        net, X, _ = _shaken(f, reg=reg)
        _, caches = _forward(net, X, "test")
        came.append(parts(net.backward(dout.copy(), caches), ("dX", "grads"))[1])
        names_are(came[-1], list(params_of(net)), "backward's grads")
    for name, w in params_of(net).items():
        added = np.asarray(came[1][name], float) - np.asarray(came[0][name], float)
        cause = "backward sends back what it is given, from wherever. The penalty is of the loss."
        array(added, 0 * w, f"what reg = 0.5 adds to backward's grads['{name}']", cause)


@_convnet("ValueError: a layer of another kind, or with groups")
def _(f):
    for layer, what in (
        ({"kind": "recurrent", "outputs": 4}, "kind 'recurrent'"),
        (conv(4, 3, groups=2), "groups=2"),
    ):
        why = "a ConvNet has no such layer."
        cause = "raise ValueError(...) where the kind is none of the four, or groups is not 1."
        value_error(lambda layer=layer: f([layer], (2, 4, 8)), f"ConvNet, {what},", why, cause)


@_convnet("single precision: float32 goes through, whatever X is")
def _(f):
    with dtype_by_name():
        net, X, y = _shaken(f, _NORMED, batchnorm=True, dtype="float32")
        net.loss(X)
    precision_is({f"params['{name}']": w for name, w in params_of(net).items()})
    scores, (_, grads) = net.loss(X), loss_and_grads(net, X, y)
    precision_is({"scores": scores, **{f"grads['{n}']": g for n, g in grads.items()}})


@_convnet("X, y and params are left as they were")
def _(f):
    net, X, y = _shaken(f, reg=0.1)
    with unchanged(X=X, y=y, **{name: w for name, w in params_of(net).items()}):
        net.loss(X, y)
