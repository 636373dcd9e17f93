"""A device that exists in Python only, to learn honest timing with: it has a clock of its own."""

from __future__ import annotations

from collections.abc import Sequence


class PretendDevice:
    """Works beside the processor, as a GPU does, and always takes the same time.

    Work is put into a queue and done in order, one piece after the other. Time passes on the
    device's own clock only, when something is asked of it: nothing here really waits, and every run
    gives the same numbers.

    Attributes:
        calls: how often work was called.
        waits: how often synchronize was called.
    """

    def __init__(
        self,
        seconds: float = 0.005,
        warmup: Sequence[float] = (6.0, 3.0, 2.0),
        hiccup: float = 5.0,
        hiccup_every: int = 8,
        asking: float = 0.1,
    ) -> None:
        """
        Args:
            seconds: what one piece of work takes, usually.
            warmup: how many times as long the first pieces take.
            hiccup, hiccup_every: after the warm-up, every so many-th piece takes so many times as
                long, because another program uses the device; 0 for never.
            asking: what a call of work takes until it returns, as a part of `seconds`.
        """
        self.seconds, self.warmup = seconds, tuple(warmup)
        self.hiccup, self.hiccup_every, self.asking = hiccup, hiccup_every, asking
        self.calls = self.waits = 0
        self._now = self._busy_until = 0.0

    def work(self) -> None:
        """Queue a piece of work. Returns before it is done."""
        takes = self.seconds * self._times_as_long(self.calls)
        self.calls += 1
        self._busy_until = max(self._now, self._busy_until) + takes
        self._now += self.seconds * self.asking

    def synchronize(self) -> None:
        """Wait until all queued work is done."""
        self.waits += 1
        self._now = max(self._now, self._busy_until)

    def clock(self) -> float:
        """The time in seconds since the device was made."""
        return self._now

    def _times_as_long(self, call: int) -> float:
        if call < len(self.warmup):
            return self.warmup[call]
        later = call - len(self.warmup) + 1
        return self.hiccup if self.hiccup_every and later % self.hiccup_every == 0 else 1.0
