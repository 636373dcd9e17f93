"""What a question is, and where it is read from: the markers of the hidden tests and the sources.

Nothing is imported to find that out: the files are parsed.
"""

from __future__ import annotations

import ast
import functools
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from .errors import BadLimit, BadSource, UnknownAssignment
from .limits import OURS, PER_QUESTION, WITHOUT, Limits

DEVICES = ("cuda",)  # what a question can need
PROJECT = Path(__file__).resolve().parent.parent
SKIP = "skip-execution"  # the tag of demonstrations, which the grader does not run


def question(
    question_id: str,
    *,
    points: float,
    extra_credit: bool = False,
    limits: Mapping[str, float | str] | None = None,
    needs: str | None = None,
):
    """Mark a class of hidden tests as one question.

    ``question_id`` is the name of the function that students write; it is nbgrader's ``grade_id``
    too. ``points`` is what the question is worth: the only place where that is written.
    Extra credit counts on top of the assignment's points. ``limits`` are this question's own, of
    those that can be: ``{"call_seconds": 30, "memory": "4GB"}``. ``needs="cuda"``: where the grader
    has no such device the question is skipped, so it has to be extra credit.
    """
    return pytest.mark.question(
        question_id, points=points, extra_credit=extra_credit, limits=limits, needs=needs
    )


def grade_cell(question_id: str) -> str:
    """The grade_id of the cell that nbgrader scores, below the question's solution cell."""
    return f"{question_id}-tests"


@dataclass(frozen=True)
class Question:
    id: str
    points: float
    extra_credit: bool = False
    limits: Mapping[str, float | str] | None = None
    needs: str | None = None  # one of DEVICES, or nothing

    @property
    def grade_cell(self) -> str:
        return grade_cell(self.id)


@dataclass(frozen=True)
class Assignment:
    """``name`` is the folder's (2_conv_layers), ``notebook`` the file's stem (conv_layers)."""

    name: str
    notebook: str

    @property
    def source(self) -> Path:
        return PROJECT / "assignments" / self.name / f"{self.notebook}.md"

    @property
    def release(self) -> Path:
        return PROJECT / "starter" / self.name / f"{self.notebook}.ipynb"

    @property
    def solution(self) -> Path:
        return PROJECT / "solutions" / self.name / f"{self.notebook}.ipynb"

    @property
    def beside(self) -> tuple[str, ...]:
        """The files that are handed in beside the notebook: the solved one has them too."""
        return tuple(sorted(path.name for path in self.solution.parent.glob("*.npz")))

    @property
    def hidden_tests(self) -> Path:
        return PROJECT / "autograder" / "hidden" / f"test_{self.notebook}.py"

    @property
    def misconceptions(self) -> Path:
        return PROJECT / "autograder" / "misconceptions" / f"{self.notebook}.py"

    @functools.cached_property
    def questions(self) -> tuple[Question, ...]:
        """In the order of the hidden tests' file."""
        return read_markers(self.hidden_tests)

    @functools.cached_property
    def uses(self) -> tuple[str, ...]:
        """The packages that it is about, besides NumPy, of those that others do without."""
        return read_uses(self.hidden_tests)

    def question(self, question_id: str) -> Question:
        return next(q for q in self.questions if q.id == question_id)

    def references(self) -> dict[str, Callable]:
        """The reference function of every question. Imports ``solutions``."""
        return {
            name: getattr(importlib.import_module(module), name)
            for name, module in reference_modules(self.source.read_text("utf-8")).items()
        }


def read_markers(path: Path) -> tuple[Question, ...]:
    """The ``@question(…)`` decorators of a file of hidden tests."""
    found: dict[str, Question] = {}
    for node in ast.parse(path.read_text("utf-8"), str(path)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        for decorator in node.decorator_list:
            match decorator:
                case ast.Call(func=ast.Name(id="question")):
                    try:
                        arguments = [ast.literal_eval(argument) for argument in decorator.args]
                        named = {k.arg: ast.literal_eval(k.value) for k in decorator.keywords}
                        marked = Question(*arguments, **named)
                    except (ValueError, TypeError) as error:
                        raise BadSource(
                            f"line {decorator.lineno} of {path.name}: a question's marker holds "
                            f'plain values, like @question("conv_cost", points=2) ({error})'
                        ) from None
                    if not marked.points > 0:
                        raise BadSource(f"{marked.id} in {path.name} is worth {marked.points}")
                    _check_limits(marked, path)
                    _check_needs(marked, path)
                    if marked.id in found:
                        raise BadSource(f"{path.name} has two classes for {marked.id}")
                    found[marked.id] = marked
    return tuple(found.values())


def read_uses(path: Path) -> tuple[str, ...]:
    """The packages in ``USES = ("torch", "numba")`` of a file of hidden tests; none without it."""
    for node in ast.parse(path.read_text("utf-8"), str(path)).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="USES")], value=value):
                return _packages(value, node.lineno, path)
    return ()


def _packages(value: ast.expr, line: int, path: Path) -> tuple[str, ...]:
    try:
        names = ast.literal_eval(value)
    except ValueError:
        names = None
    usable = [name for name in WITHOUT if name not in OURS]
    if not (isinstance(names, tuple) and all(name in usable for name in names)):
        raise BadSource(
            f"line {line} of {path.name}: USES is a plain tuple of packages, like "
            f'USES = ("torch",), of those that can be allowed: {", ".join(usable)}'
        )
    return names


def _check_needs(marked: Question, path: Path) -> None:
    if marked.needs is None:
        return
    if marked.needs not in DEVICES:
        raise BadSource(
            f"{marked.id} in {path.name} needs {marked.needs!r}; a question can need "
            f"{', '.join(map(repr, DEVICES))}."
        )
    if not marked.extra_credit:
        raise BadSource(
            f"{marked.id} in {path.name} needs a device, so it is extra_credit=True: nobody loses "
            "points for their hardware."
        )


def _check_limits(marked: Question, path: Path) -> None:
    other = sorted(set(marked.limits or ()) - set(PER_QUESTION))
    if other:
        raise BadSource(
            f"{marked.id} in {path.name} sets the limit {other[0]}, which holds for the whole "
            f"notebook. A question has its own {', '.join(PER_QUESTION)}."
        )
    try:
        Limits().but(marked.limits or {})
    except BadLimit as error:
        raise BadSource(f"{marked.id} in {path.name}: {error}") from None


def reference_modules(source: str) -> dict[str, str]:
    """Question id -> the module in ``solutions`` that its cell in a source notebook imports from.

    A question cell holds one line: ``from solutions.pooling import max_pool_forward_naive``.
    """
    modules = {}
    lines = source.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("```python") and 'question="' in line:
            code = lines[number + 1] if number + 1 < len(lines) else ""
            name, module = imported_reference(code, number + 2)
            modules[name] = module
    return modules


def imported_reference(code: str, line: int | str = "?") -> tuple[str, str]:
    """(function, module) of a question cell's import line. Raises BadSource."""
    try:
        match ast.parse(code).body:
            case [
                ast.ImportFrom(
                    module=str(module), names=[ast.alias(name=name, asname=None)], level=0
                )
            ]:
                if module.startswith("solutions."):
                    return name, module
    except SyntaxError:
        pass
    raise BadSource(
        f"line {line}: a question cell holds one import, like\n"
        f"    from solutions.pooling import max_pool_forward_naive\nbut this one holds\n    {code}"
    )


def find_assignments() -> dict[str, Assignment]:
    """All assignments, by name: the folders of assignments/ that hold a Markdown notebook."""
    found = {}
    for source in sorted((PROJECT / "assignments").glob("*/*.md")):
        found[source.parent.name] = Assignment(source.parent.name, source.stem)
    return found


def find_assignment(name: str) -> Assignment:
    found = find_assignments()
    name = name.rstrip("/")  # as the shell completes it
    if name not in found:
        raise UnknownAssignment(name, list(found))
    return found[name]


def assignment_of_notebook(stem: str) -> Assignment | None:
    """The assignment whose notebook has this file name."""
    return next((a for a in find_assignments().values() if a.notebook == stem), None)
