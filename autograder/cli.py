"""The command line: thin commands over plain functions."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from .errors import GOES_ON, GraderError
from .feedback import (
    AUTOPSY,
    SYMBOLS,
    by_kind,
    gravest_first,
    in_words,
    leaning,
    number,
    short,
)
from .limits import Limits, settings
from .results import QuestionResult, Report
from .signals import Stopped, stoppable

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Releases and grades the assignments of CNN Lab.",
)
ENDLESS = 10_000  # columns, of a terminal that every table fits into
ODD_SHOWN = 10  # students, in the terminal's table
console = Console(highlight=False)
complain = Console(stderr=True, highlight=False)

# a full disk behind a redirection, a closed pipe, a terminal that is gone
OF_THE_TERMINAL = {errno.ENOSPC, errno.EPIPE, errno.EIO, errno.EBADF}

NoSandboxOption = Annotated[
    bool,
    typer.Option(
        "--no-sandbox", help="Run the code in the open. Only for work that you trust as your own."
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        metavar="auto|cuda|none",
        help="The device for an assignment that may use one; auto, if not given: what is there.",
    ),
]
LimitOption = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="NAME=VALUE",
        help="A limit of this run, like memory=4GB or cell_seconds=60; repeatable. "
        "docs/threat_model.md lists them.",
    ),
]


@app.command()
def release(
    assignments: Annotated[
        list[str] | None, typer.Argument(help="Which assignments; all if none is named.")
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help=("Write nothing; fail if something committed is stale, leaks, or scores wrongly."),
        ),
    ] = False,
    no_sandbox: NoSandboxOption = False,
) -> None:
    """Make starter/ and solutions/ from the sources."""
    from . import release as releases
    from .questions import find_assignment, find_assignments

    names = assignments or list(find_assignments())
    problems: list[str] = []
    # first, because the solved notebooks are run with them
    if check:
        problems += releases.check_data()
        console.print(f"{'[red]✗[/]' if problems else '[green]✓[/]'} cnnlab's data files")
    else:
        _say_written(releases.release_data())
    for name in names:
        assignment = find_assignment(name)
        if check:
            with console.status(f"Checking {name}"):
                found = releases.check_release(assignment, sandboxed=not no_sandbox)
            problems += found
            console.print(f"{'[red]✗[/]' if found else '[green]✓[/]'} {name}")
            continue
        with console.status(f"Building {name}: running the solved notebook takes a moment"):
            written = releases.release(assignment)
        _say_written(written.files)
    for problem in problems:
        complain.print(f"  {escape(problem)}")
    if problems:
        raise typer.Exit(1)


def _say_written(files: list[tuple[Path, bool]]) -> None:
    for path, changed in files:
        console.print(f"{'wrote' if changed else 'up to date:'} {_relative(path)}")


@app.command()
def check(
    notebook: Annotated[
        Path,
        typer.Argument(
            help="The notebook to grade, for instance starter/2_conv_layers/conv_layers.ipynb."
        ),
    ],
    json: Annotated[
        Path | None, typer.Option(help="Write the report here too; - for the terminal.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Draw the hidden inputs with this seed.")] = None,
    limit: LimitOption = None,
    device: DeviceOption = None,
    no_sandbox: NoSandboxOption = False,
) -> None:
    """Grade one notebook now, and print its report."""
    from .runner import grade_file

    if seed is not None and seed < 0:
        raise GraderError(f"--seed {seed}: a seed is 0 or more.")
    if json is not None and str(json) != "-" and not json.resolve().parent.is_dir():
        raise GraderError(f"--json {json}: there is no folder {json.resolve().parent}.")
    with complain.status("Grading in the sandbox" if not no_sandbox else "Grading in the open"):
        graded = grade_file(
            notebook,
            seed=seed,
            limits=_limits(Limits(), limit, device),
            sandboxed=not no_sandbox,
        )
    if json is not None and str(json) == "-":
        sys.stdout.write(graded.report.to_json())
        return
    if json is not None:
        json.write_text(graded.report.to_json(), "utf-8")
    print_report(graded.report)


@app.command()
def grade(
    assignment: Annotated[str, typer.Argument(help="The assignment's folder name.")],
    student: Annotated[
        list[str] | None, typer.Option(help="Only this student; repeatable.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Notebooks at a time; the number of cores if not given."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Grade again what is remembered.")] = False,
    course: Annotated[Path, typer.Option(help="The course folder.")] = Path(),
    limit: LimitOption = None,
    device: DeviceOption = None,
    no_sandbox: NoSandboxOption = False,
) -> None:
    """Grade submitted/ into nbgrader's gradebook, and write the feedback pages."""
    try:
        with stoppable():
            _grade(course, assignment, student, workers, fresh, limit, device, not no_sandbox)
    except Stopped as stop:
        with contextlib.suppress(OSError):  # the terminal may be what was closed
            complain.print(f"Stopped. {GOES_ON}")
        raise typer.Exit(stop.code) from None


def _grade(
    course: Path,
    assignment: str,
    students: list[str] | None,
    workers: int | None,
    fresh: bool,
    limit: list[str] | None,
    device: str | None,
    sandboxed: bool,
) -> None:
    from .cohort import Course, grade_class
    from .questions import find_assignment

    found = find_assignment(assignment)
    start = time.monotonic()
    opened = Course.open(course)
    with _class_progress() as (progress, tell):
        result = grade_class(
            opened,
            found,
            students=students,
            workers=workers,
            sandboxed=sandboxed,
            fresh=fresh,
            limits=_limits(opened.limits, limit, device),
            progress=progress,
            tell=tell,
        )
    print_class(result.reports)
    for name, problem in sorted(result.failures.items()):
        complain.print(f"[red]not graded:[/] {_plain(name)}: {_plain(problem)}")
    seconds = time.monotonic() - start
    remembered = f", {result.remembered} remembered from before" if result.remembered else ""
    failed = f", {len(result.failures)} not graded (see above)" if result.failures else ""
    console.print(
        f"{len(result.reports)} graded in {seconds:.1f} s{remembered}{failed}. "
        f"The class: {_relative(result.page)}"
    )
    if result.failures:
        raise typer.Exit(1)


def _limits(limits: Limits, changes: list[str] | None, device: str | None) -> Limits:
    """The limits with what this run's options say."""
    limits = limits.but(settings(changes or ()))
    return limits if device is None else limits.on(device)


@contextlib.contextmanager
def _class_progress() -> Iterator[tuple[Callable[[int, int], None], Callable[[str], None]]]:
    """A bar that says how far a class is, and below it what it waits for."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    bars = Progress(*columns, console=complain)
    waiting = Text()
    with Live(Group(bars, waiting), console=complain, transient=True):
        task = bars.add_task("grading", total=None)

        def progress(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        def tell(words: str) -> None:
            waiting.plain = f"waiting: {_printable(words)}" if words else ""

        yield progress, tell


@app.command()
def doctor() -> None:
    """Say what works on this machine, and what to do about what does not."""
    from .doctor import examine

    table = Table(show_header=False, box=None, padding=(0, 1))
    findings = examine()
    for finding in findings:
        mark = {"ok": "[green]✓[/]", "note": "[yellow]–[/]", "bad": "[red]✗[/]"}[finding.state]
        table.add_row(mark, finding.what, escape(finding.words))
    console.print(table)
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(1)


def print_report(report: Report) -> None:
    """One notebook's report for the terminal."""
    colours = {"passed": "green", "not attempted": "dim", "skipped": "dim"}
    for question in report.questions:
        colour = colours.get(question.status, "red")
        extra = " extra credit" if question.extra_credit else ""
        console.print(
            f"[{colour}]{SYMBOLS[question.status]} {question.id}[/]  "
            f"[bold]{number(question.score)} of {number(question.points)}[/]{extra}"
            + (f"  [dim]{question.status}[/]" if question.status != "passed" else "")
        )
        if question.status in ("passed", "not attempted"):
            continue
        if question.note:
            console.print(Padding(f"[dim]{_plain(question.note)}[/]", (0, 0, 0, 4)))
        if question.leans_on:
            console.print(f"    [yellow]{leaning(question)}[/]")
        before = None
        for test in question.tests:
            mark = "[green]✓[/]" if test.passed else "[red]✗[/]"
            console.print(Padding(f"{mark} {_plain(test.name)}", (0, 0, 0, 4)))
            if test.message:
                told = "the same" if test.message == before else _plain(test.message)
                console.print(Padding(f"[dim]{told}[/]", (0, 0, 0, 6)))
            before = test.message
        if question.misconception:
            console.print(
                f"    [yellow]It looks like: {in_words(question.misconception)}.[/] "
                f"{_plain(question.hint or '')}"
            )
    for kind, findings in by_kind(report.autopsy).items():
        for finding in findings:
            console.print(f"[yellow]{kind}:[/] {_plain(_one_line(finding.text))}")
    for error in report.grader_errors:
        complain.print(f"[red]the grader itself failed:[/] {_plain(error)}")
    console.print(
        f"[bold]{number(report.score)} of {number(report.points)} points[/]"
        f"  [dim]seed {report.seed}, {report.timing.get('total', 0):.1f} s[/]"
    )


def print_class(reports: list[Report]) -> None:
    """A class as one table: who, each question, the total, what it looks like, how long it took."""
    if not reports:
        return
    # into a file or a pipe rich assumes 80 columns, which would cut the table to nothing
    out = console if console.is_terminal else Console(width=160, highlight=False)
    named = out.width >= 130
    table = _table_of_questions(reports, named)
    needed = Console(width=ENDLESS).measure(table).minimum
    if needed > out.width:  # rich would leave columns empty, without a word
        table, named = _table_of_losses(reports), False
    out.print(table)
    if not named:
        for report in reports:
            if _named(report):
                out.print(f"{_plain(report.student)}: it looks like {_named(report)}")
    legend = "  ".join(
        f"{i} {q.id} ({number(q.points)}{' extra' if q.extra_credit else ''})"
        for i, q in enumerate(reports[0].questions, 1)
    )
    out.print(f"[dim]{legend}[/]", soft_wrap=True)
    words = ["time: took too long", "–: not attempted", "✗: stopped with an error"]
    if any(q.status == "skipped" for report in reports for q in report.questions):
        words.append("○: skipped, for want of a device")
    out.print(f"[dim]{'   '.join(words)}[/]")
    _print_autopsy(reports, out)


def _table_of_questions(reports: list[Report], named: bool) -> Table:
    """A column for each question, and with ``named`` one for the misconceptions."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, header_style="bold")
    table.add_column("student", no_wrap=True)
    for index, _ in enumerate(reports[0].questions, 1):
        table.add_column(str(index), justify="right", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("s", justify="right", no_wrap=True)
    if named:
        table.add_column("it looks like (question)", overflow="fold")
    for report in reports:
        row = [
            _plain(_one_line(report.student, 40)),
            *(_cell(q) for q in report.questions),
            f"[bold]{number(report.score)}[/]",
            f"{report.timing.get('total', 0):.1f}",
        ]
        table.add_row(*row, *([_named(report)] if named else []))
    return table


def _table_of_losses(reports: list[Report]) -> Table:
    """For a terminal that is too narrow for all questions: those with less than all points."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, header_style="bold")
    table.add_column("student", overflow="fold")
    for heading in ("score", "s"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("less than all (question: points)", overflow="fold")
    for report in reports:
        losses = [
            f"{i}:\N{NO-BREAK SPACE}{_cell(q)}"
            for i, q in enumerate(report.questions, 1)
            if q.status not in ("passed", "skipped")
        ]
        table.add_row(
            _plain(_one_line(report.student, 40)),
            f"[bold]{number(report.score)}[/]",
            f"{report.timing.get('total', 0):.1f}",
            "  ".join(losses),
        )
    return table


def _print_autopsy(reports: list[Report], out: Console) -> None:
    """One line for the class, then the gravest: the rest is for the class page."""
    odd = gravest_first(reports)
    if not odd:
        return
    counts = {kind: sum(kind in by_kind(r.autopsy) for r in odd) for kind in AUTOPSY}
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    out.print(f"Autopsy: {len(odd)} of {len(reports)} submissions were odd ({told}).")
    for report in odd[:ODD_SHOWN]:
        kind, findings = next(iter(by_kind(report.autopsy).items()))
        more = f" (and {len(report.autopsy) - 1} more)" if len(report.autopsy) > 1 else ""
        text = _one_line(findings[0].text, 100)
        name = _one_line(report.student, 30)
        out.print(f"  [dim]{_plain(name)}: {kind}: {_plain(text)}{more}[/]", soft_wrap=True)
    if len(odd) > ODD_SHOWN:
        out.print(f"  [dim]and {len(odd) - ODD_SHOWN} more: see the class page[/]")


def _one_line(text: str, length: int | None = None) -> str:
    text = " ".join(text.split())
    return text if length is None or len(text) <= length else text[: length - 1] + "…"


def _named(report: Report) -> str:
    return "; ".join(
        f"{in_words(q.misconception)} ({i})"
        for i, q in enumerate(report.questions, 1)
        if q.misconception
    )


def _cell(question: QuestionResult) -> str:
    colour = {"passed": "green", "skipped": "dim"}.get(question.status, "red")
    return f"[{colour}]{short(question)}[/]"


def _plain(text: str) -> str:
    """Text from a student, without terminal escapes and without meaning to rich."""
    return escape(_printable(text))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in text)


def _relative(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def main() -> None:
    """The console script: the grader's own errors are sentences, not tracebacks."""
    try:
        app()
    except GraderError as error:
        with contextlib.suppress(OSError):
            complain.print(f"[red]autograder:[/] {_plain(str(error))}")
        sys.exit(2)
    except OSError as error:
        if error.errno not in OF_THE_TERMINAL:
            raise
        # what was to be done is done; nothing more can be said on this output, at exit neither
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        with contextlib.suppress(OSError):
            complain.print(f"[red]autograder:[/] the output could not be written: {error.strerror}")
        sys.exit(1)
