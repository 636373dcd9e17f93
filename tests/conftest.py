"""What many tests share: the assignment, submissions made from it, and one graded class."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from nbformat import NotebookNode

from autograder import demo
from autograder.cohort import ClassResult, grade_class
from autograder.diagnose import MISCONCEPTIONS, load_misconceptions
from autograder.gradebook import Course
from autograder.questions import PROJECT, Assignment, find_assignment
from autograder.release import to_text
from autograder.results import Report
from autograder.runner import Graded, grade_file

# a busy machine draws and runs slowly: that is no failure
settings.register_profile("kit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kit")
# what is tested of kernels is what the simulator shows, on a machine with a GPU, too
os.environ["CNNLAB_SIMULATE"] = "1"


@pytest.fixture(scope="session")
def assignment() -> Assignment:
    found = find_assignment("2_conv_layers")
    load_misconceptions(found.misconceptions)
    return found


@pytest.fixture(scope="session")
def right_answers(assignment: Assignment) -> dict[str, str]:
    return demo.answers(assignment)


@pytest.fixture
def grade_notebook(assignment: Assignment, tmp_path: Path):
    """Grade a notebook as ``autograder check`` does: from a file, in the sandbox."""

    def grade(notebook: NotebookNode, **options) -> Graded:
        path = tmp_path / f"{assignment.notebook}.ipynb"
        path.write_text(to_text(notebook), "utf-8")
        return grade_file(path, **options)

    return grade


@dataclass
class GradedClass:
    course: Course
    result: ClassResult

    def report(self, student: str) -> Report:
        return next(r for r in self.result.reports if r.student == student)


def all_misconceptions(assignment: Assignment) -> dict[str, dict[str, str]]:
    """Student -> {question: misconception}: every misconception once, one of each question a time.

    So 74 misconceptions need as many notebooks as the question that has most of them.
    """
    load_misconceptions(assignment.misconceptions)
    columns = [[(q.id, name) for name in MISCONCEPTIONS[q.id]] for q in assignment.questions]
    rows = itertools.zip_longest(*columns)
    return {f"mutant-{n:02}": dict(filter(None, row)) for n, row in enumerate(rows)}


def add_odd_files(folder: Path) -> None:
    """What lies beside an honest notebook, and must not cost it anything."""
    (folder / "json.py").write_text("raise ImportError('not the json that you know')\n")
    (folder / "timestamp.txt").write_text("2026-11-20 12:00:00 UTC")
    (folder / "report.json").mkdir()
    (folder / "nowhere").symlink_to("/does/not/exist")
    (folder / "a\nb<script>.txt").write_text("odd name")
    os.mkfifo(folder / "pipe")


@pytest.fixture(scope="session")
def graded_class(assignment: Assignment, right_answers, tmp_path_factory) -> GradedClass:
    """The demonstration's class and all misconceptions, graded as a TA would grade them."""
    notebooks = demo.make_class(assignment)
    for student, wrong in all_misconceptions(assignment).items():
        sources = {q: demo.misconception_source(assignment, q, name) for q, name in wrong.items()}
        notebooks[student] = demo.fill_in(assignment, {**right_answers, **sources})
    notebooks["links-to-answers"] = demo.fill_in(
        assignment, {"conv_forward_naive": "from ans import conv_forward_naive"}
    )
    notebooks["odd-files"] = demo.fill_in(assignment, right_answers)
    course = demo.write_course(tmp_path_factory.mktemp("course"), assignment, notebooks)
    add_odd_files(course.folder("submitted", "odd-files", assignment))
    links = course.folder("submitted", "links-to-answers", assignment)
    (links / "ans.py").symlink_to(PROJECT / "solutions" / "convolution.py")
    empty = course.folder("submitted", "handed-in-nothing", assignment)
    empty.mkdir(parents=True)
    broken = course.folder("submitted", "broken-file", assignment)
    broken.mkdir(parents=True)
    (broken / f"{assignment.notebook}.ipynb").write_text('{"cells": [{"cell_type": "co', "utf-8")
    return GradedClass(course, grade_class(course, assignment))
