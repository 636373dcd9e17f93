"""CIFAR-10: 60,000 photographs of 32x32 pixels in ten classes.

Its six files come in two versions, binary and Python (pickle), and are taken from a folder or
straight out of the archive: nothing is unpacked to the disk.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cnnlab.data.batches import FILES, LARGEST, TEST, TRAINING, decode
from cnnlab.data.dataset import Dataset, split
from cnnlab.data.download import cache_folder, fetch
from cnnlab.data.errors import DataError
from cnnlab.data.registry import Archive, Cifar10, read_cifar10

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


def load_cifar10(
    source: str | Path | None = None, given: str = "source", entry: Cifar10 | None = None
) -> Dataset:
    """CIFAR-10 from ``source`` (see ``load``), or from the cache, or from its home.

    Args:
        source: a folder, an archive, an address, or None.
        given: how the source was given, for messages.
        entry: what the registry says; None reads it.
    """
    entry = entry or read_cifar10()
    if source is None or _is_address(source):
        archive = entry.binary if source is None else _mirrored(str(source), entry)
        try:
            files = _from_archive(fetch(archive, cache_folder()))
        except DataError as error:
            raise DataError(f"{error}\n{_what_to_do(entry)}") from None
    else:
        files = _from_path(Path(source).expanduser(), given, entry)
    return _assemble(files, entry)


def _is_address(source: str | Path) -> bool:
    return isinstance(source, str) and source.startswith(("http://", "https://"))


def _mirrored(address: str, entry: Cifar10) -> Archive:
    """The archive at a mirror: its own address, or that of the folder in which it lies. The
    checksum stays that of the registry."""
    if address.endswith("/" + entry.python.file_name):
        return Archive(address, entry.python.checksum)
    if not address.endswith("/" + entry.binary.file_name):
        address = f"{address.rstrip('/')}/{entry.binary.file_name}"
    return Archive(address, entry.binary.checksum)


def _what_to_do(entry: Cifar10) -> str:
    return (
        "What you can do:\n"
        '  - begin now, without a network:  load("toys")\n'
        "  - try again later:               python -m cnnlab.data cifar10\n"
        f"  - get {entry.binary.file_name} from {entry.home} on another\n"
        '    machine, and say where it is:  load("cifar10", source=...), or CNNLAB_DATA=...'
    )


# -- the six files ----------------------------------------------------------------------------

Files = Iterator[tuple[str, bytes]]


def _from_path(path: Path, given: str, entry: Cifar10) -> Files:
    if path.is_dir():
        return _from_folder(path, given)
    if not path.exists():
        raise DataError(f"{given}: there is no such folder. {_EXPECTED}")
    checksums = (entry.binary.checksum, entry.python.checksum)
    if not any(_has_checksum(path, checksum) for checksum in checksums):
        raise DataError(
            f"{given}: this file is not one of the official archives, or it is damaged: its "
            f"checksum is none of {', '.join(checksums)}. Download it again from {entry.home}."
        )
    return _from_archive(path)


_EXPECTED = (
    "Give the folder that an official archive unpacks to: it holds data_batch_1.bin to "
    "data_batch_5.bin and test_batch.bin (the binary version), or the same names without .bin (the "
    "Python version)."
)


def _from_folder(path: Path, given: str) -> Files:
    """From a folder with the files, or with the folder that an archive unpacks to."""
    for inner, names in FILES.values():
        for folder in (path, path / inner):
            missing = [name for name in names if not (folder / name).is_file()]
            if not missing:
                return _read_folder(folder, names)
            if len(missing) < len(names):
                raise DataError(f"{given}: {', '.join(missing)} missing. {_EXPECTED}")
    raise DataError(f"{given}: there is no CIFAR-10 in this folder. {_EXPECTED}")


def _read_folder(folder: Path, names: tuple[str, ...]) -> Files:
    for name in names:
        try:
            with (folder / name).open("rb") as file:
                content = file.read(LARGEST + 1)
        except OSError as error:
            raise DataError(f"{folder / name} cannot be read: {error.strerror}.") from None
        yield name, content


def _from_archive(path: Path) -> Files:
    """Members by their exact names; others are passed over."""
    wanted = {f"{inner}/{name}": name for inner, names in FILES.values() for name in names}
    try:
        with tarfile.open(path, "r|gz") as archive:  # as a stream: forwards only
            for member in archive:
                if member.name in wanted and member.isreg() and member.size <= LARGEST:
                    yield wanted[member.name], archive.extractfile(member).read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from None


def _has_checksum(path: Path, checksum: str) -> bool:
    algorithm, _, digits = checksum.partition(":")
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, algorithm).hexdigest() == digits
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None


# -- the arrays -------------------------------------------------------------------------------


def _assemble(files: Files, entry: Cifar10) -> Dataset:
    batches = {
        name.removesuffix(".bin"): decode(name, content, entry.images_per_file)
        for name, content in files
    }
    missing = [name for name in (*TRAINING, TEST) if name not in batches]
    if missing:
        raise DataError(f"The archive holds no {', '.join(missing)}: it is not CIFAR-10.")
    X, y = (np.concatenate([batches[name][i] for name in TRAINING]) for i in (0, 1))
    X_train, y_train, X_val, y_val = split(X, y, entry.validation)
    X_test, y_test = batches[TEST]
    return Dataset(X_train, y_train, X_val, y_val, X_test, y_test, CLASSES, "cifar10")
