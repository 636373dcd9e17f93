"""The hidden tests of assignment 4: a ConvNet's layers, its update rules, and the nets themselves.

The nets get their weights from the tests (nets.py), so that their numbers can be compared.
"""

import numpy as np
import pytest

from autograder.compare import (
    assert_close,
    assert_equal_int,
    assert_equal_ints,
    describe,
    unpack,
)
from autograder.errors import StudentRaised, WrongAnswer
from autograder.hidden import accuracies, nets
from autograder.hidden.inputs import SINGLE
from autograder.questions import question
from cnnlab import design
from cnnlab.architectures import ALEXNET, LENET5, avg_pool, conv, fc, max_pool
from solutions import convnet, network_cost, three_layer_convnet

# --- ThreeLayerConvNet ----------------------------------------------------------------------------

SQUARE = {"input_dim": (3, 6, 6), "num_filters": 4, "filter_size": 3, "hidden_dim": 7}
ODD = {"input_dim": (2, 4, 8), "num_filters": 3, "filter_size": 5, "hidden_dim": 6}
SIZES = pytest.mark.parametrize(
    "sizes",
    [
        pytest.param(SQUARE, id="3x3 filters"),
        pytest.param(ODD, id="5x5 filters, images that are not square"),
    ],
)
CLASSES = 5


@question("ThreeLayerConvNet", points=6)
class TestThreeLayerConvNet:
    def draw(self, student, rng, sizes=ODD, reg=0.0, **options):
        """The student's net and the right one, with the same weights; images and classes."""
        options = {**sizes, "num_classes": CLASSES, "reg": reg, **options}
        right = three_layer_convnet.ThreeLayerConvNet(**options)
        right.params = nets.random_params(rng, right.params)
        net = nets.made(student.ThreeLayerConvNet(**options), "ThreeLayerConvNet")
        dtype = np.dtype(options.get("dtype", "float32"))
        right.params = {name: array.astype(dtype) for name, array in right.params.items()}
        nets.assign(net, right.params)
        return net, right, *nets.draw_batch(rng, 6, sizes["input_dim"], CLASSES)

    @SIZES
    def test_scores(self, student, rng, sizes):
        """the scores, for weights that the test assigns"""
        net, right, X, _ = self.draw(student, rng, sizes, dtype="float64")
        assert_close(nets.call(net, "loss", X), right.loss(X), name="scores")
        right.params = nets.random_params(rng, right.params)
        net.params = right.params
        assert_close(nets.call(net, "loss", X), right.loss(X), name="scores of other weights")

    def test_loss(self, student, rng):
        """the loss, without and with a penalty"""
        for reg in (0.0, 0.4):
            net, right, X, y = self.draw(student, rng, reg=reg, dtype="float64")
            loss, _ = nets.loss_and_grads(student, net, X, y)
            assert_close(loss, right.loss(X, y)[0], name=f"loss for reg = {reg:g}")

    @pytest.mark.parametrize(
        "names",
        [
            pytest.param(("W3", "b3"), id="of the scores' layer"),
            pytest.param(("W2", "b2"), id="of the hidden layer"),
            pytest.param(("W1", "b1"), id="of the convolution"),
        ],
    )
    def test_gradients(self, student, rng, names):
        """the gradients without a penalty"""
        net, right, X, y = self.draw(student, rng, dtype="float64")
        _, grads = nets.loss_and_grads(student, net, X, y)
        nets.assert_gradients(grads, right.loss(X, y)[1], names)

    def test_gradients_with_a_penalty(self, student, rng):
        """all gradients, with a penalty"""
        net, right, X, y = self.draw(student, rng, SQUARE, reg=0.3, dtype="float64")
        _, grads = nets.loss_and_grads(student, net, X, y)
        nets.assert_gradients(grads, right.loss(X, y)[1])

    @pytest.mark.parametrize("weight_scale", [None, 0.02], ids=["1e-3", "0.02"])
    def test_first_weights(self, student, rng, weight_scale):
        """shapes and first values of params, for this weight_scale"""
        std = 1e-3 if weight_scale is None else weight_scale
        options = {} if weight_scale is None else {**ODD, "weight_scale": std, "num_classes": 40}
        net = nets.made(student.ThreeLayerConvNet(**options), "ThreeLayerConvNet")
        expected = three_layer_convnet.ThreeLayerConvNet(**options).params
        params = nets.own_params(net)
        nets.names_are(params, expected, "params")
        for name, array in expected.items():
            if name[0] == "W":
                why = (1, "Is it multiplied with weight_scale?"), (1e-3, "That is 1e-3 always.")
                nets.assert_weights(params[name], array.shape, std, f"params[{name!r}]", why)
            else:
                nets.assert_constant(params[name], array.shape, 0, f"params[{name!r}]")

    def test_first_loss(self, student, rng):
        """a new net: the loss near log(num_classes), and the penalty on top of it"""
        for reg in (0.0, 100.0):
            options = {**SQUARE, "num_classes": 20, "reg": reg}
            net = nets.made(student.ThreeLayerConvNet(**options), "ThreeLayerConvNet")
            X, y = nets.draw_batch(rng, 20, SQUARE["input_dim"], 20)
            loss, _ = nets.loss_and_grads(student, net, X, y)
            params = nets.own_params(net)
            if not any(np.any(params[name]) for name in params):
                raise WrongAnswer("all weights are 0 at first. Draw them at random.")
            weights = [np.sum(np.square(params[n], dtype=float)) for n in params if n[0] == "W"]
            assert_close(loss, np.log(20) + reg / 2 * sum(weights), rtol=1e-3, name="loss")

    def test_single_precision(self, student, rng):
        """float32, the default, for images in float64; X, y and params are left as they were"""
        net, right, X, y = self.draw(student, rng, reg=0.1)
        expected = right.loss(X, y)
        nets.assert_keeps_its_inputs(student, net, X, y, expected)
        scores = nets.call(net, "loss", X)
        assert_close(scores, right.loss(X), name="scores", **SINGLE)
        nets.assert_dtype(scores, np.float32, "scores")
        _, grads = nets.loss_and_grads(student, net, X, y)
        for name, gradient in grads.items():
            nets.assert_dtype(gradient, np.float32, f"grads[{name!r}]")


# --- network_cost ---------------------------------------------------------------------------------


@question("network_cost", points=3)
class TestNetworkCost:
    def draw(self, rng):
        """A net in which no two numbers that could be confused are equal; and its image."""
        a, b, c = (int(n) for n in rng.choice(np.arange(5, 12), 3, replace=False))
        layers = [
            conv(2 * a, 5, stride=2, pad=1),  # 19 x 33 -> 9 x 16
            conv(4 * b, 3, groups=2),
            max_pool(3, stride=2),  # 4 x 7
            conv(c, 2, pad=0),  # 3 x 6
            avg_pool(3),  # 1 x 2
            fc(13),
            fc(a + b),
        ]
        return layers, (3, 19, 33), int(rng.integers(20, 30))

    def check(self, student, column, *args):
        """Compare one column, for these layers and what else is given."""
        rows = _table(student, student.network_cost(*args))
        expected = network_cost.network_cost(*args)
        if len(rows) != len(expected):
            raise WrongAnswer(
                f"the table has {len(rows)} rows for a list of {len(args[0])} layers: one for each "
                "layer, and one for the scores."
            )
        for number, (row, right) in enumerate(zip(rows, expected, strict=True)):
            name = f"{COLUMNS[column]} of row {number}, a {right[0]},"
            if column == 1:
                assert_equal_ints(row[1], right[1], name=name)
            elif column > 1:
                assert_equal_int(row[column], right[column], name=name)
            if row[0] != right[0]:
                raise WrongAnswer(f"row {number} should begin with the layer's kind, {right[0]!r}.")

    @pytest.mark.parametrize("column", [1, 2, 3], ids=["shapes", "parameters", "multiply-adds"])
    def test_column(self, student, rng, column):
        """a net with strides, pads and groups, and an image that is not square"""
        self.check(student, column, *self.draw(rng))

    @pytest.mark.parametrize("column", [1, 2, 3], ids=["shapes", "parameters", "multiply-adds"])
    def test_lenet(self, student, rng, column):
        """LeNet-5, with a filter more here and there"""
        more = int(rng.integers(1, 9))
        layers = [
            {**layer, "filters": layer["filters"] + more} if layer["kind"] == "conv" else layer
            for layer in LENET5
        ]
        self.check(student, column, layers, (1, 32, 32))

    def test_alexnet(self, student, rng):
        """AlexNet's table, whose list is left as it was"""
        held = student.put(ALEXNET)
        size = 227 + 32 * int(rng.integers(0, 3))
        rows = _table(student, student.network_cost(held, (3, size, size), 1000))
        expected = network_cost.network_cost(ALEXNET, (3, size, size), 1000)
        for column in (2, 3):
            came = sum(_number(row[column], COLUMNS[column]) for row in rows)
            assert_equal_int(came, sum(row[column] for row in expected), name=COLUMNS[column])
        if student.get(held) != ALEXNET:
            raise WrongAnswer("your function changed its input layers")


COLUMNS = ("kind", "the shape", "parameters", "multiply_adds")


def _table(student, value):
    """The rows, each of the four columns."""
    value = student.get(value) if nets.is_object(value) else value
    if not isinstance(value, (list, tuple)):
        raise WrongAnswer(f"the function should return a list of rows, not {describe(value)}.")
    rows = [student.get(row) if nets.is_object(row) else row for row in value]
    return [unpack(row, "kind", "shape", "parameters", "multiply_adds") for row in rows]


def _number(value, name):
    """A whole number, or WrongAnswer."""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value)
    raise WrongAnswer(f"{name} should be an integer, but is {describe(value)}.")


# --- ConvNet --------------------------------------------------------------------------------------

PLAIN = ([conv(3, 3), conv(4, 3), max_pool(2), fc(6)], (2, 6, 8))
STRIDED = ([conv(4, 5, stride=2, pad=1), avg_pool(2), conv(3, 3), fc(7), fc(6)], (3, 13, 17))
DEEP = ([conv(4, 3), max_pool(2), conv(4, 3), avg_pool(2), fc(5)], (2, 8, 4))
LINEAR = ([], (2, 3, 4))
SHAPES = [
    pytest.param(PLAIN, {}, id="two convolutions, max pooling, one FC"),
    pytest.param(STRIDED, {}, id="stride 2, average pooling, two FCs"),
    pytest.param(DEEP, {"batchnorm": True}, id="batch normalisation"),
]


@question("ConvNet", points=8)
class TestConvNet:
    def draw(self, student, rng, net, **options):
        """The student's net and the right one, with the same weights; images and classes."""
        layers, shape = net
        options = {"dtype": "float64", **options}
        right = convnet.ConvNet(layers, shape, CLASSES, **options)
        dtype = np.dtype(options["dtype"])
        weights = nets.random_params(rng, right.params)
        right.params = {name: array.astype(dtype) for name, array in weights.items()}
        net = nets.made(student.ConvNet(layers, shape, CLASSES, **options), "ConvNet")
        nets.assign(net, right.params)
        averages = [
            {"running_mean": rng.standard_normal(n), "running_var": rng.uniform(1, 2, n)}
            for n in (len(param["running_mean"]) for param in right.bn_params)
        ]
        averages = [{k: v.astype(dtype) for k, v in row.items()} for row in averages]
        for param, row in zip(right.bn_params, averages, strict=True):
            param.update(row)
        if averages:
            nets.set_running_averages(net, averages)
        return net, right, *nets.draw_batch(rng, 6, shape, CLASSES)

    @pytest.mark.parametrize(
        "net, options", [*SHAPES, pytest.param(LINEAR, {}, id="no layer but the scores'")]
    )
    def test_scores(self, student, rng, net, options):
        """the scores, for weights that the test assigns"""
        net, right, X, _ = self.draw(student, rng, net, **options)
        assert_close(nets.call(net, "loss", X), right.loss(X), name="scores")
        one = nets.call(net, "loss", X[:1])
        assert_close(one, right.loss(X[:1]), name="scores of one image alone")

    def test_loss(self, student, rng):
        """the loss, without and with a penalty"""
        for reg in (0.0, 0.4):
            net, right, X, y = self.draw(student, rng, DEEP, batchnorm=True, reg=reg)
            loss, _ = nets.loss_and_grads(student, net, X, y)
            assert_close(loss, right.loss(X, y)[0], name=f"loss for reg = {reg:g}")

    @pytest.mark.parametrize("net, options", SHAPES)
    def test_gradients(self, student, rng, net, options):
        """the gradients without a penalty"""
        net, right, X, y = self.draw(student, rng, net, **options)
        _, grads = nets.loss_and_grads(student, net, X, y)
        nets.assert_gradients(grads, right.loss(X, y)[1])

    def test_gradients_with_a_penalty(self, student, rng):
        """all gradients, with a penalty"""
        net, right, X, y = self.draw(student, rng, DEEP, batchnorm=True, reg=0.3)
        _, grads = nets.loss_and_grads(student, net, X, y)
        nets.assert_gradients(grads, right.loss(X, y)[1])

    def test_running_averages(self, student, rng):
        """batch normalisation: training changes the running averages, testing uses them"""
        net, right, X, y = self.draw(student, rng, DEEP, batchnorm=True)
        nets.call(net, "loss", X, y)
        right.loss(X, y)
        assert_close(nets.call(net, "loss", X), right.loss(X), name="scores after a training step")
        rows = nets.running_averages(student, net)
        for number, (row, param) in enumerate(zip(rows, right.bn_params, strict=True)):
            for which in ("running_mean", "running_var"):
                name = f"bn_params[{number}]['{which}']"
                assert_close(row.get(which), param[which], name=name)

    def test_dropout(self, student, rng):
        """dropout after the ReLU of each FC of the list, while training only"""
        # of a thousand million numbers one is kept: in training the scores are the last biases
        net, right, X, y = self.draw(student, rng, STRIDED, dropout_keep_ratio=1e-9)
        assert_close(nets.call(net, "loss", X), right.loss(X), name="scores")
        loss, _ = nets.loss_and_grads(student, net, X, y)
        assert_close(loss, right.loss(X, y)[0], name="loss where next to nothing is kept")
        net, _, X, _ = self.draw(student, rng, PLAIN, dropout_keep_ratio=0.8)
        X = np.concatenate([X] * 20)
        *_, before, after, _ = nets.forward(student, net, X, "train")[0]
        dropped = np.asarray(after) == 0
        assert_close(after, np.where(dropped, 0, np.asarray(before) / 0.8), name="after dropout")
        share = np.mean(dropped[np.asarray(before) != 0])
        if not 0 < share < 0.5:
            raise WrongAnswer("dropout_keep_ratio is how likely a number is kept, not dropped.")

    def test_steps(self, student, rng):
        """the names of the steps, and the output of each"""
        for net, options in (
            (DEEP, {"batchnorm": True, "dropout_keep_ratio": 0.5}),
            (STRIDED, {}),
        ):
            net, right, X, _ = self.draw(student, rng, net, **options)
            outs, _ = nets.forward(student, net, X, "test")
            expected, _ = right.forward(X, "test")
            if len(outs) != len(expected):
                raise WrongAnswer(f"outs holds {len(outs)} outputs for {len(expected)} steps.")
            for step, out, value in zip(right.steps, outs, expected, strict=True):
                assert_close(out, value, name=f"the output of {step[0]}")
            nets.assert_steps(student, net, [step[0] for step in right.steps])

    @pytest.mark.parametrize(
        "guided", [pytest.param(False, id="gradient"), pytest.param(True, id="guided")]
    )
    def test_backward(self, student, rng, guided):
        """back to the image, from the scores and from a step inside"""
        net, right, X, _ = self.draw(student, rng, PLAIN)
        _, caches = nets.forward(student, net, X, "test")
        outs, right_caches = right.forward(X, "test")
        for count in (len(outs), 4, 5):  # the scores, the second ReLU, the pooling
            dout = rng.standard_normal(outs[count - 1].shape)
            dX, grads = nets.backward(student, net, dout, caches[:count], guided)
            expected = right.backward(dout, right_caches[:count], guided)
            assert_close(dX, expected[0], name=f"dX, back from {right.steps[count - 1][0]}")
            if not guided:
                nets.assert_gradients(grads, expected[1])

    @pytest.mark.parametrize("batchnorm", [False, True], ids=["plain", "batch normalisation"])
    def test_first_weights(self, student, rng, batchnorm):
        """shapes and first values of params"""
        layers = [conv(20, 5), max_pool(2), conv(30, 3), max_pool(2), fc(150)]
        seed = int(rng.integers(0, 1000))
        options = {"batchnorm": batchnorm, "seed": seed}
        net = nets.made(student.ConvNet(layers, (3, 16, 12), 50, **options), "ConvNet")
        X = np.ones((2, 3, 16, 12))
        nets.call(net, "loss", X)
        params = nets.own_params(net)
        right = convnet.ConvNet(layers, (3, 16, 12), 50, **options)
        nets.names_are(params, right.params, "params")
        for name, array in right.params.items():
            if name[0] == "W":
                self.check_weights(params[name], array, name, last=name == "W4")
            else:
                value = float(name.startswith("gamma"))
                nets.assert_constant(params[name], array.shape, value, f"params[{name!r}]")

    def check_weights(self, came, right, name, last):
        shape = right.shape
        inputs = np.prod(shape[1:]) if len(shape) == 4 else shape[0]
        outputs = shape[0] * np.prod(shape[2:]) if len(shape) == 4 else shape[1]
        tenth = 0.1 if last else 1.0
        std = tenth * np.sqrt(2 / inputs)
        causes = [
            (10 * std, "In the last FC it is a tenth of sqrt(2 / inputs)."),
            (tenth * np.sqrt(1 / inputs), "Is the 2 in sqrt(2 / inputs) missing?"),
            (tenth * np.sqrt(2 / outputs), "Count the inputs, not the outputs."),
            (tenth * 2 / inputs, "Is the square root missing?"),
        ]
        if len(shape) == 4:
            causes.append((np.sqrt(2 / shape[1]), "One output sees C * kernel * kernel numbers."))
        nets.assert_weights(came, shape, std, f"params[{name!r}]", causes)

    def test_seed(self, student, rng):
        """the same seed: the same weights, another or none: others; and the loss near the log"""
        layers, shape = PLAIN
        weights, X = [], rng.standard_normal((20, *shape))
        for seed in (3, 3, 4, None, None):
            net = nets.made(student.ConvNet(layers, shape, 20, seed=seed), "ConvNet")
            params = nets.own_params(net)
            nets.names_are(params, convnet.ConvNet(layers, shape, 20).params, "params")
            weights.append(np.concatenate([np.ravel(params[f"W{n}"]) for n in (1, 2, 3, 4)]))
            loss, _ = nets.loss_and_grads(student, net, X, np.arange(20))
            assert_close(loss, np.log(20), rtol=0.05, name="the loss of a new net")
        assert_close(weights[1], weights[0], name="the weights of a second net of the same seed")
        for other in weights[2:]:
            if np.mean(other == weights[0]) > 0.1 or np.mean(weights[3] == weights[4]) > 0.1:
                raise WrongAnswer("nets of different seeds, or of none, have the same weights.")

    def test_refuses(self, student, rng):
        """ValueError for a layer of another kind, and for groups"""
        assert_close(self.loss_of_right_layers(student, rng), np.log(20), rtol=0.05, name="loss")
        for layer in ({"kind": "recurrent", "outputs": 4}, conv(4, 3, groups=2)):
            try:
                student.ConvNet([layer], (2, 6, 8))
            except StudentRaised as error:
                if error.ename == "ValueError":
                    continue
                raise
            raise WrongAnswer(
                f"a {layer['kind']} layer {'with groups ' * ('groups' in layer)}should raise a "
                "ValueError, but a net came back"
            )

    def loss_of_right_layers(self, student, rng):
        layers, shape = PLAIN
        net = nets.made(student.ConvNet(layers, shape, 20, seed=1), "ConvNet")
        X = rng.standard_normal((20, *shape))
        return nets.loss_and_grads(student, net, X, np.arange(20))[0]

    def test_single_precision(self, student, rng):
        """float32 for images in float64; X, y and params are left as they were"""
        net, right, X, y = self.draw(student, rng, DEEP, batchnorm=True, reg=0.1, dtype="float32")
        scores = nets.call(net, "loss", X)
        assert_close(scores, right.loss(X), name="scores", **SINGLE)
        nets.assert_dtype(scores, np.float32, "scores")
        nets.assert_keeps_its_inputs(student, net, X, y, right.loss(X, y))
        _, grads = nets.loss_and_grads(student, net, X, y)
        for name, gradient in grads.items():
            nets.assert_dtype(gradient, np.float32, f"grads[{name!r}]")


# --- the design question --------------------------------------------------------------------------


@question("design_net", points=8, limits={"call_seconds": 20, "test_seconds": 90})
class TestDesignNet:
    @pytest.mark.parametrize("least", design.LINES, ids="at least {:.2f}".format)
    def test_accuracy(self, student, rng, least):
        """the accuracy on new pictures, with the weights that were handed in"""
        reached = accuracies.measure(student, rng)
        if reached < least:
            raise WrongAnswer(
                f"The accuracy on {accuracies.PICTURES} new pictures is {reached:.3f}."
            )
