"""carry: the student's own functions out of earlier notebooks, or torch's in their place."""

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from numpy.testing import assert_allclose

from autograder import demo
from autograder.questions import find_assignment
from cnnlab.carry import NotCarried, carry, choice
from cnnlab.carry.layers import LAYERS, Cache
from solutions import arithmetic, convolution, linear_classifier, pooling

PAIR = ("conv_forward_naive", "conv_backward_naive")
RNG = np.random.default_rng(0)
X, W, B = RNG.standard_normal((2, 3, 5, 5)), RNG.standard_normal((4, 3, 3, 3)), np.arange(4.0)
PARAM = {"stride": 1, "pad": 1}


@pytest.fixture(scope="module")
def answers():
    return demo.answers(find_assignment("2_conv_layers"))


@pytest.fixture
def kit(tmp_path, monkeypatch):
    """A student's folder; the notebook that carries lies, and runs, in a folder of it."""
    here = tmp_path / "kit" / "4_convnet"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    monkeypatch.delenv("CNNLAB_CARRY", raising=False)
    return here.parent


@pytest.fixture
def write(kit, answers):
    """Write a notebook made from the starter, with the reference's answers but for ``changes``."""

    def write(place="2_conv_layers/conv_layers.ipynb", edit=None, blank=False, **changes):
        written = {} if blank else dict(answers)
        notebook = demo.fill_in(find_assignment("2_conv_layers"), {**written, **changes})
        if edit is not None:
            edit(notebook.cells)
        path = kit / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(notebook), "utf-8")
        return path

    return write


def cell_of(cells, name):
    return next(c for c in cells if c.metadata.get("nbgrader", {}).get("grade_id") == name)


def is_torchs(f):
    return f in LAYERS.values()


def is_right(forward, backward):
    out, cache = forward(X, W, B, PARAM)
    right, right_cache = convolution.conv_forward_naive(X, W, B, PARAM)
    assert_allclose(out, right)
    dout = np.ones_like(out)
    for ours, theirs in zip(
        backward(dout, cache), convolution.conv_backward_naive(dout, right_cache), strict=True
    ):
        assert_allclose(ours, theirs)
    return True


# -- the student's own --------------------------------------------------------------------------


def test_own_functions_come_from_the_notebook_beside_this_one(write, capsys):
    write()
    forward, backward = carry(*PAIR)
    assert is_right(forward, backward) and not is_torchs(forward)
    assert isinstance(forward(X, W, B, PARAM)[1], tuple)
    assert capsys.readouterr().out == (
        "conv_forward_naive, conv_backward_naive: yours, from 2_conv_layers/conv_layers.ipynb.\n"
    )


def test_one_name_gives_one_function(write):
    write()
    right = arithmetic.conv_cost((3, 32, 32), 10, 5, 2, 1)
    assert carry("conv_cost")((3, 32, 32), 10, 5, 2, 1) == right


@pytest.mark.parametrize(
    "place",
    ["4_convnet/conv_layers.ipynb", "hw2/My Homework (3).ipynb", "4_convnet/old/conv.ipynb"],
)
def test_a_notebook_is_known_by_its_cells_wherever_it_lies(write, place):
    write(place)
    assert not is_torchs(carry("max_pool_forward_naive"))


def test_a_folder_or_a_file_or_a_variable_says_where(write, tmp_path, monkeypatch):
    path = write("away/from/here/work.ipynb")
    assert is_torchs(carry(PAIR[0]))
    for place in (path, str(path.parent), path.parent.parent):
        assert not is_torchs(carry(PAIR[0], folder=place))
    monkeypatch.setenv("CNNLAB_CARRY", str(path.parent))
    assert not is_torchs(carry(PAIR[0]))
    with pytest.raises(ValueError, match="folder='nowhere' is neither a folder nor a notebook"):
        carry(PAIR[0], folder="nowhere")
    monkeypatch.setenv("CNNLAB_CARRY", "/no/such/place")
    with pytest.raises(ValueError, match=r"CNNLAB_CARRY.*/no/such/place"):
        carry(PAIR[0])


def test_cells_out_of_order_and_copied_cells(write):
    def shuffle(cells):
        copy = json.loads(json.dumps(cell_of(cells, "conv_forward_naive")))
        copy["source"] = "# a note, in a copy of the cell"
        cells.reverse()
        cells.append(type(cells[0])(copy))

    write(edit=shuffle)
    assert is_right(*carry(*PAIR)) and not is_torchs(carry(PAIR[0]))


def test_nothing_else_in_the_notebook_runs(write, answers, tmp_path):
    """not the student's trials in the same cell, nor any other cell"""
    touch = "open({!r}, 'w').close()\n"
    marks = [str(tmp_path / f"mark{n}") for n in range(4)]
    source = (
        touch.format(marks[0])
        + answers["conv_forward_naive"]
        + f"\nx = open({marks[1]!r}, 'w')\nif True:\n    open({marks[2]!r}, 'w')\n"
        + "out, cache = conv_forward_naive(x, None, None, {})\n"
    )

    def add(cells):
        for cell in cells:
            if cell.cell_type == "code" and cell.source != source:
                cell.source += "\n" + touch.format(marks[3])

    write(edit=add, conv_forward_naive=source)
    assert is_right(*carry(*PAIR, check=False)) and not is_torchs(carry(PAIR[0]))
    assert not [m for m in marks if os.path.exists(m)]


def test_helpers_constants_and_imports_of_the_cell_come_with_it(write):
    def add(cells):
        cells[0].cell_type, cells[0].source = "code", "import math, os as system\n%load_ext x"
        cells[0].pop("attachments", None)

    source = """
%matplotlib inline
from functools import partial
ONE = 1.0
class Places:
    step = math.floor(ONE)
    def count(self, size, k, s): return 1 + (size - k) // (s * self.step)
def helper(x, where): return math.fsum(x[where].ravel()) / x[where].size
mean = partial(helper)
def avg_pool_forward_naive(x, pool_param):
    h, w, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    rows, columns = Places().count(x.shape[2], h, s), Places().count(x.shape[3], w, s)
    out = np.zeros((*x.shape[:2], rows, columns))
    for n, c, i, j in np.ndindex(out.shape):
        out[n, c, i, j] = mean(x, np.s_[n, c, i * s : i * s + h, j * s : j * s + w])
    return out, (x, pool_param)
"""
    write(edit=add, avg_pool_forward_naive=source)
    f = carry("avg_pool_forward_naive")
    param = {"pool_height": 2, "pool_width": 3, "stride": 1}
    assert not is_torchs(f)
    assert_allclose(f(X, param)[0], pooling.avg_pool_forward_naive(X, param)[0])


def test_an_answer_may_use_another_one_and_each_keeps_its_own_helpers(write):
    write(
        conv_output_size="def helper(a):\n    return a + 1\n"
        "def conv_output_size(n):\n    return helper(n)",
        conv_cost="def helper(a):\n    return 10 * a\n"
        "def conv_cost(n):\n    return helper(conv_output_size(n))",
    )
    assert carry("conv_cost", check=False)(1) == 20
    assert carry("conv_output_size", check=False)(1) == 2


def test_answers_that_use_each_other(write):
    write(
        conv_output_size="def conv_output_size(n):\n    return n and conv_cost(n - 1)",
        conv_cost="def conv_cost(n):\n    return n and conv_output_size(n - 1)",
    )
    f, g = carry("conv_cost", "conv_output_size", check=False)
    assert f(5) == g(4) == 0


def test_both_functions_in_one_cell(write, answers):
    write(
        conv_forward_naive=answers[PAIR[0]] + "\n\n" + answers[PAIR[1]], conv_backward_naive="# up"
    )
    assert is_right(*carry(*PAIR)) and not is_torchs(carry(PAIR[1]))


def test_of_two_notebooks_the_one_in_which_all_is_well(write, capsys):
    good, newer = write("a/one.ipynb"), write("b/two.ipynb", blank=True)
    os.utime(good, (1, 1))
    assert not is_torchs(carry(PAIR[0]))
    assert "a/one.ipynb" in capsys.readouterr().out
    write("b/two.ipynb")
    carry(PAIR[0])
    assert f"b/{newer.name}" in capsys.readouterr().out


def test_the_students_own_line_is_in_the_traceback(write):
    write(conv_cost="\n\ndef conv_cost(*a):\n    return nonsense(a)\n\ndef nonsense(a):\n    1 / 0")
    f = carry("conv_cost", check=False)
    with pytest.raises(ZeroDivisionError) as raised:
        f()
    last = raised.traceback[-1]
    assert last.lineno + 1 == 7 and "1 / 0" in str(last.statement)


# -- torch's in their place -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"blank": True}, "is not written yet: it raises NotImplementedError"),
        (
            {"conv_forward_naive": "def conv_forward_naive(x):\n    out = x[\n    return 1"},
            "cannot be read: line 2 of its cell, “out = x[”, is no Python",
        ),
        ({"conv_forward_naive": "# gone"}, "is not there: its cell has no conv_forward_naive"),
        (
            {"conv_forward_naive": "def conv_forward_naive(x, w, b, p):\n    return helper(x)"},
            "uses helper, which no answer's cell defines. Put helper into the same cell",
        ),
        (
            {
                "conv_forward_naive": "def conv_forward_naive(x, w, b, p):\n    conv_cost()",
                "conv_cost": "def conv_cost():\n    'todo'\n    raise NotImplementedError",
            },
            "uses conv_cost, which is not written yet",
        ),
        (
            {"conv_forward_naive": "import no_module\ndef conv_forward_naive(): no_module"},
            "stops when its cell runs: ModuleNotFoundError: No module named 'no_module'",
        ),
        ({"conv_forward_naive": "conv_forward_naive = 3"}, "is of type int, and no function"),
        (
            {"conv_forward_naive": "def conv_forward_naive(x, w, b, p):\n    return x, None"},
            "does not pass its visible check, “",
        ),
        (
            {"conv_forward_naive": "def conv_forward_naive(x, w, b, p):\n    raise SystemExit"},
            "does not pass its visible check, “",
        ),
        (
            {"edit": lambda cells: cell_of(cells, PAIR[0]).update(cell_type="markdown")},
            "is not there: its cell is text now",
        ),
        (
            {"edit": lambda cells: cells.remove(cell_of(cells, PAIR[0]))},
            "is not there: the cell of this question is missing",
        ),
    ],
    ids=range(11),
)
def test_what_is_not_there_comes_from_torch_and_it_is_said_why(write, capsys, changes, words):
    write(**changes)
    forward, backward = carry(*PAIR)
    assert is_right(forward, backward) and is_torchs(forward) and is_torchs(backward)
    said = capsys.readouterr().out
    assert f"conv_forward_naive: torch's, since yours {words}" in said or (
        changes == {"blank": True} and words in said
    )
    assert "(2_conv_layers/conv_layers.ipynb)" in said


def test_a_pair_comes_from_one_place(write, capsys):
    write(
        conv_backward_naive="def conv_backward_naive(dout, cache):\n    raise NotImplementedError"
    )
    forward, backward = carry(*PAIR)
    assert is_torchs(forward) and is_torchs(backward)
    assert "yours shares its cache with conv_backward_naive" in capsys.readouterr().out
    alone = carry("conv_forward_naive")
    assert not is_torchs(alone)
    with pytest.raises(TypeError, match="Carry both in one line"):
        backward(X, alone(X, W, B, PARAM)[1])


def test_a_stub_is_not_called_to_find_out(write, tmp_path):
    mark = tmp_path / "called"
    stub = f"def conv_cost(*a):\n    open({str(mark)!r}, 'w')\n    raise NotImplementedError()"
    write(conv_cost=stub)
    with pytest.raises(NotCarried, match="not written yet"):
        carry("conv_cost")()
    assert not mark.exists()


def test_torchs_where_the_student_asks_for_them(write, capsys):
    write()
    assert is_torchs(carry(PAIR[0], own=False))
    assert "torch's, as you asked" in capsys.readouterr().out


def test_prints_of_an_answer_do_not_show_while_it_is_checked(write, answers, capsys):
    loud = "own = conv_cost\ndef conv_cost(*a):\n    print('noise')\n    return own(*a)"
    write(conv_cost=answers["conv_cost"] + "\n\n" + loud)
    assert carry("conv_cost").__name__ == "conv_cost"
    assert "noise" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "text, words",
    [
        ('{"cells": [], "metadata": {}}', "is in no notebook that was found"),
        (
            '{"cells": [{"cell_type": "code", "source": "def conv_forward_naive(): pass"}]}',
            "no note",
        ),
        ("[1, 2]", "no notebook"),
        ('{"cells": [{"metadata": {"nbgrader": {"grade_id": "conv_forward_naive", ', "is damaged"),
        ('["grade_id", "conv_forward_naive"]', "is damaged"),
        ('{"cells": "grade_id conv_forward_naive \\"grade_id\\""}', "no notebook"),
        (
            '{"cells": [7, {}, {"metadata": [], "x": "conv_forward_naive", "grade_id": 1}]}',
            "no note",
        ),
        ("", "no notebook"),
    ],
)
def test_other_notebooks_and_damaged_ones(kit, capsys, text, words):
    (kit / "other").mkdir()
    (kit / "other" / "work.ipynb").write_text(text)
    (kit / "other" / "folder.ipynb").mkdir()
    (kit / "other" / "gone.ipynb").symlink_to("nowhere")
    assert is_torchs(carry(PAIR[0]))
    assert words in capsys.readouterr().out


def test_what_a_notebook_carried_itself_is_carried_for_its_answers(write, kit):
    write()
    later = {
        "cell_type": "code",
        "metadata": {"nbgrader": {"grade_id": "conv_relu_forward", "solution": True}},
        "source": "def conv_relu_forward(x, w, b, p):\n"
        "    out, cache = conv_forward_naive(x, w, b, p)\n    return np.maximum(0, out), cache",
    }
    (kit / "3_more").mkdir()
    (kit / "3_more" / "more.ipynb").write_text(json.dumps({"cells": [later]}))
    out, cache = carry("conv_relu_forward")(X, W, B, PARAM)
    assert isinstance(cache, tuple) and (out >= 0).all()
    (kit / "2_conv_layers" / "conv_layers.ipynb").unlink()
    out, cache = carry("conv_relu_forward")(X, W, B, PARAM)
    assert isinstance(cache, Cache) and (out >= 0).all()


def test_a_home_is_searched_but_not_the_homes_beside_it(write, kit, monkeypatch):
    write("somebody_else/conv_layers.ipynb")
    monkeypatch.setenv("HOME", str(kit / "4_convnet"))
    assert is_torchs(carry(PAIR[0]))
    write("4_convnet/conv_layers.ipynb")
    assert not is_torchs(carry(PAIR[0]))


@pytest.mark.parametrize("names", [(), (3,), ("conv_cost", None)])
def test_names_are_names(names):
    with pytest.raises(TypeError, match="carry wants names"):
        carry(*names)


# -- without torch, and while grading -------------------------------------------------------------


def without_torch(code, folder):
    """Run code in a Python that has no torch."""
    block = """
        import sys
        class No:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] == "torch":
                    raise ModuleNotFoundError("No module named 'torch'")
        sys.meta_path.insert(0, No())
        import numpy as np
        from cnnlab.carry import NotCarried, carry
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(block) + textwrap.dedent(code)],
        cwd=folder, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip


def test_without_torch_the_notebook_runs_until_the_function_is_needed(write, kit):
    write(blank=True)
    said = without_torch(
        """
        f, g = carry("conv_forward_naive", "conv_backward_naive")
        print("goes on")
        try:
            f(1, 2, 3, {})
        except NotCarried as error:
            print(error)
        """,
        kit / "4_convnet",
    )
    first, goes_on, raised = said.splitlines()
    assert first == (
        "conv_forward_naive, conv_backward_naive: not there, as yours is not written yet: it "
        "raises NotImplementedError (2_conv_layers/conv_layers.ipynb). Its notebook belongs into a "
        "folder beside this one's; or pip install torch."
    )
    assert goes_on == "goes on"
    assert raised.startswith("conv_forward_naive is not there: yours is not written yet")
    assert "(2_conv_layers/conv_layers.ipynb)" in raised
    assert "Write it, or put the notebook that has it into a folder" in raised
    assert "pip install torch" in raised


def test_without_torch_own_functions_are_there_even_if_a_check_fails(write, kit):
    write(conv_forward_naive="def conv_forward_naive(x, w, b, p):\n    return x, None")
    said = without_torch(
        """
        f = carry("conv_forward_naive")
        print(f(1, 2, 3, 4))
        print(carry("max_pool_forward_naive").__name__)
        """,
        kit / "4_convnet",
    ).splitlines()
    assert said[0].startswith(
        "conv_forward_naive: yours (2_conv_layers/conv_layers.ipynb), but it "
    )
    assert "does not pass its visible check" in said[0]
    assert said[1:] == [
        "(1, None)",
        "max_pool_forward_naive: yours, from 2_conv_layers/conv_layers.ipynb.",
        "max_pool_forward_naive",
    ]


def test_a_name_that_nobody_knows_is_perhaps_misspelt(kit):
    with pytest.raises(NotCarried, match="Is the name spelt right"):
        carry("conv_forwrad_naive")()


@pytest.mark.parametrize(
    "name", ["im2col", "col2im", "conv_forward_strides", "conv_forward_fft", "conv_pool_step"]
)
def test_of_a_question_that_torch_cannot_stand_in_for_it_says_so(kit, name):
    with pytest.raises(NotCarried, match=f"torch has no layer like {name}.* only yours will do"):
        carry(name)()


def test_without_the_earlier_notebook_one_short_line_is_said_of_all_its_questions(kit, capsys):
    names = ("hog_feature", "color_histogram_hsv", "extract_patches", "fit_whitening")
    functions = carry(*names)
    said = capsys.readouterr().out
    assert said.startswith(f"{', '.join(names)}: not there, as yours is in no notebook")
    assert said.count("\n") == 1 and len(said) < 250
    for name, function in zip(names, functions, strict=True):
        with pytest.raises(NotCarried, match=f"^{name} is not there.*put the notebook that has it"):
            function()


def test_the_graders_layers_come_first(write, monkeypatch, capsys):
    write()
    monkeypatch.setitem(choice.supplied, "softmax_loss", linear_classifier.softmax_loss)
    assert carry("softmax_loss") is linear_classifier.softmax_loss
    assert capsys.readouterr().out == "softmax_loss: the grader's.\n"
