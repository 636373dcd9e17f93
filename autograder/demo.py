"""A made-up class: what students hand in, good, wrong, broken and hostile, ready to be graded.

    python -m autograder.demo build/demo

writes a course folder, grades it through nbgrader's gradebook, and says what to look at. The tests
of the kit make their submissions with the same functions.
"""

from __future__ import annotations

import ast
import copy
import inspect
import os
import re
import shlex
import shutil
import sys
import textwrap
import time
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from .cli import complain, print_class
from .cohort import Course, grade_class
from .diagnose import MISCONCEPTIONS, load_misconceptions
from .errors import GOES_ON, GraderError
from .questions import PROJECT, Assignment, find_assignment
from .release import BEGIN, END, function_source, read_source, to_text
from .submission import read_release

COURSE_CONFIG = """\
# This course's settings are the project's.
load_subconfig({path!r})  # noqa: F821 (traitlets provides it)
"""


# -- making a submission ----------------------------------------------------------------------


def answers(assignment: Assignment) -> dict[str, str]:
    """Question -> the reference's source, as a student would have written it."""
    found = {}
    for cell in read_source(assignment).cells:
        if BEGIN in cell.source:
            grade_id = cell.metadata.nbgrader.grade_id
            found[grade_id] = "\n".join(
                line for line in cell.source.splitlines() if line.strip() not in (BEGIN, END)
            )
    return found


def fill_in(assignment: Assignment, written: dict[str, str]) -> NotebookNode:
    """The starter with these answers written into its cells."""
    notebook = copy.deepcopy(read_release(assignment))
    for cell in notebook.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id in written:
            cell.source = written[grade_id]
    return notebook


def misconception_source(assignment: Assignment, question: str, name: str) -> str:
    """A misconception as the cell of a student who holds it; it stands on its own."""
    load_misconceptions(assignment.misconceptions)
    source = textwrap.dedent(inspect.getsource(MISCONCEPTIONS[question][name]))
    source = source[re.search(r"^(def|class) ", source, re.M).start() :]  # without the decorator
    used = sorted(
        {
            node.attr
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "reference"
        }
    )
    if not used:
        return re.sub(rf"^(def|class) {name}\b", rf"\1 {question}", source, count=1)
    return f"{_right_ones(assignment, used)}\n\n\n{source}\n\n{question} = {name}\n"


def _right_ones(assignment: Assignment, names: list[str]) -> str:
    """Code that makes ``reference``, with these references and those that they call themselves.

    Inside a function: the notebook's own functions of these names are not touched, nor called.
    """
    references, sources, wanted = assignment.references(), {}, list(names)
    while wanted:
        name = wanted.pop()
        if name not in sources:
            sources[name] = function_source(Path(inspect.getsourcefile(references[name])), name)
            called = {n.id for n in ast.walk(ast.parse(sources[name])) if isinstance(n, ast.Name)}
            wanted += sorted(called & references.keys())
    body = "\n\n".join(textwrap.indent(source, "    ") for source in sources.values())
    names = ", ".join(f"{name}={name}" for name in sources)
    return (
        "from types import SimpleNamespace\n\n\n"
        f"def right_ones():\n{body}\n\n    return SimpleNamespace({names})\n\n\n"
        "reference = right_ones()"
    )


# -- the class --------------------------------------------------------------------------------

CRASHES = """\
import os

def max_pool_forward_naive(x, pool_param):
    os.kill(os.getpid(), 9)
"""
NEVER_ENDS = """\
def conv_backward_naive(dout, cache):
    row = 0
    while row < dout.shape[2]:
        pass  # row += 1 was forgotten
"""
HALF_WRITTEN = """\
def avg_pool_forward_naive(x, pool_param):
    H_out = 1 + (x.shape[2] - pool_param["pool_height"]) // pool_param["stride"
"""
OWN_STYLE = """\
import warnings

def conv_forward_naive(x, w, b, conv_param):
    print("called with", x.shape)
    warnings.warn("this prints on stderr, which is no mistake")
    s, p = conv_param["stride"], conv_param["pad"]
    xp = np.pad(x, [(0, 0), (0, 0), (p, p), (p, p)])
    n, f = len(x), len(w)
    hh, ww = w.shape[2:]
    rows = range(0, xp.shape[2] - hh + 1, s)
    cols = range(0, xp.shape[3] - ww + 1, s)
    out = [[[[float((xp[i, :, r:r + hh, c:c + ww] * w[k]).sum() + b[k]) for c in cols]
             for r in rows] for k in range(f)] for i in range(n)]
    return [np.array(out), {"x": x, "w": w, "b": b, "conv_param": conv_param}]

def conv_backward_naive(dout, cache):
    x, w, s, p = cache["x"], cache["w"], cache["conv_param"]["stride"], cache["conv_param"]["pad"]
    xp = np.pad(x, [(0, 0), (0, 0), (p, p), (p, p)])
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for (n, f, i, j), g in np.ndenumerate(dout):
        at = (n, slice(None), slice(i * s, i * s + w.shape[2]), slice(j * s, j * s + w.shape[3]))
        dxp[at] += g * w[f]
        dw[f] += g * xp[at]
    return dxp[:, :, p:dxp.shape[2] - p, p:dxp.shape[3] - p], dw, dout.sum((0, 2, 3))
"""
FORGES = """\
import builtins, gc, sys, unittest.mock
import numpy as np

np.testing.assert_allclose = np.testing.assert_array_equal = lambda *a, **k: None
np.allclose = np.isclose = np.array_equal = lambda *a, **k: True

class Agreeable(np.ndarray):
    \"\"\"Equal to everything, of every shape.\"\"\"
    def __eq__(self, other): return np.array(True)
    def __array_function__(self, *args): return np.array(True)
    def __array_ufunc__(self, *args, **kwargs): return np.zeros(1)

for name in ("conv_output_size", "conv_cost", "receptive_field", "conv_forward_naive",
             "conv_backward_naive", "max_pool_forward_naive", "max_pool_backward_naive",
             "avg_pool_forward_naive", "avg_pool_backward_naive", "conv_forward_general"):
    globals()[name] = lambda *args, **kwargs: np.zeros(3).view(Agreeable)

def check(f):
    return 1000.0

get_ipython().display_formatter.format = lambda *a, **k: ({"text/plain": "1000.0"}, {})
get_ipython().run_cell = unittest.mock.MagicMock()
"""
READS = """\
import gc, glob, os, sys
from pathlib import Path
import cnnlab

def conv_forward_naive(x, w, b, conv_param):
    here = Path(cnnlab.__file__).resolve().parents
    homes = Path.home(), Path("/home"), Path("/root")
    places = [p for folder in (*here, *Path.cwd().parents, *homes)
              for pattern in ("solutions/*.py", "autograder/hidden/*.py", "*/*.ipynb", "*.db")
              for p in folder.glob(pattern)]
    places += glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cwd/*")
    for place in places:
        try:
            text = Path(place).read_text(errors="ignore")
        except OSError:
            continue
        if "def conv_forward_naive" in text:
            exec(text, globals())
            return globals()["conv_forward_naive"](x, w, b, conv_param)
    try:
        from solutions.convolution import conv_forward_naive as answer
        return answer(x, w, b, conv_param)
    except ImportError:
        pass
    for thing in gc.get_objects():
        if "solutions" in str(getattr(thing, "__module__", "")):
            return thing(x, w, b, conv_param)
    return np.zeros((1, 1, 1, 1)), None
"""


def make_class(assignment: Assignment) -> dict[str, NotebookNode]:
    """Student -> notebook. The names say what each handed in."""
    right = answers(assignment)

    def solved_but(**changed: str) -> NotebookNode:
        return fill_in(assignment, {**right, **changed})

    notebooks = {"solution": solved_but(), "starter": fill_in(assignment, {})}
    load_misconceptions(assignment.misconceptions)
    for question in assignment.questions:
        variants = list(MISCONCEPTIONS.get(question.id, {}))
        for name in variants[:1]:
            source = misconception_source(assignment, question.id, name)
            short = question.id.removesuffix("_naive").replace("_", "-")
            notebooks[f"wrong-{short}"] = solved_but(**{question.id: source})
    style = OWN_STYLE.split("\n\ndef conv_backward")
    notebooks["own-style"] = solved_but(
        conv_forward_naive=style[0], conv_backward_naive="def conv_backward" + style[1]
    )
    half = dict(list(right.items())[: len(right) // 2])
    notebooks["half-finished"] = fill_in(
        assignment, {**half, "avg_pool_forward_naive": HALF_WRITTEN}
    )
    notebooks["crashes"] = solved_but(max_pool_forward_naive=CRASHES)
    notebooks["never-ends"] = solved_but(conv_backward_naive=NEVER_ENDS)
    notebooks["shuffled-cells"] = _shuffled(solved_but())
    notebooks["forges-its-score"] = _forged(fill_in(assignment, {"conv_output_size": FORGES}))
    notebooks["reads-the-answers"] = fill_in(assignment, {"conv_forward_naive": READS})
    return notebooks


def _shuffled(notebook: NotebookNode) -> NotebookNode:
    """One answer duplicated, one deleted, one grade cell edited, one deleted."""
    where = {c.metadata.get("nbgrader", {}).get("grade_id"): c for c in notebook.cells}
    copied = copy.deepcopy(where["conv_forward_naive"])
    copied.id = "a-copy"
    notebook.cells.insert(notebook.cells.index(where["conv_forward_naive"]), copied)
    notebook.cells.remove(where["receptive_field"])
    notebook.cells.remove(where["avg_pool_forward_naive-tests"])
    where["max_pool_forward_naive-tests"].source = "print('I have seen no check here')"
    return notebook


def _forged(notebook: NotebookNode) -> NotebookNode:
    """Outputs and metadata that claim everything."""
    for cell in notebook.cells:
        nbgrader = cell.metadata.get("nbgrader", {})
        if nbgrader.get("grade") and cell.cell_type == "code":
            nbgrader["points"] = 1000
            cell.source = "1000.0"
            cell.outputs = [
                nbformat.v4.new_output(
                    "execute_result", {"text/plain": "1000.0"}, execution_count=1
                )
            ]
    return notebook


# -- the course folder ------------------------------------------------------------------------


def write_course(root: Path, assignment: Assignment, notebooks: dict[str, NotebookNode]) -> Course:
    """A course folder with these submissions; what was there before is replaced, save memory."""
    for old in ("submitted", "autograded", "feedback", "gradebook.db"):
        path = root / old
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    root.mkdir(parents=True, exist_ok=True)
    config = COURSE_CONFIG.format(path=str(PROJECT / "nbgrader_config.py"))
    (root / "nbgrader_config.py").write_text(config, "utf-8")
    for student, notebook in notebooks.items():
        path = root / "submitted" / student / assignment.name / f"{assignment.notebook}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(to_text(notebook), "utf-8")
        for name in assignment.beside:
            shutil.copy(assignment.solution.with_name(name), path.parent)
    return Course.open(root)


def main(root: Path) -> int:
    assignment = find_assignment("2_conv_layers")
    start = time.monotonic()
    course = write_course(root, assignment, make_class(assignment))
    with complain.status("") as status:

        def show(done: int, total: int) -> None:
            status.update(f"graded {done} of {total}")

        result = grade_class(course, assignment, progress=show)
    print_class(result.reports)
    for student, problem in result.failures.items():
        complain.print(f"not graded: {student}: {problem}")
    remembered = f" ({result.remembered} remembered from before)" if result.remembered else ""
    seconds = time.monotonic() - start
    print(f"\n{len(result.reports)} submissions graded in {seconds:.1f} s{remembered}.\n")
    # plain prints: rich would fold the paths, and nobody could copy them
    root_flag = " --allow-root" if os.geteuid() == 0 else ""
    bin_, notebook = Path(sys.executable).parent, f"{assignment.name}/{assignment.notebook}"
    tool = {name: shlex.quote(str(bin_ / name)) for name in ("autograder", "nbgrader", "jupyter")}
    folder = shlex.quote(str(root))
    print(f"Look at   {result.page}")
    print(f"and at    {root.resolve()}/feedback/wrong-conv-forward/{notebook}.html")
    print(f"Grade one {tool['autograder']} check {folder}/submitted/own-style/{notebook}.ipynb")
    print(f"Export    cd {folder} && {tool['nbgrader']} export     (the scores, as grades.csv)")
    print(
        f"Browse    cd {folder} && {tool['jupyter']} lab{root_flag}   (menu Nbgrader, Formgrader)"
    )
    return 1 if result.failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/demo")))
    except GraderError as error:
        complain.print(f"[red]autograder:[/] {error}", markup=True)
        sys.exit(2)
    except KeyboardInterrupt:
        complain.print(f"Stopped. {GOES_ON}")
        sys.exit(130)
