"""How often is a student's trained net right? Measured on pictures whose classes stay outside.

The student's ``design_net`` or ``design_resnet`` runs in the kernel, and so does all that reads
the file of weights: a bomb or a forgery in it meets the sandbox. Only pictures go in, only scores
come out; the classes are compared here.

The painter of the pictures is public, and the seed of a submission follows from its bytes: who
knew both could paint along, and so know the classes. So a key that never leaves the grader's own
folder is mixed in. The same work on the same grader meets the same pictures.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import importlib.util
import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autograder.compare import describe, tensor
from autograder.errors import (
    GraderError,
    KernelDied,
    StudentError,
    StudentRaised,
    TimedOut,
    WrongAnswer,
)
from autograder.hidden import nets
from autograder.questions import PROJECT
from autograder.wire import Tensor
from cnnlab import design

PICTURES, BATCH = 400, 50
CLASSES = 10


@dataclass(frozen=True)
class Design:
    """A design question."""

    question: str
    file: str  # of weights
    lines: tuple[float, ...]  # the accuracies that count
    made: Callable[[Any, Any], Any]  # (student, what came of the call) -> the net, or WrongAnswer
    asked: str  # how students call it, for messages
    scores: Callable[[Any, np.ndarray], Any]  # (net, pictures) -> their scores


def _made_in_numpy(student: Any, came: Any) -> Any:
    return nets.made(came, "design_net")


def _made_in_torch(student: Any, came: Any) -> Any:
    """A module in eval mode: its batch normalisations have running averages, dropout is off."""
    student.state(nets.made(came, "design_resnet"))  # or a WrongAnswer: it is no module
    nets.call(came, "eval")
    return came


def _loss(net: Any, X: np.ndarray) -> Any:
    return nets.call(net, "loss", X)


def _forward(net: Any, X: np.ndarray) -> np.ndarray:
    return tensor(net(Tensor(X)), "the result of your module")


NET = Design("design_net", design.FILE, design.LINES, _made_in_numpy, "net.loss(X)", _loss)
RESNET = Design(
    "design_resnet", design.RESNET_FILE, design.RESNET_LINES, _made_in_torch, "model(X)", _forward
)


def assert_reaches(student: Any, rng: np.random.Generator, least: float, which: Design) -> None:
    reached = measure(student, rng, which)
    if reached < least:
        raise WrongAnswer(f"The accuracy on {PICTURES} new pictures is {reached:.3f}.")


def measure(student: Any, rng: np.random.Generator, which: Design = NET) -> float:
    """The share of new pictures that the student's net classifies rightly.

    Once for each submission: all lines are compared with the same number, and what went wrong is
    said again. Raises WrongAnswer or StudentError.
    """
    session = student.__dict__.get("_session", student).__dict__
    kept = session.setdefault("accuracies", {})
    if which.question not in kept:
        try:
            kept[which.question] = _measure(student, rng, which)
        except (KernelDied, TimedOut):  # perhaps without guilt
            raise
        except (StudentError, WrongAnswer) as error:
            kept[which.question] = error
    if isinstance(kept[which.question], Exception):
        raise kept[which.question]
    return kept[which.question]


def _measure(student: Any, rng: np.random.Generator, which: Design) -> float:
    net = which.made(student, getattr(student, which.question)())
    _load_weights(student, net, which.file)
    X, y = new_pictures(rng.bytes(16))
    right = 0
    for start in range(0, PICTURES, BATCH):
        part = slice(start, start + BATCH)
        scores = which.scores(net, X[part])
        if not isinstance(scores, np.ndarray) or scores.shape != (BATCH, CLASSES):
            raise WrongAnswer(
                f"{which.asked} of {BATCH} pictures should give scores of shape {BATCH, CLASSES}, "
                f"and gave {describe(scores)}."
            )
        if scores.dtype.kind not in "iuf" or not np.isfinite(scores).all():
            raise WrongAnswer("the scores are not all finite numbers.")
        right += int(np.sum(np.argmax(scores, axis=1) == y[part]))
    return right / PICTURES


def _load_weights(student: Any, net: Any, file: str) -> None:
    try:
        student.load_weights(net, file)
    except StudentRaised as error:
        if error.ename != "WeightsError":
            raise
        raise StudentError(
            f"Your net got no weights from {file}. {error.evalue} (The file is handed in beside "
            "the notebook.)"
        ) from None


def new_pictures(salt: bytes) -> tuple[np.ndarray, np.ndarray]:
    """(X as the net takes them, their classes); each class is equally likely."""
    seeds = np.random.SeedSequence(
        int.from_bytes(hmac.digest(_key(), salt, hashlib.sha256), "big")
    ).generate_state(4 * PICTURES)
    painter, X, y = _painter(), [], []
    for state in seeds.reshape(PICTURES, 4):
        generator = np.random.RandomState(state)
        y.append(generator.randint(CLASSES))
        X.append(painter.picture(y[-1], generator))
    return design.prepared(np.stack(X)), np.array(y)


@functools.cache
def _painter() -> Any:
    """datasets/make_toys.py, which is no package."""
    path = PROJECT / "datasets" / "make_toys.py"
    spec = importlib.util.spec_from_file_location("make_toys", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_toys"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@functools.cache
def _key() -> bytes:
    """This grader's own secret, made when it is first needed. No sandbox sees the folder."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    path = Path(home) / "cnnlab-autograder" / "pictures.key"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{secrets.token_hex(8)}")
        if not path.exists():
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(32))
            with contextlib.suppress(FileExistsError):
                os.link(fresh, path)  # whole, and only by the first
            fresh.unlink()
        return path.read_bytes()
    except OSError as error:
        raise GraderError(
            f"{path} cannot be kept: {error.strerror}. It holds the secret behind the design "
            "question's pictures. Name another folder with XDG_DATA_HOME."
        ) from None
