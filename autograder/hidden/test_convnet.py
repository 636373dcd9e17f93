"""The hidden tests of assignment 4: the layers that a convnet needs beside convolution and pooling,
the rules by which its weights are updated, and the nets themselves.

A backward pass is called with the cache of the student's own forward pass, where that runs. The
nets get their weights from the tests (nets.py), so that their numbers can be compared.
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
from autograder.errors import StudentError, StudentRaised, WrongAnswer
from autograder.hidden import accuracies, nets
from autograder.hidden.inputs import SINGLE, assert_unchanged, own_cache
from autograder.questions import question
from cnnlab import design
from cnnlab.architectures import ALEXNET, LENET5, avg_pool, conv, fc, max_pool
from solutions import (
    affine,
    batchnorm,
    convnet,
    dropout,
    groupnorm,
    network_cost,
    relu,
    three_layer_convnet,
    update_rules,
)

# A backward pass by numeric differences is no backward pass: beside numbers as large as these, a
# small step drowns in rounding.
LARGE = 1e7


def single(*arrays):
    return tuple(array.astype(np.float32) for array in arrays)


def refuses_other_modes(student, function, *args):
    """Called with the mode "testing", the function has to raise a ValueError."""
    try:
        getattr(student, function)(*args)
    except StudentRaised as error:
        if error.ename == "ValueError":
            return
        raise
    raise WrongAnswer(
        "the mode was 'testing', which is neither 'train' nor 'test', and no ValueError came"
    )


# --- affine layers --------------------------------------------------------------------------------

AFFINE = pytest.mark.parametrize(
    "x_shape",
    [
        pytest.param((4, 6), id="rows of numbers"),
        pytest.param((3, 2, 4, 5), id="images that are not square"),
        pytest.param((1, 3, 2, 2), id="one image"),
        pytest.param((5, 2, 3), id="arrays with one axis less"),
    ],
)


def draw_affine(rng, x_shape, outputs=7):
    x, w = rng.standard_normal(x_shape), rng.standard_normal((np.prod(x_shape[1:]), outputs))
    return x, w, rng.uniform(1, 2, outputs)


@question("affine_forward", points=2)
class TestAffineForward:
    def check(self, student, x, w, b, **tolerance):
        out, _ = unpack(student.affine_forward(x, w, b), "out", "cache")
        assert_close(out, affine.affine_forward(x, w, b)[0], name="out", **tolerance)

    def test_no_bias(self, student, rng):
        """rows of numbers, biases of 0"""
        x, w, b = draw_affine(rng, (5, 4), 3)
        self.check(student, x, w, 0 * b)

    @AFFINE
    def test_shapes(self, student, rng, x_shape):
        """inputs of many shapes, with biases"""
        self.check(student, *draw_affine(rng, x_shape))

    def test_leaves_its_inputs_alone(self, student, rng):
        """images in single precision, which are left as they were"""
        x, w, b = single(*draw_affine(rng, (2, 3, 4, 2)))
        held = {"x": student.put(x), "w": student.put(w), "b": student.put(b)}
        out, _ = unpack(student.affine_forward(*held.values()), "out", "cache")
        assert_close(out, affine.affine_forward(x, w, b)[0], name="out", **SINGLE)
        for (name, handle), before in zip(held.items(), (x, w, b), strict=True):
            assert_unchanged(student.get(handle), before, name)


@question("affine_backward", points=3)
class TestAffineBackward:
    NAMES = ("dx", "dw", "db")

    def both(self, student, rng, layer, put=lambda dout: dout):
        """The student's gradients of a layer, the right ones, dout and what was sent for it."""
        out, right_cache = affine.affine_forward(*layer)
        dout = rng.uniform(0.5, 2, out.shape).astype(out.dtype)
        cache = own_cache(student, "affine_forward", *layer, otherwise=right_cache)
        sent = put(dout)
        actual = unpack(student.affine_backward(sent, cache), *self.NAMES)
        return actual, affine.affine_backward(dout, right_cache), dout, sent

    def check(self, student, rng, x_shape, name):
        actual, expected, *_ = self.both(student, rng, draw_affine(rng, x_shape))
        number = self.NAMES.index(name)
        assert_close(actual[number], expected[number], name=name)

    @AFFINE
    def test_dx(self, student, rng, x_shape):
        """dx, the gradient of the inputs"""
        self.check(student, rng, x_shape, "dx")

    @AFFINE
    def test_dw(self, student, rng, x_shape):
        """dw, the gradient of the weights"""
        self.check(student, rng, x_shape, "dw")

    def test_db(self, student, rng):
        """db, the gradient of the biases"""
        self.check(student, rng, (4, 2, 3, 2), "db")

    def test_derived(self, student, rng):
        """images whose numbers are large: differences will not do"""
        x, w, b = draw_affine(rng, (3, 2, 3, 4))
        actual, expected, *_ = self.both(student, rng, (LARGE * x, w, b))
        for came, right, name in zip(actual, expected, self.NAMES, strict=True):
            assert_close(came, right, name=name)

    def test_leaves_its_input_alone(self, student, rng):
        """gradients in single precision, which are left as they were"""
        layer = single(*draw_affine(rng, (2, 3, 4, 2)))
        actual, expected, dout, held = self.both(student, rng, layer, student.put)
        for came, right, name in zip(actual, expected, self.NAMES, strict=True):
            assert_close(came, right, name=name, **SINGLE)
        assert_unchanged(student.get(held), dout, "dout")


# --- ReLU -----------------------------------------------------------------------------------------

RELU = pytest.mark.parametrize(
    "shape",
    [
        pytest.param((6, 7), id="rows of numbers"),
        pytest.param((2, 3, 4, 5), id="images"),
    ],
)


@question("relu_forward", points=1)
class TestReluForward:
    @RELU
    def test_shapes(self, student, rng, shape):
        """arrays of some shapes"""
        x = rng.standard_normal(shape)
        out, _ = unpack(student.relu_forward(x), "out", "cache")
        assert_close(out, relu.relu_forward(x)[0], name="out")

    def test_leaves_its_input_alone(self, student, rng):
        """images in single precision, which are left as they were"""
        (x,) = single(rng.standard_normal((2, 3, 5, 4)))
        held = student.put(x)
        out, _ = unpack(student.relu_forward(held), "out", "cache")
        assert_close(out, relu.relu_forward(x)[0], name="out", **SINGLE)
        assert_unchanged(student.get(held), x, "x")


@question("relu_backward", points=1)
class TestReluBackward:
    def both(self, student, rng, x, put=lambda dout: dout):
        """The student's dx, the right one, dout and what was sent for it. No x is exactly 0."""
        dout = rng.standard_normal(x.shape).astype(x.dtype)
        cache = own_cache(student, "relu_forward", x, otherwise=x)
        sent = put(dout)
        return student.relu_backward(sent, cache), relu.relu_backward(dout, x), dout, sent

    @RELU
    def test_shapes(self, student, rng, shape):
        """arrays of some shapes"""
        dx, expected, *_ = self.both(student, rng, rng.standard_normal(shape))
        assert_close(dx, expected, name="dx")

    def test_derived(self, student, rng):
        """numbers that are large: differences will not do"""
        dx, expected, *_ = self.both(student, rng, LARGE * rng.standard_normal((3, 4, 2)))
        assert_close(dx, expected, name="dx")

    def test_leaves_its_input_alone(self, student, rng):
        """gradients in single precision, which are left as they were"""
        x = rng.standard_normal((2, 3, 5, 4))
        dx, expected, dout, held = self.both(student, rng, *single(x), student.put)
        assert_close(dx, expected, name="dx", **SINGLE)
        assert_unchanged(student.get(held), dout, "dout")


# --- dropout --------------------------------------------------------------------------------------

# What is drawn is the student's own, with whatever generator: only what holds of every draw can be
# asked for. With a seed, typical bugs draw what the reference draws.


def draw_numbers(rng, shape=(30, 40)):
    """None of them 0: in out, 0 is what was dropped."""
    return rng.uniform(0.5, 2, shape) * rng.choice([-1, 1], shape)


def drawn_param(rng, p, mode="train"):
    return {"mode": mode, "p": p, "seed": int(rng.integers(2**31))}


def mask_of(out, x):
    """What x was multiplied with."""
    if not isinstance(out, np.ndarray):
        raise WrongAnswer(f"out should be an array, but is {describe(out)}.")
    with np.errstate(all="ignore"):
        assert_close(0 * out, 0 * x, name="out")  # of x's shape, and finite
    return out / x


def assert_kept(out, x, p, **tolerance):
    """Each number is 0 or x / p, and about the share p of them is not 0."""
    kept = mask_of(out, x) != 0
    share, sigma = kept.mean(), np.sqrt(p * (1 - p) / x.size)
    if abs(share - p) > 6 * sigma:
        if 0 < share < 1:
            assert_by_itself(kept)  # where one mask is for many, the share wanders
        raise WrongAnswer(
            f"p is the probability with which a number is kept. Here p = {p:.2f}, but "
            f"{100 * share:.0f}% of the {x.size} numbers of out are not 0."
        )
    try:
        assert_close(out, kept * x / p, name="out", **tolerance)
    except WrongAnswer as error:
        raise WrongAnswer(f"in 'train', what is kept should be x / p. {error}") from None


def assert_by_itself(out):
    """No two rows, columns or images are dropped alike."""
    kept = np.asarray(out) != 0
    for axis in range(kept.ndim):
        slices = np.moveaxis(kept, axis, 0).reshape(kept.shape[axis], -1)
        if len(np.unique(slices, axis=0)) < len(slices):
            raise WrongAnswer(
                f"along axis {axis} of out (counted from 0), the same places are dropped again. "
                "Each number is dropped by itself: draw as many random numbers as x has."
            )


@question("dropout_forward", points=2)
class TestDropoutForward:
    def out(self, student, x, param):
        out, _ = unpack(student.dropout_forward(x, param), "out", "cache")
        return out

    @pytest.mark.parametrize("p", [0.25, 0.8])
    def test_training(self, student, rng, p):
        """in 'train' a number is 0 or x / p, and p of them are kept"""
        x = draw_numbers(rng)
        assert_kept(self.out(student, x, drawn_param(rng, p)), x, p)

    def test_each_by_itself(self, student, rng):
        """images: each number is dropped by itself"""
        x = draw_numbers(rng, (4, 5, 6, 8))
        out = self.out(student, x, drawn_param(rng, 0.5))
        assert_kept(out, x, 0.5)
        assert_by_itself(out)
        counts, x = set(), draw_numbers(rng, (2, 3))
        for _ in range(20):
            out = self.out(student, x, drawn_param(rng, 0.5))
            assert_kept(out, x, 0.5)
            counts.add(int(np.sum(out != 0)))
        if len(counts) == 1:  # of a hundred million right answers, one
            raise WrongAnswer(
                "in each of 20 calls just as many of 6 numbers were kept. Each is kept with the "
                "probability p, whatever becomes of the others: no permutation."
            )

    def test_testing(self, student, rng):
        """in 'test' nothing is dropped or scaled, after a training step that did"""
        x = draw_numbers(rng)
        param = drawn_param(rng, 0.6)
        assert_kept(self.out(student, x, param), x, 0.6)
        assert_close(self.out(student, x, {**param, "mode": "test"}), x, name="out in 'test'")

    def test_seeds(self, student, rng):
        """the same seed drops the same numbers, and without a seed each call drops others"""
        x, param = draw_numbers(rng), drawn_param(rng, 0.5)
        once, again = (self.out(student, x, param) for _ in range(2))
        assert_kept(once, x, 0.5)
        if not np.array_equal(once, again):
            raise WrongAnswer("two calls with the same seed dropped different numbers")
        zero = [self.out(student, x, {**param, "seed": 0}) for _ in range(2)]
        if not np.array_equal(*zero):
            raise WrongAnswer(
                "two calls with the seed 0 dropped different numbers. 0 is a seed, too: `if seed` "
                "takes it for none."
            )
        other = self.out(student, x, {**param, "seed": param["seed"] + 1})
        assert_kept(other, x, 0.5)
        if np.array_equal(once, other):
            raise WrongAnswer("two calls with different seeds dropped the same numbers")
        once, again = (self.out(student, x, {"mode": "train", "p": 0.5}) for _ in range(2))
        assert_kept(once, x, 0.5)
        assert_by_itself(once)
        if np.array_equal(once, again):
            raise WrongAnswer("two calls without a seed dropped the same numbers: draw anew")

    def test_leaves_its_input_alone(self, student, rng):
        """numbers in single precision, which are left as they were; no other mode is known"""
        (x,), param = single(draw_numbers(rng)), drawn_param(rng, 0.7)
        held = student.put(x)
        assert_kept(self.out(student, held, param), x, 0.7, **SINGLE)
        assert_unchanged(student.get(held), x, "x")
        refuses_other_modes(student, "dropout_forward", x, {**param, "mode": "testing"})


@question("dropout_backward", points=1)
class TestDropoutBackward:
    def own_pass(self, student, x, param):
        """What the student's own forward pass multiplied x with, and its cache.

        Where it dropped nothing, or fails: those of the reference. That has cost its own points.
        """
        try:
            out, cache = unpack(student.dropout_forward(x, param), "out", "cache")
            mask = mask_of(out, x)
            if cache is not None and (param["mode"] == "test" or 0 < np.sum(mask == 0) < x.size):
                return mask, cache
        except (StudentError, WrongAnswer):
            pass
        out, cache = dropout.dropout_forward(x, param)
        return mask_of(out, x), cache

    def check(self, student, rng, x, param, put=lambda dout: dout, **tolerance):
        mask, cache = self.own_pass(student, x, param)
        dout = draw_numbers(rng, x.shape).astype(x.dtype)
        sent = put(dout)
        dx = student.dropout_backward(sent, cache)
        if param["mode"] == "test":
            assert_close(dx, dout, name="dx in 'test'", **tolerance)
        else:
            self.check_training(dx, dout, mask, param["p"], **tolerance)
        return dout, sent

    def check_training(self, dx, dout, mask, p, **tolerance):
        kept = mask != 0
        try:
            assert_close(dx, dout * kept / p, name="dx", **tolerance)
        except WrongAnswer as error:
            self.same_places(dx, kept)
            if np.allclose(mask, kept / p, rtol=1e-4):
                raise error from None
            # a forward pass that scales otherwise has lost its points: this one may follow it
            assert_close(dx, dout * mask, name="dx", **tolerance)

    def same_places(self, dx, kept):
        """Say so where the gradient passes in other places than the numbers did."""
        if not isinstance(dx, np.ndarray) or dx.shape != kept.shape or not np.any(dx == 0):
            return
        if np.any((dx != 0) != kept):
            raise WrongAnswer(
                "dx is 0 in other places than out was: the backward pass needs the mask that the "
                "forward pass drew. Keep it in the cache."
            )

    @pytest.mark.parametrize("p", [0.3, 0.75])
    def test_training(self, student, rng, p):
        """the gradient goes where the numbers went"""
        self.check(student, rng, draw_numbers(rng, (12, 9)), drawn_param(rng, p))

    def test_images(self, student, rng):
        """images, and a mask that was drawn without a seed"""
        x = draw_numbers(rng, (2, 3, 5, 4))
        self.check(student, rng, x, drawn_param(rng, 0.6))
        self.check(student, rng, x, {"mode": "train", "p": 0.6})

    def test_testing(self, student, rng):
        """after a training step, one in 'test'"""
        x = draw_numbers(rng, (12, 9))
        self.check(student, rng, x, drawn_param(rng, 0.4))
        self.check(student, rng, x, drawn_param(rng, 0.4, "test"))

    def test_leaves_its_input_alone(self, student, rng):
        """gradients in single precision, which are left as they were"""
        (x,) = single(draw_numbers(rng, (8, 9)))
        dout, held = self.check(student, rng, x, drawn_param(rng, 0.5), student.put, **SINGLE)
        assert_unchanged(student.get(held), dout, "dout")


# --- batch normalisation --------------------------------------------------------------------------

NORMALISED = pytest.mark.parametrize(
    "shape",
    [
        pytest.param((4, 3, 5, 6), id="images that are not square"),
        pytest.param((1, 3, 4, 5), id="one image"),
        pytest.param((2, 3, 4, 3), id="as many columns as channels"),
    ],
)
BATCHNORM = ("dx", "dgamma", "dbeta")


def draw_normalised(rng, shape, per_channel=(-1,)):
    """Images whose channels differ in mean and variance, as do the images; scales and shifts."""
    N, C = shape[:2]
    x = rng.standard_normal(shape) * rng.uniform(0.5, 2, (N, C, 1, 1))
    x += rng.uniform(1, 3, (N, 1, 1, 1)) + rng.uniform(-2, 2, (1, C, 1, 1))
    gamma, beta = rng.uniform(0.5, 2, C), rng.uniform(1, 3, C)
    return x, gamma.reshape(per_channel), beta.reshape(per_channel)


def draw_averages(rng, channels):
    return {
        "running_mean": rng.standard_normal(channels),
        "running_var": rng.uniform(0.5, 2, channels),
    }


def look(student, held, name="bn_param"):
    """A dict as it is after the student's function had it."""
    found = student.get(held)
    if not isinstance(found, dict):
        raise WrongAnswer(f"{name} was a dict, and then {describe(found)}.")
    return found


def assert_averages(found, expected, **tolerance):
    for name in ("running_mean", "running_var"):
        if name not in found:
            raise WrongAnswer(f"bn_param['{name}'] is not there after a step in 'train'.")
        assert_close(found[name], expected[name], name=f"bn_param['{name}']", **tolerance)


@question("spatial_batchnorm_forward", points=5)
class TestSpatialBatchnormForward:
    def check(self, student, x, gamma, beta, param, put=None, **tolerance):
        """Compare out with the right one, and return what bn_param should be now."""
        right = dict(param)
        expected, _ = batchnorm.spatial_batchnorm_forward(x, gamma, beta, right)
        sent = param if put is None else put
        out, _ = unpack(student.spatial_batchnorm_forward(x, gamma, beta, sent), "out", "cache")
        assert_close(out, expected, name="out", **tolerance)
        return right

    def test_normalises(self, student, rng):
        """training, with scales of 1 and shifts of 0"""
        x, gamma, beta = draw_normalised(rng, (4, 2, 3, 5))
        self.check(student, x, gamma**0, 0 * beta, {"mode": "train"})

    @NORMALISED
    def test_training(self, student, rng, shape):
        """training, with scales and shifts"""
        self.check(student, *draw_normalised(rng, shape), {"mode": "train"})

    @pytest.mark.parametrize(
        "size, param",
        [
            pytest.param(1, {"eps": 0.5}, id="eps is given"),
            pytest.param(1e-3, {}, id="eps is missing, and the variance is tiny"),
        ],
    )
    def test_eps(self, student, rng, size, param):
        """what eps does"""
        x, gamma, beta = draw_normalised(rng, (3, 2, 4, 5))
        self.check(student, size * x, gamma, beta, {"mode": "train", **param})

    @pytest.mark.parametrize(
        "batches, given",
        [
            pytest.param(1, {}, id="one batch, from nothing"),
            pytest.param(3, {"momentum": 0.7}, id="three batches, momentum 0.7"),
        ],
    )
    def test_running_averages(self, student, rng, batches, given):
        """the running averages of training"""
        param = {"mode": "train", **given}
        if given:
            param |= draw_averages(rng, 2)
        held = student.put(param)
        for _ in range(batches):
            param = self.check(student, *draw_normalised(rng, (3, 2, 4, 5)), param, held)
            found = look(student, held)
            assert_averages(found, param)
            self.assert_no_cache(found)

    def assert_no_cache(self, found):
        """Beside the settings and the averages there is nothing in it."""
        known = {"mode", "eps", "momentum", "running_mean", "running_var"}
        more = sorted(str(name)[:20] for name in found if name not in known)
        if more:
            raise WrongAnswer(
                f"bn_param has a new entry, {more[0]!r}. What the backward pass needs belongs into "
                "the cache."
            )

    @pytest.mark.parametrize(
        "shape",
        [
            pytest.param((4, 3, 5, 6), id="many images"),
            pytest.param((1, 3, 2, 4), id="one image"),
        ],
    )
    def test_testing(self, student, rng, shape):
        """testing, with the averages that are there; they stay as they are"""
        param = {"mode": "test", **draw_averages(rng, shape[1])}
        held = student.put(param)
        self.check(student, *draw_normalised(rng, shape), param, held)
        assert_averages(look(student, held), param)

    def test_from_training_to_testing(self, student, rng):
        """two batches of training, then testing with what they left"""
        param = {"mode": "train", "momentum": 0.6, "eps": 1e-3}
        held = student.put(param)
        for _ in range(2):
            param = self.check(student, *draw_normalised(rng, (3, 2, 4, 5)), param, held)
        found = look(student, held)
        assert_averages(found, param)
        sent = {**found, "mode": "test"}
        self.check(student, *draw_normalised(rng, (2, 2, 3, 4)), {**param, "mode": "test"}, sent)

    def test_leaves_its_inputs_alone(self, student, rng):
        """images in single precision, which are left as they were; no other mode is known"""
        x, gamma, beta = single(*draw_normalised(rng, (2, 3, 4, 5)))
        held = {"x": student.put(x), "gamma": student.put(gamma), "beta": student.put(beta)}
        expected, _ = batchnorm.spatial_batchnorm_forward(x, gamma, beta, {"mode": "train"})
        result = student.spatial_batchnorm_forward(*held.values(), {"mode": "train"})
        out, _ = unpack(result, "out", "cache")
        assert_close(out, expected, name="out", **SINGLE)
        for (name, handle), before in zip(held.items(), (x, gamma, beta), strict=True):
            assert_unchanged(student.get(handle), before, name)
        refuses_other_modes(
            student, "spatial_batchnorm_forward", x, gamma, beta, {"mode": "testing"}
        )


class NormBackward:
    """What backward passes of normalisations are asked for; ``passes`` are the two right ones."""

    def both(self, student, rng, layer, put=lambda dout: dout):
        """The student's gradients, the right ones, dout and what was sent for it.

        ``layer`` makes the arguments of a forward pass, new ones at each call.
        """
        right_forward, right_backward = self.passes
        out, right_cache = right_forward(*layer())
        dout = (rng.standard_normal(out.shape) + 0.5).astype(out.dtype)
        cache = own_cache(student, self.forward, *layer(), otherwise=right_cache)
        sent = put(dout)
        actual = unpack(getattr(student, self.name)(sent, cache), *BATCHNORM)
        return actual, right_backward(dout, right_cache), dout, sent

    def check(self, student, rng, layer, *names, **tolerance):
        actual, expected, *_ = self.both(student, rng, layer)
        for name, came, right in zip(BATCHNORM, actual, expected, strict=True):
            if name in names:
                assert_close(came, right, name=name, **tolerance)

    def check_single(self, student, rng, layer):
        actual, expected, dout, held = self.both(student, rng, layer, student.put)
        for name, came, right in zip(BATCHNORM, actual, expected, strict=True):
            assert_close(came, right, name=name, **SINGLE)
        assert_unchanged(student.get(held), dout, "dout")


@question("spatial_batchnorm_backward", points=5)
class TestSpatialBatchnormBackward(NormBackward):
    forward, name = "spatial_batchnorm_forward", "spatial_batchnorm_backward"
    passes = (batchnorm.spatial_batchnorm_forward, batchnorm.spatial_batchnorm_backward)

    def layer(self, rng, shape, mode="train", size=1, **param):
        x, gamma, beta = draw_normalised(rng, shape)
        param = {"mode": mode, **param, **draw_averages(rng, shape[1])}
        return lambda: (size * x, gamma, beta, dict(param))

    def test_dbeta(self, student, rng):
        """dbeta, the gradient of the shifts"""
        self.check(student, rng, self.layer(rng, (4, 3, 2, 5)), "dbeta")

    def test_dgamma(self, student, rng):
        """dgamma, the gradient of the scales"""
        self.check(student, rng, self.layer(rng, (4, 3, 2, 5)), "dgamma")

    @NORMALISED
    def test_dx(self, student, rng, shape):
        """dx, the gradient of the images, after training"""
        self.check(student, rng, self.layer(rng, shape), "dx")

    def test_eps(self, student, rng):
        """all three, with an eps that matters"""
        self.check(student, rng, self.layer(rng, (3, 2, 4, 5), eps=0.7), *BATCHNORM)

    def test_testing(self, student, rng):
        """all three, after testing: there the averages are constants"""
        self.check(student, rng, self.layer(rng, (3, 2, 4, 5), "test"), *BATCHNORM)

    def test_derived(self, student, rng):
        """images whose numbers are large: differences will not do"""
        self.check(student, rng, self.layer(rng, (2, 3, 4, 5), size=LARGE), *BATCHNORM)

    def test_leaves_its_input_alone(self, student, rng):
        """gradients in single precision, which are left as they were"""
        x, gamma, beta = single(*draw_normalised(rng, (2, 3, 4, 5)))
        self.check_single(student, rng, lambda: (x, gamma, beta, {"mode": "train"}))


# --- update rules ---------------------------------------------------------------------------------


class UpdateRule:
    """The rule ``name``; ``settings`` are some that are not the usual ones.

    ``keeps`` names the arrays that config carries from step to step; ``size`` is that of gradients
    beside which the usual settings can be told from others.
    """

    keeps, size = (), 1.0

    def call(self, student, w, dw, *config):
        return unpack(getattr(student, self.name)(w, dw, *config), "next_w", "config")

    def walk(self, student, rng, config, count, *, size=1.0, shape=(3, 4)):
        """Some steps, each with the config of the step before. Its last one, and the right one."""
        w, carried = rng.standard_normal(shape), () if config is None else (config,)
        for number in range(1, count + 1):
            dw = size * rng.standard_normal(shape)
            next_w, came = self.call(student, w, dw, *carried)
            w, config = self.reference(w, dw, config)
            assert_close(next_w, w, name=f"next_w of step {number}")
            carried = (came,)
        return came, config

    def middle(self, rng, shape):
        """What config holds after some steps."""
        return {name: rng.uniform(0.1, 2, shape) for name in self.keeps}

    def test_one_step(self, student, rng):
        """the first step, with all settings given"""
        self.walk(student, rng, dict(self.settings), 1)

    def test_steps(self, student, rng):
        """four steps of filters, with all settings given: config goes from step to step"""
        self.walk(student, rng, dict(self.settings), 4, shape=(2, 3, 2, 1))

    def test_usual_settings(self, student, rng):
        """three steps of biases, with no config to begin with"""
        self.walk(student, rng, None, 3, size=self.size, shape=(7,))

    def test_in_turns(self, student, rng):
        """two arrays of weights in turns, and a third with other settings: each by itself"""
        right = {name: None for name in "ab"}
        carried = {name: () for name in "ab"}
        w = {"a": rng.standard_normal((2, 3)), "b": rng.standard_normal(5)}
        for name in "abab":
            dw = rng.standard_normal(w[name].shape)
            next_w, came = self.call(student, w[name], dw, *carried[name])
            w[name], right[name] = self.reference(w[name], dw, right[name])
            assert_close(next_w, w[name], name="next_w")
            carried[name] = (came,)
            self.walk(student, rng, dict(self.settings), 1, shape=(4,))

    def test_leaves_its_inputs_alone(self, student, rng):
        """weights in single precision, which are left as they were"""
        w, dw = single(rng.standard_normal((3, 4)), rng.standard_normal((3, 4)))
        held = {"w": student.put(w), "dw": student.put(dw)}
        next_w, _ = self.call(student, *held.values(), dict(self.settings))
        assert_close(next_w, self.reference(w, dw, dict(self.settings))[0], name="next_w", **SINGLE)
        assert_unchanged(student.get(held["w"]), w, "w")
        assert_unchanged(student.get(held["dw"]), dw, "dw")


class RuleThatRemembers(UpdateRule):
    def test_from_the_middle(self, student, rng):
        """one step, with what others have left"""
        shape = (3, 5)
        self.walk(student, rng, {**self.settings, **self.middle(rng, shape)}, 1, shape=shape)

    def test_remembers(self, student, rng):
        """three steps: what config holds then"""
        came, right = self.walk(student, rng, dict(self.settings), 3)
        if getattr(came, "type_name", None) is not None:
            came = look(student, came, "config")
        if not isinstance(came, dict):
            raise WrongAnswer(f"config should be the dict for the next step, not {describe(came)}.")
        for name in self.keeps:
            if name not in came:
                raise WrongAnswer(f"config['{name}'] is not there after three steps.")
            if name == "t":
                assert_equal_int(came[name], right[name], name="config['t']")
            else:
                assert_close(came[name], right[name], name=f"config['{name}']")


@question("sgd", points=1)
class TestSgd(UpdateRule):
    name, reference = "sgd", staticmethod(update_rules.sgd)
    settings = {"learning_rate": 0.3}  # noqa: RUF012 (never changed)


@question("sgd_momentum", points=2)
class TestSgdMomentum(RuleThatRemembers):
    name, reference = "sgd_momentum", staticmethod(update_rules.sgd_momentum)
    settings = {"learning_rate": 0.3, "momentum": 0.6}  # noqa: RUF012
    keeps = ("velocity",)


@question("rmsprop", points=2)
class TestRmsprop(RuleThatRemembers):
    name, reference = "rmsprop", staticmethod(update_rules.rmsprop)
    settings = {"learning_rate": 0.3, "decay_rate": 0.7, "epsilon": 0.1}  # noqa: RUF012
    keeps, size = ("cache",), 1e-7


@question("adam", points=3)
class TestAdam(RuleThatRemembers):
    name, reference = "adam", staticmethod(update_rules.adam)
    settings = {"learning_rate": 0.3, "beta1": 0.6, "beta2": 0.8, "epsilon": 0.1}  # noqa: RUF012
    keeps, size = ("m", "v", "t"), 1e-7

    def middle(self, rng, shape):
        return {**super().middle(rng, shape), "t": int(rng.integers(2, 6))}


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
        nets.assert_scores(net, X, right)
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
        nets.assert_scores(net, X, right)
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
        outs, _ = nets.forward(student, net, X)
        assert_close(outs[-1], right.loss(X), name="the scores of forward(X), in 'test' mode,")

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

    def test_leaves_alone_what_is_not_its_own(self, student, rng):
        """dropout drops others in each pass, whatever the seed; the list of layers stays"""
        layers, shape = [fc(40), fc(40)], (2, 3, 4)
        options = {"dropout_keep_ratio": 0.5, "dtype": "float64", "seed": int(rng.integers(1000))}
        right = convnet.ConvNet(layers, shape, CLASSES, **options)
        # a 1 comes out of every FC: what is 0 was dropped
        params = {n: np.zeros(w.shape) + (n[0] == "b") for n, w in right.params.items()}
        X, passes = rng.standard_normal((8, *shape)), []
        held = student.put(layers)
        for count in (2, 1):
            net = nets.made(student.ConvNet(held, shape, CLASSES, **options), "ConvNet")
            if student.get(held) != layers:
                raise WrongAnswer("your function changed its input layers")
            nets.assign(net, params)
            for _ in range(count):
                outs, _ = nets.forward(student, net, X, "train")
                if len(outs) != len(right.steps):
                    raise WrongAnswer(f"outs holds {len(outs)} outputs for {len(right.steps)}.")
                passes.append([np.asarray(outs[place]) for place in (2, 5)])
                for out in passes[-1]:
                    assert_close(out, 2.0 * (out != 0), name="1s after dropout")
        first, second, of_another_net = passes
        if np.array_equal(first[0], second[0]) or np.array_equal(*first):
            raise WrongAnswer(
                "dropout drops the same numbers again: the net's seed is for its weights alone."
            )
        if np.array_equal(first[0], of_another_net[0]):
            raise WrongAnswer(
                "two nets of the same seed drop the same numbers: the seed has set NumPy's common "
                "generator. Make the net one of its own."
            )

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
        """back to the image, from the scores and from a step inside; without a penalty"""
        net, right, X, _ = self.draw(student, rng, PLAIN, reg=0.3)
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
            # of 13,000 right nets one was off by 0.14; half of those whose last layer is ten times
            # as large are off by 0.39
            assert_close(loss, np.log(20), rtol=0.25, name="the loss of a new net")
        assert_close(weights[1], weights[0], name="the weights of a second net of the same seed")
        for other in weights[2:]:
            if np.mean(other == weights[0]) > 0.1 or np.mean(weights[3] == weights[4]) > 0.1:
                raise WrongAnswer("nets of different seeds, or of none, have the same weights.")

    def test_refuses(self, student, rng):
        """ValueError for a layer of another kind, and for groups"""
        assert_close(self.loss_of_right_layers(student, rng), np.log(20), rtol=0.25, name="loss")
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
        accuracies.assert_reaches(student, rng, least, accuracies.NET)


# --- extra credit: group normalisation ------------------------------------------------------------

GROUPS = pytest.mark.parametrize(
    "shape, G",
    [
        pytest.param((3, 6, 4, 5), 3, id="six channels in three groups"),
        pytest.param((3, 6, 5, 2), 2, id="six channels in two groups"),
        pytest.param((2, 4, 3, 5), 1, id="one group: layer normalisation"),
        pytest.param((2, 3, 4, 5), 3, id="a group for each channel: instance normalisation"),
        pytest.param((1, 8, 3, 2), 4, id="one image"),
    ],
)
PER_CHANNEL = (1, -1, 1, 1)


@question("spatial_groupnorm_forward", points=2, extra_credit=True)
class TestSpatialGroupnormForward:
    def check(self, student, x, gamma, beta, G, param):
        out, _ = unpack(student.spatial_groupnorm_forward(x, gamma, beta, G, param), "out", "cache")
        expected, _ = groupnorm.spatial_groupnorm_forward(x, gamma, beta, G, param)
        assert_close(out, expected, name="out")

    def test_normalises(self, student, rng):
        """scales of 1 and shifts of 0"""
        x, gamma, beta = draw_normalised(rng, (2, 4, 3, 5), PER_CHANNEL)
        self.check(student, x, gamma**0, 0 * beta, 2, {})

    @GROUPS
    def test_groups(self, student, rng, shape, G):
        """groups of many kinds, with scales and shifts"""
        self.check(student, *draw_normalised(rng, shape, PER_CHANNEL), G, {})

    @pytest.mark.parametrize(
        "size, param",
        [
            pytest.param(1, {"eps": 0.5}, id="eps is given"),
            pytest.param(1e-3, {}, id="eps is missing, and the variance is tiny"),
        ],
    )
    def test_eps(self, student, rng, size, param):
        """what eps does"""
        x, gamma, beta = draw_normalised(rng, (3, 6, 4, 5), PER_CHANNEL)
        self.check(student, size * x, gamma, beta, 2, param)

    def test_leaves_its_inputs_alone(self, student, rng):
        """images in single precision, which are left as they were"""
        x, gamma, beta = single(*draw_normalised(rng, (2, 6, 4, 5), PER_CHANNEL))
        held = {"x": student.put(x), "gamma": student.put(gamma), "beta": student.put(beta)}
        result = student.spatial_groupnorm_forward(*held.values(), 3, {})
        out, _ = unpack(result, "out", "cache")
        expected, _ = groupnorm.spatial_groupnorm_forward(x, gamma, beta, 3, {})
        assert_close(out, expected, name="out", **SINGLE)
        for (name, handle), before in zip(held.items(), (x, gamma, beta), strict=True):
            assert_unchanged(student.get(handle), before, name)


@question("spatial_groupnorm_backward", points=2, extra_credit=True)
class TestSpatialGroupnormBackward(NormBackward):
    forward, name = "spatial_groupnorm_forward", "spatial_groupnorm_backward"
    passes = (groupnorm.spatial_groupnorm_forward, groupnorm.spatial_groupnorm_backward)

    def layer(self, rng, shape, G, size=1, **param):
        x, gamma, beta = draw_normalised(rng, shape, PER_CHANNEL)
        return lambda: (size * x, gamma, beta, G, dict(param))

    def test_dbeta(self, student, rng):
        """dbeta, the gradient of the shifts"""
        self.check(student, rng, self.layer(rng, (3, 4, 2, 5), 2), "dbeta")

    def test_dgamma(self, student, rng):
        """dgamma, the gradient of the scales"""
        self.check(student, rng, self.layer(rng, (3, 4, 2, 5), 2), "dgamma")

    @GROUPS
    def test_dx(self, student, rng, shape, G):
        """dx, the gradient of the images"""
        self.check(student, rng, self.layer(rng, shape, G), "dx")

    def test_eps(self, student, rng):
        """all three, with an eps that matters"""
        self.check(student, rng, self.layer(rng, (3, 6, 4, 5), 2, eps=0.7), *BATCHNORM)

    def test_derived(self, student, rng):
        """images whose numbers are large: differences will not do"""
        self.check(student, rng, self.layer(rng, (2, 4, 4, 5), 2, size=LARGE), *BATCHNORM)

    def test_leaves_its_input_alone(self, student, rng):
        """gradients in single precision, which are left as they were"""
        x, gamma, beta = single(*draw_normalised(rng, (2, 4, 4, 5), PER_CHANNEL))
        self.check_single(student, rng, lambda: (x, gamma, beta, 2, {}))
