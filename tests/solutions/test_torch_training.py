"""Augmentation against cutting image by image; training and accuracy against plain code."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from torch import nn

from solutions.torch_training import crop_and_flip, evaluate, train_epoch


def one_by_one(x, offsets, flip, pad):
    """The same with NumPy, one image after the other."""
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    out = np.empty_like(x)
    for n, (row, column) in enumerate(offsets):
        window = padded[n, :, row : row + x.shape[2], column : column + x.shape[3]]
        out[n] = window[:, :, ::-1] if flip[n] else window
    return out


@settings(deadline=None, max_examples=50)
@given(
    st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)),
    st.integers(0, 4),
    st.sampled_from([np.float32, np.float64, np.uint8]),
    st.integers(0, 2**32 - 1),
)
def test_crops_and_mirrors_as_one_by_one(shape, pad, dtype, seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(1, 200, shape).astype(dtype)
    offsets, flip = rng.integers(0, 2 * pad + 1, (shape[0], 2)), rng.random(shape[0]) < 0.5
    out = crop_and_flip(torch.tensor(x), torch.tensor(offsets), torch.tensor(flip), pad)
    assert_array_equal(out.numpy(), one_by_one(x, offsets, flip, pad), strict=True)
    assert out.is_contiguous()


def test_inputs_stay_and_the_output_is_a_copy():
    x, offsets = torch.rand(3, 2, 4, 4), torch.full((3, 2), 4)
    flip = torch.zeros(3, dtype=torch.bool)
    before = x.clone(), offsets.clone(), flip.clone()
    out = crop_and_flip(x, offsets, flip)
    assert torch.equal(out, x)
    out += 1
    assert all(torch.equal(a, b) for a, b in zip(before, (x, offsets, flip), strict=True))


def images(N=10, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(N, 2, 4, 4, generator=generator)
    return x, torch.randint(0, 3, (N,), generator=generator)


def batches(size=4):
    x, y = images()
    return list(zip(x.split(size), y.split(size), strict=True))


def model(dropout=0.0):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Dropout(dropout), nn.Linear(12, 3)
    )


def test_the_loss_is_the_mean_over_images_not_over_batches():
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
    net.train()
    losses = [(nn.functional.cross_entropy(net(x), y).item(), len(y)) for x, y in batches()]
    assert [count for _, count in losses] == [4, 4, 2]
    expected = sum(loss * count for loss, count in losses) / 10
    loss = train_epoch(net, batches(), optimizer, torch.device("cpu"))
    assert type(loss) is float and loss == pytest.approx(expected, rel=1e-5)


def test_each_batch_is_one_step_of_its_own_gradient():
    net, twin = model().double(), model().double()
    pairs = [(x.double(), y) for x, y in batches()]
    train_epoch(net.eval(), iter(pairs), torch.optim.SGD(net.parameters(), lr=0.1), "cpu")
    assert all(module.training for module in net.modules())
    for x, y in pairs:  # without an optimizer
        loss = nn.functional.cross_entropy(twin(x), y)
        gradients = torch.autograd.grad(loss, list(twin.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(twin.parameters(), gradients, strict=True):
                parameter -= 0.1 * gradient
    for name, tensor in twin.state_dict().items():
        torch.testing.assert_close(net.state_dict()[name], tensor)


def test_training_lowers_the_loss():
    net = model()
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    losses = [train_epoch(net, batches(), optimizer, "cpu") for _ in range(40)]
    assert losses[-1] < 0.2 * losses[0]
    assert evaluate(net, batches(), "cpu") == 1.0


@pytest.mark.parametrize("training", [True, False])
def test_accuracy_counts_images_in_eval_mode_and_puts_the_mode_back(training):
    net = model(dropout=0.5)
    for x, _ in batches():
        net(x)  # which moves the running averages
    x, y = images()
    net.eval()
    right = (net(x).detach().numpy().argmax(1) == y.numpy()).mean()
    assert 0 < right < 1
    net.train(training)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    for size in (3, 10):
        accuracy = evaluate(net, batches(size), "cpu")
        assert type(accuracy) is float and accuracy == pytest.approx(right)
    assert all(module.training == training for module in net.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_the_mode_comes_back_when_a_batch_fails_and_no_graph_is_built():
    graphs = []
    net = nn.Sequential(nn.Flatten(), nn.Linear(32, 3)).train()
    net.register_forward_hook(lambda layer, inputs, output: graphs.append(output.requires_grad))
    with pytest.raises(RuntimeError):
        evaluate(net, [*batches(5), (torch.zeros(2, 9, 9), torch.zeros(2).long())], "cpu")
    assert net.training and graphs == [False, False]
