"""Who may import whom: the grader's files in their order, and no answers in students' kit."""

import ast

import pytest

from autograder.questions import PROJECT

ORDER = """
errors limits files signals questions devices results wire tensors supplied layer_server
bridge cells archive folder restore submission
seccomp sandbox layers markup outputs watchdog kernel student compare diagnose plugin feedback
runner workers pages database converter gradebook cohort doctor release cli demo
""".split()  # noqa: SIM905 (a list of one word a line cannot be taken in)
GRADER = sorted(p for p in (PROJECT / "autograder").glob("*.py") if p.stem != "__init__")
STARTER = sorted((PROJECT / "starter" / "cnnlab").rglob("*.py"))


def parse(path):
    return ast.parse(path.read_text("utf-8"), str(path))


def of_the_package(path):
    """The modules of autograder/ that a file of it imports, anywhere in it."""
    found = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            found |= {node.module.split(".")[0]} if node.module else {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("autograder"):
            found |= {*(node.module.split(".")[1:2] or [a.name for a in node.names])}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("autograder.")}
    return found


def packages(nodes):
    """The top-level packages that these statements import."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


def at_module_level(tree):
    """The statements that run on import: all but the bodies of functions."""
    todo = list(tree.body)
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            todo += ast.iter_child_nodes(node)


def test_every_file_of_the_grader_has_its_place():
    assert {path.stem for path in GRADER} == set(ORDER)
    assert len(ORDER) == len(set(ORDER))


@pytest.mark.parametrize("path", GRADER, ids=lambda path: path.stem)
def test_a_file_imports_only_from_those_above_it(path):
    above = set(ORDER[: ORDER.index(path.stem)])
    assert of_the_package(path) <= above


@pytest.mark.parametrize("path", GRADER, ids=lambda path: path.stem)
def test_the_answers_are_not_imported_with_the_grader(path):
    assert "solutions" not in packages(at_module_level(parse(path)))


@pytest.mark.parametrize("name", ["wire", "tensors", "bridge"])
def test_what_runs_inside_the_kernel_knows_nothing_of_the_grader(name):
    """they lie beside the student's code, where neither autograder nor solutions exist"""
    path = PROJECT / "autograder" / f"{name}.py"
    assert not of_the_package(path)
    assert not packages(ast.walk(parse(path))) & {"autograder", "solutions", "nbgrader", "pytest"}


@pytest.mark.parametrize("path", STARTER, ids=lambda path: path.stem)
def test_the_students_library_imports_neither_grader_nor_answers(path):
    assert not packages(ast.walk(parse(path))) & {"autograder", "solutions"}
    text = path.read_text("utf-8")
    assert "import_module(" not in text or "solutions" not in text


@pytest.mark.parametrize(
    "code, expected",
    [
        ("import solutions.pooling", {"solutions"}),
        ("from solutions.pooling import f as g", {"solutions"}),
        ("if x:\n    import solutions", {"solutions"}),
        ("try:\n    pass\nexcept E:\n    import solutions", {"solutions"}),
        ("class A:\n    import solutions", {"solutions"}),
        ("def f():\n    import solutions", set()),
        ("text = 'import solutions'", set()),
        ("from .solutions import f", set()),
    ],
)
def test_this_test_sees_imports_wherever_they_run(code, expected):
    assert packages(at_module_level(ast.parse(code))) == expected
