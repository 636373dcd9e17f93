"""Plain nbgrader, over submissions that its own reading does not survive."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograder import demo
from autograder.cohort import grade_class
from autograder.converter import STAGED, read_timestamp, why_refused
from autograder.results import Report

pytestmark = pytest.mark.slow
BIN = Path(sys.executable).parent
ODD_NAMES = [
    "Zoë Ågren",
    "O'Brien, Pat",
    'quote"d',
    "100%25 {student_id}",
    "a*b?",
    "[ab]",
    "--force",
    "<img src=x onerror=alert(1)>",
    "$(touch owned)",
    "back\\slash",
    "n" * 255,
]
REFUSED_NAMES = [
    "two\nlines",
    "esc\x1b[2J",
    " blank",
    b"not-\xff-utf8".decode("utf-8", "surrogateescape"),
]


@pytest.fixture(scope="module")
def one_answer(assignment, right_answers):
    question = assignment.questions[0].id
    return demo.fill_in(assignment, {question: right_answers[question]})


@pytest.fixture
def course(assignment, tmp_path, one_answer):
    return demo.write_course(tmp_path / "course", assignment, {"first": one_answer})


def hand_in(course, assignment, student, notebook) -> Path:
    folder = course.folder("submitted", student, assignment)
    folder.mkdir(parents=True)
    if notebook is not None:
        (folder / f"{assignment.notebook}.ipynb").write_text(demo.to_text(notebook), "utf-8")
    return folder


def nbgrader(course, assignment, *options):
    return subprocess.run(
        [BIN / "nbgrader", "autograde", assignment.name, *options],
        cwd=course.root,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def scores(course, assignment):
    with Gradebook(course.db_url) as gradebook:
        return {s.student_id: s.score for s in gradebook.assignment_submissions(assignment.name)}


def report(course, assignment, student) -> Report:
    path = course.folder("autograded", student, assignment) / "report.json"
    return Report.from_json(path.read_text("utf-8"))


def left_behind(course):
    return list((course.root / STAGED).iterdir())


@pytest.fixture
def hostile(course, assignment, one_answer):
    """Student -> points, in a class where nbgrader itself would stop, or read what it must not."""
    full = assignment.questions[0].points
    hand_in(course, assignment, "no-notebook", None)
    folder = hand_in(course, assignment, "folder-as-notebook", None)
    (folder / f"{assignment.notebook}.ipynb").mkdir()
    folder = hand_in(course, assignment, "link-as-notebook", None)
    (folder / f"{assignment.notebook}.ipynb").symlink_to(assignment.solution)
    folder = hand_in(course, assignment, "pipe-as-notebook", None)
    os.mkfifo(folder / f"{assignment.notebook}.ipynb")
    folder = hand_in(course, assignment, "no-json", None)
    (folder / f"{assignment.notebook}.ipynb").write_text('{"cells": [')
    folder = hand_in(course, assignment, "odd-files", one_answer)
    os.mkfifo(folder / "pipe")
    (folder / "dangling").symlink_to("/does/not/exist")
    (folder / "secret").symlink_to("/etc/passwd")
    (folder / "everything").symlink_to("/")
    (folder / "timestamp.txt").symlink_to("/etc/hostname")
    (folder / "report.json").mkdir()
    (folder / "help.txt").write_text("kept")
    deep = folder
    for _ in range(12):
        deep = deep / ("d" * 250)
        deep.mkdir()
    (deep / "file").write_text("far away")
    folder = hand_in(course, assignment, "odd-time", one_answer)
    (folder / "timestamp.txt").write_text("99999999999999-99-99 no time")
    hand_in(course, assignment, "zz-last", one_answer)
    zeros = ["no-notebook", "folder-as-notebook", "link-as-notebook", "pipe-as-notebook", "no-json"]
    return {
        **dict.fromkeys(zeros, 0),
        **dict.fromkeys(["first", "odd-files", "odd-time", "zz-last"], full),
    }


def check_hostile(course, assignment, hostile):
    assert scores(course, assignment) == hostile
    for student, points in hostile.items():
        found = report(course, assignment, student)
        assert found.score == points
        assert points or [f.kind for f in found.autopsy] == ["unreadable"], student
    kept = course.folder("autograded", "odd-files", assignment)
    assert {p.name for p in kept.iterdir() if p.is_file()} >= {"help.txt", "report.json"}
    assert not (kept / "secret").exists() and not (kept / "everything").exists()
    assert not [p for p in kept.rglob("*") if p.is_symlink()]
    assert left_behind(course) == []


def test_plain_nbgrader_grades_everybody(course, assignment, hostile):
    ran = nbgrader(course, assignment)
    assert ran.returncode == 0, ran.stderr
    check_hostile(course, assignment, hostile)


def test_our_command_and_the_button_agree_with_it(course, assignment, hostile):
    assert grade_class(course, assignment).failures == {}
    check_hostile(course, assignment, hostile)

    async def press_the_buttons():  # the Formgrader calls this from inside a running event loop
        return [course.api.autograde(assignment.name, student)["success"] for student in hostile]

    assert all(asyncio.run(press_the_buttons()))
    check_hostile(course, assignment, hostile)


@pytest.mark.parametrize("way", ["nbgrader", "autograder"])
def test_odd_names_are_graded_or_refused_by_name(course, assignment, one_answer, way):
    for student in [*ODD_NAMES, *REFUSED_NAMES]:
        hand_in(course, assignment, student, one_answer)
    if way == "nbgrader":
        ran = nbgrader(course, assignment)
        assert ran.returncode == 1
        told = ran.stderr
    else:
        failures = grade_class(course, assignment).failures
        assert sorted(failures) == sorted(REFUSED_NAMES)
        told = "\n".join(failures.values())
    full = assignment.questions[0].points
    assert scores(course, assignment) == dict.fromkeys(["first", *ODD_NAMES], full)
    assert told.count("Rename the folder") >= len(REFUSED_NAMES)
    assert "\x1b[2J" not in told
    assert not (course.root / "owned").exists()
    for student in ODD_NAMES:
        assert report(course, assignment, student).student == student
    for student in ("a*b?", "[ab]", "--force"):
        assert course.api.autograde(assignment.name, student)["success"], student
    assert left_behind(course) == []


def test_one_students_failure_stops_nobody(course, assignment, one_answer):
    """here: a folder in the way, where nbgrader would put what it graded"""
    hand_in(course, assignment, "middle", one_answer)
    hand_in(course, assignment, "zz-last", one_answer)
    blocked = course.root / "autograded" / "middle"
    blocked.parent.mkdir(exist_ok=True)
    blocked.write_text("a file")
    ran = nbgrader(course, assignment)
    assert ran.returncode == 1 and "Not graded: middle" in ran.stderr
    full = assignment.questions[0].points
    graded = scores(course, assignment)
    assert (graded["first"], graded["zz-last"]) == (full, full)
    result = grade_class(course, assignment)
    assert list(result.failures) == ["middle"] and "autograded" in result.failures["middle"]
    assert len(result.reports) == 2


def test_a_submission_that_changes_meanwhile_is_graded_again(course, assignment, one_answer):
    from autograder.database import register
    from autograder.gradebook import record
    from autograder.runner import grade
    from autograder.submission import load

    register(assignment, course.api.coursedir)
    path = course.submissions(assignment)["first"]
    before = grade(load(path, assignment), assignment, student="first")
    path.write_text(demo.to_text(demo.fill_in(assignment, {})), "utf-8")
    assert record(course, assignment, "first", before, True) is None
    assert scores(course, assignment)["first"] == 0


def test_late_penalties_count_from_the_timestamp(course, assignment, one_answer):
    times = {
        "early": "2026-11-19 12:00:00.000000 UTC",
        "late": "2026-11-20 12:00:00.000000 UTC",
        "elsewhere": "2026-11-20 13:30:00.000000 +0200",
    }
    for student, time in times.items():
        (hand_in(course, assignment, student, one_answer) / "timestamp.txt").write_text(time)
    nbgrader(course, assignment, "--student=early")
    with Gradebook(course.db_url) as gradebook:
        gradebook.update_or_create_assignment(assignment.name, duedate="2026-11-20 11:00:00 UTC")
    ran = nbgrader(course, assignment)
    assert ran.returncode == 0, ran.stderr
    with Gradebook(course.db_url) as gradebook:
        late = {
            s.student_id: s.total_seconds_late
            for s in gradebook.assignment_submissions(assignment.name)
        }
    assert late == {"first": 0, "early": 0, "late": 3600, "elsewhere": 1800}


def test_a_gradebook_that_is_locked_for_a_while_is_waited_for(course, assignment):
    assert nbgrader(course, assignment).returncode == 0
    lock = sqlite3.connect(
        course.root / "gradebook.db", isolation_level=None, check_same_thread=False
    )
    lock.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(9, lambda: lock.execute("ROLLBACK"))
    release.start()
    try:
        ran = nbgrader(course, assignment, "--force")
    finally:
        release.join()
        lock.close()
    assert ran.returncode == 0, ran.stderr
    assert scores(course, assignment)["first"] > 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "/etc/passwd",
        "2026-11-20",
        "2026-99-99 00:00:00 UTC",
        "9" * 10_000,
        "\0",
        "0001-01-01 00:00:00 +0900",
    ],
)
def test_what_is_no_time_counts_as_none(tmp_path, text):
    (tmp_path / "timestamp.txt").write_text(text)
    assert read_timestamp(tmp_path / "timestamp.txt") is None


def test_the_time_that_nbgrader_writes_is_read(tmp_path):
    (tmp_path / "timestamp.txt").write_text("2026-11-20 12:00:00.250000 CET\n")
    assert read_timestamp(tmp_path / "timestamp.txt") == "2026-11-20 11:00:00.250000 UTC"
    (tmp_path / "timestamp.txt").write_text("2026-11-20 12:00:00 +03")
    assert read_timestamp(tmp_path / "timestamp.txt") == "2026-11-20 09:00:00 UTC"


def test_ordinary_names_are_not_refused():
    assert [n for n in [*ODD_NAMES, "ada", "علی\u200cرضا"] if why_refused(n)] == []


@pytest.mark.skipif(not shutil.which("bwrap"), reason="needs somebody who is not root")
@pytest.mark.parametrize("which", ["student", "assignment"])
def test_a_folder_that_may_not_be_entered_is_told(course, assignment, which):
    folder = course.folder("submitted", "shut", assignment)
    folder.mkdir(parents=True)
    shut = folder if which == "assignment" else folder.parent
    shut.chmod(0)
    nobody = ["bwrap", "--dev-bind", "/", "/", "--unshare-user", "--uid", "1000", "--gid", "1000"]
    command = [*nobody, BIN / "autograder", "grade", assignment.name, "--no-sandbox"]
    try:
        ran = subprocess.run(command, cwd=course.root, capture_output=True, text=True, check=False)
    finally:
        shut.chmod(0o755)
    assert ran.returncode == 1, ran.stderr
    assert "not graded: shut:" in ran.stderr and "may not be read" in ran.stderr


def test_a_students_folder_that_is_a_link_is_refused(course, assignment):
    link = course.root / "submitted" / "mallory"
    link.symlink_to(course.root / "submitted" / "first")
    result = grade_class(course, assignment)
    assert "the folder is a link" in result.failures["mallory"]
    assert [report.student for report in result.reports] == ["first"]
