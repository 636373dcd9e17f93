"""nbgrader's database: made whole, shared with other programs, and what is written in it.

That is: which cells there are, what they are worth, and extra credit.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor, SaveCells
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DatabaseError, OperationalError

from . import submission as submissions
from .errors import GraderError
from .questions import Assignment, grade_cell
from .results import Report

BUSY_SECONDS = 60.0  # how long to wait for a gradebook that another program writes in
BUSY = "database is locked"
TROUBLES = {
    BUSY: "Another program is writing in the gradebook, perhaps the Formgrader. Close that.",
    "disk is full": "The disk is full: the gradebook could not be written. Make room.",
    "readonly database": "The gradebook may not be written by who runs the grader.",
    "unable to open": "The gradebook cannot be opened, or its folder not be written.",
    "disk I/O error": "The disk failed while the gradebook was written. Is it full, or broken?",
    "not a database": "The gradebook is no database, or a broken one. Restore it from a copy.",
    "malformed": "The gradebook is broken. Restore it from a copy.",
}


# -- a database file that other programs use too ----------------------------------------------


def create(db_url: str, spare: Path) -> None:
    """Make nbgrader's database, if there is none, in one step. ``spare``: a folder on its disk.

    nbgrader makes it table by table; one that a kill has left half made is never finished.
    """
    if not db_url.startswith("sqlite:///"):
        return  # the administrator of another database has made it
    path = Path(db_url.removeprefix("sqlite:///"))
    if path.exists():
        return
    put_alembic_on_the_path()
    new = spare / "new-gradebook.db"
    for old in spare.glob(f"{new.name}*"):
        old.unlink()
    with Gradebook(f"sqlite:///{new}"):
        pass
    try:
        os.link(new, path)
    except FileExistsError:  # another nbgrader was faster: then that one counts
        pass
    except OSError:  # a file system without links
        new.rename(path)
    new.unlink(missing_ok=True)


def put_alembic_on_the_path() -> None:
    """nbgrader asks for it by name, and it is there only in an activated environment."""
    tools = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", os.defpath)
    if tools not in path.split(os.pathsep):
        os.environ["PATH"] = tools + os.pathsep + path


def when_free(step: Callable[[], str | None], tell: Callable[[str], None]) -> str | None:
    """Do a step in the gradebook; wait while another program, say the Formgrader, writes in it.

    ``step`` returns what went wrong, as ``gradebook.record`` does, or raises it.
    """
    until = time.monotonic() + BUSY_SECONDS
    try:
        while True:
            try:
                with waiting_for(5.0):  # each time; then the person who waits is told
                    problem = step()
            except OperationalError as error:
                if BUSY not in str(error) or time.monotonic() > until:
                    raise
                problem = BUSY
            if not problem or BUSY not in problem or time.monotonic() > until:
                return problem
            tell("another program is writing in the gradebook")
            time.sleep(0.2)
    finally:
        tell("")


def try_to_write(db_url: str) -> None:
    """Raises sqlalchemy's DatabaseError where no score can be written."""
    engine = create_engine(db_url)
    try:
        with engine.connect() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
            connection.rollback()
    finally:
        engine.dispose()


def trouble(error: DatabaseError) -> str:
    """What the database refuses, for the person at the keyboard, in a sentence."""
    why = next((why for what, why in TROUBLES.items() if what in str(error)), None)
    return why or f"The gradebook says: {error.orig}."


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


# -- what is written in it --------------------------------------------------------------------


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
