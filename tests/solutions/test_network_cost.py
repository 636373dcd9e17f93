"""A ConvNet's table against the papers', and against torch's modules."""

import numpy as np
import pytest
import torch
from torch import nn

from cnnlab.architectures import ALEXNET, LENET5, avg_pool, conv, fc, max_pool
from solutions.arithmetic import conv_cost
from solutions.network_cost import network_cost


def as_torch(layers, channels, num_classes):
    """The same net as a torch module; lazy modules find the inputs of affine layers."""
    steps, flat = [], False
    for layer in [*layers, {"kind": "fc", "outputs": num_classes}]:
        if layer["kind"] == "conv":
            F = layer["filters"]
            settings = {name: layer[name] for name in ("stride", "groups")}
            steps.append(nn.Conv2d(channels, F, layer["kernel"], padding=layer["pad"], **settings))
            channels = F
        elif layer["kind"] == "fc":
            steps += [] if flat else [nn.Flatten()]
            flat = True
            steps.append(nn.LazyLinear(layer["outputs"]))
        else:
            pool = nn.MaxPool2d if layer["kind"] == "max_pool" else nn.AvgPool2d
            steps.append(pool((layer["pool_height"], layer["pool_width"]), layer["stride"]))
    return nn.Sequential(*steps)


@pytest.mark.parametrize(
    "layers, input_dim, classes",
    [
        (LENET5, (1, 32, 32), 10),
        ([conv(4, 3), avg_pool(2), conv(6, 5, stride=2, pad=1, groups=2), fc(9)], (3, 12, 16), 7),
        ([], (3, 4, 5), 2),
        ([max_pool(3, stride=2)], (2, 7, 9), 3),
    ],
)
def test_shapes_and_parameters_are_torchs(layers, input_dim, classes):
    net = as_torch(layers, input_dim[0], classes)
    x, expected = torch.zeros(1, *input_dim), []
    for step in net:
        x = step(x)
        if not isinstance(step, nn.Flatten):
            parameters = sum(p.numel() for p in step.parameters())
            expected.append((tuple(x.shape[1:]), parameters))
    rows = network_cost(layers, input_dim, classes)
    assert [row[1:3] for row in rows] == expected
    assert [row[0] for row in rows] == [layer["kind"] for layer in layers] + ["fc"]
    assert all(type(number) is int for row in rows for number in (*row[1], *row[2:]))


def test_one_convolution_is_the_lectures():
    ((_, *rest), _) = network_cost([conv(10, 5, pad=2)], (3, 32, 32))
    assert tuple(rest) == conv_cost((3, 32, 32), 10, 5, 2, 1) == ((10, 32, 32), 760, 768_000)


def test_lenet5():
    """61,706 parameters, where every filter sees all channels"""
    rows = network_cost(LENET5, (1, 32, 32))
    assert [row[2] for row in rows] == [156, 0, 2416, 0, 48120, 10164, 850]
    assert [row[1] for row in rows][:4] == [(6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5)]


def test_alexnet_is_the_papers():
    """60 million parameters, of which 58.6 in the affine layers; 650,000 neurons"""
    rows = network_cost(ALEXNET, (3, 227, 227), 1000)
    shapes = [row[1] for row in rows]
    assert shapes[:2] == [(96, 55, 55), (96, 27, 27)]
    assert shapes[-4:] == [(256, 6, 6), (4096,), (4096,), (1000,)]
    assert sum(row[2] for row in rows) == 60_965_224
    assert sum(row[2] for row in rows if row[0] == "fc") == 58_631_144
    neurons = sum(np.prod(row[1]) for row in rows if "pool" not in row[0])
    assert 650_000 < neurons < 660_000
    assert [row[3] for row in rows if row[0] == "conv"] == [
        55 * 55 * 96 * 3 * 121,
        27 * 27 * 256 * 48 * 25,
        13 * 13 * 384 * 256 * 9,
        13 * 13 * 384 * 192 * 9,
        13 * 13 * 256 * 192 * 9,
    ]


def test_the_list_is_left_as_it_was():
    before = [dict(layer) for layer in LENET5]
    network_cost(LENET5)
    assert before == LENET5
