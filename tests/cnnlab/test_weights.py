"""Weights out of a net, into it, and in a file."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cnnlab import weights
from cnnlab.architectures import conv, fc, max_pool
from cnnlab.weights import (
    WeightsError,
    get_weights,
    load_weights,
    read_weights,
    save_weights,
    set_weights,
)
from solutions.convnet import ConvNet


def net(filters=3, seed=0, **options):
    layers = [conv(filters, 3), max_pool(2), fc(5)]
    return ConvNet(layers, (2, 4, 4), 3, seed=seed, **{"batchnorm": True, **options})


X = np.random.default_rng(0).standard_normal((6, 2, 4, 4)).astype(np.float32)
y = np.arange(6) % 3


def test_a_loaded_net_gives_the_same_scores(tmp_path):
    trained = net(seed=1)
    trained.loss(X, y)  # which moves the running averages
    path = save_weights(tmp_path / "net.npz", trained)
    other = net(seed=2)
    assert not np.allclose(other.loss(X), trained.loss(X))
    load_weights(path, other)
    assert_array_equal(other.loss(X), trained.loss(X), strict=True)
    assert set(read_weights(path)) == {
        "W1", "b1", "gamma1", "beta1", "W2", "b2", "W3", "b3",
        "bn_params.0.running_mean", "bn_params.0.running_var",
    }  # fmt: skip
    assert np.load(path, allow_pickle=False)["W1"].shape == (3, 2, 3, 3)


def test_copies_are_independent():
    model = net()
    kept = get_weights(model)
    model.params["W1"] += 1
    model.bn_params[0]["running_mean"] += 1
    assert not np.allclose(kept["W1"], model.params["W1"])
    set_weights(model, kept)
    assert_array_equal(model.params["W1"], kept["W1"])
    kept["W1"] += 1
    assert not np.allclose(model.params["W1"], kept["W1"])
    assert not model.bn_params[0]["running_mean"].any()


def test_the_net_keeps_its_dtype():
    model = net(dtype=np.float32)
    set_weights(model, {name: np.float64(array) for name, array in get_weights(model).items()})
    assert {array.dtype for array in get_weights(model).values()} == {np.dtype(np.float32)}


def test_a_net_that_has_seen_no_batch_takes_running_averages():
    """CS231n's nets begin with empty bn_params"""
    trained, empty = net(seed=1), net(seed=2)
    trained.loss(X, y)
    for name in ("running_mean", "running_var"):
        del empty.bn_params[0][name]
    set_weights(empty, get_weights(trained))
    assert_array_equal(empty.loss(X), trained.loss(X))


def empty_as_in_cs231n(**options):
    made = net(**options)
    for name in ("running_mean", "running_var"):
        del made.bn_params[0][name]
    return made


@pytest.mark.parametrize("new", [net, empty_as_in_cs231n])
def test_a_file_without_running_averages_is_refused(tmp_path, new):
    """np.savez(path, **net.params) is what many write"""
    np.savez(tmp_path / "net.npz", **net(seed=1).params)
    other = new(seed=2)
    before = get_weights(other)
    with pytest.raises(WeightsError, match=r"net\.npz holds no running averages.*by save_weights"):
        load_weights(tmp_path / "net.npz", other)
    for name, array in get_weights(other).items():
        assert_array_equal(array, before[name])


def test_a_file_of_quite_another_net_is_called_that(tmp_path):
    """not one of the right net that lacks its averages"""
    np.savez(tmp_path / "net.npz", other=np.zeros(3))
    with pytest.raises(WeightsError, match="belong to another net"):
        load_weights(tmp_path / "net.npz", net())


def test_a_net_without_running_averages_is_not_saved(tmp_path):
    untrained = empty_as_in_cs231n()
    with pytest.raises(WeightsError, match="no running averages yet: train it"):
        save_weights(tmp_path / "net.npz", untrained)
    untrained.loss(X, y)
    load_weights(save_weights(tmp_path / "net.npz", untrained), empty_as_in_cs231n(seed=4))


def test_nets_without_normalisation(tmp_path):
    class Plain:
        def __init__(self, W):
            self.params = {"W": W}

    save_weights(tmp_path / "a.npz", Plain(np.eye(2)))
    other = Plain(np.zeros((2, 2)))
    load_weights(tmp_path / "a.npz", other)
    assert_array_equal(other.params["W"], np.eye(2))


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda w: w.pop("W2"), "another net: W2 missing"),
        (lambda w: w.update(W9=np.zeros(2)), "the net has no W9"),
        (lambda w: w.update({"bn_params.1.running_mean": np.zeros(2)}), "no bn_params.1"),
        (lambda w: w.update(W1=np.zeros((4, 2, 3, 3))), r"W1 has the shape \(4, 2, 3, 3\), and in"),
        (lambda w: w.update(b1=np.array([0, np.nan, 0])), "b1 holds NaN"),
    ],
)
def test_what_does_not_fit_is_told_and_changes_nothing(change, words):
    model = net()
    before = get_weights(model)
    other = get_weights(net(seed=5))
    change(other)
    with pytest.raises(WeightsError, match=words):
        set_weights(model, other)
    for name, array in get_weights(model).items():
        assert_array_equal(array, before[name])


def test_too_large_for_handing_in(tmp_path, monkeypatch):
    path = save_weights(tmp_path / "a.npz", net())
    monkeypatch.setattr(weights, "LARGEST", 100)
    with pytest.raises(WeightsError, match=r"The most, 0\.0 MB, are W2's"):
        save_weights(tmp_path / "b.npz", net())
    assert not (tmp_path / "b.npz").exists()
    with pytest.raises(WeightsError, match="at most 0 MB are taken"):
        read_weights(path, largest=100)


def test_a_broken_net_is_not_saved(tmp_path):
    model = net()
    model.params["W1"][0] = np.inf
    with pytest.raises(WeightsError, match="W1 holds NaN or infinity"):
        save_weights(tmp_path / "a.npz", model)
    with pytest.raises(WeightsError, match="There is no file"):
        load_weights(tmp_path / "a.npz", model)
