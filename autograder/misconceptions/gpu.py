"""The typical bugs of assignment 5.

Each function or class runs inside the student's kernel too, pasted there by its source: it may use
what the notebook imports (np, torch, nn, F, time, cuda, TILE, PATCH), ``reference``, and its
arguments, nothing else. Its docstring is the hint. A wrong module is a subclass of the right one. A
wrong CUDA kernel stands on its own: a kernel calls no other.
"""

import time
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from autograder.diagnose import misconception
from cnnlab.simulator import PATCH, TILE, cuda
from solutions import (
    cuda_convolution,
    cuda_pooling,
    design_resnet,
    honest_timing,
    module_cost,
    residual_network,
    torch_convnet,
    torch_training,
)

reference = SimpleNamespace(
    three_layer_convnet=torch_convnet.three_layer_convnet,
    loss_and_gradients=torch_convnet.loss_and_gradients,
    TorchConvNet=torch_convnet.TorchConvNet,
    sequential_convnet=torch_convnet.sequential_convnet,
    copy_weights=torch_convnet.copy_weights,
    module_cost=module_cost.module_cost,
    honest_time=honest_timing.honest_time,
    crop_and_flip=torch_training.crop_and_flip,
    train_epoch=torch_training.train_epoch,
    evaluate=torch_training.evaluate,
    ResidualBlock=residual_network.ResidualBlock,
    design_resnet=design_resnet.design_resnet,
    conv_kernel=cuda_convolution.conv_kernel,
    conv_tiled_kernel=cuda_convolution.conv_tiled_kernel,
    max_pool_kernel=cuda_pooling.max_pool_kernel,
    conv_on_device=cuda_convolution.conv_on_device,
)


# --- three_layer_convnet --------------------------------------------------------------------------


@misconception("three_layer_convnet")
def forgets_the_padding_of_bare_tensors(x, params):
    """The convolution has no padding, so its output is smaller than the image. Pad by
    (filter_size - 1) / 2: padding=k // 2."""
    out = F.max_pool2d(F.relu(F.conv2d(x, params["W1"], params["b1"])), 2)
    hidden = F.relu(out.flatten(1) @ params["W2"] + params["b2"])
    return hidden @ params["W3"] + params["b3"]


@misconception("three_layer_convnet")
def takes_weights_as_pytorch_stores_them(x, params):
    """F.linear(x, W) wants W as nn.Linear stores it, (outputs, inputs). Here W2 and W3 are (inputs,
    outputs), as in the NumPy net: multiply with @, or hand W.T on."""
    out = F.conv2d(x, params["W1"], params["b1"], padding=params["W1"].shape[2] // 2)
    out = F.max_pool2d(F.relu(out), 2).flatten(1)
    hidden = F.relu(F.linear(out, params["W2"], params["b2"]))
    return F.linear(hidden, params["W3"], params["b3"])


@misconception("three_layer_convnet")
def leaves_out_the_relu_behind_the_convolution(x, params):
    """The ReLU between the convolution and the pooling is missing."""
    out = F.conv2d(x, params["W1"], params["b1"], padding=params["W1"].shape[2] // 2)
    hidden = F.relu(F.max_pool2d(out, 2).flatten(1) @ params["W2"] + params["b2"])
    return hidden @ params["W3"] + params["b3"]


@misconception("three_layer_convnet")
def leaves_out_the_relu_of_the_hidden_layer(x, params):
    """The ReLU between the two affine layers is missing: without it they are one affine layer."""
    out = F.conv2d(x, params["W1"], params["b1"], padding=params["W1"].shape[2] // 2)
    hidden = F.max_pool2d(F.relu(out), 2).flatten(1) @ params["W2"] + params["b2"]
    return hidden @ params["W3"] + params["b3"]


@misconception("three_layer_convnet")
def cuts_the_scores_off_at_zero(x, params):
    """The scores are cut off at 0. The last affine layer has no ReLU: scores may be negative."""
    return F.relu(reference.three_layer_convnet(x, params))


@misconception("three_layer_convnet")
def gives_shares_for_scores(x, params):
    """The scores went through a softmax. F.cross_entropy does that itself: return the scores."""
    return F.softmax(reference.three_layer_convnet(x, params), dim=1)


@misconception("three_layer_convnet")
def pools_by_averages(x, params):
    """The pooling is average pooling. This net has max pooling."""
    out = F.conv2d(x, params["W1"], params["b1"], padding=params["W1"].shape[2] // 2)
    hidden = F.relu(F.avg_pool2d(F.relu(out), 2).flatten(1) @ params["W2"] + params["b2"])
    return hidden @ params["W3"] + params["b3"]


@misconception("three_layer_convnet")
def cuts_the_scores_off_from_their_graph(x, params):
    """The numbers are right, but detach(), .data or torch.no_grad() cut them off from how they were
    made: no gradient can come back to the weights."""
    return reference.three_layer_convnet(x, params).detach()


# --- loss_and_gradients ---------------------------------------------------------------------------


@misconception("loss_and_gradients")
def adds_up_the_losses_of_the_images(x, y, params):
    """Loss and gradients are sums over the images. The loss is their mean, as F.cross_entropy gives
    it by itself."""
    loss, grads = reference.loss_and_gradients(x, y, params)
    return len(x) * loss, {name: len(x) * gradient for name, gradient in grads.items()}


@misconception("loss_and_gradients")
def divides_by_the_images_once_more(x, y, params):
    """The gradients are divided by the number of images once more: the loss is a mean already, and
    so are its gradients."""
    loss, grads = reference.loss_and_gradients(x, y, params)
    return loss, {name: gradient / len(x) for name, gradient in grads.items()}


@misconception("loss_and_gradients")
def takes_the_softmax_twice(x, y, params):
    """The scores went through a softmax before F.cross_entropy, which takes one itself. Hand it the
    scores."""
    leaves = {name: p.detach().requires_grad_() for name, p in params.items()}
    scores = reference.three_layer_convnet(x, leaves)
    loss = F.cross_entropy(F.softmax(scores, dim=1), y)
    grads = torch.autograd.grad(loss, list(leaves.values()))
    return loss.detach(), dict(zip(leaves, grads, strict=True))


@misconception("loss_and_gradients")
def keeps_the_graph_of_the_loss(x, y, params):
    """The loss still holds on to its graph, and with it to all that the forward pass computed. Who
    keeps a list of such losses runs out of memory. Return loss.detach()."""
    leaves = {name: p.detach().requires_grad_() for name, p in params.items()}
    loss = F.cross_entropy(reference.three_layer_convnet(x, leaves), y)
    grads = torch.autograd.grad(loss, list(leaves.values()), retain_graph=True)
    return loss, dict(zip(leaves, grads, strict=True))


@misconception("loss_and_gradients")
def leaves_params_asking_for_gradients(x, y, params):
    """params themselves were switched to requires_grad, and stay so after the call: all that anyone
    computes with them is recorded from now on. Use tensors of your own:
    p.detach().requires_grad_()."""
    for p in params.values():
        p.requires_grad_(True)
    loss = F.cross_entropy(reference.three_layer_convnet(x, params), y)
    grads = torch.autograd.grad(loss, list(params.values()))
    return loss.detach(), dict(zip(params, grads, strict=True))


@misconception("loss_and_gradients")
def lets_the_gradients_add_up(x, y, params):
    """The second call gives the sum of both calls' gradients: backward() adds to what is in .grad.
    Begin with fresh tensors, or set .grad to None."""
    for p in params.values():
        p.requires_grad_(True)
    loss = F.cross_entropy(reference.three_layer_convnet(x, params), y)
    loss.backward()
    grads = {name: p.grad for name, p in params.items()}
    for p in params.values():
        p.requires_grad_(False)
    return loss.detach(), grads


@misconception("loss_and_gradients")
def turns_the_gradients_into_arrays(x, y, params):
    """The gradients are NumPy arrays. On a GPU each .numpy() would wait and copy: return the
    tensors."""
    loss, grads = reference.loss_and_gradients(x, y, params)
    return loss, {name: gradient.numpy() for name, gradient in grads.items()}


# --- TorchConvNet ---------------------------------------------------------------------------------


@misconception("TorchConvNet")
class starts_the_module_with_zeros(reference.TorchConvNet):
    """All weights are 0 at first. Then all filters get the same gradient, and stay alike: draw them
    with nn.init.kaiming_normal_."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.zero_()


@misconception("TorchConvNet")
class leaves_out_the_relu_behind_the_modules_convolution(reference.TorchConvNet):
    """The ReLU between the convolution and the pooling is missing."""

    def forward(self, x):
        out = F.max_pool2d(self.conv(x), 2)
        return self.fc2(F.relu(self.fc1(out.flatten(1))))


@misconception("TorchConvNet")
class leaves_out_the_relu_of_the_modules_hidden_layer(reference.TorchConvNet):
    """The ReLU between the two affine layers is missing: without it they are one affine layer."""

    def forward(self, x):
        out = F.max_pool2d(F.relu(self.conv(x)), 2)
        return self.fc2(self.fc1(out.flatten(1)))


@misconception("TorchConvNet")
class cuts_the_modules_scores_off_at_zero(reference.TorchConvNet):
    """The scores are cut off at 0. The last affine layer has no ReLU: scores may be negative."""

    def forward(self, x):
        return F.relu(super().forward(x))


@misconception("TorchConvNet")
class gives_shares_for_the_modules_scores(reference.TorchConvNet):
    """The scores went through a softmax. F.cross_entropy does that itself: return the scores."""

    def forward(self, x):
        return F.softmax(super().forward(x), dim=1)


@misconception("TorchConvNet")
class pools_the_module_by_averages(reference.TorchConvNet):
    """The pooling is average pooling. This net has max pooling."""

    def forward(self, x):
        out = F.avg_pool2d(F.relu(self.conv(x)), 2)
        return self.fc2(F.relu(self.fc1(out.flatten(1))))


@misconception("TorchConvNet")
class computes_without_a_graph(reference.TorchConvNet):
    """forward works on detach() or .data, or under torch.no_grad(): the scores are right, but no
    gradient can come back to the weights."""

    def forward(self, x):
        with torch.no_grad():
            return super().forward(x)


# --- sequential_convnet ---------------------------------------------------------------------------


@misconception("sequential_convnet")
def pads_every_filter_by_one(
    input_dim=(3, 32, 32), num_filters=32, filter_size=7, hidden_dim=100, num_classes=10
):
    """The padding is always 1, which fits filters of 3x3 only: it is (filter_size - 1) / 2."""
    model = reference.sequential_convnet(
        input_dim, num_filters, filter_size, hidden_dim, num_classes
    )
    model[0].padding = (1, 1)
    return model


@misconception("sequential_convnet")
def forgets_the_padding_of_the_sequence(
    input_dim=(3, 32, 32), num_filters=32, filter_size=7, hidden_dim=100, num_classes=10
):
    """The convolution has no padding, so fewer numbers arrive at the affine layer than it has
    inputs: padding=filter_size // 2."""
    model = reference.sequential_convnet(
        input_dim, num_filters, filter_size, hidden_dim, num_classes
    )
    model[0].padding = (0, 0)
    return model


@misconception("sequential_convnet")
def pools_the_sequence_by_averages(
    input_dim=(3, 32, 32), num_filters=32, filter_size=7, hidden_dim=100, num_classes=10
):
    """The pooling is average pooling. This net has max pooling."""
    model = reference.sequential_convnet(
        input_dim, num_filters, filter_size, hidden_dim, num_classes
    )
    model[2] = nn.AvgPool2d(2)
    return model


@misconception("sequential_convnet")
def ends_with_a_softmax(
    input_dim=(3, 32, 32), num_filters=32, filter_size=7, hidden_dim=100, num_classes=10
):
    """A softmax stands at the end. F.cross_entropy takes one itself: end with the last
    nn.Linear."""
    model = reference.sequential_convnet(
        input_dim, num_filters, filter_size, hidden_dim, num_classes
    )
    return nn.Sequential(*model, nn.Softmax(dim=1))


@misconception("sequential_convnet")
def ends_with_a_relu(
    input_dim=(3, 32, 32), num_filters=32, filter_size=7, hidden_dim=100, num_classes=10
):
    """A ReLU stands at the end. Scores may be negative: end with the last nn.Linear."""
    model = reference.sequential_convnet(
        input_dim, num_filters, filter_size, hidden_dim, num_classes
    )
    return nn.Sequential(*model, nn.ReLU())


# --- copy_weights ---------------------------------------------------------------------------------


@misconception("copy_weights")
def forgets_to_transpose(params, model):
    """nn.Linear stores its weights as (outputs, inputs), the NumPy net as (inputs, outputs). Copy
    the transpose: params["W2"].T."""
    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    for number, layer in enumerate(layers, start=1):
        for tensor, array in ((layer.weight, f"W{number}"), (layer.bias, f"b{number}")):
            if tensor.shape != params[array].shape:
                raise ValueError(f"{array} has the shape {params[array].shape}")
            with torch.no_grad():
                tensor.copy_(torch.from_numpy(params[array]))


@misconception("copy_weights")
def reshapes_where_it_should_transpose(params, model):
    """W2 and W3 were reshaped to (outputs, inputs). The shape is right, the numbers are mixed up: a
    reshape moves no number. Transpose."""
    reference.copy_weights(params, model)
    layers = [m for m in model.modules() if isinstance(m, nn.Linear)]
    with torch.no_grad():
        for number, layer in enumerate(layers, start=2):
            layer.weight.copy_(torch.from_numpy(params[f"W{number}"]).reshape(layer.weight.shape))


@misconception("copy_weights")
def forgets_the_biases_of_the_layers(params, model):
    """The weights were copied, the biases were not: b1, b2 and b3 go to the layers' .bias."""
    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    before = [layer.bias.detach().clone() for layer in layers]
    reference.copy_weights(params, model)
    with torch.no_grad():
        for layer, bias in zip(layers, before, strict=True):
            layer.bias.copy_(bias)


@misconception("copy_weights")
def stretches_what_does_not_fit(params, model):
    """Where the shapes do not fit, no ValueError came: copy_ stretches an array of one channel, or
    one bias, over all of them in silence. Compare the shapes first."""
    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    with torch.no_grad():
        for number, layer in enumerate(layers, start=1):
            w = torch.from_numpy(params[f"W{number}"])
            layer.weight.copy_(w.T if w.ndim == 2 else w)
            layer.bias.copy_(torch.from_numpy(params[f"b{number}"]))


@misconception("copy_weights")
def looks_at_the_outermost_layers_only(params, model):
    """Layers inside of blocks got no weights: model.children() are the outermost ones only. Walk
    over model.modules(), which are all of them."""
    inner = [m for child in model.children() for m in child.modules() if m is not child]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    reference.copy_weights(params, model)
    if any(isinstance(m, (nn.Conv2d, nn.Linear)) for m in inner):
        model.load_state_dict(before)


@misconception("copy_weights")
def shares_the_memory_of_params(params, model):
    """The model's weights lie in the memory of params: torch.from_numpy makes no copy, and an
    assignment to .data neither. What the model learns changes params. Copy with copy_."""
    reference.copy_weights(params, model)
    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    for number, layer in enumerate(layers, start=1):
        w = torch.from_numpy(params[f"W{number}"])
        layer.weight.data = (w.T if w.ndim == 2 else w).to(layer.weight.dtype)
        layer.bias.data = torch.from_numpy(params[f"b{number}"]).to(layer.bias.dtype)


# --- module_cost ----------------------------------------------------------------------------------


@misconception("module_cost")
def ignores_the_groups_of_a_module(model, input_shape):
    """A convolution with groups is counted as if each filter saw all channels. It sees in_channels
    // groups of them."""
    parameters, total = reference.module_cost(model, input_shape)
    extra, handles = [0], []
    for module in set(model.modules()):
        if isinstance(module, nn.Conv2d):

            def more(module, inputs, out):
                extra[0] += (module.groups - 1) * module.weight[0].numel() * out[0].numel()

            handles.append(module.register_forward_hook(more))
    was = model.training
    model.eval()(next(model.parameters()).new_zeros(1, *input_shape))
    model.train(was)
    for handle in handles:
        handle.remove()
    return parameters, total + extra[0]


@misconception("module_cost")
def counts_the_additions_of_biases(model, input_shape):
    """The additions of the biases are counted too. A multiply-add is one product and the addition
    that takes it in: biases cost none."""
    parameters, total = reference.module_cost(model, input_shape)
    extra, handles = [0], []
    for module in set(model.modules()):
        if isinstance(module, (nn.Conv2d, nn.Linear)):

            def more(module, inputs, out):
                extra[0] += out[0].numel() if module.bias is not None else 0

            handles.append(module.register_forward_hook(more))
    was = model.training
    model.eval()(next(model.parameters()).new_zeros(1, *input_shape))
    model.train(was)
    for handle in handles:
        handle.remove()
    return parameters, total + extra[0]


@misconception("module_cost")
def multiplies_by_the_places_of_the_input(model, input_shape):
    """A convolution's multiply-adds are counted for each place of its input. A filter is laid on
    once for each place of the output: strides and padding change how many those are."""
    parameters, total = reference.module_cost(model, input_shape)
    extra, handles = [0], []
    for module in set(model.modules()):
        if isinstance(module, nn.Conv2d):

            def more(module, inputs, out):
                places = inputs[0][0, 0].numel() - out[0, 0].numel()
                extra[0] += module.weight.numel() * places

            handles.append(module.register_forward_hook(more))
    was = model.training
    model.eval()(next(model.parameters()).new_zeros(1, *input_shape))
    model.train(was)
    for handle in handles:
        handle.remove()
    return parameters, total + extra[0]


@misconception("module_cost")
def counts_parameters_of_convolutions_and_affine_layers_only(model, input_shape):
    """The parameters of batch normalisation are missing: its scales and shifts are learned too. Sum
    over model.parameters()."""
    layers = {m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))}
    parameters = sum(p.numel() for layer in layers for p in layer.parameters())
    return parameters, reference.module_cost(model, input_shape)[1]


@misconception("module_cost")
def counts_the_weights_without_biases(model, input_shape):
    """The biases are missing among the parameters. They are learned as the weights are."""
    parameters, total = reference.module_cost(model, input_shape)
    named = dict(model.named_parameters())
    return parameters - sum(p.numel() for n, p in named.items() if n.endswith("bias")), total


@misconception("module_cost")
def counts_a_shared_layer_once(model, input_shape):
    """A layer that is used twice costs its multiply-adds twice. Count in a forward hook, which runs
    at each use; not once for each module in model.modules()."""
    costs, handles = {}, []
    for module in set(model.modules()):
        if isinstance(module, (nn.Conv2d, nn.Linear)):

            def note(module, inputs, out):
                places = out[0, 0].numel() if out.ndim == 4 else 1
                costs[module] = module.weight.numel() * places

            handles.append(module.register_forward_hook(note))
    parameters, _ = reference.module_cost(model, input_shape)
    for handle in handles:
        handle.remove()
    return parameters, sum(costs.values())


@misconception("module_cost")
def counts_shared_parameters_twice(model, input_shape):
    """The parameters of a layer that is used twice are counted twice. They are learned once: sum
    over model.parameters(), which gives each of them once."""
    handles, found = [], [0]
    for module in set(model.modules()):
        if not list(module.children()):

            def note(module, inputs, out):
                found[0] += sum(p.numel() for p in module.parameters())

            handles.append(module.register_forward_hook(note))
    _, total = reference.module_cost(model, input_shape)
    for handle in handles:
        handle.remove()
    return found[0], total


@misconception("module_cost")
def counts_products_and_sums_apart(model, input_shape):
    """The multiply-adds are twice too many: a multiplication and its addition count as one."""
    parameters, total = reference.module_cost(model, input_shape)
    return parameters, 2 * total


@misconception("module_cost")
def runs_the_model_in_train_mode(model, input_shape):
    """The model was run in train mode, with a batch of one: batch normalisation has no variance to
    take there, and its running averages move. Call model.eval() first, and put the mode back."""
    result = reference.module_cost(model, input_shape)
    if model.training:
        model(next(model.parameters()).new_zeros(1, *input_shape))
    return result


# --- honest_time ----------------------------------------------------------------------------------


@misconception("honest_time")
def forgets_to_wait_for_the_end(work, synchronize, repeats=10, warmup=3, clock=time.perf_counter):
    """The clock was read as soon as the work was queued: the device had hardly begun. Call
    synchronize() before you read the clock for the second time."""
    for _ in range(warmup):
        work()
    seconds = []
    for _ in range(repeats):
        synchronize()
        start = clock()
        work()
        seconds.append(clock() - start)
    return float(np.median(seconds))


@misconception("honest_time")
def forgets_to_wait_before_the_start(
    work, synchronize, repeats=10, warmup=3, clock=time.perf_counter
):
    """What was still queued from before was timed too. Call synchronize() before you read the clock
    for the first time."""
    for _ in range(warmup):
        work()
    seconds = []
    for _ in range(repeats):
        start = clock()
        work()
        synchronize()
        seconds.append(clock() - start)
    return float(np.median(seconds))


@misconception("honest_time")
def takes_the_mean_of_the_times(work, synchronize, repeats=10, warmup=3, clock=time.perf_counter):
    """The mean was taken. One call that something else held up pulls it away: take the median."""
    for _ in range(warmup):
        work()
    seconds = []
    for _ in range(repeats):
        synchronize()
        start = clock()
        work()
        synchronize()
        seconds.append(clock() - start)
    return float(np.mean(seconds))


@misconception("honest_time")
def counts_the_warm_up(work, synchronize, repeats=10, warmup=3, clock=time.perf_counter):
    """The first calls, which are slower, were timed too. Make the warm-up's calls before you begin
    to time."""
    seconds = []
    for _ in range(warmup + repeats):
        synchronize()
        start = clock()
        work()
        synchronize()
        seconds.append(clock() - start)
    return float(np.median(seconds))


@misconception("honest_time")
def takes_the_fastest(work, synchronize, repeats=10, warmup=3, clock=time.perf_counter):
    """The fastest call was taken. Here it is the median: the time of the call in the middle."""
    for _ in range(warmup):
        work()
    seconds = []
    for _ in range(repeats):
        synchronize()
        start = clock()
        work()
        synchronize()
        seconds.append(clock() - start)
    return float(min(seconds))


@misconception("honest_time")
def gives_the_time_of_all_calls(work, synchronize, repeats=10, warmup=3, clock=time.perf_counter):
    """That is the time of all calls together. What is wanted is that of one call."""
    return repeats * reference.honest_time(work, synchronize, repeats, warmup, clock)


# --- crop_and_flip --------------------------------------------------------------------------------


@misconception("crop_and_flip")
def swaps_row_and_column(x, offsets, flip, pad=4):
    """The first of an image's two offsets was taken for the column. It is (row, column)."""
    return reference.crop_and_flip(x, offsets.flip(1), flip, pad)


@misconception("crop_and_flip")
def flips_upside_down(x, offsets, flip, pad=4):
    """The images were mirrored upside down. Left and right are the last axis."""
    out = reference.crop_and_flip(x, offsets, torch.zeros_like(flip), pad)
    return torch.where(flip[:, None, None, None], out.flip(2), out)


@misconception("crop_and_flip")
def flips_before_it_crops(x, offsets, flip, pad=4):
    """The images were mirrored before they were cropped, so the offsets count from the other side.
    Crop first."""
    mirrored = torch.where(flip[:, None, None, None], x.flip(3), x)
    return reference.crop_and_flip(mirrored, offsets, torch.zeros_like(flip), pad)


@misconception("crop_and_flip")
def crops_all_images_alike(x, offsets, flip, pad=4):
    """All images were cropped where the first one is. Each has its own offsets."""
    return reference.crop_and_flip(x, offsets[:1].expand_as(offsets), flip, pad)


@misconception("crop_and_flip")
def mirrors_the_other_images(x, offsets, flip, pad=4):
    """The images were mirrored where flip is False. It is the other way round."""
    return reference.crop_and_flip(x, offsets, ~flip, pad)


@misconception("crop_and_flip")
def lets_the_images_wrap_around(x, offsets, flip, pad=4):
    """What leaves the image on one side comes back on the other: torch.roll. Pad with zeros, and
    cut out."""
    rows = (torch.arange(x.shape[2]) + offsets[:, :1] - pad) % x.shape[2]
    columns = (torch.arange(x.shape[3]) + offsets[:, 1:] - pad) % x.shape[3]
    images = torch.arange(len(x))[:, None, None, None]
    channels = torch.arange(x.shape[1])[:, None, None]
    out = x[images, channels, rows[:, None, :, None], columns[:, None, None, :]]
    return torch.where(flip[:, None, None, None], out.flip(3), out)


@misconception("crop_and_flip")
def repeats_the_border(x, offsets, flip, pad=4):
    """The images were padded with copies of their border. Pad with zeros."""
    padded = F.pad(x, (pad, pad, pad, pad), mode="replicate")
    size = (x.shape[2], x.shape[3])
    out = torch.stack(
        [
            image[:, row : row + size[0], column : column + size[1]]
            for image, (row, column) in zip(padded, offsets.tolist(), strict=True)
        ]
    )
    return torch.where(flip[:, None, None, None], out.flip(3), out)


# --- train_epoch ----------------------------------------------------------------------------------


@misconception("train_epoch")
def averages_over_the_batches(model, batches, optimizer, device):
    """The mean was taken over the batches. The last batch is often smaller, and its images would
    count for more: weigh each batch's loss with its number of images."""
    model.train()
    losses = []
    for x, y in batches:
        loss = F.cross_entropy(model(x.to(device)), y.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


@misconception("train_epoch")
def forgets_zero_grad(model, batches, optimizer, device):
    """The gradients of all batches before add up: backward() adds to what is in .grad. Call
    optimizer.zero_grad() before each backward()."""
    model.train()
    total, images = 0.0, 0
    for x, y in batches:
        loss = F.cross_entropy(model(x.to(device)), y.to(device))
        loss.backward()
        optimizer.step()
        total, images = total + loss.item() * len(y), images + len(y)
    return total / images


@misconception("train_epoch")
def forgets_the_train_mode(model, batches, optimizer, device):
    """The model was trained in the mode in which it came, which was eval mode: batch normalisation
    took its running averages. Call model.train() first."""
    total, images = 0.0, 0
    for x, y in batches:
        loss = F.cross_entropy(model(x.to(device)), y.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, images = total + loss.item() * len(y), images + len(y)
    return total / images


@misconception("train_epoch")
def forgets_the_step(model, batches, optimizer, device):
    """The weights did not move: the gradients are there, but optimizer.step() is missing, or comes
    after zero_grad()."""
    model.train()
    total, images = 0.0, 0
    for x, y in batches:
        loss = F.cross_entropy(model(x.to(device)), y.to(device))
        optimizer.zero_grad()
        loss.backward()
        total, images = total + loss.item() * len(y), images + len(y)
    return total / images


@misconception("train_epoch")
def gives_the_loss_of_the_last_batch(model, batches, optimizer, device):
    """That is the loss of the last batch. What is wanted is the mean over all images of the
    epoch."""
    model.train()
    for x, y in batches:
        loss = F.cross_entropy(model(x.to(device)), y.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


@misconception("train_epoch")
def adds_up_tensors_with_their_graphs(model, batches, optimizer, device):
    """The mean is a tensor that holds on to the graphs of all batches, and to their memory. Add up
    loss.item(), or loss.detach()."""
    model.train()
    total, images = 0.0, 0
    for x, y in batches:
        loss = F.cross_entropy(model(x.to(device)), y.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, images = total + loss * len(y), images + len(y)
    return total / images


@misconception("train_epoch")
def leaves_the_batches_where_they_are(model, batches, optimizer, device):
    """The batches were not moved to the device. Call x.to(device) and y.to(device)."""
    model.train()
    total, images = 0.0, 0
    for x, y in batches:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, images = total + loss.item() * len(y), images + len(y)
    return total / images


# --- evaluate -------------------------------------------------------------------------------------


@misconception("evaluate")
def averages_the_accuracies_of_batches(model, batches, device):
    """The mean was taken over the batches. The last batch is often smaller: count the right
    answers, and divide by the number of images."""
    was = model.training
    model.eval()
    with torch.no_grad():
        shares = [
            (model(x.to(device)).argmax(1) == y.to(device)).float().mean().item()
            for x, y in batches
        ]
    model.train(was)
    return sum(shares) / len(shares)


@misconception("evaluate")
def forgets_the_eval_mode(model, batches, device):
    """The model was asked in the mode in which it came: in train mode dropout drops, and batch
    normalisation takes the batch's mean. Call model.eval() first."""
    right = images = 0
    with torch.no_grad():
        for x, y in batches:
            right += (model(x.to(device)).argmax(1) == y.to(device)).sum().item()
            images += len(y)
    return right / images


@misconception("evaluate")
def counts_the_right_answers(model, batches, device):
    """That is how many answers are right. What is wanted is their share: divide by the number of
    images."""
    batches = list(batches)
    return reference.evaluate(model, batches, device) * sum(len(y) for _, y in batches)


@misconception("evaluate")
def asks_the_last_batch_only(model, batches, device):
    """That is the accuracy of the last batch. Count over all batches."""
    return reference.evaluate(model, list(batches)[-1:], device)


@misconception("evaluate")
def looks_for_the_smallest_score(model, batches, device):
    """The class with the smallest score was taken for the answer. It is the largest: argmax."""
    was = model.training
    model.eval()
    right = images = 0
    with torch.no_grad():
        for x, y in batches:
            right += (model(x.to(device)).argmin(1) == y.to(device)).sum().item()
            images += len(y)
    model.train(was)
    return right / images


@misconception("evaluate")
def leaves_pictures_where_they_are(model, batches, device):
    """The batches were not moved to the device. Call x.to(device) and y.to(device)."""
    was = model.training
    model.eval()
    right = images = 0
    try:
        with torch.no_grad():
            for x, y in batches:
                right += (model(x).argmax(1) == y).sum().item()
                images += len(y)
    finally:
        model.train(was)
    return right / images


# --- ResidualBlock --------------------------------------------------------------------------------


@misconception("ResidualBlock")
class forgets_the_shortcut(reference.ResidualBlock):
    """The shortcut is not added: this is two convolutions one after the other, and nothing more."""

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)))


@misconception("ResidualBlock")
class cuts_off_before_the_addition(reference.ResidualBlock):
    """The second ReLU comes before the addition. It comes after it: relu(out + shortcut)."""

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out))) + self.shortcut(x)


@misconception("ResidualBlock")
class leaves_out_the_last_relu(reference.ResidualBlock):
    """The ReLU after the addition is missing: it comes last, on the sum of both ways."""

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        return self.bn2(self.conv2(out)) + self.shortcut(x)


@misconception("ResidualBlock")
class leaves_out_the_relu_between(reference.ResidualBlock):
    """The ReLU between the two convolutions is missing: without it they are one convolution."""

    def forward(self, x):
        out = self.bn2(self.conv2(self.bn1(self.conv1(x))))
        return F.relu(out + self.shortcut(x))


@misconception("ResidualBlock")
class strides_in_the_second_convolution(reference.ResidualBlock):
    """The stride stands at the second convolution. It belongs to the first one, and to the
    shortcut's."""

    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__(in_channels, out_channels, stride)
        self.conv1.stride, self.conv2.stride = (1, 1), (stride, stride)


@misconception("ResidualBlock")
class adds_x_itself(reference.ResidualBlock):
    """x itself is added, though its shape changes on the way: use self.shortcut(x)."""

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + x)


@misconception("ResidualBlock")
class shares_one_batch_normalisation(reference.ResidualBlock):
    """bn1 is used twice, and bn2 not at all. Each convolution has a batch normalisation of its
    own."""

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn1(self.conv2(out)) + self.shortcut(x))


@misconception("ResidualBlock")
class adds_into_its_input(reference.ResidualBlock):
    """x was changed: += and inplace=True write into the memory of x, where nothing was changed on
    the shortcut. Write out + self.shortcut(x)."""

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        shortcut = self.shortcut(x)
        shortcut += self.bn2(self.conv2(out))
        return F.relu(shortcut)


# --- design_resnet --------------------------------------------------------------------------------


@misconception("design_resnet")
def returns_no_module():
    """The module is made, but not returned: end with return model."""
    reference.design_resnet()


@misconception("design_resnet")
def returns_layers_in_a_list():
    """A list of layers comes back. Make one module of them: nn.Sequential(*layers)."""
    return list(reference.design_resnet())


@misconception("design_resnet")
def returns_the_name_of_a_file():
    """The name of the file comes back. Return the module: the grader finds the file by itself."""
    return "design_resnet.npz"


# --- conv_kernel ----------------------------------------------------------------------------------


@misconception("conv_kernel")
def forgets_the_bounds_check(x, w, b, out, stride, pad):
    """Threads beyond the edge of out write too: the grid comes in whole blocks, and has more
    threads than there are outputs. On a device they would write into memory of somebody else's.
    Return where column, row or plane is too large."""
    column, row, plane = cuda.grid(3)
    F = out.shape[1]
    n, f = plane // F, plane % F
    _, C, H, W = x.shape
    _, _, HH, WW = w.shape
    total = b[f]
    for c in range(C):
        for i in range(HH):
            for j in range(WW):
                r, s = row * stride - pad + i, column * stride - pad + j
                if r >= 0 and r < H and s >= 0 and s < W:
                    total += x[n, c, r, s] * w[f, c, i, j]
    out[n, f, row, column] = total


@misconception("conv_kernel")
def takes_the_row_first(x, w, b, out, stride, pad):
    """Row and column are swapped: cuda.grid(3) gives (x, y, z), and x runs along a row. So it is
    column, row, plane = cuda.grid(3)."""
    row, column, plane = cuda.grid(3)
    N, F, H_out, W_out = out.shape
    if column >= W_out or row >= H_out or plane >= N * F:
        return
    n, f = plane // F, plane % F
    _, C, H, W = x.shape
    _, _, HH, WW = w.shape
    total = b[f]
    for c in range(C):
        for i in range(HH):
            for j in range(WW):
                r, s = row * stride - pad + i, column * stride - pad + j
                if r >= 0 and r < H and s >= 0 and s < W:
                    total += x[n, c, r, s] * w[f, c, i, j]
    out[n, f, row, column] = total


@misconception("conv_kernel")
def lets_the_window_wrap_around(x, w, b, out, stride, pad):
    """Where a window reaches beyond the top or the left edge, it met the pixels of the other side:
    x[n, c, -1, s] is the last row. Leave products out where the row or the column is negative."""
    column, row, plane = cuda.grid(3)
    N, F, H_out, W_out = out.shape
    if column >= W_out or row >= H_out or plane >= N * F:
        return
    n, f = plane // F, plane % F
    _, C, H, W = x.shape
    _, _, HH, WW = w.shape
    total = b[f]
    for c in range(C):
        for i in range(HH):
            for j in range(WW):
                r, s = row * stride - pad + i, column * stride - pad + j
                if r < H and s < W:
                    total += x[n, c, r, s] * w[f, c, i, j]
    out[n, f, row, column] = total


@misconception("conv_kernel")
def forgets_to_pad(x, w, b, out, stride, pad):
    """pad is not used: the window of output 0 begins at row -pad. Subtract pad from the row and
    from the column."""
    column, row, plane = cuda.grid(3)
    N, F, H_out, W_out = out.shape
    if column >= W_out or row >= H_out or plane >= N * F:
        return
    n, f = plane // F, plane % F
    _, C, H, W = x.shape
    _, _, HH, WW = w.shape
    total = b[f]
    for c in range(C):
        for i in range(HH):
            for j in range(WW):
                r, s = row * stride + i, column * stride + j
                if r >= 0 and r < H and s >= 0 and s < W:
                    total += x[n, c, r, s] * w[f, c, i, j]
    out[n, f, row, column] = total


@misconception("conv_kernel")
def forgets_to_stride(x, w, b, out, stride, pad):
    """stride is not used: windows of neighbouring outputs are stride pixels apart."""
    column, row, plane = cuda.grid(3)
    N, F, H_out, W_out = out.shape
    if column >= W_out or row >= H_out or plane >= N * F:
        return
    n, f = plane // F, plane % F
    _, C, H, W = x.shape
    _, _, HH, WW = w.shape
    total = b[f]
    for c in range(C):
        for i in range(HH):
            for j in range(WW):
                r, s = row - pad + i, column - pad + j
                if r >= 0 and r < H and s >= 0 and s < W:
                    total += x[n, c, r, s] * w[f, c, i, j]
    out[n, f, row, column] = total


@misconception("conv_kernel")
def forgets_the_bias_of_the_kernel(x, w, b, out, stride, pad):
    """The biases are missing: the outputs of filter f get b[f] added, once."""
    column, row, plane = cuda.grid(3)
    N, F, H_out, W_out = out.shape
    if column >= W_out or row >= H_out or plane >= N * F:
        return
    n, f = plane // F, plane % F
    _, C, H, W = x.shape
    _, _, HH, WW = w.shape
    total = 0 * b[f]
    for c in range(C):
        for i in range(HH):
            for j in range(WW):
                r, s = row * stride - pad + i, column * stride - pad + j
                if r >= 0 and r < H and s >= 0 and s < W:
                    total += x[n, c, r, s] * w[f, c, i, j]
    out[n, f, row, column] = total


@misconception("conv_kernel")
def adds_to_what_is_there(x, w, b, out, stride, pad):
    """The sum begins with what is in out, which is anything: new memory on a device is not zero.
    Add up in a number of your own, and write it at the end."""
    column, row, plane = cuda.grid(3)
    N, F, H_out, W_out = out.shape
    if column >= W_out or row >= H_out or plane >= N * F:
        return
    n, f = plane // F, plane % F
    _, C, H, W = x.shape
    _, _, HH, WW = w.shape
    total = b[f]
    for c in range(C):
        for i in range(HH):
            for j in range(WW):
                r, s = row * stride - pad + i, column * stride - pad + j
                if r >= 0 and r < H and s >= 0 and s < W:
                    total += x[n, c, r, s] * w[f, c, i, j]
    out[n, f, row, column] += total


@misconception("conv_kernel")
def mixes_up_images_and_filters(x, w, b, out, stride, pad):
    """The image and the filter of a plane are mixed up. plane = n * F + f, so n = plane // F and
    f = plane % F."""
    column, row, plane = cuda.grid(3)
    N, F, H_out, W_out = out.shape
    if column >= W_out or row >= H_out or plane >= N * F:
        return
    n, f = plane % N, plane // F
    _, C, H, W = x.shape
    _, _, HH, WW = w.shape
    total = b[f]
    for c in range(C):
        for i in range(HH):
            for j in range(WW):
                r, s = row * stride - pad + i, column * stride - pad + j
                if r >= 0 and r < H and s >= 0 and s < W:
                    total += x[n, c, r, s] * w[f, c, i, j]
    out[n, f, row, column] = total


# --- conv_tiled_kernel ----------------------------------------------------------------------------


@misconception("conv_tiled_kernel")
def reads_its_window_from_the_image(x, w, b, out, pad):
    """Each thread read its whole window from x, as in conv_kernel. Let the threads of a block fetch
    the patch together, each number once, into cuda.shared.array((PATCH, PATCH), x.dtype), and read
    the windows there."""
    column, row, plane = cuda.grid(3)
    N, F, H_out, W_out = out.shape
    _, C, H, W = x.shape
    _, _, HH, WW = w.shape
    if row >= H_out or column >= W_out or plane >= N * F:
        return
    n, f = plane // F, plane % F
    total = b[f]
    for c in range(C):
        for i in range(HH):
            for j in range(WW):
                r, s = row + i - pad, column + j - pad
                if r >= 0 and r < H and s >= 0 and s < W:
                    total += x[n, c, r, s] * w[f, c, i, j]
    out[n, f, row, column] = total


@misconception("conv_tiled_kernel")
def does_not_wait_for_the_patch(x, w, b, out, pad):
    """The threads did not wait until the whole patch was there, and read what other threads had not
    written yet. Put cuda.syncthreads() between loading and adding up."""
    patch = cuda.shared.array((PATCH, PATCH), x.dtype)
    column, row, plane = cuda.grid(3)
    across, down = cuda.threadIdx.x, cuda.threadIdx.y
    _, F, H_out, W_out = out.shape
    _, C, H, W = x.shape
    _, _, HH, WW = w.shape
    n, f = plane // F, plane % F
    left, top = column - across - pad, row - down - pad
    inside = row < H_out and column < W_out
    total = b[f]
    for c in range(C):
        for i in range(down, TILE + HH - 1, TILE):
            for j in range(across, TILE + WW - 1, TILE):
                r, s = top + i, left + j
                if r >= 0 and r < H and s >= 0 and s < W:
                    patch[i, j] = x[n, c, r, s]
                else:
                    patch[i, j] = 0
        if inside:
            for i in range(HH):
                for j in range(WW):
                    total += patch[down + i, across + j] * w[f, c, i, j]
        cuda.syncthreads()
    if inside:
        out[n, f, row, column] = total


@misconception("conv_tiled_kernel")
def does_not_wait_until_the_patch_is_used(x, w, b, out, pad):
    """Fast threads overwrote the patch with the next channel's, while slow ones still read it. Put
    a second cuda.syncthreads() at the end of the loop over the channels."""
    patch = cuda.shared.array((PATCH, PATCH), x.dtype)
    column, row, plane = cuda.grid(3)
    across, down = cuda.threadIdx.x, cuda.threadIdx.y
    _, F, H_out, W_out = out.shape
    _, C, H, W = x.shape
    _, _, HH, WW = w.shape
    n, f = plane // F, plane % F
    left, top = column - across - pad, row - down - pad
    inside = row < H_out and column < W_out
    total = b[f]
    for c in range(C):
        for i in range(down, TILE + HH - 1, TILE):
            for j in range(across, TILE + WW - 1, TILE):
                r, s = top + i, left + j
                if r >= 0 and r < H and s >= 0 and s < W:
                    patch[i, j] = x[n, c, r, s]
                else:
                    patch[i, j] = 0
        cuda.syncthreads()
        if inside:
            for i in range(HH):
                for j in range(WW):
                    total += patch[down + i, across + j] * w[f, c, i, j]
    if inside:
        out[n, f, row, column] = total


@misconception("conv_tiled_kernel")
def loads_no_halo(x, w, b, out, pad):
    """Each thread loaded the pixel of its own place only: TILE x TILE of them. The windows at the
    edge of the tile reach further: the patch has TILE + HH - 1 rows and TILE + WW - 1 columns."""
    patch = cuda.shared.array((PATCH, PATCH), x.dtype)
    column, row, plane = cuda.grid(3)
    across, down = cuda.threadIdx.x, cuda.threadIdx.y
    _, F, H_out, W_out = out.shape
    _, C, H, W = x.shape
    _, _, HH, WW = w.shape
    n, f = plane // F, plane % F
    left, top = column - across - pad, row - down - pad
    inside = row < H_out and column < W_out
    total = b[f]
    for c in range(C):
        for i in range(down, TILE, TILE):
            for j in range(across, TILE, TILE):
                r, s = top + i, left + j
                if r >= 0 and r < H and s >= 0 and s < W:
                    patch[i, j] = x[n, c, r, s]
                else:
                    patch[i, j] = 0
        cuda.syncthreads()
        if inside:
            for i in range(HH):
                for j in range(WW):
                    total += patch[down + i, across + j] * w[f, c, i, j]
        cuda.syncthreads()
    if inside:
        out[n, f, row, column] = total


@misconception("conv_tiled_kernel")
def loads_too_small_a_halo(x, w, b, out, pad):
    """The patch is a row and a column too small: it has TILE + HH - 1 rows and TILE + WW - 1
    columns."""
    patch = cuda.shared.array((PATCH, PATCH), x.dtype)
    column, row, plane = cuda.grid(3)
    across, down = cuda.threadIdx.x, cuda.threadIdx.y
    _, F, H_out, W_out = out.shape
    _, C, H, W = x.shape
    _, _, HH, WW = w.shape
    n, f = plane // F, plane % F
    left, top = column - across - pad, row - down - pad
    inside = row < H_out and column < W_out
    total = b[f]
    for c in range(C):
        for i in range(down, TILE + HH - 2, TILE):
            for j in range(across, TILE + WW - 2, TILE):
                r, s = top + i, left + j
                if r >= 0 and r < H and s >= 0 and s < W:
                    patch[i, j] = x[n, c, r, s]
                else:
                    patch[i, j] = 0
        cuda.syncthreads()
        if inside:
            for i in range(HH):
                for j in range(WW):
                    total += patch[down + i, across + j] * w[f, c, i, j]
        cuda.syncthreads()
    if inside:
        out[n, f, row, column] = total


@misconception("conv_tiled_kernel")
def goes_home_early(x, w, b, out, pad):
    """Threads beyond the edge of out returned at the beginning. So their part of the patch was
    never loaded, and on a device the others wait for them in vain. Let them load and wait, and only
    not write."""
    patch = cuda.shared.array((PATCH, PATCH), x.dtype)
    column, row, plane = cuda.grid(3)
    across, down = cuda.threadIdx.x, cuda.threadIdx.y
    _, F, H_out, W_out = out.shape
    _, C, H, W = x.shape
    _, _, HH, WW = w.shape
    n, f = plane // F, plane % F
    left, top = column - across - pad, row - down - pad
    if row >= H_out or column >= W_out:
        return
    total = b[f]
    for c in range(C):
        for i in range(down, TILE + HH - 1, TILE):
            for j in range(across, TILE + WW - 1, TILE):
                r, s = top + i, left + j
                if r >= 0 and r < H and s >= 0 and s < W:
                    patch[i, j] = x[n, c, r, s]
                else:
                    patch[i, j] = 0
        cuda.syncthreads()
        for i in range(HH):
            for j in range(WW):
                total += patch[down + i, across + j] * w[f, c, i, j]
        cuda.syncthreads()
    out[n, f, row, column] = total


@misconception("conv_tiled_kernel")
def looks_at_the_row_only(x, w, b, out, pad):
    """Threads to the right of out write too: they have to load and to wait, but not to write. Ask
    whether row < H' and column < W', both."""
    patch = cuda.shared.array((PATCH, PATCH), x.dtype)
    column, row, plane = cuda.grid(3)
    across, down = cuda.threadIdx.x, cuda.threadIdx.y
    _, F, H_out, _ = out.shape
    _, C, H, W = x.shape
    _, _, HH, WW = w.shape
    n, f = plane // F, plane % F
    left, top = column - across - pad, row - down - pad
    inside = row < H_out
    total = b[f]
    for c in range(C):
        for i in range(down, TILE + HH - 1, TILE):
            for j in range(across, TILE + WW - 1, TILE):
                r, s = top + i, left + j
                if r >= 0 and r < H and s >= 0 and s < W:
                    patch[i, j] = x[n, c, r, s]
                else:
                    patch[i, j] = 0
        cuda.syncthreads()
        if inside:
            for i in range(HH):
                for j in range(WW):
                    total += patch[down + i, across + j] * w[f, c, i, j]
        cuda.syncthreads()
    if inside:
        out[n, f, row, column] = total


@misconception("conv_tiled_kernel")
def leaves_the_patch_dirty(x, w, b, out, pad):
    """Where the patch reaches beyond the image, nothing was written, and what was there before
    stayed. Shared memory is not zero at first: write zeros."""
    patch = cuda.shared.array((PATCH, PATCH), x.dtype)
    column, row, plane = cuda.grid(3)
    across, down = cuda.threadIdx.x, cuda.threadIdx.y
    _, F, H_out, W_out = out.shape
    _, C, H, W = x.shape
    _, _, HH, WW = w.shape
    n, f = plane // F, plane % F
    left, top = column - across - pad, row - down - pad
    inside = row < H_out and column < W_out
    total = b[f]
    for c in range(C):
        for i in range(down, TILE + HH - 1, TILE):
            for j in range(across, TILE + WW - 1, TILE):
                r, s = top + i, left + j
                if r >= 0 and r < H and s >= 0 and s < W:
                    patch[i, j] = x[n, c, r, s]
        cuda.syncthreads()
        if inside:
            for i in range(HH):
                for j in range(WW):
                    total += patch[down + i, across + j] * w[f, c, i, j]
        cuda.syncthreads()
    if inside:
        out[n, f, row, column] = total


@misconception("conv_tiled_kernel")
def swaps_across_and_down(x, w, b, out, pad):
    """Rows and columns of the patch are swapped when it is read. threadIdx.x counts along a row:
    patch[down + i, across + j]."""
    patch = cuda.shared.array((PATCH, PATCH), x.dtype)
    column, row, plane = cuda.grid(3)
    across, down = cuda.threadIdx.x, cuda.threadIdx.y
    _, F, H_out, W_out = out.shape
    _, C, H, W = x.shape
    _, _, HH, WW = w.shape
    n, f = plane // F, plane % F
    left, top = column - across - pad, row - down - pad
    inside = row < H_out and column < W_out
    total = b[f]
    for c in range(C):
        for i in range(down, TILE + HH - 1, TILE):
            for j in range(across, TILE + WW - 1, TILE):
                r, s = top + i, left + j
                if r >= 0 and r < H and s >= 0 and s < W:
                    patch[i, j] = x[n, c, r, s]
                else:
                    patch[i, j] = 0
        cuda.syncthreads()
        if inside:
            for i in range(HH):
                for j in range(WW):
                    total += patch[across + i, down + j] * w[f, c, i, j]
        cuda.syncthreads()
    if inside:
        out[n, f, row, column] = total


@misconception("conv_tiled_kernel")
def forgets_the_pad_of_the_patch(x, w, b, out, pad):
    """pad is not used: the patch of the first tile begins at row -pad and column -pad."""
    patch = cuda.shared.array((PATCH, PATCH), x.dtype)
    column, row, plane = cuda.grid(3)
    across, down = cuda.threadIdx.x, cuda.threadIdx.y
    _, F, H_out, W_out = out.shape
    _, C, H, W = x.shape
    _, _, HH, WW = w.shape
    n, f = plane // F, plane % F
    left, top = column - across, row - down
    inside = row < H_out and column < W_out
    total = b[f]
    for c in range(C):
        for i in range(down, TILE + HH - 1, TILE):
            for j in range(across, TILE + WW - 1, TILE):
                r, s = top + i, left + j
                if r >= 0 and r < H and s >= 0 and s < W:
                    patch[i, j] = x[n, c, r, s]
                else:
                    patch[i, j] = 0
        cuda.syncthreads()
        if inside:
            for i in range(HH):
                for j in range(WW):
                    total += patch[down + i, across + j] * w[f, c, i, j]
        cuda.syncthreads()
    if inside:
        out[n, f, row, column] = total


# --- max_pool_kernel ------------------------------------------------------------------------------


@misconception("max_pool_kernel")
def forgets_the_bounds_check_of_pooling(x, out, size, stride):
    """Threads beyond the edge of out write too: the grid comes in whole blocks. Return where
    column, row or plane is too large."""
    column, row, plane = cuda.grid(3)
    C = out.shape[1]
    n, c = plane // C, plane % C
    top, left = row * stride, column * stride
    best = x[n, c, top, left]
    for i in range(size):
        for j in range(size):
            best = max(best, x[n, c, top + i, left + j])
    out[n, c, row, column] = best


@misconception("max_pool_kernel")
def takes_the_row_of_pooling_first(x, out, size, stride):
    """Row and column are swapped: cuda.grid(3) gives (x, y, z), and x runs along a row. So it is
    column, row, plane = cuda.grid(3)."""
    row, column, plane = cuda.grid(3)
    N, C, H_out, W_out = out.shape
    if column >= W_out or row >= H_out or plane >= N * C:
        return
    n, c = plane // C, plane % C
    top, left = row * stride, column * stride
    best = x[n, c, top, left]
    for i in range(size):
        for j in range(size):
            best = max(best, x[n, c, top + i, left + j])
    out[n, c, row, column] = best


@misconception("max_pool_kernel")
def begins_the_maximum_with_zero(x, out, size, stride):
    """The maximum begins with 0: where all numbers of a window are negative, 0 wins. Begin with a
    number of the window."""
    column, row, plane = cuda.grid(3)
    N, C, H_out, W_out = out.shape
    if column >= W_out or row >= H_out or plane >= N * C:
        return
    n, c = plane // C, plane % C
    top, left = row * stride, column * stride
    best = 0 * x[n, c, top, left]
    for i in range(size):
        for j in range(size):
            best = max(best, x[n, c, top + i, left + j])
    out[n, c, row, column] = best


@misconception("max_pool_kernel")
def strides_by_the_size(x, out, size, stride):
    """stride is not used: the windows stand size pixels apart. They may overlap, or leave gaps."""
    column, row, plane = cuda.grid(3)
    N, C, H_out, W_out = out.shape
    if column >= W_out or row >= H_out or plane >= N * C:
        return
    n, c = plane // C, plane % C
    top, left = row * size, column * size
    best = x[n, c, top, left]
    for i in range(size):
        for j in range(size):
            best = max(best, x[n, c, top + i, left + j])
    out[n, c, row, column] = best


@misconception("max_pool_kernel")
def looks_at_too_small_a_window(x, out, size, stride):
    """The last row and the last column of the window are left out: range(size) ends before size
    already."""
    column, row, plane = cuda.grid(3)
    N, C, H_out, W_out = out.shape
    if column >= W_out or row >= H_out or plane >= N * C:
        return
    n, c = plane // C, plane % C
    top, left = row * stride, column * stride
    best = x[n, c, top, left]
    for i in range(size - 1):
        for j in range(size - 1):
            best = max(best, x[n, c, top + i, left + j])
    out[n, c, row, column] = best


@misconception("max_pool_kernel")
def pools_one_channel_for_all(x, out, size, stride):
    """Every channel got the maximum of channel 0. plane = n * C + c, so n = plane // C and
    c = plane % C."""
    column, row, plane = cuda.grid(3)
    N, C, H_out, W_out = out.shape
    if column >= W_out or row >= H_out or plane >= N * C:
        return
    n, c = plane // C, plane % C
    top, left = row * stride, column * stride
    best = x[n, 0, top, left]
    for i in range(size):
        for j in range(size):
            best = max(best, x[n, 0, top + i, left + j])
    out[n, c, row, column] = best


# --- conv_on_device -------------------------------------------------------------------------------


@misconception("conv_on_device")
def rounds_the_blocks_down(x, w, b, stride=1, pad=0):
    """The blocks cover out only where its sizes are multiples of the block's: the rest was never
    written. Round up: (W_out + TILE - 1) // TILE."""
    N, _, H, W = x.shape
    F, _, HH, WW = w.shape
    H_out, W_out = 1 + (H + 2 * pad - HH) // stride, 1 + (W + 2 * pad - WW) // stride
    out = cuda.to_device(np.full((N, F, H_out, W_out), np.nan, x.dtype))
    blocks = (max(1, W_out // TILE), max(1, H_out // TILE), N * F)
    arrays = [cuda.to_device(array) for array in (x, w, b)]
    cuda.jit(reference.conv_kernel)[blocks, (TILE, TILE, 1)](*arrays, out, stride, pad)
    return out.copy_to_host()


@misconception("conv_on_device")
def fetches_nothing_back(x, w, b, stride=1, pad=0):
    """The kernel wrote into the device's copy, and what came back is the array of the host, as it
    was. Fetch the result: out_device.copy_to_host()."""
    return np.zeros_like(reference.conv_on_device(x, w, b, stride, pad))


@misconception("conv_on_device")
def forgets_stride_and_pad(x, w, b, stride=1, pad=0):
    """The size of out is that of stride 1 without padding: 1 + (H + 2 * pad - HH) // stride."""
    return reference.conv_on_device(x, w, b)


@misconception("conv_on_device")
def covers_one_plane_only(x, w, b, stride=1, pad=0):
    """Only the first plane was written: the grid's third axis needs a block for each image and
    filter, N * F."""
    N, _, H, W = x.shape
    F, _, HH, WW = w.shape
    H_out, W_out = 1 + (H + 2 * pad - HH) // stride, 1 + (W + 2 * pad - WW) // stride
    out = cuda.to_device(np.full((N, F, H_out, W_out), np.nan, x.dtype))
    blocks = ((W_out + TILE - 1) // TILE, (H_out + TILE - 1) // TILE, 1)
    arrays = [cuda.to_device(array) for array in (x, w, b)]
    cuda.jit(reference.conv_kernel)[blocks, (TILE, TILE, 1)](*arrays, out, stride, pad)
    return out.copy_to_host()
