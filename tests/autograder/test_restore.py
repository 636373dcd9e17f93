"""Restoring: the released frame comes back whole, the student's sources stay, nothing is forged."""

import copy
import json
import tempfile
import zlib
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbgrader.preprocessors import CheckCellMetadata, ComputeChecksums, LockCells

from autograder.submission import load

ANSWERS = ["conv", "why", "pool"]
GRADED = ["conv-tests", "pool-tests"]
CONV = "def conv(x):\n    return 2 * x"
POOL = "def pool(x):\n    return x.max()"


def build_release():
    """As autograder/release.py makes it: two questions, a written answer, a demo, an import."""

    def marked(grade_id, cell_type="code", **settings):
        frame = {"grade": False, "solution": False, "locked": False, "task": False}
        frame |= {"grade_id": grade_id, "cell_type": cell_type, "schema_version": 3}
        return {"nbgrader": frame | settings}

    def stub(name):
        return new(
            f"def {name}(x):\n    raise NotImplementedError()",
            id=name,
            metadata=marked(name, solution=True),
        )

    def tests(name, points):
        settings = {"grade": True, "locked": True, "points": points}
        return new(
            f"check({name})  # {points} points",
            id=f"{name}-tests",
            metadata=marked(f"{name}-tests", **settings),
        )

    new, text = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    written = marked("why", "markdown", grade=True, solution=True, points=4.0)
    notebook = nbformat.v4.new_notebook(
        cells=[
            text("# Layers", id="title"),
            new("import numpy as np", id="imports"),
            stub("conv"),
            tests("conv", 3),
            new("train(conv)", id="demo", metadata={"tags": ["skip-execution"]}),
            text("Your words here.", id="why", metadata=written),
            stub("pool"),
            tests("pool", 2),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    for step in (LockCells, CheckCellMetadata, ComputeChecksums):
        notebook, _ = step().preprocess(notebook, {})
    return notebook


RELEASE = build_release()
FRAME = {c.metadata.nbgrader.grade_id: c for c in RELEASE.cells if "nbgrader" in c.metadata}


class Restored:
    """A submission, read and restored by the public way in."""

    def __init__(self, cells, metadata=None, released=None):
        with tempfile.TemporaryDirectory() as folder:
            release, path = Path(folder, "release.ipynb"), Path(folder, "in", "layers.ipynb")
            nbformat.write(released or RELEASE, release)
            path.parent.mkdir()
            path.write_text(json.dumps({"cells": cells, "metadata": metadata or {}}))
            loaded = load(path, SimpleNamespace(release=release, beside=()))
        self.notebook, self.notes = loaded.notebook, loaded.notes
        self.cells = self.notebook.cells

    @property
    def sources(self):
        return [cell.source for cell in self.cells]

    def place(self, grade_id):
        [place] = [
            i
            for i, c in enumerate(self.cells)
            if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id
        ]
        return place

    def __getitem__(self, grade_id):
        return self.cells[self.place(grade_id)]

    def said(self, *words):
        return any(all(word in note for word in words) for note in self.notes)


@pytest.fixture
def cells():
    """The released cells as plain JSON, for a test to change."""
    return json.loads(json.dumps(RELEASE))["cells"]


@pytest.fixture
def solved(cells):
    cells[2]["source"], cells[6]["source"] = CONV, POOL
    cells[5]["source"] = "Because."
    return cells


def own(source, cell_type="code", **changes):
    """A cell of the student's own."""
    cell = {"cell_type": cell_type, "source": source, "metadata": {}}
    return cell | {"id": f"own-{zlib.crc32(source.encode())}"} | changes


def assert_frame_is_whole(restored):
    """Every cell of the frame once, with the released metadata; nothing else has any."""
    nbformat.validate(restored.notebook)
    CheckCellMetadata().preprocess(restored.notebook, {})
    ids = [cell.id for cell in restored.cells]
    assert len(ids) == len(set(ids))
    for grade_id, released in FRAME.items():
        cell = restored[grade_id]  # there once
        assert cell.metadata == released.metadata
        assert cell.cell_type == released.cell_type
        assert not cell.get("outputs")
        if grade_id in GRADED:
            assert cell.source == released.source
            assert restored.place(grade_id) > restored.place(grade_id.removesuffix("-tests"))
    marked = [c for c in restored.cells if "nbgrader" in c.metadata]
    assert len(marked) == len(FRAME)
    for cell in restored.cells:
        if "nbgrader" not in cell.metadata:
            assert cell.metadata in ({}, {"tags": ["skip-execution"]})
    assert restored.notebook.metadata == RELEASE.metadata


# -- what students do, on purpose or not ------------------------------------------------------


def test_the_unchanged_starter_comes_back_as_it_is(cells):
    restored = Restored(cells)
    assert restored.notebook == RELEASE
    assert restored.notes == []


def test_a_solved_notebook_keeps_its_answers_and_nothing_is_said(solved):
    restored = Restored(solved)
    assert restored.sources == [cell["source"] for cell in solved]
    assert restored.notes == []
    assert_frame_is_whole(restored)


def test_a_stub_pasted_after_the_answer_does_not_undo_it(solved, cells):
    stub = json.loads(json.dumps(RELEASE))["cells"][2]
    restored = Restored([*solved, stub])
    assert restored["conv"].source == CONV
    assert restored.sources.count(stub["source"]) == 0
    assert restored.said("conv", "2 times")
    assert_frame_is_whole(restored)


def test_of_two_written_copies_the_last_counts_and_the_other_stays_as_a_plain_cell(solved):
    again = solved[2] | {"source": CONV.replace("2", "3"), "id": "again"}
    restored = Restored([*solved, again])
    assert restored["conv"].source == again["source"]
    assert restored.cells[2].source == CONV
    assert "nbgrader" not in restored.cells[2].metadata
    assert restored.said("conv", "2 times")
    assert_frame_is_whole(restored)


def test_a_deleted_answer_is_put_back_empty_in_its_place(solved):
    del solved[2]
    restored = Restored(solved)
    assert restored["conv"].source == FRAME["conv"].source
    assert restored["pool"].source == POOL
    assert restored.said("conv", "missing", "put back, empty")
    assert_frame_is_whole(restored)


@pytest.mark.parametrize("missing", ["conv", "why", "pool"])
def test_what_is_put_back_comes_after_the_answers_before_it(solved, missing):
    restored = Restored([c for c in solved if not c["id"].startswith(missing)])
    places = [restored.place(grade_id) for grade_id in ANSWERS]
    assert places == sorted(places)
    assert_frame_is_whole(restored)


def test_a_notebook_without_cells_gives_the_whole_frame():
    restored = Restored([])
    assert restored.cells[0].source == "import numpy as np"
    assert [c.metadata.nbgrader.grade_id for c in restored.cells[1:]] == list(FRAME)
    assert_frame_is_whole(restored)


@pytest.fixture
def with_a_cell_among_the_questions():
    """The release, where the second question needs a cell that needs the imports."""
    released = copy.deepcopy(RELEASE)
    at = released.cells.index(next(c for c in released.cells if c.id == "pool"))
    released.cells.insert(at, nbformat.v4.new_code_cell("ONE = np.ones(1)", id="one"))
    return released


def test_a_released_cell_among_the_questions_stays_where_it_is(with_a_cell_among_the_questions):
    released = with_a_cell_among_the_questions
    restored = Restored(json.loads(json.dumps(released))["cells"], released=released)
    assert restored.sources == [cell.source for cell in released.cells]
    assert restored.notes == []


@pytest.mark.parametrize("moved", [("pool",), ("pool", "pool-tests")])
def test_it_comes_before_a_question_that_was_moved_and_after_the_imports(
    moved, with_a_cell_among_the_questions
):
    released = with_a_cell_among_the_questions
    cells = json.loads(json.dumps(released))["cells"]
    early = [cell for cell in cells if cell["id"] in moved]
    rest = [cell for cell in cells if cell["id"] not in moved]
    restored = Restored([*rest[:2], *early, *rest[2:]], released=released)
    place = restored.sources.index("ONE = np.ones(1)")
    assert restored.sources.index("import numpy as np") < place < restored.place("pool")


def test_where_it_was_deleted_it_is_put_back_and_told(with_a_cell_among_the_questions):
    released = with_a_cell_among_the_questions
    cells = [c for c in json.loads(json.dumps(released))["cells"] if c["id"] != "one"]
    restored = Restored(cells, released=released)
    place = restored.sources.index("ONE = np.ones(1)")
    assert restored.sources.index("import numpy as np") < place < restored.place("conv")
    assert restored.said("The imports of ONE were put back")


def test_a_deleted_grade_cell_is_put_back(solved):
    del solved[3]
    restored = Restored(solved)
    assert restored.said("conv-tests", "missing")
    assert_frame_is_whole(restored)


def test_an_edited_grade_cell_is_restored(solved):
    solved[3]["source"] = "3.0"
    restored = Restored(solved)
    assert restored.said("conv-tests", "changed")
    assert "3.0" not in restored.sources
    assert_frame_is_whole(restored)


@pytest.mark.parametrize("index, kind", [(2, "markdown"), (2, "raw"), (5, "code"), (3, "raw")])
def test_a_retyped_cell_gets_its_type_back(solved, index, kind):
    was = solved[index]["cell_type"]
    solved[index]["cell_type"] = kind
    restored = Restored(solved)
    assert restored.cells[index].cell_type == was
    assert restored.cells[index].source == solved[index]["source"]
    assert restored.said(solved[index]["id"], "another kind")
    assert_frame_is_whole(restored)


def test_moved_cells_take_their_tests_along(solved):
    restored = Restored([*solved[:2], *solved[3:], solved[2]])
    assert restored["conv"].source == CONV
    assert restored.sources[-2:] == [CONV, FRAME["conv-tests"].source]
    assert_frame_is_whole(restored)


def test_both_halves_of_a_split_cell_stay_in_their_order(solved):
    helper = solved[2] | {"source": "def double(x):\n    return 2 * x", "id": "half"}
    solved[2]["source"] = "def conv(x):\n    return double(x)"
    restored = Restored([*solved[:2], helper, *solved[2:]])
    assert restored.sources[2:4] == [helper["source"], solved[2]["source"]]
    assert restored["conv"].source == solved[2]["source"]
    assert_frame_is_whole(restored)


@pytest.mark.parametrize("ids", ["kept", "new", "none"])
def test_without_any_metadata_the_answers_are_found_by_their_names(solved, ids):
    for index, cell in enumerate(solved):
        cell["metadata"] = {}
        if ids != "kept":
            cell["id"] = f"new{index}" if ids == "new" else None
    restored = Restored(solved)
    assert restored["conv"].source == CONV
    assert restored["pool"].source == POOL
    assert restored.said("conv", "found in another cell")
    assert_frame_is_whole(restored)


def test_a_syntax_error_does_not_hide_a_function_that_lost_its_mark(solved):
    solved[2] |= {"metadata": {}, "source": CONV + "\n  oops("}
    assert Restored(solved)["conv"].source == solved[2]["source"]


def test_a_name_that_only_begins_alike_is_not_taken_for_the_function(solved):
    solved[2] |= {"metadata": {}, "source": "def conv_fast(x):\n  oops("}
    restored = Restored(solved)
    assert restored["conv"].source == FRAME["conv"].source
    assert solved[2]["source"] in restored.sources


def test_functions_put_together_in_one_cell_without_metadata_count_each(solved):
    restored = Restored([own(f"{CONV}\n\n{POOL}")])
    assert CONV in restored["conv"].source
    assert POOL in restored["pool"].source
    assert not restored.said("put back, empty", "conv") and not restored.said("empty", "pool")
    assert_frame_is_whole(restored)


def test_functions_merged_into_the_first_ones_cell_count_each(solved):
    solved[2]["source"] = f"{CONV}\n\n{POOL}"
    restored = Restored([c for c in solved if c["id"] not in ("pool", "pool-tests")])
    assert POOL in restored["pool"].source
    assert_frame_is_whole(restored)


def test_the_students_own_cells_stay_in_order_without_metadata(solved):
    nbgrader = copy.deepcopy(solved[3]["metadata"]["nbgrader"]) | {"grade_id": "mine"}
    extra = [
        own("x = 1", metadata={"nbgrader": nbgrader, "tags": ["skip-execution"]}),
        own("notes", "markdown", metadata={"deletable": False}),
        own("raw", "raw", metadata={"format": "text/html"}),
    ]
    mixed = [extra[0], *solved[:4], extra[1], *solved[4:], extra[2]]
    restored = Restored(mixed)
    assert restored.sources == [cell["source"] for cell in mixed]
    assert all(restored.cells[place].metadata == {} for place in (0, 5, 10))
    assert_frame_is_whole(restored)


def test_the_demo_stays_one_that_the_grader_does_not_run(solved):
    solved[4] |= {"metadata": {}, "source": "train(conv, steps=9999)"}
    [demo] = [c for c in Restored(solved).cells if c.id == "demo"]
    assert demo.metadata == {"tags": ["skip-execution"]}
    assert demo.source == "train(conv, steps=9999)"


# -- forgeries --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"points": 1000},
        {"solution": True},
        {"grade": False},
        {"locked": False, "task": True},
        {"cell_type": "markdown"},
        {"checksum": "0"},
        {"schema_version": 99},
    ],
    ids=repr,
)
def test_forged_metadata_of_the_frame_is_ignored(solved, change):
    for cell in solved:
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"] |= change
    restored = Restored(solved)
    assert restored["conv"].source == CONV
    assert_frame_is_whole(restored)


@pytest.mark.parametrize(
    "grade_id", ["bonus", "conv-tests-tests", "", "why-tests", None, ["conv"], 7]
)
def test_an_invented_grade_cell_counts_for_nothing(solved, grade_id):
    forged = copy.deepcopy(solved[3]) | {"source": "100.0", "id": "forged"}
    forged["metadata"]["nbgrader"] |= {"grade_id": grade_id, "points": 100}
    assert_frame_is_whole(Restored([forged, *solved, forged]))


def test_copied_grade_cells_are_dropped(solved):
    restored = Restored([*solved, solved[3] | {"source": "3.0"}, solved[3]])
    assert restored.sources.count(FRAME["conv-tests"].source) == 1
    assert "3.0" not in restored.sources
    assert_frame_is_whole(restored)


def test_forged_outputs_do_not_get_in(solved):
    score = {"output_type": "execute_result", "data": {"text/plain": "3.0"}, "metadata": {}}
    for cell in solved:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [score | {"execution_count": 1}], "execution_count": 1}
    restored = Restored([*solved, own("1", outputs=[score])])
    assert not any(cell.get("outputs") for cell in restored.cells)
    assert_frame_is_whole(restored)


def test_the_notebooks_metadata_are_the_releases(solved):
    restored = Restored(solved, {"kernelspec": {"name": "evil"}, "celltoolbar": "x"})
    assert restored.notebook.metadata == RELEASE.metadata


@pytest.mark.parametrize(
    "ids",
    [
        ["conv"] * 8,
        ["restored-1", "no good", "restored-1", "", "restored-4", "x" * 65, "pool", "pool"],
        ["restored-5", "a", "b", "c", "d", "a", "e", "pool-tests"],
        [None] * 8,
        ["a b", "\ud800", "é", "a\n", "-", "_", "1", "<b>"],
    ],
    ids=lambda ids: repr(ids[0]),
)
def test_forged_cell_ids_end_as_valid_and_different_ones(solved, ids):
    extra = [own(f"x{i}", id=cell_id) for i, cell_id in enumerate(ids)]
    for cell, cell_id in zip(solved, ids, strict=True):
        cell["id"] = cell_id
    restored = Restored([*extra, *solved])
    assert [s for s in restored.sources if s.startswith("x")] == [f"x{i}" for i in range(8)]
    assert_frame_is_whole(restored)


def test_a_second_cell_with_the_demos_id_is_not_the_demo(solved):
    copies = [own("a = 1", id="demo"), own("b = 2", id="demo")]
    restored = Restored([*solved, *copies])
    assert [c.metadata for c in restored.cells if c.source in ("a = 1", "b = 2")] == [{}, {}]
    assert_frame_is_whole(restored)
    again = Restored(json.loads(json.dumps(restored.notebook))["cells"])
    assert again.notebook == restored.notebook


# -- pictures ---------------------------------------------------------------------------------


def test_a_picture_in_a_written_answer_stays(solved):
    solved[5] |= {
        "source": "![](attachment:a.png)",
        "attachments": {"a.png": {"image/png": "QUJD"}},
    }
    restored = Restored(solved)
    assert restored["why"].attachments == {"a.png": {"image/png": "QUJD"}}
    assert_frame_is_whole(restored)


def test_pictures_in_a_code_cell_are_dropped(solved):
    for cell in (solved[2], solved[4]):
        cell["attachments"] = {"a.png": {"image/png": "QUJD"}}
    restored = Restored(solved)
    assert not any("attachments" in cell for cell in restored.cells)
    assert_frame_is_whole(restored)


# -- anything ---------------------------------------------------------------------------------

PLAIN = json.loads(json.dumps(RELEASE))["cells"]
SOURCES = st.sampled_from([CONV, POOL, f"{CONV}\n{POOL}", "x = 1", "", "def conv(", "3.0"])
CHANGES = ["source", "type", "id", "mark", "metadata", "pictures"]
GRADE_IDS = st.sampled_from([*FRAME, "bonus", "", None, 5])


@st.composite
def changed_cells(draw):
    """A cell of the release, with some of it changed."""
    cell = copy.deepcopy(draw(st.sampled_from(PLAIN)))
    for change in draw(
        st.lists(st.sampled_from(["source", "type", "id", "mark", "metadata", "pictures"]))
    ):
        match change:
            case "source":
                cell["source"] = draw(SOURCES)
            case "type":
                cell["cell_type"] = draw(st.sampled_from(["code", "markdown", "raw"]))
            case "id":
                cell["id"] = draw(
                    st.sampled_from(["conv", "demo", "restored-0", "restored-2", "a b", None])
                )
            case "mark":
                cell["metadata"]["nbgrader"] = {"grade_id": draw(GRADE_IDS), "points": 99}
            case "metadata":
                cell["metadata"] = {}
            case "pictures":
                cell["attachments"] = {"a.png": {"image/png": "QUJD"}}
    return cell


ANY_CELLS = st.one_of(
    st.lists(changed_cells(), max_size=12),
    st.permutations(PLAIN),
    st.lists(st.sampled_from(PLAIN), max_size=12),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(ANY_CELLS)
def test_whatever_was_done_to_the_cells_the_frame_is_whole_and_restoring_again_changes_nothing(
    cells,
):
    restored = Restored(cells)
    assert_frame_is_whole(restored)
    again = Restored(json.loads(json.dumps(restored.notebook))["cells"])
    assert again.notebook == restored.notebook


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 8), st.text("abc", min_size=1, max_size=5)), max_size=6))
def test_cells_put_in_anywhere_are_all_kept_in_their_order(extra):
    cells = copy.deepcopy(PLAIN)
    for count, (place, text) in enumerate(extra):
        cells.insert(place, own(f"own{count} = '{text}'", id=f"own-{count}"))
    restored = Restored(cells)
    wanted = [c["source"] for c in cells if c["id"].startswith("own-")]
    assert [s for s in restored.sources if s.startswith("own")] == wanted
    assert_frame_is_whole(restored)


def test_a_helper_between_an_answer_and_its_check_runs_before_the_tests(solved):
    helper = {"cell_type": "code", "source": "def helper():\n    return 1", "metadata": {}}
    restored = Restored([*solved[:3], {**helper, "id": "mine"}, *solved[3:]])
    order = [cell.id for cell in restored.cells]
    assert order.index("conv") < order.index("mine") < order.index("conv-tests")


def test_an_answer_in_an_own_cell_counts_though_the_stub_is_still_there(solved):
    stub = {**solved[2], "source": FRAME["conv"].source}
    own = {"cell_type": "code", "source": CONV, "metadata": {}, "id": "mine"}
    restored = Restored([*solved[:2], stub, own, *solved[3:]])
    assert restored["conv"].source == CONV
    assert restored.said("conv", "found in another cell")


def test_a_function_written_into_a_demonstration_is_run(solved):
    for cell in solved:
        if cell["id"] == "demo":
            cell["source"] += "\ndef helper():\n    return 1"
    restored = Restored(solved)
    demo = next(cell for cell in restored.cells if cell.id == "demo")
    assert "skip-execution" not in demo.metadata.get("tags", [])


# -- what other tools and slips do ------------------------------------------------------------

LONG = "def conv(x):\n    total = 0\n    for value in x:\n        total += value\n    return total"


def halves(cell, place):
    """As JupyterLab splits a cell before a line: both have its mark, the second a new id."""
    lines = cell["source"].split("\n")
    first, rest = "\n".join(lines[:place]), "\n".join(lines[place:])
    return cell | {"source": first}, copy.deepcopy(cell) | {"source": rest, "id": "rest"}


@pytest.mark.parametrize("place", [1, 2, 3, 4])
@pytest.mark.parametrize("marked", [True, False])
def test_an_answer_that_was_split_within_its_function_is_joined(solved, place, marked):
    first, rest = halves(solved[2] | {"source": LONG}, place)
    if not marked:
        rest["metadata"] = {}
    restored = Restored([*solved[:2], first, rest, *solved[3:]])
    assert restored["conv"].source == LONG
    assert restored.said("conv", "split", "joined")
    assert_frame_is_whole(restored)


def test_an_answer_whose_mark_is_on_its_rest_only_is_joined(solved):
    first, rest = halves(solved[2] | {"source": LONG}, 2)
    first["metadata"] = {}
    restored = Restored([*solved[:2], first, rest, *solved[3:]])
    assert restored["conv"].source == LONG
    assert restored.said("conv", "split", "joined")
    assert_frame_is_whole(restored)


def test_an_answer_in_three_pieces_is_joined(solved):
    first, rest = halves(solved[2] | {"source": LONG}, 2)
    second, third = halves(rest, 2)
    restored = Restored([*solved[:2], first, second, third, *solved[3:]])
    assert restored["conv"].source == LONG
    assert_frame_is_whole(restored)


@pytest.mark.parametrize(
    "source", ["    y = conv(3)", "  # a thought", "\n\n    print(1)", "y = 2"]
)
def test_an_indented_cell_that_runs_by_itself_stays_one(solved, source):
    restored = Restored([*solved[:3], own(source), *solved[3:]])
    assert restored["conv"].source == CONV
    assert source in restored.sources


def test_of_a_helper_and_an_answer_that_share_a_mark_the_answer_counts(solved):
    helper = copy.deepcopy(solved[2]) | {"source": "def double(x):\n    return 2 * x", "id": "h"}
    restored = Restored([*solved[:3], helper, *solved[3:]])
    assert restored["conv"].source == CONV
    assert helper["source"] in restored.sources
    assert_frame_is_whole(restored)


def test_an_answer_below_its_check_counts_where_its_own_cell_holds_only_a_helper(solved):
    solved[2]["source"] = "def double(x):\n    return 2 * x"
    restored = Restored([*solved, own(CONV)])
    assert restored["conv"].source == CONV
    assert solved[2]["source"] in restored.sources
    assert_frame_is_whole(restored)


@pytest.mark.parametrize("source", ["conv = lambda x: 2 * x", "from mine import conv"])
def test_an_answer_bound_without_def_is_found_too(solved, source):
    solved[2] |= {"metadata": {}, "source": source}
    restored = Restored(solved)
    assert restored["conv"].source == source
    assert_frame_is_whole(restored)


def test_a_def_goes_before_a_variable_of_the_same_name(solved):
    solved[2]["metadata"] = {}
    restored = Restored([*solved, own("conv = conv(3)")])
    assert restored["conv"].source == CONV


def test_a_function_in_two_cells_is_told(solved):
    restored = Restored([*solved, own(CONV.replace("2", "3"))])
    assert restored["conv"].source == CONV
    assert restored.said("conv", "more than one cell")
    assert_frame_is_whole(restored)


def test_an_answer_written_into_the_locked_cell_counts(solved):
    solved[2]["source"] = FRAME["conv"].source
    solved[3]["source"] = f"{CONV}\n\ncheck(conv)"
    restored = Restored(solved)
    assert restored["conv"].source == solved[3]["source"]
    assert restored.said("conv", "locked cell")
    assert_frame_is_whole(restored)


@pytest.mark.parametrize("ids", ["kept", "lost"])
def test_a_written_answer_that_lost_its_mark_is_found_by_id_or_by_what_is_above(solved, ids):
    for cell in solved:
        cell["metadata"] = {}
        if ids == "lost":
            del cell["id"]
    restored = Restored(solved)
    assert restored["why"].source == "Because."
    assert restored.said("why", "lost their marks")
    assert_frame_is_whole(restored)


def test_a_stub_without_its_mark_does_not_undo_the_answer(solved):
    stub = own(FRAME["conv"].source)
    restored = Restored([*solved[:3], stub, *solved[3:]])
    assert restored["conv"].source == CONV
    assert stub["source"] not in restored.sources


@pytest.mark.parametrize("change", ["deleted", "moved to the end", "made a text", "broken"])
def test_the_imports_come_back(solved, change):
    imports = solved.pop(1)
    if change == "moved to the end":
        solved.append(imports)
    elif change == "made a text":
        solved.insert(1, imports | {"cell_type": "markdown"})
    elif change == "broken":
        solved.insert(1, imports | {"source": "import numpy as np\noops("})
    restored = Restored(solved)
    code_cells = [c for c in restored.cells if c.cell_type == "code"]
    assert code_cells[0].source == "import numpy as np"
    assert restored.said("imports", "np")
    assert_frame_is_whole(restored)


@pytest.mark.parametrize(
    "source",
    ["import scipy, numpy as np", "%matplotlib widget\nimport numpy as np", "np = 3"],
)
def test_a_changed_cell_of_imports_runs_after_the_released_one(solved, source):
    """it may stop before it has bound the names that all answers need; else it counts"""
    solved[1]["source"] = source
    restored = Restored(solved)
    code = [cell.source for cell in restored.cells if cell.cell_type == "code"]
    assert code[:2] == ["import numpy as np", source]
    assert restored.notes == []


def test_a_copied_id_does_not_make_a_demonstration_something_else(solved):
    solved[0]["id"] = "x"
    solved[4]["id"] = "imports"
    restored = Restored([c for c in solved if c is not solved[1]])
    [demo] = [c for c in restored.cells if c.source == "train(conv)"]
    assert demo.metadata.tags == ["skip-execution"]
    again = Restored(json.loads(json.dumps(restored.notebook))["cells"])
    assert again.notebook == restored.notebook


def test_a_definition_that_was_released_among_the_questions_is_no_repair(monkeypatch, solved):
    release = copy.deepcopy(RELEASE)
    helper = nbformat.v4.new_code_cell("from numpy import pi", id="helper")
    release.cells.insert(6, helper)
    monkeypatch.setitem(globals(), "RELEASE", release)
    moved = json.loads(json.dumps(helper))
    restored = Restored([*solved[:6], moved, *solved[6:]])
    assert restored.notes == []
    assert Restored(solved).said("imports", "pi")
