"""Runs in the kernel: the layers that the grader supplies, computed elsewhere.

``install`` hands ``cnnlab.carry`` functions that send their arguments through the door of this
submission to a layer server, and bring its results back. As with the bridge, nothing here is secret
or trusted: who breaks it gets wrong layers, or none.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from multiprocessing.connection import Client, Connection
from typing import Any

import numpy as np
import wire  # beside this file

TRIES = 2  # a connection that was broken by others costs nothing: a layer has no state


class LayerLost(RuntimeError):
    """The process that computed the layer ended."""


class GivenCache:
    """What a forward pass keeps for its backward pass. There is nothing in it for you to read."""

    __slots__ = ("_given", "_name")

    def __init__(self, name: str, given: list):
        self._name, self._given = name, given

    def __repr__(self) -> str:
        return f"<the cache of {self._name}, for its backward pass>"


class Door:
    """The way to the layer server, by the socket at ``path``."""

    def __init__(self, path: str, most: int):
        self.path, self.most = path, most
        self.lock = threading.Lock()
        self.connection: Connection | None = None

    def ask(self, name: str, args: list) -> Any:
        frames = _request(name, args)
        size = sum(map(len, frames))
        if size > self.most:
            raise ValueError(
                f"{name} got {size / 1e6:.0f} MB of arrays; while grading it takes "
                f"{self.most / 1e6:.0f} MB at a time"
            )
        with self.lock:
            reply = wire.loads(self._exchange(name, frames))
        if "problem" in reply:
            raise _known(reply["problem"])(reply["words"])
        return reply["value"]

    def _exchange(self, name: str, frames: list[bytes]) -> list[bytes]:
        for _ in range(TRIES):
            try:
                if self.connection is None:
                    self.connection = Client(self.path, "AF_UNIX")
                wire.send(self.connection, frames)
                return wire.receive(self.connection, self.most)
            except (EOFError, OSError):
                self._hang_up()
            except BaseException:  # interrupted half way: what comes next would be the old answer
                self._hang_up()
                raise
        raise LayerLost(
            f"the process that computes {name} for the grader ended, twice. Were the arrays huge?"
        )

    def _hang_up(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def _known(problem: str) -> type[Exception]:
    known = (ValueError, TypeError, KeyError, IndexError, MemoryError)
    return next((kind for kind in known if kind.__name__ == problem), RuntimeError)


def _request(name: str, args: list) -> list[bytes]:
    try:
        return wire.dumps({"name": name, "args": [_plain(arg) for arg in args]})
    except wire.WireError as error:
        raise TypeError(f"{name} takes arrays of numbers, and {error}") from None


def _plain(arg: Any) -> Any:
    if isinstance(arg, GivenCache):
        return {"cache of": arg._name, "given": [_plain(given) for given in arg._given]}
    if isinstance(arg, (list, tuple)):
        return np.asarray(arg)
    return arg


def _supplied(name: str, model: Callable, door: Door, settled: Callable) -> Callable:
    """The function ``name``, with the model's signature and documentation."""
    signature = inspect.signature(model)

    def layer(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = dict(bound.arguments)
        if "dropout_param" in given:  # the backward pass has to drop what the forward pass did
            given["dropout_param"] = settled(given["dropout_param"])
        if "cache" in given and not isinstance(given["cache"], GivenCache):
            raise TypeError(
                f"{name} reads the cache of the forward pass that was carried with it, and got a "
                f"{type(given['cache']).__name__}. Carry both in one line: then they fit."
            )
        value = door.ask(name, list(given.values()))
        if "_forward" in name:
            return value, GivenCache(name, list(given.values()))
        return value

    layer.__name__ = layer.__qualname__ = name
    layer.__doc__, layer.__signature__ = model.__doc__, signature
    return layer


def install(about: dict) -> None:
    """Let ``cnnlab.carry`` hand these layers out."""
    from cnnlab.carry import supplied
    from cnnlab.carry.layers import LAYERS, settled

    door = Door(about["socket"], about["message"])
    for name in about["names"]:
        supplied[name] = _supplied(name, LAYERS[name], door, settled)
