"""The design questions, in a real kernel: a trained net is measured, and files of all kinds met."""

import json
import os
import zipfile

import numpy as np
import pytest
from test_class_question import notebook

from autograder.errors import StudentError, WrongAnswer
from autograder.folder import files_beside
from autograder.hidden import accuracies
from autograder.kernel import Kernel
from autograder.limits import Limits
from autograder.questions import PROJECT, find_assignment
from autograder.release import function_source
from autograder.student import Session, Student
from cnnlab import design
from cnnlab.weights import LARGEST, read_weights

WEIGHTS = find_assignment("4_convnet").solution.with_name(design.FILE)
SOURCE = notebook() + "\n\nfrom cnnlab.architectures import conv, fc, max_pool\n\n"
EXAMPLE = function_source(PROJECT / "solutions" / "design_net.py", "design_net")


def measure(folder, source=EXAMPLE, seconds=20):
    """What the hidden tests measure of this answer, with the files in the folder beside it."""
    with Kernel(Limits(call_seconds=seconds), files=files_beside(folder, [])) as kernel:
        kernel.run_cell(SOURCE + source, 20)
        session = Session(kernel, lambda calm=False: kernel.restart())
        session.begin_test()
        return accuracies.measure(Student(session), np.random.default_rng(0))


def write(folder, **changes):
    """The example's weights, with some of them changed."""
    np.savez(folder / design.FILE, **{**read_weights(WEIGHTS), **changes})


def test_the_example_reaches_the_last_line(tmp_path):
    write(tmp_path)
    assert measure(tmp_path) >= design.LINES[-1]


def test_pictures_repeat_and_cannot_be_told_from_the_salt(monkeypatch, tmp_path):
    monkeypatch.setattr(accuracies, "PICTURES", 20)
    X, y = accuracies.new_pictures(b"salt")
    again, _ = accuracies.new_pictures(b"salt")
    np.testing.assert_array_equal(X, again)
    assert X.shape == (20, 3, 32, 32) and len(set(y)) > 3
    assert not np.array_equal(accuracies.new_pictures(b"another")[0], X)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))  # another grader, with a key of its own
    accuracies._key.cache_clear()
    try:
        assert not np.array_equal(accuracies.new_pictures(b"salt")[0], X)
        key = tmp_path / "cnnlab-autograder" / "pictures.key"
        assert key.stat().st_mode & 0o077 == 0 and len(key.read_bytes()) == 32
    finally:
        accuracies._key.cache_clear()


def missing(path):
    pass


def pickled(path):
    np.savez(path, W1=np.array([{"a": 1}, print], dtype=object))


def not_a_number(path):
    write(path.parent, W1=np.full((32, 3, 3, 3), np.nan))


def another_net(path):
    write(path.parent, W1=np.zeros((5, 3, 3, 3)))


def texts(path):
    write(path.parent, W1=np.array(["a", "b"]))


def too_large(path):
    np.savez_compressed(path, W1=np.zeros(LARGEST // 8 + 1))


def bomb(path):
    """A gigabyte of zeros, in a megabyte."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr("W1.npy", bytes(1 << 30))


def sparse(path):
    with open(path, "wb") as file:
        file.truncate(1 << 40)


def link(path):
    path.symlink_to(WEIGHTS)


def pipe(path):
    os.mkfifo(path)


def junk(path):
    path.write_text(json.dumps({"W1": [1, 2]}))


@pytest.mark.parametrize(
    "make, words",
    [
        (missing, "There is no file"),
        (pickled, "not real numbers"),
        (not_a_number, "NaN"),
        (another_net, "belong to another net"),
        (texts, "not real numbers"),
        (too_large, "at most"),
        (bomb, "at most"),
        (sparse, "There is no file"),
        (link, "There is no file"),
        (pipe, "There is no file"),
        (junk, "damaged"),
    ],
)
def test_a_file_that_is_none_costs_this_question_only(make, words, tmp_path):
    make(tmp_path / design.FILE)
    with pytest.raises(StudentError, match=words):
        measure(tmp_path)


@pytest.mark.parametrize(
    "loss, words",
    [
        ("return np.zeros((len(X), 7))", "shape"),
        ("return np.full((len(X), 10), np.nan)", "finite"),
        ("return None", "None"),
        ("return [[0] * 10] * len(X)", "shape"),
        ("raise ValueError('no')", "no"),
        ("while True: pass", "took longer"),
    ],
)
def test_odd_scores_are_refused(loss, words, tmp_path):
    write(tmp_path)
    source = f"{EXAMPLE}\n\n\ndef loss(self, X, y=None):\n    {loss}\n\nConvNet.loss = loss\n"
    with pytest.raises((StudentError, WrongAnswer), match=words):
        measure(tmp_path, source, seconds=2)


def test_guessing_reaches_no_line(tmp_path):
    write(tmp_path)
    guess = "return np.random.default_rng(0).random((len(X), 10))"
    source = f"{EXAMPLE}\n\n\ndef loss(self, X, y=None):\n    {guess}\n\nConvNet.loss = loss\n"
    assert measure(tmp_path, source) < design.LINES[0]


# -- a torch module --------------------------------------------------------------------------------

RESNET = find_assignment("5_gpu")
RESNET_SOURCE = "\n\n".join(
    [
        "import torch",
        "import torch.nn as nn",
        "import torch.nn.functional as F",
        function_source(PROJECT / "solutions" / "residual_network.py", "ResidualBlock"),
        function_source(PROJECT / "solutions" / "design_resnet.py", "design_resnet"),
    ]
)
ANOTHER = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = right()

    def state_dict(self, *args, **options):
        return self.net.state_dict()

    def forward(self, x):
        {forward}

right = design_resnet
design_resnet = Net
"""


def measure_resnet(folder, source="", seconds=30):
    limits = Limits(call_seconds=seconds).using(RESNET.uses)
    with Kernel(limits, files=files_beside(folder, [])) as kernel:
        kernel.run_cell(f"{RESNET_SOURCE}\n\n{source}", 60)
        session = Session(kernel, lambda calm=False: kernel.restart())
        session.begin_test()
        return accuracies.measure(Student(session), np.random.default_rng(0), accuracies.RESNET)


def write_resnet(folder, **changes):
    weights = read_weights(RESNET.solution.with_name(design.RESNET_FILE))
    np.savez(folder / design.RESNET_FILE, **{**weights, **changes})


def test_the_residual_example_reaches_the_last_line(tmp_path):
    write_resnet(tmp_path)
    assert measure_resnet(tmp_path) >= design.RESNET_LINES[-1]


def test_a_module_is_asked_in_eval_mode(tmp_path):
    write_resnet(tmp_path)
    asked = "assert not self.training; return self.net(x)"
    assert measure_resnet(tmp_path, ANOTHER.format(forward=asked)) >= design.RESNET_LINES[-1]


@pytest.mark.parametrize(
    "source, words",
    [
        (ANOTHER.format(forward="return self.net(x).detach().numpy()"), "should be a tensor"),
        (ANOTHER.format(forward="return self.net(x)[:, :7]"), "shape"),
        (ANOTHER.format(forward="return self.net(x) * float('nan')"), "finite"),
        (ANOTHER.format(forward="raise ValueError('no')"), "no"),
        ("def design_resnet():\n    return {'a': 1}", "object of your class"),
        ("def design_resnet():\n    return object()", "nn.Module"),
        ("def design_resnet():\n    return nn.Linear(2, 2)", "belong to another net"),
    ],
)
def test_odd_modules_and_odd_scores_are_refused(source, words, tmp_path):
    write_resnet(tmp_path)
    with pytest.raises((StudentError, WrongAnswer), match=words):
        measure_resnet(tmp_path, source)


def test_without_its_file_a_module_has_no_points(tmp_path):
    write(tmp_path)  # the other question's file
    with pytest.raises(StudentError, match=r"There is no file.*handed in beside the notebook"):
        measure_resnet(tmp_path)


def test_lines_are_compared_with_one_measurement(monkeypatch):
    """Also between the two questions: each has its own."""

    def counted(student, rng, which):
        times.append(which.question)
        return 0.9

    times, student = [], type("S", (), {})()
    monkeypatch.setattr(accuracies, "_measure", counted)
    for which in (accuracies.NET, accuracies.RESNET):
        accuracies.assert_reaches(student, None, 0.9, which)
        with pytest.raises(WrongAnswer, match=r"0\.900"):
            accuracies.assert_reaches(student, None, 0.91, which)
    assert times == ["design_net", "design_resnet"]
