"""Names the misconception behind a wrong answer."""

from __future__ import annotations

from collections.abc import Callable

# question id -> {misconception's name: wrong variant of the reference}
MISCONCEPTIONS: dict[str, dict[str, Callable]] = {}


def misconception(question_id: str) -> Callable[[Callable], Callable]:
    """Register a function as a typical wrong answer to a question.

    The function has the reference's signature. Its name is the misconception's name; its docstring
    is the hint that the student reads.
    """

    def register(function: Callable) -> Callable:
        variants = MISCONCEPTIONS.setdefault(question_id, {})
        if function.__name__ in variants:
            raise ValueError(f"{question_id} already has a misconception {function.__name__}")
        variants[function.__name__] = function
        return function

    return register
