"""Honest timing, with clocks that are told what to show."""

import time

import pytest

from solutions.honest_timing import honest_time


class Device:
    """Queues work; a call of work takes 1 ms, and waiting as long as the work does."""

    def __init__(self, *seconds):
        self.seconds, self.now, self.queued, self.calls = list(seconds), 0.0, 0.0, ""

    def work(self):
        self.calls += "w"
        self.now += 0.001
        self.queued += self.seconds.pop(0)

    def synchronize(self):
        self.calls += "s"
        self.now, self.queued = self.now + self.queued, 0.0

    def clock(self):
        self.calls += "c"
        return self.now


def test_the_median_without_the_warm_up():
    device = Device(9, 8, 7, 1, 100, 2, 3, 4)
    seconds = honest_time(device.work, device.synchronize, 5, 3, device.clock)
    assert type(seconds) is float and seconds == pytest.approx(3.001)
    assert device.seconds == []


def test_of_an_even_number_the_mean_of_the_middle_two():
    device = Device(1, 2, 4, 100)
    assert honest_time(device.work, device.synchronize, 4, 0, device.clock) == pytest.approx(3.001)


def test_each_call_is_timed_by_itself_between_waits():
    device = Device(1, 1, 1)
    honest_time(device.work, device.synchronize, repeats=2, warmup=1, clock=device.clock)
    assert device.calls.replace("ss", "s") == "wscwscscwsc"


def test_a_real_clock():
    """no upper bound: another program may have the processor"""
    assert honest_time(lambda: time.sleep(0.01), lambda: None, repeats=3) >= 0.01
    calls = []
    honest_time(lambda: calls.append(1), lambda: None)
    assert len(calls) == 13
