"""The hidden tests of assignment 4: a ConvNet's layers, its update rules, and the nets themselves.

The nets get their weights from the tests (nets.py), so that their numbers can be compared.
"""

import numpy as np
import pytest

from autograder.compare import assert_close
from autograder.errors import WrongAnswer
from autograder.hidden import nets
from autograder.hidden.inputs import SINGLE
from autograder.questions import question
from solutions import three_layer_convnet

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
