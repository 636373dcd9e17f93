"""The ConvNet in PyTorch, in all its three ways, against the same net in NumPy."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from solutions.three_layer_convnet import ThreeLayerConvNet
from solutions.torch_convnet import (
    TorchConvNet,
    copy_weights,
    loss_and_gradients,
    sequential_convnet,
    three_layer_convnet,
)

SIZES = {"input_dim": (2, 6, 8), "num_filters": 3, "hidden_dim": 5, "num_classes": 4}
MAKE = {"module": TorchConvNet, "sequential": sequential_convnet}
sizes_of_filters = pytest.mark.parametrize("filter_size", [1, 3, 5])
ways = pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)


def numpy_net(filter_size=3, **settings):
    np.random.seed(0)
    sizes = {**SIZES, "filter_size": filter_size, **settings}
    net = ThreeLayerConvNet(**sizes, weight_scale=0.5, dtype=np.float64)
    for name in ("b1", "b2", "b3"):
        net.params[name] += np.random.randn(*net.params[name].shape)
    return net


def batch(N=4):
    rng = np.random.default_rng(1)
    return rng.standard_normal((N, 2, 6, 8)), rng.integers(0, 4, N)


def tensors(params):
    return {name: torch.tensor(array) for name, array in params.items()}


@sizes_of_filters
def test_bare_tensors_are_the_numpy_net(filter_size):
    net, (X, y) = numpy_net(filter_size), batch()
    params = tensors(net.params)
    scores = three_layer_convnet(torch.tensor(X), params)
    assert_allclose(scores.numpy(), net.loss(X), atol=1e-12)
    expected, gradients = net.loss(X, y)
    loss, grads = loss_and_gradients(torch.tensor(X), torch.tensor(y), params)
    assert loss.shape == () and loss.item() == pytest.approx(expected, rel=1e-12)
    assert grads.keys() == gradients.keys()
    for name, gradient in gradients.items():
        assert grads[name].dtype == torch.float64
        assert_allclose(grads[name].numpy(), gradient, atol=1e-12)


@sizes_of_filters
@ways
def test_carried_weights_give_the_numpy_nets_scores_loss_and_gradients(make, filter_size):
    net, (X, y) = numpy_net(filter_size), batch()
    model = make(**SIZES, filter_size=filter_size).double()
    assert copy_weights(net.params, model) is None
    scores = model(torch.tensor(X))
    assert_allclose(scores.detach().numpy(), net.loss(X), atol=1e-12)
    loss = nn.functional.cross_entropy(scores, torch.tensor(y))
    loss.backward()
    expected, grads = net.loss(X, y)
    assert loss.item() == pytest.approx(expected, rel=1e-12)
    conv, fc1, fc2 = (m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear))
    for name, layer, back in (
        ("1", conv, lambda a: a),
        ("2", fc1, np.transpose),
        ("3", fc2, np.transpose),
    ):
        assert_allclose(back(layer.weight.grad.numpy()), grads["W" + name], atol=1e-12)
        assert_allclose(layer.bias.grad.numpy(), grads["b" + name], atol=1e-12)


def test_gradients_leave_the_parameters_alone():
    (X, y), params = batch(), tensors(numpy_net().params)
    params["W2"].requires_grad_()
    before = {name: tensor.detach().clone() for name, tensor in params.items()}
    first = loss_and_gradients(torch.tensor(X), torch.tensor(y), params)
    again = loss_and_gradients(torch.tensor(X), torch.tensor(y), params)
    assert not first[0].requires_grad and first[0].grad_fn is None
    for name, tensor in params.items():
        assert tensor.requires_grad == (name == "W2") and tensor.grad is None
        assert torch.equal(tensor.detach(), before[name])
        assert torch.equal(first[1][name], again[1][name])


def test_autograd_goes_back_through_the_scores():
    params = {name: t.requires_grad_() for name, t in tensors(numpy_net().params).items()}
    three_layer_convnet(torch.tensor(batch()[0]), params).square().sum().backward()
    assert all(tensor.grad.abs().sum() > 0 for tensor in params.values())


def test_float32_stays():
    params = {name: tensor.float() for name, tensor in tensors(numpy_net().params).items()}
    X, y = batch()
    X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
    assert three_layer_convnet(X, params).dtype == torch.float32
    loss, grads = loss_and_gradients(X, y, params)
    assert {t.dtype for t in (loss, *grads.values())} == {torch.float32}


def test_the_module_starts_by_hes_rule():
    torch.manual_seed(0)
    model = TorchConvNet((3, 32, 32), num_filters=40, hidden_dim=120, num_classes=50)
    for layer, inputs in ((model.conv, 3 * 49), (model.fc1, 40 * 256), (model.fc2, 120)):
        weight = layer.weight.detach().numpy()
        assert weight.std() == pytest.approx(np.sqrt(2 / inputs), rel=0.05)
        assert abs(weight.mean()) < 0.1 * weight.std()
        assert_array_equal(layer.bias.detach().numpy(), 0)


def test_names_and_defaults():
    shapes = {name: tuple(t.shape) for name, t in TorchConvNet().state_dict().items()}
    assert shapes == {
        "conv.weight": (32, 3, 7, 7), "conv.bias": (32,),
        "fc1.weight": (100, 8192), "fc1.bias": (100,),
        "fc2.weight": (10, 100), "fc2.bias": (10,),
    }  # fmt: skip
    layers = [nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.Flatten, nn.Linear, nn.ReLU, nn.Linear]
    assert [type(layer) for layer in sequential_convnet()] == layers
    of_list = [tuple(tensor.shape) for tensor in sequential_convnet().state_dict().values()]
    assert of_list == list(shapes.values())


@ways
def test_copies_are_the_models_own_in_its_dtype(make):
    net, model = numpy_net(), make(**SIZES, filter_size=3)
    parameters = list(model.parameters())
    parameters[0].requires_grad_(False)
    for array in net.params.values():
        array.flags.writeable = False  # as what is read from a file may be
    copy_weights(net.params, model)
    copied = [parameter.detach().clone() for parameter in parameters]
    for name, array in net.params.items():
        net.params[name] = array.copy()
        array.flags.writeable = True
        array += 1
    assert [a is b for a, b in zip(parameters, model.parameters(), strict=True)] == [True] * 6
    assert all(torch.equal(a, b.detach()) for a, b in zip(copied, parameters, strict=True))
    assert {parameter.dtype for parameter in parameters} == {torch.float32}
    assert [parameter.requires_grad for parameter in parameters] == [False, *[True] * 5]
    assert all(parameter.is_leaf for parameter in parameters)


@ways
@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2", "W3", "b3"])
def test_what_does_not_fit_changes_nothing(make, name):
    net, model = numpy_net(), make(**SIZES, filter_size=3)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    net.params[name] = np.concatenate([net.params[name], net.params[name][:1]])
    with pytest.raises(ValueError, match=rf"{name} does not fit"):
        copy_weights(net.params, model)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_other_models_are_refused():
    with pytest.raises(ValueError, match="2 Conv2d and 0 Linear"):
        copy_weights(numpy_net().params, nn.Sequential(nn.Conv2d(2, 3, 3), nn.Conv2d(3, 3, 3)))


@ways
def test_a_small_batch_is_learned_by_heart(make):
    torch.manual_seed(0)
    X, y = (torch.tensor(a) for a in batch(8))
    model = make(**SIZES, filter_size=3).double()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(X), y).backward()
        optimizer.step()
    assert torch.equal(model(X).argmax(1), y)
