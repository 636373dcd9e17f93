"""The steps for training in PyTorch: honest timing, augmentation, an epoch, the accuracy."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from cnnlab.checks import probes, tensors
from cnnlab.checks.expect import scalar
from cnnlab.checks.steps import CheckFailed, step
from cnnlab.pretend_device import PretendDevice

# -- honest_time -----------------------------------------------------------------------------------


def _timed(f: Any, repeats: int, before: int, queued: int = 0, **options: Any) -> Any:
    """What f measures on a pretend device, and the device."""
    device = PretendDevice(**{"seconds": 1.0, "warmup": (), "hiccup_every": 0, **options})
    for _ in range(queued):
        device.work()
    return f(device.work, device.synchronize, repeats, before, device.clock), device


@step("honest_time", "a device that works for 1 s, and needs 0.1 s to be asked")
def _(f):
    known = [
        (0.1, "that is the time of asking: synchronize() before you read the clock again."),
        (5.0, "that is the time of all calls: the median of the times of single ones."),
        (5.5, "that is the time of all calls: the median of the times of single ones."),
    ]
    cause = "synchronize(), clock(), work(), synchronize(), clock(): for each call."
    scalar(_timed(f, 5, 0)[0], 1.0, "seconds", cause, known)


@step("honest_time", "five pieces of work are still queued from before")
def _(f):
    known = [(5.5, "the work from before was timed too: synchronize() before the first clock().")]
    scalar(_timed(f, 1, 0, queued=5)[0], 1.0, "seconds", "wait first.", known)


@step("honest_time", "the first three calls take longer, and are not timed")
def _(f):
    known = [
        (2.0, "the calls for warming up were timed, too."),
        (6.0, "the calls for warming up were timed, too."),
        (4.5, "the calls for warming up were timed, too, or not made at all."),
    ]
    cause = "first warmup calls of work, then repeats calls that are timed."
    scalar(_timed(f, 2, 3, warmup=(6.0, 3.0, 2.0))[0], 1.0, "seconds", cause, known)


@step("honest_time", "every second call is held up: the median of five, and of four")
def _(f):
    for repeats, right in ((5, 1.0), (4, 5.0)):
        known = [
            ((3 * 1 + 2 * 9) / 5, "that is the mean: take the median, np.median."),
            (1.0, "that is the fastest; of four, the median is the mean of the two in the middle."),
            (9.0, "of four, the median is the mean of the two in the middle: np.median."),
        ]
        came, _ = _timed(f, repeats, 0, hiccup=9.0, hiccup_every=2)
        cause = "the times are 1, 9, 1, 9, 1: sorted, the one in the middle."
        scalar(came, right, f"seconds of {repeats} calls", cause, known)


@step("honest_time", "how often work is called: warmup + repeats times")
def _(f):
    for repeats, warmup in ((4, 3), (1, 0)):
        _, device = _timed(f, repeats, warmup)
        if device.calls != warmup + repeats:
            what = f"work was called {device.calls} times, for repeats={repeats}, warmup={warmup}"
            raise CheckFailed(what, f"{warmup + repeats} times", "two loops, each with one work().")


# -- crop_and_flip ---------------------------------------------------------------------------------

_X = np.arange(1.0, 7).reshape(1, 1, 2, 3)  # 1 2 3 over 4 5 6


def _moved(f: Any, X: np.ndarray, offsets: Any, flip: Any, pad: int = 1) -> Any:
    import torch

    return f(torch.tensor(X), torch.tensor(offsets), torch.tensor(flip), pad)


@step(
    "crop_and_flip", "by hand: the image itself, and its windows at (0, 0), (0, 1), (2, 2); pad 1"
)
def _(f):
    for place, right, known in (
        (
            (1, 1),
            [[1, 2, 3], [4, 5, 6]],
            [([[3, 2, 1], [6, 5, 4]], "flip is False: not mirrored.")],
        ),
        (
            (0, 0),
            [[0, 0, 0], [0, 1, 2]],
            [
                ([[1, 1, 2], [1, 1, 2]], "pad with zeros, not with copies of the border."),
                ([[6, 4, 5], [3, 1, 2]], "the image came back on the other side: pad with zeros."),
            ],
        ),
        (
            (0, 1),
            [[0, 0, 0], [1, 2, 3]],
            [
                ([[0, 1, 2], [0, 4, 5]], "an offset is (row, column), not (column, row)."),
            ],
        ),
        ((2, 2), [[5, 6, 0], [0, 0, 0]], [([[0, 0, 0], [0, 1, 2]], "the other way round.")]),
    ):
        tensors.tensor(
            _moved(f, _X, [place], [False]),
            [[right]],
            f"out for the offset {place}",
            "pad the image with zeros all around; the window begins at this row and column of it.",
            known=[([[wrong]], why) for wrong, why in known],
            inputs={"x[0, 0]": _X[0, 0]},
        )


@step("crop_and_flip", "by hand: mirrored where flip is True, after the crop")
def _(f):
    for place, right, known in (
        (
            (1, 1),
            [[3, 2, 1], [6, 5, 4]],
            [
                ([[4, 5, 6], [1, 2, 3]], "that is upside down: the columns are the last axis."),
                ([[1, 2, 3], [4, 5, 6]], "nothing is mirrored, or where flip is False."),
            ],
        ),
        (
            (1, 0),
            [[2, 1, 0], [5, 4, 0]],
            [([[0, 3, 2], [0, 6, 5]], "crop first, then mirror.")],
        ),
    ):
        tensors.tensor(
            _moved(f, _X, [place], [True]),
            [[right]],
            f"out, mirrored, for the offset {place}",
            "the columns from right to left.",
            known=[([[wrong]], why) for wrong, why in known],
            inputs={"x[0, 0]": _X[0, 0]},
        )


@step("crop_and_flip", "each image in its own way, all channels of it alike")
def _(f):
    rng = np.random.default_rng(5)
    X = rng.standard_normal((6, 3, 4, 7))
    offsets, flip = rng.integers(0, 5, (6, 2)), np.arange(6) % 2 == 0
    together = tensors.numbers(_moved(f, X, offsets, flip, 2), "out")
    if together.shape != X.shape:
        cause = "the channels come second: move the axes back after indexing."
        raise CheckFailed(f"out has shape {together.shape}", f"{X.shape}", cause)
    for n in range(6):
        for c in range(3):
            one = _moved(f, X[n : n + 1, c : c + 1], offsets[n : n + 1], flip[n : n + 1], 2)
            tensors.array(
                together[n, c],
                tensors.numbers(one, "out")[0, 0],
                f"out[{n}, {c}] of a batch",
                "image n has its own offsets[n] and flip[n].",
                source="alone",
            )


@step("crop_and_flip", "the usual pad is 4; the dtype stays; the inputs are left as they were")
def _(f):
    import torch

    offsets, flip = torch.full((2, 2), 4), torch.tensor([False, False])
    for dtype in ("float32", "float64", "uint8"):
        x = torch.arange(24).reshape(2, 1, 3, 4).to(getattr(torch, dtype))
        with tensors.tensors_unchanged(x=x, offsets=offsets, flip=flip):
            out = f(x, offsets, flip)
        cause = "pad=4: the window at (4, 4) is the image itself."
        came = tensors.numbers(out, "out")
        tensors.dtype_is(out, dtype, f"out, for x of dtype {dtype},", "the pixels are only moved.")
        tensors.array(came.astype(float), x.numpy(), "out for offsets (4, 4)", cause)


# -- train_epoch -----------------------------------------------------------------------------------

# A model of one pixel and two classes whose weights are 0: each loss is log(2), and a step of size
# 1 with one image of class 0 moves the weights by half of x, up for class 0 and down for class 1.


def _pixel_model(norm: bool = False) -> Any:
    import torch.nn as nn

    layers = [nn.Flatten(), *([nn.BatchNorm1d(1)] if norm else []), nn.Linear(1, 2, bias=False)]
    model = nn.Sequential(*layers).double()
    return tensors.fill(model, {f"{len(layers) - 1}.weight": np.zeros((2, 1))})


def _batches(*pixels: list[float]) -> list[tuple[Any, Any]]:
    """Each list of pixels is a batch, all of class 0."""
    import torch

    return [
        (
            torch.tensor(each, dtype=torch.float64).reshape(-1, 1, 1, 1),
            torch.zeros(len(each), dtype=torch.int64),
        )
        for each in pixels
    ]


def _epoch(f: Any, model: Any, batches: Any, rate: float = 1.0) -> Any:
    import torch

    return f(model, batches, torch.optim.SGD(model.parameters(), lr=rate), torch.device("cpu"))


def _weight(model: Any) -> float:
    return model[-1].weight[0, 0].item()


@step("train_epoch", "by hand: one step, with one image; the loss before it is log(2)")
def _(f):
    model = _pixel_model()
    loss = _epoch(f, model, _batches([3.0]))
    known = [(float(np.log1p(np.exp(-9))), "that is the loss after the step.")]
    tensors.number(loss, float(np.log(2)), "the mean loss", "F.cross_entropy of the scores.", known)
    known = [
        (0.0, "the weights did not move: backward(), then optimizer.step()."),
        (-1.5, "the weights moved up the gradient."),
    ]
    cause = "the gradient of the weight of class 0 is (1/2 − 1) · 3."
    scalar(_weight(model), 1.5, "the weight of class 0 after the step", cause, known)


@step("train_epoch", "the mean over images, of batches of unequal size")
def _(f):
    first, second = np.log(2), float(np.log1p(np.exp(-2 * 1.5 * -6)))
    known = [
        ((first + second) / 2, "that is the mean over the batches: weigh by the number of images."),
        (second, "that is the loss of the last batch."),
        (3 * first + second, "that is the sum: divide by the number of images."),
        (first + second, "that is the sum over the batches."),
    ]
    loss = _epoch(f, _pixel_model(), _batches([3.0, 3.0, 3.0], [-6.0]))
    cause = "add up loss.detach() * len(y), and divide by the number of images."
    tensors.number(loss, (3 * first + second) / 4, "the mean loss", cause, known)


@step("train_epoch", "two batches: the gradients of the first one are forgotten")
def _(f):
    model = _pixel_model()
    _epoch(f, model, _batches([1.0], [1.0]), rate=1.0)
    after = 0.5 + 1 / (1 + np.exp(1.0))
    known = [
        (after + 0.5, "the gradients add up: optimizer.zero_grad() before each backward()."),
        (0.0, "zero_grad() came between backward() and step()."),
    ]
    cause = "zero_grad, backward, step: for each batch."
    scalar(_weight(model), after, "the weight of class 0 after two steps", cause, known)


@step("train_epoch", "in train mode, and it stays there")
def _(f):
    model = _pixel_model(norm=True).eval()
    _epoch(f, model, _batches([1.0, 3.0]))
    came = float(model[1].running_mean[0])
    if abs(came - 0.2) > 1e-6:
        cause = "call model.train() first: batch normalisation learns in train mode only."
        raise CheckFailed(f"its running average is {came:.3g} after an epoch", "0.2", cause)
    if not model.training:
        cause = (
            "the model stays in train mode: no model.eval(), and no model.train(was), at the end."
        )
        raise CheckFailed("model.training is False after an epoch", "True", cause)


@step("train_epoch", "batches on another device are moved; any iterable of them will do")
def _(f):
    _moves(lambda batches: _epoch(f, _pixel_model(), batches))


def _moves(ask: Any) -> None:
    try:
        ask(probes.FarBatches(_batches([1.0, 2.0], [3.0])))
    except RuntimeError as error:
        cause = "x.to(device) and y.to(device), at the beginning of the loop."
        raise CheckFailed(f"RuntimeError: {error}", "batches that are moved", cause) from error
    ask(iter(_batches([1.0, 2.0], [3.0])))


# -- evaluate --------------------------------------------------------------------------------------


def _answers(f: Any, model: Any, batches: Any) -> Any:
    import torch

    with torch.enable_grad():  # whatever f leaves behind, the next cells can learn
        came = f(model, batches, torch.device("cpu"))
        if not torch.is_grad_enabled():
            cause = "with torch.no_grad(): ends by itself; torch.set_grad_enabled(False) does not."
            raise CheckFailed("gradients stay switched off afterwards", "switched on", cause)
    return came


def _sign_model() -> Any:
    """It takes a positive pixel for class 0, a negative one for class 1."""
    return tensors.fill(_pixel_model(), {"1.weight": [[1.0], [-1.0]]})


@step("evaluate", "by hand: three of four images are right, in batches of unequal size")
def _(f):
    known = [
        (0.5, "that is the mean over the batches: count images."),
        (3.0, "that is their number: divide by the number of images."),
        (0.25, "that is the share of wrong answers; or the smallest score was taken."),
        (0.0, "that is the last batch alone."),
        (1.0, "that is the first batch alone."),
    ]
    came = _answers(f, _sign_model(), _batches([1.0, 2.0, 3.0], [-1.0]))
    cause = "the class with the largest score, argmax(1), is the answer: count where it is y."
    tensors.number(came, 0.75, "the accuracy", cause, known)


@step("evaluate", "in eval mode; afterwards the model is in the mode that it came in")
def _(f):
    import torch.nn as nn

    for training in (True, False):
        model = nn.Sequential(nn.Dropout(0.999), *_sign_model()).train(training)
        witness = probes.Witness(model)
        _answers(f, model, _batches([1.0, 2.0, 3.0], [-1.0]))
        if any(witness.training) or not witness.training:
            cause = "dropout and batch normalisation work otherwise in training: model.eval()."
            raise CheckFailed("the model was asked in train mode", "eval mode", cause)
        if model.training is not training:
            cause = "remember model.training, and put it back with model.train(...)."
            mode = "train" if training else "eval"
            raise CheckFailed(
                f"model.training is {model.training} afterwards", f"{mode} mode", cause
            )


@step("evaluate", "in the mode that it came in, also after a batch that the model cannot take")
def _(f):
    import torch

    model = _sign_model().train()
    before, _ = _batches([1.0], [2.0])
    with contextlib.suppress(RuntimeError):
        _answers(f, model, [before, (torch.ones(1, 3, 1, 1), before[1])])
    if not model.training:
        cause = "try: ... finally: puts the mode back whatever happens."
        raise CheckFailed("model.training is False afterwards", "train mode", cause)


@step("evaluate", "no gradients are recorded")
def _(f):
    model = _sign_model()
    witness = probes.Witness(model)
    _answers(f, model, _batches([1.0]))
    if any(witness.recorded):
        cause = "with torch.no_grad(): around the loop. It saves the memory of all layers' outputs."
        raise CheckFailed("the forward pass was recorded", "nothing is recorded", cause)


@step("evaluate", "batches on another device are moved; any iterable of them will do")
def _(f):
    _moves(lambda batches: _answers(f, _sign_model(), batches))
