"""The steps for a ConvNet's table: shapes, parameters, multiply-adds."""

from __future__ import annotations

import copy

import numpy as np

from cnnlab.architectures import ALEXNET, LENET5, avg_pool, conv, fc, max_pool
from cnnlab.checks.expect import parts, whole_number
from cnnlab.checks.steps import CheckFailed, step

_COLUMNS = ("kind", "shape", "parameters", "multiply_adds")


def _rows(f, layers: list, *args) -> list[list]:
    rows = f(copy.deepcopy(layers), *args)
    if not isinstance(rows, list | tuple):
        cause = (
            "a missing return." if rows is None else "rows.append((kind, shape, ...)) in a loop."
        )
        raise CheckFailed(f"{rows!r}"[:60], "a list of rows, each a tuple of four", cause)
    rows = [parts(row, _COLUMNS) for row in rows]
    if len(rows) != len(layers) + 1:
        raise CheckFailed(
            f"{len(rows)} rows for {len(layers)} layers",
            f"{len(layers) + 1} rows",
            "after the list comes one more affine layer, for the scores; ReLUs have no row.",
        )
    return rows


def _shape(row: list, expected: tuple, what: str, cause: str, known=()) -> None:
    came = row[1].tolist() if isinstance(row[1], np.ndarray) else row[1]
    if not isinstance(came, tuple | list) or tuple(came) != expected:
        cause = next((why for wrong, why in known if tuple_of(came) == wrong), cause)
        raise CheckFailed(f"{what}: shape {came!r}", f"{expected}", cause)


def tuple_of(value) -> tuple:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _count(row: list, column: int, expected: int, what: str, cause: str, known=None) -> None:
    whole_number(row[column], expected, f"{_COLUMNS[column]} of {what}", cause, known)


@step("network_cost", "the lecture's convolution: ten filters of 5×5, pad 2, on 3 × 32 × 32")
def _(f):
    row, what = _rows(f, [conv(10, 5, pad=2)])[0], "conv"
    if row[0] != "conv":
        raise CheckFailed(f"the first row begins with {row[0]!r}", "'conv'", "layer['kind'].")
    known = [
        ((10, 28, 28), "the padding is not used."),
        ((10, 30, 30), "the padding lies on both sides: 2 * pad."),
        ((32, 32, 10), "the channels come first."),
    ]
    cause = "1 + (H + 2 * pad - kernel) // stride, of 10 channels."
    _shape(row, (10, 32, 32), what, cause, known)
    known = {
        750: "one bias for each filter is missing.",
        260: "each filter has 5 x 5 numbers for each of the 3 channels.",
        751: "one bias for each filter: ten.",
    }
    _count(row, 2, 760, what, "(3 · 5 · 5 + 1) · 10.", known)
    known = {
        778_240: "the biases' additions are not counted.",
        1_536_000: "a multiplication and its addition count as one.",
        256_000: "each place takes 3 · 5 · 5 of them: all channels.",
        750: "so many for each of the 32 · 32 places of the output.",
    }
    _count(row, 3, 768_000, what, "750 for each of the 32 · 32 places of the output.", known)


@step("network_cost", "the scores: one more affine layer at the end")
def _(f):
    row, what = _rows(f, [], (3, 4, 5), 7)[-1], "the scores' layer, for images of 3 × 4 × 5"
    _shape(row, (7,), what, "(num_classes,), with the comma that makes it a tuple.")
    known = {420: "one bias for each output is missing.", 28: "it sees 3 · 4 · 5 numbers."}
    _count(row, 2, 427, what, "(60 + 1) · 7.", known)
    _count(row, 3, 420, what, "60 · 7: the biases do not count.")
    if row[0] != "fc":
        raise CheckFailed(f"its row begins with {row[0]!r}", "'fc'", "an affine layer is an 'fc'.")


@step("network_cost", "pooling: nothing to learn, nothing to multiply; windows may overlap")
def _(f):
    for layer, shape in ((max_pool(3, stride=2), (2, 3, 4)), (avg_pool(3), (2, 2, 3))):
        row = _rows(f, [layer], (2, 7, 9))[0]
        if row[0] != layer["kind"]:
            cause = "there are two kinds of pooling: take layer['kind'] as it is."
            raise CheckFailed(f"its row begins with {row[0]!r}", f"{layer['kind']!r}", cause)
        cause = "1 + (H - pool_height) // stride; the channels stay."
        _shape(row, shape, f"{layer['kind']} of 3×3, stride {layer['stride']}", cause)
        _count(row, 2, 0, layer["kind"], "pooling learns nothing: 0.")
        _count(row, 3, 0, layer["kind"], "pooling multiplies nothing: 0.")


@step("network_cost", "strides, and images that are not square")
def _(f):
    layers = [conv(4, 3, stride=2, pad=0), conv(5, 1), fc(6)]
    rows = _rows(f, layers, (2, 7, 11))
    _shape(rows[0], (4, 3, 5), "conv, stride 2", "1 + (7 − 3) // 2 and 1 + (11 − 3) // 2.")
    known = {72 * 77: "count the places of the output, 3 · 5, not of the input."}
    _count(rows[0], 3, 72 * 15, "conv, stride 2", "2 · 3 · 3 · 4 for each of 3 · 5 places.", known)
    _count(rows[1], 2, 25, "the second conv", "it sees the 4 channels that the first one makes.")
    known = {5 * 6 + 6: "an affine layer sees every place of every channel."}
    _count(rows[2], 2, 76 * 6, "fc", "5 · 3 · 5 inputs and a bias, for 6 outputs.", known)
    _count(rows[3], 2, 70, "the scores' layer", "6 inputs and a bias, for 10 outputs.")


@step("network_cost", "groups: a filter sees its part of the channels only")
def _(f):
    row = _rows(f, [conv(4, 3, groups=2)], (6, 5, 5))[0]
    known = {220: "groups is not used."}
    _count(row, 2, 112, "conv with 2 groups", "(6 / 2 · 3 · 3 + 1) · 4.", known)
    known = {5400: "groups is not used."}
    _count(row, 3, 2700, "conv with 2 groups", "108 for each of 5 · 5 places.", known)


@step("network_cost", "LeNet-5 has 61,706 parameters, AlexNet the paper's 60 million")
def _(f):
    for layers, args, total in (
        (LENET5, ((1, 32, 32),), 61_706),
        (ALEXNET, ((3, 227, 227), 1000), 60_965_224),
    ):
        rows = _rows(f, layers, *args)
        whole_number(sum(row[2] for row in rows), total, "the sum of parameters", "compare rows.")


@step("network_cost", "the list of layers is left as it was")
def _(f):
    layers = [conv(4, 3), max_pool(2), fc(5)]
    before = copy.deepcopy(layers)
    f(layers)
    if layers != before:
        cause = "append changes the list that you were given. Make a new one: [*layers, more]."
        raise CheckFailed("layers was changed by the call", "layers as it was before", cause)
