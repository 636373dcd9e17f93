"""What a student's function reads from other cells of the notebook."""

import ast
import itertools
import linecache
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest
from answers import Answers

from cnnlab import architectures, check, design
from cnnlab.checks.outside import RELEASED, data_from_outside

ANSWERS = Answers("4_convnet")
STARTER = Path(architectures.__file__).parents[1]
_numbers = itertools.count()


def cell(source, **names):
    """What a notebook's cell leaves behind: a dict of names."""
    filename = f"/tmp/ipykernel_9/{next(_numbers)}.py"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    namespace = {"np": np, "LENET5": architectures.LENET5, "conv": architectures.conv, **names}
    exec(compile(source, filename, "exec"), namespace)
    return namespace


def found(source, **names):
    return data_from_outside(cell(source, **names)["f"])


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    return WIDTH",
        "def f():\n    return [WIDTH * k for k in range(3)]",
        "def f():\n    def inner():\n        return WIDTH\n    return inner()",
        "def f(n=3):\n    for _ in range(n):\n        np.sum(WIDTH.value)",
        "WIDTHS = 4\ndef f():\n    return WIDTH + WIDTHS",
        "def g():\n    WIDTH = 3\n    return WIDTH\ndef f():\n    return WIDTH",
    ],
)
def test_data_of_another_cell_are_named(source):
    assert found(source, WIDTH=np.ones(3)) == ["WIDTH"]


@pytest.mark.parametrize(
    "source",
    [
        "WIDTH = 3\ndef f():\n    return WIDTH",
        "WIDTH, HEIGHT = 3, 4\ndef f():\n    return WIDTH, HEIGHT",
        "for WIDTH in range(3):\n    pass\ndef f():\n    return WIDTH",
        "def f(WIDTH=3):\n    return WIDTH",
        "def f():\n    WIDTH = 3\n    return [WIDTH for _ in range(3)]",
        "def f():\n    return np.zeros(3).WIDTH",
        "def f():\n    return LENET5, LAYERS, CORES, conv, np, Path, helper",
        "def f():\n    return NOT_THERE",
        "f = len",
    ],
)
def test_what_is_the_cells_own_or_given_is_not(source):
    names = {"LAYERS": [], "CORES": 2, "Path": Path, "helper": lambda: 0}
    assert found(source, WIDTH=np.ones(3), HEIGHT=2, **names) == []


def test_the_given_names_are_those_that_the_release_sets_where_the_grader_looks():
    notebook = nbformat.read(STARTER / "4_convnet" / "convnet.ipynb", as_version=4)
    run = [
        each.source
        for each in notebook.cells
        if each.cell_type == "code"
        and "nbgrader" not in each.metadata
        and "skip-execution" not in each.metadata.get("tags", ())
        and not each.source.startswith("softmax_loss = carry")
    ]
    statements = itertools.chain.from_iterable(ast.parse(source).body for source in run)
    names = {
        target.id for node in statements if isinstance(node, ast.Assign) for target in node.targets
    }
    assert names == RELEASED


def test_the_check_of_a_design_says_what_the_grader_will_not_have(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ANSWERS.solution.with_name(design.FILE), tmp_path)
    source = "def design_net():\n    return make() if MINE and OTHERS else None"
    make = ANSWERS.references["design_net"]
    check(cell(source, make=make, MINE=1, OTHERS=[2])["design_net"])
    out = " ".join(capfd.readouterr().out.split())
    assert "design_net reads MINE and OTHERS from another cell" in out
    check(cell(source, make=make, MINE=make, OTHERS=make)["design_net"])
    assert "from another cell" not in capfd.readouterr().out
