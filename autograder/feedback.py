"""A Report as people read it: the table in a grade cell, the student's page, the class's page.

Everything that may come from a student (names, exception texts) goes through Jinja with escaping
on. The pages have no scripts, and say so to the browser in a Content-Security-Policy.
"""

from __future__ import annotations

import functools
from pathlib import Path

import jinja2

from .results import Finding, QuestionResult, Report

SYMBOLS = {
    "passed": "✓",
    "failed": "✗",
    "error": "✗",
    "timeout": "✗",
    "not attempted": "–",
    "skipped": "○",
}
WORDS = {
    "passed": "all tests pass",
    "failed": "some tests fail",
    "error": "stopped with an error",
    "timeout": "took too long",
    "not attempted": "not attempted",
    "skipped": "skipped: it needs a device that this grader has not",
}
# the kinds of findings, the gravest first: the heading, and what it means
AUTOPSY = {
    "unreadable": ("Could not be read", "so nothing could be graded"),
    "stopped": ("Was stopped", "it broke a limit, or ended the process; the rest was graded"),
    "left out": ("Was left out", "it was not graded; the rest was"),
    "repaired": ("Was repaired", "and graded as it was meant"),
    "noticed": ("Was noticed", "nothing was done about it, but it may explain something"),
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
    environment.filters["by_kind"] = by_kind
    environment.filters["leaning"] = leaning
    environment.globals.update(symbols=SYMBOLS, words=WORDS, short=short, kinds=AUTOPSY)
    return environment


def number(value: float) -> str:
    """3.0 -> 3, 2.5 -> 2.5, 2.6667 -> 2.67"""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def short(result: QuestionResult) -> str:
    """A question in a cell of the class's table."""
    if result.status == "timeout":
        return "time" if result.score == 0 else f"{number(result.score)} time"
    if result.status in ("error", "not attempted", "skipped"):
        return SYMBOLS[result.status]
    return number(result.score)


def in_words(name: str | None) -> str:
    """flips_the_kernel -> flips the kernel"""
    return (name or "").replace("_", " ")


def leaning(result: QuestionResult) -> str:
    """What to mend before this question, in a sentence; "" if nothing."""
    *others, last = result.leans_on or ("",)
    if not others:
        return last and f"It uses {last}, which is not right yet. Mend that first."
    return f"It uses {', '.join(others)} and {last}, which are not right yet. Mend these first."


def by_kind(findings: tuple[Finding, ...]) -> dict[str, list[Finding]]:
    """The findings of each kind that there are any of, the gravest kind first."""
    found = {kind: [f for f in findings if f.kind == kind] for kind in AUTOPSY}
    return {kind: those for kind, those in found.items() if those}


def gravest_first(reports: list[Report]) -> list[Report]:
    """The reports that have findings, those with the gravest first, else in their order."""
    order = list(AUTOPSY)
    with_findings = [report for report in reports if report.autopsy]
    return sorted(with_findings, key=lambda r: min(order.index(f.kind) for f in r.autopsy))


def question_html(result: QuestionResult) -> str:
    """The table that stands in the grade cell of the graded notebook."""
    return _environment().get_template("question.html").render(question=result)


def question_text(result: QuestionResult) -> str:
    """The same for readers without HTML."""
    lines = [
        f"{result.id}: {number(result.score)} of {number(result.points)} points"
        + (" (extra credit)" if result.extra_credit else "")
    ]
    if result.note:
        lines.append(f"  {result.note}")
    if result.leans_on:
        lines.append(f"  {leaning(result)}")
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
        .render(
            assignment=assignment,
            reports=reports,
            pages=pages,
            common=common,
            odd=gravest_first(reports),
        )
    )
