"""CIFAR-10 in every form in which it comes, small: the same pictures, or a sentence."""

import hashlib
import os
import stat
import tarfile

import numpy as np
import pytest
from archive_server import serve
from cifar_files import NAMES, archive, contents, images, write_folder

from cnnlab.data import DataError
from cnnlab.data.cifar10 import CLASSES, load_cifar10
from cnnlab.data.registry import Archive, Cifar10

N = 20  # images in each file
VERSIONS = ("binary", "python")


def entry_for(files: dict[str, bytes], address: str = "http://127.0.0.1:9") -> Cifar10:
    """The registry's entry, for small archives."""
    made = {
        version: Archive(
            f"{address}/cifar-10-{version}.tar.gz", "md5:" + hashlib.md5(content).hexdigest()
        )
        for version, content in files.items()
    }
    return Cifar10("http://home.example", images_per_file=N, validation=10, **made)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


ARCHIVES = {version: archive(contents(version, N)) for version in VERSIONS}
ENTRY = entry_for(ARCHIVES)


def assert_right(dataset):
    """Every picture in its place: against what the files were made from."""
    parts = [images(name, N) for name in NAMES]
    pixels = np.concatenate([data for data, _ in parts]).reshape(-1, 3, 32, 32)
    pixels, labels = pixels.transpose(0, 2, 3, 1), np.concatenate([y for _, y in parts])
    for part, where in (
        ("train", slice(0, 90)),
        ("val", slice(90, 100)),
        ("test", slice(100, 120)),
    ):
        np.testing.assert_array_equal(getattr(dataset, f"X_{part}"), pixels[where])
        np.testing.assert_array_equal(getattr(dataset, f"y_{part}"), labels[where])
        assert getattr(dataset, f"X_{part}").dtype == np.uint8
        assert getattr(dataset, f"y_{part}").dtype == np.int64
    assert dataset.class_names == CLASSES and dataset.name == "cifar10"


# -- folders ----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("above", [True, False])
def test_an_unpacked_folder_or_the_one_above_it(tmp_path, version, above):
    folder = write_folder(tmp_path, version, N)
    source = tmp_path if above else folder
    assert_right(load_cifar10(source, entry=ENTRY))
    assert_right(load_cifar10(str(source), entry=ENTRY))


def test_a_home_folder_by_its_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_folder(tmp_path / "pictures", "binary", N)
    assert_right(load_cifar10("~/pictures", entry=ENTRY))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_folder_with_a_missing_or_damaged_file(tmp_path, version):
    folder = write_folder(tmp_path, version, N)
    (damaged,) = folder.glob("data_batch_3*")
    content = damaged.read_bytes()
    damaged.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="data_batch_3"):
        load_cifar10(tmp_path, entry=ENTRY)
    damaged.unlink()
    with pytest.raises(DataError, match=rf"here: {damaged.name} missing\. Give the folder"):
        load_cifar10(tmp_path, "here", entry=ENTRY)


def test_other_paths(tmp_path):
    with pytest.raises(DataError, match="here: there is no such folder"):
        load_cifar10(tmp_path / "nowhere", "here", entry=ENTRY)
    with pytest.raises(DataError, match="here: there is no CIFAR-10 in this folder"):
        load_cifar10(tmp_path, "here", entry=ENTRY)
    (tmp_path / "letter.tar.gz").write_bytes(b"hello")
    with pytest.raises(DataError, match="not one of the official archives"):
        load_cifar10(tmp_path / "letter.tar.gz", "here", entry=ENTRY)


def test_a_folder_of_endless_files(tmp_path):
    folder = write_folder(tmp_path, "binary", N)
    with (folder / "test_batch.bin").open("r+b") as file:
        file.truncate(10_000_000_000)  # a sparse file, of no size on the disk
    with pytest.raises(DataError, match=r"test_batch\.bin"):
        load_cifar10(folder, entry=ENTRY)


# -- archives ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_an_archive_that_was_downloaded_by_hand(tmp_path, version):
    path = tmp_path / "renamed.tgz"
    path.write_bytes(ARCHIVES[version])
    assert_right(load_cifar10(path, entry=ENTRY))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_archive_of_a_mirror_and_its_folder(version):
    with serve(ARCHIVES[version]) as server:
        address = f"{server.address}/mirror/cifar-10-{version}.tar.gz"
        assert_right(load_cifar10(address, entry=ENTRY))
        if version == "binary":
            assert_right(load_cifar10(f"{server.address}/mirror/", entry=ENTRY))
    assert server.requests == [f"/mirror/cifar-10-{version}.tar.gz"]  # the second was kept


def test_from_its_home_the_first_time_and_without_it_the_second():
    with serve(ARCHIVES["binary"]) as server:
        entry = entry_for(ARCHIVES, server.address)
        assert_right(load_cifar10(entry=entry))
    assert_right(load_cifar10(entry=entry))


def test_a_mirror_cannot_serve_anything_else():
    other = archive(contents("binary", N + 1))
    with serve(other) as server, pytest.raises(DataError, match="checksum differs"):
        load_cifar10(server.address, entry=ENTRY)


def test_without_a_network_the_message_says_what_to_do():
    with pytest.raises(DataError, match="no connection") as told:
        load_cifar10(entry=ENTRY)
    for advice in ('load("toys")', "python -m cnnlab.data cifar10", "CNNLAB_DATA", "home.example"):
        assert advice in str(told.value)


def member(name, kind=tarfile.REGTYPE, target=""):
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


def test_an_archive_writes_nothing_and_links_lead_nowhere(tmp_path):
    """whatever its members are called, whatever they point to"""
    secret = tmp_path / "secret"
    secret.write_bytes(b"s" * N * 3073)
    path, proof = tmp_path / "bad.tar.gz", tmp_path / "outside"
    with tarfile.open(path, "w:gz") as tar:
        for name in ("../outside", str(proof), "cifar-10-batches-bin/../../outside"):
            tar.addfile(member(name))
        tar.addfile(member("cifar-10-batches-bin/test_batch.bin", tarfile.SYMTYPE, str(secret)))
        tar.addfile(member("cifar-10-batches-bin/data_batch_1.bin", tarfile.LNKTYPE, str(secret)))
        tar.addfile(member("cifar-10-batches-bin/data_batch_2.bin", tarfile.CHRTYPE))
    before = sorted(tmp_path.rglob("*"))
    official = entry_for({"binary": path.read_bytes(), "python": b""})
    with pytest.raises(DataError, match=r"holds no data_batch_1, .*test_batch: it is not CIFAR-10"):
        load_cifar10(path, entry=official)
    assert sorted(tmp_path.rglob("*")) == before and not proof.exists()


@pytest.mark.parametrize("damage", [lambda c: c[: len(c) // 2], lambda c: b"\x1f\x8b" + c[9:]])
def test_an_archive_that_does_not_unpack(tmp_path, damage):
    """its checksum is right here, as if the registry were wrong"""
    path = tmp_path / "bad.tar.gz"
    path.write_bytes(damage(ARCHIVES["binary"]))
    official = entry_for({"binary": path.read_bytes(), "python": b""})
    with pytest.raises(DataError, match=r"cannot be read|holds no"):
        load_cifar10(path, entry=official)


def test_nothing_is_left_on_the_disk_but_the_archive(tmp_path):
    with serve(ARCHIVES["binary"]) as server:
        load_cifar10(server.address, entry=ENTRY)
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert [path.name for path in kept] == ["cifar-10-binary.tar.gz"]
    assert kept[0].read_bytes() == ARCHIVES["binary"]
    assert not stat.S_IMODE(os.stat(kept[0]).st_mode) & stat.S_IWOTH
