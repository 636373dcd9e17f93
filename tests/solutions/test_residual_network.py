"""ResidualBlock against torch's functions, written down anew; and what the shortcut is for."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

from solutions.residual_network import ResidualBlock

SHAPES = [(4, 4, 1), (3, 5, 1), (3, 5, 2), (4, 4, 2), (2, 4, 3)]


def filled(in_channels, out_channels, stride):
    """A block with random numbers everywhere, so that nothing cancels out or stays at 0 or 1."""
    torch.manual_seed(0)
    block = ResidualBlock(in_channels, out_channels, stride).double()
    with torch.no_grad():
        for tensor in block.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor) + 0.1)
    return block


def oracle(x, state, stride, training):
    """The block as torch's functions, from a state_dict; is not told what the block's code does."""

    def normalised(out, name):
        mean, variance = out.mean((0, 2, 3)), out.var((0, 2, 3), unbiased=False)
        if not training:
            mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        columns = (mean, variance, state[f"{name}.weight"], state[f"{name}.bias"])
        mean, variance, weight, bias = (c.reshape(1, -1, 1, 1) for c in columns)
        return (out - mean) / (variance + 1e-5).sqrt() * weight + bias

    out = functional.conv2d(x, state["conv1.weight"], stride=stride, padding=1)
    out = normalised(out, "bn1").clamp(min=0)
    out = normalised(functional.conv2d(out, state["conv2.weight"], padding=1), "bn2")
    around = x
    if "shortcut.0.weight" in state:
        kernel = state["shortcut.0.weight"][:, :, 0, 0]
        picked = x[:, :, ::stride, ::stride]
        around = normalised(torch.einsum("nchw,fc->nfhw", picked, kernel), "shortcut.1")
    return (out + around).clamp(min=0)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_block_is_its_formula(shape, training):
    block = filled(*shape).train(training)
    x = torch.randn(3, shape[0], 7, 6, dtype=torch.float64)
    kept = x.clone()
    expected = oracle(x, {k: v.clone() for k, v in block.state_dict().items()}, shape[2], training)
    assert_close(block(x), expected)
    assert_close(x, kept, rtol=0, atol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_the_formulas(shape):
    block = filled(*shape)
    x = torch.randn(3, shape[0], 7, 6, dtype=torch.float64, requires_grad=True)
    direction = torch.randn_like(block(x))
    leaves = {k: v.detach().clone().requires_grad_() for k, v in block.named_parameters()}
    expected = torch.autograd.grad(
        (oracle(x, leaves, shape[2], True) * direction).sum(), [x, *leaves.values()]
    )
    came = torch.autograd.grad((block(x) * direction).sum(), [x, *block.parameters()])
    for ours, theirs in zip(came, expected, strict=True):
        assert_close(ours, theirs)


def test_no_convolution_has_a_bias_and_the_names_are_kept():
    assert set(dict(ResidualBlock(3, 5, 2).named_parameters())) == {
        "conv1.weight", "bn1.weight", "bn1.bias", "conv2.weight", "bn2.weight", "bn2.bias",
        "shortcut.0.weight", "shortcut.1.weight", "shortcut.1.bias",
    }  # fmt: skip


def test_shortcut_is_x_itself_where_the_shape_stays():
    assert isinstance(ResidualBlock(4, 4).shortcut, nn.Identity)
    block = ResidualBlock(4, 4)
    nn.init.zeros_(block.bn2.weight)  # what is added is nothing
    x = torch.rand(2, 4, 5, 5)
    assert_close(block(x), x, rtol=0, atol=0)


def test_gradient_passes_twenty_blocks():
    """The point of it: at the start, half of a deep net without shortcuts gets no gradient."""
    torch.manual_seed(0)
    x = torch.randn(8, 4, 6, 6, requires_grad=True)
    deep = nn.Sequential(*[ResidualBlock(4, 4) for _ in range(20)])
    for block in deep:
        nn.init.zeros_(block.bn2.weight)
    deep(x.relu()).sum().backward()
    assert_close(x.grad, (x > 0).float())
