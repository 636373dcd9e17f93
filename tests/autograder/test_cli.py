"""The commands, as a person types them."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from autograder import cli, demo
from autograder.cli import print_class, print_report
from autograder.files import left_over
from autograder.results import Finding, QuestionResult, Report, TestResult

BIN = Path(sys.executable).parent


def run(*words, cwd=None, **options):
    return subprocess.run(
        [BIN / "autograder", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def test_help_names_the_commands():
    said = run("--help").stdout
    for command in ("release", "check", "grade", "doctor"):
        assert command in said


@pytest.mark.slow
def test_check_prints_a_report_and_writes_json(assignment, tmp_path):
    out = tmp_path / "report.json"
    ran = run("check", assignment.release, "--json", out, "--seed", "7")
    assert ran.returncode == 0, ran.stderr
    assert "conv_forward_naive" in ran.stdout and "0 of 36" in ran.stdout
    report = json.loads(out.read_text())
    assert report["schema"] == 1 and report["seed"] == 7 and report["score"] == 0
    assert {q["status"] for q in report["questions"]} == {"not attempted"}


@pytest.mark.slow
def test_check_writes_nothing_but_json_to_the_terminal_when_asked(assignment):
    ran = run("check", assignment.release, "--json", "-")
    assert json.loads(ran.stdout)["assignment"] == assignment.name


@pytest.mark.parametrize(
    "words, complaint",
    [
        (("check", "nowhere.ipynb"), "There is no file nowhere.ipynb"),
        (("grade", "7_nothing"), "no assignment '7_nothing'"),
        (("grade", "2_conv_layers"), "is no course folder"),
        (("release", "2_conv_layer"), "Known: 1_image_features, 2_conv_layers"),
    ],
)
def test_mistakes_are_answered_in_sentences(words, complaint, tmp_path):
    ran = run(*words, cwd=tmp_path)
    assert ran.returncode == 2
    assert complaint in " ".join(ran.stderr.split())
    assert "Traceback" not in ran.stderr


def test_doctor_says_what_works():
    ran = run("doctor")
    assert ran.returncode == 0, ran.stdout
    for word in ("Python", "sandbox", "kernel", "GPU", "data sets"):
        assert word in ran.stdout


def test_doctor_explains_a_missing_sandbox():
    ran = run("doctor", env={**os.environ, "PATH": str(BIN)})
    assert ran.returncode == 1
    assert "apt-get install bubblewrap" in ran.stdout


@pytest.mark.slow
def test_ctrl_c_stops_at_once_and_leaves_nothing_running(assignment, tmp_path):
    notebooks = {
        f"slow-{n}": demo.fill_in(
            assignment,
            {
                "conv_cost": demo.NEVER_ENDS.replace(
                    "conv_backward_naive(dout, cache)", "conv_cost(dout, *rest)"
                ).replace("dout.shape[2]", "9")
            },
        )
        for n in range(3)
    }
    demo.write_course(tmp_path, assignment, notebooks)
    before = set(Path("/tmp").glob("cnnlab-*"))
    running = subprocess.Popen(
        [BIN / "autograder", "grade", assignment.name],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # in the background, as a shell without job control starts it, Ctrl-C is ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    workers_by = time.monotonic() + 60
    while not any("spawn_main" in p for p in _processes_of_session(running.pid)):
        assert time.monotonic() < workers_by, "no worker was started"
        time.sleep(0.2)
    time.sleep(3)  # some of them are still importing, some may be grading: both must end quietly
    os.killpg(running.pid, signal.SIGINT)  # as the terminal does: the whole group
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Stopped" in said and "Traceback" not in said
    deadline = time.monotonic() + 30
    while (left := _processes_of_session(running.pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []
    # nor is a scratch folder left; another grader on this machine holds its own
    for folder in set(Path("/tmp").glob("cnnlab-*")) - before:
        with left_over(folder) as ours:
            assert not ours, folder


def _processes_of_session(session: int) -> list[str]:
    """The command lines of the living processes of a session, zombies left out."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, its_session = (process / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z":
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except (OSError, ValueError):
            continue
    return found


def hostile_report():
    tests = (TestResult("a [red]name[/]", False, "\x1b[31mred\x1b]0;title\x07 [bold]x[/]"),)
    question = QuestionResult("conv_cost", 2, 0.1, "failed", tests)
    return Report(
        "a", "n", "\x1b[2Jeve[/]", 1, (question,), autopsy=(Finding("repaired", "note \x1b[0m"),)
    )


def test_the_terminal_never_gets_a_students_escape_codes(capsys):
    print_report(hostile_report())
    print_class([hostile_report()])
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err and "\x07" not in said.out
    assert "[bold]x[/]" in said.out and "eve[/]" in said.out


def large_report(count, student="ada"):
    """Every third question half right, with the same words for two tests."""
    right, wrong = TestResult("it adds", True), TestResult("it multiplies", False, "7 came.")
    again = replace(wrong, name="it divides")
    questions = tuple(
        QuestionResult(f"q{n}", 4, 0.1, "failed", (right, right, wrong, again))
        if n % 3 == 0
        else QuestionResult(f"q{n}", 4, 0.1, "passed", (right,))
        for n in range(1, count + 1)
    )
    return Report("a", "n", student, 1, questions)


@pytest.mark.parametrize("width", [50, 60, 80, 100, 120, 140, 200])
def test_every_score_can_be_read_in_a_terminal_of_any_width(width, capsys, monkeypatch):
    reports = [large_report(18), large_report(18, "grace")]
    terminal = Console(width=width, force_terminal=True, color_system=None, highlight=False)
    monkeypatch.setattr(cli, "console", terminal)
    print_class(reports)
    said = capsys.readouterr().out
    table = said.split("1 q1 (4)")[0]
    assert "…" not in table and max(map(len, table.splitlines())) <= width
    row = table.split("ada")[1].split("grace")[0]
    if "less than all" in table:
        assert all(f"{n}:\N{NO-BREAK SPACE}2" in row for n in (3, 6, 9, 12, 15, 18))
    else:
        assert row.split()[:20] == [*["4", "4", "2"] * 6, "60", "0.0"]
    assert ("less than all" in table) == (width < 100)


def test_words_that_are_the_same_are_told_once(capsys):
    print_report(large_report(3))
    said = capsys.readouterr().out
    assert said.count("7 came.") == 1 and said.count("the same") == 1


def test_the_autopsy_of_a_large_class_is_short(capsys):
    odd = [
        replace(hostile_report(), student=f"s{n:03}", autopsy=(Finding("stopped", "x " * 500),) * 3)
        for n in range(200)
    ]
    print_class(odd)
    told = capsys.readouterr().out.split("Autopsy: ")[1].splitlines()
    assert told[0] == "200 of 200 submissions were odd (200 stopped)."
    assert len(told) < 15 and max(map(len, told)) < 160
    assert "(and 2 more)" in told[1] and "190 more" in told[-1]
