"""Grades mutated notebooks: nothing may raise or hang, and no score may be wrong.

    python tests/hostile/fuzz_notebooks.py --count 2000 --seed 0 --workers 2

Each notebook is the starter with right answers, stubs and misconceptions mixed in, and then changed
in one to six ways. What its questions must score is known:

- After harmless changes only, every score is what the same answers got unchanged.
- After any change, a question that was unwritten or wrong is not full.
- A right answer whose text is still there, word for word, in exactly one code cell, keeps its
  score. (The gradient of a layer needs the student's own forward pass: that must be there too.)

``--load`` stops before the kernel and checks the restored notebook instead, in milliseconds. A
failure's folder is kept in build/fuzz, and ``--seed N --only K`` makes it again.
"""

from __future__ import annotations

import argparse
import copy
import functools
import io
import json
import multiprocessing
import random
import re
import shutil
import signal
import sys
import tarfile
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

if __name__ == "__main__":  # run as a script, from anywhere
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from autograder import demo
from autograder.diagnose import MISCONCEPTIONS, load_misconceptions
from autograder.questions import PROJECT, find_assignment, grade_cell
from autograder.runner import grade
from autograder.submission import Submission, load_or_empty

ASSIGNMENT = find_assignment("2_conv_layers")
QUESTIONS = {question.id: question for question in ASSIGNMENT.questions}
NEEDS = {q: q.replace("backward", "forward") for q in QUESTIONS if "backward" in q}
MIXES = 12  # different sets of answers in a run; each is graded once unchanged
GRADE_SECONDS, LOAD_SECONDS = 120, 5
FAILURES = PROJECT / "build" / "fuzz"
JUNK = [None, True, -1, 1e308, 10**30, "", "x", "\ud800", "code", [], {}, [[]], {"a": None}]


# -- the answers ------------------------------------------------------------------------------


@functools.cache
def right_answers() -> dict[str, str]:
    return demo.answers(ASSIGNMENT)


@functools.cache
def wrong_answers(question: str) -> list[str]:
    """The misconceptions that define no other question's function along with their own."""
    load_misconceptions(ASSIGNMENT.misconceptions)
    sources = [
        demo.misconception_source(ASSIGNMENT, question, name)
        for name in MISCONCEPTIONS.get(question, {})
    ]
    # each with names of its own: the cells of a notebook share theirs
    sources = [re.sub(r"\breference\b", f"reference_{question}", source) for source in sources]
    others = set(QUESTIONS) - {question}
    return [s for s in sources if others.isdisjoint(re.findall(r"^def (\w+)", s, re.M))]


@dataclass
class Mix:
    """Some answers: their sources, and which of them are right."""

    answers: dict[str, str]
    right: set[str]


def draw_mix(seed: int, number: int) -> Mix:
    rng = random.Random(f"mix {seed} {number}")
    mix = Mix({}, set())
    for question, source in right_answers().items():
        kind = rng.choices(["right", "wrong", "stub"], [6, 2, 2])[0] if number else "right"
        if kind == "right" or question not in QUESTIONS:
            mix.answers[question] = source
            mix.right.add(question)
        elif kind == "wrong" and wrong_answers(question):
            mix.answers[question] = rng.choice(wrong_answers(question))
    mix.right &= set(QUESTIONS)
    return mix


# -- harmless changes: (rng, notebook) -> None, in place ---------------------------------------

Notebook = dict
MUTATIONS: dict[str, tuple[int, bool, Callable]] = {}  # name -> phase, harmless, function


def mutation(phase: int, harmless: bool = True):
    """Those of an earlier phase come first: what needs two cells in a row comes late."""

    def register(function: Callable) -> Callable:
        MUTATIONS[function.__name__] = (phase, harmless, function)
        return function

    return register


def nbgrader(cell: dict) -> dict:
    return cell["metadata"].get("nbgrader", {})


def answer_cells(nb: Notebook) -> list[dict]:
    return [c for c in nb["cells"] if nbgrader(c).get("grade_id") in right_answers()]


def locked_cells(nb: Notebook) -> list[dict]:
    names = {grade_cell(question) for question in QUESTIONS}
    return [c for c in nb["cells"] if nbgrader(c).get("grade_id") in names]


def text_cells(nb: Notebook) -> list[dict]:
    return [c for c in nb["cells"] if c["cell_type"] == "markdown" and not nbgrader(c)]


def some(rng: random.Random, things: list, most: int = 6) -> list:
    return rng.sample(things, min(len(things), rng.randint(1, most)))


@mutation(1)
def ids_changed(rng, nb):
    for cell in some(rng, nb["cells"], 40):
        cell["id"] = rng.choice(["x" * 70, "no good!", "", f"{rng.random()}"[2:]])


@mutation(1)
def ids_copied(rng, nb):
    ids = [cell.get("id") for cell in nb["cells"]]
    for cell in some(rng, nb["cells"], 20):
        cell["id"] = rng.choice(ids)


@mutation(1)
def ids_lost(rng, nb):
    nb["nbformat_minor"] = 0
    for cell in nb["cells"]:
        cell.pop("id", None)
        cell["metadata"]["id"] = f"{rng.random()}"[2:14]  # where Colab has them


@mutation(1)
def marks_forged(rng, nb):
    for cell in nb["cells"]:
        if nbgrader(cell) and rng.random() < 0.5:
            nbgrader(cell).update(
                points=rng.choice([0, 1000, "9", None]),
                grade=rng.random() < 0.5,
                solution=rng.random() < 0.5,
                locked=rng.random() < 0.5,
                task=rng.random() < 0.2,
                schema_version=rng.choice([1, 2, 3, 99]),
                checksum="0" * 32,
            )


@mutation(2)
def marks_lost(rng, nb):
    kinds = {nbgrader(cell).get("grade_id"): cell["cell_type"] for cell in answer_cells(nb)}
    if any(kinds.get(question, "code") != "code" for question in QUESTIONS):
        return  # nothing would tell such an answer from a text
    for cell in nb["cells"]:
        cell["metadata"].pop("nbgrader", None)


@mutation(1)
def tags_changed(rng, nb):
    for cell in some(rng, [c for c in nb["cells"] if nbgrader(c)]):
        cell["metadata"]["tags"] = rng.choice([["skip-execution"], ["hide"], "x", [None]])


@mutation(1)
def unknown_keys(rng, nb):
    for thing in [nb, nb["metadata"], *some(rng, nb["cells"])]:
        thing[rng.choice(["colab", "outputId", "vscode", "é\n"])] = rng.choice(JUNK)


@mutation(1)
def another_kernel(rng, nb):
    nb["metadata"]["kernelspec"] = {"name": rng.choice(["bash", "../x", ""]), "language": "R"}
    nb["metadata"]["language_info"] = {"name": "R"}


@mutation(1)
def another_minor(rng, nb):
    nb["nbformat_minor"] = rng.choice([0, 4, 77, -1, "5", None])


@mutation(1)
def outputs_prepared(rng, nb):
    score = {"output_type": "execute_result", "data": {"text/plain": "1000.0"}, "metadata": {}}
    odd = [score | {"execution_count": 1}], [None], "x", {}, [{"output_type": "error"}]
    for cell in some(rng, [c for c in nb["cells"] if c["cell_type"] == "code"], 30):
        cell["outputs"], cell["execution_count"] = rng.choice(odd), rng.choice([1, "x", None])


@mutation(1)
def tests_edited(rng, nb):
    for cell in some(rng, locked_cells(nb)):
        cell["source"] = rng.choice(["1000.0", "", "def check(f): return 9\n", "oops(", "1/0"])


@mutation(1)
def tests_deleted(rng, nb):
    for cell in some(rng, locked_cells(nb)):
        nb["cells"].remove(cell)


@mutation(1)
def tests_copied(rng, nb):
    for cell in some(rng, locked_cells(nb)):
        nb["cells"].insert(rng.randint(0, len(nb["cells"])), copy.deepcopy(cell))


@mutation(1)
def tests_moved(rng, nb):
    for cell in some(rng, locked_cells(nb)):
        nb["cells"].remove(cell)
        nb["cells"].insert(rng.randint(0, len(nb["cells"])), cell)


@mutation(1)
def locked_cells_retyped(rng, nb):
    for cell in some(rng, locked_cells(nb)):
        cell["cell_type"] = rng.choice(["markdown", "raw"])


@mutation(1)
def answers_retyped(rng, nb):
    for cell in some(rng, answer_cells(nb)):
        cell["cell_type"] = rng.choice(["markdown", "raw", "code"])


@mutation(1)
def texts_shuffled(rng, nb):
    texts = text_cells(nb)
    moved = iter(rng.sample(texts, len(texts)))
    where = {id(cell) for cell in texts}
    nb["cells"] = [next(moved) if id(cell) in where else cell for cell in nb["cells"]]


@mutation(1)
def texts_deleted(rng, nb):
    for cell in some(rng, text_cells(nb), 30):
        nb["cells"].remove(cell)


@mutation(1)
def imports_deleted(rng, nb):
    nb["cells"] = [c for c in nb["cells"] if not c["source"].startswith("import matplotlib")]


@mutation(1)
def attachments(rng, nb):
    for cell in some(rng, nb["cells"]):
        cell["attachments"] = rng.choice([{"a.png": {"image/png": "QUJD"}}, None, {"x": 1}, []])


@mutation(2)
def cells_added(rng, nb):
    sources = [
        *("1/0", "x = = 1", "%matplotlib inline", "!ls", "input()", "print('é' * 100)", "é = 1"),
        *("def helper(x):\n    return x", "    y = 1", "'''\ndef conv_cost(x):\n  pass\n'''", ""),
        *("# def conv_cost():", "import warnings\nwarnings.warn('a')", "raise SystemExit", "\0"),
    ]
    for _ in range(rng.randint(1, 5)):
        new = {"cell_type": rng.choice(["code", "code", "markdown", "raw"]), "metadata": {}}
        new["source"] = rng.choice(sources)
        nb["cells"].insert(rng.randint(0, len(nb["cells"])), new)


@mutation(2)
def stubs_copied(rng, nb):
    """The released cell once more, below the answer that was written into it or above."""
    released = json.loads(ASSIGNMENT.release.read_text("utf-8"))
    for cell in released["cells"]:
        cell["source"] = "".join(cell["source"])
    for stub in some(rng, answer_cells(released)):
        if rng.random() < 0.3:
            stub["metadata"] = {}
        nb["cells"].insert(rng.randint(0, len(nb["cells"])), stub)


@mutation(2)
def answers_copied(rng, nb):
    for cell in some(rng, answer_cells(nb), 3):
        nb["cells"].insert(nb["cells"].index(cell), copy.deepcopy(cell))


@mutation(3)
def answers_split(rng, nb):
    """As JupyterLab splits a cell: both halves keep the mark."""
    for cell in some(rng, [c for c in answer_cells(nb) if c["cell_type"] == "code"], 3):
        lines = cell["source"].split("\n")
        places = [
            i
            for i in range(1, len(lines))
            if re.match(r" +[^ #]", lines[i]) and "return" in "\n".join(lines[i:])
        ]
        if places and "'''" not in cell["source"]:
            place = rng.choice(places)
            rest = copy.deepcopy(cell) | {"source": "\n".join(lines[place:]), "id": "rest"}
            cell["source"] = "\n".join(lines[:place])
            nb["cells"].insert(nb["cells"].index(cell) + 1, rest)


@mutation(4)
def line_ends(rng, nb):
    end = rng.choice(["\r\n", "\r"])
    for cell in nb["cells"]:
        if isinstance(cell["source"], str):
            cell["source"] = cell["source"].replace("\n", end)


@mutation(5)
def sources_in_parts(rng, nb):
    for cell in nb["cells"]:
        source = cell["source"]
        if isinstance(source, str) and rng.random() < 0.7:
            cuts = sorted(rng.randint(0, len(source)) for _ in range(rng.randint(0, 9)))
            parts = [source[a:b] for a, b in zip([0, *cuts], [*cuts, len(source)], strict=True)]
            cell["source"] = [*parts, rng.choice([None, 5, [], {}])]


@mutation(6)
def an_old_format(rng, nb):
    for cell in nb["cells"]:
        if cell["cell_type"] == "code" and "input" not in cell and "source" in cell:
            cell["input"] = cell.pop("source")
    nb.update(nbformat=3, worksheets=[{"cells": nb.pop("cells"), "metadata": {}}])


@mutation(6)
def a_future_format(rng, nb):
    nb["nbformat"] = rng.choice([5, 6, 99, 10**25]) if "cells" in nb else 3


# -- destructive ones --------------------------------------------------------------------------


@mutation(2, harmless=False)
def cells_deleted(rng, nb):
    for cell in some(rng, nb["cells"], 30):
        nb["cells"].remove(cell)


@mutation(2, harmless=False)
def answers_garbled(rng, nb):
    for cell in some(rng, answer_cells(nb), 4):
        source = cell["source"]
        place = rng.randint(0, len(source))
        junk = rng.choice(["§", "((", "\0", "'''", "\n  \t$", "\ud800"])
        cell["source"] = rng.choice([source[:place] + junk, source[:place] + junk + source[place:]])


@mutation(2, harmless=False)
def cells_mixed_up(rng, nb):
    sources = [cell["source"] for cell in nb["cells"]]
    for cell in some(rng, nb["cells"], 3):
        cell["source"] = rng.choice(sources)


@mutation(7, harmless=False)
def values_substituted(rng, nb):
    for _ in range(rng.randint(1, 8)):
        paths = list(_paths(nb))
        if paths:
            holder, key = rng.choice(paths)
            holder[key] = rng.choice(JUNK)


def _paths(value):
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, (dict, list)):
            yield from _paths(inner)


# -- and of the file's bytes -------------------------------------------------------------------


def cut_off(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randint(0, len(data))]


def bytes_flipped(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 12)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def piece_lost(rng: random.Random, data: bytes) -> bytes:
    place = rng.randint(0, len(data))
    return data[:place] + data[place + rng.randint(1, 5000) :]


def piece_twice(rng: random.Random, data: bytes) -> bytes:
    place = rng.randint(0, len(data))
    return data[: place + rng.randint(1, 5000)] + data[place:]


def merge_markers(rng: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    lines.insert(rng.randint(0, len(lines)), b"<<<<<<< HEAD")
    return b"\n".join(lines)


DAMAGES = [cut_off, bytes_flipped, piece_lost, piece_twice, merge_markers]


def _written(rng: random.Random, nb: Notebook) -> bytes:
    """The notebook as a file, in one of the ways that programs write JSON."""
    indent, ascii_only = rng.choice([None, 1, 2]), rng.random() < 0.5
    text = json.dumps(nb, indent=indent, ensure_ascii=ascii_only, sort_keys=rng.random() < 0.5)
    text = text.encode("utf-8", "replace").decode()  # half of a pair of surrogates
    encoding = rng.choices(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"], [7, 1, 1, 1])[0]
    return text.replace("\n", rng.choice(["\n", "\r\n"])).encode(encoding)


# -- how it is handed in -----------------------------------------------------------------------

NAME = f"{ASSIGNMENT.notebook}.ipynb"
PLACES = [
    *(NAME, "conv_layers (1).ipynb", "Conv_Layers.ipynb", "Copy of conv_layers.ipynb"),
    *("2_conv_layers/conv_layers.ipynb", "my work/é/conv_layers-ada.IPYNB"),
    *("work.zip:conv_layers.ipynb", "work.zip:a/b/x.ipynb", "work.tar.gz:2_conv_layers/x.ipynb"),
]


def hand_in(folder: Path, place: str, data: bytes) -> None:
    archive, colon, name = place.partition(":")
    path = folder / archive
    path.parent.mkdir(parents=True, exist_ok=True)
    if not colon:
        path.write_bytes(data)
    elif archive.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
            zipped.writestr(name, data)
            zipped.writestr(f"__MACOSX/._{name}", b"\0")
    else:
        with tarfile.open(path, "w:gz") as tar:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


# -- a case, and what it deserves --------------------------------------------------------------


@dataclass
class Case:
    seed: int
    number: int
    mix: int
    data: bytes = b""
    place: str = NAME
    changes: list[str] = field(default_factory=list)
    harmless: bool = True
    kept: set[str] = field(default_factory=set)  # right answers that are there, word for word


def make_case(seed: int, number: int) -> Case:
    rng = random.Random(f"case {seed} {number}")
    case = Case(seed, number, number % MIXES)
    mix = draw_mix(seed, case.mix)
    notebook = json.loads(nbformat.writes(demo.fill_in(ASSIGNMENT, mix.answers), split_lines=False))
    damaging = rng.random() < 0.5
    names = [name for name, (_, harmless, _) in MUTATIONS.items() if harmless or damaging]
    case.changes = rng.sample(names, rng.randint(1, 6))
    case.changes.sort(key=lambda name: MUTATIONS[name][0])
    if {"an_old_format", "a_future_format"} <= {*case.changes}:
        case.changes.remove("a_future_format")
    for name in case.changes:
        MUTATIONS[name][2](rng, notebook)
    case.data = _written(rng, notebook)
    if damaging and rng.random() < 0.5:
        damage = rng.choice(DAMAGES)
        case.data = damage(rng, case.data)
        case.changes.append(damage.__name__)
    case.harmless = all(name in MUTATIONS and MUTATIONS[name][1] for name in case.changes)
    if rng.random() < 0.3:
        case.place = rng.choice(PLACES)
    case.kept = _kept(case, mix)
    return case


def _kept(case: Case, mix: Mix) -> set[str]:
    if case.harmless:
        return set(QUESTIONS)
    try:
        notebook = json.loads(case.data.decode(json.detect_encoding(case.data)))
        cells = notebook["worksheets"][0] if "worksheets" in notebook else notebook
        cells = [cell for cell in cells["cells"] if isinstance(cell, dict)]
        newer = not notebook.get("nbformat", 4) < 4
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return set()  # nobody can say what is left of it
    found = [(cell, _source(cell)) for cell in cells]
    kept = set()
    for question, answer in mix.answers.items():
        holders = [cell for cell, text in found if re.search(rf"\bdef {question}\b", text)]
        same = [c for c, text in found if text.strip() == answer.strip()]
        if len(holders) == 1 and same == holders and holders[0].get("cell_type") == "code":
            kept.add(question)
    # a number in place of the format's version, or a source under both names, is anybody's guess
    return {q for q in kept if newer and NEEDS.get(q, q) in kept} & mix.right


def _source(cell: dict) -> str:
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    text = source if isinstance(source, str) else ""
    return text.replace("\r\n", "\n").replace("\r", "\n")


# -- the checks --------------------------------------------------------------------------------


def submission_of(case: Case, folder: Path) -> Submission:
    hand_in(folder, case.place, case.data)
    start = time.monotonic()
    loaded = load_or_empty(folder / NAME, ASSIGNMENT)
    seconds = time.monotonic() - start
    if seconds > LOAD_SECONDS:
        raise AssertionError(f"reading it took {seconds:.1f} s")
    return loaded


def check_loaded(case: Case) -> list[str]:
    """What is wrong with the restored notebook."""
    mix = draw_mix(case.seed, case.mix)
    with tempfile.TemporaryDirectory() as folder:
        loaded = submission_of(case, Path(folder, "first"))
        nbformat.validate(loaded.notebook)
        # nbgrader gets a copy of what was read, and reads it again: it must be the same
        again = Path(folder, "again", NAME)
        again.parent.mkdir()
        again.write_text(nbformat.writes(loaded.notebook), "utf-8")
        problems = []
        if load_or_empty(again, ASSIGNMENT).digest() != loaded.digest():
            problems.append("read again, it is another submission")
    where = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in loaded.notebook.cells]
    for question in QUESTIONS:
        if (where.count(question), where.count(grade_cell(question))) != (1, 1):
            problems.append(f"{question} or its tests are not there once")
        elif where.index(question) > where.index(grade_cell(question)):
            problems.append(f"{question} comes after its tests")
        elif question in case.kept and question in mix.answers:
            source = loaded.notebook.cells[where.index(question)].source
            if _words(source) != _words(mix.answers[question]):
                problems.append(f"{question} is not the answer that was written")
    return problems


def _words(source: str) -> list[str]:
    return source.split()


def scores_of(loaded: Submission, seed: int) -> tuple[dict[str, float], tuple[str, ...]]:
    report = grade(loaded, ASSIGNMENT, seed=seed).report
    return {question.id: question.score for question in report.questions}, report.grader_errors


def unchanged_scores(seed: int, mix: int) -> dict[str, float]:
    """What a mix's answers get without any change."""
    drawn = draw_mix(seed, mix)
    scores, _ = scores_of(Submission(demo.fill_in(ASSIGNMENT, drawn.answers)), seed)
    for question in QUESTIONS.values():
        full = scores[question.id] == question.points
        needed = {question.id, NEEDS.get(question.id, question.id)}
        if (full and question.id not in drawn.right) or (not full and needed <= drawn.right):
            raise AssertionError(f"unchanged, {question.id} of mix {mix} gets {scores}")
    return scores


def check_graded(case: Case, expected: dict[str, float]) -> list[str]:
    """Which scores are wrong."""
    mix = draw_mix(case.seed, case.mix)
    with tempfile.TemporaryDirectory() as folder:
        scores, errors = scores_of(submission_of(case, Path(folder)), case.seed)
    problems = [f"the grader failed: {error}" for error in errors]
    for question in QUESTIONS.values():
        score, before = scores[question.id], expected[question.id]
        if question.id in case.kept and score != before:
            problems.append(f"{question.id} gets {score:g} instead of {before:g}")
        elif question.id not in mix.right and score >= question.points:
            problems.append(f"{question.id} is wrong or unwritten, and gets {score:g}")
    return problems


class TookTooLong(BaseException):
    """Not an Exception: no one but the check below may catch it."""


def check(seed: int, number: int, expected: dict[int, dict[str, float]] | None) -> list[str]:
    """In a worker: everything that is wrong with how one case was treated."""

    def stop(*_):
        raise TookTooLong

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(GRADE_SECONDS)
    try:
        case = make_case(seed, number)
        problems = check_loaded(case)
        return problems + (check_graded(case, expected[case.mix]) if expected else [])
    except TookTooLong:
        return [f"it took more than {GRADE_SECONDS} s\n{traceback.format_exc()}"]
    except Exception:
        return [traceback.format_exc()]
    finally:
        signal.alarm(0)


# -- the run -----------------------------------------------------------------------------------


def run(
    seed: int,
    numbers: list[int],
    workers: int = 2,
    load_only: bool = False,
    progress: Callable[[int, int, int], None] = lambda *_: None,
) -> dict[int, list[str]]:
    """Number of a case -> what was wrong with it."""
    failures: dict[int, list[str]] = {}
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        expected = None
        if not load_only:
            used = sorted({number % MIXES for number in numbers})
            scores = pool.map(unchanged_scores, [seed] * len(used), used)
            expected = dict(zip(used, scores, strict=True))
        jobs = {pool.submit(check, seed, number, expected): number for number in numbers}
        left = set(jobs)
        while left:
            done, left = wait(left, timeout=2 * GRADE_SECONDS, return_when=FIRST_COMPLETED)
            if not done:  # not even the alarm was heard
                for process in pool._processes.values():
                    process.kill()
                raise SystemExit(f"Hung: one of the first {workers} of {_numbers(jobs, left)}")
            for job in done:
                if problems := job.result():
                    failures[jobs[job]] = problems
                    keep(seed, jobs[job], problems)
            progress(len(jobs) - len(left), len(jobs), len(failures))
    return failures


def _numbers(jobs: dict, left: set) -> list[int]:
    return sorted(jobs[job] for job in left)


def keep(seed: int, number: int, problems: list[str]) -> Path:
    """Write a failure down, to be looked at and made again."""
    case = make_case(seed, number)
    folder = FAILURES / f"seed-{seed}-only-{number}"
    shutil.rmtree(folder, ignore_errors=True)
    hand_in(folder, case.place, case.data)
    about = [
        *problems,
        f"changes: {', '.join(case.changes)}",
        f"handed in as: {case.place}",
        f"right: {sorted(draw_mix(seed, case.mix).right)}",
        f"should be kept: {sorted(case.kept)}",
        f"again: python tests/hostile/fuzz_notebooks.py --seed {seed} --only {number}",
    ]
    (folder / "why.txt").write_text("\n".join(about) + "\n", "utf-8")
    return folder


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="this one case")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--load", action="store_true", help="read and restore, without a kernel")
    options = parser.parse_args()
    numbers = list(range(options.count)) if options.only is None else [options.only]
    start = time.monotonic()

    def progress(done: int, total: int, failed: int) -> None:
        seconds = time.monotonic() - start
        end = "\n" if done == total or (not sys.stdout.isatty() and done % 50 == 0) else ""
        if end or sys.stdout.isatty():
            print(f"\r{done} of {total}, {failed} failed, {seconds:.0f} s", end=end, flush=True)

    failures = run(options.seed, numbers, options.workers, options.load, progress)
    for number, problems in sorted(failures.items()):
        print(f"\n{FAILURES}/seed-{options.seed}-only-{number}: {'; '.join(problems)[-1500:]}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
