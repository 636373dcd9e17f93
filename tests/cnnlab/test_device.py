"""Which device is picked, its name, and what it is asked to do; with GPUs that are not here."""

from types import SimpleNamespace

import pytest
import torch

from cnnlab import device

GB = 2**30


@pytest.fixture
def machine(monkeypatch):
    """Makes up a machine: machine(cuda=2, mps=True); and perhaps its GPUs are too old."""

    def make(cuda=0, mps=False, memory=8 * GB, too_old=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(device, "_computes", lambda kind: not too_old)
        card = SimpleNamespace(name="Pretend 3000", total_memory=memory)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda which: card)

    monkeypatch.delenv("CNNLAB_DEVICE", raising=False)
    return make


@pytest.mark.parametrize(
    "has, expected",
    [
        ({}, "cpu"),
        ({"mps": True}, "mps"),
        ({"cuda": 1}, "cuda"),
        ({"cuda": 1, "mps": True}, "cuda"),
        ({"cuda": 1, "too_old": True}, "cpu"),
    ],
)
def test_the_fastest_is_picked(machine, has, expected):
    machine(**has)
    assert device.pick() == torch.device(expected)


@pytest.mark.parametrize("wanted", ["cpu", "mps", "cuda", "cuda:1"])
def test_the_environment_picks(machine, monkeypatch, wanted):
    machine(cuda=2, mps=True)
    monkeypatch.setenv("CNNLAB_DEVICE", wanted)
    assert device.pick() == torch.device(wanted)


@pytest.mark.parametrize(
    "wanted, words",
    [
        ("gpu", "CNNLAB_DEVICE is 'gpu'; it has to be cpu, mps, cuda"),
        ("meta", "'meta'; it has to be"),
        ("mps", "'mps', and PyTorch can use no such device here"),
        ("cuda:2", "counted from 0, and there are 2"),
    ],
)
def test_a_device_that_is_not_here(machine, monkeypatch, wanted, words):
    machine(cuda=2)
    monkeypatch.setenv("CNNLAB_DEVICE", wanted)
    with pytest.raises(ValueError, match=words):
        device.pick()


def test_a_gpu_that_computes_nothing_is_none(monkeypatch):
    """as PyTorch says of one that it was not built for, at the first thing that it is to do"""
    assert device._computes("cpu")

    def ones(*shape, **where):
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device")

    monkeypatch.setattr(torch, "ones", ones)
    assert not device._computes("cuda")


def test_plain_words(machine):
    machine(cuda=1, memory=4 * GB)
    assert device.describe("cuda") == "the GPU Pretend 3000 (CUDA), with 4.0 GB of memory"
    assert device.describe("mps").startswith(
        "Apple's GPU (MPS), which shares the computer's memory"
    )
    threads = torch.get_num_threads()
    assert f"the CPU, with {threads} thread" in device.describe(torch.device("cpu"))
    assert "no GPU is used" in device.describe("cpu")


def test_waiting_is_the_devices_own(monkeypatch):
    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda which: waited.append(str(which)))
    monkeypatch.setattr(torch.mps, "synchronize", lambda: waited.append("mps"))
    for name in ("cpu", "cuda:1", "mps"):
        assert device.synchronizer(name)() is None
    assert waited == ["cuda:1", "mps"]


def test_slower_devices_are_asked_for_less():
    cpu, mps, cuda = (device.budget(name) for name in ("cpu", "mps", "cuda:0"))
    for field in ("epochs", "large_batch", "products"):
        values = [getattr(budget, field) for budget in (cpu, mps, cuda)]
        assert values == sorted(values), field
    assert str(cpu).startswith("5 epochs in a training; up to 32 images")
    with pytest.raises(ValueError, match="no budget for 'xpu'"):
        device.budget("xpu")


@pytest.mark.parametrize("name, number", [("cuda", 0), ("cuda:1", 1)])
@pytest.mark.parametrize("memory", [2 * GB, 24 * GB])
def test_a_large_gpu_is_held_to_4_gb(machine, monkeypatch, memory, name, number):
    """by PyTorch's own function, which is particular about what it is given"""
    machine(cuda=2, memory=memory)
    held = []
    monkeypatch.setattr(torch.cuda.memory, "_lazy_init", lambda: None)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(
        torch._C, "_cuda_setMemoryFraction", lambda *what: held.append(what), raising=False
    )
    allowed = device.limit_memory(torch.device(name))
    assert held == [(allowed / memory, number)] and allowed < min(memory, 4 * GB)
    assert device.limit_memory("cpu") is None


def test_apples_gpu_is_held_to_4_gb_too(monkeypatch):
    held = []
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 16 * GB)
    monkeypatch.setattr(torch._C, "_mps_setMemoryFraction", held.append, raising=False)
    assert device.limit_memory("mps") == held[0] * 16 * GB < 4 * GB
