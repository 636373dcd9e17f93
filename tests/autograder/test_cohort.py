"""Runs over a class that are disturbed: by signals, by each other, by the disk.

By the command, as a person gives it. That kill -9 leaves nothing behind is tests/hostile's.
"""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from witness import alive, below, processes, until, workers

from autograder import demo

pytestmark = pytest.mark.slow
GRADE = [Path(sys.executable).with_name("autograder"), "grade", "2_conv_layers"]
STUDENTS = ["solution", "starter", "wrong-conv-cost"]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory, assignment):
    """A course of three that nobody has graded."""
    made = demo.make_class(assignment)
    root = tmp_path_factory.mktemp("fresh")
    demo.write_course(root, assignment, {name: made[name] for name in STUDENTS})
    return root


@pytest.fixture(scope="module")
def truth(tmp_path_factory, fresh):
    """The scores of an undisturbed run, and a course that remembers them."""
    root = tmp_path_factory.mktemp("graded") / "course"
    shutil.copytree(fresh, root)
    ran = grade(root)
    assert ran.returncode == 0, ran.stderr
    return scores(root), root


@pytest.fixture
def course(tmp_path, fresh):
    shutil.copytree(fresh, tmp_path / "course")
    return tmp_path / "course"


@pytest.fixture
def remembering(tmp_path, truth):
    """A course whose results are remembered, and whose gradebook is still to be written."""
    root = tmp_path / "course"
    shutil.copytree(truth[1], root)
    (root / "gradebook.db").unlink()
    shutil.rmtree(root / "autograded")
    return root


def grade(root, *before):
    return subprocess.run(
        [*before, *GRADE], cwd=root, capture_output=True, text=True, timeout=120, check=False
    )


def begin(root, **options):
    return subprocess.Popen(
        GRADE, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def scores(root):
    with Gradebook(f"sqlite:///{root}/gradebook.db") as gradebook:
        return {s.student_id: s.score for s in gradebook.assignment_submissions("2_conv_layers")}


def words(text):
    """Without the line breaks of a narrow terminal."""
    return re.sub(r"\s+", " ", text)


def remembered(root):
    return len(list((root / ".cnnlab" / "results").glob("*.json")))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_stop_is_clean_and_the_next_run_goes_on(course, truth, number):
    run = begin(course)
    until(lambda: remembered(course) >= 1)
    started = below(run.pid, processes())
    run.send_signal(number)
    said = run.communicate(timeout=60)
    assert run.returncode == 128 + number, said
    assert "Stopped. What was graded is remembered" in words(said[1])
    assert "Traceback" not in said[1]
    until(lambda: not alive(started), 10)
    kept = remembered(course)
    again = grade(course)
    assert again.returncode == 0, again.stderr
    assert f"{kept} remembered from before" in words(again.stdout)
    assert scores(course) == truth[0]


def test_two_runs_at_once_do_not_meet(course, truth):
    first = begin(course)
    until(lambda: (course / ".cnnlab" / "lock").exists())
    second = grade(course)
    assert second.returncode == 2
    assert f"process {first.pid}, since" in words(second.stderr)
    said = first.communicate(timeout=120)
    assert first.returncode == 0, said
    assert scores(course) == truth[0]


def test_running_it_twice_changes_nothing(remembering, truth):
    for _ in range(2):
        ran = grade(remembering)
        assert ran.returncode == 0 and "3 remembered from before" in words(ran.stdout)
        assert scores(remembering) == truth[0]


def test_a_full_disk_is_a_sentence_and_with_room_the_run_goes_on(tmp_path, fresh, truth):
    """On a small disk of its own, which bubblewrap makes."""
    out, command = tmp_path / "out", " ".join(map(str, GRADE))
    out.mkdir()
    inside = tmp_path / "inside.sh"
    inside.write_text(
        f"cp -r {fresh}/. /mnt/course && cd /mnt/course && head -c 900000 /dev/zero > filler\n"
        f"{command}; echo first $?\n"
        f"rm filler; {command}; echo second $?\n"
        f"cp gradebook.db /mnt/\n"
    )
    disk = ["--bind", str(out), "/mnt", "--size", "1500000", "--tmpfs", "/mnt/course"]
    capabilities = ["--cap-add", "ALL"] if os.geteuid() == 0 else []
    ran = subprocess.run(
        ["bwrap", "--dev-bind", "/", "/", *capabilities, *disk, "sh", inside],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert "first 2" in ran.stdout and "second 0" in ran.stdout, ran.stdout + ran.stderr
    assert "The disk is full" in words(ran.stderr) and "Make room" in words(ran.stderr)
    assert "Traceback" not in ran.stderr, ran.stderr
    assert scores(out) == truth[0]


def test_a_course_that_cannot_be_written_is_a_sentence(course):
    read_only = ["bwrap", "--dev-bind", "/", "/", "--ro-bind", str(course), str(course)]
    ran = grade(course, *read_only, "--chdir", str(course))
    assert ran.returncode == 2
    assert "cannot be written, and the gradebook has to go there" in words(ran.stderr)


def test_a_gradebook_that_is_none_is_a_sentence_and_is_kept(remembering):
    path = remembering / "gradebook.db"
    path.write_bytes(b"my notes, by mistake under this name. " * 200)
    before = path.read_bytes()
    ran = grade(remembering)
    assert ran.returncode == 2 and "Traceback" not in ran.stderr
    assert "The gradebook is no database, or a broken one" in words(ran.stderr)
    assert path.read_bytes() == before


def test_a_gradebook_in_use_is_waited_for(remembering, truth):
    assert grade(remembering).returncode == 0
    connection = sqlite3.connect(remembering / "gradebook.db")
    connection.execute("BEGIN EXCLUSIVE")
    run = begin(remembering)
    time.sleep(8)
    assert run.poll() is None
    connection.rollback()
    connection.close()
    said = run.communicate(timeout=120)
    assert run.returncode == 0, said
    assert scores(remembering) == truth[0]


def test_a_result_that_was_spoilt_is_made_again(remembering, truth):
    results = sorted((remembering / ".cnnlab" / "results").glob("*.json"))
    results[0].write_text(results[0].read_text()[:1000])
    results[1].write_text(json.dumps({"report": "{}", "notebook": "{}"}))
    ran = grade(remembering)
    assert ran.returncode == 0 and "1 remembered from before" in words(ran.stdout)
    assert scores(remembering) == truth[0]


def test_a_killed_worker_costs_nothing(course, truth):
    run = begin(course)
    until(lambda: remembered(course) >= 1)
    os.kill(workers(run.pid)[-1], signal.SIGKILL)
    said = run.communicate(timeout=120)
    assert run.returncode == 0, said
    assert scores(course) == truth[0]


@pytest.mark.parametrize("name", ["conv_layers (1).ipynb", "2_conv_layers.zip", "2_conv_layers"])
def test_work_that_lies_beside_its_folder_is_told_and_stops_nobody(remembering, truth, name):
    folder = remembering / "submitted" / "lost"
    folder.mkdir()
    (folder / name).write_bytes(b"whatever it is")
    (folder / "1_other.zip").write_bytes(b"of another assignment")
    ran = grade(remembering)
    assert ran.returncode == 1
    assert f"not graded: lost: {name} lies beside the folder 2_conv_layers" in words(ran.stderr)
    assert scores(remembering) == truth[0]
    for student in STUDENTS:
        shutil.rmtree(remembering / "submitted" / student)
    ran = grade(remembering)
    assert ran.returncode == 2 and "There is nothing to grade" in words(ran.stderr)
    assert "and grade again" in words(ran.stderr)
