"""A small assignment in a folder of its own, for tests of what a real one does not show."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from autograder.questions import Assignment
from autograder.release import to_text


class MadeUp(Assignment):
    """Released and tested by files of its folder; it has no references and no misconceptions."""

    folder = Path()

    release = property(lambda self: self.folder / "release.ipynb")
    hidden_tests = property(lambda self: self.folder / f"test_{self.notebook}.py")
    misconceptions = property(lambda self: self.folder / "none.py")

    def references(self):
        return {}


def written(folder: Path, name: str, hidden: str, release: NotebookNode) -> MadeUp:
    """The assignment ``9_<name>``, in this folder."""
    assignment = MadeUp(f"9_{name}", name)
    object.__setattr__(assignment, "folder", folder)
    assignment.hidden_tests.write_text(hidden)
    assignment.release.write_text(to_text(release))
    return assignment


def marks(grade_id: str, **settings) -> dict:
    plain = {"grade": False, "solution": False, "locked": False, "points": 0, "schema_version": 3}
    return {"nbgrader": {"grade_id": grade_id, **plain, **settings}}


def notebook_of(
    questions: Iterable[str],
    answers: Mapping[str, str],
    first: Iterable[str],
    points: Callable[[str], int],
) -> NotebookNode:
    """The cells ``first``, then for each question its answer, or the stub, and its tests."""
    cells = [new_code_cell(source) for source in first]
    for question in questions:
        stub = f"def {question}(*args):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
        answer = new_code_cell(answers.get(question, stub), metadata=marks(question, solution=True))
        tests = marks(f"{question}-tests", grade=True, locked=True, points=points(question))
        cells += [answer, new_code_cell(f"check({question})", metadata=tests)]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    return new_notebook(cells=cells)
