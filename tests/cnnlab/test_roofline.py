"""The device's roof, and where layers lie below it."""

import pytest
import torch
from torch import nn

from cnnlab import roofline

CPU = torch.device("cpu")


def clock_of(seconds):
    """A clock that says always the same, and keeps what the work returned."""
    seen = []

    def timed(work):
        seen.append(work())
        return seconds

    return timed, seen


def test_the_lectures_layer_has_its_multiply_adds():
    conv = nn.Conv2d(3, 10, 5, padding=2)
    multiply_adds, per_byte = roofline.density(conv, batch_size=1, side=32)
    assert multiply_adds == 768_000
    assert per_byte == pytest.approx(768_000 / (4 * (3_072 + 750 + 10_240)))


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.Conv2d(4, 6, 3, stride=2, padding=1),
        nn.Conv2d(4, 6, 3, dilation=2),
        nn.Conv2d(4, 6, (1, 3), padding=(0, 1), groups=2),
    ],
)
def test_the_multiply_adds_are_those_of_the_shape_that_comes_out(conv):
    out = conv(torch.zeros(2, conv.in_channels, 9, 9))
    wanted = out.numel() * conv.weight[0].numel()
    assert roofline.density(conv, 2, 9)[0] == wanted
    numbers = 2 * conv.in_channels * 81 + conv.weight.numel() + out.numel()
    assert roofline.density(conv, 2, 9)[1] == pytest.approx(wanted / (4 * numbers))


def test_a_larger_batch_shares_the_weights():
    conv = nn.Conv2d(64, 64, 3, padding=1)
    assert roofline.density(conv, 128, 8)[1] > 2 * roofline.density(conv, 1, 8)[1]


def test_speeds_are_work_through_seconds():
    timed, seen = clock_of(0.5)
    assert roofline.product_speed(CPU, timed, sizes=(8, 16)) == 16**3 / 0.5
    assert seen[-1].shape == (16, 16) and (seen[-1] == 16).all()
    timed, seen = clock_of(0.25)
    assert roofline.copy_speed(CPU, timed, numbers=1000) == 2 * 4000 / 0.25
    assert (seen[0] == 1).all()


def test_a_layer_is_timed_with_all_its_digits_as_the_roof_is(monkeypatch):
    """by default, a GPU of NVIDIA's may round a convolution's numbers, but no matrix product's"""
    seen = []

    def timed(work):
        seen.append(torch.backends.cudnn.allow_tf32)
        return 1.0

    for before in (True, False):
        monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", before)
        roofline.place(nn.Conv2d(1, 1, 1), 1, 1, CPU, timed)
        assert torch.backends.cudnn.allow_tf32 is before
    roofline.product_speed(CPU, lambda work: 1.0, sizes=(2,))
    assert seen == [False, False] and not torch.backends.cuda.matmul.allow_tf32


def test_a_layers_place_is_its_density_and_its_speed():
    conv = nn.Conv2d(3, 10, 5, padding=2)
    timed, seen = clock_of(0.001)
    per_byte, speed = roofline.place(conv, 2, 32, CPU, timed)
    assert seen[0].shape == (2, 10, 32, 32) and not seen[0].requires_grad
    assert per_byte == roofline.density(conv, 2, 32)[1]
    assert speed == pytest.approx(2 * 768_000 / 0.001)
