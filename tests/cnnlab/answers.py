"""An assignment's references, and a student's function as it stands in a notebook."""

import itertools
import linecache

import numpy as np
import pytest

from autograder.diagnose import load_misconceptions
from autograder.questions import find_assignment
from cnnlab.checks import CheckFailed, check

_numbers = itertools.count()


class Answers:
    """To the questions of one assignment."""

    def __init__(self, assignment: str):
        found = find_assignment(assignment)
        load_misconceptions(found.misconceptions)
        self.references = found.references()

    def as_written(self, question: str, answer, **others):
        """``answer`` as a notebook's function, its neighbours right unless ``others`` has them."""
        source = f"def {question}(*args, **options):\n    return answer(*args, **options)\n"
        filename = f"/tmp/ipykernel_8/{next(_numbers)}.py"
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
        namespace = {"np": np, **self.references, **others, "answer": answer}
        exec(compile(source, filename, "exec"), namespace)
        return namespace[question]

    def message(self, question: str, answer, **others) -> str:
        """What its visible check says of an answer that it has to refuse."""
        with pytest.raises(CheckFailed) as failed:
            check(self.as_written(question, answer, **others))
        return " ".join(str(failed.value).split())
