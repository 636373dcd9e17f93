"""Fuzzer of what comes back from a kernel: thousands of changed results, none may do harm.

    python tests/hostile/fuzz_results.py --count 2000 --seed 0
    python tests/hostile/fuzz_results.py --seed 0 --only 1234      (one of them again, in detail)

The hidden tests run as the runner runs them. The kernel is a stand-in in this process, whose real
bridge computes right answers with the references; then one reply (or two) is changed. A finding is:
a failure that counts as the grader's own; a call or a diagnosis that takes too long or too much
memory; a test that passes though the reply means something else than the right answer; a test that
fails though the reply means the same.
"""

from __future__ import annotations

import argparse
import functools
import resource
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import wire_dress
import wire_meaning
import wire_mutations
from wire_stand_in import Exchange, StandIn

from autograder.diagnose import MISCONCEPTIONS, diagnose, load_misconceptions
from autograder.plugin import HiddenTests
from autograder.questions import find_assignment
from autograder.student import Session

SEED = 7  # of the inputs; which result is changed, and how, depends on --seed
CPU_SECONDS = 2.0  # for a test and its diagnosis, above what they take with right answers
HANG_SECONDS = 30  # then the case is interrupted
MEMORY = 90 << 20  # that may be held above the size of what was sent, times COPIES
COPIES = 4  # of what was sent: the frames, the values, the float64 form of small ones
STOP_AT = 3 << 30  # of address space: a bomb ends as a MemoryError here, not as a dead machine

# What a test compares, by the function that it calls: items of the result, None for all of it.
WHOLE = ("conv_output_size", "receptive_field")
WHOLE += ("max_pool_backward_naive", "avg_pool_backward_naive")
ITEMS = {"test_dx": (0,), "test_dw": (1,), "test_db": (2,)}
ITEMS |= {"test_shape": (0,), "test_parameters": (1,), "test_multiply_adds": (2,)}


def compared_parts(item, question: str) -> dict[str, tuple | None]:
    if question in WHOLE:
        return {question: None}
    if "forward" in question:
        return {question: (0,)}
    return {question: ITEMS.get(item.originalname, (0, 1, 2))}


@dataclass
class Case:
    """One changed run of one hidden test."""

    number: int
    what: str  # the question, the test, the changes
    problems: list[str] = field(default_factory=list)
    passed: bool = False
    message: str = ""
    diagnosis: str | None = None


@dataclass
class Fuzzer:
    """Runs cases, inside of pytest's loop over the hidden tests."""

    seed: int
    numbers: list[int]
    report: object = None  # called with each finished Case
    kinds: Counter = field(default_factory=Counter)
    cases: list[Case] = field(default_factory=list)

    def run(self) -> list[Case]:
        self.assignment = find_assignment("2_conv_layers")
        load_misconceptions(self.assignment.misconceptions)
        self.references = self.assignment.references()
        HiddenTests(self.assignment.hidden_tests, SEED, self._walk).execute()
        return self.cases

    def _walk(self, tests: HiddenTests) -> None:
        self.tests = tests
        self.items = [(q, item) for q, items in tests.items.items() for item in items]
        self.clean: dict[int, tuple[StandIn, float]] = {}
        for number in self.numbers:
            case = self._case(number)
            self.cases.append(case)
            if self.report:
                self.report(case)

    # -- one case -----------------------------------------------------------------------------

    def _case(self, number: int) -> Case:
        rng = np.random.default_rng([self.seed, number])
        which = int(rng.integers(len(self.items)))
        question, item = self.items[which]
        before, usual = self._clean_run(which)
        kernel = StandIn(dict(self.references))
        how, honest = self._prepare(rng, question, kernel, before.exchanges)
        case = Case(number, f"{item.nodeid.partition('::')[2]}: {how}")
        self.kinds[how.split(" in ")[0].split(" of ")[0]] += 1
        self._run(case, which, kernel, usual)
        parts = compared_parts(item, question)
        right = case.passed and wire_meaning.is_right(
            parts, kernel.exchanges, before.exchanges, kernel, before
        )
        if case.passed and not right:
            case.problems.append("it passed, though the reply means something else")
        if honest and not case.passed:
            case.problems.append(f"it failed, though the reply means the same: {case.message}")
        return case

    def _prepare(
        self, rng, question: str, kernel: StandIn, replies: list[Exchange]
    ) -> tuple[str, bool]:
        """Say what this kernel will do, and whether a fair grader has to pass it."""
        kind = rng.random()
        if kind < 0.12:
            fair = rng.random() < 0.5
            chosen = wire_dress.FAIR if fair else wire_dress.ODD
            name = wire_mutations.pick(rng, list(chosen))
            self._dress(kernel, question, chosen[name])
            return f"dressed as {name}", fair
        honest = kind < 0.3
        if not honest and kind < 0.5:
            variant = wire_mutations.pick(rng, list(MISCONCEPTIONS[question].values()))
            kernel.bridge.shell.user_ns[question] = variant
        pool = wire_mutations.HONEST if honest else wire_mutations.HOSTILE
        count = 1 if rng.random() < 0.8 else 3
        matter = [n for n, e in enumerate(replies) if e.op != "forget" or rng.random() < 0.1]
        plan = {
            wire_mutations.pick(rng, matter): wire_mutations.pick(rng, pool) for _ in range(count)
        }

        def change(number: int, exchange: Exchange) -> None:
            if number in plan:
                exchange.sent = plan[number](rng, exchange.answer)
                kernel.ignores_calls |= plan[number] is wire_mutations.bomb_for_a_cache

        kernel.change = change
        how = " and ".join(f"{m.__name__} in reply {n}" for n, m in sorted(plan.items()))
        return how, honest

    def _dress(self, kernel: StandIn, question: str, dress) -> None:
        names = kernel.bridge.shell.user_ns
        function = names[question]
        names[question] = functools.wraps(function)(lambda *args: dress(function(*args)))

    def _clean_run(self, which: int) -> tuple[StandIn, float]:
        if which not in self.clean:
            kernel = StandIn(dict(self.references))
            case = Case(-1, "unchanged")
            start = time.process_time()
            self._run(case, which, kernel, 1.0)
            assert case.passed and not case.problems, (case, "right answers have to pass")
            self.clean[which] = kernel, time.process_time() - start
        return self.clean[which]

    def _run(self, case: Case, which: int, kernel: StandIn, usual: float) -> None:
        question, item = self.items[which]
        held = self.tests.items[question]
        self.tests.items[question] = [item]
        watch = Watch()
        try:
            with watch:
                session = Session(kernel, lambda calm=False: None)
                run = self.tests.run(question, session, lambda: None)
                case.passed = all(test.passed for test in run.tests)
                case.message = run.tests[0].message
                case.problems += [f"the grader failed: {text}" for text in run.grader_errors]
                watch.lap("the test", case, CPU_SECONDS + 3 * usual)
                if not case.passed:
                    case.diagnosis = diagnose(question, run.calls, self.references)
                    # each variant computes as long as the reference; they see small inputs only
                    variants = len(MISCONCEPTIONS[question])
                    watch.lap("the diagnosis", case, CPU_SECONDS + 3 * usual * variants)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            case.problems.append("".join(traceback.format_exception(error)[-6:]))
        finally:
            self.tests.items[question] = held
        if len(case.message) > 5000:
            case.problems.append(f"a message of {len(case.message)} characters")
        sent = sum(len(frame) for e in kernel.exchanges for frame in e.sent)
        asked = MEMORY + COPIES * sent
        if watch.grown > asked:
            case.problems.append(f"{watch.grown >> 20} MB held for {sent >> 20} MB sent")
        case.problems += watch.warned


class Hangs(BaseException):
    """The case took too long."""


class Watch:
    """Measures processor time and memory, and interrupts what hangs."""

    def __enter__(self) -> Watch:
        self.warned: list[str] = []
        self.grown = 0
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
        self.base = self._status("VmRSS")
        self.start = time.process_time()
        signal.signal(signal.SIGALRM, self._interrupt)
        signal.alarm(HANG_SECONDS)
        self.catch = warnings.catch_warnings(record=True)
        self.caught = self.catch.__enter__()
        warnings.simplefilter("always")
        return self

    def __exit__(self, *exc_info) -> None:
        signal.alarm(0)
        self.catch.__exit__(*exc_info)
        self.warned = [
            f"a warning: {w.message}" for w in self.caught if "autograder" in str(w.filename)
        ]
        self.grown = self._status("VmHWM") - self.base

    def lap(self, name: str, case: Case, allowed: float) -> None:
        took = time.process_time() - self.start
        if took > allowed:
            case.problems.append(f"{name} took {took:.1f} s of processor time")
        self.start = time.process_time()

    def _interrupt(self, *args) -> None:
        raise Hangs(f"still running after {HANG_SECONDS} s")

    def _status(self, name: str) -> int:
        text = Path("/proc/self/status").read_text()
        return int(text.partition(name + ":")[2].split()[0]) << 10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="the number of one case")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (STOP_AT, STOP_AT))
    numbers = [options.only] if options.only is not None else list(range(options.count))
    start = time.monotonic()

    def report(case: Case) -> None:
        done = len(fuzzer.cases)
        if case.problems or options.only is not None:
            print(f"\n{case.number}  {case.what}")
            print(f"    passed: {case.passed}, {case.message[:300]!r}, {case.diagnosis}")
            for problem in case.problems:
                print("    " + problem.strip().replace("\n", "\n    "))
            print(f"    again: {sys.argv[0]} --seed {options.seed} --only {case.number}")
        if done % 10 == 0 and sys.stderr.isatty():
            print(f"\r{done}/{len(numbers)} results", end="", file=sys.stderr, flush=True)

    fuzzer = Fuzzer(options.seed, numbers, report)
    fuzzer.run()
    bad = sum(bool(case.problems) for case in fuzzer.cases)
    passed = sum(case.passed for case in fuzzer.cases)
    named = sum(case.diagnosis is not None for case in fuzzer.cases)
    print(
        f"\n{len(fuzzer.cases)} changed results in {time.monotonic() - start:.0f} s: "
        f"{passed} passed, {named} were named as a misconception, {bad} findings"
    )
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
