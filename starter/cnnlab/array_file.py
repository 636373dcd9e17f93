"""Arrays and a few plain values in one .npz file: written whole or not at all, read with suspicion.

There is no pickle in it, so opening a file runs nothing. Before an array is read, its size is
compared with the bytes that the file has for it.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

ABOUT = "about.json"  # the member of the zip that holds the plain values
KINDS = "biuf"  # bool, int, uint, float: no objects, texts or dates
MEMBERS = 10_000
LARGEST_ABOUT = 64_000_000  # bytes of JSON; a loss for each of a million steps takes 20 million


class ArrayFileError(ValueError):
    """The file cannot be read, or holds something else. The message says what to do."""


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray], about: Any = None) -> Path:
    """Write arrays under their names, and plain values beside them.

    The file is written under another name and then renamed: whatever happens in between, under
    ``path`` is either the old file or the whole new one. np.load can read it. The same arrays make
    the same bytes: no time is in it.

    Args:
        path: ends in .npz.
        arrays: name -> array of numbers, any real dtype and shape.
        about: anything that JSON can hold.

    Returns:
        path, as a Path.

    Raises:
        ValueError: path does not end in .npz, or a value is not an array of real numbers.
        OSError: the file cannot be written; what was there is still there.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(f"the file's name has to end in .npz, which {path.name!r} does not")
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in KINDS:
            what = getattr(array, "dtype", type(array).__name__)
            raise ValueError(f"{name} is no array of real numbers, but {what}: it cannot be saved")
    text = json.dumps(about)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            with zipfile.ZipFile(file, "w") as members:
                members.writestr(zipfile.ZipInfo(ABOUT), text)
                for name, array in arrays.items():
                    member = zipfile.ZipInfo(f"{name}.npy")
                    with members.open(member, "w", force_zip64=True) as stream:
                        np.lib.format.write_array(stream, array, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp lets nobody else read it: it is to be handed in
        os.replace(temporary, path)
    except BaseException:  # Ctrl-C too
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def read_arrays(path: str | Path, largest: int) -> tuple[dict[str, np.ndarray], Any]:
    """Read what write_arrays wrote, or np.savez.

    Args:
        path: the file.
        largest: how many bytes all arrays together may have.

    Returns:
        (arrays, about): name -> array, and the plain values; None if there are none.

    Raises:
        ArrayFileError: there is no such file, it is damaged, too large, or holds something else.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as members:
            infos = members.infolist()
            _check_sizes(path, infos, largest)
            arrays, about = {}, None
            for info in infos:
                if info.filename == ABOUT:
                    about = json.loads(members.read(info))
                elif info.filename.endswith(".npy"):
                    name = info.filename.removesuffix(".npy")
                    arrays[name] = _array(path, name, members.read(info))
                else:
                    raise ArrayFileError(f"{path.name} holds {info.filename!r}, which is no array.")
            return arrays, about
    except FileNotFoundError:
        raise ArrayFileError(f"There is no file {path}.") from None
    except OSError as error:
        raise ArrayFileError(f"{path} cannot be read: {error.strerror or error}.") from None
    except ArrayFileError:
        raise
    except (
        zipfile.BadZipFile,
        ValueError,
        EOFError,
        NotImplementedError,
        RuntimeError,  # it wants a password
        RecursionError,
        zipfile.zlib.error,
    ) as error:
        raise ArrayFileError(
            f"{path.name} is damaged, or not a file that cnnlab saved ({error}). Save it anew."
        ) from None


def _check_sizes(path: Path, infos: list[zipfile.ZipInfo], largest: int) -> None:
    if len(infos) > MEMBERS:
        raise ArrayFileError(f"{path.name} holds {len(infos):,} arrays, more than {MEMBERS:,}.")
    size = sum(info.file_size for info in infos if info.filename != ABOUT)
    if size > largest:
        raise ArrayFileError(
            f"{path.name} holds {size / 1e6:.1f} MB of numbers; at most "
            f"{largest / 1e6:.0f} MB are taken."
        )
    if any(info.filename == ABOUT and info.file_size > LARGEST_ABOUT for info in infos):
        raise ArrayFileError(f"{path.name} holds too long a description.")


def _array(path: Path, name: str, content: bytes) -> np.ndarray:
    """One member; its header is believed only if as many bytes follow."""
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{name} is in version {version} of NumPy's format")
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read(stream)
    if dtype.kind not in KINDS:
        what = re.sub(r"\s+", " ", str(dtype))[:30]
        raise ArrayFileError(f"{path.name}: {name} holds {what}, not real numbers.")
    if any(length < 0 for length in shape):
        raise ValueError(f"{name} has the shape {shape}")
    if math.prod(shape) * dtype.itemsize != len(content) - stream.tell():
        raise ValueError(f"{name} is cut off")
    stream.seek(0)
    return np.lib.format.read_array(stream, allow_pickle=False)
