"""Workers that answer, die, hang and fail; each costs its own submission only."""

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from witness import alive, below, processes, until, workers

from autograder.errors import GraderError
from autograder.workers import in_workers

SECONDS = 60.0  # no test waits for it, except where it says so


def times(folder: Path, student: str) -> int:
    """How often this submission was begun, this time included."""
    with (folder / student).open("a") as file:
        file.write("x")
    return (folder / student).stat().st_size


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("not even that")


def work(folder: Path, path: Path, student: str) -> str:
    """What a student's name asks for. By module: a worker is a new process."""
    tries = times(folder, student)
    if student == "killed" or (student == "killed once" and tries == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if student == "leaves":
        os._exit(3)
    if student == "hangs":
        time.sleep(100)
    if student == "refused":
        raise GraderError("The release is missing: make it.")
    if student == "fails" or (student == "fails once" and tries == 1):
        raise ZeroDivisionError("1/0 \ud800")
    if student == "unspeakable":
        raise Unspeakable
    return f"{path.name} of {student} by {os.getpid()}"


def grade(folder: Path, *students: str, count=2, seconds=SECONDS, running=lambda _: None):
    wanted = {student: Path("somewhere", "notebook.ipynb") for student in students}
    return in_workers(wanted, functools.partial(work, folder), count, seconds, running)


def test_every_submission_is_answered_by_the_workers_asked_for(tmp_path):
    names = [f"student {n}" for n in range(12)]
    answers = dict(grade(tmp_path, *names))
    assert sorted(answers) == sorted(names)
    for name in names:
        assert answers[name].result.startswith(f"notebook.ipynb of {name} by ")
    assert 1 <= len({a.result.split()[-1] for a in answers.values()}) <= 2
    assert {times(tmp_path, name) for name in names} == {2}  # once by a worker, once here
    assert workers(os.getpid()) == []


def test_deaths_hangs_and_failures_cost_their_own_submission(tmp_path):
    honest = [f"honest {n}" for n in range(4)]
    bad = ["killed", "leaves", "refused", "fails", "unspeakable"]
    mixed = [name for pair in zip(bad, [*honest, "honest 4"], strict=True) for name in pair]
    answers = dict(grade(tmp_path, *mixed))
    assert sorted(answers) == sorted(mixed)
    for name in mixed:
        assert (answers[name].result is None) == (name in bad), answers[name]
    assert "(SIGKILL)" in answers["killed"].problem
    assert "(exit code 3)" in answers["leaves"].problem
    assert answers["refused"].problem == "The release is missing: make it."
    assert "the grader itself failed: ZeroDivisionError: 1/0 ?" in answers["fails"].problem
    assert "the grader itself failed: Unspeakable" in answers["unspeakable"].problem
    # each is tried once more, except what the grader said in good order
    tries = {name: times(tmp_path, name) - 1 for name in bad}
    assert tries == {"killed": 2, "leaves": 2, "refused": 1, "fails": 2, "unspeakable": 2}


@pytest.mark.parametrize("name", ["killed once", "fails once"])
def test_a_mishap_costs_nothing(tmp_path, name):
    answers = dict(grade(tmp_path, name, "honest"))
    assert answers[name].result and answers["honest"].result


def test_a_hanging_worker_is_ended_and_the_others_go_on(tmp_path):
    # time enough for a new process to start, on a busy machine too
    answers = dict(grade(tmp_path, "hangs", "honest 1", "honest 2", seconds=8))
    assert answers["hangs"].problem == "the grader hung: it was ended after 8 s"
    assert answers["honest 1"].result and answers["honest 2"].result
    assert times(tmp_path, "hangs") == 2  # not tried again
    assert workers(os.getpid()) == []


def test_it_is_told_who_is_being_graded(tmp_path):
    heard = []
    dict(grade(tmp_path, "hangs", count=1, seconds=5, running=lambda who: heard.append(dict(who))))
    seconds = [who["hangs"] for who in heard]
    assert len(seconds) >= 3 and seconds == sorted(seconds) and seconds[-1] < 15


def test_whoever_stops_listening_ends_the_workers(tmp_path):
    answers = grade(tmp_path, "honest", "hangs")
    assert next(answers)[0] == "honest"
    assert len(workers(os.getpid())) == 2
    begin = time.monotonic()
    answers.close()
    assert workers(os.getpid()) == []
    assert time.monotonic() - begin < 30


def test_workers_do_not_outlive_a_killed_grader(tmp_path):
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from test_workers import grade\n"
        "if __name__ == '__main__':\n"
        "    for _ in grade(Path(sys.argv[1]), 'hangs', 'honest'): print('one', flush=True)\n"
    )
    main = tmp_path / "main.py"
    main.write_text(script)
    grader = subprocess.Popen(
        [sys.executable, main, tmp_path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with grader.stdout:
        assert grader.stdout.readline() == "one\n"
        started = below(grader.pid, processes())
        assert len(started) >= 2
        grader.kill()
        grader.wait()
    until(lambda: not alive(started), 30)
