"""The three-layer ConvNet in PyTorch, three times: bare tensors, a module, a list of layers."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def three_layer_convnet(x, params):
    """Compute the scores of ThreeLayerConvNet with bare tensors:

        conv - relu - 2x2 max pool - affine - relu - affine

    The convolution has stride 1 and (k - 1) / 2 rows and columns of zeros on each side, so that
    height and width stay. The pooling has stride 2.

    Args:
        x: images, a tensor of shape (N, C, H, W); H and W are even
        params: dict of tensors, as ThreeLayerConvNet has them in NumPy:
            'W1' (F, C, k, k), 'b1' (F,): k is odd
            'W2' (F * H/2 * W/2, hidden), 'b2' (hidden,)
            'W3' (hidden, classes), 'b3' (classes,)

    Returns:
        scores: a tensor of shape (N, classes), of x's dtype and on x's device. Autograd can go
            back through it, to every tensor in params.

    Works for tensors on any device, and for float32 and float64. x and params are left as they
    were.

    F.conv2d, F.relu and F.max_pool2d are the layers that you wrote; @ multiplies matrices.
    """
    ### BEGIN SOLUTION
    out = F.conv2d(x, params["W1"], params["b1"], padding=(params["W1"].shape[-1] - 1) // 2)
    out = F.max_pool2d(F.relu(out), 2)
    out = F.relu(out.flatten(1) @ params["W2"] + params["b2"])
    return out @ params["W3"] + params["b3"]
    ### END SOLUTION


def loss_and_gradients(x, y, params):
    """Compute the loss of three_layer_convnet and its gradients, which autograd works out.

    Args:
        x: images, a tensor of shape (N, C, H, W)
        y: the right classes, a tensor of shape (N,), int64
        params: dict of tensors, as in three_layer_convnet

    Returns:
        (loss, grads)
        loss: the softmax loss (cross-entropy), the mean over the images: a tensor without axes,
            which holds on to no graph (loss.requires_grad is False). There is no penalty for large
            weights here.
        grads: dict with the keys of params; each holds the gradient of loss, a tensor of that
            tensor's shape and dtype

    params are left as they were: the same values, no .grad, and those that did not require a
    gradient before still do not. So calling it twice gives the same answer twice.

    No formula of a gradient is needed. torch.autograd.grad returns gradients; loss.backward() adds
    them to .grad. tensor.detach() is the same numbers, outside of any graph.
    """
    ### BEGIN SOLUTION
    own = {name: tensor.detach().requires_grad_() for name, tensor in params.items()}
    loss = F.cross_entropy(three_layer_convnet(x, own), y)
    gradients = torch.autograd.grad(loss, tuple(own.values()))
    return loss.detach(), dict(zip(own, gradients, strict=True))
    ### END SOLUTION


class TorchConvNet(nn.Module):
    """The same ConvNet as a module, which holds its weights itself:

        conv - relu - 2x2 max pool - affine - relu - affine

    It has three layers with weights, as attributes:
        conv: nn.Conv2d, with stride 1 and as much padding as keeps the height and width
        fc1: nn.Linear, from num_filters * H/2 * W/2 numbers to hidden_dim
        fc2: nn.Linear, from hidden_dim numbers to num_classes scores
    """

    def __init__(
        self, input_dim=(3, 32, 32), num_filters=32, filter_size=7, hidden_dim=100, num_classes=10
    ):
        """Make the layers: the weights random, by He's rule, the biases zero.

        Args:
            input_dim: (C, H, W) of an image; H and W are even
            num_filters, filter_size: of the convolution; filter_size is odd, and
                (filter_size - 1) / 2 the padding
            hidden_dim: how many numbers the first affine layer makes
            num_classes: how many scores the second one makes

        He's rule for all three weights: a normal distribution with mean 0 and the standard
        deviation sqrt(2 / inputs), where inputs counts the numbers that go into one output. See
        nn.init.kaiming_normal_ with nonlinearity="relu". (PyTorch starts with other numbers: the
        layers are made with some, and you overwrite them.)
        Source: He et al., "Delving deep into rectifiers" (arXiv:1502.01852).
        """
        super().__init__()
        ### BEGIN SOLUTION
        C, H, W = input_dim
        self.conv = nn.Conv2d(C, num_filters, filter_size, padding=(filter_size - 1) // 2)
        self.fc1 = nn.Linear(num_filters * (H // 2) * (W // 2), hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, num_classes)
        for layer in (self.conv, self.fc1, self.fc2):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        ### END SOLUTION

    def forward(self, x):
        """Compute the scores of a batch.

        Args:
            x: images, a tensor of shape (N, C, H, W), of the weights' dtype and on their device

        Returns:
            scores: a tensor of shape (N, num_classes)
        """
        ### BEGIN SOLUTION
        out = F.max_pool2d(F.relu(self.conv(x)), 2)
        return self.fc2(F.relu(self.fc1(out.flatten(1))))
        ### END SOLUTION


def sequential_convnet(
    input_dim=(3, 32, 32), num_filters=32, filter_size=7, hidden_dim=100, num_classes=10
):
    """Make the same ConvNet as a list of layers, without a class of your own.

    Args:
        input_dim, num_filters, filter_size, hidden_dim, num_classes: as in TorchConvNet

    Returns:
        an nn.Sequential of seven layers, in this order: Conv2d, ReLU, MaxPool2d, Flatten, Linear,
        ReLU, Linear. Called with images, a tensor of shape (N, C, H, W), it returns scores of shape
        (N, num_classes).

    The weights are those that PyTorch starts with.
    """
    ### BEGIN SOLUTION
    C, H, W = input_dim
    return nn.Sequential(
        nn.Conv2d(C, num_filters, filter_size, padding=(filter_size - 1) // 2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(num_filters * (H // 2) * (W // 2), hidden_dim),
        nn.ReLU(),
        nn.Linear(hidden_dim, num_classes),
    )
    ### END SOLUTION


def copy_weights(params, model):
    """Carry the weights of your NumPy net into a PyTorch module, which then gives the same scores.

    Args:
        params: dict of NumPy arrays, the params of a ThreeLayerConvNet:
            'W1' (F, C, k, k), 'b1' (F,)
            'W2' (inputs, hidden), 'b2' (hidden,)
            'W3' (hidden, classes), 'b3' (classes,)
        model: a TorchConvNet, or what sequential_convnet returns. In the order of model.modules(),
            it has one nn.Conv2d, and then two nn.Linear. Its weights are overwritten in place; they
            keep their dtype, their device and their requires_grad.

    Returns:
        None

    Raises:
        ValueError: the model has not one Conv2d and two Linear, or a shape does not fit; the
            message names the array and both shapes. The model is as it was then.

    nn.Linear stores its weight as (outputs, inputs), the other way round than your affine layer;
    two shapes may fit although the numbers stand the wrong way round. The copies do not share
    memory with params. Overwrite inside torch.no_grad(): a graph has no place for it.
    """
    ### BEGIN SOLUTION
    convolutions = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    affines = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    if len(convolutions) != 1 or len(affines) != 2:
        raise ValueError(
            f"the model has {len(convolutions)} Conv2d and {len(affines)} Linear, where the "
            "three-layer ConvNet has one and two"
        )
    pairs = []
    for number, layer in enumerate([*convolutions, *affines], start=1):
        weight = params[f"W{number}"] if number == 1 else params[f"W{number}"].T
        pairs += [
            (f"W{number}", layer.weight, weight),
            (f"b{number}", layer.bias, params[f"b{number}"]),
        ]
    for name, parameter, array in pairs:
        if tuple(parameter.shape) != array.shape:
            raise ValueError(
                f"{name} does not fit: the layer stores the shape {tuple(parameter.shape)}, and "
                f"{name}, in the layer's order, has {array.shape}"
            )
    with torch.no_grad():
        for _, parameter, array in pairs:
            parameter.copy_(torch.tensor(array))
    ### END SOLUTION
