"""Files out of an uploaded .zip or .tar.gz, read into memory: nothing is ever written to disk.

An archive's own words about sizes and names are not believed: each file is read up to the limit,
and a name that leads out of the archive, or that no folder could hold, is left out.
"""

from __future__ import annotations

import io
import stat
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from .cells import MAX_NOTEBOOK
from .errors import BadSubmission
from .results import Finding, writable

ENDINGS = (".zip", ".tar.gz", ".tgz", ".tar")
MAX_UNPACKED = 2 * MAX_NOTEBOOK  # bytes of all files together
MAX_MEMBERS = 2_000
MAX_NAME = 200  # bytes of each part of a name, and twice that for the whole
MAX_DAMAGED = 10
# bytes that a tar may say about one file, about all, and about all at once, beside the files
MAX_HEADER, MAX_HEADERS, MAX_GLOBAL_HEADERS = 2_000, 1 << 20, 2_000
ABOUT_FILES = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
ENCRYPTED = 0x1  # a zip's flag
LOCAL_HEADER = b"PK\3\4"


@dataclass(frozen=True)
class Packed:
    """A file of an archive, where another submission has a Path."""

    data: bytes
    modified: float = 0.0

    def read_bytes(self) -> bytes:
        return self.data


def is_archive(name: str) -> bool:
    return name.lower().endswith(ENDINGS)


def unpack(name: str, data: bytes, findings: list[Finding]) -> dict[str, Packed]:
    """The ordinary files in an archive, by their names in it. Raises BadSubmission if broken."""
    found: dict[str, Packed] = {}
    folders: set[str] = set()
    left, damaged = MAX_UNPACKED, 0
    try:
        for member, contents in (_in_zip if data[:2] == b"PK" else _in_tar)(data):
            called = _name(member)
            reason = contents if isinstance(contents, str) else _clash(called, found, folders)
            if not reason:
                try:
                    # what is damaged may have taken as long as the limit allows: ever less of it
                    packed = contents(limit := left >> damaged)
                    if len(packed.data) > limit:
                        raise BadSubmission(_too_large(name))
                except BadSubmission:
                    raise
                except Exception as error:  # it goes through decompressors, with any bytes
                    reason, damaged = f"it is damaged ({str(error)[:80]})", damaged + 1
            if damaged > MAX_DAMAGED:
                raise BadSubmission(f"{name} is damaged. Hand in the notebook as it is.")
            if reason:
                text = f"{writable(member)[:200]} in {name} was left out: {reason}."
                findings.append(Finding("left out", text))
                continue
            left -= len(packed.data)
            if called in found:
                text = f"{called} is in {name} more than once. The last one counts."
                findings.append(Finding("repaired", text))
            found[called] = packed
            folders |= {str(parent) for parent in PurePosixPath(called).parents}
    except BadSubmission:
        raise
    except Exception as error:  # whatever the bytes were, and whatever that raises in there
        text = f"{name} is damaged, or no archive ({str(error)[:120]})."
        if not found:
            raise BadSubmission(f"{text} Hand in the notebook as it is.") from None
        findings.append(Finding("repaired", f"{text} {len(found)} files of it were saved."))
    return found


def _too_many() -> BadSubmission:
    return BadSubmission(f"The archive holds more than {MAX_MEMBERS} files.")


def _too_large(name: str) -> str:
    return (
        f"{name} unpacks to more than {MAX_UNPACKED >> 20} MB. "
        "Hand in the notebook as it is, without large files."
    )


def _clash(called: str | None, found: dict[str, Packed], folders: set[str]) -> str:
    if called is None:
        return "its name leads out of the archive, or is too long"
    parents = {str(parent) for parent in PurePosixPath(called).parents}
    if called in folders or not parents.isdisjoint(found):
        return "a folder has the same name"
    return ""


def _name(member: str) -> str | None:
    """The name as a relative path in the archive; None if it is not one, or cannot be written."""
    parts = [part for part in member.replace("\\", "/").split("/") if part not in ("", ".")]
    absolute = member.startswith(("/", "\\")) or member[1:2] == ":"
    name = "/".join(parts)
    sizes = [len(part.encode("utf-8", "surrogatepass")) for part in [*parts, ""]]
    if absolute or ".." in parts or "\0" in name or not name:
        return None
    return None if max(sizes) > MAX_NAME or sum(sizes) > 2 * MAX_NAME else writable(name)


# -- both give (name, how to read it up to a limit, or why it is left out) ---------------------


def _in_zip(data: bytes) -> Iterator[tuple]:
    if data.count(b"PK\1\2") > MAX_MEMBERS:
        raise _too_many()
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile:  # the list of its files is at the end: an upload was cut off
        yield from _in_cut_zip(data)
        raise
    with archive:
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir():
                continue
            if kind not in (0, stat.S_IFREG):
                yield info.filename, "it is a link or a device"
            elif info.flag_bits & ENCRYPTED:
                yield info.filename, "it is encrypted"
            # the others' bombs cannot be stopped half way
            elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                yield info.filename, "it is compressed in an unusual way"
            else:
                yield info.filename, lambda left, info=info: _read_zipped(archive, info, left)


def _in_cut_zip(data: bytes) -> Iterator[tuple]:
    """What stands before each file says its name, and deflate knows its own end."""
    if data.count(LOCAL_HEADER) > MAX_MEMBERS:
        raise _too_many()
    place, whole = -1, memoryview(data)
    while (place := data.find(LOCAL_HEADER, place + 1)) >= 0:
        header = data[place : place + 30]
        if len(header) < 30:
            return
        flags, method, packed_size, name_size, more = struct.unpack("<6xHH8xI4xHH", header)
        start = place + 30 + name_size + more
        name = data[place + 30 : place + 30 + name_size].decode("utf-8", "replace")
        if name.endswith("/"):
            continue
        if flags & ENCRYPTED or method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            yield name, "it is encrypted, or compressed in an unusual way"
        elif method == zipfile.ZIP_STORED:
            yield (
                name,
                lambda left, a=start, n=packed_size: Packed(bytes(whole[a : a + min(n, left + 1)])),
            )
        else:
            yield name, lambda left, a=start: Packed(_inflated(whole[a:], left + 1))


def _inflated(data: memoryview, limit: int) -> bytes:
    return zlib.decompressobj(wbits=-zlib.MAX_WBITS).decompress(data, limit)


def _read_zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo, left: int) -> Packed:
    with archive.open(info) as file:
        data = file.read(left + 1)
    try:
        modified = time.mktime((*info.date_time, 0, 0, -1))
    except (ValueError, OverflowError):
        modified = 0.0
    return Packed(data, modified)


def _in_tar(data: bytes) -> Iterator[tuple]:
    if data[:2] == b"\x1f\x8b":
        data = _gunzip(data)
    file = io.BytesIO(data)
    with tarfile.open(fileobj=file, mode="r:", tarinfo=_bounded_headers()) as archive:
        for count, info in enumerate(archive):
            if count >= MAX_MEMBERS:
                raise _too_many()
            if info.isdir():
                continue
            # a sparse file is as large as its header says
            if not info.isreg() or info.issparse():
                yield info.name, "it is a link or a device"
            else:
                yield info.name, lambda left, info=info: _read_tarred(archive, info, left)


def _bounded_headers() -> type[tarfile.TarInfo]:
    """tarfile takes any header for as long as it says it is: some Pythons take hours to read one,
    and a global one is copied for each file."""
    left = {True: MAX_GLOBAL_HEADERS, False: MAX_HEADERS}

    class Bounded(tarfile.TarInfo):
        @classmethod
        def frombuf(cls, buf, encoding, errors):
            header = super().frombuf(buf, encoding, errors)
            if header.type in ABOUT_FILES:
                is_global = header.type == tarfile.XGLTYPE
                left[is_global] -= header.size
                if not 0 <= header.size <= MAX_HEADER or left[is_global] < 0:
                    raise BadSubmission("The archive holds too much about its files.")
            return header

    return Bounded


def _read_tarred(archive: tarfile.TarFile, info: tarfile.TarInfo, left: int) -> Packed:
    modified = info.mtime if isinstance(info.mtime, (int, float)) else 0.0
    return Packed(archive.extractfile(info).read(left + 1), float(modified))


def _gunzip(data: bytes) -> bytes:
    limit = MAX_UNPACKED + MAX_MEMBERS * 1024  # tar's headers come on top
    inflate = zlib.decompressobj(wbits=31)
    unpacked = inflate.decompress(data, limit)
    if inflate.unconsumed_tail and inflate.decompress(inflate.unconsumed_tail, 1):
        raise BadSubmission(f"The archive unpacks to more than {MAX_UNPACKED >> 20} MB.")
    return unpacked
