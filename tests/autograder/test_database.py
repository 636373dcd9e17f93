"""nbgrader's database as a file that other programs use, and that a kill may leave half made."""

import sqlite3
import threading
import time

import pytest
from nbgrader.api import Gradebook
from sqlalchemy.exc import DatabaseError

from autograder import database


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/gradebook.db"


@pytest.fixture
def spare(tmp_path):
    folder = tmp_path / ".cnnlab"
    folder.mkdir()
    return folder


def names_of_students(url):
    with Gradebook(url) as gradebook:
        return [student.id for student in gradebook.students]


def test_it_is_made_once_and_kept(url, spare):
    database.create(url, spare)
    with Gradebook(url) as gradebook:
        gradebook.add_student("ada")
    database.create(url, spare)
    assert names_of_students(url) == ["ada"]
    assert list(spare.iterdir()) == []


def test_the_half_made_one_of_a_killed_run_is_begun_anew(url, spare):
    (spare / "new-gradebook.db").write_bytes(b"half")
    (spare / "new-gradebook.db-journal").write_bytes(b"of it")
    database.create(url, spare)
    assert names_of_students(url) == []
    assert list(spare.iterdir()) == []


def test_another_database_is_its_administrators(spare):
    database.create("postgresql://somewhere/gradebook", spare)
    assert list(spare.iterdir()) == []


def hold(path, seconds):
    """Write in the database like another program, for so long; it holds the lock on return."""
    held = threading.Event()

    def write():
        connection = sqlite3.connect(path)
        connection.execute("BEGIN EXCLUSIVE")
        held.set()
        time.sleep(seconds)
        connection.rollback()
        connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    held.wait()
    return thread


def add_student(url, name):
    with Gradebook(url) as gradebook:
        gradebook.add_student(name)


def test_another_program_that_writes_is_waited_for(url, spare, tmp_path):
    database.create(url, spare)
    thread, told = hold(tmp_path / "gradebook.db", 7), []
    assert database.when_free(lambda: add_student(url, "ada"), told.append) is None
    thread.join()
    assert names_of_students(url) == ["ada"]
    assert told[0] == "another program is writing in the gradebook" and told[-1] == ""


def test_one_that_never_stops_is_a_trouble_with_a_name(url, spare, tmp_path, monkeypatch):
    database.create(url, spare)
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.5)
    thread = hold(tmp_path / "gradebook.db", 7)
    with pytest.raises(DatabaseError) as caught:
        database.when_free(lambda: add_student(url, "ada"), lambda _: None)
    thread.join()
    assert "perhaps the Formgrader. Close that." in database.trouble(caught.value)


def test_what_was_returned_is_not_tried_again(url):
    tries = []
    assert database.when_free(lambda: tries.append(1) or "no such student", lambda _: None)
    assert tries == [1]


def test_trying_to_write_changes_nothing(url, spare, tmp_path):
    database.create(url, spare)
    before = (tmp_path / "gradebook.db").read_bytes()
    database.try_to_write(url)
    assert (tmp_path / "gradebook.db").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no database at all " * 300, "is no database, or a broken one. Restore it"),
        (None, "cannot be opened, or its folder not be written"),
    ],
)
def test_a_broken_gradebook_is_a_sentence(tmp_path, url, content, says):
    path = tmp_path / "gradebook.db"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(DatabaseError) as caught:
        database.try_to_write(url)
    assert says in database.trouble(caught.value)
