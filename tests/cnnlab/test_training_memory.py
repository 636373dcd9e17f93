"""What a training step keeps, counted against layers whose bill can be written by hand."""

import copy

import torch
from torch import nn

from cnnlab.training_memory import training_bytes


def test_a_linear_layer_keeps_its_input_and_nothing_else():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5))
    found = training_bytes(model, (3, 2, 2), batch_size=10)
    parameters = 4 * (12 * 5 + 5)
    assert found == {
        "weights": parameters,
        "gradients": parameters,
        "momentum": parameters,
        "activations": 4 * 10 * 12,
    }
    assert training_bytes(model, (3, 2, 2), 10, momentum=False)["momentum"] == 0


def test_conv_and_relu_keep_the_images_and_one_map_for_both():
    # the convolution keeps its input; the ReLU its output, which the next one keeps too
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.Conv2d(8, 4, 3, padding=1, bias=False),
    )
    found = training_bytes(model, (3, 16, 16), batch_size=100)
    assert found["activations"] == 4 * 100 * (3 + 8) * 16 * 16


def test_the_net_is_left_as_it_was():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU()).eval()
    before = copy.deepcopy(model.state_dict())
    found = training_bytes(model, (3, 8, 8), batch_size=4)
    assert not model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    # gamma, beta; running mean and variance, and the 8 bytes that count the batches
    assert found["weights"] - found["gradients"] == 2 * 8 * 4 + 8
    # the images, what the convolution puts out, the ReLU's output; the rest does not grow
    each = 4 * (3 * 64 + 2 * 8 * 36)
    assert (
        training_bytes(model, (3, 8, 8), 1004)["activations"] - found["activations"] == 1000 * each
    )
