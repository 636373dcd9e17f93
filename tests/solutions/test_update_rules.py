"""The update rules against torch's optimizers, over several steps."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from solutions.update_rules import adam, rmsprop, sgd, sgd_momentum

RULES = [sgd, sgd_momentum, rmsprop, adam]
rules = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)

# each rule with settings of its own, and torch's optimizer with the same
PAIRS = [
    (sgd, {"learning_rate": 0.3}, lambda p: torch.optim.SGD(p, lr=0.3)),
    (
        sgd_momentum,
        {"learning_rate": 0.3, "momentum": 0.8},
        lambda p: torch.optim.SGD(p, lr=0.3, momentum=0.8),
    ),
    (
        rmsprop,
        {"learning_rate": 0.05, "decay_rate": 0.9, "epsilon": 1e-3},
        lambda p: torch.optim.RMSprop(p, lr=0.05, alpha=0.9, eps=1e-3),
    ),
    (
        adam,
        {"learning_rate": 0.1, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3},
        lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.8, 0.95), eps=1e-3),
    ),
    (sgd, None, lambda p: torch.optim.SGD(p, lr=1e-2)),
    (sgd_momentum, None, lambda p: torch.optim.SGD(p, lr=1e-2, momentum=0.9)),
    (rmsprop, None, lambda p: torch.optim.RMSprop(p, lr=1e-2, alpha=0.99, eps=1e-8)),
    (adam, None, lambda p: torch.optim.Adam(p, lr=1e-3)),
]


@pytest.mark.parametrize("rule, config, optimizer", PAIRS)
def test_steps_are_torchs(rule, config, optimizer):
    rng = np.random.default_rng(0)
    w = rng.standard_normal((4, 3))
    theirs = torch.tensor(w, requires_grad=True)
    steps = optimizer([theirs])
    for _ in range(6):
        dw = rng.standard_normal(w.shape)
        w, config = rule(w, dw, config)
        theirs.grad = torch.tensor(dw)
        steps.step()
        assert_allclose(w, theirs.detach().numpy(), rtol=1e-12, atol=1e-14)


def test_adams_first_step_is_the_learning_rate():
    """thanks to the correction, however small the gradient is"""
    w, config = adam(np.zeros(3), np.array([1e-4, -2.0, 300]), {"learning_rate": 0.1})
    assert_allclose(w, [-0.1, 0.1, -0.1], rtol=1e-3)
    assert config["t"] == 1


@rules
def test_float32_stays_and_inputs_too(rule):
    rng = np.random.default_rng(0)
    config = {"learning_rate": 1e-2}
    w = rng.standard_normal((4, 3)).astype(np.float32)
    for _ in range(3):
        dw = rng.standard_normal(w.shape).astype(np.float32)
        before, settings = w.copy(), dict(config)
        remembered = {k: v.copy() for k, v in config.items() if isinstance(v, np.ndarray)}
        w.flags.writeable = dw.flags.writeable = False
        next_w, next_config = rule(w, dw, config)
        assert not np.shares_memory(next_w, w)
        assert config.keys() == settings.keys()
        for name, array in remembered.items():
            assert_allclose(config[name], array, rtol=0)
        assert_allclose(w, before, rtol=0)
        arrays = [v for v in next_config.values() if isinstance(v, np.ndarray)]
        assert all(a.dtype == np.float32 for a in (next_w, *arrays))
        w, config = next_w, next_config


@rules
def test_finds_the_bottom_of_a_ravine(rule):
    """steep across, flat along: f(w) = 10 w0^2 + w1^2 / 2"""
    w, config = np.array([1.0, 2.0]), {"learning_rate": 0.03}
    for _ in range(400):
        w, config = rule(w, np.array([20, 1]) * w, config)
    assert np.abs(w).max() < 0.04
