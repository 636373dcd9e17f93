"""Grades one notebook: walks its cells in the sandbox, and runs the hidden tests from outside."""

from __future__ import annotations

import ast
import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import nbformat
from nbformat import NotebookNode

from . import submission as submissions
from .devices import equipped
from .diagnose import MISCONCEPTIONS, diagnose, hint, load_misconceptions
from .errors import BadSubmission, StudentError, StudentRaised, TimedOut, UnreadableResult
from .feedback import question_html, question_text
from .kernel import CellRun, Kernel
from .layers import Layers, carried
from .limits import NO_DEVICE, Limits
from .plugin import HiddenTests, QuestionRun
from .questions import SKIP, Assignment, Question, find_assignments
from .restore import without_magics
from .results import Finding, QuestionResult, Report
from .student import Session
from .submission import Submission

Found = TypeVar("Found")

DEFINITIONS = (
    *(ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef),
    *(ast.Assign, ast.AnnAssign),
)
LEFT_UNSOUND = (TimedOut, UnreadableResult)  # after these, a kernel may live on, and be broken
WRONG = ("failed", "error", "timeout")
AGAIN = 3.0  # times the limit, for a cell that is run again
NOT_WRITTEN = "Not written yet: the cell is as it was released."

NO_DEVICE_HERE = (
    "skipped: this grader has no {} device. Nothing is lost: it is extra credit, and what it is "
    "about is graded without a device elsewhere."
)


@dataclass
class Graded:
    """A graded submission: what people read, and the executed notebook."""

    report: Report
    notebook: NotebookNode


def seed_of(digest: str) -> int:
    """The seed that a submission's inputs are drawn with: the same work, the same inputs."""
    # 52 bits: a table of answers to the inputs of one submission is not to fit another, which can
    # be made at will; and JSON's readers keep them exactly
    return int(digest[:13], 16)


def grade(
    submission: Submission,
    assignment: Assignment,
    *,
    student: str = "",
    seed: int | None = None,
    limits: Limits | None = None,
    sandboxed: bool = True,
) -> Graded:
    """Grade one submission. Raises GraderError only for what is not the submission's doing."""
    limits = equipped(limits or Limits(), assignment)
    load_misconceptions(assignment.misconceptions)  # which imports what the assignment is about
    _simulate(assignment.uses)
    walk = _Walk(submission, assignment, limits, sandboxed)
    seed = seed_of(submission.digest()) if seed is None else seed
    start = time.monotonic()
    try:
        HiddenTests(assignment.hidden_tests, seed, walk).execute()
    finally:
        walk.close()
    walk.timing["total"] = time.monotonic() - start
    report = Report(
        assignment=assignment.name,
        notebook=assignment.notebook,
        student=student,
        seed=seed,
        questions=tuple(walk.results),
        autopsy=tuple(submission.findings + walk.findings),
        grader_errors=tuple(walk.grader_errors),
        timing=walk.timing,
    )
    return Graded(report, submission.notebook)


def _simulate(uses: tuple[str, ...]) -> None:
    """References that a diagnosis calls run in numba's simulator, here in the grader's process.

    On a device the student's results are the same to the last digits that are compared.
    """
    if "numba" in uses:
        os.environ.setdefault("NUMBA_ENABLE_CUDASIM", "1")  # which numba reads on import


@dataclass
class _Walk:
    """One walk through a notebook. Called by pytest's loop, with the collected hidden tests."""

    submission: Submission
    assignment: Assignment
    limits: Limits
    sandboxed: bool
    kernel: Kernel | None = None
    layers: Layers | None = None
    results: list[QuestionResult] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    grader_errors: list[str] = field(default_factory=list)
    timing: dict[str, float] = field(default_factory=dict)
    ran: list[NotebookNode] = field(default_factory=list)  # cells to run again after a restart
    why_undefined: dict[str, str] = field(default_factory=dict)

    def __call__(self, tests: HiddenTests) -> None:
        self.deadline = time.monotonic() + self.limits.notebook_seconds
        released = submissions.read_release(self.assignment)
        self.stubs = {
            c.metadata.nbgrader.grade_id: c.source
            for c in released.cells
            if "nbgrader" in c.metadata
        }
        self.references = self.assignment.references()
        questions = {q.grade_cell: q for q in self.assignment.questions}
        own = [self.limits.but(q.limits or {}) for q in self.assignment.questions]
        roomiest = replace(self.limits, memory=max(limits.memory for limits in own))
        names = carried(released)  # as the release has them: a submission cannot ask for more
        if names:
            with self._timed("layers start"):
                self.layers = Layers(names, roomiest, sandboxed=self.sandboxed)
        with self._timed("kernel start"):
            self.kernel = Kernel(
                replace(roomiest, device=NO_DEVICE),
                sandboxed=self.sandboxed,
                files=self.submission.files,
                layers=self.layers,
            )
        self.kernel.hold_to(self.limits)
        self.session = Session(
            self.kernel, self._revive, why_undefined=self.why_undefined, rescued=self._rescued
        )
        answers = {}
        for cell in self.submission.notebook.cells:
            if cell.cell_type != "code":
                continue
            cell.outputs, cell.execution_count = [], None
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
            if grade_id in questions:
                question = questions[grade_id]
                if question.needs not in (None, self.limits.device):
                    self._skip(question, cell)
                    continue
                answer = answers.get(question.id, "")
                device = None if self._is_stub(question, answer) else question.needs
                with self._timed("tests"), self._with(device):
                    run = self._run_tests(question, answer, tests)
                self._conclude(question, run, cell, answer)
            else:
                answers[grade_id] = cell.source
                with self._timed("cells"):
                    self._run_cell(cell, grade_id)

    def close(self) -> None:
        with self._timed("kernel stop"):
            try:
                if self.kernel is not None:
                    self.kernel.close()
            finally:
                if self.layers is not None:
                    self.layers.close()

    @contextlib.contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        finally:
            self.timing[name] = self.timing.get(name, 0.0) + time.monotonic() - start

    @contextlib.contextmanager
    def _with(self, device: str | None) -> Iterator[None]:
        """A kernel that has the device, for a question that needs one.

        All else is graded without, whatever this grader has: a mistake in a CUDA kernel shows in
        the simulator each time, and on a device only sometimes; and a stray write there may leave
        a process that no launch works in any more.
        """
        if device is None:
            yield
            return
        self._restart_with(device)
        try:
            yield
        finally:
            self._restart_with(NO_DEVICE)

    def _restart_with(self, device: str) -> None:
        self.kernel.limits_at_start = replace(self.kernel.limits_at_start, device=device)
        self._revive()

    def _run_cell(self, cell: NotebookNode, grade_id: str | None) -> None:
        if SKIP in cell.metadata.get("tags", []) or not cell.source.strip():
            return
        run = self._run_source(cell.source)
        if not self.kernel.alive and self.ran and self._time_left() > 0:
            # perhaps by what an earlier cell left running: once more, without that
            self._revive(calm=True)
            again = self._run_source(cell.source)
            if again.status in ("ok", "error"):
                run = again
                self._rescued("a cell")
        cell.outputs = run.outputs
        words = f"{run.ename}: {run.evalue[:200]}" if run.evalue else run.ename
        why = words + self.limits.explain(run.ename, run.evalue)
        if run.status in ("ok", "error"):
            self.ran.append(cell)
            if run.ename in ("ImportError", "ModuleNotFoundError") and not grade_id:
                # what the rest of it would have bound is missing in the answers
                text = f"A cell of imports stopped half way: {words}."
                self.findings.append(Finding("noticed", text))
        else:
            first_line = cell.source.strip().splitlines()[0][:60]
            text = f"A cell was stopped because {run.why}. It begins with “{first_line}”."
            self.findings.append(Finding("stopped", text, grade_id))
            why = run.why
        if grade_id and run.status != "ok":
            self.why_undefined[grade_id] = f"Its cell was stopped: {why}."
        elif grade_id:
            self.why_undefined.pop(grade_id, None)

    def _rescued(self, what: str) -> None:
        text = (
            f"Something that an earlier cell had left running stopped Python while {what} ran. "
            "It was run again without that, and counts."
        )
        self.findings.append(Finding("stopped", text))

    def _run_source(self, source: str) -> CellRun:
        if self._time_left() <= 0:
            return CellRun("timeout", "TimedOut", why="the time for the notebook was over")
        if not self.kernel.alive:
            self._revive()
        return self.kernel.run_cell(source, min(self.limits.cell_seconds, self._time_left()))

    def _time_left(self) -> float:
        """Seconds until the notebook's limit, not counting those that the machine ran others."""
        return self.deadline + self.kernel.waited - time.monotonic()

    def _out_of_time(self) -> TimedOut | None:
        if self._time_left() > 0:
            return None
        return TimedOut("the notebook", self.limits.notebook_seconds)

    def _revive(self, calm: bool = False) -> None:
        """Bring the kernel back, with the cells that it had run without harm.

        If one of them ends it this time, something that was left running does, and nobody can say
        from where: then ``calm``, only with what the cells import, define and assign.
        """
        with self._timed("restarts"):
            while True:
                self.kernel.restart()
                harmful = self._replay(calm)
                if harmful is None:
                    return
                if calm:
                    self.ran.remove(harmful)
                calm = True

    def _replay(self, calm: bool) -> NotebookNode | None:
        """Run the earlier cells again. Returns the one in which the kernel ended, if it did."""
        for cell in self.ran:
            source = definitions(cell.source) if calm else cell.source
            # longer than the first time, when it kept to the limit: it may be the machine that is
            # slow now. After the deadline too, if only for a moment: nothing comes after that.
            seconds = max(0.1, min(AGAIN * self.limits.cell_seconds, self._time_left()))
            self.kernel.run_cell(source, seconds)
            if not self.kernel.alive:
                return cell
        return None

    def _run_tests(self, question: Question, source: str, tests: HiddenTests) -> QuestionRun:
        self.kernel.hold_to(self.limits.but(question.limits or {}))
        try:
            run = tests.run(question.id, self.session, self._out_of_time)
        finally:
            self.kernel.hold_to(self.limits)
        if self.kernel.alive and any(isinstance(e, LEFT_UNSOUND) for e in run.errors):
            self._revive()  # what was broken in there must not meet the next question
        # it may have been written elsewhere, in a module that an own cell imports, say
        if self._is_stub(question, source) and _not_attempted(run):
            return tests.skip(
                question.id, StudentRaised(question.id, "NotImplementedError", NOT_WRITTEN)
            )
        return run

    def _is_stub(self, question: Question, source: str) -> bool:
        return source.strip() == self.stubs.get(question.id, "").strip()

    def _skip(self, question: Question, cell: NotebookNode) -> None:
        """A question that needs what this grader has not: its tests are not run."""
        result = QuestionResult(
            id=question.id,
            points=question.points,
            extra_credit=question.extra_credit,
            seconds=0.0,
            status="skipped",
            tests=(),
            note=NO_DEVICE_HERE.format(question.needs.upper()),
        )
        self.results.append(result)
        write_outputs(cell, result)

    def _conclude(
        self, question: Question, run: QuestionRun, cell: NotebookNode, source: str
    ) -> None:
        name, status = None, _status(run)
        if any(not tested.passed for tested in run.calls):
            with self._timed("diagnosis"):
                name = diagnose(question.id, run.calls, self.references)
        result = QuestionResult(
            id=question.id,
            points=question.points,
            extra_credit=question.extra_credit,
            seconds=run.seconds,
            status=status,
            tests=tuple(run.tests),
            misconception=name,
            hint=hint(MISCONCEPTIONS[question.id][name]) if name else None,
            leans_on=self._wrong_ones_used(source) if status in WRONG else (),
        )
        self.results.append(result)
        self.grader_errors += run.grader_errors
        write_outputs(cell, result)

    def _wrong_ones_used(self, source: str) -> tuple[str, ...]:
        """The earlier questions that this answer uses, and that are not right."""
        used = names_used(source)
        return tuple(
            result.id
            for result in self.results
            if result.id in used and result.status in (*WRONG, "not attempted")
        )


def _status(run: QuestionRun) -> str:
    if run.tests and all(test.passed for test in run.tests):
        return "passed"
    failures = [error for error in run.errors if error is not None]
    if any(isinstance(error, TimedOut) for error in failures):
        return "timeout"
    if len(failures) < len(run.tests):
        return "failed"
    if _not_attempted(run):
        return "not attempted"
    return "error" if all(isinstance(e, StudentError) for e in failures) else "failed"


def _not_attempted(run: QuestionRun) -> bool:
    return all(
        isinstance(e, StudentRaised) and e.ename == "NotImplementedError" for e in run.errors
    )


def names_used(source: str) -> set[str]:
    """The names that some code reads: of variables, functions and classes."""

    def read(_text: str, tree: ast.Module) -> set[str]:
        names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
        return {name.id for name in names if isinstance(name.ctx, ast.Load)}

    return _in_code(source, read, set())


def definitions(source: str) -> str:
    """What a cell imports, defines and assigns, without anything else that it does."""

    def wanted(text: str, tree: ast.Module) -> str:
        lines = text.split("\n")
        return "\n".join(_text(lines, node) for node in tree.body if isinstance(node, DEFINITIONS))

    return _in_code(source, wanted, "")


def _in_code(source: str, find: Callable[[str, ast.Module], Found], nothing: Found) -> Found:
    """What is found in a student's code and its tree, which may be no Python, or IPython's."""
    for text in (source, without_magics(source)):
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            return find(text, ast.parse(text))
    return nothing


def _text(lines: list[str], node: ast.stmt) -> str:
    """A statement as it was written. (``ast.unparse`` cannot write all that can be read.)"""
    first = [decorator.lineno for decorator in getattr(node, "decorator_list", ())]
    rows = [line.encode() for line in lines[min([*first, node.lineno]) - 1 : node.end_lineno]]
    rows[-1] = rows[-1][: node.end_col_offset]
    rows[0] = rows[0] if first else rows[0][node.col_offset :]
    return b"\n".join(rows).decode()


def write_outputs(cell: NotebookNode, result: QuestionResult) -> None:
    """What nbgrader scores: a table for people, and one plain number in the cell's range.

    nbgrader has no automatic extra credit: such a cell is worth 0 points there, so 0 is its number,
    and ``SaveExtraCredit`` writes the score into the gradebook's own column.
    """
    table = {"text/html": question_html(result), "text/plain": question_text(result)}
    number = 0.0 if result.extra_credit else min(max(0.0, result.score), float(result.points))
    cell.outputs = [
        nbformat.v4.new_output("display_data", table),
        nbformat.v4.new_output(
            "execute_result", {"text/plain": repr(float(number))}, execution_count=None
        ),
    ]


def grade_file(
    path: Path,
    *,
    seed: int | None = None,
    limits: Limits | None = None,
    sandboxed: bool = True,
) -> Graded:
    """Grade the notebook at ``path``, of the assignment that its name, or its cells, belong to."""
    if not path.exists():
        raise BadSubmission(f"There is no file {path}.")
    if path.is_dir():
        raise BadSubmission(f"{path} is a folder. Name the notebook in it (…/name.ipynb).")
    assignment = submissions.which_assignment(path)
    if assignment is None:
        known = ", ".join(f"{a.notebook}.ipynb" for a in find_assignments().values())
        raise BadSubmission(
            f"{path.name} is none of the assignments' notebooks ({known}), neither by its name "
            "nor by its cells. Name the notebook that you got, with your answers in it."
        )
    loaded = submissions.load(path, assignment)
    return grade(
        loaded,
        assignment,
        student=_student_of(path, assignment),
        seed=seed,
        limits=limits,
        sandboxed=sandboxed,
    )


def _student_of(path: Path, assignment: Assignment) -> str:
    """The student's name where the path is nbgrader's submitted/<student>/<assignment>/."""
    folder = path.resolve().parent
    in_submitted = folder.name == assignment.name and folder.parent.parent.name == "submitted"
    return folder.parent.name if in_submitted else ""
