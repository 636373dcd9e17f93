"""Limits by name: reading them, and what is wrong with what cannot be read."""

import re
from dataclasses import fields

import pytest

from autograder.errors import BadLimit
from autograder.limits import GB, Limits, settings, size
from autograder.questions import PROJECT


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("memory", "4GB", 4 * GB),
        ("memory", "0.5 gb", GB // 2),
        ("memory", "500_000_000", 500_000_000),
        ("memory", 10**9, 10**9),
        ("cell_seconds", "90", 90.0),
        ("cell_seconds", "90s", 90.0),
        ("notebook_seconds", "5min", 300.0),
        ("tasks", "64", 64),
    ],
)
def test_values_with_and_without_units(name, text, value):
    found = getattr(Limits().but({name: text}), name)
    assert found == value and type(found) is type(getattr(Limits(), name))


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("memroy", "4GB", "no limit 'memroy'.*memory, tasks"),
        ("without", "torch", "no limit 'without'"),
        ("memory", "much", "a limit is a number"),
        ("memory", "4 apples", "a limit is a number"),
        ("memory", "", "a limit is a number"),
        ("memory", "0", "above 0"),
        ("cell_seconds", -1, "above 0"),
        ("cell_seconds", float("nan"), "above 0"),
        ("cell_seconds", float("inf"), "above 0"),
        ("memory", None, "above 0"),
    ],
)
def test_what_cannot_be_read_is_told(name, value, complaint):
    with pytest.raises(BadLimit, match=complaint):
        Limits().but({name: value})


def test_the_options_of_a_command():
    assert settings(["memory=4GB", "call_seconds = 3"]) == {"memory": "4GB", "call_seconds": "3"}
    with pytest.raises(BadLimit, match="name=value"):
        settings(["memory"])
    with pytest.raises(BadLimit, match="no limit 'x'"):
        settings(["x=1"])


def test_sizes_for_people():
    assert [size(n) for n in (12, 1500, 64_000_000, 2 * GB)] == [
        "12 bytes", "1.5 kB", "64 MB", "2 GB",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ename", "evalue", "words"),
    [
        ("MemoryError", "", "2 GB of memory"),
        ("_ArrayMemoryError", "Unable to allocate 9 GiB", "2 GB of memory"),
        ("OSError", "[Errno 28] No space left on device: 'x'", "write 128 MB"),
        ("RuntimeError", "can't start new thread", "256 processes and threads"),
        ("ValueError", "operands could not be broadcast", ""),
    ],
)
def test_an_exception_at_a_limit_names_the_limit(ename, evalue, words):
    explained = Limits().explain(ename, evalue)
    assert words in explained and bool(explained) == bool(words)


def test_the_threat_model_tells_every_limit_with_its_default():
    page = (PROJECT / "docs" / "threat_model.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([\w. ]+) \|", page, re.M))
    expected = {
        f.name: getattr(Limits(), f.name) for f in fields(Limits) if f.type in ("int", "float")
    }
    assert rows.keys() == expected.keys()
    assert {name: getattr(Limits().but({name: text}), name) for name, text in rows.items()} == (
        expected
    )
