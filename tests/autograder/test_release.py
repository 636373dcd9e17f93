"""What students receive: built from one source, the same each time, without an answer."""

import dataclasses
import importlib.util
import json
import shutil

import nbformat
import pytest

from autograder import release as releases
from autograder.errors import BadSource, NoPackages
from autograder.questions import PROJECT, Assignment, find_assignment

SOURCE = """```python
import numpy as np
```

```python question="receptive_field"
{line}
```

```python grade="receptive_field"
check(receptive_field)
```

<!-- #region written="why" points=3 -->
### BEGIN SOLUTION
because
### END SOLUTION
<!-- #endregion -->

```python tags=["skip-execution"]
1 + 1
```
"""


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A small assignment in a folder of its own, with real hidden tests' markers."""
    source, tests = tmp_path / "tiny.md", tmp_path / "test_tiny.py"
    tests.write_text("@question('receptive_field', points=2.5)\nclass TestIt: pass\n")
    monkeypatch.setattr(Assignment, "source", source)
    monkeypatch.setattr(Assignment, "hidden_tests", tests)
    made = Assignment("9_tiny", "tiny")

    def write(line="from solutions.arithmetic import receptive_field", text=SOURCE):
        source.write_text(text.replace("{line}", line))
        return made

    return write


def cells(notebook):
    return {c.metadata.get("nbgrader", {}).get("grade_id", c.source): c for c in notebook.cells}


def test_a_question_cell_becomes_the_functions_stub(tiny):
    stub = cells(releases.build_release(tiny()))["receptive_field"]
    assert stub.source.startswith('def receptive_field(layers):\n    """')
    assert stub.source.endswith("    # YOUR CODE HERE\n    raise NotImplementedError()")
    assert "spacing" not in stub.source


NET = """import numpy as np


class Net:
    \"\"\"A net.\"\"\"

    def __init__(self, size):
        \"\"\"Make params.\"\"\"
        ### BEGIN SOLUTION
        self.params = {"w": np.zeros(size)}
        ### END SOLUTION

    def scores(self, x):
        \"\"\"Written for students.\"\"\"
        return self.loss(x)

    def loss(self, x, y=None):
        \"\"\"Compute it.\"\"\"
        ### BEGIN SOLUTION
        products = self.params["w"] * x
        return products.sum() + 1
        ### END SOLUTION


class Other:
    pass
"""


def test_a_class_becomes_a_stub_of_its_methods(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(NET)
    source = releases.function_source(path, "Net")
    assert source.startswith("class Net:") and source.endswith("### END SOLUTION")
    cell = nbformat.v4.new_code_cell(source)
    cell.metadata["nbgrader"] = releases._nbgrader(cell, "Net", solution=True)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    stub = releases.ClearSolutions().preprocess(notebook, {})[0].cells[0].source
    assert stub.count("        # YOUR CODE HERE\n        raise NotImplementedError()") == 2
    assert "np.zeros" not in stub and "products" not in stub
    assert "return self.loss(x)" in stub and stub.count('"""') == 8
    space = {}
    exec(stub, space)
    with pytest.raises(NotImplementedError):
        space["Net"](3)


def test_all_methods_of_a_class_are_looked_for_in_leaks(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(NET)
    lines = releases._telling_lines(releases.function_source(path, "Net"))
    assert lines == {'self.params={"w":np.zeros(size)}', 'products=self.params["w"]*x',
                     "returnproducts.sum()+1"}  # fmt: skip


@pytest.mark.parametrize(
    "spoiled, each",
    [
        (NET.replace("        ### END SOLUTION\n\n    def", "\n    def"), "for each method"),
        (NET.replace("### BEGIN", "### END"), "for each method"),
        (NET.replace("SOLUTION", "LINE"), "for each method"),
        ("def Net():\n" + 2 * "    ### BEGIN SOLUTION\n    pass\n    ### END SOLUTION\n", "$"),
    ],
)
def test_solutions_that_are_not_well_marked_fail_the_build(tmp_path, spoiled, each):
    path = tmp_path / "net.py"
    path.write_text(spoiled)
    with pytest.raises(BadSource, match=f"one ### END SOLUTION ?{each}"):
        releases.function_source(path, "Net")


@pytest.mark.parametrize("name", ["ThreeLayerConvNet", "ConvNet"])
def test_the_real_classes_can_be_questions(tiny, name, monkeypatch, tmp_path):
    module = {"ThreeLayerConvNet": "three_layer_convnet", "ConvNet": "convnet"}[name]
    tests = tmp_path / "test_tiny.py"
    text = SOURCE.replace("receptive_field", name)
    made = tiny(f"from solutions.{module} import {name}", text)
    tests.write_text(f"@question('{name}', points=6)\nclass TestIt: pass\n")
    stub = cells(releases.build_release(made))[name].source
    methods = 2 if name == "ThreeLayerConvNet" else 4
    assert stub.count("raise NotImplementedError()") == methods
    assert made.references()[name].__name__ == name
    compile(stub, "stub", "exec")


def test_points_come_from_the_hidden_tests(tiny):
    built = cells(releases.build_release(tiny()))
    assert built["receptive_field-tests"].metadata.nbgrader.points == 2.5
    assert built["receptive_field-tests"].source.endswith("# 2.5 points")


def test_nbgrader_finds_what_it_needs(tiny):
    built = cells(releases.build_release(tiny()))
    answer, tests = built["receptive_field"], built["receptive_field-tests"]
    assert answer.metadata.nbgrader.solution and not answer.metadata.nbgrader.locked
    assert tests.metadata.nbgrader.grade and tests.metadata.nbgrader.locked
    assert tests.metadata.editable is False and tests.metadata.nbgrader.checksum
    assert built["why"].source.strip() == "YOUR ANSWER HERE"
    assert built["why"].metadata.nbgrader.points == 3


def test_two_builds_are_the_same_to_the_byte(tiny):
    made = tiny()
    texts = {releases.to_text(releases.build_release(made)) for _ in range(2)}
    assert len(texts) == 1


@pytest.mark.parametrize(
    "line, complaint",
    [
        ("from solutions.arithmetic import receptive_feild", "imports receptive_feild"),
        ("from solutions.pooling import receptive_field", "no top-level function receptive_field"),
        ("import numpy", "holds one import"),
        ("from cnnlab.x import receptive_field", "holds one import"),
        ("def receptive_field(): pass", "holds one import"),
    ],
)
def test_a_wrong_question_cell_fails_the_build(tiny, line, complaint):
    with pytest.raises(BadSource, match=complaint):
        releases.build_release(tiny(line))


def test_a_question_without_tests_or_without_a_cell_fails_the_build(tiny):
    with pytest.raises(BadSource, match="other"):
        releases.build_release(tiny(text=SOURCE.replace('"receptive_field"', '"other"')))
    with pytest.raises(BadSource, match="lacks grade"):
        releases.build_release(tiny(text=SOURCE.replace('grade="receptive_field"', "")))
    twice = SOURCE + '\n```python grade="receptive_field"\ncheck(receptive_field)\n```\n'
    with pytest.raises(BadSource, match="has twice grade"):
        releases.build_release(tiny(text=twice))


def test_committed_starters_are_what_their_sources_give(assignment):
    text = releases.to_text(releases.build_release(assignment))
    assert assignment.release.read_text("utf-8") == text


def test_a_starter_is_complete_for_nbgrader_and_holds_no_output(assignment):
    notebook = nbformat.read(assignment.release, as_version=4)
    nbformat.validate(notebook)
    assert not [c for c in notebook.cells if c.get("outputs")]
    marked = cells(notebook)
    for question in assignment.questions:
        worth = 0 if question.extra_credit else question.points
        assert marked[question.grade_cell].metadata.nbgrader.points == worth
    assert "jupytext" not in notebook.metadata


def test_there_is_no_answer_in_starter(assignment):
    assert releases.find_leaks(assignment, PROJECT / "starter") == []


def test_a_leak_is_found(assignment, tmp_path):
    solved = releases.read_source(assignment)
    (tmp_path / "a.ipynb").write_text(releases.to_text(solved))
    (tmp_path / "b.py").write_text("from solutions.pooling import max_pool_forward_naive\n")
    found = releases.find_leaks(assignment, tmp_path)
    assert {"imports the solutions"} == {p.split(" ", 1)[1] for p in found if "b.py" in p}
    for question in assignment.questions:
        assert any(f"the answer to {question.id}" in problem for problem in found), question.id


def test_the_solved_notebook_is_fresh_and_shows_no_error(assignment):
    assert not releases._solution_is_stale(assignment)
    assert releases._error_outputs(assignment.solution) == []
    notebook = nbformat.read(assignment.solution, as_version=4)
    pictures = [
        o for c in notebook.cells for o in c.get("outputs", []) if "image/png" in o.get("data", {})
    ]
    assert len(pictures) >= 5
    assert not [
        o for c in notebook.cells for o in c.get("outputs", []) if o.get("name") == "stderr"
    ]


@pytest.mark.slow
def test_what_a_solved_notebook_saves_lies_beside_it(tiny, tmp_path, monkeypatch):
    folder = tmp_path / "solved"
    monkeypatch.setattr(Assignment, "solution", folder / "tiny.ipynb")
    monkeypatch.setattr(releases, "built_from", lambda assignment: "")  # of files in the project
    source = SOURCE.replace("1 + 1", 'open("saved.txt", "w").write("here")')
    source = source.replace("check(receptive_field)", "receptive_field")  # nothing is imported here
    releases.build_solution(tiny(text=source))
    assert (folder / "saved.txt").read_text() == "here"


def test_a_solution_about_a_package_that_is_missing_is_not_begun(monkeypatch):
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "torch" else there(name)
    )
    monkeypatch.setattr(releases, "NotebookClient", None)  # nothing is run
    with pytest.raises(NoPackages, match=r"5_gpu is about .* not installed here: torch"):
        releases.build_solution(find_assignment("5_gpu"))


@pytest.mark.slow
def test_solving_the_notebook_again_gives_the_same_bytes(assignment):
    """pictures included; on another machine fonts and rounding may differ, so only here"""
    first, second = (releases.to_text(releases.build_solution(assignment)) for _ in range(2))
    assert first == second


def test_an_error_in_a_solved_notebook_is_found(assignment, tmp_path):
    notebook = nbformat.read(assignment.solution, as_version=4)
    code = next(c for c in notebook.cells if c.cell_type == "code")
    code.outputs = [nbformat.v4.new_output("error", ename="ValueError", evalue="", traceback=[])]
    path = tmp_path / "x.ipynb"
    path.write_text(releases.to_text(notebook))
    assert [what for _, what in releases._error_outputs(path)] == ["ValueError"]


def test_check_release_complains_of_each_thing_that_is_wrong(assignment, tmp_path, monkeypatch):
    """a stale starter that holds an answer, and a solution that fails a test"""
    starter = nbformat.read(assignment.release, as_version=4)
    solved = nbformat.read(assignment.solution, as_version=4)
    pair = [cells(notebook)["conv_cost"] for notebook in (starter, solved)]
    pair[0].source, pair[1].source = pair[1].source, pair[0].source
    paths = {name: tmp_path / name / f"{assignment.notebook}.ipynb" for name in ("s", "r")}
    for name, notebook in (("s", solved), ("r", starter)):
        paths[name].parent.mkdir()
        paths[name].write_text(releases.to_text(notebook))
    real = assignment.release
    broken = dataclasses.replace(assignment)
    monkeypatch.setattr(Assignment, "solution", paths["s"])
    monkeypatch.setattr(Assignment, "release", paths["r"])
    monkeypatch.setattr(releases, "grade_file", _with_real_release(real, releases.grade_file))
    problems = " | ".join(releases.check_release(broken))
    assert "is not what its source gives" in problems
    assert "holds lines of the answer to conv_cost" not in problems  # it is not in starter/
    assert "the starter scores 2.0 on conv_cost" in problems
    assert "the solution fails conv_cost" in problems


def _with_real_release(release, grade_file):
    """Grade against the true release, as on a machine where only the files are wrong."""

    def grade(path, **options):
        patched = Assignment.release
        Assignment.release = release
        try:
            return grade_file(path, **options)
        finally:
            Assignment.release = patched

    return grade


@pytest.fixture
def project(tmp_path):
    """A project with nothing but data files, copied from here."""
    for name in releases.DATA_FILES:
        for folder in ("datasets", "starter/cnnlab/data"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / "datasets" / name, tmp_path / folder / name)
    return tmp_path


def test_the_committed_data_files_are_copies_of_those_in_datasets():
    assert releases.check_data() == []


def test_a_stale_or_missing_data_file_is_told_and_mended(project):
    assert releases.check_data(project) == []
    (project / "datasets/registry.toml").write_text("[cifar10]\n")
    (project / "starter/cnnlab/data/toys.png").unlink()
    problems = releases.check_data(project)
    assert [problem.split(" is not", 1)[0] for problem in problems] == [
        "starter/cnnlab/data/registry.toml",
        "starter/cnnlab/data/toys.png",
    ]
    assert "Change that one, then run: autograder release" in problems[0]
    assert [changed for _, changed in releases.release_data(project)] == [True, True]
    assert releases.check_data(project) == []
    assert (project / "starter/cnnlab/data/registry.toml").read_text() == "[cifar10]\n"
    assert [changed for _, changed in releases.release_data(project)] == [False, False]


def test_everything_written_is_utf8_json_with_a_final_newline(assignment):
    for path in (assignment.release, assignment.solution):
        text = path.read_text("utf-8")
        assert text.endswith("}\n")
        json.loads(text)
