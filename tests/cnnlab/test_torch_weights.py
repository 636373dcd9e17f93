"""A module's weights out of it, into it, and in a file."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch import nn

from cnnlab import weights
from cnnlab.torch_weights import get_weights, load_weights, save_weights, set_weights
from cnnlab.weights import WeightsError, read_weights

NAMES = {
    "0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var",
    "4.weight", "4.bias",
}  # fmt: skip


def net(seed=0, filters=3):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(2, filters, 3), nn.BatchNorm2d(filters), nn.ReLU(), nn.Flatten(),
        nn.Linear(4 * filters, 5),
    )  # fmt: skip


X = torch.randn(6, 2, 4, 4, generator=torch.Generator().manual_seed(0))


def scores(model):
    with torch.no_grad():
        return model.eval()(X)


def test_a_loaded_net_gives_the_same_scores(tmp_path):
    trained, other = net(1), net(2)
    trained(X)  # which moves the running averages
    path = save_weights(tmp_path / "net.npz", trained)
    assert not torch.allclose(scores(other), scores(trained))
    load_weights(path, other)
    assert torch.equal(scores(other), scores(trained))
    assert set(read_weights(path)) == NAMES
    assert np.load(path, allow_pickle=False)["0.weight"].shape == (3, 2, 3, 3)


def test_copies_are_independent_and_an_optimizer_goes_on_with_them():
    model = net()
    kept = get_weights(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with torch.no_grad():
        model[0].weight += 1
        model[1].running_mean += 1
    assert not np.allclose(kept["0.weight"], model[0].weight.detach())
    set_weights(model, kept)
    assert_array_equal(get_weights(model)["0.weight"], kept["0.weight"])
    assert not model[1].running_mean.any()
    model(X).sum().backward()
    optimizer.step()
    assert not np.allclose(kept["0.weight"], model[0].weight.detach())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_the_module_keeps_its_dtype():
    model = net().double()
    set_weights(model, get_weights(net(1)))
    assert {t.dtype for t in model.parameters()} == {torch.float64}
    assert_array_equal(model[0].bias.detach().numpy(), net(1)[0].bias.detach().numpy())


def test_bfloat16_is_saved_as_float32():
    array = get_weights(net().bfloat16())["0.weight"]
    assert array.dtype == np.float32
    assert_array_equal(array, net()[0].weight.detach().bfloat16().float().numpy())


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda w: w.pop("4.bias"), "another net: 4.bias missing"),
        (lambda w: w.update({"9.weight": np.zeros(2)}), "the net has no 9.weight"),
        (
            lambda w: w.update({"0.weight": np.zeros((4, 2, 3, 3))}),
            r"0\.weight has the shape \(4, 2, 3, 3\), and in this net \(3, 2, 3, 3\)",
        ),
        (lambda w: w["4.bias"].fill(np.nan), "4.bias holds NaN"),
    ],
)
def test_what_does_not_fit_is_told_and_changes_nothing(change, words):
    model, other = net(), get_weights(net(5))
    before = get_weights(model)
    change(other)
    with pytest.raises(WeightsError, match=words):
        set_weights(model, other)
    for name, array in get_weights(model).items():
        assert_array_equal(array, before[name])


def test_the_same_limits_as_for_arrays(tmp_path, monkeypatch):
    model = net()
    with torch.no_grad():
        model[4].bias[0] = torch.inf
    with pytest.raises(WeightsError, match=r"4\.bias holds NaN or infinity"):
        save_weights(tmp_path / "a.npz", model)
    monkeypatch.setattr(weights, "LARGEST", 100)
    with pytest.raises(WeightsError, match=r"MB, are 4\.weight's"):
        save_weights(tmp_path / "a.npz", net())
    assert not list(tmp_path.iterdir())


def test_a_pickle_is_refused(tmp_path):
    torch.save(net().state_dict(), tmp_path / "a.npz")
    with pytest.raises(WeightsError):
        load_weights(tmp_path / "a.npz", net())
