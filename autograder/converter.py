"""nbgrader's Autograde, as every way into it runs it: from a clean copy of each submission.

nbgrader itself would follow a student's links, stumble over a pipe or a file that cannot be copied,
and pass over a student whose notebook is missing. So it never sees what was handed in: for each
student in turn, ``Autograde`` lays out what ``submission`` could read, and nbgrader reads that.
"""

from __future__ import annotations

import contextlib
import fnmatch
import glob
import os
import re
import shutil
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import nbformat
import nbgrader.apps.api
import nbgrader.apps.autogradeapp
from nbgrader.converters import Autograde as NbGraderAutograde
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import Execute as NbGraderExecute
from nbgrader.utils import parse_utc
from traitlets import Dict, Enum

from . import submission as submissions
from .archive import is_archive
from .database import check_points, put_alembic_on_the_path, register
from .errors import GraderError
from .files import held_folder, left_over, write_whole
from .folder import is_notebook
from .limits import AUTO, DEVICE_CHOICES, Limits
from .questions import Assignment, find_assignment
from .runner import Graded, grade, seed_of
from .submission import Submission

STAGED = Path(".cnnlab", "submitted")  # below the course folder
TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{1,6})?)(?: ?([A-Z][A-Za-z]{0,8}|[+-][\d:]{2,6}))?",
    re.ASCII,
)


@dataclass
class Work:
    """What ``Execute`` is to grade, and perhaps what another process found it to be worth."""

    submission: Submission
    graded: Graded | None
    sandboxed: bool

    def __deepcopy__(self, _: dict) -> Work:  # nbconvert copies the resources that it passes on
        return self


def install() -> None:
    """Let nbgrader's command line and its API (so the Formgrader too) use this Autograde."""
    put_alembic_on_the_path()
    nbgrader.apps.api.Autograde = Autograde
    nbgrader.apps.autogradeapp.Autograde = Autograde


def submitted_folders(coursedir: CourseDirectory, assignment: Assignment) -> dict[str, Path]:
    """Student -> the folder that they handed in. One without a notebook counts as handed in."""
    pattern = _pattern(coursedir, assignment)
    # what may not be looked into counts too: reading it will say so
    shut = [f / assignment.name for f in _matching(pattern.parent) if not os.access(f, os.X_OK)]
    return {
        folder.parent.name: folder
        for folder in [*_matching(pattern), *shut]
        if (folder in shut or folder.is_dir()) and not folder.parent.name.startswith(".")
    }


def misplaced(coursedir: CourseDirectory, assignment: Assignment) -> dict[str, str]:
    """Student -> what seems to be their work, and does not lie in the folder that it belongs in."""
    handed_in, found = submitted_folders(coursedir, assignment), {}
    for folder in _matching(_pattern(coursedir, assignment).parent):
        names = []
        if folder.name not in handed_in and not folder.name.startswith("."):
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                names = sorted(e.name for e in entries if _may_be_work(e, assignment))
        if names:
            found[folder.name] = (
                f"{_writable(', '.join(names))[:200]} lies beside the folder {assignment.name}, "
                f"where it belongs. Move it into {folder / assignment.name}, and grade again."
            )
    return found


def _may_be_work(entry: os.DirEntry, assignment: Assignment) -> bool:
    name = entry.name.lower()
    known = any(word in name for word in (assignment.name, assignment.notebook))
    kind = is_notebook(name) or is_archive(name) or name == assignment.name
    return known and kind and entry.is_file(follow_symlinks=False)


def _pattern(coursedir: CourseDirectory, assignment: Assignment) -> Path:
    submitted = glob.escape(coursedir.submitted_directory)
    return Path(coursedir.format_path(submitted, "*", glob.escape(assignment.name)))


def _matching(pattern: Path) -> list[Path]:
    return sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))


def why_refused(student: str, folder: Path | None = None) -> str | None:
    """What is wrong with a student's folder: a link, or a name that no gradebook can hold."""
    # by os.path, which takes what may not be looked at for no link
    if folder is not None and (os.path.islink(folder) or os.path.islink(folder.parent)):
        return "the folder is a link, which may lead to another's work. Put a folder in its place."
    advice = "Rename the folder in submitted/, and grade it again."
    if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in student):
        return f"the folder's name {student!a} holds characters that no list can show. {advice}"
    if student != student.strip():
        return f"the folder's name {student!r} begins or ends with a blank. {advice}"
    if student == "*":
        return f"nbgrader would take the folder's name * for every student's. {advice}"
    return None


class Autograde(NbGraderAutograde):
    """Reads each submission by way of ``submission.load_or_empty``, whatever lies there.

    ``graded`` lends it the result that another process found for the one submission to record.
    """

    def __init__(self, *args, graded: Graded | None = None, sandboxed: bool = True, **kwargs):
        super().__init__(*args, **kwargs)
        self.graded, self.sandboxed = graded, sandboxed
        self.problems: dict[str, str] = {}  # student -> why there is no score
        self.folders: dict[str, Path] = {}  # student -> what they handed in
        self.work: Work | None = None  # of the student whose turn it is

    @property
    def _input_directory(self) -> str:
        return str(self.staging) if self._sanitizing else self.coursedir.autograded_directory

    def start(self) -> None:
        try:
            self.assignment = find_assignment(self.coursedir.assignment_id)
            if self.graded is None:  # who lends a result has done that, once for the class
                register(self.assignment, self.coursedir)
        except GraderError as error:
            self._fail(str(error))
        parent = Path(self.coursedir.root) / STAGED
        parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(parent)
        folder, held = held_folder("", parent)
        self.staging = STAGED / folder.name
        try:
            super().start()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(held)
            for student, problem in self.problems.items():
                self.log.error("Not graded: %s: %s", _writable(student), problem)
        if self.problems:
            raise NbGraderException(f"Not graded: {', '.join(map(_writable, self.problems))}")

    def _fail(self, message: str) -> None:
        self.log.error(message)
        raise NbGraderException(message)

    def init_notebooks(self) -> None:
        """The folders of the students who were asked for, with or without a notebook in them."""
        found = submitted_folders(self.coursedir, self.assignment)
        wanted = self.coursedir.student_id
        if wanted in found and wanted != "*":
            found = {wanted: found[wanted]}
        else:  # no name as it stands: a pattern
            found = {s: found[s] for s in found if fnmatch.fnmatchcase(s, wanted)}
        if not found:
            directory = self.coursedir.submitted_directory
            place = self.coursedir.format_path(directory, wanted, self.assignment.name)
            self._fail(f"There is nothing to grade: no folder {place}.")
        self.assignments = {}
        for student, folder in found.items():
            why = why_refused(student, folder)
            if why:
                self.problems[student] = why
                continue
            staged = self._format_source(self.assignment.name, student)
            self.folders[student] = folder
            self.assignments[staged] = [os.path.join(staged, f"{self.assignment.notebook}.ipynb")]

    def init_destination(self, assignment_id: str, student_id: str) -> bool:
        """nbgrader's first step with a student: from here on it finds the clean copy."""
        staged = Path(self._format_source(assignment_id, student_id))
        with self._noting(student_id):
            path = self.folders[student_id] / f"{self.assignment.notebook}.ipynb"
            submission = submissions.load_or_empty(path, self.assignment)
            known = self.graded is not None and self.graded.report.seed == seed_of(
                submission.digest()
            )
            self.work = Work(submission, self.graded if known else None, self.sandboxed)
            self._lay_out(submission, path, staged)
            wanted = super().init_destination(assignment_id, student_id)
        if not wanted:
            shutil.rmtree(staged, ignore_errors=True)
        return wanted

    def init_assignment(self, assignment_id: str, student_id: str) -> None:
        with self._noting(student_id):
            super().init_assignment(assignment_id, student_id)

    def init_single_notebook_resources(self, notebook_filename: str) -> dict:
        resources = super().init_single_notebook_resources(notebook_filename)
        return {**resources, "cnnlab_work": self.work}

    def convert_single_notebook(self, notebook_filename: str) -> None:
        staged = Path(notebook_filename).parent
        try:
            with self._noting(staged.parent.name):
                super().convert_single_notebook(notebook_filename)
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    @contextlib.contextmanager
    def _noting(self, student: str) -> Iterator[None]:
        """Keep why this student has no score. nbgrader logs the error and goes on to the next."""
        try:
            yield
        except GraderError as error:
            self.problems[student] = str(error)
            raise
        except Exception as error:
            self.problems[student] = f"{type(error).__name__}: {error}"
            raise

    def _lay_out(self, submission: Submission, path: Path, folder: Path) -> None:
        """The clean copy: ordinary files, the time of handing in, and the restored notebook."""
        folder.mkdir(parents=True)
        for name, file in submission.files.items():
            target = folder / name
            if ".." in Path(name).parts or Path(name).is_absolute():
                raise GraderError(f"{name!r} is no name of a file beside the notebook.")
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())
            except OSError as error:  # the path is too long here, or the file went away
                self.log.warning("Not copied: %s (%s)", _writable(name), error.strerror)
        timestamp = read_timestamp(path.with_name("timestamp.txt"))
        if timestamp:
            (folder / "timestamp.txt").write_text(timestamp, "utf-8")
        (folder / path.name).write_text(nbformat.writes(submission.notebook), "utf-8")


class Execute(NbGraderExecute):
    """nbgrader's Execute, with the cells run in the sandbox and the tests outside of it."""

    limits = Dict(
        help="Limits that differ from the default, by name: {'memory': '4GB', 'cell_seconds': 60}."
    ).tag(config=True)

    device = Enum(
        DEVICE_CHOICES,
        AUTO,
        help="The device for an assignment that may use one; auto: what this machine has.",
    ).tag(config=True)

    def preprocess(self, nb, resources, km=None):
        about, work = resources["nbgrader"], resources["cnnlab_work"]
        graded = work.graded or grade(
            work.submission,
            find_assignment(about["assignment"]),
            student=about["student"],
            limits=Limits().but(self.limits).on(self.device),
            sandboxed=work.sandboxed,
        )
        check_points(about, graded.report)
        resources["cnnlab_report"] = graded.report
        report = Path(resources["metadata"]["path"]) / "report.json"
        write_whole(report, graded.report.to_json())
        return nbformat.from_dict(graded.notebook), resources


def read_timestamp(path: Path) -> str | None:
    """When it was handed in, as nbgrader's collect step writes it; anything else is no time."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(handle, "rb") as file:
            text = file.read(100).decode("ascii").strip()
        match = TIMESTAMP.fullmatch(text)
        if match is None:
            return None
        time, zone = match.groups()
        if zone and zone[0] in "+-":  # which nbgrader would read as so many seconds
            return f"{parse_utc(datetime.fromisoformat(time + zone))} UTC"
        return f"{parse_utc(text)} UTC"
    except (OSError, ValueError, OverflowError):
        return None


def _writable(name: str) -> str:
    """A student's name for the log: no newline or escape of theirs in it."""
    return name if name.isprintable() else ascii(name)


def _remove_leftovers(folder: Path) -> None:
    """What a run that was killed has left; the copies of one that is at work are held by it."""
    for path in folder.iterdir():
        with left_over(path) as ours:
            if ours:
                shutil.rmtree(path, ignore_errors=True)
