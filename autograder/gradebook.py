"""nbgrader's side: its gradebook, and our steps in its Autograde.

nbgrader owns the scores. ``nbgrader autograde``, the Formgrader's button and our own command all
read a submission with ``SubmissionExporter`` and run it with ``Execute``; nbgrader's preprocessors
then save the numbers. ``nbgrader_config.py`` puts them in their places.
"""

from __future__ import annotations

import copy
import functools
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import nbformat
from nbconvert.exporters import NotebookExporter
from nbgrader.api import Gradebook
from nbgrader.apps.api import NbGraderAPI
from nbgrader.preprocessors import Execute as NbGraderExecute
from nbgrader.preprocessors import NbGraderPreprocessor, SaveCells
from traitlets import Dict
from traitlets.config import Config, PyFileConfigLoader

from . import submission as submissions
from .errors import GraderError
from .files import write_whole
from .limits import Limits
from .questions import Assignment, find_assignment, grade_cell
from .results import Report
from .runner import Graded, grade
from .submission import Submission

STAGED = Path(".cnnlab", "submitted")  # below the course folder


@dataclass
class Course:
    """A folder with submitted/, a gradebook, and nbgrader's other steps."""

    root: Path
    config: Config
    api: NbGraderAPI

    @classmethod
    def open(cls, root: Path) -> Course:
        root = root.resolve()
        # nbgrader asks for `alembic` by name, which is there only in an activated environment
        tools = str(Path(sys.executable).parent)
        if tools not in os.environ["PATH"].split(os.pathsep):
            os.environ["PATH"] = tools + os.pathsep + os.environ["PATH"]
        if not (root / "nbgrader_config.py").is_file():
            raise GraderError(
                f"{root} is no course folder: it has no nbgrader_config.py. Go to the folder that "
                "holds submitted/, or make it one: docs/ta_guide.md tells how, in one line."
            )
        if not os.access(root, os.W_OK):
            raise GraderError(f"{root} cannot be written, and the gradebook has to go there.")
        loader = PyFileConfigLoader("nbgrader_config.py", path=str(root))
        config = loader.load_config()
        config.CourseDirectory.root = str(root)
        return cls(root, config, NbGraderAPI(config=config))

    @functools.cached_property
    def staging_api(self) -> NbGraderAPI:
        """nbgrader, reading submissions from the copies that ``record`` makes."""
        config = copy.deepcopy(self.config)
        config.CourseDirectory.submitted_directory = str(STAGED)
        return NbGraderAPI(config=config)

    @property
    def limits(self) -> Limits:
        """The course's own limits: ``c.Execute.limits`` in its nbgrader_config.py."""
        return Limits().but(self.config.Execute.get("limits", {}))

    @property
    def db_url(self) -> str:
        return self.api.coursedir.db_url

    def folder(self, step: str, student: str, assignment: Assignment) -> Path:
        directory = getattr(self.api.coursedir, f"{step}_directory")
        return Path(self.api.coursedir.format_path(directory, student, assignment.name))

    def submissions(self, assignment: Assignment) -> dict[str, Path]:
        """Student -> where their notebook should be. A folder without it counts as handed in."""
        pattern = self.folder("submitted", "*", assignment)
        folders = sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
        return {
            folder.parent.name: folder / f"{assignment.notebook}.ipynb"
            for folder in folders
            if folder.is_dir() and not folder.is_symlink()
        }


def register(assignment: Assignment, course: Course) -> None:
    """Write the released cells and their points into the gradebook: nbgrader scores by its copy."""
    notebook = submissions.read_release(assignment)
    # the Formgrader lists an assignment where it finds a folder of its sources, if an empty one
    source = course.api.coursedir.source_directory
    Path(course.api.coursedir.format_path(source, ".", assignment.name)).mkdir(
        parents=True, exist_ok=True
    )
    with Gradebook(course.db_url) as gradebook:
        gradebook.update_or_create_assignment(assignment.name)
    resources = {
        "nbgrader": {
            "notebook": assignment.notebook,
            "assignment": assignment.name,
            "db_url": course.db_url,
        }
    }
    try:
        SaveCells().preprocess(notebook, resources)
    except RuntimeError as error:
        raise GraderError(
            f"The gradebook holds scores for another version of {assignment.name}, with other "
            f"cells: {error}. Keep that version, or move gradebook.db away to begin a new one."
        ) from None


def record(
    course: Course, assignment: Assignment, student: str, graded: Graded, sandboxed: bool
) -> str | None:
    """Let nbgrader write the scores. Returns what went wrong, if anything did.

    nbgrader gets a copy of the submission that holds ordinary files only: it would follow links
    out of the folder, stumble over a pipe, and pass over a student whose notebook is missing.
    """
    path = course.folder("submitted", student, assignment) / f"{assignment.notebook}.ipynb"
    submission = submissions.load_or_empty(path, assignment)
    staged = course.root / STAGED / student / assignment.name
    shutil.rmtree(staged, ignore_errors=True)
    _write_copy(submission, path, staged)
    Execute.already_graded, Execute.sandboxed = {submission.digest(): graded}, sandboxed
    try:
        outcome = course.staging_api.autograde(assignment.name, student)
    finally:
        Execute.already_graded, Execute.sandboxed = {}, True
        shutil.rmtree(staged.parent, ignore_errors=True)
    if outcome["success"]:
        return None
    # "see the traceback above" says nbgrader's error; that traceback is in its log
    told = [part.strip() for part in (outcome.get("log"), outcome.get("error")) if part]
    return "\n".join(told)[-4000:] or "nbgrader gave no reason"


def _write_copy(submission: Submission, path: Path, folder: Path) -> None:
    files = dict(submission.files)
    timestamp = path.with_name("timestamp.txt")  # nbgrader reads from it who was late
    if timestamp.is_file() and not timestamp.is_symlink():
        files[timestamp.name] = timestamp
    for name, file in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / path.name).write_text(nbformat.writes(submission.notebook), "utf-8")


class SubmissionExporter(NotebookExporter):
    """Reads a submitted notebook as ``submission`` does, so that a broken one is not fatal."""

    def from_filename(self, filename, resources=None, **kwargs):
        about = (resources or {}).get("nbgrader")
        if about is None:
            return super().from_filename(filename, resources=resources, **kwargs)
        assignment = find_assignment(about["assignment"])
        path, course = Path(filename), self.parent.coursedir
        submitted = Path(
            course.format_path(course.submitted_directory, about["student"], assignment.name)
        )
        _remove_copied_links(submitted, path.parent)
        resources["cnnlab_submitted"] = submitted / path.name
        resources.setdefault("metadata", {}).update(name=path.stem, path=str(path.parent))
        notebook = submissions.load_or_empty(path, assignment).notebook
        return self.from_notebook_node(notebook, resources=resources, **kwargs)


def _remove_copied_links(submitted: Path, autograded: Path) -> None:
    """nbgrader has copied what a student's links pointed to, whatever that was: take it out."""
    if autograded == submitted:  # the first of nbgrader's two passes reads the original
        return
    for folder, _, names in os.walk(submitted):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.islink(path):
                (autograded / os.path.relpath(path, submitted)).unlink(missing_ok=True)


class Execute(NbGraderExecute):
    """nbgrader's Execute, with the cells run in the sandbox and the tests outside of it.

    ``already_graded`` lends it the results that another process found for the same submission.
    """

    already_graded: ClassVar[dict[str, Graded]] = {}
    sandboxed: ClassVar[bool] = True

    limits = Dict(
        help="Limits that differ from the default, by name: {'memory': '4GB', 'cell_seconds': 60}."
    ).tag(config=True)

    def preprocess(self, nb, resources, km=None):
        about = resources["nbgrader"]
        assignment = find_assignment(about["assignment"])
        # from the original once more: nbgrader's copy holds what links pointed to
        submission = submissions.load_or_empty(resources["cnnlab_submitted"], assignment)
        graded = self.already_graded.get(submission.digest())
        if graded is None:
            graded = grade(
                submission,
                assignment,
                student=about["student"],
                limits=Limits().but(self.limits),
                sandboxed=self.sandboxed,
            )
        _check_points(about, graded.report)
        resources["cnnlab_report"] = graded.report
        report = Path(resources["metadata"]["path"]) / "report.json"
        write_whole(report, graded.report.to_json())
        return nbformat.from_dict(graded.notebook), resources


def _check_points(about: dict, report: Report) -> None:
    with Gradebook(about["db_url"]) as gradebook:
        notebook = gradebook.find_notebook(about["notebook"], about["assignment"])
        stored = {cell.name: cell.max_score for cell in notebook.grade_cells}
    for question in report.questions:
        worth = 0.0 if question.extra_credit else question.points
        recorded = stored.get(grade_cell(question.id))
        if recorded != worth:
            raise GraderError(
                f"The gradebook says that {question.id} is worth {recorded} points, the hidden "
                f"tests say {worth}. "
                "Release the assignment again (autograder release) before you grade it."
            )


class SaveExtraCredit(NbGraderPreprocessor):
    """Writes the scores of extra-credit questions into nbgrader's extra_credit column."""

    def preprocess(self, nb, resources):
        about, report = resources["nbgrader"], resources["cnnlab_report"]
        with Gradebook(about["db_url"]) as gradebook:
            for question in report.questions:
                if question.extra_credit:
                    grade_ = gradebook.find_grade(
                        grade_cell(question.id),
                        about["notebook"],
                        about["assignment"],
                        about["student"],
                    )
                    grade_.extra_credit = question.score
            gradebook.db.commit()
        return nb, resources
