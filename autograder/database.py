"""nbgrader's database: which cells there are and what they are worth, and extra credit."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor, SaveCells
from sqlalchemy import event
from sqlalchemy.engine import Engine

from . import submission as submissions
from .errors import GraderError
from .questions import Assignment, grade_cell
from .results import Report

# SQLite itself gives up after 5, and nbgrader its whole run with it
_patience = ContextVar("seconds to wait for another program's lock", default=120.0)


@contextlib.contextmanager
def waiting_for(seconds: float) -> Iterator[None]:
    """Within, a new connection waits so long for others: for who waits itself, and says so."""
    token = _patience.set(seconds)
    try:
        yield
    finally:
        _patience.reset(token)


@event.listens_for(Engine, "connect")
def _wait_for_others(connection: object, _: object) -> None:
    """Another program that writes the gradebook (a Formgrader, an export) is waited for."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute(f"PRAGMA busy_timeout = {int(_patience.get() * 1000)}")


def register(assignment: Assignment, coursedir: CourseDirectory) -> None:
    """Write the released cells and their points into the gradebook: nbgrader scores by its copy."""
    notebook = submissions.read_release(assignment)
    # the Formgrader lists an assignment where it finds a folder of its sources, if an empty one
    source = coursedir.format_path(coursedir.source_directory, ".", assignment.name)
    Path(source).mkdir(parents=True, exist_ok=True)
    with Gradebook(coursedir.db_url) as gradebook:
        gradebook.update_or_create_assignment(assignment.name)
    resources = {
        "nbgrader": {
            "notebook": assignment.notebook,
            "assignment": assignment.name,
            "db_url": coursedir.db_url,
        }
    }
    try:
        SaveCells().preprocess(notebook, resources)
    except RuntimeError as error:
        raise GraderError(
            f"The gradebook holds scores for another version of {assignment.name}, with other "
            f"cells: {error}. Keep that version, or move gradebook.db away to begin a new one."
        ) from None


def check_points(about: dict, report: Report) -> None:
    """The gradebook's points must be those of the hidden tests. ``about``: nbgrader's resources."""
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
