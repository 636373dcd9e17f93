"""Scores, predictions and accuracy of many images."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cnnlab.evaluation import accuracy, predictions, scores


class Sums:
    """Scores: the sums of the left and of the right half."""

    largest = 0

    def loss(self, X):
        self.largest = max(self.largest, len(X))
        halves = np.split(X, 2, axis=3)
        return np.stack([half.sum(axis=(1, 2, 3)) for half in halves], axis=1)


X = np.random.default_rng(0).standard_normal((23, 1, 2, 4))


def test_batches_make_no_difference():
    net = Sums()
    assert_array_equal(scores(net, X, batch_size=7), net.loss(X))
    net.largest = 0
    scores(net, X, batch_size=7)
    assert net.largest == 7
    assert_array_equal(predictions(net, X), net.loss(X).argmax(axis=1))


def test_accuracy_counts():
    net = Sums()
    y = predictions(net, X)
    assert accuracy(net, X, y) == 1
    y[:5] = 1 - y[:5]
    assert accuracy(net, X, y, batch_size=4) == pytest.approx(18 / 23)


def test_mirrored_is_the_mean_of_both_views():
    np.testing.assert_allclose(scores(Sums(), X, mirrored=True)[:, 0], X.sum(axis=(1, 2, 3)) / 2)
