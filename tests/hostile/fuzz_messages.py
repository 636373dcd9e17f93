"""Fuzzer of a kernel's messages: the grader's client against a process that speaks them badly.

    python tests/hostile/fuzz_messages.py --count 300 --seed 0
    python tests/hostile/fuzz_messages.py --seed 0 --only 123

Real sockets, a real connection file, the real client of autograder.kernel; deadlines are short. A
finding is: an exception that is neither TimedOut nor KernelDied, an answer after its deadline,
outputs that are no valid notebook, too much memory, or an honest answer that comes out wrong after
all that.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpec

from autograder import kernel as kernel_module
from autograder import wire
from autograder.errors import KernelDied, TimedOut
from autograder.kernel import Kernel
from autograder.limits import Limits
from autograder.outputs import MAX_HTML, MAX_IMAGE, MAX_OUTPUTS

STAND_IN = Path(__file__).with_name("message_stand_in.py")
LIMITS = Limits(message=6_000_000, backlog=150_000_000, output=20_000)
SECONDS, GRACE = 0.5, 0.4  # a call; each of the client's graces
SLACK, LATE = 1.5, 6.0  # seconds of processor time, and on the clock of a busy machine
SLOW = "it took"
MEMORY = LIMITS.backlog + 250_000_000  # the backlog; one message parsed; what came meanwhile


@contextlib.contextmanager
def bad_kernels() -> Iterator[None]:
    """Kernel() starts the stand-in, and is less patient than with students."""
    held = {n: getattr(kernel_module, n) for n in ("kernel_spec", "INTERRUPT_GRACE", "IDLE_GRACE")}
    kernel_module.kernel_spec = lambda *args: KernelSpec(
        argv=[sys.executable, str(STAND_IN), "{connection_file}"],
        interrupt_mode="message",
        metadata={"kernel_provisioner": {"provisioner_name": "cnnlab-sandbox"}},
    )
    kernel_module.INTERRUPT_GRACE = kernel_module.IDLE_GRACE = GRACE
    try:
        yield
    finally:
        for name, value in held.items():
            setattr(kernel_module, name, value)


@dataclass
class Case:
    number: int
    what: str = ""
    problems: list[str] = field(default_factory=list)


def run_case(kernel: Kernel, seed: int, number: int) -> Case:
    """A case that was only slow is tried again: the machine may have been busy with others."""
    for _ in range(3):
        case = try_case(kernel, seed, number)
        if not case.problems or any(not p.startswith(SLOW) for p in case.problems):
            break
    return case


def try_case(kernel: Kernel, seed: int, number: int) -> Case:
    """One misbehaviour in a cell (even numbers) or in a request, then an honest exchange."""
    case = Case(number)
    if not kernel.alive:
        kernel.restart()
    Path("/proc/self/clear_refs").write_text("5")
    before, start, worked = memory("VmRSS"), time.monotonic(), time.process_time()
    text = json.dumps({"seed": seed, "number": number})
    try:
        case.what = in_a_cell(kernel, text, case) if number % 2 == 0 else in_a_request(kernel, text)
    except Exception as error:
        case.problems.append("".join(traceback.format_exception(error)[-5:]))
    took, grown = time.monotonic() - start, memory("VmHWM") - before
    worked = time.process_time() - worked
    if worked > SECONDS + 2 * GRACE + SLACK or took > SECONDS + 2 * GRACE + LATE:
        case.problems.append(f"{SLOW} {took:.1f} s, where {SECONDS} s were allowed")
    if grown > MEMORY:
        case.problems.append(f"{grown >> 20} MB held")
    if kernel.alive:
        check_honest_answers(kernel, case)
    return case


def in_a_cell(kernel: Kernel, text: str, case: Case) -> str:
    run = kernel.run_cell(text, SECONDS)
    cell = nbformat.v4.new_code_cell(text, outputs=run.outputs)
    nbformat.validate(nbformat.v4.new_notebook(cells=[cell]))
    size = len(json.dumps(run.outputs, ensure_ascii=False).encode())
    # HTML may grow when it is cleaned (& becomes &amp;); an error's text has a cap of its own
    most = 6 * LIMITS.output + MAX_IMAGE + MAX_OUTPUTS * 5000 + MAX_HTML
    if size > most:
        case.problems.append(f"{size} bytes of outputs")
    if len(run.ename) > 1000 or run.status not in ("ok", "error", "timeout", "died"):
        case.problems.append(f"status {run.status}, ename of {len(run.ename)} characters")
    return f"cell: {run.status}, {len(run.outputs)} outputs"


def in_a_request(kernel: Kernel, text: str) -> str:
    try:
        frames = kernel.request([text.encode()], SECONDS, "f")
        return f"request: {wire.loads(frames, lambda reference: reference)!r:.60}"
    except (TimedOut, KernelDied, wire.WireError) as error:
        return f"request: {error!r:.60}"


def check_honest_answers(kernel: Kernel, case: Case) -> None:
    """Late and repeated messages must not be taken for the answers of what is asked next."""
    for text in ("first", "second", "third", "fourth"):  # answers to three may have been forged
        request = json.dumps({"say": text})
        try:
            run = kernel.run_cell(request, 8)
            frames = kernel.request([request.encode()], 8, "f")
        except (TimedOut, KernelDied):  # it still floods, or sent too much before
            return
    if not kernel.alive:
        return
    said = wire.loads(frames, lambda reference: reference)
    outputs = [output.get("text") for output in run.outputs]
    # ØMQ drops what a kernel sends too fast: its own output may be lost, but not another's shown
    if said != {"value": "fourth"} or outputs not in (["fourth"], []):
        case.problems.append(f"afterwards: {said}, {outputs}, {run.status}")


def memory(name: str) -> int:
    text = Path("/proc/self/status").read_text()
    return int(text.partition(name + ":")[2].split()[0]) << 10


def run_cases(seed: int, numbers: list[int], report=lambda case: None) -> list[Case]:
    cases = []
    with bad_kernels(), Kernel(LIMITS, sandboxed=False) as kernel:
        for number in numbers:
            cases.append(run_case(kernel, seed, number))
            report(cases[-1])
    return cases


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="the number of one case")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    numbers = [options.only] if options.only is not None else list(range(options.count))
    start = time.monotonic()

    def report(case: Case) -> None:
        if case.problems or options.only is not None:
            print(f"\n{case.number}  {case.what}")
            for problem in case.problems:
                print("    " + problem.strip().replace("\n", "\n    "))
            print(
                f"    again: {sys.argv[0]} --seed {options.seed} --only {case.number}", flush=True
            )
        if sys.stderr.isatty():
            print(f"\r{case.number + 1}/{len(numbers)}", end="", file=sys.stderr, flush=True)

    cases = run_cases(options.seed, numbers, report)
    bad = sum(bool(case.problems) for case in cases)
    print(f"\n{len(cases)} conversations in {time.monotonic() - start:.0f} s: {bad} findings")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
