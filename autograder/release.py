"""Sources to starter/ and solutions/: what students receive, and the solved notebooks.

A source notebook (jupytext Markdown) marks its cells: ``question="f"`` holds an import of the
reference f, ``grade="f"`` its visible check, ``written="name" points=4`` an answer in words that a
person grades. Here the import becomes the function's source, cut out of its module; nbgrader's own
preprocessors then clear the solution, lock and sign the cells.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
)

from .devices import equipped
from .errors import BadSource, GraderError
from .feedback import number
from .layers import carried
from .limits import Limits
from .questions import PROJECT, SKIP, Assignment, Question, imported_reference
from .runner import Graded, grade_file

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
SOLUTION_CELL_SECONDS = 300
# what cnnlab.data reads: kept in datasets/, and copied, because students have starter/ alone
DATA_FILES = ("registry.toml", "toys.png")


# -- from the source notebook to one with full answers ----------------------------------------


def read_source(assignment: Assignment) -> NotebookNode:
    """The source as a notebook with references filled in, and nbgrader's metadata."""
    notebook = jupytext.reads(assignment.source.read_text("utf-8"), fmt="md")
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    )
    notebook.nbformat_minor = 5
    questions = {question.id: question for question in assignment.questions}
    seen: dict[str, list[str]] = {"question": [], "grade": []}
    for cell in notebook.cells:
        for kind in seen:
            if kind in cell.metadata:
                seen[kind].append(cell.metadata[kind])
        _mark(cell, questions)
    _check_questions(seen, questions, assignment)
    _assign_ids(notebook)
    return notebook


def _mark(cell: NotebookNode, questions: dict[str, Question]) -> None:
    marks = cell.metadata
    # a check that fails, or a demonstration without its function, must not stop Run All
    tags = [*marks.get("tags", []), *(["raises-exception"] if "grade" in marks else [])]
    tags += ["raises-exception"] if SKIP in tags else []
    kept = {"tags": tags} if tags else {}
    if "question" in marks:
        name, module = imported_reference(cell.source, f"of the cell for {marks['question']}")
        if name != marks["question"]:
            raise BadSource(f"the cell question={marks['question']!r} imports {name}")
        cell.source = function_source(PROJECT / (module.replace(".", "/") + ".py"), name)
        kept["nbgrader"] = _nbgrader(cell, name, solution=True)
    elif "grade" in marks:
        question = questions.get(marks["grade"])
        if question is None:
            raise BadSource(f"no hidden test is marked @question({marks['grade']!r}, points=…)")
        worth = f"{number(question.points)} point{'s' if question.points != 1 else ''}"
        cell.source += f"  # {'extra credit: ' if question.extra_credit else ''}{worth}"
        # nbgrader knows no automatic extra credit: worth 0 there, and its own column beside
        kept["nbgrader"] = _nbgrader(
            cell,
            question.grade_cell,
            grade=True,
            locked=True,
            points=0 if question.extra_credit else question.points,
        )
    elif "written" in marks:
        kept["nbgrader"] = _nbgrader(
            cell, marks["written"], grade=True, solution=True, points=float(marks["points"])
        )
    cell.metadata = nbformat.from_dict(kept)


def _nbgrader(cell: NotebookNode, grade_id: str, **settings) -> dict:
    return {
        "grade_id": grade_id,
        "grade": False,
        "solution": False,
        "locked": False,
        "task": False,
        "cell_type": cell.cell_type,
        "schema_version": 3,
        **settings,
    }


def _check_questions(seen: dict[str, list[str]], questions: dict, assignment: Assignment) -> None:
    for kind, names in seen.items():
        missing, twice = set(questions) - set(names), {n for n in names if names.count(n) > 1}
        unknown = set(names) - set(questions)
        for problem, which in (
            ("lacks", missing),
            ("has twice", twice),
            ("has, without a hidden test,", unknown),
        ):
            if which:
                raise BadSource(
                    f"{assignment.source.name} {problem} {kind}= cells for: "
                    f"{', '.join(sorted(which))}"
                )


def _assign_ids(notebook: NotebookNode) -> None:
    """Cell ids that stay the same from build to build: jupytext draws them at random."""
    used: set[str] = set()
    for cell in notebook.cells:
        base = cell.metadata.get("nbgrader", {}).get("grade_id")
        base = base or "c" + hashlib.sha256(cell.source.encode()).hexdigest()[:10]
        copies = sum(name == base or name.startswith(f"{base}-copy") for name in used)
        cell.id = (base if not copies else f"{base}-copy{copies}")[:64]
        used.add(cell.id)


def function_source(path: Path, name: str) -> str:
    """A top-level function's or class's source, with the comments that end its body.

    A function has one solution, a class one in each method that students write. Nothing is
    imported.
    """
    text = path.read_text("utf-8")
    lines = text.splitlines()
    for node in ast.parse(text, str(path)).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
            last = node.end_lineno
            while last < len(lines) and (not lines[last].strip() or lines[last][0].isspace()):
                last += 1
            source = "\n".join(lines[first:last]).rstrip()
            _check_regions(node, source, path)
            return source
    raise BadSource(f"{path.name} has no top-level function {name}. Is the name misspelt?")


def _check_regions(node: ast.FunctionDef | ast.ClassDef, source: str, path: Path) -> None:
    """Raise BadSource unless a function has one solution, and a class at least one."""
    marks = re.findall(rf"^\s*({BEGIN}|{END})\s*$", source, re.M)
    is_class = isinstance(node, ast.ClassDef)
    right = marks == [BEGIN, END] * (max(1, len(marks) // 2) if is_class else 1)
    if not right or source.count(BEGIN) + source.count(END) != len(marks):
        each = " for each method that students write" if is_class else ""
        raise BadSource(f"{node.name} in {path.name} needs one {BEGIN} and one {END}{each}")


# -- the two products -------------------------------------------------------------------------


def build_release(assignment: Assignment) -> NotebookNode:
    """What students receive."""
    notebook, resources = read_source(assignment), {}
    for step in (LockCells, ClearSolutions, ClearOutput, CheckCellMetadata, ComputeChecksums):
        notebook, resources = step().preprocess(notebook, resources)
    carried(notebook)  # a name that cannot be supplied fails here, and not when a class is graded
    return notebook


def build_solution(assignment: Assignment) -> NotebookNode:
    """The solved notebook, run from top to bottom.

    Raises BadSource where a cell raises, and NoPackages where one that it is about is missing.
    """
    equipped(Limits(), assignment)
    notebook = read_source(assignment)
    for cell in notebook.cells:
        lines = [line for line in cell.source.splitlines() if line.strip() not in (BEGIN, END)]
        cell.source = "\n".join(lines)
    folder = assignment.solution.parent
    folder.mkdir(parents=True, exist_ok=True)
    client = NotebookClient(
        notebook,
        timeout=SOLUTION_CELL_SECONDS,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,  # where a print is cut into two messages is chance
        extra_arguments=["--log-level=ERROR"],
        skip_cells_with_tag="",  # here the demonstrations run too,
        force_raise_errors=True,  # and whatever raises stops the build
        resources={"metadata": {"path": str(folder)}},  # what it saves belongs beside it
    )
    try:
        # one thread, fixed hashes, no bars with times: the outputs are the same each time. What a
        # notebook carries comes from the solved ones, not from whatever lies around this project
        settings = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "TQDM_DISABLE"), "1")
        settings |= {"PYTHONHASHSEED": "0", "CNNLAB_CARRY": str(PROJECT / "solutions")}
        client.execute(env={**os.environ, **settings})
    except CellExecutionError as error:
        raise BadSource(f"the solution of {assignment.name} stops:\n{error}") from None
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": KERNELSPEC,
            "language_info": {"name": "python"},
            "cnnlab": {"built_from": built_from(assignment)},
        }
    )
    return notebook


def built_from(assignment: Assignment) -> str:
    """A hash of all that a solved notebook is made from."""
    files = [
        assignment.source,
        assignment.hidden_tests,
        *(PROJECT / "solutions").glob("*.py"),
        *(PROJECT / "starter" / "cnnlab").rglob("*.py"),
        *(PROJECT / "datasets" / name for name in DATA_FILES),
    ]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(PROJECT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def to_text(notebook: NotebookNode) -> str:
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n"


@dataclass
class Written:
    """What ``release`` did to one assignment."""

    assignment: Assignment
    files: list[tuple[Path, bool]] = field(default_factory=list)  # (file, whether it changed)


def release(assignment: Assignment) -> Written:
    """Write the starter and the solved notebook, where they are not what they should be."""
    written = Written(assignment)
    text = to_text(build_release(assignment))
    written.files.append((assignment.release, _write(assignment.release, text)))
    if _solution_is_stale(assignment):
        text = to_text(build_solution(assignment))
        written.files.append((assignment.solution, _write(assignment.solution, text)))
    else:
        written.files.append((assignment.solution, False))
    return written


def release_data(project: Path = PROJECT) -> list[tuple[Path, bool]]:
    """Copy the data files from datasets/ to cnnlab. Returns (file, whether it changed)."""
    return [(copy, _write(copy, original.read_bytes())) for original, copy in _data_files(project)]


def check_data(project: Path = PROJECT) -> list[str]:
    """Which of cnnlab's data files are not those of datasets/, in sentences."""
    return [
        f"{copy.relative_to(project)} is not the same as {original.relative_to(project)}. "
        "Change that one, then run: autograder release"
        for original, copy in _data_files(project)
        if not copy.exists() or copy.read_bytes() != original.read_bytes()
    ]


def _data_files(project: Path) -> list[tuple[Path, Path]]:
    shipped = project / "starter" / "cnnlab" / "data"
    return [(project / "datasets" / name, shipped / name) for name in DATA_FILES]


def _write(path: Path, content: str | bytes) -> bool:
    content = content.encode() if isinstance(content, str) else content
    if path.exists() and path.read_bytes() == content:
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise GraderError(f"{path} cannot be written: {error.strerror}.") from None
    return True


def _solution_is_stale(assignment: Assignment) -> bool:
    if not assignment.solution.exists():
        return True
    metadata = json.loads(assignment.solution.read_text("utf-8")).get("metadata", {})
    return metadata.get("cnnlab", {}).get("built_from") != built_from(assignment)


# -- the check --------------------------------------------------------------------------------


def check_release(assignment: Assignment, *, sandboxed: bool = True) -> list[str]:
    """What is wrong with what is committed, in sentences; empty if nothing is."""
    problems = []
    fix = "Run: autograder release"
    if not assignment.release.exists() or (
        assignment.release.read_text("utf-8") != to_text(build_release(assignment))
    ):
        problems.append(f"{_short(assignment.release)} is not what its source gives. {fix}")
    if _solution_is_stale(assignment):
        problems.append(f"{_short(assignment.solution)} is older than its source. {fix}")
    problems += find_leaks(assignment, PROJECT / "starter")
    if not (assignment.release.exists() and assignment.solution.exists()):
        return problems
    problems += [
        f"{_short(assignment.solution)} shows an error in cell {number_}: {what}"
        for number_, what in _error_outputs(assignment.solution)
    ]
    starter = grade_file(assignment.release, sandboxed=sandboxed)
    solution = grade_file(assignment.solution, sandboxed=sandboxed)
    for question in starter.report.questions:
        if question.score > 0:
            problems.append(
                f"the starter scores {question.score} on {question.id}: a hidden test "
                "passes for a function that is not written"
            )
    problems += _below_full(solution)
    return problems


def _below_full(solution: Graded) -> list[str]:
    problems = []
    for question in solution.report.questions:
        for test in question.tests:
            if not test.passed:
                problems.append(f"the solution fails {question.id}, “{test.name}”: {test.message}")
    return problems + [f"the grader failed: {error}" for error in solution.report.grader_errors]


def _error_outputs(path: Path) -> list[tuple[int, str]]:
    cells = nbformat.read(path, as_version=4).cells
    return [
        (index, output.ename)
        for index, cell in enumerate(cells)
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]


def find_leaks(assignment: Assignment, folder: Path) -> list[str]:
    """Places in ``folder`` that hold lines of an answer, or import the answers."""
    answers = {}
    for cell in read_source(assignment).cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if BEGIN in cell.source:
            answers[grade_id] = _telling_lines(cell.source)
    problems = []
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".py", ".ipynb", ".md", ".txt", ".toml") or not path.is_file():
            continue
        text = _all_source(path)
        present = {_squeeze(line) for line in text.splitlines()}
        if re.search(r"^\s*(from|import) solutions\b", text, re.M):
            problems.append(f"{_short(path)} imports the solutions")
        for grade_id, lines in answers.items():
            found = lines & present
            if len(found) >= max(1, len(lines) // 3):
                problems.append(
                    f"{_short(path)} holds lines of the answer to {grade_id}, such as: {min(found)}"
                )
    return problems


def _telling_lines(source: str) -> set[str]:
    """The lines of an answer that say something; a stub or a docstring may share the others."""
    outside, lines, inside = set(), set(), False
    for line in source.splitlines():
        if line.strip() in (BEGIN, END):
            inside = line.strip() == BEGIN
        else:
            (lines if inside else outside).add(_squeeze(line))
    return {line for line in lines - outside if len(line) >= 16 and not line.startswith("#")}


def _all_source(path: Path) -> str:
    """A file's text; for a notebook its sources and its outputs' text."""
    if path.suffix != ".ipynb":
        return path.read_text("utf-8", "replace")
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(cell.source + "\n" + json.dumps(cell.get("outputs", [])) for cell in cells)


def _squeeze(line: str) -> str:
    return re.sub(r"\s+", "", line)


def _short(path: Path) -> str:
    return str(path.relative_to(PROJECT)) if PROJECT in path.parents else str(path)
