"""Archives: what is in them is read into memory, and nothing that they say is believed."""

import gzip
import io
import os
import stat
import struct
import tarfile
import time
import warnings
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder import archive
from autograder.archive import is_archive, unpack
from autograder.errors import BadSubmission


def zipped(*members, method=zipfile.ZIP_DEFLATED):
    """A zip of (name or ZipInfo, contents)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as packed, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, data in members:
            packed.writestr(name, data)
    return file.getvalue()


def tarred(*members, mode="w:gz"):
    """A tar of (name or TarInfo, contents)."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as packed:
        for name, data in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
    return file.getvalue()


PACKERS = pytest.mark.parametrize("pack", [zipped, tarred], ids=["zip", "tar"])


def contents(data, findings=None):
    found = unpack("work.zip", data, [] if findings is None else findings)
    return {name: packed.read_bytes() for name, packed in found.items()}


@PACKERS
def test_ordinary_files_are_read_by_their_names(pack):
    findings = []
    data = pack(("a.ipynb", b"{}"), ("data/b c.txt", b"x"), ("./é.py", b""))
    assert contents(data, findings) == {"a.ipynb": b"{}", "data/b c.txt": b"x", "é.py": b""}
    assert findings == []


@pytest.mark.parametrize("mode", ["w:", "w:gz"])
def test_a_tar_is_read_with_and_without_compression(mode):
    assert contents(tarred(("a", b"1"), mode=mode)) == {"a": b"1"}


def test_names_with_backslashes_from_windows_are_paths():
    info = zipfile.ZipInfo("x")
    info.filename = "work\\a.ipynb"
    assert contents(zipped((info, b"{}"))) == {"work/a.ipynb": b"{}"}


@PACKERS
@pytest.mark.parametrize(
    "name",
    [
        *("../up", "a/../../up", "/etc/passwd", "a/..", "..", "x" * 300, "/".join(["abcd"] * 200)),
        *("C:/x", "..\\up", "\\\\host\\x"),
    ],
    ids=lambda name: name[:10],
)
def test_names_that_lead_out_or_cannot_be_written_are_left_out_and_told(pack, name, tmp_path):
    findings, before = [], set(os.listdir(tmp_path.parent))
    assert contents(pack((name, b"evil"), ("good", b"1")), findings) == {"good": b"1"}
    assert [finding.kind for finding in findings] == ["left out"]
    assert set(os.listdir(tmp_path.parent)) == before


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices_in_a_zip_are_left_out(kind):
    info = zipfile.ZipInfo("a.ipynb")
    info.external_attr = (kind | 0o777) << 16
    findings = []
    assert contents(zipped((info, b"/etc/passwd")), findings) == {}
    assert "link" in findings[0].text


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
)
def test_links_and_devices_in_a_tar_are_left_out(kind):
    info = tarfile.TarInfo("a.ipynb")
    info.type, info.linkname = kind, "/etc/passwd"
    findings = []
    assert contents(tarred((info, b"")), findings) == {}
    assert "link" in findings[0].text


@PACKERS
def test_a_name_that_is_a_file_and_a_folder_is_left_out_the_second_time(pack):
    for names in (("a", "a/b"), ("a/b", "a")):
        findings = []
        assert list(contents(pack(*[(n, b"1") for n in names]), findings)) == [names[0]]
        assert len(findings) == 1


@PACKERS
def test_of_a_name_that_is_there_twice_the_last_counts(pack):
    findings = []
    assert contents(pack(("a", b"1"), ("a", b"2")), findings) == {"a": b"2"}
    assert "more than once" in findings[0].text


@PACKERS
@pytest.mark.parametrize("files", [1, 10])
def test_a_bomb_is_stopped_at_the_limit(pack, files, monkeypatch):
    monkeypatch.setattr(archive, "MAX_UNPACKED", 10 << 20)
    data = pack(*[(f"{i}", bytes((20 << 20) // files)) for i in range(files)])
    assert len(data) < 100_000
    with pytest.raises(BadSubmission, match="10 MB"):
        contents(data)


def test_a_zip_that_lies_about_its_sizes_gives_no_more_than_the_limit(monkeypatch):
    monkeypatch.setattr(archive, "MAX_UNPACKED", 1 << 20)
    data = zipped(("a", bytes(5 << 20)))
    lying = data.replace(struct.pack("<L", 5 << 20), struct.pack("<L", 10))
    assert lying != data
    assert sum(map(len, contents(lying, []).values())) <= 10


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_cannot_be_stopped_half_way_are_left_out(method):
    findings = []
    assert contents(zipped(("a", bytes(10**6)), method=method), findings) == {}
    assert "unusual" in findings[0].text


def test_an_encrypted_file_is_left_out_and_told():
    data = bytearray(zipped(("a", b"1")))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    findings = []
    assert contents(bytes(data), findings) == {}
    assert "encrypted" in findings[0].text


@PACKERS
def test_too_many_files_are_refused(pack, monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBERS", 10)
    with pytest.raises(BadSubmission, match="more than 10 files"):
        contents(pack(*[(f"{i}", b"") for i in range(12)]))


def test_a_damaged_file_costs_only_itself():
    data = zipped(("a", b"A" * 100), ("b", b"B" * 100), method=zipfile.ZIP_STORED)
    findings = []
    assert list(contents(data.replace(b"AAAA", b"AxAA", 1), findings)) == ["b"]
    assert "damaged" in findings[0].text


def test_what_was_before_the_cut_of_a_tar_is_saved():
    data = tarred(("a", b"1"), ("b", bytes(5000)), mode="w:")
    findings = []
    assert contents(data[:2500], findings).get("a") == b"1"
    assert findings


def test_an_archive_in_an_archive_is_not_opened():
    inner = zipped(("a.ipynb", b"{}"))
    assert contents(zipped(("inner.zip", inner))) == {"inner.zip": inner}


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"PK", b"PK\3\4", b"x" * 2000, bytes(2000), b"\x1f\x8b\x08"),
        gzip.compress(b"x", mtime=0),  # the time would be in the test's name
    ],
)
def test_what_is_no_archive_is_refused_in_words_or_empty(data):
    try:
        assert contents(data) == {}
    except BadSubmission as error:
        assert "no archive" in str(error)


@pytest.mark.parametrize("size", [-1, -512, -1024, -(10**9)])
def test_a_tar_with_a_negative_size_ends(size):
    data = bytearray(tarred(("a", b"1"), ("b", b"2"), mode="w:"))
    data[124:136] = (size % 256**12).to_bytes(12, "big")
    data[148:156] = b"%06o\0 " % (256 + sum(data[:148]) + sum(data[156:512]))
    assert set(contents(bytes(data))) <= {"a", "b"}


GOOD = {"zip": zipped(("a", b"1" * 50), ("b/c", b"2")), "tar": tarred(("a", b"1" * 50), mode="w:")}


@settings(max_examples=150)
@given(kind=st.sampled_from(list(GOOD)), changes=st.lists(st.tuples(st.floats(0, 1), st.binary())))
def test_any_bytes_are_files_or_refused(kind, changes):
    data = bytearray(GOOD[kind])
    for place, new in changes:
        start = int(place * len(data))
        data[start : start + len(new)] = new
    try:
        found = contents(bytes(data))
    except BadSubmission:
        return
    assert all(".." not in name.split("/") and not name.startswith("/") for name in found)


def test_only_zip_and_tar_are_taken_for_archives():
    assert all(map(is_archive, ["a.zip", "A.ZIP", "a.tar.gz", "a.tgz", "a.tar"]))
    assert not any(map(is_archive, ["a.rar", "zip", "a.zip.txt", "a.gz"]))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_of_a_zip_that_was_cut_off_the_whole_files_and_half_of_the_last_are_saved(method):
    last = os.urandom(5000)
    data = zipped(("a.ipynb", b"{}" * 1000), ("deep/b.py", b"x = 1"), ("c", last), method=method)
    findings = []
    found = contents(data[: data.index(b"PK\1\2") - 2000], findings)
    assert found["a.ipynb"] == b"{}" * 1000 and found["deep/b.py"] == b"x = 1"
    assert 2000 < len(found["c"]) < 5000 and last.startswith(found["c"])
    assert ["work.zip is damaged" in finding.text for finding in findings] == [True]
    assert "3 files of it were saved" in findings[0].text


def test_a_cut_zip_is_no_way_around_the_limits(monkeypatch):
    monkeypatch.setattr(archive, "MAX_UNPACKED", 100_000)
    whole = zipped(("bomb", b"0" * 10**7), ("../out", b"x"), ("b", b"y"))
    with pytest.raises(BadSubmission, match="unpacks to more than"):
        unpack("work.zip", whole[:-30], [])
    headers = zipped(("a", b""))[:31] * 3000
    with pytest.raises(BadSubmission, match="more than 2000 files"):
        unpack("work.zip", headers, [])
    findings = []
    cut = zipped(("../out", b"x"), ("b", b"y"))
    assert contents(cut[:-60], findings) == {"b": b"y"}
    assert "leads out of the archive" in findings[0].text


@given(st.data())
@settings(max_examples=60)
def test_a_zip_cut_anywhere_is_read_or_refused(drawn):
    data = zipped(("a.ipynb", b"{}" * 50), ("b.py", b"x = 1"))
    cut = drawn.draw(st.integers(0, len(data) - 1))
    try:
        found = contents(data[:cut])
    except BadSubmission:
        return
    assert (b"{}" * 50).startswith(found.get("a.ipynb", b""))


def header(kind: bytes, size: int, name: str = "about") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.USTAR_FORMAT)


def block(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 512)


END = header(b"0", 2, "a.ipynb") + block(b"{}") + b"\0" * 1024


@pytest.mark.parametrize("kind", [b"x", b"g", b"X", b"L", b"K"])
def test_a_header_of_a_megabyte_is_refused_before_it_is_read(kind):
    """digits only: some Pythons' tarfile needs hours for that"""
    data = header(kind, 1_000_000) + block(b"1" * 1_000_000) + END
    begin = time.process_time()
    with pytest.raises(BadSubmission, match="holds too much about its files"):
        unpack("w.tgz", gzip.compress(data), [])
    assert time.process_time() - begin < 2


def test_many_small_headers_are_too_much_in_the_end():
    fields = [b"%05d=\n" % n for n in range(200)]
    record = b"".join(b"%d %s" % (len(field) + 3, field) for field in fields)[:1900]
    for kind, count in ((b"g", 3), (b"x", 600)):
        one = header(kind, len(record)) + block(record)
        data = b"".join(one + header(b"0", 0, f"f{n}") for n in range(count)) + END
        with pytest.raises(BadSubmission, match="holds too much about its files"):
            unpack("w.tar", data, [])


def test_what_archivers_really_say_about_files_is_read():
    """git archive's global header, a long name, a time in fractions of a second"""
    comment = b"52 comment=4f0e9f9d1b7a3c6a4f0e9f9d1b7a3c6a4f0e9f9d\n"
    long_name = "folder/" + "n" * 150 + ".py"
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as packed:
        for name in ("a.ipynb", long_name):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = 2, 1_700_000_000.25
            info.pax_headers = {"LIBARCHIVE.xattr.com.apple.provenance": "AQIAu" * 20}
            packed.addfile(info, io.BytesIO(b"{}"))
    data = header(b"g", len(comment)) + block(comment) + file.getvalue()
    assert contents(data) == {"a.ipynb": b"{}", long_name: b"{}"}
