"""Submissions whose files are broken, of another kind, too large, or somewhere else."""

from __future__ import annotations

import gzip
import io
import json
import os
import socket
import tarfile
import zipfile
import zlib

import nbformat

from autograder.questions import PROJECT

from .corpus import ASSIGNMENT, EVERYTHING, HONEST, NOTHING, HandIn, but, case, only
from .payloads import NAMES

UNREADABLE = r"is not a notebook|cannot be read|not an ordinary file"


# -- bytes that are no notebook -------------------------------------------------------------------


@case(
    deserves=only("conv_output_size", "conv_cost", "receptive_field", "conv_forward_naive"),
    says="whole cells were saved",
)
def cut_off(hand_in: HandIn):
    """An upload that ended in the middle."""
    hand_in.solved()
    text = json.dumps(hand_in.data)
    hand_in.raw(text[: len(text) // 2])


@case(deserves=NOTHING, says=UNREADABLE)
def empty(hand_in: HandIn):
    """No bytes at all."""
    hand_in.raw(b"")


@case(deserves=NOTHING, says=UNREADABLE)
def binary(hand_in: HandIn):
    """A picture by the notebook's name."""
    hand_in.raw(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100)


@case(deserves=NOTHING, says=UNREADABLE)
def zeros(hand_in: HandIn):
    """A megabyte of null bytes, as a full disk leaves it."""
    hand_in.raw(bytes(1 << 20))


@case(deserves=NOTHING, says=UNREADABLE)
def compressed(hand_in: HandIn):
    """The right notebook, gzipped."""
    hand_in.solved()
    hand_in.raw(gzip.compress(json.dumps(hand_in.data).encode()))


@case(deserves=NOTHING, says=UNREADABLE)
def a_page_in_place_of_it(hand_in: HandIn):
    """The page that says that one has to log in first, saved as the notebook."""
    hand_in.raw("<!DOCTYPE html><html><title>Log in</title><script>alert(1)</script></html>")


@case(deserves=NOTHING, says=UNREADABLE)
def a_script_in_place_of_it(hand_in: HandIn):
    """The right functions as a Python file, by the notebook's name."""
    hand_in.raw("\n\n".join(hand_in.answers.values()))


@case(deserves=EVERYTHING)
def conflict_markers(hand_in: HandIn):
    """What git leaves of two versions that disagree."""
    hand_in.solved()
    text = json.dumps(hand_in.data, indent=1)
    hand_in.raw(f"{text[:500]}\n<<<<<<< HEAD\n{text[500:900]}\n=======\n>>>>>>> main\n{text[900:]}")


@case(deserves=EVERYTHING, says="whole cells were saved")
def more_after_the_end(hand_in: HandIn):
    """Two notebooks in one file."""
    hand_in.solved()
    hand_in.raw(json.dumps(hand_in.data) * 2)


@case(deserves=NOTHING, says=UNREADABLE)
def only_a_pointer(hand_in: HandIn):
    """Git LFS's pointer in place of the file."""
    hand_in.raw("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n")


# -- other encodings ------------------------------------------------------------------------------


@case(deserves=EVERYTHING, says="UTF-8")
def latin_1(hand_in: HandIn):
    """An editor saved the umlauts in a comment as Latin-1."""
    hand_in.solved()
    hand_in.before("conv_cost", "# größe")
    hand_in.raw(json.dumps(hand_in.data, ensure_ascii=False).encode("latin-1", "replace"))


@case(deserves=EVERYTHING)
def utf_16(hand_in: HandIn):
    """Saved by PowerShell: UTF-16 with a byte order mark."""
    hand_in.solved()
    hand_in.raw(json.dumps(hand_in.data, ensure_ascii=False).encode("utf-16"))


@case(deserves=EVERYTHING)
def lone_surrogates(hand_in: HandIn):
    """Halves of emoji in sources, names and outputs: legal JSON, and no text."""
    hand_in.solved()
    hand_in.before("conv_cost", "half = '\ud83d'\nprint(half)", kind="code")
    hand_in.insert(3, "\udc00 in the text \ud800", kind="markdown")
    hand_in.cells["conv_cost"].source += "\n# \udfff"
    hand_in.raw(json.dumps(hand_in.data))


@case(deserves=but("receptive_field"))
def null_characters(hand_in: HandIn):
    """Null characters in a source, which Python refuses, and in a text."""
    hand_in.solved()
    hand_in.cells["receptive_field"].source += "\n# \0"
    hand_in.insert(3, "a\0b", kind="markdown")


# -- JSON that is no notebook, or hardly ----------------------------------------------------------


@case(deserves=NOTHING, says=UNREADABLE)
def too_deep(hand_in: HandIn):
    """Lists in lists, half a million deep."""
    hand_in.raw("[" * 500_000 + "]" * 500_000)


@case(deserves=EVERYTHING, says="whole cells were saved")
def too_deep_in_its_metadata(hand_in: HandIn):
    """A right notebook with metadata that is nested 100,000 deep."""
    hand_in.solved()
    deep = '{"a":' * 100_000 + "1" + "}" * 100_000
    hand_in.raw(
        json.dumps(hand_in.data).replace('"metadata": {', f'"metadata": {{"x": {deep}, ', 1)
    )


@case(deserves=EVERYTHING)
def deep_but_readable(hand_in: HandIn):
    """Metadata and outputs that are nested as deep as the JSON parser just allows."""
    hand_in.solved()
    data = hand_in.data
    for depth, cell in zip((300, 600, 800, 900), data["cells"], strict=False):
        deep: object = 1
        for _ in range(depth):
            deep = [deep]
        cell["metadata"]["deep"] = deep
    hand_in.raw(data)


@case(deserves=NOTHING, says="MB")
def too_large(hand_in: HandIn):
    """A right notebook with 70 MB of blanks behind it."""
    hand_in.solved()
    hand_in.raw(json.dumps(hand_in.data).encode() + b" " * (70 << 20))


@case(deserves=EVERYTHING)
def large_outputs(hand_in: HandIn):
    """A right notebook with 30 MB of outputs and attachments, less than is too much."""
    hand_in.solved()
    data = hand_in.data
    code = [cell for cell in data["cells"] if cell["cell_type"] == "code"]
    for cell in code[:10]:
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * (3 << 20)}]
    hand_in.raw(data)


@case(deserves=EVERYTHING)
def numbers_without_end(hand_in: HandIn):
    """An execution count with a million digits: seconds of work for who parses it."""
    hand_in.solved()
    text = json.dumps(hand_in.data)
    hand_in.raw(text.replace('"execution_count": null', '"execution_count": ' + "9" * 10**6, 1))


@case(deserves=EVERYTHING)
def numbers_that_are_none(hand_in: HandIn):
    """NaN, Infinity and 1e999, which JSON does not have and Python reads and writes."""
    hand_in.solved()
    data = hand_in.data
    data["metadata"]["odd"] = [float("nan"), float("inf"), -float("inf")]
    for cell in data["cells"]:
        cell["metadata"]["score"] = float("nan")
    hand_in.raw(json.dumps(data).replace('"nbformat_minor": 5', '"nbformat_minor": 1e999'))


@case(deserves=EVERYTHING)
def names_twice(hand_in: HandIn):
    """One JSON name twice: the last one is what Python reads."""
    hand_in.solved()
    text = json.dumps(hand_in.data)
    hand_in.raw('{"cells": [], "nbformat": 3, ' + text[1:])


def _not_a_notebook(name: str, data: object) -> None:
    @case(deserves=NOTHING, says=UNREADABLE, name=name)
    def other_json(hand_in: HandIn):
        """JSON that is something else than a notebook."""
        hand_in.raw(json.dumps(data))


_not_a_notebook("a_list", [1, 2, 3])
_not_a_notebook("a_word", "notebook")
_not_a_notebook("null", None)
_not_a_notebook("no_cells", {"metadata": {}, "nbformat": 4, "nbformat_minor": 5})
_not_a_notebook("cells_are_no_list", {"cells": {"0": {}}, "metadata": {}, "nbformat": 4})


@case(deserves=EVERYTHING, says="left out")
def cells_that_are_none(hand_in: HandIn):
    """Numbers, null, lists and half cells between the right ones; metadata that are lists."""
    hand_in.solved()
    data = hand_in.data
    odd = [None, 7, "text", [], {}, {"cell_type": "code"}, {"cell_type": "quiz", "source": "x"}]
    odd += [{"cell_type": "markdown", "source": 7}, {"cell_type": "code", "source": {"a": 1}}]
    odd += [{"cell_type": ["code"], "source": "1"}, {"cell_type": "code", "source": [1, ["x"]]}]
    odd += [{"cell_type": "code", "source": "1", "metadata": [], "outputs": 7, "id": {}}]
    for number, cell in enumerate(odd):
        data["cells"].insert(number * 3, cell)
    hand_in.raw(data)


@case(deserves=but("conv_cost"))
def an_answer_that_is_no_text(hand_in: HandIn):
    """One solution cell's source is a list of numbers."""
    hand_in.solved()
    data = hand_in.data
    for cell in data["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "conv_cost":
            cell["source"] = [100, 101, 102]
    hand_in.raw(data)


@case(deserves=EVERYTHING)
def metadata_of_another_kind(hand_in: HandIn):
    """Every cell's metadata are null, a list or a text; the notebook's too."""
    hand_in.solved()
    data = hand_in.data
    data["metadata"] = "none"
    for number, cell in enumerate(data["cells"]):
        cell["metadata"] = [None, [], "x", 3][number % 4]
    hand_in.raw(data)


@case(deserves=EVERYTHING, says="left out")
def too_many_cells(hand_in: HandIn):
    """6,000 empty cells behind the right ones."""
    hand_in.solved()
    data = hand_in.data
    data["cells"] += [{"cell_type": "code", "source": "1", "metadata": {}}] * 6000
    hand_in.raw(data)


@case(deserves=EVERYTHING, says="left out")
def a_cell_that_is_too_large(hand_in: HandIn):
    """A cell of its own with 2 MB of source, and an answer with 80 kB of comments."""
    hand_in.solved().before("conv_cost", "x = 1\n" * 350_000)
    hand_in.cells["conv_cost"].source += (
        "\n" + "# a comment of 40 characters, more or less\n" * 2000
    )


@case(deserves=EVERYTHING, says="old format")
def nbformat_3(hand_in: HandIn):
    """The format of 2014: worksheets, input in place of source, headings."""
    hand_in.solved()
    data = json.loads(nbformat.writes(hand_in.notebook, version=3))
    hand_in.raw(data)


@case(deserves=EVERYTHING)
def nbformat_4_0(hand_in: HandIn):
    """Version 4.0: no cell ids, prompt numbers where counts are now."""
    hand_in.solved()
    data = hand_in.data
    data["nbformat_minor"] = 0
    for cell in data["cells"]:
        del cell["id"]
        cell.setdefault("prompt_number", 3)
    hand_in.raw(data)


@case(deserves=EVERYTHING)
def nbformat_of_the_future(hand_in: HandIn):
    """Version 7.3, with fields and cell types that nobody knows yet."""
    hand_in.solved()
    data = hand_in.data
    data.update(nbformat=7, nbformat_minor=3, kernels=[{"name": "x"}])
    for cell in data["cells"]:
        cell["provenance"] = {"model": "x"}
        if cell["cell_type"] == "code":
            cell["outputs"] = {"stored": "elsewhere"}
    data["cells"].append({"cell_type": "interactive", "source": "x", "metadata": {}})
    hand_in.raw(data)


@case(deserves=EVERYTHING)
def nbformat_unknown(hand_in: HandIn):
    """No version at all, or one in words."""
    hand_in.solved()
    data = hand_in.data
    del data["nbformat_minor"], data["metadata"]
    data["nbformat"] = "four"
    hand_in.raw(data)


# -- another name, another kind -------------------------------------------------------------------


@case(deserves=NOTHING, says="cannot be read|no notebook|missing")
def nothing_handed_in(hand_in: HandIn):
    """An empty folder."""


@case(deserves=EVERYTHING, says="graded in its place")
def another_name(hand_in: HandIn):
    """The only notebook in the folder is called conv_layers (1).ipynb."""
    hand_in.path = hand_in.path.with_name("conv_layers (1).ipynb")
    hand_in.solved()


@case(deserves=EVERYTHING, says="graded in its place.*Others there: draft.ipynb")
def two_other_names(hand_in: HandIn):
    """Two notebooks, neither by the right name: the newer one counts, and both are told."""
    for name in ("draft.ipynb", "final.ipynb"):
        hand_in.file(name, json.dumps(hand_in.solved().data))
    hand_in.notebook = None


@case(deserves=EVERYTHING)
def copies_beside_it(hand_in: HandIn):
    """The right notebook, and copies and checkpoints of others that hold nothing."""
    empty_one = json.dumps(hand_in.starter().data)
    hand_in.file("conv_layers-Copy1.ipynb", empty_one)
    hand_in.file("Untitled.ipynb", b"{")
    hand_in.file(".ipynb_checkpoints/conv_layers-checkpoint.ipynb", empty_one)
    hand_in.file("__MACOSX/._conv_layers.ipynb", b"\0\5\26\7")
    hand_in.file(".DS_Store", b"\0\0\0\1Bud1")
    hand_in.file("Thumbs.db", b"\xd0\xcf")
    hand_in.file("desktop.ini", "[x]\r\n")
    hand_in.solved()


@case(deserves=EVERYTHING, says="not an ordinary file.*graded in its place")
def a_folder_in_place_of_it(hand_in: HandIn):
    """A folder by the notebook's name, with the right notebook in it."""
    hand_in.file(f"{hand_in.path.name}/conv_layers.ipynb", json.dumps(hand_in.solved().data))
    hand_in.notebook = None


@case(deserves=NOTHING, says="cannot be read|not an ordinary file")
def a_fifo_in_place_of_it(hand_in: HandIn):
    """A pipe by the notebook's name: who reads it waits for ever."""
    hand_in.fifo(hand_in.path.name)


@case(deserves=NOTHING, says="cannot be read|not an ordinary file")
def a_socket_in_place_of_it(hand_in: HandIn):
    """A Unix socket by the notebook's name."""
    here = os.getcwd()
    with socket.socket(socket.AF_UNIX) as bound:
        os.chdir(hand_in.folder)
        try:
            bound.bind(hand_in.path.name)
        finally:
            os.chdir(here)


def _link_in_place(name: str, target: str) -> None:
    @case(deserves=NOTHING, says="link", name=name)
    def a_link_in_place_of_it(hand_in: HandIn):
        """A symbolic link by the notebook's name."""
        hand_in.file("mine.ipynb.txt", json.dumps(hand_in.solved().data))
        hand_in.notebook = None
        hand_in.link(hand_in.path.name, target)


_link_in_place("a_link_to_the_solution", f"{PROJECT}/solutions/{ASSIGNMENT}/conv_layers.ipynb")
_link_in_place(
    "a_link_to_another_student", f"../../{next(iter(HONEST))}/{ASSIGNMENT}/conv_layers.ipynb"
)
_link_in_place("a_link_to_its_own_file", "mine.ipynb.txt")
_link_in_place("a_link_to_zeros", "/dev/zero")
_link_in_place("a_link_to_the_terminal", "/dev/stdin")
_link_in_place("a_link_to_itself", "conv_layers.ipynb")


@case(deserves=NOTHING, says="is a link", refused=True)
def a_folder_that_is_a_link(hand_in: HandIn):
    """The whole folder is a link to that of an honest student."""
    hand_in.folder.rmdir()
    hand_in.folder.symlink_to(f"../{next(iter(HONEST))}/{ASSIGNMENT}")


# -- files beside the notebook --------------------------------------------------------------------


@case(deserves=EVERYTHING, says="left out")
def fifty_megabytes_beside_it(hand_in: HandIn):
    """A data set of 50 MB, and a file of 300 MB that is a hole."""
    hand_in.solved()
    hand_in.large_file("data/train.npz", 50 << 20)
    hand_in.large_file("data/video.mp4", 300 << 20)


@case(deserves=EVERYTHING, says="left out")
def ten_thousand_files(hand_in: HandIn):
    """A cloned repository with 5,000 small files, and a virtual environment."""
    hand_in.solved()
    for number in range(5000):
        hand_in.file(f"repo/{number % 50}/{number}.txt", "x")


@case(deserves=EVERYTHING, says="deep")
def deep_folders(hand_in: HandIn):
    """Folders in folders, 200 deep."""
    hand_in.solved()
    hand_in.file("/".join(["d"] * 200) + "/bottom.txt", "here")


@case(deserves=EVERYTHING)
def odd_file_names(hand_in: HandIn):
    """Names with line ends, blanks, dashes, quotes, escapes, bytes that are no text, 255 long."""
    hand_in.solved()
    odd = [
        "-rf",
        "--help",
        " ",
        "a b",
        "a\\b",
        "*",
        "?",
        "[a-z]",
        "$(id)",
        "`id`",
        ";id",
        "%s",
        "~",
    ]
    odd += ["nul", "con.txt", "x" * 255, "é", "é", "ﬁ", "\u202egnp.exe", "\ufeff", "a\tb", "..."]
    for name in [*odd, *NAMES.values()]:
        hand_in.file(name, "x")
    hand_in.file(b"\xff\xfe not text \x80", "x")
    hand_in.file(b"folder \xff/file \xfe", "x")


@case(deserves=EVERYTHING, says="left out")
def links_to_everywhere(hand_in: HandIn):
    """Links to /, to devices, to itself, to nowhere, up and down, in a circle; pipes; a socket."""
    hand_in.solved()
    targets = ["/", "/dev/zero", "/etc/passwd", "/proc/self/environ", "..", "../..", ".", "nowhere"]
    targets += [str(hand_in.around.secrets), str(hand_in.around.secrets / "token.txt"), "x" * 255]
    for number, target in enumerate(targets):
        hand_in.link(f"link{number}", target)
        hand_in.link(f"folder/link{number}.py", target)
    hand_in.link("circle/a", "b")
    hand_in.link("circle/b", "a")
    hand_in.link("timestamp.txt", hand_in.around.secrets / "token.txt")
    hand_in.link("report.json", hand_in.around.secrets / "token.txt")
    hand_in.fifo("pipe")
    hand_in.fifo("folder/pipe.ipynb")


@case(deserves=EVERYTHING)
def names_of_the_graders_files(hand_in: HandIn):
    """Files and folders called like what the grader, nbgrader and Python write or read."""
    hand_in.solved()
    for name in ("report.json/x", "timestamp.txt/x", "gradebook.db/x", "autograded/x", ".cnnlab/x"):
        hand_in.file(name, "x")
    for name in ("conv_layers.html", "feedback.html", "nbgrader_config.py", "jupyter_config.py"):
        hand_in.file(name, "raise SystemExit(7)")
    for name in ("sitecustomize.py", "usercustomize.py", "conftest.py", "pytest.ini", "setup.py"):
        hand_in.file(name, "raise SystemExit(7)")
    hand_in.file("numpy/__init__.py.txt", "x")


@case(deserves=EVERYTHING)
def archives_beside_it(hand_in: HandIn):
    """A zip bomb; archives that unpack to ../.., through links, and to absolute paths."""
    hand_in.solved()
    bomb = bytes(10 << 20)
    hand_in.archive("bomb.zip", {f"{n}.txt": bomb for n in range(10)})
    up = "../" * 12
    hand_in.archive(
        "traversal.zip",
        {
            f"{up}tmp/hostile-was-here": "x",
            "/tmp/hostile-was-here": "x",
            "..\\..\\hostile-was-here": "x",
            "link/hostile-was-here": "x",
            "conv_layers.ipynb": "{}",
            "C:\\hostile-was-here": "x",
            "a/../../hostile-was-here": "x",
        },
        {"link": "/tmp", "conv_layers.ipynb.txt": f"{PROJECT}/solutions/convolution.py"},
    )
    with tarfile.open(hand_in.folder / "traversal.tar.gz", "w:gz") as archive:
        for name, kind, target in (
            ("link", tarfile.SYMTYPE, "/tmp"),
            ("hard", tarfile.LNKTYPE, "/etc/passwd"),
            ("../../hostile-was-here", tarfile.REGTYPE, ""),
            ("link/hostile-was-here", tarfile.REGTYPE, ""),
            ("device", tarfile.CHRTYPE, ""),
            ("pipe", tarfile.FIFOTYPE, ""),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)


# -- what a student's folder holds, and nobody expects --------------------------------------------


@case(deserves=EVERYTHING, says="graded in its place")
def one_folder_too_deep(hand_in: HandIn):
    """The right notebook, in a folder of its own, with another one beside it."""
    for folder in ("final", "draft"):
        hand_in.file(f"{folder}/conv_layers.ipynb", json.dumps(hand_in.solved().data))
    hand_in.notebook = None


def _zip(hand_in: HandIn, more: bytes = b"") -> bytes:
    """What a student's right-click makes of the folder with the solved notebook in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("My work/conv_layers.ipynb", json.dumps(hand_in.solved().data))
        archive.writestr("My work/more.bin", more)
    hand_in.notebook = None
    return buffer.getvalue()


@case(deserves=EVERYTHING, says="graded in its place")
def only_an_archive(hand_in: HandIn):
    """A zip of the folder, and nothing else."""
    hand_in.file("My work.zip", _zip(hand_in))


@case(deserves=EVERYTHING, says="saved")
def an_archive_that_was_cut_off(hand_in: HandIn):
    """An upload that ended too early: the list of its files, at its end, is missing."""
    hand_in.file("My work.zip", _zip(hand_in, os.urandom(100_000))[:-50_000])


def _packed(hand_in: HandIn, headers: list[tuple[bytes, bytes]], members: int) -> None:
    """A tar.gz of such headers, by type and content, and empty files."""
    packed = b""
    for kind, content in [*headers, *[(tarfile.REGTYPE, b"")] * members]:
        info = tarfile.TarInfo(f"{len(packed)}.txt")
        info.type, info.size = kind, len(content)
        packed += info.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % 512)
    hand_in.file("work.tar.gz", gzip.compress(packed + bytes(1024)))


@case(deserves=NOTHING, says="cannot be read")
def an_archive_whose_header_is_for_all(hand_in: HandIn):
    """A header of 100,000 settings that holds for each of 400 empty files: a copy for each."""
    settings = (b"k%06d=\n" % number for number in range(100_000))
    content = b"".join(b"%d %s" % (len(line) + 3, line) for line in settings)
    _packed(hand_in, [(tarfile.XGLTYPE, content)], 400)


@case(deserves=NOTHING, says="cannot be read")
def an_archive_whose_header_is_a_number(hand_in: HandIn):
    """A header of 60,000 digits, and a chain of headers: the time grows with the square."""
    _packed(hand_in, [(tarfile.XHDTYPE, b"1" * 60_000)], 1)


@case(deserves=NOTHING, says="cannot be read")
def an_archive_of_headers_alone(hand_in: HandIn):
    """3,000 headers that each announce the next one's name."""
    _packed(hand_in, [(tarfile.GNUTYPE_LONGNAME, b"long/" * 30)] * 3000, 1)


@case(deserves=NOTHING, says="damaged|unpacks to more")
def archives_that_are_wrong_at_the_end(hand_in: HandIn):
    """Three zips of 12 members each that unpack to 100 MB, and then have the wrong sum."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(12):
            archive.writestr(f"{number}.txt", bytes(100 << 20))
    right = zlib.crc32(bytes(100 << 20)).to_bytes(4, "little")
    for number in range(3):
        hand_in.file(f"work{number}.zip", buffer.getvalue().replace(right, b"\0\0\0\0"))


@case(deserves=EVERYTHING)
def a_folder_where_the_page_will_be(hand_in: HandIn):
    """Folders beside the notebook by the names of the feedback page and of the report."""
    hand_in.solved()
    for name in ("conv_layers.html", "report.json", "feedback.html", "gradebook.db"):
        hand_in.file(f"{name}/inside.txt", "here")


@case(deserves=NOTHING)
def nested_json_that_is_cut_off(hand_in: HandIn):
    """Cells in cells, each of which looks like the begin of one that could be saved."""
    hand_in.raw('{"cells": [' + '{"metadata": ' * 12 + "[" + "[]," * 500_000 + '"cut')
