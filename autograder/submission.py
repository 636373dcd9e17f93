"""A submission, ready to be graded: its notebook restored, the files beside it, what was odd."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from .errors import BadSubmission, NotReleased
from .folder import Files, find_notebook, read_file, take_under_its_name, tell_of_shadows
from .questions import Assignment, assignment_of_notebook, find_assignments
from .restore import count_answers, restore
from .results import Finding

MAX_FINDINGS = 60  # nobody reads more, and a folder can be full of odd files


@dataclass
class Submission:
    """A notebook ready to be graded, the files beside it, and what had to be repaired.

    The files are Paths, or stand for them where they came out of an archive: all have
    ``read_bytes()``.
    """

    notebook: NotebookNode
    files: Files = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """The findings in words."""
        return [finding.text for finding in self.findings]

    def digest(self) -> str:
        """A hash of all that decides the result: the cells as they will be run, and the files."""
        parts = [
            json.dumps(
                [
                    [
                        c.cell_type,
                        c.source,
                        sorted(c.metadata.get("tags", [])),
                        c.metadata.get("nbgrader", {}).get("grade_id"),
                        c.get("attachments"),  # a picture in a written answer
                    ]
                    for c in self.notebook.cells
                ]
            )
        ]
        for name, file in sorted(self.files.items()):
            parts += [name, hashlib.sha256(file.read_bytes()).hexdigest()]
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def load(path: Path, assignment: Assignment) -> Submission:
    """Read and restore the notebook at ``path``. Raises BadSubmission if there is none to read.

    If it is not there, it may have another name, lie in a folder or in an archive. One that belongs
    to another assignment is refused: of this one it can answer nothing.
    """
    findings: list[Finding] = []
    release = read_release(assignment)
    found = find_notebook(path, lambda cells: count_answers(cells, release), findings)
    if found.answers is None and (other := _assignment_of(found.read.cells)):
        raise BadSubmission(
            f"{path.name} holds the notebook of {other.name}, and nothing of this assignment. Look "
            "for the right one, and hand it in."
        )
    notebook = restore(found.read.cells, release, findings)
    files = found.files(findings)
    for name in assignment.beside:
        take_under_its_name(name, files, findings)
    tell_of_shadows(files, findings)
    if len(findings) > MAX_FINDINGS:
        text = f"{len(findings) - MAX_FINDINGS} more of such findings."
        findings[MAX_FINDINGS:] = [Finding("noticed", text)]
    return Submission(notebook, files, findings)


def which_assignment(path: Path) -> Assignment | None:
    """The assignment that a notebook belongs to: by its file name, or else by its cells."""
    by_name = assignment_of_notebook(path.stem)
    if by_name is not None:
        return by_name
    return _assignment_of(read_file(path, []).cells)


def _assignment_of(cells: list[dict]) -> Assignment | None:
    """The assignment of which most questions are answered here."""
    counts = {a: count_answers(cells, read_release(a)) for a in find_assignments().values()}
    known = [a for a, count in counts.items() if count is not None]
    return max(known, key=lambda a: counts[a], default=None)


def load_or_empty(path: Path, assignment: Assignment) -> Submission:
    """Like ``load``, but what cannot be read counts as nothing handed in; a note says why."""
    try:
        return load(path, assignment)
    except BadSubmission as error:
        return Submission(read_release(assignment), {}, [Finding("unreadable", str(error))])


def read_release(assignment: Assignment) -> NotebookNode:
    if not assignment.release.exists():
        raise NotReleased(assignment.release)
    return nbformat.read(assignment.release, as_version=4)
