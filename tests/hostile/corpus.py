"""What a case of the corpus is, and how the corpus becomes a course folder.

A case is a function in one of the families' modules. It makes one submission; its docstring says
what that tries, and its decorator what it deserves::

    @case(deserves=NOTHING)
    def patches_numpy(hand_in):
        \"\"\"np.testing and np.allclose agree with everything.\"\"\"
        hand_in.starter(conv_output_size=PATCHES)
"""

from __future__ import annotations

import copy
import functools
import importlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder import demo
from autograder.questions import Assignment, find_assignment
from autograder.submission import read_release

ASSIGNMENT = "2_conv_layers"
# In the order in which they are graded: honest students come before, between and after.
FAMILIES = ("forging", "reading", "resources", "network", "files", "pages", "unlucky")
QUESTIONS = {q.id: q.points for q in find_assignment(ASSIGNMENT).questions}
WAS_HERE = "hostile-was-here"  # what cases call the files that they should not be able to write


# -- what a submission deserves ----------------------------------------------------------------


@dataclass(frozen=True)
class Deserves:
    """Question by question: ``full``, ``less`` than full, or ``zero``."""

    scores: dict[str, str]
    statuses: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if set(self.scores) != set(QUESTIONS) or not set(self.statuses) <= set(QUESTIONS):
            raise ValueError(f"not the questions of {ASSIGNMENT}: {self.scores}, {self.statuses}")

    def bounds(self, question: str) -> tuple[float, float]:
        """The least and the most that the question may score."""
        points = float(QUESTIONS[question])
        kind = self.scores[question]
        return {"full": (points, points), "less": (0, points - 0.01), "zero": (0, 0)}[kind]


def but(*lost: str, status: str | None = None, zero: bool = True) -> Deserves:
    """All points, but none (or with ``zero=False`` less than all) for these questions."""
    unknown = set(lost) - set(QUESTIONS)
    if unknown:
        raise ValueError(f"no questions of {ASSIGNMENT}: {unknown}")
    kind = "zero" if zero else "less"
    return Deserves(
        {question: kind if question in lost else "full" for question in QUESTIONS},
        {question: status for question in lost} if status else {},
    )


def only(*kept: str) -> Deserves:
    """No points, but all of these questions'."""
    return but(*(question for question in QUESTIONS if question not in kept))


EVERYTHING = but()
NOTHING = but(*QUESTIONS)


# -- cases --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One submission of the corpus.

    ``says``: patterns that must each be found in the report's autopsy, or in the messages of the
    questions that lost points. ``bomb``: it would take much of the machine if nothing stopped it.
    ``refused``: the run says why, in its output, and there is no score.
    """

    name: str
    family: str
    tries: str
    deserves: Deserves
    make: Callable[[HandIn], None]
    says: tuple[str, ...] = ()
    bomb: bool = False
    refused: bool = False
    named: str | None = None  # the student's name, where that is the point

    @property
    def student(self) -> str:
        """The name of the student's folder; families sort as they are listed."""
        prefix = "bdfhjln"[FAMILIES.index(self.family)]
        return f"{prefix}-{self.named or self.name.replace('_', '-')}"


_CASES: list[Case] = []


def case(
    *,
    deserves: Deserves,
    says: str | Iterable[str] = (),
    bomb: bool = False,
    refused: bool = False,
    name: str | None = None,
    student: str | None = None,
) -> Callable[[Callable], Callable]:
    """Make a function a case of its module's family."""

    def register(function: Callable[[HandIn], None]) -> Callable:
        _CASES.append(
            Case(
                name=name or function.__name__,
                family=function.__module__.rpartition(".")[2],
                tries=" ".join((function.__doc__ or "").split()),
                deserves=deserves,
                make=function,
                says=(says,) if isinstance(says, str) else tuple(says),
                bomb=bomb,
                refused=refused,
                named=student,
            )
        )
        return function

    return register


def all_cases() -> list[Case]:
    """Every case of every family."""
    for family in FAMILIES:
        importlib.import_module(f".{family}", __package__)
    order = {family: number for number, family in enumerate(FAMILIES)}
    found = sorted(_CASES, key=lambda case: order[case.family])
    names = [case.student for case in found]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"two cases with one name: {sorted(twice)}")
    return found


# -- making a submission ------------------------------------------------------------------------


@dataclass(frozen=True)
class Surroundings:
    """What lies around the submissions, and is none of their business.

    ``secrets`` is a folder of files that hold ``token``; the ports and the abstract socket are
    those of a listener that nobody may reach.
    """

    secrets: Path = Path("/nowhere/secrets")
    token: str = "TOKEN-that-nobody-may-see"
    tcp: int = 47113
    udp: int = 47114
    abstract: str = "cnnlab-hostile"


@functools.cache
def right_answers() -> dict[str, str]:
    return demo.answers(find_assignment(ASSIGNMENT))


@functools.cache
def released() -> NotebookNode:
    return read_release(find_assignment(ASSIGNMENT))


class HandIn:
    """A submission being made: its folder, its notebook, the files beside it."""

    def __init__(self, folder: Path, assignment: Assignment, around: Surroundings):
        self.folder, self.assignment, self.around = folder, assignment, around
        self.path = folder / f"{assignment.notebook}.ipynb"
        self.notebook: NotebookNode | None = None
        self.answers = right_answers()

    # the notebook

    def starter(self, **written: str) -> HandIn:
        """The notebook as it was released, with these answers written into it."""
        self.notebook = copy.deepcopy(released())
        for question, source in written.items():
            self.cells[question].source = source
        return self

    def solved(self, **changed: str) -> HandIn:
        """The right answers, but for these."""
        return self.starter(**{**self.answers, **changed})

    @property
    def cells(self) -> dict[str, NotebookNode]:
        """The cells that nbgrader knows, by their grade_id."""
        return {
            cell.metadata.nbgrader.grade_id: cell
            for cell in self.notebook.cells
            if "nbgrader" in cell.metadata
        }

    def place(self, cell: NotebookNode) -> int:
        return next(i for i, other in enumerate(self.notebook.cells) if other is cell)

    def before(self, grade_id: str, source: str, **options) -> NotebookNode:
        return self.insert(self.place(self.cells[grade_id]), source, **options)

    def after(self, grade_id: str, source: str, **options) -> NotebookNode:
        return self.insert(self.place(self.cells[grade_id]) + 1, source, **options)

    def insert(self, place: int, source: str, kind: str = "code", **options) -> NotebookNode:
        cell = getattr(nbformat.v4, f"new_{kind}_cell")(source, **options)
        cell.id = f"own-{len(self.notebook.cells)}"
        self.notebook.cells.insert(place, cell)
        return cell

    def remove(self, grade_id: str) -> None:
        self.notebook.cells.remove(self.cells[grade_id])

    def duplicate(self, grade_id: str) -> NotebookNode:
        """A copy of the cell, directly after it, with the same id."""
        cell = self.cells[grade_id]
        copied = copy.deepcopy(cell)
        self.notebook.cells.insert(self.place(cell) + 1, copied)
        return copied

    @property
    def data(self) -> dict:
        """The notebook as plain JSON, to be changed and given to ``raw``."""
        return json.loads(json.dumps(self.notebook))

    def raw(self, content: bytes | str | dict) -> None:
        """Hand in this as the notebook's file."""
        if isinstance(content, dict):
            content = json.dumps(content)
        if isinstance(content, str):
            content = content.encode("utf-8", "surrogatepass")
        self.path.write_bytes(content)
        self.notebook = None

    # files beside it

    def file(self, name: str | bytes, content: bytes | str = b"") -> Path:
        path = self.folder / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def large_file(self, name: str, size: int) -> None:
        """Mostly a hole: large to whoever reads it, and quick to make."""
        with self.file(name).open("wb") as file:
            file.write(b"begin")
            file.truncate(size)

    def link(self, name: str, target: str | Path) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)

    def fifo(self, name: str) -> None:
        os.mkfifo(self.folder / name)

    def archive(self, name: str, files: dict[str, bytes | str], links: dict[str, str] = ()) -> None:
        """A zip file with these members, whatever their names, and symbolic links."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in files.items():
                archive.writestr(zipfile.ZipInfo(member), content, zipfile.ZIP_DEFLATED)
            for member, target in dict(links).items():
                info = zipfile.ZipInfo(member)
                info.external_attr = 0o120777 << 16
                archive.writestr(info, target)
        self.file(name, buffer.getvalue())

    def finish(self) -> None:
        """Write the notebook, unless something else was handed in in its place."""
        if self.notebook is not None:
            # not by nbformat, which would mend it
            self.raw(json.dumps(self.notebook, indent=1))


# -- the course ---------------------------------------------------------------------------------

# They sort before, between and after the families.
HONEST = {
    "a-honest-first": "",
    "c-honest": "# a comment of my own",
    "e-honest": "import math",
    "g-honest": "print('so far, so good')",
    "i-honest": "np.random.seed(1)",
    "k-honest": "x = np.arange(3)",
    "m-honest": "'''Nothing to see here.'''",
    "zz-honest-last": "done = True",
}


@dataclass(frozen=True)
class Written:
    """A corpus on disk. ``deserves``: student -> what that student's submission deserves."""

    root: Path
    deserves: dict[str, Deserves]
    cases: tuple[Case, ...]


def write_course(root: Path, cases: Iterable[Case], around: Surroundings) -> Written:
    """The cases and the honest students as an nbgrader course, with ``deserves.json``."""
    assignment = find_assignment(ASSIGNMENT)
    demo.write_course(root, assignment, {})
    submitted = root / "submitted"
    submitted.mkdir()
    deserves: dict[str, Deserves] = {}
    for student, first in HONEST.items():
        hand_in = _begin(submitted, student, assignment, around)
        hand_in.solved()
        if first:  # so that no two hand in the same, and get the same inputs
            hand_in.before("conv_output_size", first)
        hand_in.finish()
        deserves[student] = EVERYTHING
    cases = tuple(cases)
    for case in cases:
        hand_in = _begin(submitted, case.student, assignment, around)
        case.make(hand_in)
        hand_in.finish()
        deserves[case.student] = case.deserves
    table = {case.student: _as_data(case) for case in cases}
    table |= {student: {"scores": _bounds(EVERYTHING)} for student in HONEST}
    (root / "deserves.json").write_text(json.dumps(table, indent=1), "utf-8")
    return Written(root, deserves, cases)


def _begin(submitted: Path, student: str, assignment: Assignment, around: Surroundings) -> HandIn:
    folder = submitted / student / assignment.name
    folder.mkdir(parents=True)
    return HandIn(folder, assignment, around)


def _bounds(deserves: Deserves) -> dict[str, tuple[float, float]]:
    return {question: deserves.bounds(question) for question in QUESTIONS}


def _as_data(case: Case) -> dict:
    return {
        "case": f"{case.family}.{case.name}",
        "tries": case.tries,
        "scores": _bounds(case.deserves),
        "statuses": case.deserves.statuses,
        "says": case.says,
    }
