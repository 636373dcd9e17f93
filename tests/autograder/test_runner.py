"""Grading one notebook: seeds, scores, statuses, and what is written into it."""

import time

import pytest
from nbgrader.utils import determine_grade

from autograder import demo
from autograder.errors import BadSubmission
from autograder.limits import GB, MB, Limits
from autograder.runner import definitions, grade_file, names_used

pytestmark = pytest.mark.slow

HUNGRY = """
import os, time

def conv_cost(*args):
    for _ in range(4):
        if os.fork() == 0:
            block = b"x" * 250_000_000
            time.sleep(20)
            os._exit(0)
    time.sleep(20)
"""


def without_times(report):
    return {
        **report.to_dict(),
        "timing": {},
        "questions": [{**q.to_dict(), "seconds": 0} for q in report.questions],
    }


def test_the_same_seed_gives_the_same_report(assignment, right_answers, grade_notebook):
    wrong = demo.misconception_source(assignment, "conv_backward_naive", "crops_with_minus_pad")
    notebook = demo.fill_in(assignment, {**right_answers, "conv_backward_naive": wrong})
    first, second = (grade_notebook(notebook).report for _ in range(2))
    assert without_times(first) == without_times(second)
    other = grade_notebook(notebook, seed=first.seed + 1).report
    assert other.seed != first.seed and other.score == first.score


def test_the_solution_is_right_for_any_seed(assignment, right_answers, grade_notebook):
    for seed in (0, 1, 2**40):
        report = grade_notebook(demo.fill_in(assignment, right_answers), seed=seed).report
        assert report.score == sum(q.points for q in assignment.questions)


def test_nbgrader_reads_the_scores_that_the_report_says(assignment, right_answers, grade_notebook):
    wrong = demo.misconception_source(assignment, "conv_cost", "leaves_out_the_biases")
    graded = grade_notebook(demo.fill_in(assignment, {**right_answers, "conv_cost": wrong}))
    cells = {
        c.metadata.nbgrader.grade_id: c for c in graded.notebook.cells if "nbgrader" in c.metadata
    }
    for question in graded.report.questions:
        score, _ = determine_grade(cells[f"{question.id}-tests"])
        assert score == (0 if question.extra_credit else question.score)
        assert type(score) is float


def test_a_function_in_a_cell_of_ones_own_counts(assignment, right_answers, grade_notebook):
    """helpers may stand in other cells, before the answer that uses them"""
    notebook = demo.fill_in(
        assignment,
        {
            **right_answers,
            "receptive_field": "def receptive_field(layers):\n    return helper(layers)",
        },
    )
    helper = right_answers["receptive_field"].replace("def receptive_field", "def helper")
    where = [c.metadata.get("nbgrader", {}).get("grade_id") for c in notebook.cells]
    cell = notebook.cells[0].copy()
    cell.update(
        cell_type="code", source=helper, metadata={}, id="mine", outputs=[], execution_count=None
    )
    notebook.cells.insert(where.index("receptive_field"), cell)
    assert grade_notebook(notebook).report.question("receptive_field").status == "passed"


def test_a_question_names_the_wrong_ones_that_it_uses(assignment, right_answers, grade_notebook):
    uses = "    conv_output_size(7, 3, 1, 0)\n    np.zeros(3)\n"
    spoiled = right_answers["conv_cost"].replace("    return ", f"{uses}    return 1 + ")
    assert spoiled != right_answers["conv_cost"]
    size = "def conv_output_size(*args) return 1"
    written = {**right_answers, "conv_output_size": size, "conv_cost": spoiled}
    report = grade_notebook(demo.fill_in(assignment, written)).report
    assert report.question("conv_output_size").leans_on == ()
    assert report.question("conv_cost").leans_on == ("conv_output_size",)
    others = [q for q in report.questions if q.id not in ("conv_output_size", "conv_cost")]
    assert not any(q.leans_on for q in others if q.status == "passed")


@pytest.mark.parametrize(
    "source, used",
    [
        ("def f(x):\n    return g(x) + h.k", {"g", "x", "h"}),
        ("%time f(1)\ng = f", {"f"}),
        ("class A(B):\n    def m(self): return C()", {"B", "C"}),
        ("g = 1\n'uses g'  # and g", set()),
        ("def f(x)\n    g", set()),
    ],
)
def test_names_are_used_where_they_are_read(source, used):
    assert names_used(source) == used


def test_a_stub_that_still_raises_is_not_attempted(assignment, grade_notebook):
    notebook = demo.fill_in(
        assignment,
        {
            "conv_cost": "def conv_cost(*args):\n    # I will do this later\n"
            "    raise NotImplementedError()"
        },
    )
    assert grade_notebook(notebook).report.question("conv_cost").status == "not attempted"


def test_a_cell_that_hangs_costs_itself_only(assignment, right_answers, grade_notebook):
    answers = {**right_answers, "conv_cost": "while True:\n    pass"}
    report = grade_notebook(demo.fill_in(assignment, answers), limits=Limits(cell_seconds=1)).report
    assert [q.id for q in report.questions if q.status != "passed"] == ["conv_cost"]
    assert any("ran too long" in note for note in report.notes)


def test_a_cell_that_ends_python_costs_itself_only(assignment, right_answers, grade_notebook):
    answers = {**right_answers, "conv_cost": "import os\nos._exit(1)"}
    report = grade_notebook(demo.fill_in(assignment, answers)).report
    assert [q.id for q in report.questions if q.status != "passed"] == ["conv_cost"]
    assert any("ended the Python process" in note for note in report.notes)


def test_using_too_much_memory_says_so(assignment, right_answers, grade_notebook):
    answers = {
        **right_answers,
        "conv_cost": "def conv_cost(*args):\n    return np.ones((60_000, 60_000))",
    }
    question = grade_notebook(demo.fill_in(assignment, answers)).report.question("conv_cost")
    assert question.status == "error" and "allocate" in question.tests[0].message
    assert "a submission may use 2 GB of memory" in question.tests[0].message


def test_too_much_memory_of_many_processes_says_so_too(assignment, right_answers, grade_notebook):
    answers = {**right_answers, "conv_cost": HUNGRY}
    limits = Limits(memory=600 * MB, call_seconds=5)
    report = grade_notebook(demo.fill_in(assignment, answers), limits=limits).report
    assert [q.id for q in report.questions if q.status != "passed"] == ["conv_cost"]
    question = report.question("conv_cost")
    assert question.status == "error"
    assert question.tests[0].message == (
        "conv_cost was stopped: it used more than 600 MB of memory."
    )


LEFT_RUNNING = {
    "a thread that ends the process": """
import os, threading
threading.Timer(1.5, os._exit, (1,)).start()
""",
    "a thread that stops the process": """
import os, signal, threading
threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGSTOP)).start()
""",
    "a process that kills the kernel": """
import os, signal, time
parent = os.getpid()
if os.fork() == 0:
    time.sleep(1.5)
    os.kill(parent, signal.SIGKILL)
    os._exit(0)
""",
    "memory that grows": """
import os, time
for _ in range(2):
    if os.fork() == 0:
        time.sleep(1.5)
        block = b"x" * 700_000_000
        time.sleep(20)
        os._exit(0)
""",
    "output without end": """
import threading, time
def talk():
    time.sleep(1)
    thread, end = get_ipython().kernel.iopub_thread, time.time() + 20
    while time.time() < end:
        thread.schedule(lambda: thread.socket.send_multipart([b"stream", bytes(10 << 20)]))
        time.sleep(0.05)
threading.Thread(target=talk, daemon=True).start()
""",
}


@pytest.mark.parametrize("what", LEFT_RUNNING)
def test_what_a_cell_leaves_running_costs_no_other_question(
    assignment, right_answers, grade_notebook, what
):
    """it strikes later, while another question's cell or tests run"""
    slow = right_answers["conv_forward_naive"].replace(
        "H_out =", "import time; time.sleep(0.4)\n    H_out =", 1
    )
    assert slow != right_answers["conv_forward_naive"]
    notebook = demo.fill_in(assignment, {**right_answers, "conv_forward_naive": slow})
    culprit = notebook.cells[0].copy()
    culprit.update(
        cell_type="code", source=LEFT_RUNNING[what], metadata={}, id="culprit", outputs=[],
        execution_count=None,
    )  # fmt: skip
    notebook.cells.insert(0, culprit)
    limits = Limits(memory=1 * GB, backlog=100 * MB, call_seconds=4)
    report = grade_notebook(notebook, limits=limits).report
    assert [(q.id, q.status) for q in report.questions if q.status != "passed"] == []
    # what is only sent is read and dropped while the grader waits: nothing had to be ended
    assert ("left running" in " ".join(report.notes)) == (what != "output without end")


def test_a_cell_that_ends_python_only_when_it_is_run_again(
    assignment, right_answers, grade_notebook
):
    """the cells before it keep what they had defined"""
    again = """
import os
mark = "/dev/shm/was-here"
"""
    once = "def conv_cost(*args):\n    os._exit(1)\nimport threading, time\ntime.sleep(0.01)"
    answers = {**right_answers, "conv_cost": again + once}
    report = grade_notebook(demo.fill_in(assignment, answers)).report
    assert [q.id for q in report.questions if q.status != "passed"] == ["conv_cost"]


def test_demonstrations_are_not_run(assignment, right_answers, grade_notebook):
    notebook = demo.fill_in(assignment, right_answers)
    demos = [c for c in notebook.cells if "skip-execution" in c.metadata.get("tags", [])]
    assert demos
    graded = grade_notebook(notebook)
    assert not [
        c
        for c in graded.notebook.cells
        if "skip-execution" in c.metadata.get("tags", []) and c.outputs
    ]


@pytest.mark.parametrize(
    "make, complaint",
    [
        (lambda p: p / "conv_layers.ipynb", "There is no file"),
        (lambda p: p, "is a folder"),
        (lambda p: _write(p / "other.ipynb"), "not a notebook"),
        (
            lambda p: _write(p / "other.ipynb", '{"cells": []}'),
            "none of the assignments' notebooks",
        ),
        (lambda p: _write(p / "conv_layers.ipynb"), "not a notebook"),
    ],
)
def test_what_is_no_submission_is_refused_with_a_sentence(tmp_path, make, complaint):
    with pytest.raises(BadSubmission, match=complaint):
        grade_file(make(tmp_path))


def _write(path, text="[]"):
    path.write_text(text)
    return path


def test_a_notebook_under_another_name_is_known_by_its_cells(tmp_path, assignment, right_answers):
    path = tmp_path / "conv_layers (1).ipynb"
    path.write_text(demo.to_text(demo.fill_in(assignment, right_answers)), "utf-8")
    report = grade_file(path).report
    assert report.assignment == assignment.name
    assert report.score == sum(question.points for question in report.questions)


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("import os\nos.getpid()\nx = 1", "import os\nx = 1"),
        ("a = 1; print(a); é = 'ü'; b = 2", "a = 1\né = 'ü'\nb = 2"),
        ("@cached\n@other(1)\ndef f():\n    return 1\nf()", None),
        ("%matplotlib inline\n!ls\nx = 1", "x = 1"),
        ("def f(n):\n    raise ValueError('%d'\n        % n)\nf(1)", None),
        ("text = 'a\x0cb\u2028c'", None),
        ("x = " + "+".join(["1"] * 900), None),
        ("x = 0x" + "f" * 5000, None),
        ("x = f'{1}\t{\"a\"}'", None),
        ("x = (", ""),
        ("x = " + "(" * 5000, ""),
    ],
    ids=range(11),
)
def test_definitions_are_kept_as_they_were_written(source, kept):
    wanted = source.removesuffix("\nf()").removesuffix("\nf(1)") if kept is None else kept
    assert definitions(source) == wanted


def test_a_notebook_out_of_time_ends_within_its_question(assignment, right_answers, grade_notebook):
    """what hangs when it is looked at counts as a hang of the function that returned it"""
    lazy = """
import time
class Lazy(list):
    def __iter__(self):
        time.sleep(30)
def conv_forward_naive(x, w, b, conv_param):
    return [Lazy([0.0])], None
"""
    limits = Limits(call_seconds=1, test_seconds=2, cell_seconds=3, notebook_seconds=9)
    begin = time.monotonic()
    report = grade_notebook(
        demo.fill_in(assignment, {**right_answers, "conv_forward_naive": lazy}), limits=limits
    ).report
    assert report.question("conv_forward_naive").status in ("timeout", "failed")
    assert report.question("conv_cost").status == "passed"
    assert time.monotonic() - begin < 40
    assert report.grader_errors == ()
