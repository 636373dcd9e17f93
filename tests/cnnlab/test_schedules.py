"""Learning rates' courses, against torch's schedulers."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from cnnlab.schedules import Constant, Cosine, Linear, Step

PROGRESS = np.arange(100) / 100


def by_torch(make):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1)
    scheduler, rates = make(optimizer), []
    for _ in PROGRESS:
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return rates


rates = torch.optim.lr_scheduler


@pytest.mark.parametrize(
    "schedule, make",
    [
        (Cosine(), lambda o: rates.CosineAnnealingLR(o, 100)),
        (Cosine(final=0.1), lambda o: rates.CosineAnnealingLR(o, 100, eta_min=0.1)),
        (Linear(final=0.2), lambda o: rates.LinearLR(o, 1, 0.2, 100)),
        (Step((0.3, 0.6), 0.5), lambda o: rates.MultiStepLR(o, [30, 60], 0.5)),
        (Constant(), lambda o: rates.ConstantLR(o, 1)),
    ],
    ids=["cosine", "cosine to a tenth", "linear", "step", "constant"],
)
def test_is_torchs(schedule, make):
    assert_allclose([schedule(p) for p in PROGRESS], by_torch(make), atol=1e-12)


@pytest.mark.parametrize("kind", [Constant, Cosine, Linear, Step])
def test_warms_up_along_a_line_to_1(kind):
    schedule = kind(warmup=0.2)
    assert [schedule(p) for p in (0, 0.05, 0.1)] == pytest.approx([0, 0.25, 0.5])
    assert schedule(0.2) == pytest.approx(1)
    assert all(0 <= schedule(p) <= 1 for p in PROGRESS)
    assert type(schedule(0.3)) is float


def test_ends():
    assert Cosine(warmup=0.1)(1) == pytest.approx(0)
    assert Linear(warmup=0.1, final=0.3)(1) == pytest.approx(0.3)
    assert Cosine(warmup=1)(0.5) == pytest.approx(0.5)
