"""What grading found, as data: the contract of docs/report.md."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

SCHEMA = 1
STATUSES = ("passed", "failed", "error", "timeout", "not attempted", "skipped")


def writable(text: str) -> str:
    """Text from a student without lone surrogates: JSON and file names may hold them, no file and
    no sanitiser takes them."""
    return text.encode("utf-8", "replace").decode()


@dataclass(frozen=True)
class TestResult:
    """One hidden test: its plain-English name, and for a failure what the student may know."""

    __test__ = False  # pytest must not take it for a class of tests

    name: str
    passed: bool
    message: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", writable(self.message))


KINDS = ("repaired", "left out", "noticed", "stopped", "unreadable")


@dataclass(frozen=True)
class Finding:
    """One line of the autopsy: what was odd about a submission, and what was done about it.

    ``kind``: *repaired* (and graded as it was meant), *left out* (not graded, the rest is),
    *noticed* (nothing was done; it may explain something),
    *stopped* (a cell or function that broke a limit or ended the process), *unreadable* (nothing
    could be graded). ``question`` is the one that it is about, where there is one.
    """

    kind: str
    text: str
    question: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"a finding is one of {', '.join(KINDS)}, not {self.kind!r}")
        object.__setattr__(self, "text", writable(self.text))


@dataclass(frozen=True)
class QuestionResult:
    """One question. ``seconds`` is the wall time of its tests.

    ``note`` says why it was *skipped*: its tests were not run, and it is extra credit.
    ``leans_on`` names earlier questions that this answer uses and that are not right themselves:
    what is wrong here may come from there.
    """

    id: str
    points: float
    seconds: float
    status: str
    tests: tuple[TestResult, ...]
    extra_credit: bool = False
    misconception: str | None = None
    hint: str | None = None
    note: str | None = None
    leans_on: tuple[str, ...] = ()

    @property
    def score(self) -> float:
        """Points times the share of passed tests, rounded to cents of a point."""
        if not self.tests:
            return 0.0
        share = sum(test.passed for test in self.tests) / len(self.tests)
        return round(float(self.points * share), 2)

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "points": self.points,
            "score": self.score,
            "extra_credit": self.extra_credit,
            "seconds": round(self.seconds, 3),
            "status": self.status,
            "misconception": self.misconception,
            "hint": self.hint,
            "note": self.note,
            "leans_on": list(self.leans_on),
            "tests": [asdict(test) for test in self.tests],
        }


@dataclass(frozen=True)
class Report:
    """All that is known of one graded notebook. Written answers are not in it: people grade them.

    ``autopsy`` tells what had to be repaired, left out or stopped to grade the notebook.
    ``grader_errors`` are for the course staff: the grader's own failures, never the student's.
    """

    assignment: str
    notebook: str
    student: str
    seed: int
    questions: tuple[QuestionResult, ...]
    autopsy: tuple[Finding, ...] = ()
    grader_errors: tuple[str, ...] = ()
    timing: dict[str, float] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """The autopsy in words."""
        return tuple(finding.text for finding in self.autopsy)

    @property
    def points(self) -> float:
        """What the assignment is worth; extra credit comes on top."""
        return float(sum(q.points for q in self.questions if not q.extra_credit))

    @property
    def score(self) -> float:
        return round(float(sum(q.score for q in self.questions)), 2)

    def question(self, question_id: str) -> QuestionResult:
        return next(q for q in self.questions if q.id == question_id)

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "assignment": self.assignment,
            "notebook": self.notebook,
            "student": self.student,
            "seed": self.seed,
            "points": self.points,
            "score": self.score,
            "questions": [q.to_dict() for q in self.questions],
            "notes": list(self.notes),
            "autopsy": [asdict(finding) for finding in self.autopsy],
            "grader_errors": list(self.grader_errors),
            "timing": {name: round(value, 3) for name, value in self.timing.items()},
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Report:
        data = json.loads(text)
        schema = data.get("schema") if isinstance(data, dict) else None
        if schema != SCHEMA:
            raise ValueError(
                f"This report has schema {schema!r}; this version reads {SCHEMA}. "
                "Grade the submission again."
            )
        questions = tuple(
            QuestionResult(
                id=q["id"],
                points=q["points"],
                seconds=q["seconds"],
                status=q["status"],
                tests=tuple(TestResult(**test) for test in q["tests"]),
                extra_credit=q["extra_credit"],
                misconception=q["misconception"],
                hint=q["hint"],
                note=q.get("note"),  # older reports have none, nor
                leans_on=tuple(q.get("leans_on", ())),
            )
            for q in data["questions"]
        )
        return cls(
            assignment=data["assignment"],
            notebook=data["notebook"],
            student=data["student"],
            seed=data["seed"],
            questions=questions,
            autopsy=tuple(Finding(**finding) for finding in data["autopsy"]),
            grader_errors=tuple(data["grader_errors"]),
            timing=data["timing"],
        )
