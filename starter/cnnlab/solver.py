"""The training loop for ConvNets: batches, learning rates, checkpoints, and the best weights.

There is no gradient and no update rule in here: it calls your functions, and keeps account.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cnnlab import checkpoint as checkpoints
from cnnlab.evaluation import accuracy
from cnnlab.progress import interrupts_kept, progress_bar
from cnnlab.schedules import Constant
from cnnlab.weights import get_weights, set_weights

PARTS = ("X_train", "y_train", "X_val", "y_val")
CHECKPOINT_SECONDS = 60.0


class Solver:
    """Trains a net, and keeps the weights that did best on the validation images.

        solver = Solver(net, data, update_rule=adam, optim_config={"learning_rate": 1e-3})
        solver.train()

    An *epoch* is once through all training images, in a new order; images left over for less than a
    batch sit it out. After each epoch the accuracy is measured, on some training images and on the
    validation images. At the end the net gets the weights that were best on the latter.

    The stop button (or Ctrl-C) ends the training after the batch at hand. The net keeps what it has
    learned, and ``train()`` goes on from there. (Where verbose is False it is one training among
    many: then the stop goes on, as KeyboardInterrupt, and ends the loop around it too.)
    With ``checkpoint``, another Solver with the same arguments goes on as well, after ``resume()``:
    on the same machine it ends with the same weights, to the last bit, as if there had been no
    interruption.

    What it knows, to read:
        loss_history: the loss of every batch
        train_acc_history, val_acc_history: after every epoch, from 0 to 1
        seconds_history: the time spent training when each epoch was over, in seconds
        best_val_acc, best_weights: the best on the validation images, and its weights
        steps_done, steps: batches so far, and in all; epoch: whole epochs so far
        training: whether ``train`` is running
    """

    def __init__(
        self,
        model: Any,
        data: Mapping[str, np.ndarray],
        *,
        update_rule: Callable,
        optim_config: Mapping[str, Any],
        lr_decay: float = 1.0,
        schedule: Callable[[float], float] | None = None,
        batch_size: int = 100,
        num_epochs: int = 10,
        num_train_samples: int = 1000,
        num_val_samples: int | None = None,
        augment: Sequence[Callable] = (),
        seed: int = 0,
        checkpoint: str | Path | None = None,
        watch: Callable[[Solver], None] | None = None,
        verbose: bool = True,
    ):
        """Get ready; nothing is trained yet.

        Args:
            model: has a dict of arrays, ``params``; ``loss(X, y)`` returns (loss, grads), grads
                with the keys of params, and ``loss(X)`` the scores. If it normalises batches, the
                list ``bn_params`` holds their dicts.
            data: 'X_train' (N, C, H, W), 'y_train' (N,), 'X_val', 'y_val'; images and classes.
                float32 is twice as fast as float64.
            update_rule: (w, dw, config) -> (next_w, config), such as your adam.
            optim_config: the config that the rule starts with, for each array of weights a copy.
                'learning_rate' has to be in it.
            lr_decay: after each epoch the learning rate is multiplied with it.
            schedule: the learning rate's course, one of cnnlab.schedules; None: constant.
            batch_size: images in a batch.
            num_epochs: how often each image is seen.
            num_train_samples: on how many training images the accuracy is measured.
            num_val_samples: on how many validation images; None: on all.
            augment: what is done to every batch, in this order; from cnnlab.augmentation.
            seed: of the orders in which images are drawn, and of the augmentation. Of two solvers
                with the same arguments and equal nets, both end with the same weights. (For a net
                with dropout call np.random.seed before ``train`` as well.)
            checkpoint: a file, .npz, in which everything is saved after each epoch, once a minute,
                and when you stop. None: no file.
            watch: called with this solver after every batch, and once more when the training is
                over or was stopped (``training`` is False then): plots.TrainingPicture(...).
            verbose: show a bar, and a line for each epoch. False in a loop of many trainings.

        Raises:
            ValueError: the arguments do not fit together.
        """
        self.model, self.data = model, {part: data[part] for part in PARTS}
        self.update_rule, self.optim_config = update_rule, dict(optim_config)
        self.lr_decay, self.schedule = lr_decay, schedule or Constant()
        self.batch_size, self.num_epochs = batch_size, num_epochs
        self.num_train_samples, self.num_val_samples = num_train_samples, num_val_samples
        self.augment, self.seed = tuple(augment), seed
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self.watch, self.verbose = watch, verbose
        self._check_arguments()

        self.batch_size = min(batch_size, len(self.data["X_train"]))
        self.steps_per_epoch = len(self.data["X_train"]) // self.batch_size
        self.steps = num_epochs * self.steps_per_epoch
        self.steps_done = 0
        self.seconds = 0.0
        self.loss_history: list[float] = []
        self.train_acc_history: list[float] = []
        self.val_acc_history: list[float] = []
        self.seconds_history: list[float] = []
        self.best_val_acc = -1.0
        self.best_weights: dict[str, np.ndarray] = {}
        self.optim_configs = {name: dict(self.optim_config) for name in model.params}
        self.rng = np.random.default_rng(seed)
        self.order = np.zeros(0, np.int64)  # of this epoch's images
        self.training = False
        self._told_of_dtypes = False

    # -- what is called ------------------------------------------------------------------------

    def train(self) -> None:
        """Train until all epochs are done, or until you stop it.

        Raises:
            FloatingPointError: the loss became NaN or infinite. The net gets back the best weights
                it had.
            CheckpointError: nothing can be written where the checkpoint is to be; nothing was
                trained.
            KeyboardInterrupt: you stopped it, and verbose is False.
        """
        if self.checkpoint is not None:
            checkpoints.check_writable(self.checkpoint)
        if self.steps_done == self.steps:
            self._tell(
                f"Nothing is left to train: all {self.num_epochs} epochs are over. To train on, "
                "make a new Solver with the same net: it begins with the weights that the net has."
            )
        self.training = True
        try:
            stopped = self._train_until_stopped()
        finally:
            self.training = False
        if not stopped and self.best_weights:
            self.use_best()
        if self.watch is not None:
            self.watch(self)
        if stopped and not self.verbose:
            raise KeyboardInterrupt(self._where_it_stopped())

    def use_best(self) -> None:
        """Give the net the weights that were best on the validation images so far."""
        if not self.best_weights:
            raise ValueError("no epoch is over yet, so no weights were measured")
        set_weights(self.model, self.best_weights)

    def resume(self) -> bool:
        """Take everything from the checkpoint's file, if it is there, to go on from it.

        NumPy's common generator, np.random, which dropout draws from, is set too.

        Returns:
            Whether there was a file.

        Raises:
            CheckpointError: the file is damaged, or was written by a solver with other arguments.
        """
        if self.checkpoint is None:
            raise ValueError('say where: Solver(..., checkpoint="net.npz")')
        if not self.checkpoint.exists():
            return False
        checkpoints.load(self.checkpoint, self)
        return True

    def save(self, path: str | Path) -> None:
        """Write a checkpoint now."""
        checkpoints.save(path, self)

    @property
    def epoch(self) -> int:
        """How many whole epochs are over."""
        return self.steps_done // self.steps_per_epoch

    @property
    def learning_rate(self) -> float:
        """The rate of the next step."""
        progress = (self.steps_done + 0.5) / self.steps  # the middle of the step
        rate = self.optim_config["learning_rate"] * self.lr_decay**self.epoch
        return float(rate * self.schedule(progress))  # a NumPy float would make float64 of weights

    def check_accuracy(self, X: np.ndarray, y: np.ndarray, num_samples: int | None = None) -> float:
        """The net's accuracy, 0 to 1, on the first num_samples images, or on all."""
        return accuracy(self.model, X[:num_samples], y[:num_samples])

    # -- the loop -------------------------------------------------------------------------------

    def _train_until_stopped(self) -> bool:
        """Returns whether somebody stopped it."""
        with interrupts_kept() as stop:
            self._say_where_it_starts()
            bar = progress_bar(self.steps, self.steps_done, shown=self.verbose)
            saved = time.monotonic()
            try:
                while self.steps_done < self.steps and not stop:
                    self._timed_step(bar)
                    if self.watch is not None:
                        self.watch(self)
                    if self._is_epochs_end() or time.monotonic() - saved > CHECKPOINT_SECONDS:
                        self._save()
                        saved = time.monotonic()
            except KeyboardInterrupt:  # the second one: in the middle of a batch, so do not save
                self._say_where_it_stopped(saved=False)
                return True
            finally:
                bar.close()
            if self.steps_done == self.steps:
                return False
            self._save()
            self._say_where_it_stopped(saved=self.checkpoint is not None)
            return True

    def _timed_step(self, bar: Any) -> None:
        start = time.perf_counter()
        self._step()
        if self._is_epochs_end():
            self._measure_accuracy()
        self.seconds += time.perf_counter() - start
        if self._is_epochs_end():
            self.seconds_history.append(self.seconds)
            width = len(str(self.num_epochs))
            self._tell(
                f"epoch {self.epoch:{width}} of {self.num_epochs}: loss {self._recent_loss():.3f}, "
                f"train accuracy {self.train_acc_history[-1]:.3f}, "
                f"val {self.val_acc_history[-1]:.3f}",
                bar,
            )
        if self.steps_done % 10 == 0:
            bar.set_postfix_str(f"loss {self._recent_loss():.3f}", refresh=False)
        bar.update()

    # -- one step ------------------------------------------------------------------------------

    def _step(self) -> None:
        X, y = self._next_batch()
        loss, grads = self.model.loss(X, y)
        if not np.isfinite(loss):
            if self.best_weights:
                self.use_best()
            raise FloatingPointError(
                f"the loss became {loss} after {self.steps_done} batches. Most often the learning "
                f"rate, {self.learning_rate:.2g} there, is too large: try a third of it, or a "
                "schedule with warmup=0.1."
            )
        params, rate = self.model.params, self.learning_rate
        self._check_grads(params, grads)
        weights, configs = {}, {}
        for name, w in params.items():
            config = {**self.optim_configs[name], "learning_rate": rate}
            next_w, configs[name] = self.update_rule(w, grads[name], config)
            weights[name] = np.asarray(next_w).astype(w.dtype, copy=False)
        # all at once: what interrupts finds either the old weights or the new ones
        params.update(weights)
        self.optim_configs = configs
        self.loss_history.append(float(loss))
        self.steps_done += 1

    def _next_batch(self) -> tuple[np.ndarray, np.ndarray]:
        place = self.steps_done % self.steps_per_epoch
        if place == 0:
            self.order = self.rng.permutation(len(self.data["X_train"]))
        rows = self.order[place * self.batch_size : (place + 1) * self.batch_size]
        X, y = self.data["X_train"][rows], self.data["y_train"][rows]
        for change in self.augment:
            X = change(X, self.rng)
        return X, y

    def _measure_accuracy(self) -> None:
        train = self.check_accuracy(
            self.data["X_train"], self.data["y_train"], self.num_train_samples
        )
        val = self.check_accuracy(self.data["X_val"], self.data["y_val"], self.num_val_samples)
        self.train_acc_history.append(train)
        self.val_acc_history.append(val)
        if val > self.best_val_acc:
            self.best_val_acc, self.best_weights = val, get_weights(self.model)

    def _recent_loss(self) -> float:
        return float(np.mean(self.loss_history[-self.steps_per_epoch :][-100:]))

    def _is_epochs_end(self) -> bool:
        return self.steps_done % self.steps_per_epoch == 0

    def _save(self) -> None:
        if self.checkpoint is not None:
            checkpoints.save(self.checkpoint, self)

    # -- words ---------------------------------------------------------------------------------

    def _tell(self, text: str, bar: Any = None) -> None:
        if not self.verbose:
            return
        if bar is None or bar.disable:
            print(text)
        else:
            bar.write(text)

    def _say_where_it_starts(self) -> None:
        if 0 < self.steps_done < self.steps:
            self._tell(
                f"Going on after {self.steps_done:,} of {self.steps:,} batches "
                f"({self.steps_done / self.steps_per_epoch:.1f} epochs)."
            )

    def _where_it_stopped(self) -> str:
        return (
            f"Stopped after {self.steps_done:,} of {self.steps:,} batches "
            f"({self.steps_done / self.steps_per_epoch:.1f} epochs). The net keeps what it has "
            "learned; train() goes on from here."
        )

    def _say_where_it_stopped(self, saved: bool) -> None:
        kept = f" It is saved in {self.checkpoint}." if saved else ""
        best = (
            f" The best so far, {self.best_val_acc:.3f} on the validation images, is yours with "
            "use_best()."
            if self.best_weights
            else ""
        )
        self._tell(f"{self._where_it_stopped()}{kept}{best}")

    # -- what can be wrong ---------------------------------------------------------------------

    def _check_arguments(self) -> None:
        if not callable(self.update_rule):
            raise ValueError(
                f"update_rule has to be a function, such as adam, not {self.update_rule!r}"
            )
        if "learning_rate" not in self.optim_config:
            raise ValueError('optim_config needs a learning rate: {"learning_rate": 1e-3}')
        if self.checkpoint is not None and self.checkpoint.suffix != ".npz":
            raise ValueError(f"a checkpoint's name has to end in .npz: not {self.checkpoint.name}")
        for part in ("train", "val"):
            X, y = self.data[f"X_{part}"], self.data[f"y_{part}"]
            if len(X) != len(y) or not len(X):
                raise ValueError(
                    f"X_{part} holds {len(X)} images and y_{part} {len(y)} classes: they have to "
                    "be as many, and at least one"
                )
        for name in ("batch_size", "num_epochs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} has to be at least 1, not {getattr(self, name)}")

    def _check_grads(self, params: dict, grads: dict) -> None:
        if set(grads) != set(params):
            different = sorted(set(params) ^ set(grads))
            raise ValueError(
                "model.loss has to return a gradient for each array of params, and no other. "
                f"Only one of the two has: {', '.join(different)}"
            )
        for name, w in params.items():
            shape, dtype = np.shape(grads[name]), np.asarray(grads[name]).dtype
            if shape != w.shape:
                raise ValueError(f"the gradient of {name} has shape {shape}, but {name} {w.shape}")
            if dtype.itemsize > w.dtype.itemsize and not self._told_of_dtypes:
                self._told_of_dtypes = True
                self._tell(
                    f"The gradient of {name} is {dtype}, and {name} {w.dtype}: somewhere in the "
                    f"net {w.dtype} becomes {dtype}, which makes it slower."
                )
