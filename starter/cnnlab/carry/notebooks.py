"""Where earlier notebooks are, and which of their cells hold answers.

A notebook is known by its cells, not by its name: an answer is a code cell that nbgrader has marked
as a solution, with the question's name as its ``grade_id``. The notebook is read as data here;
nothing in it runs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

VARIABLE = "CNNLAB_CARRY"  # where to look, if not beside this notebook
MAX_FOLDERS = 200  # of a crowded folder; more are not looked into
MAX_BYTES = 64 << 20  # of a notebook, with its pictures


@dataclass(frozen=True)
class Notebook:
    """An earlier notebook, as far as it matters here."""

    path: Path
    answers: dict[str, str] = field(default_factory=dict)  # question -> the cell's source
    other: tuple[str, ...] = ()  # the sources of all other code cells, for their imports
    no_code: frozenset[str] = frozenset()  # questions whose cell was turned into text
    damaged: frozenset[str] = frozenset()  # questions that a file names which cannot be read

    @property
    def questions(self) -> frozenset[str]:
        """All that it has, or had."""
        return self.no_code | self.damaged | set(self.answers)

    @property
    def label(self) -> str:
        """How it is called in messages: folder and file."""
        return f"{self.path.parent.name}/{self.path.name}"


def find_notebooks(names: tuple[str, ...], folder: str | Path | None) -> list[Notebook]:
    """The notebooks that have a question of these names; the one saved last comes first.

    Args:
        names: the questions
        folder: a notebook, or a folder with notebooks, or with folders of notebooks. None: what
            the environment variable CNNLAB_CARRY says; without it, the folder that this notebook
            runs in, those inside of it, and those beside it.

    Raises:
        ValueError: there is no such folder.
    """
    found = []
    for path in _paths(folder):
        notebook = _read(path, names)
        if notebook is not None:
            found.append((path.stat().st_mtime, notebook))
    found.sort(key=lambda pair: pair[0], reverse=True)
    return [notebook for _, notebook in found]


def _paths(folder: str | Path | None) -> list[Path]:
    told = folder if folder is not None else os.environ.get(VARIABLE)
    if told:
        place = Path(told).expanduser()
        if place.is_file():
            return [place]
        if not place.is_dir():
            how = "folder=" if folder is not None else f"the environment variable {VARIABLE}: "
            raise ValueError(
                f"{how}{str(told)!r} is neither a folder nor a notebook. Name the folder that "
                "holds your earlier notebook, or the notebook itself."
            )
        folders = [place, *_inside(place)]
    else:
        here = Path.cwd()
        folders = [here, *_inside(here), *(_inside(here.parent) if _has_siblings(here) else ())]
    unique = dict.fromkeys(f.resolve() for f in folders)
    return [path for f in unique for path in _in_folder(f) if path.suffix == ".ipynb"]


def _has_siblings(here: Path) -> bool:
    """Whether what lies beside this folder is yours: beside a home lie other people's."""
    return here.parent not in (here, Path(here.anchor)) and here != Path.home()


def _inside(folder: Path) -> Iterator[Path]:
    folders = (path for path in _in_folder(folder) if path.is_dir())
    return islice((path for path in folders if not path.name.startswith((".", "_"))), MAX_FOLDERS)


def _in_folder(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # it may not be looked into
        return []


def _read(path: Path, names: tuple[str, ...]) -> Notebook | None:
    """The notebook, if it has a question of these names; None too for what is no notebook."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            return None
        text = path.read_text("utf-8", "replace")
    except OSError:
        return None
    named = frozenset(name for name in names if name in text)
    if '"grade_id"' not in text or not named:
        return None  # at once, without parsing its pictures
    try:
        cells = json.loads(text)["cells"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return Notebook(path, damaged=named)
    notebook = _sorted_out(path, cells if isinstance(cells, list) else [])
    return notebook if notebook.questions & named else None


def _sorted_out(path: Path, cells: list) -> Notebook:
    answers, other, no_code = {}, [], set()
    for cell in cells:
        if not isinstance(cell, dict):
            continue
        source = _source(cell)
        question = _question(cell)
        if cell.get("cell_type") != "code":
            no_code |= {question} if question else set()
        elif question is None:
            other.append(source)
        # of a copied cell, the last one that still speaks of the function, as the grader takes it
        elif question not in answers or question in source:
            answers[question] = source
    return Notebook(path, answers, tuple(other), frozenset(no_code - set(answers)))


def _source(cell: dict) -> str:
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""


def _question(cell: dict) -> str | None:
    """The question that this cell answers."""
    metadata = cell.get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    if not isinstance(marks, dict) or marks.get("solution") is not True:
        return None
    grade_id = marks.get("grade_id")
    return grade_id if isinstance(grade_id, str) else None
