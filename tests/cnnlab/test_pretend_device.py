"""The pretend device's clock, worked out by hand."""

import pytest

from cnnlab.device import PretendDevice


def steady(**settings):
    return PretendDevice(
        seconds=1.0, **{"warmup": (), "hiccup_every": 0, "asking": 0.1, **settings}
    )


def test_asking_is_quick_and_waiting_takes_as_long_as_the_work():
    device = steady()
    device.work()
    assert device.clock() == pytest.approx(0.1)
    device.synchronize()
    assert device.clock() == pytest.approx(1.0)
    device.synchronize()  # nothing is queued
    assert device.clock() == pytest.approx(1.0)
    assert (device.calls, device.waits) == (1, 2)


def test_work_queues_up():
    device = steady()
    for _ in range(5):
        device.work()
    assert device.clock() == pytest.approx(0.5)
    device.synchronize()
    assert device.clock() == pytest.approx(5.0)


def test_the_first_pieces_and_some_later_ones_take_longer():
    device, took = steady(warmup=(6, 3), hiccup=5, hiccup_every=3), []
    for _ in range(8):
        start = device.clock()
        device.work()
        device.synchronize()
        took.append(device.clock() - start)
    assert took == pytest.approx([6, 3, 1, 1, 5, 1, 1, 5])


def test_every_run_is_the_same():
    def run():
        device = PretendDevice()
        for _ in range(30):
            device.work()
        device.synchronize()
        return device.clock()

    assert run() == run()
