"""Which of the files that were handed in is the notebook, and which lie beside it."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .archive import MAX_UNPACKED, Packed, is_archive, unpack
from .cells import MAX_NOTEBOOK, Read, read_cells
from .errors import BadSubmission, GraderError
from .results import Finding, writable

MAX_FILES, MAX_FILES_BYTES = 200, 32 << 20
MAX_FOLDERS = 20  # one inside the other
MAX_CANDIDATES, MAX_ARCHIVES = 20, 5  # notebooks that are looked into, and archives
MAX_ENTRIES = 20_000  # of any kind, in all folders together
NOT_FILES = {"report.json", "timestamp.txt"}  # ours, and nbgrader's
# a module of this name beside the notebook hides the one that its imports mean
NEEDED = sys.stdlib_module_names | {"numpy", "matplotlib", "cnnlab", "IPython", "ipykernel"}

Files = dict[str, Path | Packed]  # relative name -> something with read_bytes()
CountAnswers = Callable[[list[dict]], int | None]


@dataclass
class HandedIn:
    """One notebook: where it was found, its cells, how many questions they answer.

    ``answers`` is None for one at the right place that has nothing of this assignment.
    """

    name: str
    read: Read
    answers: int | None
    modified: float
    findings: list[Finding]
    files: Callable[[list[Finding]], Files]  # those beside it

    @property
    def rank(self) -> tuple[int, float]:
        return self.answers or 0, self.modified


def find_notebook(path: Path, count: CountAnswers, findings: list[Finding]) -> HandedIn:
    """The notebook at ``path``; without it, or if it is damaged, the best of those around it.

    That is the one with the most answers, and the newest among equals. ``count`` says how many
    questions some cells answer, or None if they have nothing to do with the assignment. Raises
    BadSubmission if there is no notebook at all.
    """
    right = problem = None
    try:
        right = _at_its_place(path, count)
    except BadSubmission as error:
        problem = error
    related = right is not None and right.answers is not None
    others = list(_in_folder(path, count))
    if not related and not others:
        others = list(_in_archives(path, count, findings))
    if right is None and not others:
        told = [finding.text for finding in findings]
        raise BadSubmission(" ".join([str(problem), *told])) from None
    if related and not right.read.damaged:
        chosen = right
    else:
        chosen = max([*([right] if related else []), *others], key=_rank, default=right)
    _tell(path, chosen, right, others, problem, findings)
    findings += chosen.findings
    return chosen


def _rank(found: HandedIn) -> tuple[int, float]:
    return found.rank


def _at_its_place(path: Path, count: CountAnswers) -> HandedIn:
    told: list[Finding] = []
    read = read_file(path, told)
    return HandedIn(
        path.name,
        read,
        count(read.cells),
        path.lstat().st_mtime,
        told,
        lambda findings: files_beside(path.parent, findings, path.name),
    )


def read_file(path: Path, findings: list[Finding]) -> Read:
    """The cells of the notebook at ``path``. Raises BadSubmission if there are none to find."""
    return read_cells(path.name, _read_regular_file(path), findings)


def _in_folder(path: Path, count: CountAnswers) -> Iterator[HandedIn]:
    """The assignment's notebooks below the folder, other than the one at ``path``."""
    left, tried = MAX_NOTEBOOK, 0
    for file in _walk(path.parent, []):
        if not is_notebook(file.name) or file == path or tried >= MAX_CANDIDATES:
            continue
        tried += 1
        told: list[Finding] = []
        try:
            data = _read_regular_file(file)
            left -= len(data)
            if left < 0:
                return
            read = read_cells(file.name, data, told)
        except (BadSubmission, GraderError):
            continue
        if (answers := count(read.cells)) is not None:
            yield HandedIn(
                file.relative_to(path.parent).as_posix(),
                read,
                answers,
                file.lstat().st_mtime,
                told,
                lambda findings, file=file: files_beside(file.parent, findings, path.name),
            )


def _in_archives(path: Path, count: CountAnswers, findings: list[Finding]) -> Iterator[HandedIn]:
    archives = [file for file in _walk(path.parent, []) if is_archive(file.name)]
    left = MAX_UNPACKED  # for all of them: what is found is held in memory
    for file in archives[:MAX_ARCHIVES]:
        told: list[Finding] = []
        try:
            packed = unpack(file.name, _read_regular_file(file), told)
        except BadSubmission as error:
            findings.append(Finding("left out", str(error)))
            continue
        left -= sum(len(one.data) for one in packed.values())
        if left < 0:
            return
        yield from _in_archive(file.name, packed, path.name, count, told)


def _in_archive(
    archive: str, packed: dict[str, Packed], wanted: str, count: CountAnswers, told: list[Finding]
) -> Iterator[HandedIn]:
    notebooks = [name for name in packed if is_notebook(name) and not _is_hidden(name)]
    for name in notebooks[:MAX_CANDIDATES]:
        found = list(told)
        try:
            if len(packed[name].data) > MAX_NOTEBOOK:
                continue
            read = read_cells(name, packed[name].data, found)
        except BadSubmission:
            continue
        if (answers := count(read.cells)) is not None:
            yield HandedIn(
                f"{name} in {archive}",
                read,
                answers,
                packed[name].modified,
                found,
                lambda findings, name=name: _packed_beside(packed, name, wanted, findings),
            )


def is_notebook(name: str) -> bool:
    return name.lower().endswith(".ipynb")


def _tell(
    path: Path,
    chosen: HandedIn,
    right: HandedIn | None,
    others: list[HandedIn],
    problem: BadSubmission | None,
    findings: list[Finding],
) -> None:
    if chosen is right:
        better = [other for other in others if other.answers > (right.answers or 0)]
        if better:
            best = max(better, key=_rank)
            text = (
                f"{writable(best.name)} answers more questions ({best.answers}) than {path.name} "
                f"({right.answers}), which is the one that counts."
            )
            findings.append(Finding("noticed", text))
        return
    if right is None:
        why = str(problem)
    elif right.answers is None:
        why = f"{path.name} has nothing of this assignment."
    else:
        why = f"{path.name} is damaged, and has fewer answers."
    text = f"{why} {writable(chosen.name)} was graded in its place ({chosen.answers} answers)."
    rest = [other.name for other in others if other is not chosen]
    if rest:
        text += f" Others there: {writable(', '.join(rest))[:500]}."
    findings.append(Finding("repaired", text))


# -- files ------------------------------------------------------------------------------------


def _read_regular_file(path: Path) -> bytes:
    try:
        # a link could point to any of the grader's files; a fifo would never end
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except PermissionError:
        raise GraderError(f"{path} may not be read by who runs the grader.") from None
    except FileNotFoundError:
        raise BadSubmission(f"{path.name} cannot be read: there is no such file.") from None
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


def files_beside(folder: Path, findings: list[Finding], notebook: str = "") -> Files:
    """The regular files that were handed in with the notebook, by their relative name."""
    chosen = _Chosen(findings, notebook)
    for file in _walk(folder, findings):
        relative = file.relative_to(folder).as_posix()
        if not chosen.wants(relative):
            continue
        status, called = file.lstat(), writable(relative)
        if not stat.S_ISREG(status.st_mode):
            text = f"{called} is not an ordinary file and was left out."
            findings.append(Finding("left out", text))
        elif not os.access(file, os.R_OK):
            text = f"{called} may not be read by who runs the grader and was left out."
            findings.append(Finding("left out", text))
        elif not chosen.take(relative, file, status.st_size):
            break
    return chosen.files


def _packed_beside(
    packed: dict[str, Packed], notebook: str, wanted: str, findings: list[Finding]
) -> Files:
    folder = PurePosixPath(notebook).parent
    chosen = _Chosen(findings, wanted)
    for name in sorted(packed):
        if PurePosixPath(name).is_relative_to(folder):
            relative = PurePosixPath(name).relative_to(folder).as_posix()
            if chosen.wants(relative) and not chosen.take(
                relative, packed[name], len(packed[name].data)
            ):
                break
    return chosen.files


class _Chosen:
    """The files beside a notebook, as far as the limits go."""

    def __init__(self, findings: list[Finding], notebook: str):
        self.files: Files = {}
        self.findings, self.bytes = findings, 0
        # where the graded copy, and nbgrader's feedback, put their own
        self.not_files = NOT_FILES | {notebook, f"{notebook.removesuffix('.ipynb')}.html"}

    def wants(self, relative: str) -> bool:
        first = relative.split("/")[0]
        if _is_hidden(relative) or is_notebook(relative) or first in self.not_files:
            return False
        if not relative.isprintable():  # nbgrader's log would bring it to the terminal as it is
            text = (
                f"{relative[:200]!a} was left out: its name holds characters that no list can show."
            )
            self.findings.append(Finding("left out", text))
            return False
        return True

    def take(self, relative: str, file: Path | Packed, size: int) -> bool:
        self.bytes += size
        if len(self.files) >= MAX_FILES or self.bytes > MAX_FILES_BYTES:
            text = (
                f"Files from {writable(relative)} on were left out: at most {MAX_FILES} files and "
                f"{MAX_FILES_BYTES >> 20} MB may be handed in beside the notebook."
            )
            self.findings.append(Finding("left out", text))
            return False
        self.files[relative] = file
        return True


def take_under_its_name(wanted: str, files: Files, findings: list[Finding]) -> None:
    """A file that is to lie beside the notebook, where it has another name or lies in a folder.

    A browser calls a second download ``design_net (1).npz``, and a learning platform puts the
    student's name before it. Of several that could be meant, none is taken.
    """
    if wanted in files:
        return
    stem, ending = PurePosixPath(wanted).stem.lower(), PurePosixPath(wanted).suffix
    meant = []
    for name in sorted(files):
        path = PurePosixPath(name.lower())
        # cnnlab.design puts the weights of another net aside: earlier_design_net.npz
        if stem in path.stem and path.suffix == ending and not path.name.startswith("earlier_"):
            meant.append(name)
    if len(meant) == 1:
        files[wanted] = files.pop(meant[0])
        text = f"There is no {wanted} beside the notebook. {writable(meant[0])} was taken for it."
        findings.append(Finding("repaired", text))
    elif meant:
        text = (
            f"There is no {wanted} beside the notebook, and several files could be meant: "
            f"{writable(', '.join(meant))[:500]}. None was taken."
        )
        findings.append(Finding("noticed", text))


def tell_of_shadows(files: Files, findings: list[Finding]) -> None:
    """A module of the student's that has the name of one that the notebook needs."""
    names = {PurePosixPath(name).parts[0] for name in files if name.endswith(".py")}
    for name in sorted(names):
        if name.removesuffix(".py") in NEEDED:
            text = (
                f"{writable(name)}, handed in beside the notebook, has the name of a module that "
                "the notebook or its libraries import. If imports fail, that is a likely cause: "
                "give it another name."
            )
            findings.append(Finding("noticed", text))


def _is_hidden(relative: str) -> bool:
    parts = relative.split("/")
    return any(part.startswith((".", "__pycache__", "__MACOSX")) for part in parts)


def _walk(folder: Path, findings: list[Finding]) -> Iterator[Path]:
    """Every entry that is no folder, sorted, in folders that are not hidden; follows no link."""
    seen = 0

    def cannot(error: OSError) -> None:
        text = f"{writable(Path(error.filename).name)} could not be looked into: {error.strerror}."
        findings.append(Finding("left out", text))

    for parent, folders, names in os.walk(folder, onerror=cannot, followlinks=False):
        folders[:] = sorted(f for f in folders if not _is_hidden(f))
        if folders and len(Path(parent).relative_to(folder).parts) >= MAX_FOLDERS:
            text = f"Folders more than {MAX_FOLDERS} deep were left out."
            findings.append(Finding("left out", text))
            folders.clear()
        for name in sorted(names):
            seen += 1
            if seen > MAX_ENTRIES:
                text = f"Only the first {MAX_ENTRIES:,} files and folders were looked at."
                findings.append(Finding("left out", text))
                return
            yield Path(parent, name)
