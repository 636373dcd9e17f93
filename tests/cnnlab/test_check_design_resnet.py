"""The visible check of design_resnet: the example passes, typical slips are explained."""

import shutil

import pytest
import torch
from answers import NONSENSE, Answers, assert_plain_names
from torch import nn

from cnnlab import design
from cnnlab.checks import check

ANSWERS = Answers("5_gpu")
REFERENCES, as_written, message = ANSWERS.references, ANSWERS.as_written, ANSWERS.message
design_resnet = REFERENCES["design_resnet"]
MADE_ONCE = design_resnet()


@pytest.fixture
def with_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ANSWERS.solution.with_name(design.RESNET_FILE), tmp_path)


def test_the_example_passes_once_its_file_is_there(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert "not trained yet" in message("design_resnet", design_resnet)
    shutil.copy(ANSWERS.solution.with_name(design.RESNET_FILE), tmp_path)
    check(as_written("design_resnet", design_resnet))
    assert f"{len(design.RESNET_LINES)} of {len(design.RESNET_LINES)} lines" in (
        " ".join(capsys.readouterr().out.split())
    )


def test_a_second_download_is_told(tmp_path, with_the_file):
    (tmp_path / design.RESNET_FILE).rename(tmp_path / "design_resnet(1).npz")
    assert "there is design_resnet(1).npz. Only the name" in message("design_resnet", design_resnet)


def test_the_names_of_the_steps_are_plain():
    assert_plain_names(["design_resnet"])


class Pair(nn.Module):
    def forward(self, x):
        return torch.zeros(len(x), 10), x


@pytest.mark.parametrize(
    "wrong, words",
    [
        (lambda: None, "missing return"),
        (lambda: nn.Module, "brackets"),
        (lambda: design_resnet().state_dict(), "return the module itself"),
        (lambda: (design_resnet(), 1), "return the module itself"),
        (lambda: MADE_ONCE, "a new one each time"),
        (lambda: design_resnet()[:-1], "10 outputs"),
        (lambda: Pair(), "the scores alone"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(3072, 10)), "another net"),
    ],
)
def test_a_slip_is_refused_and_named(wrong, words, with_the_file):
    assert words in message("design_resnet", wrong)


@pytest.mark.parametrize("nonsense", NONSENSE, ids=repr)
def test_nonsense_is_refused(nonsense, with_the_file):
    ANSWERS.assert_refuses("design_resnet", nonsense)


def test_an_untrained_module_reaches_no_line(with_the_file):
    from cnnlab.torch_weights import save_weights

    torch.manual_seed(0)
    save_weights(design.RESNET_FILE, design_resnet())
    assert "or hardly" in message("design_resnet", design_resnet)
