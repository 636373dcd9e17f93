"""What a question is, and where it is read from: the markers of the hidden tests."""

from __future__ import annotations

import pytest


def question(question_id: str, *, points: float, extra_credit: bool = False):
    """Mark a class of hidden tests as one question.

    ``question_id`` is the name of the function that students write; it is nbgrader's ``grade_id``
    too. ``points`` is what the question is worth: the only place where that is written.
    Extra credit counts on top of the assignment's points.
    """
    return pytest.mark.question(question_id, points=points, extra_credit=extra_credit)
