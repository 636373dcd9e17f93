"""What the design questions keep: the better one of two trained nets."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

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
    assert design.under_other_names(design.FILE) == [name]
    assert design.save_if_better(Constant(5), Constant)
    out = capsys.readouterr().out
    assert f"({name} is not looked at: only design_net.npz counts." in out
    assert design.under_other_names(design.FILE) == [name]


def test_as_good_a_net_is_saved(in_a_folder, unequal_classes):
    assert design.save_if_better(Constant(3), Constant)
    assert design.save_if_better(Constant(3), Constant)


def test_weights_of_another_net_count_for_nothing(in_a_folder, unequal_classes):
    save_weights(design.FILE, Constant(3, classes=12))
    assert design.save_if_better(Constant(5), Constant)
    assert kept() == 5
    assert len(read_weights(f"earlier_{design.FILE}")["w"]) == 12  # an evening's work, perhaps


def test_no_attempt_is_lost_however_often_the_net_is_changed(in_a_folder, unequal_classes):
    for extra in (12, 11, 13):
        save_weights(design.FILE, Constant(3, classes=extra))
        assert design.save_if_better(Constant(5), Constant)
    kept_ones = [f"earlier_{number}{design.FILE}" for number in ("", "2_", "3_")]
    assert [len(read_weights(each)["w"]) for each in kept_ones] == [12, 11, 13]
    assert design.under_other_names(design.FILE) == []


class ATrainer:
    """As much of a Solver as there is to see."""

    def __init__(self, model):
        self.model = model

    def train(self):
        pass


@pytest.mark.parametrize(
    "handed, words",
    [
        ((ATrainer(Constant(3)), Constant), "not the Solver"),
        ((Constant, Constant(3)), "the trained net, with its params"),
        ((None, Constant), "the trained net, with its params: not None"),
        ((Constant(3), Constant(3)), "without brackets: save_if_better"),
        ((nn.Linear(2, 2), nn.Linear(2, 2)), "without brackets: save_if_better"),
    ],
)
def test_what_is_no_net_or_no_function_is_told(in_a_folder, unequal_classes, handed, words):
    with pytest.raises(TypeError, match=words):
        design.save_if_better(*handed)
    assert not list(Path().iterdir())


def test_what_the_grader_could_not_load_is_not_saved(in_a_folder, unequal_classes):
    design.save_if_better(Constant(5), Constant)
    with pytest.raises(WeightsError, match=r"(?s)Nothing was saved.* Train what Wider\(\) returns"):

        class Wider(Constant):
            def __init__(self):
                super().__init__(classes=12)

        design.save_if_better(Constant(3), Wider)
    assert kept() == 5


def test_a_folder_that_cannot_be_written_is_told(in_a_folder, unequal_classes, monkeypatch):
    monkeypatch.setattr(design, "FILE", "not_there/design_net.npz")
    with pytest.raises(WeightsError, match=r"design_net.npz cannot be written in .*not_there"):
        design.save_if_better(Constant(5), Constant)


# -- a torch module --------------------------------------------------------------------------------


class Fixed(nn.Module):
    """The same as Constant. In train mode it would be wrong about all."""

    def __init__(self, best=None):
        super().__init__()
        self.register_buffer("w", torch.zeros(10))
        self.norm = nn.BatchNorm2d(3)
        if best is not None:
            self.w[best] = 1

    def forward(self, x):
        assert not self.training and x.dtype == torch.float32 and x.shape[1:] == (3, 32, 32)
        return self.w.repeat(len(x), 1) + 0 * self.norm(x).mean()


def test_a_module_with_something_around_it_is_not_saved(in_a_folder, unequal_classes):
    wrapped = nn.Sequential(Fixed(3))
    with pytest.raises(WeightsError, match="nothing around it"):
        design.save_if_better(wrapped, Fixed)
    with pytest.raises(WeightsError, match="it makes a Constant"):
        design.save_if_better(Fixed(3), Constant)
    assert not Path(design.RESNET_FILE).exists()


def test_each_kind_of_net_has_its_file():
    assert design.file_of(Constant()) == design.FILE == "design_net.npz"
    assert design.file_of(Fixed()) == design.RESNET_FILE == "design_resnet.npz"


@pytest.mark.parametrize("training", [True, False])
def test_a_module_is_asked_in_eval_mode_and_gets_its_own_back(unequal_classes, training):
    module = Fixed(3).train(training)
    assert design.validation_accuracy(module) == 0.5
    assert module.training is module.norm.training is training
    assert all(parameter.grad is None for parameter in module.parameters())


def test_the_better_module_stays_and_the_other_question_has_its_own_file(
    in_a_folder, unequal_classes, capsys
):
    assert design.save_if_better(Constant(3), Constant)
    assert design.save_if_better(Fixed(5), Fixed)  # the net's file is none of its business
    assert "0.100 on the validation images: saved in design_resnet.npz" in capsys.readouterr().out
    assert design.save_if_better(Fixed(3), Fixed)
    assert not design.save_if_better(Fixed(5), Fixed)
    assert "The weights in design_resnet.npz reach 0.500" in capsys.readouterr().out
    assert kept() == 3
    loaded = Fixed()
    design.load(loaded)
    assert int(loaded.w.argmax()) == 3


def test_weights_of_another_module_do_not_stand_in_the_way(in_a_folder, unequal_classes):
    assert design.save_if_better(Fixed(3), Fixed)
    other = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))
    assert design.save_if_better(other, lambda: other)
    with pytest.raises(WeightsError, match="belong to another net"):
        design.load(Fixed())


def test_the_design_of_a_net_in_numpy_does_without_torch():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from cnnlab import design\n"
        "assert design.file_of(object()) == design.FILE"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
