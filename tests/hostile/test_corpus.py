"""The whole corpus as one class, by `autograder grade` and by nbgrader: each gets what it deserves.

pytest tests/hostile -k forging        one family, and the honest students around it
HOSTILE=all pytest tests/hostile       the whole corpus by plain `nbgrader autograde` too
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import site
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograder.database import register
from autograder.gradebook import Course
from autograder.limits import Limits
from autograder.questions import PROJECT, find_assignment
from autograder.results import QuestionResult, Report

from .corpus import (
    ASSIGNMENT,
    EVERYTHING,
    HONEST,
    QUESTIONS,
    WAS_HERE,
    Case,
    Deserves,
    Surroundings,
    Written,
    all_cases,
    write_course,
)
from .witness import Listener, Ran, digest, run_watched

pytestmark = pytest.mark.slow
BIN = Path(sys.executable).parent
# Tight, so that what hangs does not take long; honest work needs a tenth of it.
LIMITS = {
    "call_seconds": 3,
    "cell_seconds": 4,
    "test_seconds": 6,
    "notebook_seconds": 60,
    "stops": 1,
}
BY_NBGRADER = 2  # cases of each family that nbgrader grades in a short run
PATIENCE = 1800  # seconds, after which the grader itself is said to hang
MB = 10**6
WON = "HOSTILE-WON"  # what a case prints when it got to what it should not
BUILT = (".git", ".venv", "__pycache__", "build", ".pytest_cache", ".ruff_cache", ".hypothesis")

FEW = 7  # cases of each family in a short run


def cases_of_this_run() -> list[Case]:
    """All with HOSTILE=all, as `make fuzz` sets it; otherwise some of each family, evenly drawn."""
    found = all_cases()
    if os.environ.get("HOSTILE") == "all":
        return found
    families: dict[str, list[Case]] = {}
    for case in found:
        families.setdefault(case.family, []).append(case)
    return [case for family in families.values() for case in family[:: max(1, len(family) // FEW)]]


CASES = cases_of_this_run()


def by_nbgrader() -> list[Case]:
    """The cases that plain nbgrader grades in this run."""
    if os.environ.get("HOSTILE") == "all":
        return CASES
    chosen: list[Case] = []
    for case in CASES:
        few = sum(c.family == case.family for c in chosen) < BY_NBGRADER
        if few and not case.bomb:
            chosen.append(case)
    return chosen


def each(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=lambda case: f"{case.family}-{case.name}")


# -- the two runs ---------------------------------------------------------------------------------


@dataclass
class Run:
    """A course that was graded, and what was seen meanwhile."""

    written: Written
    ran: Ran
    reports: dict[str, Report]
    gradebook: dict[str, dict[str, float]]  # student -> question -> score, extra credit too
    changed: dict[str, object]  # what is not as it was before
    reached: list[str]  # of the listener
    leaked: list[str]  # files in which the token of the secrets was found


def selected(request: pytest.FixtureRequest, test: str) -> list[Case]:
    """The cases that this run of pytest is about."""
    params = [
        item.callspec.params["case"]
        for item in request.session.items
        if getattr(item, "originalname", "") == test and hasattr(item, "callspec")
    ]
    return [case for case in params if isinstance(case, Case)]


@pytest.fixture(scope="session")
def by_grade(request, tmp_path_factory) -> Run:
    options = [f"--limit={name}={value}" for name, value in LIMITS.items()]
    command = [BIN / "autograder", "grade", ASSIGNMENT, *options]
    cases = selected(request, "test_gets_what_it_deserves")
    return grade(tmp_path_factory.mktemp("by-grade"), cases, command)


@pytest.fixture(scope="session")
def by_plain_nbgrader(request, tmp_path_factory) -> Run:
    cases = selected(request, "test_nbgrader_agrees")
    command = [BIN / "nbgrader", "autograde", ASSIGNMENT]
    return grade(tmp_path_factory.mktemp("by-nbgrader"), cases, command)


def grade(base: Path, cases: list[Case], command: list) -> Run:
    """Write a course of these cases, run the command in it, and see what has become of it all."""
    home, root = make_home(base), base / "course"
    socket_file = home / "secrets" / "service.sock"
    listener = Listener(f"cnnlab-hostile-{os.getpid()}-{base.name}", socket_file)
    around = Surroundings(
        secrets=home / "secrets",
        token=(home / "secrets" / "token.txt").read_text(),
        tcp=listener.port("tcp"),
        udp=listener.port("udp"),
        abstract=listener.abstract,
    )
    written = write_course(root, cases, around)
    plant_secrets(written, around)
    with (root / "nbgrader_config.py").open("a") as config:
        config.write(f"c = get_config()  # noqa: F821\nc.Execute.limits = {LIMITS}\n")
    environment = {
        **os.environ,
        "HOME": str(home),
        "XDG_CACHE_HOME": str(base / "cache"),
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOSTILE_SECRET": around.token,
    }
    places = {
        "the home folder": (home, (".jupyter", ".ipython", ".local")),
        "the project": (PROJECT, BUILT),
        "the submissions": (root / "submitted", ()),
    }
    register(
        find_assignment(ASSIGNMENT), Course.open(root).api.coursedir
    )  # for nbgrader, which grades by it
    before = {name: digest(*place) for name, place in places.items()}
    in_tmp = set(os.listdir("/tmp"))
    try:
        ran = run_watched(command, root, environment, PATIENCE)
    finally:
        time.sleep(0.5)
        listener.close()
    changed = {name: differences(before[name], digest(*place)) for name, place in places.items()}
    changed["/tmp"] = leftovers(in_tmp)
    changed["other places"] = [str(p) for p in written_where_nothing_may(home, root)]
    run = Run(
        written=written,
        ran=ran,
        reports=read_reports(root),
        gradebook=read_gradebook(root),
        changed={name: what for name, what in changed.items() if what},
        reached=listener.reached,
        leaked=files_with(around.token, root) + files_with(WON, root),
    )
    print(f"\n{len(written.deserves)} submissions, {ran.seconds:.0f} s, exit {ran.returncode}")
    print(f"grader {ran.grader_memory / MB:.0f} MB, sandbox {ran.sandbox_memory / MB:.0f} MB")
    return run


def make_home(base: Path) -> Path:
    """A home folder with what a home folder has, and something to steal."""
    home = base / "home"
    token = f"TOKEN-{os.urandom(8).hex()}"
    for name in ("secrets/token.txt", ".ssh/id_ed25519", ".netrc", ".bashrc", "grades.csv"):
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(token)
    return home


def plant_secrets(written: Written, around: Surroundings) -> None:
    """Another student's work, for whoever can read it."""
    first = written.root / "submitted" / next(iter(HONEST)) / ASSIGNMENT
    (first / "my_notes.txt").write_text(around.token)


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return sorted(path for path in {*before, *after} if before.get(path) != after.get(path))


def leftovers(before: set[str], patience: float = 20) -> list[str]:
    """Scratch folders that stay; another grader on this machine may have some for a while."""
    deadline = time.monotonic() + patience
    while True:
        new = [n for n in set(os.listdir("/tmp")) - before if n.startswith(("cnnlab-", WAS_HERE))]
        new = [name for name in new if not in_use(f"/tmp/{name}")]
        if not new or time.monotonic() > deadline:
            return new
        time.sleep(1)


def in_use(path: str) -> bool:
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if path.encode() in Path("/proc", entry, "cmdline").read_bytes():
                return True
    return False


def written_where_nothing_may(home: Path, root: Path) -> list[Path]:
    """Files by the name that the corpus gives to what it should not be able to write."""
    folders = ["/tmp", "/var/tmp", "/dev/shm", "/", "/etc", "/usr", sys.prefix, sys.base_prefix]
    around = [Path(p) for p in (*folders, *site.getsitepackages())]
    found = [p for folder in around for p in folder.glob(f"{WAS_HERE}*")]
    for folder in (home, root.parent, PROJECT, Path("/dev/shm")):
        for parent, _, names in os.walk(folder):
            found += [Path(parent, name) for name in names if name.startswith(WAS_HERE)]
    return found


def read_reports(root: Path) -> dict[str, Report]:
    return {
        path.parents[1].name: Report.from_json(path.read_text("utf-8"))
        for path in (root / "autograded").glob(f"*/{ASSIGNMENT}/report.json")
    }


def read_gradebook(root: Path) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    with Gradebook(f"sqlite:///{root}/gradebook.db") as gradebook:
        for submission in gradebook.assignment_submissions(ASSIGNMENT):
            for notebook in submission.notebooks:
                found[submission.student_id] = {
                    grade.name.removesuffix("-tests"): (grade.auto_score or 0)
                    + (grade.extra_credit or 0)
                    for grade in notebook.grades
                    if grade.name.removesuffix("-tests") in QUESTIONS
                }
    return found


def files_with(text: str, root: Path) -> list[str]:
    """Of what the grader wrote, the files that hold the text."""
    own = next(iter(HONEST))
    found = []
    for folder in ("autograded", "feedback", ".cnnlab"):
        for path in (root / folder).rglob("*"):
            name = str(path.relative_to(root))
            if own not in name and path.is_file() and text.encode() in path.read_bytes():
                found.append(name)
    return found


# -- what is asserted of both ---------------------------------------------------------------------


def lost(report: Report) -> list[QuestionResult]:
    return [q for q in report.questions if q.score < q.points]


def complaints(report: Report, deserves: Deserves, says: tuple[str, ...] = ()) -> list[str]:
    """What is wrong with this report, in words; nothing if it is what the submission deserves."""
    found = [f"the grader failed: {error}" for error in report.grader_errors]
    for question in report.questions:
        least, most = deserves.bounds(question.id)
        messages = sorted({test.message for test in question.tests if test.message})
        if not least <= question.score <= most:
            found.append(
                f"{question.id}: {question.score:g} points, not {least:g} to {most:g} "
                f"({question.status}: {messages})"
            )
        wanted = deserves.statuses.get(question.id)
        if wanted and question.status != wanted:
            found.append(f"{question.id}: {question.status}, not {wanted} ({messages})")
    said = [*report.notes, *(test.message for q in lost(report) for test in q.tests)]
    for pattern in says:
        if not any(re.search(pattern, text) for text in said):
            found.append(f"nothing says {pattern!r}, but {sorted(set(filter(None, said)))}")
    return found


def check_case(run: Run, case: Case) -> None:
    ran = f"exit code {run.ran.returncode}, {run.ran.stdout[-1500:]} {run.ran.stderr[-1500:]}"
    if case.refused:
        assert case.student not in run.reports
        said = run.ran.stdout + run.ran.stderr
        assert all(re.search(pattern, said) for pattern in case.says), said[-3000:]
        return
    assert case.student in run.reports, f"no report of {case.student!r}: {ran}"
    found = complaints(run.reports[case.student], case.deserves, case.says)
    assert not found, "\n".join([case.tries, *found, *run.reports[case.student].notes])


def check_honest(run: Run) -> None:
    for student in HONEST:
        assert student in run.reports, run.ran.stdout[-3000:] + run.ran.stderr[-3000:]
        assert complaints(run.reports[student], EVERYTHING) == [], student


def check_surroundings(run: Run) -> None:
    assert run.reached == []
    assert run.leaked == []
    assert run.changed == {}
    assert run.ran.survivors == []


def check_sizes(run: Run) -> None:
    assert run.ran.grader_memory < 1200 * MB
    # the limit, the sandbox's own part, and what may be gone before the watch looks again
    assert run.ran.sandbox_memory < 1.5 * Limits().memory
    assert run.ran.sandbox_tasks < 2 * Limits().tasks
    folder = run.written.root / "autograded"
    large = {
        str(path.relative_to(folder)): path.stat().st_size
        for path in folder.rglob("*.ipynb")
        if path.stat().st_size > 12 * MB
    }
    assert large == {}


# -- autograder grade -----------------------------------------------------------------------------


@each(CASES)
def test_gets_what_it_deserves(by_grade, case):
    check_case(by_grade, case)


class TestWholeRun:
    def test_every_honest_score_is_right(self, by_grade):
        check_honest(by_grade)

    def test_nobody_is_left_out(self, by_grade):
        said = by_grade.ran.stdout[-3000:] + by_grade.ran.stderr[-3000:]
        refused = {case.student for case in CASES if case.refused}
        left_out = set(by_grade.written.deserves) - set(by_grade.reports)
        assert left_out <= refused, said
        assert by_grade.ran.returncode == bool(left_out), said

    def test_nothing_outside_was_reached_read_changed_or_left_behind(self, by_grade):
        check_surroundings(by_grade)

    def test_memory_tasks_and_files_stay_bounded(self, by_grade):
        check_sizes(by_grade)

    def test_the_gradebook_holds_what_the_reports_say(self, by_grade):
        check_gradebook(by_grade)

    def test_the_run_says_what_happened_to_whom(self, by_grade):
        silent = [
            student
            for student, report in by_grade.reports.items()
            if report.notes and in_terminal(student) not in by_grade.ran.stdout
        ]
        assert silent == []

    def test_the_terminal_gets_nothing_that_it_obeys(self, by_grade):
        text = by_grade.ran.stdout + by_grade.ran.stderr
        odd = {c for c in text if not c.isprintable()} - {"\n"}
        assert odd == set()


def in_terminal(student: str) -> str:
    """A student's name as the terminal shows it: without what a terminal would obey."""
    shown = "".join(c if c.isprintable() else "�" for c in student)
    return shown[:39]  # where it is longer, it ends in a …


def check_gradebook(run: Run) -> None:
    wrong = {}
    for student, report in run.reports.items():
        scores = {q.id: q.score for q in report.questions}
        if run.gradebook.get(student) != pytest.approx(scores):
            wrong[student] = (run.gradebook.get(student), scores)
    assert wrong == {}


# -- nbgrader autograde ---------------------------------------------------------------------------


@each(by_nbgrader())
def test_nbgrader_agrees(by_plain_nbgrader, case):
    check_case(by_plain_nbgrader, case)
    if case.refused:
        return
    deserved = {q: case.deserves.bounds(q) for q in QUESTIONS}
    scores = by_plain_nbgrader.gradebook[case.student]
    wrong = {q: s for q, s in scores.items() if not deserved[q][0] <= s <= deserved[q][1]}
    assert set(scores) == set(QUESTIONS) and wrong == {}


class TestWholeRunByNbgrader:
    def test_every_honest_score_is_right(self, by_plain_nbgrader):
        check_honest(by_plain_nbgrader)
        check_gradebook(by_plain_nbgrader)

    def test_nothing_outside_was_reached_read_changed_or_left_behind(self, by_plain_nbgrader):
        check_surroundings(by_plain_nbgrader)

    def test_memory_tasks_and_files_stay_bounded(self, by_plain_nbgrader):
        check_sizes(by_plain_nbgrader)


# -- the corpus itself ----------------------------------------------------------------------------


def test_each_case_says_what_it_tries():
    assert [case.name for case in CASES if len(case.tries) < 10] == []


def test_the_corpus_is_written_with_what_it_deserves_beside_it(tmp_path):
    written = write_course(tmp_path / "course", CASES[:2], Surroundings())
    table = json.loads((written.root / "deserves.json").read_text("utf-8"))
    assert set(table) == set(os.listdir(written.root / "submitted")) == set(written.deserves)
    for student, row in table.items():
        assert set(row["scores"]) == set(QUESTIONS), student
    shutil.rmtree(written.root)
