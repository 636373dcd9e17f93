"""Many submissions: graded in parallel, remembered, and recorded in nbgrader's gradebook.

Grading is pure: a notebook in, a report and an executed notebook out. So it runs in a pool of
processes, and its results are kept by a hash of all that they depend on. Recording is nbgrader's:
its Autograde runs over the submissions one by one, and finds the results ready.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from urllib.parse import quote

import nbformat
from sqlalchemy.exc import DatabaseError

from . import database
from . import submission as submissions
from .converter import why_refused
from .devices import equipped
from .errors import GOES_ON, GraderError
from .feedback import class_page, student_page
from .files import FULL, OF_THE_DISK, alone, write_whole
from .gradebook import Course, record
from .kernel import MOST_WAITED
from .layers import carried, check_torch
from .limits import Limits
from .questions import PROJECT, Assignment, find_assignment
from .results import Finding, Report
from .runner import Graded, grade, seed_of
from .sandbox import check_sandbox, remove_leftovers
from .signals import finishing
from .workers import in_workers

# a walk through a notebook watches its own limits; beyond this it is the grader that hangs
MARGIN = 120.0
SLOW_SECONDS = 10.0  # who is being graded for longer is named
PROBE_BYTES = 1 << 20


@dataclass
class ClassResult:
    """What grading a class gave. ``failures``: student -> why the gradebook has no score."""

    reports: list[Report] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    remembered: int = 0
    page: Path | None = None


def grade_class(
    course: Course,
    assignment: Assignment,
    *,
    students: list[str] | None = None,
    workers: int | None = None,
    sandboxed: bool = True,
    fresh: bool = False,
    limits: Limits | None = None,
    progress: Callable[[int, int], None] = lambda *_: None,
    tell: Callable[[str], None] = lambda _: None,
) -> ClassResult:
    """Grade ``submitted/`` into the gradebook, and write the feedback pages.

    ``progress(done, total)`` is called after each submission; ``tell(text)`` where the person who
    waits should know why, and with "" when that is over. One submission's failure is told in the
    result, and stops nobody else's. A run that was killed at any moment is finished by the next.
    """
    if sandboxed:
        check_sandbox()
    check_torch(carried(submissions.read_release(assignment)))
    paths = _wanted(course, assignment, students)
    limits = equipped(limits or course.limits, assignment)
    result = ClassResult()
    with _disk_in_words(course), alone(course.root):
        _tidy(course)
        database.create(course.db_url, course.root / ".cnnlab")
        database.when_free(partial(database.register, assignment, course.api.coursedir), tell)
        memory = Memory(course.root / ".cnnlab" / "results", assignment, limits)
        grading = _grade_all(
            paths, assignment, workers, sandboxed, memory, fresh, limits, result, tell
        )
        with contextlib.closing(grading):  # ends the workers, whatever happens here
            for done, (student, outcome) in enumerate(grading, 1):
                problem = outcome
                # while the workers go on; and no more than one notebook is held in memory
                if isinstance(outcome, Graded):
                    with finishing():  # Ctrl-C waits for the end of this: nobody is half recorded
                        problem = _record(course, assignment, student, outcome, sandboxed, tell)
                if problem:
                    result.failures[student] = problem
                else:
                    result.reports.append(outcome.report)
                progress(done, len(paths))
        result.reports.sort(key=lambda report: report.student)
        if not students:
            result.failures |= course.misplaced(assignment)
        result.page = _write_pages(course, assignment, result)
        _tidy(course)
    return result


def _tidy(course: Course) -> None:
    """Remove what killed graders have left behind. The course is held: none is at work in it."""
    remove_leftovers()


def _wanted(course: Course, assignment: Assignment, students: list[str] | None) -> dict[str, Path]:
    found = course.submissions(assignment)
    submitted = course.folder("submitted", "<student>", assignment)
    unknown = sorted(set(students or ()) - set(found))
    if found and not unknown:
        return {student: found[student] for student in (students or found)}
    problem = (
        f"No submission of {', '.join(unknown)}: looked for {submitted}."
        if found
        else f"There is nothing to grade: no folder {submitted}."
    )
    misplaced = course.misplaced(assignment)
    lost = [f"{s}: {why}" for s, why in misplaced.items() if not students or s in unknown]
    raise GraderError("\n".join([problem, *lost]))


# -- grading, in parallel ---------------------------------------------------------------------


class Memory:
    """Results by a hash of all that they depend on: the submission, the tests, the answers."""

    def __init__(self, folder: Path, assignment: Assignment, limits: Limits):
        self.folder, self.grader = folder, _grader_digest(assignment) + repr(limits)

    def _path(self, digest: str, sandboxed: bool) -> Path:
        key = hashlib.sha256(f"{digest} {self.grader} {sandboxed}".encode()).hexdigest()
        return self.folder / f"{key}.json"

    def find(self, digest: str, sandboxed: bool) -> Graded | None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return _from_text(self._path(digest, sandboxed).read_text("utf-8"))
        return None

    def keep(self, digest: str, sandboxed: bool, graded: Graded) -> None:
        # a slow minute, or a mistake of ours, must not be remembered as the student's
        report = graded.report
        stopped = any(finding.kind == "stopped" for finding in report.autopsy)
        slow = any(question.status == "timeout" for question in report.questions)
        if report.grader_errors or stopped or slow:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self._path(digest, sandboxed), _to_text(graded))


def _to_text(graded: Graded) -> str:
    """What is remembered, and what comes back from a worker."""
    return json.dumps(
        {"report": graded.report.to_json(), "notebook": nbformat.writes(graded.notebook)},
        ensure_ascii=False,
    )


def _from_text(text: str) -> Graded:
    data = json.loads(text)
    return Graded(Report.from_json(data["report"]), nbformat.reads(data["notebook"], as_version=4))


def _grader_digest(assignment: Assignment) -> str:
    files = [
        *(PROJECT / "autograder").rglob("*.py"),
        *(PROJECT / "autograder/templates").glob("*"),
        *(PROJECT / "solutions").glob("*.py"),
        *(PROJECT / "starter/cnnlab").rglob("*.py"),
        *(PROJECT / "starter/cnnlab/data").glob("*.png"),
        assignment.release,
    ]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.read_bytes())
    supplier = ["torch"] if carried(submissions.read_release(assignment)) else []
    for package in ("numpy", "ipykernel", "ipython", *supplier, *assignment.uses):
        digest.update(importlib.metadata.version(package).encode())
    return digest.hexdigest()


def _grade_all(
    paths: dict[str, Path],
    assignment: Assignment,
    workers: int | None,
    sandboxed: bool,
    memory: Memory,
    fresh: bool,
    limits: Limits,
    result: ClassResult,
    tell: Callable[[str], None],
) -> Iterator[tuple[str, Graded | str]]:
    todo = {}
    for student, path in paths.items():
        refused = why_refused(student, path.parent)
        if refused:
            yield student, refused
            continue
        try:
            loaded = submissions.load_or_empty(path, assignment)
            digest = loaded.digest()
        except Exception as error:  # whatever this one is: it must not stop the others
            yield student, _in_words(error)
            continue
        known = None if fresh else memory.find(digest, sandboxed)
        if known is None:
            todo[student] = (path, digest)
        else:
            result.remembered += 1
            yield student, _for_student(known, student, loaded.findings)
    work = partial(_grade_one, assignment.name, sandboxed, limits)
    wanted = {student: path for student, (path, _) in todo.items()}
    seconds = limits.notebook_seconds + limits.cell_seconds + limits.test_seconds
    seconds += MOST_WAITED * seconds + MARGIN
    answers = in_workers(
        wanted,
        work,
        workers or len(os.sched_getaffinity(0)),  # a container may have fewer than the machine
        seconds,
        lambda who: tell(_who_takes_long(who)),
    )
    with contextlib.closing(answers):
        for student, answer in answers:
            if answer.result is None:
                yield student, answer.problem
                continue
            graded, digest = _from_text(answer.result), todo[student][1]
            if graded.report.seed == seed_of(digest):  # it has not changed meanwhile
                memory.keep(digest, sandboxed, graded)
            yield student, graded
    tell("")


def _who_takes_long(running: dict[str, float]) -> str:
    slow = sorted((s, student) for student, s in running.items() if s > SLOW_SECONDS)
    return ", ".join(f"{student} for {seconds:.0f} s" for seconds, student in reversed(slow))


def _for_student(graded: Graded, student: str, findings: list[Finding]) -> Graded:
    """A remembered result under this student's name: two may hand in the same work."""
    stopped = tuple(f for f in graded.report.autopsy if f.kind == "stopped")
    own = tuple(findings) + stopped
    return Graded(replace(graded.report, student=student, autopsy=own), graded.notebook)


def _grade_one(
    assignment_name: str, sandboxed: bool, limits: Limits, path: Path, student: str
) -> str:
    """In a worker. Plain text goes back."""
    assignment = find_assignment(assignment_name)
    loaded = submissions.load_or_empty(path, assignment)
    graded = grade(loaded, assignment, student=student, limits=limits, sandboxed=sandboxed)
    return _to_text(graded)


# -- recording, one by one --------------------------------------------------------------------


def _record(
    course: Course,
    assignment: Assignment,
    student: str,
    graded: Graded,
    sandboxed: bool,
    tell: Callable[[str], None],
) -> str | None:
    """Record one student. What keeps everybody from being recorded is raised, as a full disk."""
    step = partial(record, course, assignment, student, graded, sandboxed)
    try:
        problem = database.when_free(step, tell)
    except Exception as error:
        problem = _in_words(error)
    if problem:
        # not from the words of the failure, which may be the student's
        _try_to_write(course)
    return problem


def _try_to_write(course: Course) -> None:
    """Raises OSError or DatabaseError where neither files nor scores can be written."""
    probe = course.root / ".cnnlab" / "probe"
    write_whole(probe, "0" * PROBE_BYTES)
    probe.unlink()
    database.try_to_write(course.db_url)


@contextlib.contextmanager
def _disk_in_words(course: Course) -> Iterator[None]:
    """What the disk refuses is for the person at the keyboard, in a sentence."""
    try:
        yield
    except DatabaseError as error:
        raise GraderError(f"{database.trouble(error)} {GOES_ON}") from None
    except OSError as error:
        where = error.filename or course.root
        if error.errno in FULL:
            why = f"The disk is full: {where} could not be written. Make room."
        elif error.errno in OF_THE_DISK or isinstance(error, PermissionError):
            why = f"{where} could not be written: {error.strerror}."
        else:
            raise
        raise GraderError(f"{why} {GOES_ON}") from None


def _in_words(error: Exception) -> str:
    if isinstance(error, GraderError):
        return str(error)
    if isinstance(error, PermissionError):
        return f"{error.filename} may not be read by who runs the grader."
    return f"the grader itself failed: {type(error).__name__}: {str(error)[:500]}"


# -- pages ------------------------------------------------------------------------------------


def _write_pages(course: Course, assignment: Assignment, result: ClassResult) -> Path:
    graded_before = _reports_on_disk(course, assignment)
    reports = {**graded_before, **{report.student: report for report in result.reports}}
    pages = {}
    for report in reports.values():
        page = course.folder("feedback", report.student, assignment) / f"{assignment.notebook}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        write_whole(page, student_page(report))
        pages[report.student] = quote(os.path.relpath(page, course.root))
    overview = course.root / f"class-{assignment.name}.html"
    in_order = [reports[student] for student in sorted(reports)]
    write_whole(overview, class_page(assignment.name, in_order, pages))
    return overview


def _reports_on_disk(course: Course, assignment: Assignment) -> dict[str, Report]:
    """What was graded before, so that grading one student again keeps the class's page whole."""
    found = {}
    for student in course.submissions(assignment):
        path = course.folder("autograded", student, assignment) / "report.json"
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found[student] = Report.from_json(path.read_text("utf-8"))
    return found
