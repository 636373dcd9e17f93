"""Puts submitted sources into the released notebook's frame.

The released notebook says which cells are questions, what they are worth and what their tests are;
from the submission come only the sources of the students' cells. So nothing in the submission's
metadata, outputs or locked cells can change how it is graded. What was repaired is told in
``findings``, for the student and the TA.
"""

from __future__ import annotations

import ast
import contextlib
import json
import re

import nbformat
from nbformat import NotebookNode

from .questions import grade_cell
from .results import Finding

MAX_PARSED = 100_000  # characters


def restore(cells: list[dict], release: NotebookNode, findings: list[Finding]) -> NotebookNode:
    """The submitted sources in the released notebook's frame.

    Every question's solution cell is there once, and its grade cell, as it was released, somewhere
    after it: where the student has it, for a helper's cell may stand between the two. The student's
    own other cells stay, in their order.
    """
    cells = _without_copied_ids(cells)
    released = {c.metadata.nbgrader.grade_id: c for c in release.cells if "nbgrader" in c.metadata}
    answers = {i: c for i, c in released.items() if c.metadata.nbgrader.solution}
    chosen = _choose_answers(cells, answers, findings)
    _note_changes(cells, released, answers, findings)

    tests_at = _places_of_tests(cells, chosen)
    restored: list[NotebookNode] = []
    for index, cell in enumerate(cells):
        here = [grade_id for grade_id, place in chosen.items() if place == index]
        if here:  # more than one, where the functions were put into one cell that lost its mark
            for grade_id in here:
                restored.append(_answer(released, grade_id, cell))
                if grade_id not in tests_at.values():
                    restored += _tests(released, grade_id)
        elif index in tests_at:
            restored += _tests(released, tests_at[index])
        elif cell["grade_id"] in answers:  # a copy of an answer
            if _same(cell["source"], answers[cell["grade_id"]].source):
                continue  # running the empty stub again would undo the answer
            restored.append(_plain_cell(cell, release))
        elif cell["grade_id"] not in released:
            restored.append(_plain_cell(cell, release))
    for grade_id in answers:
        if grade_id not in chosen:
            new = [_answer(released, grade_id, None), *_tests(released, grade_id)]
            _insert(restored, new, list(answers))
            text = f"The cell of {grade_id} was missing. It was put back, empty."
            findings.append(Finding("repaired", text, grade_id))

    notebook = nbformat.v4.new_notebook(metadata=release.metadata, nbformat_minor=5)
    notebook.cells = _with_unique_ids(restored)
    return notebook


def _without_copied_ids(cells: list[dict]) -> list[dict]:
    """Two cells with one id cannot both be the released one: only the first may be."""
    seen: set[str] = set()
    result = []
    for cell in cells:
        result.append({**cell, "id": None} if cell["id"] in seen else cell)
        seen.add(cell["id"])
    return result


def _choose_answers(cells: list[dict], answers: dict, findings: list[Finding]) -> dict[str, int]:
    """Question -> index of the submitted cell that answers it."""
    chosen: dict[str, int] = {}
    unwritten = []
    for grade_id, released in answers.items():
        copies = [i for i, cell in enumerate(cells) if cell["grade_id"] == grade_id]
        written = [i for i in copies if not _same(cells[i]["source"], released.source)]
        if copies:
            chosen[grade_id] = (written or copies)[-1]
        if len(copies) > 1:
            text = (
                f"The cell of {grade_id} was there {len(copies)} times. The last one that "
                "was written in counts."
            )
            findings.append(Finding("repaired", text, grade_id))
        if not written and released.cell_type == "code":
            unwritten.append(grade_id)
    if unwritten:  # the mark was lost, or the answer stands in a cell of the student's own
        _look_elsewhere(cells, answers, unwritten, chosen, findings)
    return chosen


def _look_elsewhere(
    cells: list[dict],
    answers: dict,
    unwritten: list[str],
    chosen: dict[str, int],
    findings: list[Finding],
) -> None:
    """Find answers by their functions' names, in the cells that will be run as code."""
    types = {index: answers[grade_id].cell_type for grade_id, index in chosen.items()}
    locked = {grade_cell(grade_id) for grade_id in answers}
    defined = [
        _defined_names({**cell, "cell_type": types.get(index, cell["cell_type"])})
        if cell["grade_id"] not in locked
        else set()
        for index, cell in enumerate(cells)
    ]
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


def _plain_cell(cell: dict, release: NotebookNode) -> NotebookNode:
    """A cell of the student's own, or of the text; its metadata are the release's, or none."""
    original = next(
        (
            c
            for c in release.cells
            if "nbgrader" not in c.metadata
            and c.cell_type == cell["cell_type"]
            and (c.get("id") == cell["id"] or _same(c.source, cell["source"]))
        ),
        None,
    )
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
    if "tags" in plain.metadata and _defined_names(cell) - _defined_names(original):
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
            cell.id = f"restored-{position}"
            while cell.id in used:
                cell.id += "-"
        used.add(cell.id)
    return cells


def _defined_names(cell: dict) -> set[str]:
    """The functions and classes that a code cell defines at its top level.

    Cells that no person writes, larger than ``MAX_PARSED``, are only searched: parsing a megabyte
    takes a second.
    """
    if cell["cell_type"] != "code":
        return set()
    source = cell["source"]
    if len(source) <= MAX_PARSED:
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            return {
                node.name
                for node in ast.parse(source).body
                if isinstance(node, (ast.FunctionDef, ast.ClassDef))
            }
    return set(re.findall(r"^(?:def|class) (\w+)\b", source, re.M))


def _same(a: str, b: str) -> bool:
    return a.strip() == b.strip()


def _copy(cell: NotebookNode) -> NotebookNode:
    return nbformat.from_dict(json.loads(json.dumps(cell)))
