"""The hidden tests of assignment 4: the layers that a convnet needs beside convolution and pooling,
and the rules by which its weights are updated.

A backward pass is called with the cache of the student's own forward pass, where that runs.
"""

import numpy as np
import pytest

from autograder.compare import assert_close, assert_equal_int, describe, unpack
from autograder.errors import StudentError, StudentRaised, WrongAnswer
from autograder.hidden.inputs import SINGLE, assert_unchanged, own_cache
from autograder.questions import question
from solutions import affine, batchnorm, dropout, groupnorm, relu, update_rules

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
    kept = out != 0
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
        other = self.out(student, x, {**param, "seed": param["seed"] + 1})
        assert_kept(other, x, 0.5)
        if np.array_equal(once, other):
            raise WrongAnswer("two calls with different seeds dropped the same numbers")
        once, again = (self.out(student, x, {"mode": "train", "p": 0.5}) for _ in range(2))
        assert_kept(once, x, 0.5)
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
            assert_averages(look(student, held), param)

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
