"""Ctrl-C, SIGTERM and a closed terminal, sent to real processes."""

import signal
import subprocess
import sys

import pytest

SCRIPT = """
import signal, sys, time
from autograder.signals import Stopped, finishing, stoppable, undisturbed

def say(text):
    print(text, flush=True)

def nap(seconds):  # in small pieces: each signal is seen
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.02)
"""

EACH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])


def run(body, *, signals, before=None):
    """Run the body; after each line "now" send the next signal. Returns exit code and lines."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT + body],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=before,
    )
    lines, todo = [], list(signals)
    for line in process.stdout:
        lines.append(line.strip())
        if lines[-1] == "now" and todo:
            process.send_signal(todo.pop(0))
    process.stdout.close()
    process.stderr.close()
    return process.wait(timeout=30), lines


@EACH
def test_each_request_runs_what_cleans_up(number):
    body = """
try:
    with stoppable():
        try:
            say("now"); nap(20); say("never")
        finally:
            say("cleaned up")
except Stopped as stop:
    sys.exit(stop.code)
"""
    assert run(body, signals=[number]) == (128 + number, ["now", "cleaned up"])


@EACH
def test_what_is_undisturbed_hears_nothing(number):
    body = """
with stoppable(), undisturbed():
    say("now"); nap(0.5); say("done")
"""
    assert run(body, signals=[number]) == (0, ["now", "done"])


@EACH
def test_finishing_ends_its_block_first(number):
    body = """
try:
    with stoppable(), finishing():
        say("now"); nap(0.5); say("finished")
    say("never")
except Stopped as stop:
    sys.exit(stop.code)
"""
    assert run(body, signals=[number]) == (128 + number, ["now", "finished"])


def test_a_second_request_does_not_wait():
    body = """
try:
    with stoppable(), finishing():
        say("now"); nap(0.5)
        say("now"); nap(20)
        say("never")
except Stopped as stop:
    sys.exit(stop.code)
"""
    code, lines = run(body, signals=[signal.SIGINT, signal.SIGTERM])
    assert (code, lines) == (128 + signal.SIGTERM, ["now", "now"])


def test_under_nohup_a_closed_terminal_is_ignored():
    body = """
with stoppable():
    say("now"); nap(0.5); say("done")
"""
    ignored = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731 (as nohup does)
    assert run(body, signals=[signal.SIGHUP], before=ignored) == (0, ["now", "done"])


def test_the_handlers_of_before_come_back():
    body = """
was = signal.getsignal(signal.SIGTERM)
with stoppable(), finishing(), undisturbed():
    pass
say(str(signal.getsignal(signal.SIGTERM) is was))
"""
    assert run(body, signals=[]) == (0, ["True"])


def test_beside_the_main_thread_nothing_is_changed():
    body = """
import threading
def work():
    with stoppable(), undisturbed(), finishing():
        say("worked")
thread = threading.Thread(target=work); thread.start(); thread.join()
"""
    assert run(body, signals=[]) == (0, ["worked"])
