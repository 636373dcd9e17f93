"""The references of the image features, and a student's function as it stands in a notebook."""

import itertools
import linecache

import numpy as np
import pytest

from autograder.diagnose import load_misconceptions
from autograder.questions import find_assignment
from cnnlab.checks import CheckFailed, check

ASSIGNMENT = find_assignment("1_image_features")
load_misconceptions(ASSIGNMENT.misconceptions)
REFERENCES = ASSIGNMENT.references()
_numbers = itertools.count()


def as_written(question: str, answer, **others):
    """``answer`` as a notebook's function, its neighbours right unless ``others`` has them."""
    source = f"def {question}(*args, **options):\n    return answer(*args, **options)\n"
    filename = f"/tmp/ipykernel_8/{next(_numbers)}.py"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    namespace = {"np": np, **REFERENCES, **others, "answer": answer}
    exec(compile(source, filename, "exec"), namespace)
    return namespace[question]


def message(question: str, answer, **others) -> str:
    with pytest.raises(CheckFailed) as failed:
        check(as_written(question, answer, **others))
    return " ".join(str(failed.value).split())
