"""A training in pieces: the loop around the student's two functions, batches, and what is shown."""

import os
import signal

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnlab.plots import TrainingPicture
from cnnlab.schedules import Linear
from cnnlab.torch_run import Batches, Run

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)
X = RNG.standard_normal((50, 3, 8, 8)).astype(np.float32)
y = (X[:, 0].mean(axis=(1, 2)) > 0).astype(np.int64)


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))


def train_epoch(model, batches, optimizer, device):
    model.train()
    total = count = 0
    for images, classes in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images.to(device)), classes.to(device))
        loss.backward()
        optimizer.step()
        total, count = total + loss.item() * len(images), count + len(images)
    return total / count


def evaluate(model, batches, device):
    model.eval()
    with torch.no_grad():
        right = [(model(a.to(device)).argmax(1) == b.to(device)).float() for a, b in batches]
    model.train()
    return torch.cat(right).mean().item()


def run_of(model, **options):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return Run(model, optimizer, CPU, train_epoch, evaluate, **options)


def test_it_trains_as_the_two_functions_do_without_it():
    ours, plain = net(), net()
    run = run_of(ours, verbose=False)
    reached = run.train(Batches(X, y, 10, CPU, shuffle=True), Batches(X, y, 25, CPU), 3)
    optimizer, batches = torch.optim.SGD(plain.parameters(), lr=0.1), Batches(
        X, y, 10, CPU, shuffle=True
    )  # fmt: skip
    for _ in range(3):
        train_epoch(plain, batches, optimizer, CPU)
    for a, b in zip(ours.parameters(), plain.parameters(), strict=True):
        assert torch.equal(a, b)
    assert (
        reached
        == run.val_acc_history[-1]
        == evaluate(plain, [(torch.tensor(X), torch.tensor(y))], CPU)
    )
    assert len(run.loss_history) == 3 * 5 and len(run.val_acc_history) == 3
    assert run.loss_history[-1] < run.loss_history[0]


def test_the_rate_follows_the_schedule_and_comes_back():
    rates = []

    def noted(model, batches, optimizer, device):
        rates.append(optimizer.param_groups[0]["lr"])
        return train_epoch(model, batches, optimizer, device)

    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Run(model, optimizer, CPU, noted, evaluate, schedule=Linear(), verbose=False)
    run.train(Batches(X, y, 10, CPU), Batches(X, y, 50, CPU), 2)
    np.testing.assert_allclose(rates, 0.1 * (1 - (np.arange(10) + 0.5) / 10), rtol=1e-6)
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_an_epoch_is_cut_into_ten_pieces_at_the_most():
    lengths = []

    def counted(model, batches, optimizer, device):
        lengths.append(len(list(batches)))
        return 1.0

    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    Run(model, optimizer, CPU, counted, evaluate, verbose=False).train(
        Batches(X, y, 2, CPU), Batches(X, y, 50, CPU), 1
    )
    assert sum(lengths) == 25 and len(lengths) <= 10 and max(lengths) == 3


def test_a_loss_that_is_no_number_ends_it_in_words():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Run(model, optimizer, CPU, lambda *_: float("nan"), evaluate, verbose=False)
    with pytest.raises(FloatingPointError, match=r"the loss became nan in epoch 1.*learning rate"):
        run.train(Batches(X, y, 10, CPU), Batches(X, y, 50, CPU), 2)


def test_ctrl_c_ends_it_after_the_piece_and_the_net_keeps_what_it_has(capsys):
    def interrupted(model, batches, optimizer, device):
        os.kill(os.getpid(), signal.SIGINT)
        return train_epoch(model, batches, optimizer, device)

    model, untrained = net(), net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Run(model, optimizer, CPU, interrupted, evaluate)
    run.train(Batches(X, y, 10, CPU), Batches(X, y, 50, CPU), 5)
    assert len(run.loss_history) == 1 and len(run.val_acc_history) == 1
    assert not torch.equal(model[0].weight, untrained[0].weight)
    assert "Stopped. The net keeps" in capsys.readouterr().out


def test_the_training_picture_can_look_at_it():
    picture = TrainingPicture(X[:4], y[:4], ["dark", "bright", "neither"])
    sizes = []
    run = run_of(net(), watch=lambda solver: sizes.append(len(picture.png(solver))), verbose=False)
    run.train(Batches(X, y, 10, CPU), Batches(X, y, 50, CPU), 1)
    assert len(sizes) == 6 and min(sizes) > 10_000
    assert not run.training and run.num_epochs == 1
    run.net.train()
    scores = run.model.loss(X[:4])
    assert scores.shape == (4, 2) and run.net.training
    named = [
        line.get_label() for part in picture.figure(run).subfigs for line in part.axes[1].lines
    ]
    assert "validation" in named and "training" not in named
    assert run.model.params["0.weight"].shape == (4, 3, 3, 3)


def test_looking_at_a_net_teaches_it_nothing():
    """least of all its running averages; what was looked at is in the mode of the net again"""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    shown = run_of(model).model
    for training in (True, False):
        model.train(training)
        maps, scores = shown.answer(model[:3], X[:4]), shown.loss(X[:4])
        assert (maps.reshape(4, -1) == scores).all()
        assert all(module.training is training for module in model.modules())
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_batches_hold_every_image_once_in_a_new_order_each_time():
    numbers = np.arange(10, dtype=np.float32).reshape(10, 1, 1, 1)
    batches = Batches(numbers, np.arange(10), 4, CPU, shuffle=True)
    assert len(batches) == 2
    first, second = (torch.cat([y for _, y in batches]).tolist() for _ in range(2))
    assert first != second and len({*first}) == len({*second}) == 8
    for images, classes in batches:
        assert images.flatten().tolist() == classes.tolist() and classes.dtype == torch.int64
    plain = Batches(numbers, np.arange(10), 4, CPU)
    assert [y.tolist() for _, y in plain] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert len(plain) == 3


def test_batches_are_changed_on_the_way_and_the_images_are_not():
    batches = Batches(X, y, 25, CPU, change=lambda images: -images)
    assert torch.equal(torch.cat([images for images, _ in batches]), -torch.tensor(X))
    assert torch.equal(batches.X, torch.tensor(X))


def test_fewer_images_than_a_batch_are_one_batch():
    batches = Batches(X[:3], y[:3], 100, CPU, shuffle=True)
    assert len(batches) == 1 and len(next(iter(batches))[0]) == 3
