"""The cost of a module against the lecture's arithmetic, and against counting by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cnnlab.architectures import conv, fc, max_pool
from solutions.arithmetic import conv_cost
from solutions.module_cost import module_cost
from solutions.network_cost import network_cost


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_one_convolution_costs_what_conv_cost_says(data):
    stride, pad = data.draw(st.integers(1, 3)), data.draw(st.integers(0, 2))
    kernel = data.draw(st.integers(max(1, pad), 5))
    shape = [data.draw(st.integers(1, 4))]
    # the windows fit evenly
    shape += [
        kernel + stride * data.draw(st.integers(1, 4)) - 2 * pad + 2 * stride * pad for _ in "HW"
    ]
    filters = data.draw(st.integers(1, 4))
    layer = nn.Conv2d(shape[0], filters, kernel, stride=stride, padding=pad)
    expected = conv_cost(tuple(shape), filters, kernel, pad, stride)
    assert module_cost(layer, tuple(shape)) == expected[1:]


def multiplications(layer, shape):
    """How often a weight meets a number, the padding's zeros too: with ones, the outputs' sum."""
    ones = torch.ones(1, *shape)
    if isinstance(layer, nn.Conv2d):
        bottom, right = layer.padding
        ones = nn.functional.pad(ones, (right, right, bottom, bottom), value=1)
        out = nn.functional.conv2d(
            ones, torch.ones_like(layer.weight), None, layer.stride, 0, layer.dilation, layer.groups
        )
    else:
        out = nn.functional.linear(ones, torch.ones_like(layer.weight))
    return int(out.sum())


@pytest.mark.parametrize(
    "layer, shape",
    [
        (nn.Conv2d(4, 6, 3, groups=2), (4, 7, 9)),
        (nn.Conv2d(4, 4, 3, groups=4, padding=1), (4, 7, 9)),
        (nn.Conv2d(3, 5, 3, dilation=2), (3, 8, 8)),
        (nn.Conv2d(4, 8, (1, 3), stride=(2, 1), padding=(0, 1), groups=2, bias=False), (4, 8, 6)),
        (nn.Conv2d(2, 3, 3, stride=2), (2, 8, 8)),  # the last column is left over
        (nn.Linear(7, 3), (2, 4, 7)),  # for each row of each channel
    ],
)
def test_layers_in_full_count_every_product(layer, shape):
    parameters, multiply_adds = module_cost(layer, shape)
    assert multiply_adds == multiplications(layer, shape)
    assert parameters == sum(tensor.numel() for tensor in layer.state_dict().values())


def test_a_net_costs_what_network_cost_says():
    layers = [conv(6, 5, pad=2), max_pool(2), conv(8, 3, pad=1), max_pool(2), fc(11)]
    rows = network_cost(layers, (3, 16, 16), 10)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Sequential(nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Flatten(), nn.Linear(8 * 16, 11), nn.ReLU(), nn.Linear(11, 10),
    )  # fmt: skip
    expected = tuple(sum(row[column] for row in rows) for column in (2, 3))
    assert module_cost(model, (3, 16, 16)) == expected


def test_normalisation_is_learned_but_multiplies_nothing():
    model = nn.Sequential(nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3))
    assert module_cost(model, (2, 5, 5)) == (2 * 3 * 9 + 3 + 3, 9 * 2 * 3 * 9)


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.unused = nn.Linear(4, 4), nn.Linear(4, 4)
        self.same = self.layer

    def forward(self, x):
        return self.same(self.layer(x.flatten(1)))


def test_a_layer_used_twice_works_twice_and_is_stored_once():
    assert module_cost(Twice(), (1, 2, 2)) == (2 * 20, 2 * 16)


def test_other_layers_cost_nothing():
    assert module_cost(nn.Sequential(nn.ReLU(), nn.Flatten()), (2, 3, 3)) == (0, 0)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_as_it_was(training):
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(27, 2))
    model.train(training).double()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    cost = module_cost(model, (2, 5, 5))
    assert all(type(number) is int for number in cost)
    assert module_cost(model, (2, 5, 5)) == cost
    with pytest.raises(RuntimeError):
        module_cost(model, (2, 9, 9))
    assert all(module.training == training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
