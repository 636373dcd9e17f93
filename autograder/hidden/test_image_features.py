"""The hidden tests of assignment 1: neighbours, linear classifiers, features, two layers.

A test's docstring, and the id of each of its cases, are what students read about it. Each test
fails for a function that returns zeros, a constant or its input.
"""

import numpy as np
import pytest

from autograder.compare import assert_close, unpack
from autograder.errors import WrongAnswer
from autograder.hidden.inputs import SINGLE, assert_unchanged, own_cache
from autograder.questions import question
from solutions import (
    bag_of_words,
    histograms,
    hog,
    linear_classifier,
    neighbours,
    perceptron,
    two_layer,
)

# --- nearest neighbours ---------------------------------------------------------------------------


@question("knn_distances", points=4)
class TestKnnDistances:
    def check(self, student, X, X_train, **tolerance):
        expected = neighbours.knn_distances(X, X_train)
        assert_close(student.knn_distances(X, X_train), expected, name="distances", **tolerance)

    def test_few(self, student, rng):
        """a few images of a few numbers"""
        self.check(student, rng.standard_normal((4, 5)), rng.standard_normal((4, 5)))

    def test_different_numbers_of_images(self, student, rng):
        """more training images than images, and the other way round"""
        self.check(student, rng.standard_normal((3, 8)), rng.standard_normal((7, 8)))
        self.check(student, rng.standard_normal((6, 8)), rng.standard_normal((2, 8)))

    def test_pixels(self, student, rng):
        """pixels as they come from a file (uint8), which are left as they were"""
        X, X_train = (rng.integers(0, 256, (n, 30), np.uint8) for n in (5, 6))
        held = {"X": student.put(X), "X_train": student.put(X_train)}
        distances = student.knn_distances(*held.values())
        assert_close(distances, neighbours.knn_distances(X, X_train), name="distances", **SINGLE)
        assert_unchanged(student.get(held["X"]), X, "X")
        assert_unchanged(student.get(held["X_train"]), X_train, "X_train")

    def test_the_same_image(self, student, rng):
        """an image that is in the training set too: distance 0, not NaN"""
        X_train = rng.standard_normal((20, 50))
        X = np.concatenate([X_train[7:12], rng.standard_normal((2, 50))])
        # where numbers cancel, half of the digits are lost in the square root
        self.check(student, X, X_train, atol=1e-5)

    def test_many(self, student, rng):
        """so many images that an array of N x M x D numbers fits into no memory"""
        self.check(student, rng.standard_normal((300, 700)), rng.standard_normal((1800, 700)))


@question("knn_predict", points=3)
class TestKnnPredict:
    def check(self, student, distances, y_train, k):
        expected = neighbours.knn_predict(distances, y_train, k)
        assert_close(student.knn_predict(distances, y_train, k), expected, name="y")

    def draw(self, rng, n=12, m=20, classes=4):
        """Distances that are all different, and classes from 1 on, in no order."""
        distances = rng.permutation(n * m).reshape(n, m) / 10 + 1
        y_train = np.concatenate([np.arange(classes), rng.integers(0, classes, m - classes)]) + 1
        return distances, rng.permutation(y_train)

    def test_nearest(self, student, rng):
        """k = 1: the class of the nearest"""
        self.check(student, *self.draw(rng), 1)

    @pytest.mark.parametrize("k", [3, 6, 11], ids=lambda k: f"k = {k}")
    def test_votes(self, student, rng, k):
        """the nearest k vote"""
        self.check(student, *self.draw(rng), k)

    def test_ties(self, student, rng):
        """as many votes for several classes: the smallest of them"""
        y_train = rng.permutation([4, 4, 2, 2, 7, 7, 9])
        distances = np.array([rng.permutation(7) + 1.0 for _ in range(8)])
        distances[:, y_train == 9] += 10
        self.check(student, distances, y_train, 6)
        # the winner has the most votes: the smallest class is not always it
        self.check(student, *self.draw(rng), 7)


# --- linear classifiers ---------------------------------------------------------------------------


def draw_scores(rng, n=6, c=5, spread=2.0):
    return spread * rng.standard_normal((n, c)), rng.integers(0, c, n)


class LossTests:
    """What both losses have to do."""

    name: str
    reference: staticmethod

    def both(self, student, x, y):
        loss, dx = unpack(getattr(student, self.name)(x, y), "loss", "dx")
        return {"loss": loss, "dx": dx}, dict(zip(("loss", "dx"), self.reference(x, y)))  # noqa: B905

    def check(self, student, which, x, y):
        actual, expected = self.both(student, x, y)
        assert_close(actual[which], expected[which], name=which)

    def test_loss_of_one(self, student, rng):
        """the loss of one image"""
        self.check(student, "loss", *draw_scores(rng, n=1))

    def test_loss(self, student, rng):
        """the loss of several images, and of more classes than images"""
        self.check(student, "loss", *draw_scores(rng))
        self.check(student, "loss", *draw_scores(rng, n=3, c=8))

    def test_gradient_of_one(self, student, rng):
        """dx of one image"""
        self.check(student, "dx", *draw_scores(rng, n=1))

    def test_gradient(self, student, rng):
        """dx of several images"""
        self.check(student, "dx", *draw_scores(rng))
        self.check(student, "dx", *draw_scores(rng, n=3, c=8, spread=4))

    def test_leaves_its_inputs_alone(self, student, rng):
        """scores in single precision, which are left as they were"""
        x, y = draw_scores(rng)
        x = x.astype(np.float32)
        held = student.put(x)
        loss, dx = unpack(getattr(student, self.name)(held, y), "loss", "dx")
        expected = self.reference(x, y)
        assert_close(loss, expected[0], name="loss", **SINGLE)
        assert_close(dx, expected[1], name="dx", **SINGLE)
        assert_unchanged(student.get(held), x, "x")


@question("softmax_loss", points=4)
class TestSoftmaxLoss(LossTests):
    name, reference = "softmax_loss", staticmethod(linear_classifier.softmax_loss)

    def test_large_scores(self, student, rng):
        """scores of a thousand and more: exp must not overflow"""
        x, y = draw_scores(rng)
        x += rng.choice([-2000, 2000], (len(x), 1))
        self.check(student, "loss", x, y)
        self.check(student, "dx", x, y)


@question("svm_loss", points=4)
class TestSvmLoss(LossTests):
    name, reference = "svm_loss", staticmethod(linear_classifier.svm_loss)


@question("linear_backward", points=3)
class TestLinearBackward:
    def check(self, student, rng, which, n, d, c, reg):
        dscores, X = rng.standard_normal((n, c)) + 0.5, rng.standard_normal((n, d)) + 1
        W = rng.uniform(0.5, 2, (d, c)) * rng.choice([-1, 1], (d, c))
        expected = dict(
            zip(("dW", "db"), linear_classifier.linear_backward(dscores, X, W, reg), strict=True)
        )
        dW, db = unpack(student.linear_backward(dscores, X, W, reg), "dW", "db")
        assert_close({"dW": dW, "db": db}[which], expected[which], name=which)

    def test_weights(self, student, rng):
        """dW, without a penalty"""
        self.check(student, rng, "dW", 4, 6, 3, 0.0)
        self.check(student, rng, "dW", 3, 3, 3, 0.0)

    def test_bias(self, student, rng):
        """db"""
        self.check(student, rng, "db", 4, 6, 3, 0.5)
        self.check(student, rng, "db", 5, 5, 5, 0.5)

    def test_penalty(self, student, rng):
        """dW, with the penalty"""
        self.check(student, rng, "dW", 4, 6, 3, float(rng.uniform(0.5, 2)))
        self.check(student, rng, "dW", 5, 2, 4, float(rng.uniform(2, 5)))


# --- features made by hand ------------------------------------------------------------------------


def draw_colours(rng, shape, nbin):
    """Random uint8 pixels whose hues keep away from the edges of the bins, red excepted."""
    pixels = rng.integers(0, 256, (*shape, 3), np.uint8)
    for _ in range(100):
        values = pixels.astype(float)
        spread = np.ptp(values, axis=-1)
        red, green, blue = np.moveaxis(values, -1, 0)
        sixths = np.select(
            [values.argmax(-1) == 0, values.argmax(-1) == 1],
            [(green - blue) % (6 * spread + (spread == 0)), blue - red + 2 * spread],
            red - green + 4 * spread,
        ) / np.maximum(spread, 1)
        place = sixths / 6 * nbin
        bad = (np.abs(place - np.round(place)) < 0.02) | (spread < 5)
        if not bad.any():
            break
        pixels[bad] = rng.integers(0, 256, (int(bad.sum()), 3), np.uint8)
    return pixels


@question("color_histogram_hsv", points=4)
class TestColorHistogramHsv:
    def check(self, student, im, **options):
        expected = histograms.color_histogram_hsv(im, **options)
        assert_close(
            student.color_histogram_hsv(im, **options), expected, name="the histogram", **SINGLE
        )

    def test_counts(self, student, rng):
        """an image of floats, as counts"""
        self.check(student, draw_colours(rng, (12, 9), 10).astype(float), normalized=False)

    def test_normalized(self, student, rng):
        """normalised, so that the bins add up to 1"""
        self.check(student, draw_colours(rng, (12, 9), 10).astype(float))

    def test_pixels(self, student, rng):
        """pixels as they come from a file (uint8), which are left as they were"""
        im = draw_colours(rng, (10, 9), 10)
        held = student.put(im)
        came = student.color_histogram_hsv(held)
        assert_close(came, histograms.color_histogram_hsv(im), name="the histogram", **SINGLE)
        assert_unchanged(student.get(held), im, "im")

    @pytest.mark.parametrize("nbin", [5, 16], ids=lambda n: f"{n} bins")
    def test_bins(self, student, rng, nbin):
        """other numbers of bins"""
        self.check(student, draw_colours(rng, (11, 8), nbin), nbin=nbin)

    def test_grey(self, student, rng):
        """some grey pixels: hue 0, not NaN"""
        im = draw_colours(rng, (10, 9), 10)
        im[:3] = rng.integers(0, 256, (3, 9, 1))
        self.check(student, im, normalized=False)

    def test_range(self, student, rng):
        """hues above xmin only, and colours from 0 to 1"""
        im = draw_colours(rng, (10, 9), 20).astype(float)
        self.check(student, im, nbin=10, xmin=127.5, normalized=False)
        self.check(student, im / 255, nbin=5, xmin=0.5, xmax=1)

    def test_batch(self, student, rng):
        """a batch of images, a histogram for each"""
        self.check(student, draw_colours(rng, (4, 8, 7), 10))


def draw_pictures(rng, *shape):
    """Smooth random pictures: their edges run in all directions, more in some than in others."""
    noise = rng.standard_normal((*shape, 3)).cumsum(axis=-3).cumsum(axis=-2)
    noise += 3 * rng.standard_normal((*shape, 3))
    low, high = noise.min(), noise.max()
    return 255 * (noise - low) / (high - low)


@question("hog_feature", points=7)
class TestHogFeature:
    def check(self, student, im, **options):
        expected = hog.hog_feature(im, **options)
        assert_close(student.hog_feature(im, **options), expected, name="the feature", **SINGLE)

    def test_one_cell(self, student, rng):
        """one cell of a grey image, not normalised"""
        grey = draw_pictures(rng, 8, 8)[..., :1]
        self.check(student, np.repeat(grey, 3, axis=-1), block=0)

    def test_cells(self, student, rng):
        """several cells of a grey image that is not square, not normalised"""
        grey = draw_pictures(rng, 16, 24)[..., :1]
        self.check(student, np.repeat(grey, 3, axis=-1), block=0)

    def test_colours(self, student, rng):
        """a colour image: the longest gradient of the three channels counts"""
        self.check(student, draw_pictures(rng, 16, 16), block=0)

    def test_normalized(self, student, rng):
        """each cell normalised"""
        self.check(student, draw_pictures(rng, 16, 24))

    def test_blocks(self, student, rng):
        """blocks of 2 x 2 cells, which overlap"""
        self.check(student, draw_pictures(rng, 24, 32), block=2)

    @pytest.mark.parametrize(
        "hw, cell, nbin",
        [
            pytest.param((12, 20), 4, 9, id="cells of 4 x 4"),
            pytest.param((16, 8), 8, 6, id="6 directions"),
        ],
    )
    def test_sizes(self, student, rng, hw, cell, nbin):
        """other cells and directions"""
        self.check(student, draw_pictures(rng, *hw), cell=cell, nbin=nbin)

    def test_pixels(self, student, rng):
        """a batch of pixels as they come from a file (uint8), which are left as they were"""
        images = draw_pictures(rng, 3, 16, 16).astype(np.uint8)
        # between two bins, and between equally long gradients, rounding may decide
        held = student.put(images)
        came = student.hog_feature(held, 8, 9, 1)
        assert_close(came, hog.hog_feature(images), name="the feature", **SINGLE)
        assert_unchanged(student.get(held), images, "im")

    def test_both_directions(self, student, rng):
        """rising and falling ramps count the same"""
        slope = rng.uniform(2, 4, 2)
        ramp = slope[0] * np.arange(16)[:, None] + slope[1] * np.arange(16)
        ramp = np.repeat(ramp[..., None], 3, axis=-1)
        self.check(student, ramp, block=0)
        self.check(student, 200 - ramp, block=0)


# --- visual words ---------------------------------------------------------------------------------


@question("extract_patches", points=3)
class TestExtractPatches:
    def check(self, student, images, size, stride):
        expected = bag_of_words.extract_patches(images, size, stride)
        assert_close(student.extract_patches(images, size, stride), expected, name="patches")

    def test_grey(self, student, rng):
        """one channel, stride 1"""
        self.check(student, rng.standard_normal((1, 5, 5, 1)), 3, 1)

    def test_channels(self, student, rng):
        """three channels, two images that are not square"""
        self.check(student, rng.standard_normal((2, 5, 7, 3)), 3, 1)

    @pytest.mark.parametrize("size, stride", [(2, 2), (3, 2), (1, 3)])
    def test_strides(self, student, rng, size, stride):
        """strides"""
        self.check(student, rng.standard_normal((2, 8, 7, 3)), size, stride)

    def test_pixels(self, student, rng):
        """pixels (uint8), which are left as they were"""
        images = rng.integers(0, 256, (3, 6, 8, 3), np.uint8)
        held = student.put(images)
        came = student.extract_patches(held, 4, 1)
        assert_close(came, bag_of_words.extract_patches(images, 4), name="patches")
        assert_unchanged(student.get(held), images, "images")


@question("fit_whitening", points=3)
class TestFitWhitening:
    def both(self, student, rng, m, d, epsilon):
        patches = rng.standard_normal((m, d)) @ rng.standard_normal((d, d)) + 3 + rng.random(d)
        mean, P = unpack(student.fit_whitening(patches, epsilon), "mean", "P")
        return (mean, P), bag_of_words.fit_whitening(patches, epsilon)

    def test_mean(self, student, rng):
        """the mean patch"""
        (mean, _), (expected, _) = self.both(student, rng, 12, 5, 0.1)
        assert_close(mean, expected, name="mean")

    def test_many(self, student, rng):
        """P of many patches, with a tiny epsilon"""
        (_, P), (_, expected) = self.both(student, rng, 400, 5, 1e-6)
        assert_close(P, expected, name="P", rtol=1e-5, atol=1e-6)

    def test_epsilon(self, student, rng):
        """P with a large epsilon"""
        (_, P), (_, expected) = self.both(student, rng, 400, 6, float(rng.uniform(1, 3)))
        assert_close(P, expected, name="P")

    def test_few(self, student, rng):
        """P of few patches"""
        (_, P), (_, expected) = self.both(student, rng, 8, 4, 0.1)
        assert_close(P, expected, name="P")

    def test_leaves_its_input_alone(self, student, rng):
        """patches are left as they were"""
        patches = rng.standard_normal((30, 4)) + 2
        held = student.put(patches)
        mean, P = unpack(student.fit_whitening(held, 0.1), "mean", "P")
        expected = bag_of_words.fit_whitening(patches, 0.1)
        assert_close(mean, expected[0], name="mean")
        assert_close(P, expected[1], name="P")
        assert_unchanged(student.get(held), patches, "patches")


def draw_clusters(rng, k, d, each=12):
    """Patches around k centres of very different lengths, and words to start from."""
    centres = rng.standard_normal((k, d)) * rng.uniform(1, 6, (k, 1)) + 2
    patches = np.repeat(centres, each, axis=0) + rng.standard_normal((k * each, d))
    patches = rng.permutation(patches)
    return patches, patches[:k] + 0.3 * rng.standard_normal((k, d))


@question("build_codebook", points=5)
class TestBuildCodebook:
    def check(self, student, patches, words, num_iters):
        expected = bag_of_words.build_codebook(patches, words, num_iters)
        assert_close(student.build_codebook(patches, words, num_iters), expected, name="words")

    def test_once(self, student, rng):
        """one iteration"""
        self.check(student, *draw_clusters(rng, 4, 5), 1)

    def test_often(self, student, rng):
        """several iterations"""
        self.check(student, *draw_clusters(rng, 6, 3), 2)
        self.check(student, *draw_clusters(rng, 5, 4), 7)

    def test_lonely_words(self, student, rng):
        """a word that nobody joins stays where it is"""
        patches, words = draw_clusters(rng, 5, 3)
        words[2] = 100 + rng.random(3)
        self.check(student, patches, words, 3)

    def test_leaves_its_inputs_alone(self, student, rng):
        """patches and words are left as they were"""
        patches, words = draw_clusters(rng, 4, 3)
        held = student.put(patches), student.put(words)
        expected = bag_of_words.build_codebook(patches, words, 4)
        assert_close(student.build_codebook(*held, 4), expected, name="words")
        assert_unchanged(student.get(held[0]), patches, "patches")
        assert_unchanged(student.get(held[1]), words, "words")

    def test_many(self, student, rng):
        """more patches than one batch holds"""
        # no multiple of anyone's batch
        patches = rng.standard_normal((7003, 3)) + rng.integers(0, 3, (7003, 1))
        self.check(student, patches, patches[:6].copy(), 2)


@question("encode_images", points=5)
class TestEncodeImages:
    def check(self, student, rng, n, rows, columns, k, soft, d=6):
        patches, words = rng.standard_normal((n, rows, columns, d)), rng.standard_normal((k, d))
        words *= rng.uniform(0.5, 1.5, (k, 1))
        expected = bag_of_words.encode_images(patches, words, soft)
        came = student.encode_images(patches, words, soft)
        assert_close(came, expected, name="features", rtol=1e-5, atol=1e-7)

    def test_histogram(self, student, rng):
        """hard: the histogram of one image"""
        self.check(student, rng, 1, 6, 6, 5, False)

    def test_histograms(self, student, rng):
        """hard: several images, an odd number of rows, more columns than rows"""
        self.check(student, rng, 3, 5, 8, 4, False)

    def test_triangle(self, student, rng):
        """soft: one image"""
        self.check(student, rng, 1, 6, 6, 5, True)

    def test_triangles(self, student, rng):
        """soft: several images, odd numbers of rows and columns"""
        self.check(student, rng, 3, 5, 7, 4, True)

    def test_leaves_its_inputs_alone(self, student, rng):
        """single precision, and inputs that are left as they were"""
        patches = rng.standard_normal((2, 5, 4, 6)).astype(np.float32)
        words = rng.standard_normal((7, 6)).astype(np.float32)
        held = student.put(patches), student.put(words)
        expected = bag_of_words.encode_images(patches, words, True)
        assert_close(student.encode_images(*held, True), expected, name="features", **SINGLE)
        assert_unchanged(student.get(held[0]), patches, "patches")
        assert_unchanged(student.get(held[1]), words, "words")


# --- the two-layer network ------------------------------------------------------------------------


def draw_network(rng, n=5, d=6, h=7, c=4):
    params = {
        "W1": rng.standard_normal((d, h)),
        "b1": rng.standard_normal(h),
        "W2": rng.standard_normal((h, c)),
        "b2": rng.standard_normal(c),
    }
    return rng.standard_normal((n, d)), params


@question("two_layer_forward", points=2)
class TestTwoLayerForward:
    def check(self, student, X, params):
        expected, _ = two_layer.two_layer_forward(X, params)
        scores, _ = unpack(student.two_layer_forward(X, params), "scores", "cache")
        assert_close(scores, expected, name="scores")

    def test_without_biases(self, student, rng):
        """all biases 0"""
        X, params = draw_network(rng)
        self.check(student, X, {k: v * (v.ndim > 1) for k, v in params.items()})

    def test_with_biases(self, student, rng):
        """with biases"""
        self.check(student, *draw_network(rng))
        self.check(student, *draw_network(rng, n=1, d=4, h=4, c=4))

    def test_lecture(self, student, rng):
        """the lecture's sizes: 3072 -> 100 -> 10"""
        X, params = draw_network(rng, n=2, d=3072, h=100, c=10)
        self.check(student, X / 50, params)


@question("two_layer_backward", points=6)
class TestTwoLayerBackward:
    NAMES = ("W1", "b1", "W2", "b2")

    def gradients(self, student, rng, reg, **sizes):
        """The student's gradients of a random network, and the right ones."""
        X, params = draw_network(rng, **sizes)
        scores, right_cache = two_layer.two_layer_forward(X, params)
        dscores = rng.standard_normal(scores.shape) + 0.3
        cache = own_cache(student, "two_layer_forward", X, params, otherwise=right_cache)
        grads = student.two_layer_backward(dscores, cache, reg)
        if not isinstance(grads, dict) or set(grads) != set(self.NAMES):
            raise WrongAnswer(
                f"grads should be a dict with the keys {', '.join(self.NAMES)}, but is "
                + (
                    f"a dict with {', '.join(map(str, grads))}"
                    if isinstance(grads, dict)
                    else "something else"
                )
            )
        return grads, two_layer.two_layer_backward(dscores, right_cache, reg)

    def check(self, student, rng, names, reg=0.0, **sizes):
        actual, expected = self.gradients(student, rng, reg, **sizes)
        for name in names:
            assert_close(actual[name], expected[name], name=f"the gradient of {name}")

    @pytest.mark.parametrize("name", ["W2", "b2", "W1", "b1"])
    def test_gradient(self, student, rng, name):
        """without a penalty"""
        self.check(student, rng, [name])

    def test_penalty(self, student, rng):
        """with the penalty"""
        self.check(student, rng, self.NAMES, reg=float(rng.uniform(0.5, 2)))

    def test_square(self, student, rng):
        """as many images as numbers, hidden numbers and classes"""
        self.check(student, rng, self.NAMES, reg=0.3, n=4, d=4, h=4, c=4)


# --- extra credit ---------------------------------------------------------------------------------


@question("perceptron_update", points=2, extra_credit=True)
class TestPerceptronUpdate:
    def check(self, student, w, b, x, d, learning_rate=1.0):
        expected = perceptron.perceptron_update(w, b, x, d, learning_rate)
        new_w, new_b = unpack(student.perceptron_update(w, b, x, d, learning_rate), "w", "b")
        assert_close(new_w, expected[0], name="w")
        assert_close(new_b, expected[1], name="b")

    def draw(self, rng, says):
        """Weights, a bias and an image, on which the perceptron says 0 or 1."""
        w, x = rng.standard_normal(8), rng.standard_normal(8)
        b = float(rng.uniform(1, 2)) * (1 if says else -1) - float(w @ x)
        return w, b, x

    def test_wrong(self, student, rng):
        """corrected where it said 0, and where it said 1"""
        self.check(student, *self.draw(rng, says=0), 1)
        self.check(student, *self.draw(rng, says=1), 0)

    def test_right(self, student, rng):
        """corrected only where it was wrong"""
        for says in (0, 1):
            self.check(student, *self.draw(rng, says), says)
            self.check(student, *self.draw(rng, says), 1 - says)

    def test_learning_rate(self, student, rng):
        """other learning rates"""
        self.check(student, *self.draw(rng, says=0), 1, float(rng.uniform(2, 3)))
        self.check(student, *self.draw(rng, says=1), 0, float(rng.uniform(0.1, 0.5)))

    def test_zero(self, student, rng):
        """a sum of exactly 0: it says 0"""
        x = rng.integers(1, 5, 6).astype(float)
        self.check(student, np.zeros(6), 0.0, x, 1)
        self.check(student, np.zeros(6), 0.0, x, 0)

    def test_leaves_its_inputs_alone(self, student, rng):
        """w and x are left as they were"""
        w, b, x = self.draw(rng, says=0)
        held = student.put(w), student.put(x)
        new_w, _ = unpack(student.perceptron_update(held[0], b, held[1], 1, 1.0), "w", "b")
        assert_close(new_w, w + x, name="w")
        assert_unchanged(student.get(held[0]), w, "w")
        assert_unchanged(student.get(held[1]), x, "x")
