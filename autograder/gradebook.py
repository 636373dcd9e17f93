"""A course folder, and its scores in nbgrader's gradebook.

nbgrader owns the scores. ``nbgrader autograde``, the Formgrader's button and our own command all
run our ``converter``, which reads a submission and has it graded; nbgrader's preprocessors then
save the numbers. ``nbgrader_config.py`` puts them in their places.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nbgrader.apps.api import NbGraderAPI
from nbgrader.utils import capture_log, temp_attrs
from tornado.log import app_log
from traitlets.config import Config, PyFileConfigLoader

from .converter import Autograde, misplaced, submitted_folders
from .database import put_alembic_on_the_path
from .errors import GraderError
from .limits import AUTO, Limits
from .questions import Assignment
from .runner import Graded


@dataclass
class Course:
    """A folder with submitted/, a gradebook, and nbgrader's other steps."""

    root: Path
    config: Config
    api: NbGraderAPI

    @classmethod
    def open(cls, root: Path) -> Course:
        root = root.resolve()
        put_alembic_on_the_path()
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

    @property
    def limits(self) -> Limits:
        """The course's own: ``c.Execute.limits`` and ``c.Execute.device`` in nbgrader_config.py."""
        mine = self.config.Execute
        return Limits().but(mine.get("limits", {})).on(mine.get("device", AUTO))

    @property
    def db_url(self) -> str:
        return self.api.coursedir.db_url

    def folder(self, step: str, student: str, assignment: Assignment) -> Path:
        directory = getattr(self.api.coursedir, f"{step}_directory")
        return Path(self.api.coursedir.format_path(directory, student, assignment.name))

    def submissions(self, assignment: Assignment) -> dict[str, Path]:
        """Student -> where their notebook should be. A folder without it counts as handed in."""
        folders = submitted_folders(self.api.coursedir, assignment)
        return {s: folder / f"{assignment.notebook}.ipynb" for s, folder in folders.items()}

    def misplaced(self, assignment: Assignment) -> dict[str, str]:
        """Student -> why what they handed in is not found where it should be."""
        return misplaced(self.api.coursedir, assignment)


@contextlib.contextmanager
def _without_tracebacks() -> Iterator[None]:
    """nbgrader prints each of its database's errors with all that led to it, and raises it too."""
    disabled, app_log.disabled = app_log.disabled, True
    try:
        yield
    finally:
        app_log.disabled = disabled


def record(
    course: Course, assignment: Assignment, student: str, graded: Graded, sandboxed: bool
) -> str | None:
    """Let nbgrader write the scores. Returns what went wrong, if anything did.

    The assignment is registered (``database.register``) before the first of its students is
    recorded. If the submission has changed since it was graded, it is graded again.
    """
    coursedir = course.api.coursedir
    with temp_attrs(coursedir, assignment_id=assignment.name, student_id=student):
        converter = Autograde(
            coursedir=coursedir, parent=course.api, graded=graded, sandboxed=sandboxed
        )
        converter.force = True
        with _without_tracebacks():
            outcome = capture_log(converter)
    if outcome["success"]:
        return None
    # "see the traceback above" says nbgrader's error; that traceback is in its log
    told = [part.strip() for part in (outcome.get("log"), outcome.get("error")) if part]
    return converter.problems.get(student) or "\n".join(told)[-4000:] or "nbgrader gave no reason"
