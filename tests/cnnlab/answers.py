"""An assignment's references, and a student's function as it stands in a notebook."""

import itertools
import linecache
import re
import time

import numpy as np
import pytest

from autograder.diagnose import load_misconceptions
from autograder.questions import find_assignment
from cnnlab.checks import CheckFailed, check
from cnnlab.checks.steps import STEPS

# its repr has an address: as a test's name, it would be another one in each process
AN_OBJECT = pytest.param(object(), id="an object")
# what is no answer to any question
NONSENSE = [None, 0, 1.5, "out", (), (None, None), (1, 2, 3), {}, [[1, 2], [3]], AN_OBJECT]

_numbers = itertools.count()


class Answers:
    """To the questions of one assignment."""

    def __init__(self, assignment: str):
        found = find_assignment(assignment)
        load_misconceptions(found.misconceptions)
        self.references, self.solution = found.references(), found.solution

    def as_written(self, question: str, answer, **others):
        """``answer`` as a notebook's function, its neighbours right unless ``others`` has them."""
        source = f"def {question}(*args, **options):\n    return answer(*args, **options)\n"
        filename = f"/tmp/ipykernel_8/{next(_numbers)}.py"
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
        namespace = {"np": np, **self.references, **others, "answer": answer}
        exec(compile(source, filename, "exec"), namespace)
        return namespace[question]

    def assert_passes(self, question: str, capfd) -> None:
        """The reference passes every step of its visible check, in little time."""
        start = time.thread_time()
        assert check(self.as_written(question, self.references[question])) is None
        assert time.thread_time() - start < 2
        shown = capfd.readouterr()
        assert shown.out.count("✓") == len(STEPS[question]) >= 4
        assert "✗" not in shown.out
        assert shown.err == ""

    def message(self, question: str, answer, **others) -> str:
        """What its visible check says of an answer that it has to refuse."""
        with pytest.raises(CheckFailed) as failed:
            check(self.as_written(question, answer, **others))
        return " ".join(str(failed.value).split())

    def assert_refuses(self, question: str, nonsense) -> None:
        """A function that returns nonsense is refused by a message that says what was expected."""
        text = self.message(question, lambda *args, **options: nonsense)
        assert "your code raised" not in text
        assert "expected:" in text


def assert_explained(question: str, text: str, words: str = "") -> None:
    """``text``, what a check says of a typical mistake, tells what it is, in these words."""
    assert text.startswith(f"{question}: ")
    assert "expected:" in text or "your code raised" in text
    # what comes before that is the step's name
    assert words in re.split("came:|your code raised", text, maxsplit=1)[1]


def assert_plain_names(questions) -> None:
    """The names of these questions' steps can stand in a table."""
    for question in questions:
        names = [step.name for step in STEPS[question]]
        assert len(names) == len(set(names))
        assert all(len(name) < 85 and not name.endswith(".") for name in names)
