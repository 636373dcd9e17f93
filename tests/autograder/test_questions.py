"""Questions are read from the hidden tests' markers and the sources, without importing either."""

import ast

import pytest

from autograder.errors import BadSource, UnknownAssignment
from autograder.questions import (
    PROJECT,
    Assignment,
    Question,
    assignment_of_notebook,
    find_assignment,
    find_assignments,
    imported_reference,
    question,
    read_markers,
    reference_modules,
)

MARKERS = """
import a_module_that_does_not_exist
raise SystemExit("these files are not imported")

@question("conv", points=6)
class TestConv:
    pass

class NotMarked:
    pass

@other
@question("pool", points=2.5, extra_credit=True)
class TestPool:
    pass

@question("a_function_is_not_a_class_of_tests", points=1)
def test_function():
    pass
"""


@pytest.fixture
def hidden(tmp_path):
    def write(text):
        path = tmp_path / "test_layers.py"
        path.write_text(text, "utf-8")
        return path

    return write


def test_markers_are_read_in_their_order_without_importing_the_file(hidden):
    assert read_markers(hidden(MARKERS)) == (
        Question("conv", 6),
        Question("pool", 2.5, extra_credit=True),
    )


def test_a_file_without_markers_has_no_questions(hidden):
    assert read_markers(hidden("x = 1\n")) == ()


def test_two_classes_for_one_question_are_refused(hidden):
    twice = '@question("conv", points=1)\nclass A: pass\n@question("conv", points=2)\nclass B: pass'
    with pytest.raises(BadSource, match=r"test_layers\.py has two classes for conv"):
        read_markers(hidden(twice))


@pytest.mark.parametrize("points", ["half()", "0", "-1"])
def test_points_that_are_computed_or_not_above_zero_are_refused(hidden, points):
    with pytest.raises(BadSource, match=r"plain values|is worth"):
        read_markers(hidden(f'@question("conv", points={points})\nclass A: pass'))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnknownMarkWarning")
def test_the_marker_that_pytest_sees_says_the_same_as_the_parsed_one():
    mark = question("conv", points=6, extra_credit=True).mark
    assert Question(*mark.args, **mark.kwargs) == Question("conv", 6, True)


def test_points_have_to_be_named():
    with pytest.raises(TypeError):
        question("conv", 6)


def test_the_grade_cell_is_named_after_the_question():
    assert Question("conv", 1).grade_cell == "conv-tests"


SOURCE = """# Layers

```python question="conv"
from solutions.convolution import conv
```

```python grade="conv"
check(conv)
```

```python tags=["skip-execution"]
from solutions.pooling import a_demo
```

```python tags=["x"] question="pool"
from solutions.pooling import pool
```
"""


def test_the_references_modules_are_those_that_question_cells_import_from():
    assert reference_modules(SOURCE) == {
        "conv": "solutions.convolution",
        "pool": "solutions.pooling",
    }


def test_a_source_without_questions_has_no_references():
    assert reference_modules("") == {}


@pytest.mark.parametrize(
    "code",
    [
        "",
        "conv = 1",
        "import solutions.convolution",
        "from solutions import conv",
        "from numpy import conv",
        "from solutionsx.convolution import conv",
        "from .solutions.convolution import conv",
        "from . import conv",
        "from solutions.convolution import conv as answer",
        "from solutions.convolution import conv, pool",
        "from solutions.convolution import conv; x = 1",
        "from solutions.convolution import",
        "from solutions.convolution import (",
        "def conv(x):",
    ],
)
def test_a_bad_import_line_is_refused_with_its_place_and_an_example(code):
    with pytest.raises(BadSource, match=r"line 4: .*\n.*from solutions\.pooling import"):
        reference_modules(f'\n\n```python question="conv"\n{code}\n```\n')


def test_a_question_cell_that_the_file_ends_in_is_refused():
    with pytest.raises(BadSource, match="line 2"):
        reference_modules('```python question="conv"')


def test_an_import_line_gives_function_and_module():
    line = "from solutions.pooling import pool"
    assert imported_reference(line) == ("pool", "solutions.pooling")


def test_the_folders_of_the_assignments_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr("autograder.questions.PROJECT", tmp_path)
    for name in ("2_layers/layers.md", "1_features/features.md", "3_empty/notes.txt", "readme.md"):
        path = tmp_path / "assignments" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    assert list(find_assignments()) == ["1_features", "2_layers"]
    assert find_assignment("2_layers") == Assignment("2_layers", "layers")
    assert assignment_of_notebook("features") == Assignment("1_features", "features")
    assert assignment_of_notebook("other") is None
    with pytest.raises(UnknownAssignment, match="1_features, 2_layers"):
        find_assignment("9_nothing")


# -- the real ones ----------------------------------------------------------------------------


def hidden_tests():
    return sorted((PROJECT / "autograder" / "hidden").glob("test_*.py"))


@pytest.mark.parametrize("path", hidden_tests(), ids=lambda path: path.stem)
def test_the_real_hidden_tests_mark_every_class_and_every_question_is_worth_something(path):
    questions = read_markers(path)
    classes = [
        node
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test")
    ]
    assert len(questions) == len(classes) > 0
    for marked in questions:
        assert marked.points > 0
        assert marked.id.isidentifier()


@pytest.mark.parametrize("name", list(find_assignments()) or ["2_conv_layers"])
def test_the_real_sources_and_hidden_tests_have_the_same_questions(name):
    """a reference imported, a hidden test, for each; and the reference exists"""
    if name not in find_assignments():
        pytest.skip("the source is not written yet")
    assignment = find_assignment(name)
    references = assignment.references()
    assert set(references) == {q.id for q in assignment.questions}
    assert all(callable(reference) for reference in references.values())


def test_a_question_may_have_limits_of_its_own(tmp_path):
    path = tmp_path / "test_x.py"
    path.write_text('@question("f", points=1, limits={"memory": "4GB"})\nclass TestF: pass\n')
    assert read_markers(path)[0].limits == {"memory": "4GB"}
    for limits, complaint in (
        ('{"cell_seconds": 3}', "whole notebook"),
        ('{"memory": "much"}', "f in test_x.py: memory=much"),
    ):
        path.write_text(f'@question("f", points=1, limits={limits})\nclass TestF: pass\n')
        with pytest.raises(BadSource, match=complaint):
            read_markers(path)
