"""The GPU part on a device that is not the processor: what is forgotten there raises an error."""

import dataclasses
import warnings

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from far_device import FAR, FarDevice
from torch import nn

from autograder.questions import find_assignment
from autograder.release import read_source
from cnnlab import carry, data, design, device, torch_weights
from cnnlab.torch_run import Batches
from solutions.arithmetic import conv_cost
from solutions.residual_network import ResidualBlock
from solutions.three_layer_convnet import ThreeLayerConvNet
from solutions.torch_convnet import TorchConvNet, copy_weights, loss_and_gradients
from solutions.torch_training import crop_and_flip, evaluate, train_epoch

RNG = np.random.default_rng(0)


@pytest.fixture
def far():
    with FarDevice() as mode:
        yield mode


def test_what_lies_apart_does_not_work_together(far):
    """so a forgotten .to(device) shows in all that follows"""
    here, there = torch.ones(2, 3), torch.ones(2, 3, device=FAR)
    assert (
        there.device == FAR and (there + there).device == FAR and there.cpu().device.type == "cpu"
    )
    assert (2 * there + torch.tensor(1.0)).sum().item() == 18  # a number may come from anywhere
    with pytest.raises(RuntimeError, match="and not on cpu and mps:0"):
        here + there
    with pytest.raises(RuntimeError, match="and not on"):
        nn.Linear(3, 1)(there)
    with pytest.raises((TypeError, RuntimeError)):
        there.numpy()
    with pytest.raises(TypeError, match="float64"):
        there.double()


def batches(lengths=(6, 6, 3)):
    """They lie on the processor."""
    return [(torch.randn(n, 3, 8, 8), torch.arange(n) % 10) for n in lengths]


def test_an_epoch_waits_for_the_device_once(far):
    net = TorchConvNet((3, 8, 8), num_filters=2, filter_size=3).to(FAR)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    far.waits = 0
    assert train_epoch(net, batches(), optimizer, FAR) > 0
    assert far.waits == 1
    assert 0 <= evaluate(net, batches(), FAR) <= 1
    assert far.waits == 2


def test_crops_are_those_of_the_processor(far):
    x, offsets = torch.randn(4, 3, 5, 6), torch.tensor([[0, 4], [2, 2], [4, 0], [1, 3]])
    flip = torch.tensor([True, False, True, False])
    expected = crop_and_flip(x, offsets, flip, pad=2)
    came = crop_and_flip(x.to(FAR), offsets, flip, pad=2)
    assert came.device == FAR and torch.equal(came.cpu(), expected)
    assert far.waits == 0


def test_weights_come_from_numpy_in_double_precision(far):
    """which the device does not have"""
    ours = ThreeLayerConvNet((3, 8, 8), 2, 3, dtype=np.float64)
    net = TorchConvNet((3, 8, 8), num_filters=2, filter_size=3).to(FAR)
    copy_weights(ours.params, net)
    X = RNG.standard_normal((4, 3, 8, 8))
    scores = net(torch.tensor(X, dtype=torch.float32).to(FAR)).detach().cpu().numpy()
    np.testing.assert_allclose(scores, ours.loss(X), rtol=1e-3, atol=1e-5)


def test_gradients_lie_where_the_weights_do(far):
    ours = ThreeLayerConvNet((3, 8, 8), 2, 3, dtype=np.float32)
    params = {name: torch.from_numpy(array).to(FAR) for name, array in ours.params.items()}
    (X, y), *_ = batches()
    loss, grads = loss_and_gradients(X.to(FAR), y.to(FAR), params)
    assert {g.device for g in (loss, *grads.values())} == {FAR}


def test_weights_of_a_net_there_are_saved_and_read(far, tmp_path):
    nets = [nn.Sequential(ResidualBlock(3, 4, 2), nn.Flatten()).to(FAR) for _ in range(2)]
    path = torch_weights.save_weights(tmp_path / "net.npz", nets[0])
    torch_weights.load_weights(path, nets[1])
    X = torch.randn(2, 3, 4, 4, device=FAR)
    outs = [net.eval()(X).detach().cpu() for net in nets]
    assert torch.equal(*outs)


def test_batches_are_brought_there_once(far):
    X, y = RNG.standard_normal((10, 3, 4, 4), dtype=np.float32), np.arange(10)
    every = Batches(X, y, 4, FAR, shuffle=True, change=lambda x: x + 1)
    far.moves = 0
    for images, classes in every:
        assert images.device == classes.device == FAR
    assert far.moves == 1 and far.waits == 0  # the order


# -- the notebook ----------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch):
    """A machine with that device, and a notebook that takes little time on it."""
    monkeypatch.setattr(device, "pick", lambda: FAR)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 16 * 2**30)
    monkeypatch.setattr(torch._C, "_mps_setMemoryFraction", lambda part: None, raising=False)
    monkeypatch.setattr(torch.mps, "synchronize", lambda: None)
    budget = dataclasses.replace(device.BUDGETS["mps"], epochs=1, large_batch=2, products=(32,))
    monkeypatch.setitem(device.BUDGETS, "mps", budget)
    toys = data.load("toys")
    design.prepared(toys.X_val[:1])  # its statistics are kept: of all toys
    few = dataclasses.replace(
        toys,
        **{
            f"{name}_{part}": getattr(toys, f"{name}_{part}")[:100]
            for name in "Xy"
            for part in ("train", "val", "test")
        },
    )
    monkeypatch.setattr(data, "load", lambda name: few)
    earlier = {"ThreeLayerConvNet": ThreeLayerConvNet, "conv_cost": conv_cost}
    monkeypatch.setattr(carry, "carry", earlier.__getitem__)


SHORTER = {
    "COMPILE = True": "COMPILE = False",
    "steps=160": "steps=2",
    "repeats=5, warmup=2": "repeats=1, warmup=1",
}


@pytest.mark.slow
def test_every_cell_of_the_notebook_runs_there(small, far, monkeypatch, tmp_path, capsys):
    """and uses nothing that PyTorch or NumPy are about to remove"""
    monkeypatch.chdir(tmp_path)
    cells = [c for c in read_source(find_assignment("5_gpu")).cells if c.cell_type == "code"]
    sources = [cell.source for cell in cells if not cell.source.startswith("check(")]
    for long in SHORTER:
        assert sum(long in source for source in sources) == 1
    space: dict = {"__name__": "notebook"}
    with matplotlib.rc_context({"figure.max_open_warning": 0}), warnings.catch_warnings():
        for kind in (DeprecationWarning, FutureWarning, PendingDeprecationWarning):
            warnings.simplefilter("error", kind)
        for source in sources:
            for long, short in SHORTER.items():
                source = source.replace(long, short)
            exec(compile(source, f"<{source[:60]!r} …>", "exec"), space)
            plt.close("all")
    assert space["mine"][0].weight.device == FAR and (tmp_path / design.RESNET_FILE).exists()
    told = capsys.readouterr().out
    assert "b3: relative error" in told  # all that compares with earlier notebooks ran, too
    assert "left out" not in told
