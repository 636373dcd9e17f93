"""The visible checks of the GPU part: references pass, typical mistakes are explained."""

import inspect
import linecache
import types

import numpy as np
import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F
from answers import NONSENSE, Answers, assert_explained, assert_plain_names

from autograder.diagnose import MISCONCEPTIONS
from cnnlab.checks import CheckFailed, check, probes
from cnnlab.checks.steps import STEPS
from cnnlab.simulator import cuda

ANSWERS = Answers("5_gpu")
REFERENCES = {q: f for q, f in ANSWERS.references.items() if q != "design_resnet"}
KERNELS = ("conv_kernel", "conv_tiled_kernel", "max_pool_kernel")
torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1)  # the first one takes a second


@pytest.fixture(autouse=True)
def one_thread():
    """The nets are tiny: threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def as_written(question, answer, **others):
    """As in a notebook. A kernel is not wrapped: the simulator looks for cuda in its globals."""
    if question in KERNELS and isinstance(answer, types.FunctionType):
        return types.FunctionType(answer.__code__, answer.__globals__, question)
    return ANSWERS.as_written(question, answer, **others)


def message(question, answer, **others):
    """What its visible check says of an answer that it has to refuse."""
    with pytest.raises(CheckFailed) as failed:
        check(as_written(question, answer, **others))
    return " ".join(str(failed.value).split())


@pytest.mark.parametrize("question", REFERENCES)
def test_the_reference_passes(question, capfd):
    torch.set_warn_always(True)  # else a warning comes once, in whichever test is the first
    try:
        assert check(as_written(question, REFERENCES[question])) is None
    finally:
        torch.set_warn_always(False)
    shown = capfd.readouterr()
    assert shown.out.count("✓") == len(STEPS[question]) >= 4
    assert "✗" not in shown.out
    assert "Warning" not in shown.out
    assert shown.err == ""


def test_the_names_of_the_steps_are_plain():
    assert_plain_names(REFERENCES)


# What the message about it has to say.
NAMED = {
    "forgets_the_padding_of_bare_tensors": "padding is (filter_size − 1) / 2",
    "takes_weights_as_pytorch_stores_them": "F.linear wants them transposed",
    "leaves_out_the_relu_behind_the_convolution": "ReLU after the convolution is missing",
    "leaves_out_the_relu_of_the_hidden_layer": "between the two affine layers is missing",
    "cuts_the_scores_off_at_zero": "last layer has no ReLU",
    "gives_shares_for_scores": "softmax's shares",
    "pools_by_averages": "average pooling",
    "cuts_the_scores_off_from_their_graph": "cuts the graph",
    "adds_up_the_losses_of_the_images": "sum over the images",
    "divides_by_the_images_once_more": "by the number of images twice",
    "takes_the_softmax_twice": "through a softmax twice",
    "keeps_the_graph_of_the_loss": "holds on to its graph",
    "leaves_params_asking_for_gradients": "requires_grad is True after the call",
    "lets_the_gradients_add_up": "adds to what is in .grad",
    "turns_the_gradients_into_arrays": "of type ndarray",
    "starts_the_module_with_zeros": "equal weights get equal gradients",
    "leaves_out_the_relu_behind_the_modules_convolution": "ReLU after the convolution is missing",
    "leaves_out_the_relu_of_the_modules_hidden_layer": "between the two affine layers is missing",
    "cuts_the_modules_scores_off_at_zero": "last layer has no ReLU",
    "gives_shares_for_the_modules_scores": "softmax's shares",
    "pools_the_module_by_averages": "average pooling",
    "computes_without_a_graph": "cuts the graph",
    "pads_every_filter_by_one": "of a filter of 1×1, none",
    "forgets_the_padding_of_the_sequence": "padding is (filter_size − 1) / 2",
    "pools_the_sequence_by_averages": "AvgPool2d",
    "ends_with_a_softmax": "no softmax at the end",
    "ends_with_a_relu": "Linear, ReLU, Linear, ReLU",
    "forgets_to_transpose": "transpose",
    "reshapes_where_it_should_transpose": "reshape keeps the order",
    "forgets_the_biases_of_the_layers": "0.bias of the model[0] = 7",
    "stretches_what_does_not_fit": "stretches one channel",
    "looks_at_the_outermost_layers_only": "model.modules() walks through",
    "shares_the_memory_of_params": "shares its memory",
    "ignores_the_groups_of_a_module": "groups is not used",
    "counts_the_additions_of_biases": "additions are not counted",
    "multiplies_by_the_places_of_the_input": "places of the output",
    "counts_parameters_of_convolutions_and_affine_layers_only": "batch normalisation are learned",
    "counts_the_weights_without_biases": "biases are missing",
    "counts_a_shared_layer_once": "runs at each use",
    "counts_shared_parameters_twice": "parameters are counted twice",
    "counts_products_and_sums_apart": "count as one",
    "runs_the_model_in_train_mode": "call model.eval()",
    "forgets_to_wait_for_the_end": "the time of asking",
    "forgets_to_wait_before_the_start": "from before was timed too",
    "takes_the_mean_of_the_times": "that is the mean",
    "counts_the_warm_up": "warming up were timed",
    "takes_the_fastest": "that is the fastest",
    "gives_the_time_of_all_calls": "the time of all calls",
    "swaps_row_and_column": "not (column, row)",
    "flips_upside_down": "upside down",
    "flips_before_it_crops": "crop first",
    "crops_all_images_alike": "its own offsets[n]",
    "mirrors_the_other_images": "flip is False",
    "lets_the_images_wrap_around": "on the other side",
    "repeats_the_border": "copies of the border",
    "averages_over_the_batches": "mean over the batches",
    "forgets_zero_grad": "the gradients add up",
    "forgets_the_train_mode": "call model.train()",
    "forgets_the_step": "the weights did not move",
    "gives_the_loss_of_the_last_batch": "loss of the last batch",
    "adds_up_tensors_with_their_graphs": "holds on to its graph",
    "leaves_the_batches_where_they_are": "x.to(device)",
    "averages_the_accuracies_of_batches": "mean over the batches",
    "forgets_the_eval_mode": "model.eval()",
    "counts_the_right_answers": "divide by the number of images",
    "asks_the_last_batch_only": "the last batch alone",
    "looks_for_the_smallest_score": "smallest score",
    "leaves_pictures_where_they_are": "x.to(device)",
    "forgets_the_shortcut": "shortcut is not added",
    "cuts_off_before_the_addition": "comes after the addition",
    "leaves_out_the_last_relu": "after the addition is missing",
    "leaves_out_the_relu_between": "between the convolutions is missing",
    "strides_in_the_second_convolution": "it belongs to conv1",
    "adds_x_itself": "add self.shortcut(x)",
    "shares_one_batch_normalisation": "bn1 is used twice",
    "adds_into_its_input": "x was changed",
    "forgets_the_bounds_check": "all three of them",
    "takes_the_row_first": "x is the column",
    "lets_the_window_wrap_around": "is the last row, and no error",
    "forgets_to_pad": "the window begins pad rows above",
    "forgets_to_stride": "stride is not used",
    "forgets_the_bias_of_the_kernel": "b[f] is missing",
    "adds_to_what_is_there": "one added to what was there",
    "mixes_up_images_and_filters": "six planes",
    "does_not_wait_for_the_patch": "without cuda.syncthreads() between loading and adding",
    "does_not_wait_until_the_patch_is_used": "cuda.syncthreads() after the sums",
    "reads_its_window_from_the_image": "reads its whole window from x",
    "loads_no_halo": "without the halo",
    "loads_too_small_a_halo": "without the halo",
    "goes_home_early": "load and wait like all others",
    "looks_at_the_row_only": "column, row and plane",
    "leaves_the_patch_dirty": "shared memory in which there was nothing yet",
    "swaps_across_and_down": "patch[down, across]",
    "forgets_the_pad_of_the_patch": "patch begins pad rows above",
    "forgets_the_bounds_check_of_pooling": "all three of them",
    "takes_the_row_of_pooling_first": "x is the column",
    "begins_the_maximum_with_zero": "the maximum begins with 0",
    "strides_by_the_size": "begins at row * stride",
    "looks_at_too_small_a_window": "first number of each window",
    "pools_one_channel_for_all": "plane // C",
    "rounds_the_blocks_down": "round the numbers of blocks up",
    "fetches_nothing_back": "nothing came back",
    "forgets_stride_and_pad": "hand stride and pad on",
    "covers_one_plane_only": "N * F planes",
}


@pytest.mark.parametrize("question, name", [(q, n) for q in REFERENCES for n in MISCONCEPTIONS[q]])
def test_a_typical_mistake_is_explained(question, name):
    text = message(question, MISCONCEPTIONS[question][name])
    assert_explained(question, text, NAMED[name])


def test_the_names_here_are_those_of_typical_mistakes():
    assert set(NAMED) == {name for question in REFERENCES for name in MISCONCEPTIONS[question]}


@pytest.mark.parametrize("question", REFERENCES)
@pytest.mark.parametrize("dummy", NONSENSE, ids=repr)
def test_nonsense_fails_and_says_what_came(question, dummy):
    text = message(question, ANSWERS.as_written(question, lambda *args, **options: dummy))
    assert "your code raised" not in text
    assert "expected:" in text


# -- smaller slips ---------------------------------------------------------------------------------


def asks_for_gradients(x, params):
    return REFERENCES["three_layer_convnet"](x, {n: p.requires_grad_() for n, p in params.items()})


class FlattensChannelsLast(REFERENCES["TorchConvNet"]):
    def forward(self, x):
        out = F.max_pool2d(F.relu(self.conv(x)), 2).permute(0, 2, 3, 1)
        return self.fc2(F.relu(self.fc1(out.flatten(1))))


class FourLayers(REFERENCES["TorchConvNet"]):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.extra = nn.Linear(2, 2)


class HidesItsLayers(nn.Module):
    def __init__(self, input_dim=(3, 32, 32), num_filters=32, *args, **options):
        super().__init__()
        self.layers = [nn.Conv2d(input_dim[0], num_filters, 3)]


class KeepsPyTorchsOwnWeights(REFERENCES["TorchConvNet"]):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        for layer in (self.conv, self.fc1, self.fc2):
            layer.reset_parameters()


def a_module_without_a_sequence(**sizes):
    return REFERENCES["TorchConvNet"](**sizes)


def replaces_parameters(params, model):
    REFERENCES["copy_weights"](params, model)
    convolution = next(m for m in model.modules() if isinstance(m, nn.Conv2d))
    convolution.weight = nn.Parameter(convolution.weight.detach().clone())


def goes_double(params, model):
    REFERENCES["copy_weights"](params, model)
    model.double()


def copies_half(params, model):
    """It finds out that a shape does not fit when the others are copied."""
    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    with torch.no_grad():
        for number, layer in enumerate(layers, start=1):
            w = torch.tensor(params[f"W{number}"])
            for there, value in ((layer.weight, w.T if w.ndim == 2 else w), (layer.bias, None)):
                value = torch.tensor(params[f"b{number}"]) if value is None else value
                if there.shape != value.shape:
                    raise ValueError(f"W{number} or b{number}")
                there.copy_(value)


def lets_pytorch_complain(params, model):
    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    with torch.no_grad():
        for number, layer in enumerate(layers, start=1):
            w = torch.tensor(params[f"W{number}"])
            layer.weight.copy_(w.T if w.ndim == 2 else w.expand(3, w.shape[1], 3, 3))
            if w.ndim == 4 and w.shape != layer.weight.shape:
                raise RuntimeError("shapes")
            layer.bias.copy_(torch.tensor(params[f"b{number}"]))


def leaves_its_hooks(model, input_shape):
    result = REFERENCES["module_cost"](model, input_shape)
    model.register_forward_hook(lambda module, inputs, out: None)
    return result


def stays_in_eval_mode(model, input_shape):
    result = REFERENCES["module_cost"](model, input_shape)
    model.eval()
    return result


def works_without_warming_up(work, synchronize, repeats=10, warmup=3, clock=None):
    return REFERENCES["honest_time"](work, synchronize, repeats, 0, clock)


def pads_by_two(x, offsets, flip, pad=2):
    return REFERENCES["crop_and_flip"](x, offsets, flip, pad)


def stays_in_double(x, offsets, flip, pad=4):
    return REFERENCES["crop_and_flip"](x.double(), offsets, flip, pad)


def counts_its_batches(model, batches, optimizer, device):
    assert len(batches) > 0
    return REFERENCES["train_epoch"](model, batches, optimizer, device)


def climbs(model, batches, optimizer, device):
    for group in optimizer.param_groups:
        group["lr"] = -group["lr"]
        group["maximize"] = False
    return REFERENCES["train_epoch"](model, batches, optimizer, device)


def evaluates_in_eval_mode_for_good(model, batches, device):
    accuracy = REFERENCES["evaluate"](model, batches, device)
    model.eval()
    return accuracy


def records_the_forward_pass(model, batches, device):
    was = model.training
    model.eval()
    right = images = 0
    try:
        for x, y in batches:
            right += (model(x.to(device)).argmax(1) == y.to(device)).sum().item()
            images += len(y)
    finally:
        model.train(was)
    return right / images


def leaves_hooks_after_a_failure(model, input_shape):
    hook = model.register_forward_hook(lambda *args: None)
    result = REFERENCES["module_cost"](model, input_shape)
    hook.remove()
    return result


def counts_each_layers_parameters(model, input_shape):
    _, multiply_adds = REFERENCES["module_cost"](model, input_shape)
    own = (m.parameters(recurse=False) for m in model.modules())
    return sum(p.numel() for each in own for p in each), multiply_adds


def evaluates_without_finally(model, batches, device):
    was = model.training
    model.eval()
    accuracy = REFERENCES["evaluate"](model, batches, device)
    model.train(was)
    return accuracy


def switches_gradients_off(model, batches, device):
    torch.set_grad_enabled(False)
    return REFERENCES["evaluate"](model, batches, device)


class AlwaysProjects(REFERENCES["ResidualBlock"]):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__(in_channels, out_channels, stride)
        self.shortcut = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
            nn.BatchNorm2d(out_channels),
        )


class NeverProjects(REFERENCES["ResidualBlock"]):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__(in_channels, out_channels, stride)
        self.shortcut = nn.Identity()


def ends_in_eval_mode(model, batches, optimizer, device):
    loss = REFERENCES["train_epoch"](model, batches, optimizer, device)
    model.eval()
    return loss


def crops_in_floats(x, offsets, flip, pad=4):
    return REFERENCES["crop_and_flip"](x.float(), offsets, flip, pad)


class HasBiases(REFERENCES["ResidualBlock"]):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__(in_channels, out_channels, stride)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1)


class NeverLearnsItsSecondAverages(REFERENCES["ResidualBlock"]):
    def forward(self, x):
        self.bn2.eval()
        return super().forward(x)


def changed(question, *changes):
    """The reference's function with other lines in it, as somebody would have typed it."""
    source = inspect.getsource(REFERENCES[question])
    for before, after in changes:
        assert before in source
        source = source.replace(before, after)
    there = dict(inspect.getmodule(REFERENCES[question]).__dict__)
    file = f"<{question} with {changes}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file  # as IPython
    exec(compile(source, file, "exec"), there)
    return there[question]


def writes_into_x(x, w, b, out, stride, pad):
    column, row, plane = cuda.grid(3)
    _, F, H_out, W_out = out.shape
    if column < W_out and row < H_out and plane < out.shape[0] * F:
        x[0, 0, 0, 0] = 0
        out[plane // F, plane % F, row, column] = 0


@pytest.mark.parametrize(
    "question, wrong, words",
    [
        (
            "three_layer_convnet",
            changed(
                "three_layer_convnet", ("out.flatten(1)", "out.permute(0, 2, 3, 1).flatten(1)")
            ),
            "the channels come before them",
        ),
        (
            "three_layer_convnet",
            lambda x, params: REFERENCES["three_layer_convnet"](
                x.float(), {name: value.float() for name, value in params.items()}
            ),
            "scores has dtype float32",
        ),
        ("three_layer_convnet", asks_for_gradients, "params['W1'].requires_grad is True"),
        (
            "loss_and_gradients",
            changed("loss_and_gradients", ("loss.detach()", "loss.item()")),
            "loss is of type float",
        ),
        (
            "loss_and_gradients",
            changed("loss_and_gradients", ("loss.detach()", "loss")),
            "in memory: loss.detach()",
        ),
        ("TorchConvNet", FlattensChannelsLast, "the channels come before them"),
        (
            "copy_weights",
            changed("copy_weights", ("torch.no_grad()", "torch.enable_grad()")),
            "under torch.no_grad()",
        ),
        ("TorchConvNet", FourLayers, "extra.weight"),
        ("TorchConvNet", HidesItsLayers, "in a plain list are not found"),
        ("TorchConvNet", KeepsPyTorchsOwnWeights, "begin by themselves"),
        ("TorchConvNet", lambda **sizes: nn.Linear, "brackets of a call"),
        ("sequential_convnet", a_module_without_a_sequence, "an nn.Sequential"),
        ("copy_weights", replaces_parameters, "another Parameter than before"),
        ("copy_weights", goes_double, "dtype float64"),
        ("copy_weights", copies_half, "before you copy anything"),
        ("copy_weights", lets_pytorch_complain, "before PyTorch complains"),
        ("module_cost", leaves_its_hooks, "handle.remove()"),
        ("module_cost", stays_in_eval_mode, "put it back"),
        ("honest_time", works_without_warming_up, "or not made at all"),
        ("crop_and_flip", pads_by_two, "pad=4"),
        ("crop_and_flip", stays_in_double, "dtype float64"),
        ("train_epoch", counts_its_batches, "has no len()"),
        ("train_epoch", climbs, "up the gradient"),
        ("evaluate", evaluates_in_eval_mode_for_good, "put it back"),
        ("evaluate", records_the_forward_pass, "torch.no_grad()"),
        ("module_cost", leaves_hooks_after_a_failure, "1 hooks are left on the model"),
        ("module_cost", counts_each_layers_parameters, "shared weight is counted twice"),
        (
            "module_cost",
            changed("module_cost", (", dtype=like.dtype", "")),
            "another dtype than the model's",
        ),
        ("evaluate", evaluates_without_finally, "puts the mode back whatever happens"),
        ("evaluate", switches_gradients_off, "gradients stay switched off"),
        ("train_epoch", ends_in_eval_mode, "model.training is False after an epoch expected: True"),
        ("crop_and_flip", crops_in_floats, "for x of dtype float64, has dtype float32"),
        ("ResidualBlock", HasBiases, "too many: conv1.bias"),
        ("ResidualBlock", HasBiases, "have a bias, and should not"),
        ("ResidualBlock", AlwaysProjects, "leaves the shape as it is: its shortcut is nn.Identity"),
        ("ResidualBlock", NeverProjects, "missing: shortcut.0.weight"),
        ("ResidualBlock", NeverProjects, "nn.Sequential of Conv2d and BatchNorm2d"),
        ("ResidualBlock", NeverLearnsItsSecondAverages, "bn2.running_mean"),
        ("conv_kernel", writes_into_x, "x was changed"),
        (
            "conv_kernel",
            changed("conv_kernel", ("range(WW)", "range(w.shape[2])")),
            "columns are WW, the last axis of w",
        ),
        (
            "conv_kernel",
            changed("conv_kernel", ("range(HH)", "range(w.shape[3])")),
            "HH rows and WW columns",
        ),
        (
            "conv_kernel",
            changed("conv_kernel", ("r < 0 or r >= H", "r < 0")),
            "That is in x, of shape (1, 1, 2, 3). The grid",
        ),
        (
            "conv_kernel",
            changed("conv_kernel", ("s >= 0 and s < W", "s >= 0")),
            "what is not below H or W of x",
        ),
        (
            "conv_kernel",
            changed("conv_kernel", ("plane // F", "plane // N")),
            "3 for each image",
        ),
        (
            "conv_tiled_kernel",
            changed("conv_tiled_kernel", ("_, _, HH, WW = w", "_, _, WW, HH = w")),
            "in w, of shape (1, 1, 1, 3)",
        ),
        (
            "conv_tiled_kernel",
            changed("conv_tiled_kernel", ("range(WW)", "range(HH)")),
            "HH rows and WW columns",
        ),
        (
            "conv_tiled_kernel",
            changed(
                "conv_tiled_kernel",
                ("(PATCH, PATCH)", "(TILE - 1 + w.shape[2], TILE - 1 + w.shape[3])"),
            ),
            "fixed when the kernel is compiled",
        ),
        (
            "conv_tiled_kernel",
            changed("conv_tiled_kernel", ("(PATCH, PATCH)", "(TILE + 2, TILE + 2)")),
            "patch has to have room for the largest patch",
        ),
        (
            "conv_tiled_kernel",
            changed("conv_tiled_kernel", ("(PATCH, PATCH)", "(TILE, TILE)")),
            "patch has to have room for the largest patch",
        ),
        (
            "conv_tiled_kernel",
            changed("conv_tiled_kernel", ("range(C)", "range(1)")),
            "channel 0 alone",
        ),
        (
            "conv_tiled_kernel",
            changed("conv_tiled_kernel", ("    " * 3 + "patch[i, j] = 0", "    " * 3 + "pass")),
            "without the zeros beyond the image",
        ),
        (
            "conv_tiled_kernel",
            changed(
                "conv_tiled_kernel",
                ("= x[n, c, r, s]", "= x[n, c, r, s] + x[n, c, r, s] - x[n, c, r, s]"),
            ),
            "numbers are read from x",
        ),
        (
            "max_pool_kernel",
            changed("max_pool_kernel", ("row * stride, column * stride", "row, column")),
            "stride is not used",
        ),
        (
            "max_pool_kernel",
            changed("max_pool_kernel", ("row * stride, column * stride", "row, column * stride")),
            "row * stride, column * stride",
        ),
        (
            "max_pool_kernel",
            changed("max_pool_kernel", ("x[n, c, top, left]", "-100.0")),
            "begin with a number of the window",
        ),
        (
            "conv_on_device",
            changed(
                "conv_on_device",
                (
                    "(W_out + TILE - 1) // TILE, (H_out + TILE - 1) // TILE",
                    "(H_out + TILE - 1) // TILE, (W_out + TILE - 1) // TILE",
                ),
            ),
            "first those across, then those down",
        ),
    ],
)
def test_a_slip_is_refused_and_named_and_does_no_harm_to_the_next(question, wrong, words):
    assert words in message(question, wrong)
    check(as_written(question, REFERENCES[question]))


def test_a_wrong_net_is_named_where_its_gradients_are_checked():
    wrong = MISCONCEPTIONS["three_layer_convnet"]["pools_by_averages"]
    others = {"three_layer_convnet": as_written("three_layer_convnet", wrong)}

    def twice(x, y, params):
        loss, grads = REFERENCES["loss_and_gradients"](x, y, params)
        return 2 * loss, grads

    text = message("loss_and_gradients", twice, **others)
    assert "your three_layer_convnet fails the check" in text


def test_a_kernel_may_be_decorated():
    for question in KERNELS:
        check(cuda.jit(as_written(question, REFERENCES[question])))


@pytest.mark.parametrize("kind", [list, np.array])
def test_the_cost_may_come_in_a_list_or_array(kind):
    check(as_written("module_cost", lambda *args: list(kind(REFERENCES["module_cost"](*args)))))


def test_the_mean_loss_may_be_a_tensor_without_a_graph():
    def as_tensor(*args):
        return torch.tensor(REFERENCES["train_epoch"](*args))

    check(as_written("train_epoch", as_tensor))


# -- probes ----------------------------------------------------------------------------------------


def test_far_tensors_can_only_be_moved():
    x, y = next(iter(probes.FarBatches([(torch.ones(2, 3), torch.tensor([0, 1]))])))
    assert x.shape == (2, 3) and len(y) == 2
    for use in (lambda: x + 1, lambda: F.linear(x, torch.ones(4, 3)), lambda: y == y, x.numpy):
        with pytest.raises(RuntimeError, match="at least two devices"):
            use()
    for moved in (x.to("cpu"), x.to(torch.device("cpu"), non_blocking=True), x.to(device="cpu")):
        assert type(moved) is torch.Tensor and torch.equal(moved, torch.ones(2, 3))


def test_a_witness_tells_what_it_saw():
    model = nn.Linear(2, 2)
    witness = probes.Witness(model)
    model(torch.ones(1, 2))
    with torch.no_grad():
        model.eval()(torch.ones(1, 2))
    assert witness.recorded == [True, False] and witness.training == [True, False]


def test_hooks_are_counted_in_all_modules():
    model = nn.Sequential(nn.ReLU(), nn.Sequential(nn.ReLU()))
    assert probes.hooks(model) == 0
    hook = model[1][0].register_forward_hook(lambda *args: None)
    model.register_full_backward_hook(lambda *args: None)
    assert probes.hooks(model) == 2
    hook.remove()
    assert probes.hooks(model) == 1


def test_gradients_and_descent_are_those_of_autograd():
    model, x, y = nn.Linear(3, 2), torch.randn(4, 3), torch.tensor([0, 1, 1, 0])
    before = model.weight.detach().clone()
    found = probes.gradients(model, x, y)
    assert model.weight.grad is None
    probes.descend(model, torch.optim.SGD(model.parameters(), lr=0.5), x, y)
    assert torch.equal(model.weight.grad, found["weight"])
    assert torch.allclose(model.weight.detach(), before - 0.5 * found["weight"])
