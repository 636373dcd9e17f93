"""Splits and balanced subsets."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.data import Dataset, split, subset


def dataset_of(labels: list[int]) -> Dataset:
    """Each part with these labels; picture i holds the number i, so it can be recognised."""
    y = np.array(labels, dtype=np.int64)
    X = np.zeros((len(y), 32, 32, 3), dtype=np.uint8) + np.arange(len(y))[:, None, None, None]
    X = X.astype(np.uint8)
    return Dataset(X, y, X, y, X, y, tuple("abcd"), "letters")


many_labels = st.lists(st.integers(0, 3), max_size=60)


@given(many_labels, st.data())
def test_a_subset_is_as_balanced_as_the_labels_allow(labels, data):
    n = data.draw(st.integers(0, len(labels)))
    small = subset(dataset_of(labels), n, 0, len(labels))
    counts = np.bincount(small.y_train, minlength=4)
    assert counts.sum() == n and len(small.y_val) == 0
    for label in range(4):  # a class with fewer than another has no more to give
        if counts[label] < counts.max() - 1:
            assert counts[label] == labels.count(label)


@given(many_labels, st.data())
def test_pictures_keep_their_labels_and_their_order(labels, data):
    n = data.draw(st.integers(0, len(labels)))
    small = subset(dataset_of(labels), n, n, n)
    for X, y in ((small.X_train, small.y_train), (small.X_test, small.y_test)):
        which = X[:, 0, 0, 0].tolist()
        assert which == sorted(set(which))
        assert [labels[i] for i in which] == y.tolist()


@given(many_labels)
def test_a_smaller_subset_is_part_of_a_larger_one(labels):
    """so a learning curve's steps share their pictures"""
    kept = [
        set(subset(dataset_of(labels), n, 0, 0).X_train[:, 0, 0, 0].tolist())
        for n in range(len(labels) + 1)
    ]
    assert all(small < large for small, large in itertools.pairwise(kept))


def test_a_subset_owns_its_pictures():
    whole = dataset_of([0, 1, 2, 3])
    subset(whole, 4, 4, 4).X_train[:] = 255
    assert whole.X_train.max() == 3


def test_more_than_there_is_is_refused():
    with pytest.raises(ValueError, match="n_val must be from 0 to 4, the size of letters's val"):
        subset(dataset_of([0, 1, 2, 3]), 4, 5, 4)
    with pytest.raises(ValueError, match="not -1"):
        subset(dataset_of([0, 1, 2, 3]), -1, 0, 0)


def test_split_cuts_off_the_end():
    X, y = np.arange(10).reshape(5, 2), np.arange(5)
    first, y_first, last, y_last = split(X, y, 2)
    assert first.tolist() == X[:3].tolist() and y_first.tolist() == [0, 1, 2]
    assert last.tolist() == X[3:].tolist() and y_last.tolist() == [3, 4]
    assert [len(part) for part in split(X, y, 0)] == [5, 5, 0, 0]


@pytest.mark.parametrize("labels, n, complaint", [(4, 2, "as many"), (5, 6, "not 6"), (5, -1, "0")])
def test_a_split_that_cannot_be_is_refused(labels, n, complaint):
    with pytest.raises(ValueError, match=complaint):
        split(np.zeros((5, 2)), np.zeros(labels), n)


def test_a_dataset_says_in_a_line_what_it_holds_and_cannot_be_changed():
    dataset = dataset_of([0, 1, 2])
    assert repr(dataset) == "<letters: 3 train, 3 val, 3 test, 4 classes>"
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.name = "other"
