"""Reading a submission: whatever was handed in, there is a notebook to grade or words to read."""

import io
import json
import os
import subprocess
import tarfile
import time
import zipfile
from types import SimpleNamespace

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder import cells, folder
from autograder.errors import BadSubmission, NotReleased
from autograder.folder import files_beside
from autograder.questions import find_assignment
from autograder.submission import load, load_or_empty

NBGRADER = {"locked": False, "task": False, "cell_type": "code", "schema_version": 3}
IMPORTS = "import numpy as np"
ANOTHER = find_assignment("2_conv_layers").solution
STUB = "def f(x):\n    raise NotImplementedError()"
WRITTEN = "def f(x):\n    return 2 * x"


@pytest.fixture(scope="session")
def assignment(tmp_path_factory):
    """A released notebook with one question: an import, the answer's cell, its grade cell."""
    answer = {"grade_id": "f", "solution": True, "grade": False, **NBGRADER}
    tests = {"grade_id": "f-tests", "solution": False, "grade": True, "points": 2, **NBGRADER}
    new = nbformat.v4.new_code_cell
    notebook = nbformat.v4.new_notebook(
        cells=[
            new(IMPORTS, id="imports"),
            new(STUB, id="f", metadata={"nbgrader": answer}),
            new("check(f)", id="f-tests", metadata={"nbgrader": tests | {"locked": True}}),
        ]
    )
    path = tmp_path_factory.mktemp("release") / "layers.ipynb"
    nbformat.write(notebook, path)
    return SimpleNamespace(release=path, beside=("net.npz",))


def notebook(*sources, **changes):
    """A submission as plain JSON: its first source is the answer's."""
    cells = [code(source) for source in sources]
    if cells:
        cells[0]["metadata"] = {"nbgrader": {"grade_id": "f"}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells, **changes}


def code(source, **changes):
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], **changes}


@pytest.fixture
def hand_in(tmp_path, assignment):
    """Write what was handed in, text or bytes or JSON, and load it."""

    def write_and_load(content):
        path = tmp_path / "submitted" / "layers.ipynb"
        path.parent.mkdir(exist_ok=True)
        if not isinstance(content, (str, bytes)):
            content = json.dumps(content)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return load(path, assignment)

    return write_and_load


def sources(loaded):
    return [cell.source for cell in loaded.notebook.cells]


def the_answer(loaded):
    [cell] = [
        c for c in loaded.notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "f"
    ]
    return cell.source


# -- what can be read -------------------------------------------------------------------------


def test_a_written_answer_is_read_and_nothing_is_said(hand_in, assignment):
    released = json.loads(assignment.release.read_text())
    released["cells"][1]["source"] = WRITTEN
    loaded = hand_in(released)
    assert sources(loaded) == [IMPORTS, WRITTEN, "check(f)"]
    assert loaded.notes == []


def test_a_source_in_lines_is_joined(hand_in):
    assert the_answer(hand_in(notebook(["def f(x):\n", "    return x"]))) == (
        "def f(x):\n    return x"
    )


def test_windows_line_ends_become_plain_ones(hand_in):
    text = json.dumps(notebook(WRITTEN.replace("\n", "\r\n")), indent=1).replace("\n", "\r\n")
    assert the_answer(hand_in(text)) == WRITTEN


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_unicode_in_its_usual_encodings_is_read(hand_in, encoding):
    text = json.dumps(notebook("# π"), ensure_ascii=False)
    data = b"\xff\xfe" * (encoding == "utf-16-le") + text.encode(encoding)
    loaded = hand_in(data)
    assert the_answer(loaded) == "# π"
    assert not any("UTF-8" in note for note in loaded.notes)


def test_bytes_that_are_not_utf8_are_replaced_and_told(hand_in):
    loaded = hand_in(json.dumps(notebook("# caf\u00e9"), ensure_ascii=False).encode("latin-1"))
    assert the_answer(loaded) == "# caf\ufffd"
    assert any("not UTF-8" in note for note in loaded.notes)


def test_lone_surrogates_are_replaced_so_that_the_notebook_can_be_written(hand_in, tmp_path):
    loaded = hand_in(notebook("x = '\ud800'", "y = '\udfff'"))
    nbformat.write(loaded.notebook, tmp_path / "out.ipynb")
    assert the_answer(loaded) == "x = '?'"


def test_surrogates_anywhere_else_leave_a_notebook_that_can_be_written(hand_in, tmp_path):
    bad = "\ud800"
    cell = {"id": bad, "cell_type": "markdown", "source": bad, "metadata": {bad: bad}}
    cell["attachments"] = {bad: {"image/png": bad}, "a.png": {"image/png": bad}}
    loaded = hand_in(notebook(WRITTEN, metadata={bad: bad}) | {"cells": [cell]})
    nbformat.write(loaded.notebook, tmp_path / "out.ipynb")
    nbformat.validate(loaded.notebook)


def test_old_worksheets_are_converted(hand_in):
    old = code("", input=[WRITTEN], metadata={"nbgrader": {"grade_id": "f"}})
    del old["source"]
    heading = {"cell_type": "heading", "level": 1, "source": "Layers"}
    loaded = hand_in({"nbformat": 3, "worksheets": [{"cells": [heading, old]}]})
    assert the_answer(loaded) == WRITTEN
    assert "# Layers" in sources(loaded)
    assert any("old format" in note for note in loaded.notes)


def test_the_very_first_format_is_converted(hand_in):
    cells = [{"cell_type": "text", "text": "Layers"}, {"cell_type": "code", "code": WRITTEN}]
    loaded = hand_in({"nbformat": 1, "cells": cells})
    assert the_answer(loaded) == WRITTEN
    assert "Layers" in sources(loaded)


@pytest.mark.parametrize("version", [5, 99, 10**30])
def test_a_format_of_the_future_is_read_as_todays_and_told(hand_in, version):
    loaded = hand_in(notebook(WRITTEN, nbformat=version, nbformat_minor=77))
    assert the_answer(loaded) == WRITTEN
    assert any("format" in note for note in loaded.notes)


@pytest.mark.parametrize("sheet", [None, 5, [], {}, {"cells": None}, {"cells": 5}, {"cells": "x"}])
def test_a_worksheet_of_a_wrong_type_counts_as_empty(hand_in, sheet):
    loaded = hand_in({"worksheets": [sheet]})
    assert the_answer(loaded) == STUB


@pytest.mark.parametrize(
    "cell",
    [
        *(None, 1, "code", [], {}, {"cell_type": []}, {"cell_type": "heading", "source": "x"}),
        *(code(None), code(1), code({"a": 1}), code(True)),
    ],
    ids=repr,
)
def test_a_cell_of_a_wrong_type_is_left_out_and_told(hand_in, cell):
    loaded = hand_in(notebook(WRITTEN) | {"cells": [*notebook(WRITTEN)["cells"], cell, code("1")]})
    assert sources(loaded) == [IMPORTS, WRITTEN, "check(f)", "1"]
    assert any(note.startswith("1 cells could not be read") for note in loaded.notes)


@pytest.mark.parametrize(
    "changes",
    [
        *({"metadata": None}, {"metadata": []}, {"metadata": {"nbgrader": "f"}}),
        *({"metadata": {"nbgrader": {"grade_id": ["f"]}}}, {"outputs": 5}, {"outputs": [None]}),
        *({"id": 5}, {"id": None}, {"id": ""}, {"id": "no good!"}, {"id": "x" * 70}),
        *({"attachments": 5}, {"attachments": {"a.png": []}}, {"execution_count": "x"}),
    ],
    ids=repr,
)
def test_wrong_types_beside_the_source_do_not_lose_it(hand_in, changes):
    loaded = hand_in(notebook(WRITTEN) | {"cells": [code("1 + 1", **changes)]})
    assert "1 + 1" in sources(loaded)
    nbformat.validate(loaded.notebook)


def test_parts_of_a_source_that_are_not_text_are_left_out(hand_in):
    assert the_answer(hand_in(notebook(["a = 1\n", None, 5, ["b"], "c = 2"]))) == "a = 1\nc = 2"


def test_a_cell_that_is_too_long_is_left_out(hand_in, monkeypatch):
    monkeypatch.setattr(cells, "MAX_SOURCE", 100)
    loaded = hand_in(notebook(WRITTEN, "#" * 101))
    assert sources(loaded) == [IMPORTS, WRITTEN, "check(f)"]


def test_cells_beyond_the_limit_are_left_out_and_told(hand_in, monkeypatch):
    monkeypatch.setattr(cells, "MAX_CELLS", 3)
    loaded = hand_in(notebook(WRITTEN, "1", "2", "3", "4"))
    assert sources(loaded) == [IMPORTS, WRITTEN, "check(f)", "1", "2"]
    assert any(note.startswith("2 cells") for note in loaded.notes)


def test_only_pictures_are_kept_of_what_was_pasted(hand_in):
    cell = {
        "cell_type": "markdown",
        "source": "![](attachment:a.png)",
        "metadata": {},
        "attachments": {
            "a.png": {"image/png": "QUJD", "text/html": "<script>"},
            "b.svg": {"image/svg+xml": "<svg onload=x>"},
            "c.html": {"text/html": "<script>"},
            "f.svg": {"image/svg+xml": "QUJD"},
            'd" onerror="x': {"image/png": "QUJD"},
            "e.png": {"image/png": '"><script>'},
        },
    }
    loaded = hand_in(notebook(WRITTEN) | {"cells": [cell]})
    [kept] = [c for c in loaded.notebook.cells if c.cell_type == "markdown"]
    assert kept.attachments == {"a.png": {"image/png": "QUJD"}}


# -- what cannot ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b" ", b"{", b"not json", b"\x89PNG\r\n\x1a\n\0\0", bytes(range(256)), b"\xff\xfe"),
        *(b"\xff\xfe\0", b"\xff\xfe\0\0{\0\0\0", b"[" * 10**5, b'{"cells": ' + b"9" * 5000 + b"}"),
        *(b"[]", b"null", b"5", b'"cells"', b"{}", b'{"cells": null}', b'{"cells": {"0": 1}}'),
        b'{"cells": [{"cell_type": "code", "source": "x',
    ],
    ids=lambda content: repr(content[:20]),
)
def test_what_is_not_a_notebook_is_refused_in_words_and_counts_as_nothing_handed_in(
    content, tmp_path, assignment
):
    path = tmp_path / "layers.ipynb"
    path.write_bytes(content)
    with pytest.raises(BadSubmission, match="is not a notebook"):
        load(path, assignment)
    loaded = load_or_empty(path, assignment)
    assert the_answer(loaded) == STUB
    assert len(loaded.notes) == 1
    assert loaded.files == {}


def test_a_file_that_is_too_large_is_not_read(hand_in, monkeypatch):
    monkeypatch.setattr(folder, "MAX_NOTEBOOK", 1000)
    with pytest.raises(BadSubmission, match="limit"):
        hand_in(notebook("#" * 1000))


def test_a_link_is_refused_even_to_a_good_notebook(tmp_path, assignment):
    path = tmp_path / "link.ipynb"
    path.symlink_to(assignment.release)
    with pytest.raises(BadSubmission, match="link"):
        load(path, assignment)


@pytest.mark.parametrize("target", ["/etc/passwd", "/dev/zero", "nowhere", "layers.ipynb"])
def test_a_link_to_anything_is_refused(tmp_path, assignment, target):
    path = tmp_path / "layers.ipynb"
    path.symlink_to(target)
    with pytest.raises(BadSubmission):
        load(path, assignment)


def test_a_fifo_does_not_hang(tmp_path, assignment):
    path = tmp_path / "layers.ipynb"
    os.mkfifo(path)
    with pytest.raises(BadSubmission, match="ordinary file"):
        load(path, assignment)


def test_a_folder_is_refused(tmp_path, assignment):
    path = tmp_path / "layers.ipynb"
    path.mkdir()
    with pytest.raises(BadSubmission, match="ordinary file"):
        load(path, assignment)


def test_refusing_leaves_no_file_open(tmp_path, assignment):
    before = len(os.listdir("/proc/self/fd"))
    path = tmp_path / "layers.ipynb"
    path.mkdir()
    for _ in range(20):
        load_or_empty(path, assignment)
    assert len(os.listdir("/proc/self/fd")) <= before + 1


def test_a_missing_file_is_refused(tmp_path, assignment):
    with pytest.raises(BadSubmission, match=r"layers\.ipynb cannot be read"):
        load(tmp_path / "layers.ipynb", assignment)


def test_a_missing_release_is_the_graders_problem(tmp_path):
    with pytest.raises(NotReleased):
        load_or_empty(tmp_path / "x.ipynb", SimpleNamespace(release=tmp_path / "none.ipynb"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
CELLS = st.fixed_dictionaries(
    {
        "cell_type": st.sampled_from(["code", "markdown", "raw"]) | JSON,
        "source": st.text(st.characters(exclude_categories=()), max_size=20) | JSON,
    },
    optional={
        "metadata": st.just({"nbgrader": {"grade_id": "f"}})
        | st.fixed_dictionaries({"nbgrader": JSON})
        | JSON,
        "id": st.text(max_size=5) | JSON,
        "attachments": st.fixed_dictionaries({"a.png": JSON}) | JSON,
        "outputs": JSON,
    },
)
NOTEBOOKS = JSON | st.fixed_dictionaries(
    {"cells": st.lists(CELLS | JSON, max_size=4)}, optional={"metadata": JSON, "nbformat": JSON}
)
SHEETS = st.fixed_dictionaries(
    {"worksheets": st.lists(JSON | st.fixed_dictionaries({"cells": st.lists(CELLS)}), max_size=2)}
)


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(content=NOTEBOOKS | SHEETS)
def test_any_json_is_a_valid_notebook_with_its_question_once_or_is_refused(
    content, tmp_path, assignment
):
    path = tmp_path / "layers.ipynb"
    path.write_text(json.dumps(content))
    loaded = load_or_empty(path, assignment)
    nbformat.validate(loaded.notebook)
    nbformat.writes(loaded.notebook).encode()
    ids = [c.metadata.get("nbgrader", {}).get("grade_id") for c in loaded.notebook.cells]
    assert [i for i in ids if i] == ["f", "f-tests"]
    assert loaded.digest()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=80))
def test_any_bytes_give_a_notebook_to_grade(content, tmp_path, assignment):
    path = tmp_path / "layers.ipynb"
    path.write_bytes(content)
    assert the_answer(load_or_empty(path, assignment)) == STUB


# -- the files beside -------------------------------------------------------------------------


def test_files_are_found_by_their_relative_names(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "helper.py").write_text("x = 1")
    (tmp_path / "data" / "a b.txt").write_text("a")
    findings = []
    assert files_beside(tmp_path, findings) == {
        "helper.py": tmp_path / "helper.py",
        "data/a b.txt": tmp_path / "data" / "a b.txt",
    }
    assert findings == []


def test_notebooks_hidden_files_caches_and_our_own_files_are_left_out(tmp_path):
    for name in (
        *("layers.ipynb", ".secret", "report.json", "timestamp.txt", ".git/config"),
        *("data/.hidden", "__pycache__/a.pyc", ".ipynb_checkpoints/layers.ipynb"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    findings = []
    assert files_beside(tmp_path, findings) == {}
    assert findings == []


def test_a_report_in_a_folder_of_its_own_is_the_students(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "report.json").write_text("{}")
    assert list(files_beside(tmp_path, [])) == ["mine/report.json"]


def test_links_and_fifos_are_left_out_and_told(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    folder = tmp_path / "submitted"
    folder.mkdir()
    (folder / "file").symlink_to(outside / "secret.txt")
    (folder / "folder").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    (folder / "dead").symlink_to("nowhere")
    os.mkfifo(folder / "fifo")
    findings = []
    assert files_beside(folder, findings) == {}
    assert {note.split()[0] for note in [f.text for f in findings]} >= {"file", "dead", "fifo"}


def test_too_many_files_are_cut_off_and_told(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "MAX_FILES", 3)
    for index in range(5):
        (tmp_path / f"{index}.txt").write_text("x")
    findings = []
    assert list(files_beside(tmp_path, findings)) == ["0.txt", "1.txt", "2.txt"]
    assert len(findings) == 1
    assert "3.txt" in findings[0].text


def test_too_many_bytes_are_cut_off_and_told(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "MAX_FILES_BYTES", 100)
    (tmp_path / "a").write_bytes(bytes(60))
    (tmp_path / "b").write_bytes(bytes(60))
    findings = []
    assert list(files_beside(tmp_path, findings)) == ["a"]
    assert len(findings) == 1


def test_folders_nested_without_end_end(tmp_path):
    here = os.getcwd()
    try:
        os.chdir(tmp_path)
        for _ in range(1100):
            os.mkdir("d")
            os.chdir("d")
        os.chdir(here)
        (tmp_path / "z.txt").write_text("found")
        findings = []
        assert list(files_beside(tmp_path, findings)) == ["z.txt"]
        assert len(findings) == 1
    finally:
        os.chdir(here)
        subprocess.run(["rm", "-r", tmp_path / "d"], check=True)  # too deep for shutil.rmtree


def test_a_file_name_that_is_not_utf8_can_be_told_in_a_report(tmp_path):
    os.symlink(b"nowhere", os.fsencode(tmp_path) + b"/caf\xe9")
    findings = []
    files_beside(tmp_path, findings)
    assert findings[0].text.encode().startswith(b"'caf\\udce9' was left out")


# -- the digest -------------------------------------------------------------------------------


def test_the_digest_depends_on_sources_and_files_and_on_nothing_else(hand_in, tmp_path):
    first = hand_in(notebook(WRITTEN, "1")).digest()
    with_outputs = notebook(WRITTEN, "1", metadata={"name": "somebody"})
    with_outputs["cells"][1] |= {"outputs": [{"output_type": "stream"}], "execution_count": 7}
    assert hand_in(with_outputs).digest() == first
    assert hand_in(notebook(WRITTEN, "2")).digest() != first
    assert hand_in(notebook(WRITTEN, "1")).digest() == first
    (tmp_path / "submitted" / "helper.py").write_text("x = 1")
    with_file = hand_in(notebook(WRITTEN, "1")).digest()
    assert with_file != first
    (tmp_path / "submitted" / "helper.py").write_text("x = 2")
    assert hand_in(notebook(WRITTEN, "1")).digest() not in (first, with_file)


# -- where the notebook is --------------------------------------------------------------------

OTHER = "def f(x):\n    return x + x"
RIGHT_CELLS = [
    code(IMPORTS),
    code(WRITTEN, metadata={"nbgrader": {"grade_id": "f"}}),
    code("check(f)", metadata={"nbgrader": {"grade_id": "f-tests"}}),
]


@pytest.fixture
def course(tmp_path, assignment):
    """Put files into the folder that was handed in, and load its layers.ipynb."""

    class Folder:
        path = tmp_path / "submitted"

        def put(self, name, content, modified=None):
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if not isinstance(content, bytes):
                content = json.dumps(content).encode()
            file.write_bytes(content)
            if modified is not None:
                os.utime(file, (modified, modified))

        def load(self):
            return load(self.path / "layers.ipynb", assignment)

    return Folder()


def packed(ending, files):
    """An archive of {name: contents}."""
    files = {n: d if isinstance(d, bytes) else json.dumps(d).encode() for n, d in files.items()}
    out = io.BytesIO()
    if ending.lower() == "zip":
        with zipfile.ZipFile(out, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(fileobj=out, mode="w" if ending == "tar" else "w:gz") as archive:
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        *("layers (1).ipynb", "Layers.ipynb", "layers-ada.ipynb", "Copy of layers.ipynb"),
        *("LAYERS.IPYNB", "a_folder/layers.ipynb", "two/folders/é\n.ipynb"),
    ],
)
def test_a_notebook_of_another_name_is_found_and_told(course, name):
    course.put(name, notebook(WRITTEN))
    loaded = course.load()
    assert the_answer(loaded) == WRITTEN
    [told] = [f for f in loaded.findings if "graded in its place" in f.text]
    assert told.kind == "repaired" and name in told.text


def test_of_several_the_one_with_most_answers_counts_then_the_newest(course):
    course.put("a.ipynb", notebook(STUB), modified=3000)
    course.put("b.ipynb", notebook(WRITTEN), modified=1000)
    course.put("c.ipynb", notebook(OTHER), modified=2000)
    course.put("d.ipynb", notebook(WRITTEN), modified=500)
    loaded = course.load()
    assert the_answer(loaded) == OTHER
    assert all(any(f"{name}.ipynb" in note for note in loaded.notes) for name in "abcd")


def test_a_notebook_about_something_else_is_not_taken(course):
    course.put("shopping.ipynb", {"cells": [code("print('milk')")]})
    with pytest.raises(BadSubmission, match="cannot be read"):
        course.load()


def test_the_right_name_counts_though_another_has_more_answers_which_is_told(course):
    course.put("layers.ipynb", notebook(STUB))
    course.put("layers (1).ipynb", notebook(WRITTEN))
    loaded = course.load()
    assert the_answer(loaded) == STUB
    [told] = [f for f in loaded.findings if f.kind == "noticed"]
    assert "layers (1).ipynb" in told.text


def test_another_beside_it_with_no_more_answers_is_not_worth_a_word(course):
    course.put("layers.ipynb", {"cells": RIGHT_CELLS})
    course.put("old/layers.ipynb", notebook(OTHER))
    assert course.load().findings == []


@pytest.mark.parametrize(
    "make", [os.mkdir, os.mkfifo, lambda path: os.symlink("/etc/passwd", path)]
)
def test_what_stands_in_the_notebooks_place_does_not_hide_another(course, make):
    course.put("layers (1).ipynb", notebook(WRITTEN))
    make(course.path / "layers.ipynb")
    loaded = course.load()
    assert the_answer(loaded) == WRITTEN
    assert "layers.ipynb" not in loaded.files


def test_a_folder_in_the_notebooks_place_is_searched(course):
    course.put("layers.ipynb/layers.ipynb", notebook(WRITTEN))
    course.put("layers.ipynb/helper.py", b"x = 1")
    loaded = course.load()
    assert the_answer(loaded) == WRITTEN
    assert list(loaded.files) == ["helper.py"]


def test_a_folder_in_the_notebooks_place_is_no_file_beside_another(course):
    course.put("layers (1).ipynb", notebook(WRITTEN))
    course.put("layers.ipynb/helper.py", b"x = 1")
    assert course.load().files == {}  # the notebook itself gets that name in every copy


def test_an_empty_notebook_does_not_hide_another(course):
    course.put("layers.ipynb", b"")
    course.put("layers (1).ipynb", notebook(WRITTEN))
    assert the_answer(course.load()) == WRITTEN


@pytest.mark.parametrize("place", ["right.ipynb", "folder/layers.ipynb", "work.zip"])
def test_another_assignments_notebook_does_not_hide_the_right_one(course, place):
    right = notebook(WRITTEN)
    course.put("layers.ipynb", ANOTHER.read_bytes(), modified=3000)
    course.put(place, packed("zip", {"layers.ipynb": right}) if "zip" in place else right, 1000)
    loaded = course.load()
    assert the_answer(loaded) == WRITTEN
    [told] = [note for note in loaded.notes if "graded in its place" in note]
    assert "layers.ipynb has nothing of this assignment" in told and place in told


def test_another_assignments_notebook_alone_is_refused_by_name(course, assignment):
    course.put("layers.ipynb", ANOTHER.read_bytes())
    with pytest.raises(BadSubmission, match=r"layers\.ipynb holds the notebook of 2_conv_layers"):
        course.load()
    [finding] = load_or_empty(course.path / "layers.ipynb", assignment).findings
    assert finding.kind == "unreadable"


def test_a_notebook_of_own_cells_only_is_run_as_it_is(course):
    course.put("layers.ipynb", {"cells": [code("from mine import f")]})
    course.put("mine.py", WRITTEN.encode())
    assert "from mine import f" in sources(course.load())


# -- files that are handed in beside the notebook ----------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "net (1).npz",
        "weights/net.npz",
        "NET.npz",
        "ada_123_net.npz",
        "net.npz/net.npz",
        "a/net.NPZ",
    ],
)
def test_a_file_under_another_name_is_taken_and_told(course, name):
    course.put("layers.ipynb", {"cells": RIGHT_CELLS})
    course.put(name, b"weights")
    loaded = course.load()
    assert {n: f.read_bytes() for n, f in loaded.files.items()} == {"net.npz": b"weights"}
    [told] = loaded.findings
    assert told.kind == "repaired" and name in told.text


@pytest.mark.parametrize("name", ["net (1).npz", "old/net.npz"])
def test_the_file_with_the_right_name_counts(course, name):
    course.put("layers.ipynb", {"cells": RIGHT_CELLS})
    course.put("net.npz", b"right")
    course.put(name, b"wrong")
    loaded = course.load()
    assert loaded.files["net.npz"].read_bytes() == b"right" and name in loaded.files
    assert loaded.findings == []


def test_of_several_files_that_could_be_meant_none_is_taken(course):
    course.put("layers.ipynb", {"cells": RIGHT_CELLS})
    course.put("net (1).npz", b"one")
    course.put("net (2).npz", b"two")
    loaded = course.load()
    assert sorted(loaded.files) == ["net (1).npz", "net (2).npz"]
    [told] = loaded.findings
    assert told.kind == "noticed" and "net (1).npz, net (2).npz" in told.text


def test_weights_that_were_put_aside_are_not_meant(course):
    course.put("layers.ipynb", {"cells": RIGHT_CELLS})
    course.put("net (1).npz", b"these")
    course.put("earlier_net.npz", b"others")
    course.put("earlier_2_net.npz", b"others")
    loaded = course.load()
    assert loaded.files["net.npz"].read_bytes() == b"these"


@pytest.mark.parametrize("name", ["net.txt", "weights.npz", "net", "earlier_net.npz"])
def test_other_files_are_not_taken(course, name):
    course.put("layers.ipynb", {"cells": RIGHT_CELLS})
    course.put(name, b"")
    loaded = course.load()
    assert list(loaded.files) == [name] and loaded.findings == []


@pytest.mark.parametrize("ending", ["zip", "ZIP", "tar.gz", "tgz", "tar"])
def test_an_archive_is_opened_and_its_files_lie_beside(course, ending):
    files = {"w/x.ipynb": notebook(WRITTEN), "w/helper.py": b"x = 1", "w/d/e.txt": b"", "y": b""}
    course.put(f"work.{ending}", packed(ending, files))
    before = sorted(course.path.rglob("*"))
    loaded = course.load()
    assert the_answer(loaded) == WRITTEN
    assert {name: f.read_bytes() for name, f in loaded.files.items()} == {
        "helper.py": b"x = 1",
        "d/e.txt": b"",
    }
    assert any(f"w/x.ipynb in work.{ending}" in note for note in loaded.notes)
    assert sorted(course.path.rglob("*")) == before


def test_an_archive_gives_the_same_digest_as_the_folder_that_was_packed(course):
    files = {"layers.ipynb": notebook(WRITTEN), "helper.py": b"x"}
    course.put("work.zip", packed("zip", files))
    digest = course.load().digest()
    (course.path / "work.zip").unlink()
    for name, content in files.items():
        course.put(name, content)
    assert course.load().digest() == digest


def test_an_archive_is_left_alone_if_there_is_a_notebook(course):
    course.put("layers (1).ipynb", notebook(WRITTEN))
    course.put("work.zip", packed("zip", {"layers.ipynb": notebook(OTHER)}))
    loaded = course.load()
    assert the_answer(loaded) == WRITTEN
    assert list(loaded.files) == ["work.zip"]


def test_a_broken_archive_is_told_of_when_nothing_else_is_there(course):
    course.put("work.zip", b"PK\3\4 broken")
    with pytest.raises(BadSubmission, match=r"work\.zip is damaged"):
        course.load()


def test_files_that_may_not_be_read_are_left_out_and_told(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("x")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may read everything
    findings = []
    assert files_beside(tmp_path, findings) == {}
    assert "may not be read" in findings[0].text


@pytest.mark.parametrize("name", ["numpy.py", "json.py", "cnnlab/__init__.py", "matplotlib/a.py"])
def test_a_module_that_hides_one_that_is_needed_is_told_of(course, name):
    course.put("layers.ipynb", {"cells": RIGHT_CELLS})
    course.put(name, b"")
    loaded = course.load()
    assert name in loaded.files
    assert [f.kind for f in loaded.findings] == ["noticed"]
    assert name.split("/")[0] in loaded.notes[0]


@pytest.mark.parametrize("name", ["helper.py", "my/numpy.py", "numpy.txt"])
def test_own_modules_and_data_are_not_worth_a_word(course, name):
    course.put("layers.ipynb", {"cells": RIGHT_CELLS})
    course.put(name, b"")
    assert course.load().findings == []


def test_two_hundred_odd_files_do_not_make_two_hundred_findings(course):
    course.put("layers.ipynb", {"cells": RIGHT_CELLS})
    for index in range(200):
        os.symlink("nowhere", course.path / f"link{index}")
    loaded = course.load()
    assert len(loaded.findings) < 70
    assert "more of such" in loaded.notes[-1]


# -- damage -----------------------------------------------------------------------------------


def whole():
    return notebook(WRITTEN, *[f"x{i} = 1" for i in range(4)])


@pytest.mark.parametrize("indent", [None, 1])
def test_the_whole_cells_of_a_file_that_is_cut_off_are_saved(hand_in, indent):
    text = json.dumps(whole(), indent=indent)
    loaded = hand_in(text[: text.index("x2 = 1")])
    assert sources(loaded) == [IMPORTS, WRITTEN, "check(f)", "x0 = 1", "x1 = 1"]
    assert any("cut off or damaged" in note and "3 whole cells" in note for note in loaded.notes)


def test_cells_after_the_damage_are_saved_as_well(hand_in):
    text = json.dumps(whole(), indent=1).replace('"x1 = 1"', '"x1 = 1')
    assert {"x0 = 1", "x2 = 1", "x3 = 1"} <= set(sources(hand_in(text)))


@pytest.mark.parametrize("end", [b"\0" * 5000, b"}}", b'{"cells": []}', b"\x1a"])
def test_rubbish_after_the_end_costs_nothing(hand_in, end):
    loaded = hand_in(json.dumps(whole()).encode() + end)
    assert the_answer(loaded) == WRITTEN and "x3 = 1" in sources(loaded)


def test_a_conflict_that_git_left_costs_no_other_cell(hand_in):
    lines = json.dumps(whole(), indent=1).split("\n")
    place = next(i for i, line in enumerate(lines) if "x1 = 1" in line)
    mine, theirs = lines[place], lines[place].replace("x1", "y1")
    lines[place : place + 1] = ["<<<<<<< HEAD", mine, "=======", theirs, ">>>>>>> main"]
    assert {WRITTEN, "x0 = 1", "x2 = 1"} <= set(sources(hand_in("\n".join(lines))))


def test_a_damaged_notebook_gives_way_to_a_whole_one_with_more_answers(course):
    cut = json.dumps(notebook(STUB, WRITTEN))
    course.put("layers.ipynb", cut[: cut.index("return")].encode())
    course.put("layers (1).ipynb", notebook(WRITTEN))
    loaded = course.load()
    assert the_answer(loaded) == WRITTEN
    assert any("damaged" in note and "layers (1).ipynb" in note for note in loaded.notes)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "9" * 6000, "1e999", "-0.0"])
def test_odd_numbers_do_no_harm(hand_in, number):
    text = json.dumps(notebook(WRITTEN)).replace('"outputs": []', f'"execution_count": {number}')
    assert number in text
    assert the_answer(hand_in(text)) == WRITTEN


def test_of_a_key_that_is_there_twice_the_last_counts(hand_in):
    text = '{"cells": 5, ' + json.dumps(notebook(WRITTEN))[1:]
    assert the_answer(hand_in(text)) == WRITTEN


def test_raw_line_ends_in_strings_are_read(hand_in):
    assert the_answer(hand_in(json.dumps(notebook(WRITTEN)).replace("\\n", "\n"))) == WRITTEN


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32"])
def test_an_encoding_without_its_mark_is_recognised(hand_in, encoding):
    assert the_answer(hand_in(json.dumps(notebook(WRITTEN)).encode(encoding))) == WRITTEN


def test_a_lone_carriage_return_ends_a_line(hand_in):
    assert the_answer(hand_in(notebook(WRITTEN.replace("\n", "\r")))) == WRITTEN


def test_more_values_than_memory_is_good_for_are_refused(hand_in, monkeypatch):
    monkeypatch.setattr(cells, "MAX_VALUES", 100)
    with pytest.raises(BadSubmission, match="values"):
        hand_in(notebook(*["x"] * 100))


@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [
        "x = foo(1)\n" * 2700,
        "def f(x):\n    return 1\n" * 1200,
        "    return 1\n" * 2300,
        " " * 29_999 + "x",
        "import " * 4200,
        "'''\n" * 5000,
    ],
    ids=["plain", "defs", "indented", "spaces", "imports", "quotes"],
)
def test_two_thousand_cells_of_30_kb_take_seconds(hand_in, source):
    start = time.process_time()
    loaded = hand_in(notebook(*[f"{source}# {i}" for i in range(2000)]))
    assert len(loaded.notebook.cells) > 1000
    assert time.process_time() - start < 20  # about 3 on a free machine
