"""registry.toml: where the data sets come from, and their checksums."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("registry.toml")


@dataclass(frozen=True)
class Archive:
    """A file to download. checksum: the algorithm, a colon, hexadecimal digits."""

    url: str
    checksum: str

    @property
    def file_name(self) -> str:
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Cifar10:
    """What registry.toml says about CIFAR-10."""

    home: str
    images_per_file: int
    validation: int
    binary: Archive
    python: Archive


def read_cifar10(file: Path = FILE) -> Cifar10:
    entry = tomllib.loads(file.read_text("utf-8"))["cifar10"]
    archives = {kind: Archive(**entry.pop(kind)) for kind in ("binary", "python")}
    return Cifar10(**entry, **archives)
