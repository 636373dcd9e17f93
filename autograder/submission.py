"""Reads a submitted .ipynb that may be broken or hostile, and the files beside it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from .errors import BadSubmission, GraderError, NotReleased
from .questions import Assignment
from .restore import restore
from .results import Finding

MAX_NOTEBOOK = 64 << 20  # bytes, with its outputs
MAX_CELLS = 2000
MAX_SOURCE = 1 << 20  # characters in a cell
MAX_FILES, MAX_FILES_BYTES = 200, 32 << 20
MAX_FOLDERS = 20  # one inside the other
NOT_FILES = {"report.json", "timestamp.txt"}  # ours, and nbgrader's


@dataclass
class Submission:
    """A notebook ready to be graded, the files beside it, and what had to be repaired."""

    notebook: NotebookNode
    files: dict[str, Path] = field(default_factory=dict)
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
        for name, path in sorted(self.files.items()):
            parts += [name, hashlib.sha256(path.read_bytes()).hexdigest()]
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def load(path: Path, assignment: Assignment) -> Submission:
    """Read and restore the notebook at ``path``. Raises BadSubmission if there is none to read."""
    findings: list[Finding] = []
    cells = _read_cells(path, findings)
    notebook = restore(cells, read_release(assignment), findings)
    return Submission(notebook, files_beside(path.parent, findings), findings)


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


def _read_cells(path: Path, findings: list[Finding]) -> list[dict]:
    """The submitted cells as [{"cell_type", "source", "grade_id", "id", "attachments"}, …]."""
    try:
        data = json.loads(_decode(_read_regular_file(path), findings))
    except (ValueError, RecursionError) as error:
        raise BadSubmission(
            f"{path.name} is not a notebook: it does not parse as JSON ({str(error)[:120]}). "
            "Open it in Jupyter, save it, and hand it in again."
        ) from None
    if isinstance(data, dict) and isinstance(data.get("worksheets"), list):
        text = "The notebook was in an old format (before version 4). It was converted."
        findings.append(Finding("repaired", text))
        data = _flatten_worksheets(data)
    if not isinstance(data, dict) or not isinstance(data.get("cells"), list):
        raise BadSubmission(f"{path.name} is not a notebook: it has no list of cells.")
    cells = [clean for cell in data["cells"][:MAX_CELLS] if (clean := _clean_cell(cell))]
    if len(cells) < len(data["cells"]):
        text = f"{len(data['cells']) - len(cells)} cells could not be read and were left out."
        findings.append(Finding("left out", text))
    return cells


def _read_regular_file(path: Path) -> bytes:
    try:
        # a link could point to any of the grader's files; a fifo would never end
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except PermissionError:
        raise GraderError(f"{path} may not be read by who runs the grader.") from None
    except OSError as error:
        reason = "it is a link" if os.path.islink(path) else error.strerror
        raise BadSubmission(f"{path.name} cannot be read: {reason}.") from None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise BadSubmission(f"{path.name} is not an ordinary file.")
    with os.fdopen(handle, "rb") as file:
        if status.st_size > MAX_NOTEBOOK:
            raise BadSubmission(
                f"{path.name} has {status.st_size >> 20} MB; the limit is {MAX_NOTEBOOK >> 20} MB. "
                "Clear the outputs, save it, and hand it in again."
            )
        return file.read(MAX_NOTEBOOK + 1)


def _decode(data: bytes, findings: list[Finding]) -> str:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        text = "Some characters of the notebook were not UTF-8 and were replaced."
        findings.append(Finding("repaired", text))
        return data.decode(encoding, "replace")


def _flatten_worksheets(data: dict) -> dict:
    cells = []
    for sheet in data["worksheets"]:
        found = sheet.get("cells") if isinstance(sheet, dict) else None
        for cell in found if isinstance(found, list) else []:
            if isinstance(cell, dict):
                cells.append({**cell, "source": cell.get("input", cell.get("source", ""))})
    return {"cells": cells}


def _clean_cell(cell: object) -> dict | None:
    if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown", "raw"):
        return None
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str) or len(source) > MAX_SOURCE:
        return None
    source = _writable(source).replace("\r\n", "\n")
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    return {
        "cell_type": cell["cell_type"],
        "source": source,
        "grade_id": grade_id if isinstance(grade_id, str) else None,
        "id": cell.get("id") if isinstance(cell.get("id"), str) else None,
        "attachments": _images(cell.get("attachments")),
    }


def _writable(text: str) -> str:
    """Lone surrogates are legal in JSON and in file names, and cannot be written to any file."""
    return text.encode("utf-8", "replace").decode()


def _images(attachments: object) -> dict:
    """Pictures that were pasted into a written answer."""
    kept = {}
    for name, bundle in attachments.items() if isinstance(attachments, dict) else ():
        for kind, data in bundle.items() if isinstance(bundle, dict) else ():
            if (
                kind in ("image/png", "image/jpeg")
                and isinstance(data, str)
                and re.fullmatch(r"[\w.-]{1,100}", name)
                and re.fullmatch(r"[A-Za-z0-9+/=\s]*", data)
            ):
                kept[name] = {kind: data}
    return kept


def files_beside(folder: Path, findings: list[Finding]) -> dict[str, Path]:
    """The regular files that were handed in with the notebook, by their relative name."""
    found: dict[str, Path] = {}
    total = 0
    for parent, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__pycache__")))
        if folders and len(Path(parent).relative_to(folder).parts) >= MAX_FOLDERS:
            text = f"Folders more than {MAX_FOLDERS} deep were left out."
            findings.append(Finding("left out", text))
            folders.clear()
        for name in sorted(names):
            file = Path(parent, name)
            relative = file.relative_to(folder).as_posix()
            if name.startswith(".") or name.endswith(".ipynb") or relative in NOT_FILES:
                continue
            status, called = file.lstat(), _writable(relative)
            if not stat.S_ISREG(status.st_mode):
                text = f"{called} is not an ordinary file and was left out."
                findings.append(Finding("left out", text))
                continue
            total += status.st_size
            if len(found) >= MAX_FILES or total > MAX_FILES_BYTES:
                text = (
                    f"Files from {called} on were left out: at most {MAX_FILES} files and "
                    f"{MAX_FILES_BYTES >> 20} MB may be handed in beside the notebook."
                )
                findings.append(Finding("left out", text))
                return found
            found[relative] = file
    return found
