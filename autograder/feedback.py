"""A Report as people read it: the table in a grade cell, the student's page, the class's page.

Everything that may come from a student (names, exception texts) goes through Jinja with escaping
on. The pages have no scripts, and say so to the browser in a Content-Security-Policy.
"""

from __future__ import annotations

import functools
from pathlib import Path

import jinja2

from .results import QuestionResult, Report

SYMBOLS = {"passed": "✓", "failed": "✗", "error": "✗", "timeout": "✗", "not attempted": "–"}
WORDS = {
    "passed": "all tests pass",
    "failed": "some tests fail",
    "error": "stopped with an error",
    "timeout": "took too long",
    "not attempted": "not attempted",
}


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["number"] = number
    environment.filters["in_words"] = in_words
    environment.globals.update(symbols=SYMBOLS, words=WORDS, short=short)
    return environment


def number(value: float) -> str:
    """3.0 -> 3, 2.5 -> 2.5, 2.6667 -> 2.67"""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def short(result: QuestionResult) -> str:
    """A question in a cell of the class's table."""
    if result.status == "timeout":
        return "time" if result.score == 0 else f"{number(result.score)} time"
    if result.status in ("error", "not attempted"):
        return SYMBOLS[result.status]
    return number(result.score)


def in_words(name: str | None) -> str:
    """flips_the_kernel -> flips the kernel"""
    return (name or "").replace("_", " ")


def question_html(result: QuestionResult) -> str:
    """The table that stands in the grade cell of the graded notebook."""
    return _environment().get_template("question.html").render(question=result)


def question_text(result: QuestionResult) -> str:
    """The same for readers without HTML."""
    lines = [
        f"{result.id}: {number(result.score)} of {number(result.points)} points"
        + (" (extra credit)" if result.extra_credit else "")
    ]
    for test in result.tests:
        lines.append(f"  {'✓' if test.passed else '✗'} {test.name}")
        if test.message:
            lines.append(f"      {test.message}")
    if result.misconception:
        lines.append(f"  {in_words(result.misconception)}: {result.hint}")
    return "\n".join(lines)


def student_page(report: Report) -> str:
    """The feedback page of one student, as HTML that stands alone."""
    return _environment().get_template("student.html").render(report=report)


def class_page(assignment: str, reports: list[Report], pages: dict[str, str]) -> str:
    """The class at a glance, for the course staff. ``pages``: student -> link to the feedback."""
    counts: dict[tuple[str, str], list[str]] = {}
    for report in reports:
        for question in report.questions:
            if question.misconception:
                counts.setdefault((question.id, question.misconception), []).append(report.student)
    common = sorted(counts.items(), key=lambda item: (-len(item[1]), item[0]))
    return (
        _environment()
        .get_template("class.html")
        .render(assignment=assignment, reports=reports, pages=pages, common=common)
    )
