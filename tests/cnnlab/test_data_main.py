"""python -m cnnlab.data, run as people run it; with a small registry, from a copy of cnnlab."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from archive_server import serve
from cifar_files import archive, contents, write_folder

from autograder.questions import PROJECT

CONTENT = archive(contents("binary", 20))


@pytest.fixture
def command(tmp_path):
    """Run it in a copy of cnnlab whose registry knows a small archive; returns a process."""
    kit = tmp_path / "kit"
    shutil.copytree(PROJECT / "starter/cnnlab", kit / "cnnlab")

    def start(*arguments: str, address="http://127.0.0.1:9", **environment) -> subprocess.Popen:
        write_registry(kit / "cnnlab/data/registry.toml", address)
        return subprocess.Popen(
            [sys.executable, "-m", "cnnlab.data", *map(str, arguments)],
            cwd=kit,
            env=os.environ
            | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "NO_PROXY": "127.0.0.1"}
            | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def write_registry(path: Path, address: str) -> None:
    text = path.read_text()
    for old, new in (
        ("https://www.cs.toronto.edu/~kriz/cifar-10", f"{address}/cifar-10"),
        ("c32a1d4ab5d03f1284b67883e8d87530", hashlib.md5(CONTENT).hexdigest()),
        ("images_per_file = 10000", "images_per_file = 20"),
        ("validation = 5000", "validation = 10"),
    ):
        text = text.replace(old, new)
    path.write_text(text)


def finish(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_it_downloads_and_says_what_it_has(command):
    with serve(CONTENT) as server:
        code, out, err = finish(command("cifar10", address=server.address))
        again = finish(command("cifar10", address=server.address))
    assert (code, err) == (0, "")
    assert "<cifar10: 90 train, 10 val, 20 test, 10 classes>" in out
    assert "  3  cat" in out and len(out.splitlines()) >= 11
    assert again[0] == 0 and len(server.requests) == 1


@pytest.mark.parametrize("how", ["option", "variable"])
def test_it_takes_a_folder(command, tmp_path, how):
    folder = write_folder(tmp_path / "unpacked", "python", 20)
    process = (
        command("cifar10", "--from", folder)
        if how == "option"
        else command("cifar10", CNNLAB_DATA=str(folder))
    )
    code, out, err = finish(process)
    assert (code, err) == (0, "") and "90 train" in out


def test_offline_it_says_what_to_do_and_shows_no_traceback(command):
    code, _, err = finish(command("cifar10"))
    assert code == 1 and "Traceback" not in err
    assert "no connection" in err and 'load("toys")' in err


def test_a_wrong_folder(command):
    code, _, err = finish(command("cifar10", "--from", "/nowhere"))
    assert code == 1 and "there is no such folder" in err and "Traceback" not in err


def test_ctrl_c_leaves_nothing_unfinished(command, tmp_path):
    with serve(CONTENT, "slow") as server:
        server.pause = 10
        process = command("cifar10", address=server.address)
        deadline = time.monotonic() + 30
        while not server.requests and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        code, _, err = finish(process)
    assert code == 130 and "Nothing unfinished is kept" in err and "Traceback" not in err
    assert list((tmp_path / "cache/cnnlab/datasets").iterdir()) == []


def test_the_toys(command):
    code, out, _ = finish(command("toys"))
    assert code == 0 and "<toys: 4,000 train, 500 val, 1,000 test, 10 classes>" in out
