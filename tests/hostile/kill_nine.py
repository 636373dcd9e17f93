"""Kills the grader with SIGKILL at random moments of a run, and lets the next run finish it.

    python tests/hostile/kill_nine.py --moments 20 --students 30 [--seed N]

A class is graded once undisturbed: that is the truth. Then, for each moment, the same class in a
new course folder: the run is killed there (in turn the main process, a worker, the whole process
group), the same command is given again, and gradebook, reports and pages have to be those of the
truth, with no process and no folder left of either run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from nbgrader.api import Gradebook
from witness import workers

from autograder import demo
from autograder.gradebook import Course
from autograder.questions import find_assignment
from autograder.sandbox import SCRATCH

ASSIGNMENT = "2_conv_layers"
TARGETS = ("main process", "a worker", "process group")
SETTLE = 20.0  # seconds in which what was killed has to be gone


@dataclass
class Outcome:
    """What one killed run came to; ``problems`` is empty if the next run finished it."""

    target: str
    after: float  # seconds from the start to the kill
    graded: int  # results that were remembered when it was killed
    ended: bool  # it had ended by itself before
    problems: list[str]


def write_class(root: Path, students: int) -> None:
    """A mixed class, without those that take long."""
    assignment = find_assignment(ASSIGNMENT)
    made = demo.make_class(assignment)
    kept = [name for name in made if name not in ("never-ends", "crashes")]
    chosen = {f"{n:02}-{kept[n % len(kept)]}": made[kept[n % len(kept)]] for n in range(students)}
    demo.write_course(root, assignment, chosen)


def start(root: Path) -> subprocess.Popen:
    # by a process of its own, so that the group can be killed without this script
    return subprocess.Popen(
        [Path(sys.executable).with_name("autograder"), "grade", ASSIGNMENT],
        cwd=root,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def what_it_came_to(root: Path) -> dict:
    """The gradebook, the reports and the pages, without what differs between any two runs."""
    assignment, course = find_assignment(ASSIGNMENT), Course.open(root)
    rows: dict = {}
    with Gradebook(course.db_url) as gradebook:
        for submission in gradebook.assignment_submissions(ASSIGNMENT):
            [notebook] = submission.notebooks
            rows[submission.student_id] = sorted(
                (g.name, g.auto_score, g.manual_score, g.extra_credit, g.needs_manual_grade)
                for g in notebook.grades
            )
    reports, pages = {}, {}
    for student in rows:
        path = course.folder("autograded", student, assignment) / "report.json"
        report = json.loads(path.read_text("utf-8"))
        report.pop("timing")
        for question in report["questions"]:
            question.pop("seconds")
        reports[student] = report
        page = course.folder("feedback", student, assignment) / f"{assignment.notebook}.html"
        pages[student] = page.read_text("utf-8")
    return {"gradebook": rows, "reports": reports, "pages": pages}


def left_behind(before: set[int]) -> list[str]:
    """Processes and folders that outlived the runs."""
    until = time.monotonic() + SETTLE
    while True:
        alive = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = path.read_bytes()
                if int(path.parent.name) not in before and (
                    SCRATCH.encode() in words or b"spawn_main" in words
                ):
                    alive.append(f"process {path.parent.name} lives on")
        if not alive or time.monotonic() > until:
            return alive
        time.sleep(0.5)


def scratch_folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob(f"{SCRATCH}*"))


def kill_once(root: Path, target: str, after: float, truth: dict) -> Outcome:
    processes = {int(p.name) for p in Path("/proc").glob("[0-9]*")}
    folders = scratch_folders()
    run = start(root)
    ended = True
    with contextlib.suppress(subprocess.TimeoutExpired):
        run.communicate(timeout=after)
    if run.poll() is None:
        ended = False
        victims = workers(run.pid) if target == "a worker" else []
        if target == "process group":
            os.killpg(run.pid, signal.SIGKILL)
        else:
            os.kill(random.choice(victims) if victims else run.pid, signal.SIGKILL)
    graded = len(list((root / ".cnnlab" / "results").glob("*.json")))
    # a killed worker costs nothing at all: that run goes on by itself
    run.communicate(timeout=600)
    problems = left_behind(processes)
    again = start(root)
    said, _ = again.communicate(timeout=600)
    if again.returncode != 0:
        problems.append(f"the next run ended with {again.returncode}: {said[-500:]}")
    found = what_it_came_to(root)
    problems += [f"another {part}" for part in truth if found[part] != truth[part]]
    problems += left_behind(processes)
    problems += [f"{folder} is left" for folder in scratch_folders() - folders]
    return Outcome(target, after, graded, ended, problems)


def main(moments: int, students: int, seed: int) -> list[Outcome]:
    random.seed(seed)
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="kill-nine-") as base:
        fresh, true = Path(base, "fresh"), Path(base, "true")
        write_class(fresh, students)
        shutil.copytree(fresh, true)
        begin = time.monotonic()
        run = start(true)
        said, _ = run.communicate(timeout=900)
        if run.returncode != 0:
            raise SystemExit(f"the undisturbed run failed: {said[-2000:]}")
        duration, truth = time.monotonic() - begin, what_it_came_to(true)
        print(f"undisturbed: {students} students in {duration:.1f} s", flush=True)
        for moment in range(moments):
            root = Path(base, f"run-{moment}")
            shutil.copytree(fresh, root)
            target = TARGETS[moment % len(TARGETS)]
            outcome = kill_once(root, target, random.uniform(0, duration), truth)
            outcomes.append(outcome)
            print(
                f"{moment + 1:3}  {outcome.target:14} after {outcome.after:5.1f} s, "
                f"{outcome.graded:2} remembered{', it had ended' if outcome.ended else ''}: "
                f"{'; '.join(outcome.problems) or 'finished by the next run'}",
                flush=True,
            )
            shutil.rmtree(root)
    return outcomes


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--students", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sys.exit(any(o.problems for o in main(given.moments, given.students, given.seed)))
