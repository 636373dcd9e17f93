"""The steps for the update rules. The answers are literals, worked out by hand."""

from __future__ import annotations

import numpy as np

from cnnlab.checks.expect import array, integers, parts, same_dtype, unchanged
from cnnlab.checks.steps import CheckFailed, step

_BOTH = ("next_w", "config")
_SHAPE = "next_w has the shape of w."


def _step(f, w, dw, *config) -> tuple:
    """f's (next_w, config), on fresh copies; config has to be a dict."""
    w, dw = np.array(w, dtype=float), np.array(dw, dtype=float)
    next_w, came = parts(f(w, dw, *config), _BOTH)
    if not isinstance(came, dict):
        cause = "return next_w, config: the dict, with all that the next step needs."
        raise CheckFailed(f"config is {type(came).__name__}", "a dict", cause)
    return next_w, came


def _kept(config: dict, name: str):
    if name not in config:
        cause = f"put it back: config['{name}'] = ... ; the next step needs it."
        raise CheckFailed(f"config has no '{name}' after a step", f"config['{name}']", cause)
    return config[name]


# --- sgd ------------------------------------------------------------------------------------------

_W, _DW = np.array([1.0, 2, -3]), np.array([10.0, -20, 0])


@step("sgd", "three weights, learning rate 0.5, by hand")
def _(f):
    next_w, _ = _step(f, _W, _DW, {"learning_rate": 0.5})
    array(
        next_w,
        [-4, 12, -3],
        "next_w",
        "1 − 0.5·10, 2 + 0.5·20, and −3 − 0.",
        known=[
            ([6, -8, -3], "the step goes up the gradient: subtract."),
            (_W - _DW, "the learning rate is missing."),
            (_W - 0.01 * _DW, "config['learning_rate'] is not used."),
        ],
        shape_cause=_SHAPE,
        inputs={"w": _W, "dw": _DW},
    )


@step("sgd", "no config: the learning rate is 1e-2")
def _(f):
    right = [0.9, 2.2, -3]
    known = [([0.99, 2.02, -3], "here it is 1e-2; 1e-3 is Adam's.")]
    array(_step(f, _W, _DW)[0], right, "next_w", "1 − 0.01·10.", known=known)
    array(_step(f, _W, _DW, None)[0], right, "next_w", "and with None as well.", known=known)
    array(_step(f, _W, _DW, {})[0], right, "next_w", "and with an empty dict.", known=known)


@step("sgd", "the config that comes back is good for the next step")
def _(f):
    next_w, config = _step(f, _W, _DW, {"learning_rate": 0.5})
    again, _ = _step(f, next_w, _DW, config)
    cause = "config came back without its learning rate: return the dict that came in."
    array(again, [-9, 22, -3], "next_w of a second step", cause)


@step("sgd", "each array of weights by itself")
def _(f):
    _step(f, _W, _DW, {"learning_rate": 0.5})
    cause = "the settings of another call are still there: config={} as a default, or a global?"
    array(_step(f, [[1], [2]], [[10], [20]])[0], [[0.9], [1.8]], "next_w", cause)


# --- sgd_momentum ---------------------------------------------------------------------------------

_BALL = {"learning_rate": 0.1, "momentum": 0.5}
_START, _SLOPE, _SPEED = [1, 2, 3], [10, 20, 0], [2, 0, -4]


@step("sgd_momentum", "three weights that move already, by hand")
def _(f):
    next_w, _ = _step(f, _START, _SLOPE, {**_BALL, "velocity": np.array(_SPEED, dtype=float)})
    array(
        next_w,
        [1, 0, 1],
        "next_w",
        "the velocity is (0.5·2 − 0.1·10, −0.1·20, −0.5·4) = (0, −2, −2); add it to w.",
        known=[
            ([3, 4, 1], "the gradient is added to the velocity: it is taken off."),
            ([1, 4, 5], "the velocity is subtracted: the minus sign is in it already."),
            ([0, 0, 3], "the velocity that came in is not used."),
            ([-0.1, 0, 3.2], "the learning rate multiplies the velocity. It belongs to dw alone."),
            ([0, -1, 2], "that is Nesterov's momentum. Here next_w is w + velocity."),
            ([1.5, 1, 1], "1 − momentum multiplies the gradient. Nothing but the rate does."),
            ([3, 2, -1], "moved with the old velocity: update it first."),
            ([1.8, 0, -0.6], "config['momentum'] is not used."),
        ],
        shape_cause=_SHAPE,
        inputs={"w": _START, "dw": _SLOPE, "velocity": _SPEED},
    )


@step("sgd_momentum", "config keeps the new velocity")
def _(f):
    _, config = _step(f, _START, _SLOPE, {**_BALL, "velocity": np.array(_SPEED, dtype=float)})
    stale = "it is still the old one: config['velocity'] = ... the new one."
    cause = "the velocity itself, with the learning rate in it."
    known = [(_SPEED, stale)]
    array(_kept(config, "velocity"), [0, -2, -2], "config['velocity']", cause, known=known)


@step("sgd_momentum", "no config: 1e-2, 0.9, and a velocity of 0; then a second step")
def _(f):
    next_w, config = _step(f, _START, _SLOPE)
    array(next_w, [0.9, 1.8, 3], "next_w", "the first step is that of sgd: 1 − 0.01·10.")
    again, _ = _step(f, next_w, _SLOPE, config)
    array(
        again,
        [0.71, 1.42, 3],
        "next_w of a second step",
        "the velocity is 0.9·(−0.1) − 0.01·10 = −0.19.",
        known=[([0.8, 1.6, 3], "the velocity was not kept: config['velocity'] = ...")],
    )


@step("sgd_momentum", "each array of weights by itself")
def _(f):
    _step(f, _START, _SLOPE, {**_BALL, "velocity": np.array(_SPEED, dtype=float)})
    cause = "the velocity of another call is still there: config={} as a default, or a global?"
    array(_step(f, [[1], [2]], [[10], [20]])[0], [[0.9], [1.8]], "next_w", cause)


# --- rmsprop --------------------------------------------------------------------------------------

_RMS = {"learning_rate": 1.0, "decay_rate": 0.75, "epsilon": 1.0}
_TWO, _STEEP, _CACHE = np.array([2.0, 1]), np.array([6.0, -4]), np.array([0.0, 16])


@step("rmsprop", "two weights, by hand")
def _(f):
    next_w, _ = _step(f, _TWO, _STEEP, {**_RMS, "cache": _CACHE.copy()})
    array(
        next_w,
        [0.5, 1.8],
        "next_w",
        "the cache is (0.25·36, 0.75·16 + 0.25·16) = (9, 16); the steps are 6/(3 + 1), −4/(4 + 1).",
        known=[
            (
                _TWO - _STEEP / (np.sqrt([27, 16]) + 1),
                "decay_rate and 1 − decay_rate are exchanged.",
            ),
            (_TWO - _STEEP / np.sqrt([10, 17]), "epsilon is inside the root: add it after."),
            (_TWO - _STEEP / np.array([10, 17]), "the root is missing: sqrt(cache)."),
            (_TWO - _STEEP / np.array([1, 5]), "divided by the old cache's root: update it first."),
            (_TWO - _STEEP / (np.sqrt([36, 32]) + 1), "squares added up: that is Adagrad."),
            (_TWO - _STEEP / (np.sqrt([1.5, 11]) + 1), "the cache averages squares: dw ** 2."),
            (_TWO - _STEEP / np.array([3, 4]), "epsilon is missing."),
        ],
        shape_cause=_SHAPE,
        inputs={"w": _TWO, "dw": _STEEP, "cache": _CACHE},
    )


@step("rmsprop", "config keeps the new cache")
def _(f):
    _, config = _step(f, _TWO, _STEEP, {**_RMS, "cache": _CACHE.copy()})
    known = [(_CACHE, "it is still the old one: config['cache'] = ... the new one.")]
    cause = "the mean of the squares itself: no root, no epsilon."
    array(_kept(config, "cache"), [9, 16], "config['cache']", cause, known=known)


@step("rmsprop", "no config: 1e-2, 0.99, 1e-8, and a cache of 0; then a second step")
def _(f):
    next_w, config = _step(f, [1, 1], [5, -1e-7])
    known = [([1 - 0.01 / np.sqrt(0.1), 1.024025], "decay_rate is 0.99 if it is missing.")]
    cause = "the cache is 0.01·dw²: the steps are 0.01·5/(0.5 + 1e-8), −0.01·1e-7/(1e-8 + 1e-8)."
    array(next_w, [0.9, 1.05], "next_w", cause, known=known)
    again, _ = _step(f, next_w, [5, 0], config)
    known = [([0.8, 1.05], "the cache was not kept: config['cache'] = ...")]
    cause = "the cache is 0.99·0.25 + 0.01·25."
    right = [0.9 - 0.05 / np.sqrt(0.4975), 1.05]
    array(again, right, "next_w of a second step", cause, known=known)


@step("rmsprop", "each array of weights by itself")
def _(f):
    _step(f, _TWO, _STEEP, {**_RMS, "cache": _CACHE.copy()})
    cause = "the cache of another call is still there: config={} as a default, or a global?"
    array(_step(f, [[1], [1], [2]], [[5], [-5], [0]])[0], [[0.9], [1.1], [2]], "next_w", cause)


# --- adam -----------------------------------------------------------------------------------------

_ADAM = {"learning_rate": 1.0, "beta1": 0.5, "beta2": 0.75, "epsilon": 1.0}
_ONES, _PULL = np.ones(2), np.array([4.0, -8])
_MIDDLE = {"m": np.array([2.0, -4]), "v": np.array([4.0, 16]), "t": 1}


def _middle() -> dict:
    return {**_ADAM, **{name: np.copy(value) for name, value in _MIDDLE.items()}, "t": 1}


@step("adam", "the first step of two weights, by hand")
def _(f):
    next_w, _ = _step(f, _ONES, _PULL, dict(_ADAM))
    cause = "m is (2, −4), v is (4, 16), and t is 1: m_hat is (4, −8), v_hat (16, 64)."
    if isinstance(next_w, np.ndarray) and not np.isfinite(next_w.astype(float)).all():
        raise CheckFailed(
            "next_w is not finite",
            "next_w = [0.2, 1.889]",
            "t was 0 when it was used, and 1 − beta ** 0 is 0: raise t first.",
        )
    array(
        next_w,
        [0.2, 1 + 8 / 9],
        "next_w",
        f"{cause} The steps are 4/(4 + 1), −8/(8 + 1).",
        known=[
            ([1 - 2 / 3, 1.8], "the correction is missing: m / (1 − beta1 ** t), and v likewise."),
            ([1 - 4 / 3, 2.6], "v is not corrected: v / (1 − beta2 ** t)."),
            ([1 - 2 / 5, 1 + 4 / 9], "m is not corrected: m / (1 − beta1 ** t)."),
            (_ONES - _PULL / np.sqrt([17, 65]), "epsilon is inside the root: add it after."),
            (_ONES - _PULL / np.array([17, 65]), "the root is missing: sqrt(v_hat)."),
            (
                _ONES - _PULL / (np.sqrt([8, 32]) + 1),
                "v is corrected with beta1: v / (1 − beta2 ** t).",
            ),
            (
                _ONES - _PULL / (np.sqrt([32, 128]) + 1),
                "beta1 in the mean of the squares: v has beta2 in both places.",
            ),
            (
                _ONES - _PULL / 1.5 / (np.sqrt(np.array([64, 256]) / 7) + 1),
                "t was 2 in the first step: it begins with 0, and is raised to 1.",
            ),
            ([1.8, 1 - 8 / 9], "the step goes up the gradient: subtract."),
            ([0, 2], "epsilon is missing."),
        ],
        shape_cause=_SHAPE,
        inputs={"w": _ONES, "dw": _PULL},
    )


@step("adam", "the second step, with what the first has left")
def _(f):
    next_w, _ = _step(f, _ONES, [0, 8], _middle())
    m_hat, v_hat = np.array([4, 8]) / 3, np.array([48, 448]) / 7
    if isinstance(next_w, np.ndarray) and not np.isfinite(next_w.astype(float)).all():
        raise CheckFailed(
            "next_w is not finite",
            "next_w = [0.6315, 0.7037]",
            "beta ** t is a power. With 1 − beta * t the root is of a negative number, or the "
            "division by 0.",
        )
    first = _ONES - np.array([2, 4]) / (np.sqrt([12, 112]) + 1)
    array(
        next_w,
        _ONES - m_hat / (np.sqrt(v_hat) + 1),
        "next_w",
        "m is (1, 2), v is (3, 28), and t is 2: divide by 1 − 0.5² and 1 − 0.75². (And beta1 "
        "belongs to m, beta2 to v.)",
        known=[(first, "corrected with t = 1: config['t'] is not used, or raised too late.")],
        inputs={"w": _ONES, "dw": [0, 8], "m": _MIDDLE["m"], "v": _MIDDLE["v"]},
    )


@step("adam", "config keeps t, m and v, not corrected")
def _(f):
    _, config = _step(f, _ONES, _PULL, dict(_ADAM))
    stale, counts = "it was not raised, or not put back: config['t'] = ...", "t counts the steps."
    integers(_kept(config, "t"), 1, "config['t']", counts, [(0, stale)])
    corrected = "that is the corrected one. Keep it in a variable of its own."
    for name, right, wrong in (("m", [2, -4], [4, -8]), ("v", [4, 16], [16, 64])):
        known = [(wrong, corrected), ([0, 0], "it is still the old one.")]
        array(_kept(config, name), right, f"config['{name}']", "as in the formula.", known=known)
    _, config = _step(f, _ONES, [0, 8], _middle())
    integers(_kept(config, "t"), 2, "config['t'] after the second step", counts, [(1, stale)])
    array(_kept(config, "m"), [1, 2], "config['m']", "0.5·(2, −4) + 0.5·(0, 8).")
    array(_kept(config, "v"), [3, 28], "config['v']", "0.75·(4, 16) + 0.25·(0, 64).")


@step("adam", "no config: 1e-3, 0.9, 0.999, 1e-8; then a second step")
def _(f):
    next_w, config = _step(f, [1, 1], [5, -1e-8])
    array(
        next_w,
        [0.999, 1.0005],
        "next_w",
        "the first step is about 1e-3, however large the gradient is: 1e-3·5/(5 + 1e-8). It is "
        "half of that where the gradient is as small as epsilon.",
        known=[([0.99, 1.005], "the learning rate is 1e-2: Adam's is 1e-3.")],
        tolerance=1e-8,
    )
    again, _ = _step(f, next_w, [-10, 0], config)

    def second(beta1, beta2):
        # m is (1 − beta1)(5·beta1 − 10), corrected by 1 − beta1²; v likewise
        m_hat = (5 * beta1 - 10) / (1 + beta1)
        return [0.999 - 1e-3 * m_hat / np.sqrt((25 * beta2 + 100) / (1 + beta2))]

    array(
        np.asarray(again)[:1],
        second(0.9, 0.999),
        "next_w of a second step",
        "m is 0.9·0.5 − 0.1·10 = −0.55, corrected by 1 − 0.9²; v is 0.999·0.025 + 0.001·100, "
        "corrected by 1 − 0.999².",
        known=[
            (second(0.9, 0.99), "beta2 is 0.99 if it is missing: Adam's is 0.999."),
            *(
                (second(beta1, 0.999), f"beta1 is {beta1} if it is missing: Adam's is 0.9.")
                for beta1 in (0.5, 0.8, 0.95, 0.99, 0.999)
            ),
        ],
        tolerance=1e-8,
    )


@step("adam", "each array of weights by itself")
def _(f):
    _step(f, _ONES, _PULL, _middle())
    cause = "what another call has left is still there: config={} as a default, or a global?"
    right = [[0.999], [1.001], [2]]
    array(_step(f, [[1], [1], [2]], [[5], [-5], [0]])[0], right, "next_w", cause, tolerance=1e-8)


# --- of all ---------------------------------------------------------------------------------------

_KEEPS = {"sgd": (), "sgd_momentum": ("velocity",), "rmsprop": ("cache",), "adam": ("m", "v")}


def _of_all(question: str, keeps: tuple[str, ...]) -> None:
    """The last steps of each rule."""

    @step(question, "float32 in, float32 out")
    def _(f):
        def walk(dtype):
            w, config = np.ones(3, dtype), None
            for _ in range(2):
                w, config = parts(f(w, np.ones(3, dtype), config), _BOTH)
            return w, config

        cause = "np.zeros makes float64 unless told: np.zeros_like(w)."
        same_dtype(lambda dtype: walk(dtype)[0], "next_w", "w", cause)
        for name in keeps:
            like = f"config['{name}']"
            same_dtype(lambda dtype, name=name: walk(dtype)[1][name], like, "w", cause)

    @step(question, "w and dw are left as they were, and what config held")
    def _(f):
        w, dw = np.ones(3), np.arange(1.0, 4)
        held = {name: np.ones(3) for name in keeps}
        config = {"learning_rate": 0.1, **held} | ({"t": 1} if question == "adam" else {})
        with unchanged(w=w, dw=dw, **held):
            f(w, dw, config)


for _question, _names in _KEEPS.items():
    _of_all(_question, _names)
