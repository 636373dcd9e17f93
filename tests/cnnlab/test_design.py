"""What the design question keeps: the better one of two trained nets."""

from pathlib import Path

import numpy as np
import pytest

from cnnlab import data, design
from cnnlab.weights import WeightsError, read_weights, save_weights


class Constant:
    """A net that holds every picture for the class with the largest weight."""

    def __init__(self, best=None, classes=10):
        self.params = {"w": np.zeros(classes)}
        if best is not None:
            self.params["w"][best] = 1

    def loss(self, X):
        return np.tile(self.params["w"], (len(X), 1))


@pytest.fixture
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def unequal_classes(monkeypatch):
    """Class 3 is a half of the validation images, class 5 a tenth."""
    y = np.repeat([3, 4, 5], [50, 40, 10])
    toys = data.load("toys")
    few = data.Dataset(
        **{**vars(toys), "X_val": toys.X_val[:100], "y_val": y.astype(toys.y_val.dtype)}
    )
    monkeypatch.setattr(data, "load", lambda name: few)


def kept():
    return int(np.argmax(read_weights(design.FILE)["w"]))


def test_the_better_one_stays_whichever_came_first(in_a_folder, unequal_classes, capsys):
    assert design.save_if_better(Constant(5), Constant)
    assert "0.100 on the validation images: saved" in capsys.readouterr().out
    assert design.save_if_better(Constant(3), Constant)
    assert kept() == 3
    assert not design.save_if_better(Constant(5), Constant)
    assert "The weights in design_net.npz reach 0.500, so they stay" in capsys.readouterr().out
    assert kept() == 3


@pytest.mark.parametrize("name", ["design_net(1).npz", "design_net (1).npz", "design_net-2.npz"])
def test_a_second_download_under_another_name_is_told(in_a_folder, unequal_classes, capsys, name):
    Path(name).touch()
    Path("three.npz").touch()
    assert design.under_other_names() == [name]
    assert design.save_if_better(Constant(5), Constant)
    out = capsys.readouterr().out
    assert f"({name} is not looked at: only design_net.npz counts." in out
    assert design.under_other_names() == [name]


def test_as_good_a_net_is_saved(in_a_folder, unequal_classes):
    assert design.save_if_better(Constant(3), Constant)
    assert design.save_if_better(Constant(3), Constant)


def test_weights_of_another_net_count_for_nothing(in_a_folder, unequal_classes):
    save_weights(design.FILE, Constant(3, classes=12))
    assert design.save_if_better(Constant(5), Constant)
    assert kept() == 5


def test_a_folder_that_cannot_be_written_is_told(in_a_folder, unequal_classes, monkeypatch):
    monkeypatch.setattr(design, "FILE", "not_there/design_net.npz")
    with pytest.raises(WeightsError, match=r"design_net.npz cannot be written in .*not_there"):
        design.save_if_better(Constant(5), Constant)
