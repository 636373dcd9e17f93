"""Many submissions: graded in parallel, remembered, then recorded in nbgrader's gradebook.

Grading is pure: a notebook in, a report and an executed notebook out. So it runs in a pool of
processes, and its results are kept by a hash of all that they depend on. Recording is nbgrader's:
its Autograde runs over the submissions one by one, and finds the results ready.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from urllib.parse import quote

import nbformat

from . import submission as submissions
from .converter import why_refused
from .errors import GraderError
from .feedback import class_page, student_page
from .gradebook import Course, record, register
from .limits import Limits
from .questions import PROJECT, Assignment, find_assignment
from .results import Finding, Report
from .runner import Graded, grade
from .sandbox import check_sandbox


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
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> ClassResult:
    """Grade ``submitted/`` into the gradebook, and write the feedback pages.

    ``progress(phase, done, total)`` is called after each step. One submission's failure is told in
    the result, and stops nobody else's.
    """
    if sandboxed:
        check_sandbox()
    paths = _wanted(course, assignment, students)
    register(assignment, course)
    result = ClassResult()
    limits = limits or course.limits
    memory = Memory(course.root / ".cnnlab" / "results", assignment, limits)
    graded: dict[str, Graded] = {}
    for student, outcome in _grade_all(
        paths, assignment, workers, sandboxed, memory, fresh, limits, result
    ):
        if isinstance(outcome, Graded):
            graded[student] = outcome
        else:
            result.failures[student] = outcome
        progress("graded", len(graded) + len(result.failures), len(paths))
    for done, student in enumerate(sorted(graded), 1):
        problem = record(course, assignment, student, graded[student], sandboxed)
        if problem:
            result.failures[student] = problem
        else:
            result.reports.append(graded[student].report)
        progress("recorded", done, len(graded))
    result.page = _write_pages(course, assignment, result)
    return result


def _wanted(course: Course, assignment: Assignment, students: list[str] | None) -> dict[str, Path]:
    found = course.submissions(assignment)
    submitted = course.folder("submitted", "<student>", assignment)
    if not found:
        raise GraderError(f"There is nothing to grade: no folder {submitted}.")
    unknown = sorted(set(students or ()) - set(found))
    if unknown:
        raise GraderError(f"No submission of {', '.join(unknown)}: looked for {submitted}.")
    return {student: found[student] for student in (students or found)}


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
        if graded.report.grader_errors or any(
            q.status == "timeout" for q in graded.report.questions
        ):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(digest, sandboxed)
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_text(_to_text(graded), "utf-8")
        unfinished.replace(path)


def _to_text(graded: Graded) -> str:
    """What is remembered, and what comes back from a worker."""
    return json.dumps(
        {"report": graded.report.to_json(), "notebook": nbformat.writes(graded.notebook)}
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
        assignment.release,
    ]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.read_bytes())
    for package in ("numpy", "ipykernel", "ipython"):
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
) -> Iterator[tuple[str, Graded | str]]:
    todo = {}
    for student, path in paths.items():
        refused = why_refused(student)
        if refused:
            yield student, refused
            continue
        try:
            loaded = submissions.load_or_empty(path, assignment)
        except GraderError as error:
            yield student, str(error)
            continue
        digest = loaded.digest()
        known = None if fresh else memory.find(digest, sandboxed)
        if known is None:
            todo[student] = (path, digest)
        else:
            result.remembered += 1
            yield student, _for_student(known, student, loaded.findings)
    work = partial(_grade_one, assignment.name, sandboxed, limits)
    wanted = {student: path for student, (path, _) in todo.items()}
    for student, outcome in _in_pool(wanted, work, workers or os.cpu_count() or 1):
        if isinstance(outcome, Graded):
            memory.keep(todo[student][1], sandboxed, outcome)
        yield student, outcome


def _for_student(graded: Graded, student: str, findings: list[Finding]) -> Graded:
    """A remembered result under this student's name: two may hand in the same work."""
    stopped = tuple(f for f in graded.report.autopsy if f.kind == "stopped")
    own = tuple(findings) + stopped
    return Graded(replace(graded.report, student=student, autopsy=own), graded.notebook)


def _in_pool(
    paths: dict[str, Path], work: Callable[[Path, str], str], workers: int
) -> Iterator[tuple[str, Graded | str]]:
    left = dict(paths)
    try:
        yield from _run_pool(left, work, workers)
    except BrokenProcessPool:
        # a worker died, and took the others' results along: now one at a time, so that the
        # submission that does it is the only one that loses
        for student, path in list(left.items()):
            try:
                yield from _run_pool({student: path}, work, 1)
            except BrokenProcessPool:
                yield student, "the grader's own process died while it graded this submission"


def _run_pool(
    left: dict[str, Path], work: Callable[[Path, str], str], workers: int
) -> Iterator[tuple[str, Graded | str]]:
    """Grade in worker processes; takes each finished student out of ``left``."""
    if not left:
        return
    context = multiprocessing.get_context("spawn")  # a fork would share sockets and threads
    pool = ProcessPoolExecutor(min(workers, len(left)), context)
    try:
        with _ignoring_ctrl_c():
            futures = {pool.submit(work, path, student): student for student, path in left.items()}
        for future in as_completed(futures):
            student = futures[future]
            try:
                outcome: Graded | str = _from_text(future.result())
            except BrokenProcessPool:
                raise
            except Exception as error:
                outcome = f"{type(error).__name__}: {error}"
            left.pop(student, None)
            yield student, outcome
    except BaseException:
        for child in multiprocessing.active_children():  # Ctrl-C: the sandboxes die with them
            child.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _ignoring_ctrl_c() -> Iterator[None]:
    """Processes that are started meanwhile leave Ctrl-C to the main process, which stops them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end_worker(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once: the clean-up must not be interrupted
    sys.exit(1)


def _grade_one(
    assignment_name: str, sandboxed: bool, limits: Limits, path: Path, student: str
) -> str:
    """In a worker. Plain text goes back."""
    # how Ctrl-C ends a worker: by way of every "finally", which remove the sandbox's folder
    signal.signal(signal.SIGTERM, _end_worker)
    assignment = find_assignment(assignment_name)
    try:
        loaded = submissions.load_or_empty(path, assignment)
        graded = grade(loaded, assignment, student=student, limits=limits, sandboxed=sandboxed)
    except SystemExit:
        os._exit(1)  # the pool would take it for this submission's failure, and go on to the next
    return _to_text(graded)


def _write_pages(course: Course, assignment: Assignment, result: ClassResult) -> Path:
    graded_before = _reports_on_disk(course, assignment)
    reports = {**graded_before, **{report.student: report for report in result.reports}}
    pages = {}
    for report in reports.values():
        page = course.folder("feedback", report.student, assignment) / f"{assignment.notebook}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(student_page(report), "utf-8")
        pages[report.student] = quote(os.path.relpath(page, course.root))
    overview = course.root / f"class-{assignment.name}.html"
    in_order = [reports[student] for student in sorted(reports)]
    overview.write_text(class_page(assignment.name, in_order, pages), "utf-8")
    return overview


def _reports_on_disk(course: Course, assignment: Assignment) -> dict[str, Report]:
    """What was graded before, so that grading one student again keeps the class's page whole."""
    found = {}
    for student in course.submissions(assignment):
        path = course.folder("autograded", student, assignment) / "report.json"
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found[student] = Report.from_json(path.read_text("utf-8"))
    return found
