"""ConvNet against torch, numeric gradients, and sanity checks; and looking inside."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from cnnlab.architectures import LENET5, avg_pool, conv, fc, max_pool
from cnnlab.gradient_check import numeric_gradient, relative_error
from solutions.convnet import ConvNet
from solutions.network_cost import network_cost
from solutions.three_layer_convnet import ThreeLayerConvNet
from solutions.update_rules import adam, sgd_momentum

DEEP = [conv(4, 3), conv(5, 3), max_pool(2), conv(6, 3), avg_pool(2), fc(7)]


def as_torch(net, layers, C):
    """The same net in torch, in float64, with the same weights. Returns (module, its arrays)."""
    steps, arrays, number, flat = [], {}, 0, False
    for layer in [*layers, None]:
        kind = layer["kind"] if layer else "fc"
        if "pool" in kind:
            pool = nn.MaxPool2d if kind == "max_pool" else nn.AvgPool2d
            steps.append(pool((layer["pool_height"], layer["pool_width"]), layer["stride"]))
            continue
        number += 1
        W, b = (torch.tensor(np.float64(net.params[f"{n}{number}"])) for n in "Wb")
        if kind == "conv":
            module = nn.Conv2d(C, len(b), layer["kernel"], layer["stride"], layer["pad"])
            C = len(b)
        else:
            steps += [] if flat else [nn.Flatten()]
            flat, module = True, nn.Linear(*W.shape)
            W = W.T
        module.weight, module.bias = nn.Parameter(W), nn.Parameter(b)
        arrays |= {f"W{number}": module.weight, f"b{number}": module.bias}
        steps.append(module)
        if kind == "conv" and net.bn_params:
            norm = nn.BatchNorm2d(C, dtype=torch.float64)
            gamma, beta = (torch.tensor(np.float64(net.params[f"{n}{number}"])) for n in NORM)
            norm.weight, norm.bias = nn.Parameter(gamma), nn.Parameter(beta)
            arrays |= {f"gamma{number}": norm.weight, f"beta{number}": norm.bias}
            steps.append(norm)
        if layer is not None:
            steps.append(nn.ReLU())
    return nn.Sequential(*steps), arrays


NORM = ("gamma", "beta")


def shaken(net, seed=0):
    """Biases, gammas and betas that are not 0 and 1."""
    rng = np.random.default_rng(seed)
    for name, array in net.params.items():
        if name[0] != "W":
            net.params[name] = array + 0.3 * rng.standard_normal(array.shape).astype(array.dtype)
    return net


def batch(N=4, shape=(3, 8, 8), classes=10, seed=1):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N, *shape)), rng.integers(0, classes, N)


conv_layers = st.builds(
    conv, st.integers(1, 3), st.sampled_from([1, 3]), st.just(1), st.sampled_from([None, 0, 1])
)
blocks = st.tuples(
    st.lists(conv_layers, max_size=2), st.sampled_from([[], [max_pool(2)], [avg_pool(2)]])
)
nets = st.tuples(
    st.lists(blocks, max_size=2), st.lists(st.builds(fc, st.integers(1, 4)), max_size=2)
)


def same_way(name, gradient):
    return gradient.T if name[0] == "W" and gradient.ndim == 2 else gradient


@settings(max_examples=60)
@given(nets, st.booleans(), st.sampled_from([(1, 9, 11), (2, 12, 10)]), st.integers(0, 2**32))
def test_scores_loss_and_gradients_are_torchs(parts, batchnorm, shape, seed):
    layers = [layer for convs, pool in parts[0] for layer in (*convs, *pool)] + parts[1]
    if any(min(row[1]) < 1 for row in network_cost(layers, shape)):
        return  # nothing is left of the image
    options = {"reg": 0.3, "batchnorm": batchnorm, "dtype": np.float64, "seed": seed}
    net = shaken(ConvNet(layers, shape, 5, **options), seed)
    X, y = batch(3, shape, 5, seed)
    module, arrays = as_torch(net, layers, shape[0])
    x = torch.tensor(X, requires_grad=True)
    scores = module(x)
    penalty = sum(array.square().sum() for name, array in arrays.items() if name[0] == "W")
    expected = nn.functional.cross_entropy(scores, torch.tensor(y)) + 0.3 / 2 * penalty
    expected.backward()

    loss, grads = net.loss(X, y)
    assert loss == pytest.approx(expected.item(), rel=1e-9)
    assert grads.keys() == net.params.keys() == arrays.keys()
    for name, array in arrays.items():
        assert_allclose(grads[name], same_way(name, array.grad.numpy()), rtol=1e-6, atol=1e-8)
    module.eval()
    if not batchnorm:  # else the running averages differ: torch divides by one less
        assert_allclose(net.loss(X), module(x).detach().numpy(), rtol=1e-9, atol=1e-10)


def test_running_averages_are_used_in_testing():
    net = shaken(ConvNet(DEEP, (3, 8, 8), batchnorm=True, dtype=np.float64, seed=0))
    module, _ = as_torch(net, DEEP, 3)
    norms = [step for step in module if isinstance(step, nn.BatchNorm2d)]
    rng = np.random.default_rng(0)
    for param, norm in zip(net.bn_params, norms, strict=True):
        mean, var = rng.standard_normal(norm.num_features), rng.uniform(1, 2, norm.num_features)
        param |= {"running_mean": mean, "running_var": var}
        norm.running_mean, norm.running_var = torch.tensor(mean), torch.tensor(var)
    X, y = batch()
    module.eval()
    assert_allclose(net.loss(X), module(torch.tensor(X)).detach().numpy(), atol=1e-12)
    assert_allclose(net.loss(X[:1]), net.loss(X)[:1], atol=1e-12)
    before = [param["running_mean"].copy() for param in net.bn_params]
    net.loss(X)
    for param, mean in zip(net.bn_params, before, strict=True):
        assert_array_equal(param["running_mean"], mean)
    net.loss(X, y)
    assert not np.allclose(net.bn_params[0]["running_mean"], before[0])


@pytest.mark.parametrize("options", [{}, {"batchnorm": True}, {"dropout_keep_ratio": 0.6}], ids=str)
def test_numeric_gradient(options):
    layers = [conv(2, 3), max_pool(2), fc(4), fc(3)]
    net = shaken(ConvNet(layers, (2, 4, 4), 3, reg=0.1, dtype=np.float64, seed=1, **options))
    net.dropout_param["seed"] = 5
    X, y = batch(4, (2, 4, 4), 3)
    _, grads = net.loss(X, y)
    for name, value in net.params.items():

        def moved(numbers, name=name, value=value):
            net.params[name] = numbers
            loss = net.loss(X, y)[0]
            net.params[name] = value
            return loss

        expected = numeric_gradient(moved, value, np.array(1.0))
        if options.get("batchnorm") and name == "b1":  # the mean takes it away again
            assert_allclose(grads[name], 0, atol=1e-12)
        else:
            assert relative_error(grads[name], expected) < 1e-6


def test_three_layers_are_the_three_layer_net():
    np.random.seed(0)
    known = ThreeLayerConvNet((3, 8, 8), 4, 5, 6, weight_scale=0.3, reg=0.2)
    net = ConvNet([conv(4, 5), max_pool(2), fc(6)], (3, 8, 8), reg=0.2)
    net.params = known.params
    X, y = batch()
    (loss, grads), (expected, others) = net.loss(X, y), known.loss(X, y)
    assert loss == pytest.approx(expected, rel=1e-6)
    for name, gradient in others.items():
        assert_allclose(grads[name], gradient, rtol=1e-4, atol=1e-6)


def test_the_start_is_hes():
    net = ConvNet([conv(64, 3), conv(64, 3), max_pool(4), fc(300)], batchnorm=True, seed=0)
    inputs = {"W1": 27, "W2": 576, "W3": 64 * 64}
    for name, count in inputs.items():
        assert net.params[name].std() == pytest.approx(np.sqrt(2 / count), rel=0.05)
        assert abs(net.params[name].mean()) < 0.1 * net.params[name].std()
    assert net.params["W4"].std() == pytest.approx(0.1 * np.sqrt(2 / 300), rel=0.05)
    assert not any(net.params[f"{n}{k}"].any() for n, k in (("b", 1), ("b", 4), ("beta", 2)))
    assert (net.params["gamma2"] == 1).all()
    assert net.params.keys() == {
        *(f"{n}{k}" for n in "Wb" for k in (1, 2, 3, 4)), *(f"{n}{k}" for n in NORM for k in (1, 2))
    }  # fmt: skip


def test_numbers_keep_their_size_in_a_deep_net():
    net = ConvNet([conv(16, 3)] * 12, (3, 16, 16), seed=0)
    outs, _ = net.forward(batch(8, (3, 16, 16))[0])
    sizes = [np.sqrt(np.mean(out**2)) for out in outs[1::2]]  # after each ReLU
    assert min(sizes) > 0.3 and max(sizes) < 3


def test_the_loss_starts_near_log_10_and_the_penalty_adds():
    X, y = batch(50, (3, 16, 16))
    net = ConvNet([conv(8, 3), max_pool(2), fc(50)], (3, 16, 16), seed=0)
    plain = net.loss(X, y)[0]
    assert plain == pytest.approx(np.log(10), abs=0.03)
    net.reg = 0.1
    assert net.loss(X, y)[0] > plain + 1


@pytest.mark.parametrize("options", [{}, {"batchnorm": True, "dropout_keep_ratio": 0.9}], ids=str)
@pytest.mark.parametrize("rule, rate", [(adam, 5e-3), (sgd_momentum, 2e-2)])
def test_a_tiny_set_is_learned_by_heart(options, rule, rate):
    np.random.seed(0)
    net = ConvNet([conv(8, 3), max_pool(2), fc(30)], (3, 8, 8), seed=0, **options)
    X, y = batch(30)
    X = X.astype(np.float32)
    configs = {name: {"learning_rate": rate} for name in net.params}
    for _ in range(60):
        _, grads = net.loss(X, y)
        for name, gradient in grads.items():
            net.params[name], configs[name] = rule(net.params[name], gradient, configs[name])
    assert np.mean(net.loss(X).argmax(axis=1) == y) == 1


def test_lenet5_in_one_line():
    net = ConvNet(LENET5, input_dim=(1, 32, 32))
    assert sum(array.size for array in net.params.values()) == 61_706
    assert net.loss(np.zeros((2, 1, 32, 32))).shape == (2, 10)
    assert [step[0] for step in net.steps] == [
        "conv1", "relu1", "max_pool1", "conv2", "relu2", "max_pool2",
        "fc3", "relu3", "fc4", "relu4", "fc5",
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keeps_the_dtype_and_its_inputs(dtype):
    """in every array of the way there and back, and in the running averages"""
    net = ConvNet(
        DEEP, (3, 8, 8), reg=0.1, batchnorm=True, dropout_keep_ratio=0.5, dtype=dtype, seed=0
    )
    X, y = batch()
    for array in (X, y, *net.params.values()):
        array.flags.writeable = False
    outs, caches = net.forward(X, "train")
    dX, _ = net.backward(np.ones_like(outs[-1]), caches)
    loss, grads = net.loss(X, y)
    averages = [array for p in net.bn_params for array in p.values() if np.ndim(array)]
    arrays = [*outs, dX, *grads.values(), *averages, net.loss(X), np.asarray(loss)]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}
    assert all(grads[name].shape == array.shape for name, array in net.params.items())


def test_dropout_drops_only_in_training():
    net = ConvNet([fc(40)], (1, 4, 4), dropout_keep_ratio=0.5, seed=0)
    X, y = batch(5, (1, 4, 4))
    np.random.seed(0)
    assert net.loss(X, y)[0] != net.loss(X, y)[0]
    assert_array_equal(net.loss(X), net.loss(X))
    dropped = net.forward(X, "train")[0][-2]
    assert 0.6 < np.mean(dropped == 0) < 0.9  # half by the ReLU, half of the rest by dropout
    assert "dropout1" in [step[0] for step in net.steps]


def test_the_gradient_of_a_score_with_respect_to_the_picture():
    net = shaken(ConvNet(DEEP, (3, 8, 8), batchnorm=True, dtype=np.float64, seed=0))
    X, _ = batch(1)
    _, caches = net.forward(X)
    dscores = np.eye(10)[[3]]
    dX, _ = net.backward(dscores, caches)
    expected = numeric_gradient(lambda x: net.forward(x)[0][-1], X, dscores)
    assert relative_error(dX, expected) < 1e-6


def test_the_way_back_can_start_in_the_middle():
    net = shaken(ConvNet(DEEP, (3, 8, 8), dtype=np.float64, seed=0))
    X, _ = batch(1)
    outs, caches = net.forward(X)
    steps = 1 + [step[0] for step in net.steps].index("relu3")
    dout = np.zeros_like(outs[steps - 1])
    dout[0, 2, 1, 1] = 1
    dX, grads = net.backward(dout, caches[:steps])
    expected = numeric_gradient(lambda x: net.forward(x)[0][steps - 1], X, dout)
    assert relative_error(dX, expected) < 1e-6
    assert grads.keys() == {"W1", "b1", "W2", "b2", "W3", "b3"}


def test_guided_lets_only_what_helps_through():
    """by torch, with a hook at each ReLU"""
    layers = [conv(6, 3), conv(6, 3), max_pool(2), fc(8)]
    net = shaken(ConvNet(layers, (3, 8, 8), dtype=np.float64, seed=0))
    X, _ = batch(2)
    module, _ = as_torch(net, layers, 3)
    x = torch.tensor(X, requires_grad=True)
    out = x
    for step in module:
        out = step(out)
        if isinstance(step, nn.ReLU):
            out.register_hook(lambda gradient: gradient.clamp(min=0))
    dscores = np.eye(10)[[3, 7]]
    out.backward(torch.tensor(dscores))
    _, caches = net.forward(X)
    guided, _ = net.backward(dscores, caches, guided=True)
    assert_allclose(guided, x.grad.numpy(), atol=1e-12)
    assert not np.allclose(guided, net.backward(dscores, caches)[0])


@pytest.mark.parametrize("layer", [{"kind": "conv2d"}, conv(4, 3, groups=2)], ids=str)
def test_what_a_convnet_does_not_have_is_told(layer):
    with pytest.raises(ValueError, match=r"has no layer \{'kind': 'conv"):
        ConvNet([layer], (2, 4, 4))
