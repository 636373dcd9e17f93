"""A training with your own ``train_epoch`` and ``evaluate``, in pieces, so that it can be seen.

torch is imported with this module.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

from cnnlab.progress import interrupts_kept
from cnnlab.schedules import Constant

PIECES = 10  # of each epoch, between which the picture may change


class Run:
    """Trains a net epoch by epoch, says how far it is, and shows it.

    Each epoch is cut into some pieces, and each goes through ``train_epoch``, so that the learning
    rate and the picture can change on the way. The stop button ends it after the piece that it is
    in; the net keeps what it has learned.

    Attributes: loss_history (a number for each batch: the mean of its piece), train_acc_history
    (empty), val_acc_history, seconds.
    """

    def __init__(
        self,
        net: nn.Module,
        optimizer: torch.optim.Optimizer,
        device: torch.device,
        train_epoch: Callable[..., float],
        evaluate: Callable[..., float],
        *,
        schedule: Callable[[float], float] | None = None,
        watch: Callable[[Any], None] | None = None,
        verbose: bool = True,
    ):
        """Keep everything; nothing is computed yet.

        Args:
            net: lies on the device already.
            optimizer: of the net's parameters. Its learning rates are the largest ones.
            device: where it is trained.
            train_epoch: (model, batches, optimizer, device) -> mean loss, your function.
            evaluate: (model, batches, device) -> accuracy, your function.
            schedule: progress from 0 to 1 -> a factor for the learning rates, as in
                cnnlab.schedules; None: always 1.
            watch: called with what TrainingPicture wants of a solver, after each piece.
            verbose: print a line after each epoch.
        """
        self.net, self.optimizer, self.device = net, optimizer, device
        self.train_epoch, self.evaluate = train_epoch, evaluate
        self.schedule, self.watch, self.verbose = schedule or Constant(), watch, verbose
        self.rates = [group["lr"] for group in optimizer.param_groups]
        self.loss_history: list[float] = []
        self.train_acc_history: list[float] = []
        self.val_acc_history: list[float] = []
        self.seconds = 0.0
        self.num_epochs = 0
        self.training = False

    @property
    def model(self) -> AsNumpys:
        """The net as TrainingPicture looks at it."""
        return AsNumpys(self.net)

    def train(self, batches: Iterable, val_batches: Iterable, num_epochs: int) -> float:
        """Train for so many epochs.

        Args:
            batches: of (images, classes), with a length; gone through anew in each epoch.
            val_batches: the same, to measure the accuracy on after each epoch.
            num_epochs: how often.

        Returns:
            The accuracy on val_batches at the end.

        Raises:
            FloatingPointError: the loss became NaN or infinite.
        """
        self.num_epochs, self.training = num_epochs, True
        start = time.perf_counter()
        try:
            with interrupts_kept() as stop:
                for epoch in range(num_epochs):
                    self._epoch(epoch, batches, stop)
                    self.val_acc_history.append(self.evaluate(self.net, val_batches, self.device))
                    self.seconds = time.perf_counter() - start
                    self._tell(epoch, len(batches))
                    if stop:
                        self._say("Stopped. The net keeps what it has learned.")
                        break
        finally:
            self.training = False
            for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
                group["lr"] = rate
        self._look()
        return self.val_acc_history[-1]

    def _epoch(self, epoch: int, batches: Iterable, stop: Any) -> None:
        total, done = len(batches), 0
        every = iter(batches)
        size = max(1, -(-total // PIECES))
        while piece := list(itertools.islice(every, size)):
            progress = (epoch + (done + len(piece) / 2) / total) / self.num_epochs
            for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
                group["lr"] = rate * self.schedule(progress)
            loss = self.train_epoch(self.net, piece, self.optimizer, self.device)
            if not np.isfinite(loss):
                raise FloatingPointError(
                    f"the loss became {loss} in epoch {epoch + 1}. Most often the learning rate is "
                    "too large: try a third of it."
                )
            self.loss_history += [float(loss)] * len(piece)
            done += len(piece)
            self._look()
            if stop:
                return

    def _look(self) -> None:
        if self.watch is not None:
            self.watch(self)

    def _tell(self, epoch: int, batches: int) -> None:
        recent = float(np.mean(self.loss_history[-batches:]))
        width = len(str(self.num_epochs))
        self._say(
            f"epoch {epoch + 1:{width}} of {self.num_epochs}: loss {recent:.3f}, "
            f"val accuracy {self.val_acc_history[-1]:.3f}, {self.seconds:.0f} s"
        )

    def _say(self, words: str) -> None:
        if self.verbose:
            print(words)


class AsNumpys:
    """A torch net with the ``params`` and the ``loss`` of one in NumPy: pictures in, arrays out."""

    def __init__(self, net: nn.Module):
        self.net = net

    @property
    def params(self) -> dict[str, np.ndarray]:
        return {
            name: parameter.detach().float().cpu().numpy()
            for name, parameter in self.net.named_parameters()
            if parameter.ndim == 4
        }

    def loss(self, X: np.ndarray) -> np.ndarray:
        """The scores of a batch."""
        return self.answer(self.net, X)

    def answer(self, part: nn.Module, X: np.ndarray) -> np.ndarray:
        """What the net, or some of its layers, make of pictures.

        They answer, and do not learn: a batch normalisation in train mode would take what is only
        looked at into its running averages.
        """
        was_training = self.net.training
        weights = next(self.net.parameters(), torch.zeros(()))  # none: it has learned nothing
        part.eval()
        try:
            with torch.no_grad():
                out = part(torch.tensor(X, device=weights.device))
        finally:
            part.train(was_training)
        return out.float().cpu().numpy()


class Batches:
    """Goes through images in batches that lie on the device: shuffled and changed, if told so.

    All images are moved to the device once, and stay there. That is right for sets that are small
    beside its memory (CIFAR-10 takes 0.7 GB in float32); larger ones need a DataLoader.
    """

    def __init__(
        self,
        X: np.ndarray | torch.Tensor,
        y: np.ndarray | torch.Tensor,
        batch_size: int,
        device: torch.device,
        *,
        shuffle: bool = False,
        change: Callable[[torch.Tensor], torch.Tensor] | None = None,
        seed: int = 0,
    ):
        """Move the images to the device.

        Args:
            X: float32 (N, C, H, W). y: integers (N,).
            batch_size: the last batch may be smaller; when shuffled, what is left over is dropped.
            device: where the batches lie.
            shuffle: in a new order each time.
            change: a batch of images -> a batch of the same shape, an augmentation.
            seed: of the orders.
        """
        self.X = torch.as_tensor(X).to(device)
        self.y = torch.as_tensor(y).to(device, torch.int64)
        self.batch_size = min(batch_size, len(self.X))
        self.shuffle, self.change = shuffle, change
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        whole, rest = divmod(len(self.X), self.batch_size)
        return whole + (rest > 0 and not self.shuffle)

    def __iter__(self):
        count = len(self.X)
        order = torch.arange(count)
        if self.shuffle:
            order = torch.randperm(count, generator=self.generator)
        order = order.to(self.X.device)
        for number in range(len(self)):
            rows = order[number * self.batch_size : (number + 1) * self.batch_size]
            X = self.X[rows]
            yield (self.change(X) if self.change else X), self.y[rows]
