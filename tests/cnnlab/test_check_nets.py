"""The visible checks of the nets: references pass, typical mistakes are explained."""

import copy
import shutil

import numpy as np
import pytest
from answers import NONSENSE, Answers, assert_explained, assert_plain_names

from autograder.diagnose import MISCONCEPTIONS
from cnnlab import design
from cnnlab.architectures import conv, fc, max_pool
from cnnlab.checks import check
from cnnlab.checks.steps import STEPS
from cnnlab.weights import load_weights

ANSWERS = Answers("4_convnet")
REFERENCES, as_written, message = ANSWERS.references, ANSWERS.as_written, ANSWERS.message
QUESTIONS = [q for q in ("ThreeLayerConvNet", "network_cost", "ConvNet") if q in REFERENCES]
ThreeLayerConvNet = REFERENCES["ThreeLayerConvNet"]


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_reference_passes(question, capfd):
    ANSWERS.assert_passes(question, capfd)


def test_the_names_of_the_steps_are_plain():
    assert_plain_names(QUESTIONS)


# What the message about it has to say; where nothing is named, that it fails is enough.
NAMED = {
    "forgets_the_penalty_in_the_gradients": "penalty is missing",
    "forgets_the_penalty_in_the_loss": "penalty is missing",
    "leaves_out_the_half": "twice the penalty",
    "halves_the_penalty_in_the_gradients": "half of it",
    "makes_the_biases_pay": "biases pay too",
    "penalises_the_first_layer_only": "only W1 pays",
    "leaves_out_the_relu_after_the_convolution": "ReLU after the convolution is missing",
    "leaves_out_the_hidden_relu": "between the two affine layers",
    "puts_a_relu_on_the_scores": "last layer has no ReLU",
    "pools_with_averages": "average pooling",
    "sends_the_gradient_past_the_relu": "where its input was positive",
    "starts_with_zeros": "stay equal",
    "returns_shares_where_scores_are_wanted": "softmax's shares",
    "does_not_count_the_biases": "one bias for each filter is missing",
    "counts_the_biases_as_multiply_adds": "biases' additions are not counted",
    "calls_every_pooling_pool": "two kinds of pooling",
    "gives_pools_parameters": "pooling learns nothing",
    "counts_comparisons_in_pools": "pooling multiplies nothing",
    "multiplies_by_the_size_of_the_input": "places of the output",
    "forgets_the_pad": "padding is not used",
    "pads_on_one_side": "both sides",
    "ignores_the_groups": "groups is not used",
    "leaves_out_the_scores": "one more affine layer",
    "counts_each_multiply_add_twice": "count as one",
    "flattens_the_channels_only": "sees 3 · 4 · 5 numbers",
    "counts_for_one_channel": "for each of the 3 channels",
    "gives_gradients_without_the_penalty": "penalty is missing",
    "takes_the_whole_square": "reg / 2 times",
    "makes_everybody_pay": "betas pay too",
    "makes_the_gammas_pay": "gammas pay too",
    "cuts_off_the_scores": "nothing behind it",
    "leaves_the_fcs_without_relu": "FC, then ReLU",
    "leaves_the_convolutions_without_relu": "then its ReLU",
    "normalises_after_the_relu": "then its batch normalisation, then its ReLU",
    "scores_in_train_mode": "'test' mode, with the running averages",
    "drops_while_testing": "dropout keeps everything",
    "never_drops": "then dropout",
    "hands_dropout_the_share_that_is_dropped": "1 − ratio is PyTorch's",
    "seeds_its_dropout": "The net's seed is for its weights alone",
    "seeds_the_common_generator": "the net needs one of its own",
    "takes_the_layers_apart": "layers was changed by the call",
    "trains_where_no_mode_is_given": "where no mode is given it is 'test'",
    "lets_backward_pay": "The penalty is of the loss",
    "averages_twice_in_a_step": "loss runs forward once",
    "loses_the_running_averages": "kept from call to call",
    "forgets_the_two_of_he": "the 2 is missing",
    "counts_the_outputs": "not the outputs",
    "forgets_the_root": "square root is missing",
    "starts_with_large_scores": "a tenth of that",
    "is_not_guided": "guided changes nothing",
    "is_guided_at_every_step": "not at the convolutions",
    "is_guided_by_the_gradient_alone": "input was negative nothing passes",
}


@pytest.mark.parametrize("question, name", [(q, n) for q in QUESTIONS for n in MISCONCEPTIONS[q]])
def test_a_typical_mistake_is_explained(question, name):
    text = message(question, MISCONCEPTIONS[question][name])
    assert_explained(question, text, NAMED.get(name, ""))


def test_the_names_here_are_those_of_typical_mistakes():
    assert set(NAMED) <= {name for question in QUESTIONS for name in MISCONCEPTIONS[question]}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("dummy", NONSENSE, ids=repr)
def test_nonsense_fails_and_says_what_came(question, dummy):
    ANSWERS.assert_refuses(question, dummy)


# -- smaller slips ---------------------------------------------------------------------------------


def three(**methods):
    return type("ThreeLayerConvNet", (ThreeLayerConvNet,), methods)


def scaled(factor=1, noise=np.random.randn):
    """First weights that do not care for weight_scale."""

    def init(self, *args, **options):
        ThreeLayerConvNet.__init__(self, *args, **options)
        for name, w in self.params.items():
            if name[0] == "W":
                self.params[name] = (factor * noise(*w.shape)).astype(w.dtype)

    return three(__init__=init)


def random_biases(self, *args, **options):
    ThreeLayerConvNet.__init__(self, *args, **options)
    self.params["b2"] = self.params["b2"] + 1e-3


def double_precision(self, X, y=None):
    dtype, self.dtype = self.dtype, np.float64
    result = ThreeLayerConvNet.loss(self, X, y)
    self.dtype = dtype
    return result


def knows_one_size(self, *args, **options):
    ThreeLayerConvNet.__init__(self, *args, **options)
    self.params["W2"] = np.zeros((3 * 16 * 16, self.params["W2"].shape[1]))


def single_precision(kind, **always):
    """A net that is one of float32, whatever dtype it is given."""

    def init(self, *args, **options):
        kind.__init__(self, *args, **{**options, **always})
        self.dtype = np.float32

    return type(kind.__name__, (kind,), {"__init__": init})


def normalises_its_input(self, X, y=None):
    result = ThreeLayerConvNet.loss(self, X, y)
    X -= X.mean()
    return result


def calls_its_dtype_too(self, X, y=None):
    return ThreeLayerConvNet.loss(self, self.dtype(X), y)


def keeps_its_first_weights(kind, method):
    """A net that works with the arrays of its __init__, whatever is assigned to net.params."""

    def init(self, *args, **options):
        kind.__init__(self, *args, **options)
        self.first = self.params

    def old(self, *args, **options):
        now, self.params = self.params, self.first
        result = getattr(kind, method)(self, *args, **options)
        self.params = now
        return result

    return type(kind.__name__, (kind,), {"__init__": init, method: old})


def no_biases(self, X, y=None):
    result = ThreeLayerConvNet.loss(self, X, y)
    if y is None:
        return result
    return result[0], {name: g for name, g in result[1].items() if name[0] == "W"}


def writes_down_the_loss(self, X, y=None):
    self.params["loss"] = np.zeros(1)
    return ThreeLayerConvNet.loss(self, X, y)


@pytest.mark.parametrize(
    "wrong, words",
    [
        (scaled(), "not multiplied with weight_scale"),
        (scaled(1e-3), "1e-3 always"),
        (scaled(1e-3, np.random.rand), "np.random.rand"),
        (three(__init__=random_biases), "params['b2'] is not 0"),
        (three(__init__=knows_one_size), "(H // 2) · (W // 2)"),
        (three(loss=double_precision), "float64"),
        (three(loss=normalises_its_input), "X was changed"),
        (three(loss=no_biases), "without b1, b2, b3"),
        (three(loss=writes_down_the_loss), "loss"),
        (three(loss=calls_its_dtype_too), "not self.dtype(X)"),
        (keeps_its_first_weights(ThreeLayerConvNet, "loss"), "read self.params anew"),
        (single_precision(ThreeLayerConvNet), "images that are rounded to float32"),
    ],
)
def test_a_slip_in_the_three_layers_is_refused_and_named(wrong, words):
    assert words in message("ThreeLayerConvNet", wrong)


ConvNet = REFERENCES["ConvNet"]


def convnet(**methods):
    return type("ConvNet", (ConvNet,), methods)


def made(change, **always):
    """A ConvNet whose construction ends with this change."""

    def init(self, *args, **options):
        ConvNet.__init__(self, *args, **{**options, **always})
        change(self, options)

    return convnet(__init__=init)


def counts_its_pools(net, options):
    count = 0
    for i, (name, *rest) in enumerate(net.steps):
        if "pool" in name:
            count += 1
            net.steps[i] = (f"{name[:8]}{count}", *rest)


def takes_seed_0_for_none(net, options):
    if options.get("seed") == 0:
        net.params = ConvNet(**_again(options)).params


def _again(options):
    plain = [{"kind": "conv", "filters": 3, "kernel": 3, "stride": 1, "pad": 1, "groups": 1}]
    plain += [plain[0] | {"filters": 4}, _POOL, {"kind": "fc", "outputs": 6}]
    return {"layers": plain, "input_dim": (2, 4, 8), "num_classes": 5, "dtype": options["dtype"]}


_POOL = {"kind": "max_pool", "pool_height": 2, "pool_width": 2, "stride": 2}


def draws_anew_in_each_layer(net, options):
    for name, w in net.params.items():
        if name[0] == "W":
            numbers = np.random.default_rng(options.get("seed")).standard_normal(w.shape)
            net.params[name] = (numbers * w.std() / numbers.std()).astype(w.dtype)


def seeds_each_layer(net, options):
    """Others in each pass, and the same in all layers."""
    drawn = {}

    def alike(x, param):
        if param["mode"] == "test":
            return x, (param, None)
        if x.shape not in drawn or len(drawn[x.shape]) == 2:
            drawn[x.shape] = []
        drawn[x.shape].append(np.random.randint(2**31) if not drawn[x.shape] else None)
        return REFERENCES["dropout_forward"](x, {**param, "seed": drawn[x.shape][0]})

    for i, (name, *rest) in enumerate(net.steps):
        if name.startswith("dropout"):
            net.steps[i] = (name, alike, *rest[1:])


def keeps_dicts_in_closures(net, options):
    for i, (name, forward, backward, names, settings) in enumerate(net.steps):
        if name.startswith("batchnorm"):

            def closed(x, gamma, beta, _, forward=forward, param=settings[0]):
                return forward(x, gamma, beta, param)

            # a function's defaults are not copied, as what a lambda holds is not
            net.steps[i] = (name, closed, backward, names, settings)


def shares_one_dict(net, options):
    for i in range(1, len(net.bn_params)):
        net.bn_params[i] = net.bn_params[0]


_OF_ALL_NETS = [{}, {}]


def shares_its_dicts_with_other_nets(net, options):
    net.bn_params[:] = _OF_ALL_NETS[: len(net.bn_params)]


def calls_its_dtype(self, X, mode="test"):
    return ConvNet.forward(self, self.dtype(X), mode)


def always_trains(self, X, mode="test"):
    return ConvNet.forward(self, X, "train")


def answers_as_it_trains(self, X, y=None):
    return ConvNet.forward(self, X, "train")[0][-1] if y is None else ConvNet.loss(self, X, y)


def pops_its_caches(self, dout, caches, guided=False):
    result = ConvNet.backward(self, dout, caches, guided)
    while caches:
        caches.pop()
    return result


def pairs_from_the_end(self, dout, caches, guided=False):
    net = copy.copy(self)
    net.steps = self.steps[len(self.steps) - len(caches) :]
    return ConvNet.backward(net, dout, caches, guided)


def writes_into_dout(self, dout, caches, guided=False):
    result = ConvNet.backward(self, dout, caches, guided)
    dout[dout < 0] = 0
    return result


@pytest.mark.parametrize(
    "wrong, words",
    [
        (made(counts_its_pools), "the number of the CONV before it"),
        (made(takes_seed_0_for_none), "0 is a seed"),
        (made(draws_anew_in_each_layer), "anew for each layer"),
        (made(keeps_dicts_in_closures), "in a lambda or an inner function"),
        (made(shares_one_dict), "share one dict"),
        (made(shares_its_dicts_with_other_nets), "share one dict"),
        (convnet(forward=calls_its_dtype), "not self.dtype(X)"),
        (convnet(forward=always_trains), "the same in 'test' as in 'train' mode"),
        (convnet(loss=answers_as_it_trains), "loss(X) without y is for testing"),
        (single_precision(ConvNet), "images that are rounded to float32"),
        (single_precision(ConvNet, dtype=np.float32), "params['W1'] has dtype float32"),
        (keeps_its_first_weights(ConvNet, "forward"), "read self.params anew"),
        (made(seeds_each_layer), "dropout2 dropped what dropout1 did"),
        (convnet(backward=pops_its_caches), "without pop"),
        (convnet(backward=pairs_from_the_end), "pair first, then reverse"),
        (convnet(backward=writes_into_dout), "dout was changed"),
    ],
)
def test_a_slip_in_the_convnet_is_refused_and_named(wrong, words):
    assert words in message("ConvNet", wrong)


def appends(layers, *args):
    layers.append({"kind": "fc", "outputs": 10})
    return REFERENCES["network_cost"](layers[:-1], *args)


def floats(*args):
    return [(k, s, p / 1, m) for k, s, p, m in REFERENCES["network_cost"](*args)]


def numbers_for_shapes(*args):
    return [
        (k, s[0] if len(s) == 1 else s, p, m) for k, s, p, m in REFERENCES["network_cost"](*args)
    ]


def test_a_row_may_be_a_list_and_a_shape_an_array():
    def lists(*args):
        return [[k, np.array(s), p, m] for k, s, p, m in REFERENCES["network_cost"](*args)]

    check(as_written("network_cost", lists))


@pytest.mark.parametrize(
    "wrong, words",
    [
        (appends, "layers was changed"),
        (floats, "Use //"),
        (numbers_for_shapes, "comma that makes it a tuple"),
        (lambda *args: None, "missing return"),
    ],
)
def test_a_slip_in_the_table_is_refused_and_named(wrong, words):
    assert words in message("network_cost", wrong)


def test_a_wrong_layer_of_the_notebook_is_named():
    def affine_forward(x, w, b):
        return x.reshape(len(x), -1) @ w, (x, w, b)  # b is missing

    source_of_all_evil = {"affine_forward": as_written("affine_forward", affine_forward)}

    def no_bias(*args, **options):
        net = ThreeLayerConvNet(*args, **options)
        net.loss = lambda X, y=None: 0 * ThreeLayerConvNet.loss(net, X)
        return net

    text = message("ThreeLayerConvNet", no_bias, **source_of_all_evil)
    if "affine_forward" in STEPS:
        assert "your affine_forward fails the check" in text


def test_a_right_net_passes_beside_a_wrong_layer_that_it_does_not_call():
    check(as_written("ThreeLayerConvNet", ThreeLayerConvNet, affine_forward=lambda *args: None))


# -- the design question ---------------------------------------------------------------------------


def test_the_example_passes_once_its_weights_are_there(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert "not trained yet" in message("design_net", REFERENCES["design_net"])
    shutil.copy(ANSWERS.solution.with_name(design.FILE), tmp_path)
    check(as_written("design_net", REFERENCES["design_net"]))
    assert "8 of 8 lines" in capfd.readouterr().out


def test_a_second_download_under_another_name_is_named(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ANSWERS.solution.with_name(design.FILE), tmp_path / "design_net(1).npz")
    assert "there is design_net(1).npz. Only the name design_net.npz counts" in message(
        "design_net", REFERENCES["design_net"]
    )
    shutil.copy("design_net(1).npz", design.FILE)
    check(as_written("design_net", REFERENCES["design_net"]))
    assert "design_net(1).npz lies here too" in capfd.readouterr().out


def test_the_check_makes_two_nets_and_reads_the_file_once(tmp_path, monkeypatch):
    made, read = [], []

    def counted():
        made.append(REFERENCES["design_net"]())
        return made[-1]

    def load(net):
        read.append(net)
        load_weights(design.FILE, net)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(design, "load", load)
    shutil.copy(ANSWERS.solution.with_name(design.FILE), tmp_path)
    check(as_written("design_net", counted))
    assert len(made) == 2 and len(read) == 1  # the second: is it another one?


@pytest.mark.parametrize(
    "wrong, words",
    [
        (lambda: None, "missing return"),
        (lambda: REFERENCES["ConvNet"], "brackets of a call"),
        (lambda: REFERENCES["ConvNet"]([], num_classes=7), "(5, 7)"),
        (lambda: "design_net.npz", "return the net itself"),
        (lambda: REFERENCES["ConvNet"]([]), "another net"),
        (lambda: REFERENCES["ConvNet"]([conv(4, 3)], input_dim=(32, 32, 3)), "input_dim=(3, 32"),
        (lambda: REFERENCES["ConvNet"]([max_pool(2)] * 6 + [fc(9)]), "halved five times"),
        (
            lambda: REFERENCES["ConvNet"]([max_pool(2)] * 5 + [conv(4, 5, pad=0)]),
            "shrunk to nothing",
        ),
        (lambda: REFERENCES["ConvNet"](conv(4, 3), max_pool(2), fc(9)), "one list: ConvNet([conv"),
        (lambda: REFERENCES["ConvNet"]([conv(32), max_pool(2)]), "conv(filters, kernel)"),
        (lambda: REFERENCES["ConvNet"]([conv(32, 3, padding=1)]), "conv(filters, kernel)"),
    ],
)
def test_a_slip_in_the_design_is_refused_and_named(wrong, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ANSWERS.solution.with_name(design.FILE), tmp_path)
    assert words in message("design_net", wrong)
