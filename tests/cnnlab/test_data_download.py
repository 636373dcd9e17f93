"""Downloads, from a real server on the loopback that serves well or badly."""

import contextlib
import errno
import hashlib
import os
import socket
import subprocess
import sys
from types import SimpleNamespace

import pytest
from archive_server import serve
from witness import until

from autograder.questions import PROJECT
from cnnlab.data import DataError, download
from cnnlab.data.download import fetch
from cnnlab.data.registry import Archive

CONTENT = os.urandom(300_000)
CHECKSUM = "md5:" + hashlib.md5(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """pooch waits a second before it tries again, two before the third time"""
    monkeypatch.setattr("pooch.core.time", SimpleNamespace(sleep=lambda seconds: None))


def archive(server, checksum=CHECKSUM) -> Archive:
    return Archive(f"{server.address}/files/pictures.tar.gz", checksum)


def test_it_is_downloaded_once_and_then_kept(tmp_path, capsys):
    with serve(CONTENT) as server:
        first, second = (fetch(archive(server), tmp_path / "cache") for _ in range(2))
    assert first == second == tmp_path / "cache" / "pictures.tar.gz"
    assert first.read_bytes() == CONTENT
    assert server.requests == ["/files/pictures.tar.gz"]
    assert list(first.parent.iterdir()) == [first]
    assert capsys.readouterr().err == ""  # in a notebook it would be red, in a grade cell 0 points


def test_the_bar_shows_how_far_it_is(tmp_path, capsys):
    with serve(CONTENT, "slow") as server:
        fetch(archive(server), tmp_path)
    told = capsys.readouterr()
    assert "pictures.tar.gz: 100%" in told.out and "300k/300k" in told.out
    assert told.err == ""


@pytest.mark.parametrize("mood", ["half", "halfdumb", "wrong", "failing"])
def test_a_download_that_goes_wrong_is_begun_again(tmp_path, mood):
    with serve(CONTENT, mood, mood, "right") as server:
        assert fetch(archive(server), tmp_path).read_bytes() == CONTENT
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "mood, why",
    [
        ("half", "the connection broke off"),
        ("halfdumb", "its checksum differs"),
        ("wrong", "its checksum differs"),
        ("failing", "the server answers 503 Service Unavailable"),
        ("missing", "the server answers 404 Not Found"),
    ],
)
def test_what_stays_wrong_is_told_and_leaves_no_file(tmp_path, mood, why):
    with serve(CONTENT, mood) as server, pytest.raises(DataError, match=why) as told:
        fetch(archive(server), tmp_path)
    assert f"{server.address}/files/pictures.tar.gz could not be downloaded" in str(told.value)
    assert list(tmp_path.iterdir()) == []


def test_a_kept_file_that_was_damaged_since_is_fetched_again(tmp_path):
    with serve(CONTENT) as server:
        path = fetch(archive(server), tmp_path)
        path.write_bytes(CONTENT[:-1])
        assert fetch(archive(server), tmp_path).read_bytes() == CONTENT


def test_a_damaged_file_is_not_used_where_there_is_no_network(tmp_path):
    (tmp_path / "pictures.tar.gz").write_bytes(CONTENT[:-1])
    with pytest.raises(DataError, match="no connection"):
        fetch(Archive(f"http://127.0.0.1:{free_port()}/pictures.tar.gz", CHECKSUM), tmp_path)


def test_a_kept_file_needs_no_network(tmp_path):
    (tmp_path / "pictures.tar.gz").write_bytes(CONTENT)
    gone = Archive(f"http://127.0.0.1:{free_port()}/pictures.tar.gz", CHECKSUM)
    assert fetch(gone, tmp_path).read_bytes() == CONTENT


def test_a_server_that_falls_silent_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "SILENCE", 0.2)
    with serve(CONTENT, "slow") as server:
        server.pause = 1.0
        with pytest.raises(DataError, match=r"nothing came for 0\.2 seconds"):
            fetch(archive(server), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_would_unpack_it_under_way_does_not(tmp_path):
    with serve(CONTENT, "gzipped") as server:
        assert fetch(archive(server), tmp_path).read_bytes() == CONTENT


PROCESS = """
import sys
from pathlib import Path
from cnnlab.data.download import fetch
from cnnlab.data.registry import Archive
path = fetch(Archive(sys.argv[1], sys.argv[2]), Path(sys.argv[3]))
print(len(path.read_bytes()))
"""


def start(server, folder, *before) -> subprocess.Popen:
    return subprocess.Popen(
        [*before, sys.executable, "-c", PROCESS, archive(server).url, CHECKSUM, str(folder)],
        cwd=PROJECT / "starter",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_processes_at_once_each_get_the_whole_file(tmp_path):
    with serve(CONTENT, "slow") as server:
        server.pause = 1.0
        running = [start(server, tmp_path / "cache") for _ in range(3)]
        told = [process.communicate(timeout=60) for process in running]
    assert [out.split()[-1] for out, _ in told] == ["300000"] * 3, told
    assert len(server.requests) > 1  # they were at it together
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["pictures.tar.gz"]


def test_a_killed_download_is_begun_anew_and_its_rest_swept_up(tmp_path):
    with serve(CONTENT, "slow", "right") as server:
        server.pause = 5.0
        process = start(server, tmp_path)
        until(lambda: server.requests and any(tmp_path.iterdir()))
        process.kill()
        process.communicate()
        (rest,) = tmp_path.iterdir()
        assert rest.name.startswith("tmp")
        assert fetch(archive(server), tmp_path).read_bytes() == CONTENT
        assert rest.exists()  # it might be another process's
        os.utime(rest, (0, 0))
        fetch(archive(server), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["pictures.tar.gz"]


# -- disks that do not take it, for real: in bubblewrap's file system -------------------------


@pytest.mark.parametrize(
    "disk, why",
    [
        (["--size", "131072", "--tmpfs"], "The disk is full: CACHE needs room"),
        (["--ro-bind", "/etc"], "CACHE cannot be written"),
    ],
)
def test_a_disk_that_is_full_or_read_only(tmp_path, disk, why):
    cache = tmp_path / "cache"
    cache.mkdir()
    with serve(CONTENT) as server:
        process = start(server, cache, "bwrap", "--dev-bind", "/", "/", *disk, str(cache))
        _, err = process.communicate(timeout=60)
    assert why.replace("CACHE", str(cache)) in err, err
    assert process.returncode != 0


def test_a_cache_that_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with serve(CONTENT) as server, pytest.raises(DataError, match="file/cache cannot be written"):
        fetch(archive(server), tmp_path / "file" / "cache")


def test_quota_is_a_full_disk_too(tmp_path):
    assert "full" in download._disk(OSError(errno.EDQUOT, "quota"), tmp_path)


def free_port() -> int:
    """A port where nobody listens."""
    with contextlib.closing(socket.socket()) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
