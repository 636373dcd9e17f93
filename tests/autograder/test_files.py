"""Files that are whole or not there, and folders that are held while their owner lives."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import threading

import pytest

from autograder.errors import CourseInUse
from autograder.files import alone, held_folder, left_over, write_whole

HOLD = """
import sys, time
from pathlib import Path
from autograder.files import alone, held_folder
{what}
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder():
    """Start a process that holds something; it is ended afterwards."""
    started = []

    def start(what: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD.format(what=what)], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


# -- whole files ------------------------------------------------------------------------------


def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "report.json"
    for text in ("first", "zweite Fassung: größer ∑"):
        write_whole(path, text)
        assert path.read_text("utf-8") == text
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path):
    path = tmp_path / "report.json"
    write_whole(path, "before")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "half of it is fine, then \ud800")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not shutil.which("bwrap"), reason="a small disk is made by bubblewrap")
def test_a_full_disk_leaves_what_was_there(tmp_path):
    script = tmp_path / "fill.py"
    script.write_text(
        "import errno, os\n"
        "from pathlib import Path\n"
        "from autograder.files import write_whole\n"
        "path = Path('/tmp/small/report.json')\n"
        "write_whole(path, 'before')\n"
        "try:\n"
        "    write_whole(path, 'x' * 1_000_000)\n"
        "except OSError as error:\n"
        "    print(errno.errorcode[error.errno], path.read_text(), os.listdir('/tmp/small'))\n"
    )
    small = ["bwrap", "--dev-bind", "/", "/", "--size", "65536", "--tmpfs", "/tmp"]
    own = ["--ro-bind", str(script), "/tmp/fill.py", "--dir", "/tmp/small"]
    python = ["--chdir", os.getcwd(), sys.executable, "/tmp/fill.py"]
    ran = subprocess.run([*small, *own, *python], capture_output=True, text=True, check=True)
    assert ran.stdout == "ENOSPC before ['report.json']\n"


def test_the_leavings_of_a_kill_are_in_nobodys_way(tmp_path):
    path, secret = tmp_path / "report.json", tmp_path / "secret"
    secret.write_text("not to be touched")
    unfinished = tmp_path / ".report.json.unfinished"
    for leave in (
        lambda: unfinished.write_text("half"),
        lambda: unfinished.symlink_to(secret),
        lambda: unfinished.mkdir(),
    ):
        leave()
        write_whole(path, "whole")
        assert path.read_text() == "whole" and not os.path.lexists(unfinished)
    assert secret.read_text() == "not to be touched"


def test_readers_find_all_of_a_file_or_all_of_the_one_before(tmp_path):
    path, texts, seen, done = tmp_path / "f", ("a" * 200_000, "b" * 300_000), set(), []
    write_whole(path, texts[0])

    def write():
        for turn in range(30):
            write_whole(path, texts[turn % 2])
        done.append(True)

    writer = threading.Thread(target=write)
    writer.start()
    while not done:
        seen.add(path.read_text())
    writer.join()
    assert seen <= set(texts)


# -- held folders -----------------------------------------------------------------------------


def test_a_held_folder_is_nobodys_leftover_until_its_owner_dies(tmp_path, holder):
    process = holder(f"folder, handle = held_folder('mine-', Path({str(tmp_path)!r}))")
    [folder] = tmp_path.iterdir()
    with left_over(folder) as free:
        assert not free
    process.send_signal(signal.SIGKILL)
    process.wait()
    with left_over(folder) as free:
        assert free
        with left_over(folder) as second:  # and only one takes it away
            assert not second


def test_letting_go_of_the_handle_lets_go_of_the_folder(tmp_path):
    folder, handle = held_folder("mine-", tmp_path)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    os.close(handle)
    with left_over(folder) as free:
        assert free


def test_a_link_or_nothing_is_no_leftover(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for name in ("link", "nothing"):
        with left_over(tmp_path / name) as free:
            assert not free


# -- one run at a time ------------------------------------------------------------------------


def test_a_second_run_hears_who_is_at_work(tmp_path, holder):
    process = holder(f"lock = alone(Path({str(tmp_path)!r})); lock.__enter__()")
    with (
        pytest.raises(CourseInUse, match=f"process {process.pid}, since ") as caught,
        alone(tmp_path),
    ):
        pass
    assert "Wait until it is done" in str(caught.value)


def test_the_lock_of_a_killed_run_is_free(tmp_path, holder):
    process = holder(f"lock = alone(Path({str(tmp_path)!r})); lock.__enter__()")
    process.send_signal(signal.SIGKILL)
    process.wait()
    with alone(tmp_path):
        pass


@pytest.mark.parametrize("text", ["", "{", '{"pid": "x"}', "\x00" * 5000, '{"pid": 1e999}'])
def test_a_lock_file_with_anything_in_it_still_locks(tmp_path, text):
    (tmp_path / ".cnnlab").mkdir()
    (tmp_path / ".cnnlab" / "lock").write_text(text)
    with alone(tmp_path):
        (tmp_path / ".cnnlab" / "lock").write_text(text)  # by somebody who does not ask
        with pytest.raises(CourseInUse, match="another process"), alone(tmp_path):
            pass


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path):
    target = tmp_path / "precious"
    target.write_text("keep me")
    (tmp_path / ".cnnlab").mkdir()
    (tmp_path / ".cnnlab" / "lock").symlink_to(target)
    with pytest.raises(OSError), alone(tmp_path):
        pass
    assert target.read_text() == "keep me"
