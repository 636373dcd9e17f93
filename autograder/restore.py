"""Puts submitted sources into the released notebook's frame.

The released notebook says which cells are questions, what they are worth and what their tests are;
from the submission come only the sources of the students' cells. So nothing in the submission's
metadata, outputs or locked cells can change how it is graded. What was repaired is told in
``findings``, for the student and the TA.
"""

from __future__ import annotations

import ast
import contextlib
import itertools
import json
import re
import textwrap
import warnings
from itertools import pairwise

import nbformat
from nbformat import NotebookNode

from .questions import grade_cell
from .results import Finding

MAX_PARSED = 1_000_000  # characters of a submission


def restore(cells: list[dict], release: NotebookNode, findings: list[Finding]) -> NotebookNode:
    """The submitted sources in the released notebook's frame.

    Every question's solution cell is there once, and its grade cell, as it was released, somewhere
    after it: where the student has it, for a helper's cell may stand between the two. The student's
    own other cells stay, in their order.
    """
    reader = _Reader()
    released, answers = _frame(release)
    cells = _without_copied_ids(cells)
    cells = _without_wrong_marks(cells, answers, reader, findings)
    cells = _with_lost_marks(cells, release, released, findings)
    cells = _joined_again(cells, answers, reader, findings)
    chosen = _choose_answers(cells, answers, reader, findings)
    _note_changes(cells, released, answers, findings)

    tests_at = _places_of_tests(cells, chosen)
    originals = _Originals(release)
    stubs = {c.source.strip() for c in answers.values() if c.cell_type == "code"}
    places: dict[int, list[str]] = {}
    for grade_id, place in chosen.items():
        places.setdefault(place, []).append(grade_id)
    restored: list[NotebookNode] = []
    for index, cell in enumerate(cells):
        if index in places:  # of more than one, where the functions were put into one cell
            for grade_id in places[index]:
                restored.append(_answer(released, grade_id, cell))
                if grade_id not in tests_at.values():
                    restored += _tests(released, grade_id)
        elif index in tests_at:
            restored += _tests(released, tests_at[index])
        elif cell["cell_type"] == "code" and cell["source"].strip() in stubs:
            continue  # a copy: running the empty stub again would undo the answer
        elif cell["grade_id"] in answers:
            if not _same(cell["source"], answers[cell["grade_id"]].source):
                restored.append(_plain_cell(cell, originals, reader))
        elif cell["grade_id"] not in released:
            restored.append(_plain_cell(cell, originals, reader))
    for grade_id in answers:
        if grade_id not in chosen:
            new = [_answer(released, grade_id, None), *_tests(released, grade_id)]
            _insert(restored, new, list(answers))
            text = f"The cell of {grade_id} was missing. It was put back, empty."
            findings.append(Finding("repaired", text, grade_id))
    _put_back_imports(restored, release, reader, findings)

    notebook = nbformat.v4.new_notebook(metadata=release.metadata, nbformat_minor=5)
    notebook.cells = _with_unique_ids(restored)
    return notebook


def count_answers(cells: list[dict], release: NotebookNode) -> int | None:
    """How many questions these cells answer; None if they have nothing to do with the release."""
    released, answers = _frame(release)
    reader, untold = _Reader(0), []  # a guess is enough
    cells = _without_wrong_marks(cells, answers, reader, untold)
    cells = _with_lost_marks(cells, release, released, untold)
    chosen = _choose_answers(cells, answers, reader, untold)
    if not chosen and not any(cell["grade_id"] in released for cell in cells):
        return None
    return sum(not _same(cells[i]["source"], answers[f].source) for f, i in chosen.items())


def _frame(release: NotebookNode) -> tuple[dict, dict]:
    """grade_id -> released cell: of all that have one, and of those where students write."""
    released = {c.metadata.nbgrader.grade_id: c for c in release.cells if "nbgrader" in c.metadata}
    return released, {i: c for i, c in released.items() if c.metadata.nbgrader.solution}


# -- what other tools and slips did to the cells ----------------------------------------------


def _without_copied_ids(cells: list[dict]) -> list[dict]:
    """Two cells with one id cannot both be the released one: only the first may be."""
    seen: set[str] = set()
    result = []
    for cell in cells:
        result.append({**cell, "id": None} if cell["id"] in seen else cell)
        seen.add(cell["id"])
    return result


def _without_wrong_marks(
    cells: list[dict], answers: dict, reader: _Reader, findings: list[Finding]
) -> list[dict]:
    """A locked cell that an answer was written into is taken for one of the student's own."""
    locked = {grade_cell(grade_id) for grade_id in answers}
    result = []
    for cell in cells:
        if cell["grade_id"] in locked and (names := reader.defined(cell["source"], set(answers))):
            text = f"{', '.join(sorted(names))} was written into a locked cell, and taken from it."
            findings.append(Finding("repaired", text))
            cell = {**cell, "grade_id": None}
        result.append(cell)
    return result


def _with_lost_marks(
    cells: list[dict], release: NotebookNode, released: dict, findings: list[Finding]
) -> list[dict]:
    """Some tools strip the metadata that they do not know, and nbgrader's marks with it.

    Functions are found by their names, later. Here, locked cells are known by their text, and
    written answers by their cell's id, or by the released text above them.
    """
    lost = {i: c for i, c in released.items() if all(cell["grade_id"] != i for cell in cells)}
    if not lost:
        return cells
    texts = {c.source.strip() for c in release.cells}
    above = {
        after.metadata.nbgrader.grade_id: before.source.strip()
        for before, after in pairwise(release.cells)
        if "nbgrader" in after.metadata
    }
    cells, found = list(cells), []
    stripped = [cell["source"].strip() for cell in cells]
    for grade_id, original in lost.items():
        text = original.source.strip()
        for index, cell in enumerate(cells):
            if cell["grade_id"] is not None or cell["cell_type"] != original.cell_type:
                continue
            if not original.metadata.nbgrader.solution:
                is_it = stripped[index] == text
            elif original.cell_type == "code":
                is_it = False
            else:
                follows = index > 0 and stripped[index - 1] == above.get(grade_id)
                is_it = cell["id"] == original.get("id") or (
                    follows and stripped[index] not in texts - {text}
                )
            if is_it:
                cells[index] = {**cell, "grade_id": grade_id}
                found.append(grade_id)
                break
    if found:
        text = f"Cells that had lost their marks, and got them back: {', '.join(found)}."
        findings.append(Finding("repaired", text))
    return cells


def _joined_again(
    cells: list[dict], answers: dict, reader: _Reader, findings: list[Finding]
) -> list[dict]:
    """An answer that was split in the middle of its function is one cell again."""
    result: list[dict] = []
    for cell in cells:
        before = result[-1] if result else None
        joined = before and _continuation(before, cell, reader)
        if joined:
            mark = before["grade_id"] or cell["grade_id"]
            result[-1] = {**before, "source": joined, "grade_id": mark}
            name = mark if mark in answers else None
            text = "A cell that was split in the middle of a function was joined again"
            findings.append(Finding("repaired", text + (f": {name}." if name else "."), name))
        else:
            result.append(cell)
    return result


def _continuation(first: dict, second: dict, reader: _Reader) -> str | None:
    """Both cells' source, if the second cannot be anything but the rest of the first."""
    if (first["cell_type"], second["cell_type"]) != ("code", "code"):
        return None
    if second["grade_id"] is not None and first["grade_id"] not in (None, second["grade_id"]):
        return None
    if not re.match(r"(?:[ \t]*\n)*[ \t]+[^\s#]", second["source"]):
        return None  # it is not indented
    joined = first["source"].rstrip() + "\n" + second["source"].lstrip("\n")
    if second["grade_id"] is None and _stands_alone(second["source"], reader):
        return None if reader.parse(first["source"]) else _parsed(joined, reader)
    return _parsed(joined, reader)


def _stands_alone(source: str, reader: _Reader) -> bool:
    """An indented cell may run by itself: Jupyter takes the indentation off."""
    tree = reader.parse(textwrap.dedent(source))
    return tree is not None and not _returns(tree)


def _parsed(source: str, reader: _Reader) -> str | None:
    return source if reader.parse(source) else None


def _returns(tree: ast.Module) -> bool:
    """Whether there is a ``return`` outside of any function."""
    todo = list(tree.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Return):
            return True
        if isinstance(node, ast.stmt) and not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            todo += ast.iter_child_nodes(node)
    return False


def _put_back_imports(
    restored: list[NotebookNode], release: NotebookNode, reader: _Reader, findings: list[Finding]
) -> None:
    """The cells that all questions need: released code that is no answer, test or demonstration.

    Where one stands among the questions, and none has been moved before it, it is left there.
    """
    code = [i for i, cell in enumerate(restored) if cell.cell_type == "code"]
    first = next((i for i in code if "nbgrader" in restored[i].metadata), len(restored))
    there: set[str] = set()
    released = {cell.source.strip() for cell in release.cells}
    said: set[str] = set()
    for index in code:
        if index < first:
            names = reader.bound(restored[index].source)
            said |= names
            # a cell that was changed may stop in its first line: then it binds none of them
            if restored[index].source.strip() in released:
                there |= names
    place = min([*code, first])
    kept: dict[str, set[str]] = {}  # source -> the questions' cells before it
    before: set[str] = set()
    for index in code:
        kept.setdefault(restored[index].source.strip(), set(before))
        before |= _grade_ids(restored[index])
    late: set[str] = set()
    for cell in release.cells:
        late |= _grade_ids(cell)
        if cell.cell_type != "code" or "nbgrader" in cell.metadata or "tags" in cell.metadata:
            continue
        untouched = bool(late) and cell.source.strip() in kept  # released among the questions
        if untouched and kept[cell.source.strip()] <= late:
            continue
        lacking = reader.bound(cell.source) - there
        if lacking:
            restored.insert(first if late else place, _copy(cell))  # it may need the imports
            place, first = place + (not late), first + 1
            gone = ", ".join(sorted(lacking - said))
            if gone and not untouched:
                text = f"The imports of {gone} were put back before all questions."
                findings.append(Finding("repaired", text))


def _grade_ids(cell: NotebookNode) -> set[str]:
    """Of a question's code cell its id, of another none."""
    marked = cell.cell_type == "code" and "nbgrader" in cell.metadata
    return {cell.metadata.nbgrader.grade_id} if marked else set()


# -- which cell answers which question --------------------------------------------------------


def _choose_answers(
    cells: list[dict], answers: dict, reader: _Reader, findings: list[Finding]
) -> dict[str, int]:
    """Question -> index of the submitted cell that answers it."""
    chosen: dict[str, int] = {}
    unwritten = []
    for grade_id, released in answers.items():
        copies = [i for i, cell in enumerate(cells) if cell["grade_id"] == grade_id]
        written = [i for i in copies if not _same(cells[i]["source"], released.source)]
        # a helper that was split off, or the rest of a cell, keeps the mark as well
        named = [i for i in written if _mentions(cells[i]["source"], grade_id)]
        if released.cell_type != "code":
            named = written
        if copies:
            chosen[grade_id] = (named or written or copies)[-1]
        if len(copies) > 1:
            text = (
                f"The cell of {grade_id} was there {len(copies)} times. The last one that "
                "was written in counts."
            )
            findings.append(Finding("repaired", text, grade_id))
        if not named and released.cell_type == "code":
            unwritten.append(grade_id)
    defined = _definitions(cells, answers, chosen, reader)
    left = _look_elsewhere(cells, answers, unwritten, chosen, defined, findings)
    if left:  # f = lambda …, or from my_module import f
        bound = _definitions(cells, answers, chosen, reader, set(left))
        _look_elsewhere(cells, answers, left, chosen, bound, findings)
    _tell_of_seconds(cells, answers, chosen, defined, findings)
    return chosen


def _definitions(
    cells: list[dict],
    answers: dict,
    chosen: dict[str, int],
    reader: _Reader,
    by_other_means: set[str] | None = None,
) -> list[set[str]]:
    """Which questions' functions each cell defines, of those cells that will be run as code.

    ``by_other_means``: of these names, which it assigns or imports.
    """
    types = {index: answers[grade_id].cell_type for grade_id, index in chosen.items()}
    locked = {grade_cell(grade_id) for grade_id in answers}
    return [
        (
            reader.defined(cell["source"], set(answers))
            if by_other_means is None
            else reader.bound_of(cell["source"], by_other_means)
        )
        if types.get(index, cell["cell_type"]) == "code" and cell["grade_id"] not in locked
        else set()
        for index, cell in enumerate(cells)
    ]


def _look_elsewhere(
    cells: list[dict],
    answers: dict,
    unwritten: list[str],
    chosen: dict[str, int],
    defined: list[set[str]],
    findings: list[Finding],
) -> list[str]:
    """Find answers by their functions' names: the mark was lost, or they stand in own cells.

    Returns those that are nowhere.
    """
    left = []
    for grade_id in unwritten:
        stub = answers[grade_id].source
        places = [
            index
            for index, names in enumerate(defined)
            if grade_id in names and not _same(cells[index]["source"], stub)
        ]
        if places:
            chosen[grade_id] = places[-1]
            text = f"{grade_id} was found in another cell, by the function's name."
            findings.append(Finding("repaired", text, grade_id))
        else:
            left.append(grade_id)
    return left


def _tell_of_seconds(
    cells: list[dict],
    answers: dict,
    chosen: dict[str, int],
    defined: list[set[str]],
    findings: list[Finding],
) -> None:
    for grade_id, place in chosen.items():
        stub = answers[grade_id].source
        if any(
            grade_id in names
            and index != place
            and cells[index]["grade_id"] != grade_id
            and not _same(cells[index]["source"], stub)
            for index, names in enumerate(defined)
        ):
            text = (
                f"{grade_id} is defined in more than one cell. The definition that ran last before "
                "its check counts."
            )
            findings.append(Finding("noticed", text, grade_id))


def _mentions(source: str, name: str) -> bool:
    """Whether this code could define the name: by whatever means, it has to say it."""
    return re.search(rf"\b{re.escape(name)}\b|\bimport\s+\*|\bexec\b", source) is not None


def _note_changes(
    cells: list[dict], released: dict, answers: dict, findings: list[Finding]
) -> None:
    changed, retyped, seen = [], [], set()
    for cell in cells:
        grade_id = cell["grade_id"]
        if grade_id not in released:
            continue
        if grade_id not in answers:
            seen.add(grade_id)
            if not _same(cell["source"], released[grade_id].source):
                changed.append(grade_id)
        if cell["cell_type"] != released[grade_id].cell_type:
            retyped.append(grade_id)
    missing = [i for i in released if i not in answers and i not in seen]
    for names, what in (
        (changed, "had been changed, and restored"),
        (retyped, "had become cells of another kind, and restored"),
        (missing, "were missing, and put back"),
    ):
        if names:
            text = f"Cells that {what}: {', '.join(dict.fromkeys(names))}."
            findings.append(Finding("repaired", text))


def _places_of_tests(cells: list[dict], chosen: dict[str, int]) -> dict[int, str]:
    """Index of a submitted grade cell -> the question whose tests stay there: after its answer."""
    places = {}
    for grade_id, answer in chosen.items():
        for index in range(answer + 1, len(cells)):
            if cells[index]["grade_id"] == grade_cell(grade_id):
                places[index] = grade_id
                break
    return places


def _answer(released: dict, grade_id: str, cell: dict | None) -> NotebookNode:
    answer = _copy(released[grade_id])
    if cell is not None:
        answer.source = cell["source"]
        if cell["attachments"] and answer.cell_type == "markdown":
            answer.attachments = cell["attachments"]
    return answer


def _tests(released: dict, grade_id: str) -> list[NotebookNode]:
    tests = released.get(grade_cell(grade_id))
    return [] if tests is None else [_copy(tests)]


class _Originals:
    """The released cells that are neither answer nor test, to be found by id or by text."""

    def __init__(self, release: NotebookNode):
        self.by_id: dict[tuple, NotebookNode] = {}
        self.by_text: dict[tuple, NotebookNode] = {}
        for cell in release.cells:
            if "nbgrader" not in cell.metadata:
                self.by_id.setdefault((cell.cell_type, cell.get("id")), cell)
                self.by_text.setdefault((cell.cell_type, cell.source.strip()), cell)

    def find(self, cell: dict) -> NotebookNode | None:
        kind = cell["cell_type"]
        # by the text first: an id may have been copied from another cell
        by_text = self.by_text.get((kind, cell["source"].strip()))
        return by_text or (self.by_id.get((kind, cell["id"])) if cell["id"] else None)


def _plain_cell(cell: dict, originals: _Originals, reader: _Reader) -> NotebookNode:
    """A cell of the student's own, or of the text; its metadata are the release's, or none."""
    original = originals.find(cell)
    make = {
        "code": nbformat.v4.new_code_cell,
        "markdown": nbformat.v4.new_markdown_cell,
        "raw": nbformat.v4.new_raw_cell,
    }[cell["cell_type"]]
    plain = make(
        cell["source"],
        metadata={} if original is None else _copy(original).metadata,
    )
    # what a student wrote into a demonstration may be what an answer needs: then it is run
    if "tags" in plain.metadata and (
        reader.needed(cell["source"]) - reader.needed(original.source)
    ):
        del plain.metadata["tags"]
    plain["id"] = cell["id"] or ""  # which may be none at all: _with_unique_ids mends it
    if cell["cell_type"] == "markdown" and cell["attachments"]:
        plain.attachments = cell["attachments"]
    return plain


def _insert(restored: list[NotebookNode], new: list[NotebookNode], order: list[str]) -> None:
    """Put an answer that was missing after the last one that comes before it in the release."""
    before = set(order[: order.index(new[0].metadata.nbgrader.grade_id)])
    place = 0
    for position, cell in enumerate(restored):
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if grade_id.removesuffix("-tests") in before:
            place = position + 1
    restored[place:place] = new


def _with_unique_ids(cells: list[NotebookNode]) -> list[NotebookNode]:
    used: set[str] = set()
    for position, cell in enumerate(cells):
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", cell.get("id", "")) or cell.id in used:
            numbers = itertools.count(position)
            while (new := f"restored-{next(numbers)}") in used:
                pass
            cell.id = new
        used.add(cell.id)
    return cells


class _Reader:
    """Which names code defines. Parsing takes a second for a megabyte: so it is rationed.

    What is left over after that is only searched, as are cells with magics or a syntax error.
    """

    def __init__(self, characters: int = MAX_PARSED):
        self.left = characters

    def parse(self, source: str) -> ast.Module | None:
        if len(source) > self.left:
            return None
        self.left -= len(source)
        with warnings.catch_warnings():  # of "\d" and the like, which are the student's
            warnings.simplefilter("ignore")
            with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
                return ast.parse(source)
        return None

    def defined(self, source: str, wanted: set[str] | None = None) -> set[str]:
        """The functions and classes at its top level; if some are wanted, only of those."""
        if wanted is not None and not any(name in source for name in wanted):
            return set()
        found = set(re.findall(r"^(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)", source, re.M))
        if wanted is not None:
            found &= wanted
        if not found:
            return found
        tree = self.parse(source)
        # a "def" in a text of several lines is none
        return found if tree is None else found & {getattr(n, "name", None) for n in tree.body}

    def _parse_with_magics(self, source: str) -> ast.Module | None:
        tree = self.parse(source)
        bare = without_magics(source) if tree is None else source
        return tree if bare == source else self.parse(bare)

    def needed(self, source: str) -> set[str]:
        """What it defines, imports or sets to a constant: answers in other cells may use that."""
        tree, names = self._parse_with_magics(source), self.defined(source)
        for node in tree.body if tree else ():
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names |= _imported(node)
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        return names

    def bound_of(self, source: str, wanted: set[str]) -> set[str]:
        """Those of the wanted names that it binds. Only cells that say them are parsed."""
        said = {name for name in wanted if name in source}
        return said & self.bound(source) if said else said

    def bound(self, source: str) -> set[str]:
        """All names that it defines, imports or assigns, at its top level."""
        tree = self._parse_with_magics(source)
        if tree is None:
            return set()
        names: set[str] = set()
        for node in tree.body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names |= _imported(node)
            elif isinstance(node, ast.Assign):
                names |= {
                    n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)
                }
            elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                names.add(node.name)
        return names


def _imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    return {alias.asname or alias.name.split(".")[0] for alias in node.names}


def without_magics(source: str) -> str:
    """The code without IPython's own lines, so that Python can parse it."""
    lines = source.split("\n")
    return "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!")))


def _same(a: str, b: str) -> bool:
    return a.strip() == b.strip()


def _copy(cell: NotebookNode) -> NotebookNode:
    return nbformat.from_dict(json.loads(json.dumps(cell)))
