"""A kernel inside this process: the real bridge answers, and its replies are then changed.

What the grader sends is read, run and answered by the bridge's own code (``GraderKernel._answer``),
only without a process and sockets in between. So thousands of changed replies take minutes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from autograder import tensors, wire
from autograder.limits import Limits

# in a kernel the bridge finds them beside itself
sys.modules.setdefault("wire", wire)
sys.modules.setdefault("tensors", tensors)
from autograder import bridge  # noqa: E402

Frames = list[bytes]


@dataclass
class Exchange:
    """One request, the answer that the bridge gave, and what was sent in its place."""

    op: str
    target: Any
    answer: Frames
    sent: Frames


@dataclass
class StandIn:
    """Looks like a Kernel to a Session. ``change(number, exchange)`` may set ``exchange.sent``."""

    functions: dict[str, Callable]
    change: Callable[[int, Exchange], None] = lambda number, exchange: None
    limits: Limits = field(default_factory=Limits)
    alive: bool = True
    exchanges: list[Exchange] = field(default_factory=list)
    waited: float = 0.0
    ignores_calls: bool = False  # answers each call with 0, whatever its arguments would do

    def __post_init__(self) -> None:
        self.bridge = SimpleNamespace(shell=SimpleNamespace(user_ns=dict(self.functions)))

    def has_company(self) -> bool:
        return False  # no cell has run here

    def held(self, handle_id: Any) -> Any:
        """The object behind a handle, as this kernel has it."""
        return self.bridge._kept[handle_id]

    def request(self, frames: Frames, seconds: float, what: str) -> Frames:
        asked = dict(json.loads(frames[0])["v"])
        exchange = Exchange(asked["op"], asked.get("target"), self._answer(asked, frames), [])
        exchange.sent = list(exchange.answer)
        self.change(len(self.exchanges), exchange)
        self.exchanges.append(exchange)
        return exchange.sent

    def _answer(self, asked: dict, frames: Frames) -> Frames:
        if self.ignores_calls and asked["op"] == "call":
            return wire.dumps({"value": 0})
        try:
            return bridge.GraderKernel._answer(self.bridge, frames)
        except Exception as error:
            return wire.dumps(bridge._describe(error))
