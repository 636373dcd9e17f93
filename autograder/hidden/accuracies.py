"""How often is a student's trained net right? Measured on pictures whose classes stay outside.

The student's ``design_net`` runs in the kernel, and so does all that reads the file of weights: a
bomb or a forgery in it meets the sandbox. Only pictures go in, only scores come out; the classes
are compared here.

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
from pathlib import Path
from typing import Any

import numpy as np

from autograder.compare import describe
from autograder.errors import GraderError, KernelDied, StudentError, TimedOut, WrongAnswer
from autograder.hidden import nets
from autograder.questions import PROJECT
from cnnlab import design

PICTURES, BATCH = 400, 50
CLASSES = 10


def measure(student: Any, rng: np.random.Generator) -> float:
    """The share of new pictures that the student's net classifies rightly.

    Once for each submission: all lines are compared with the same number, and what went wrong is
    said again. Raises WrongAnswer or StudentError.
    """
    kept = student.__dict__.get("_session", student).__dict__
    if "accuracy" not in kept:
        try:
            kept["accuracy"] = _measure(student, rng)
        except (KernelDied, TimedOut):  # perhaps without guilt
            raise
        except (StudentError, WrongAnswer) as error:
            kept["accuracy"] = error
    if isinstance(kept["accuracy"], Exception):
        raise kept["accuracy"]
    return kept["accuracy"]


def _measure(student: Any, rng: np.random.Generator) -> float:
    net = nets.made(student.design_net(), "design_net")
    student.load_weights(net, design.FILE)
    X, y = new_pictures(rng.bytes(16))
    right = 0
    for start in range(0, PICTURES, BATCH):
        part = slice(start, start + BATCH)
        scores = nets.call(net, "loss", X[part])
        if not isinstance(scores, np.ndarray) or scores.shape != (BATCH, CLASSES):
            raise WrongAnswer(
                f"net.loss(X) of {BATCH} pictures should give scores of shape {BATCH, CLASSES}, "
                f"and gave {describe(scores)}."
            )
        if scores.dtype.kind not in "iuf" or not np.isfinite(scores).all():
            raise WrongAnswer("the scores are not all finite numbers.")
        right += int(np.sum(np.argmax(scores, axis=1) == y[part]))
    return right / PICTURES


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
