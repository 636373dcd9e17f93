"""How long grading one notebook takes, and where the time goes.

    python benchmarks/bench_grading.py [--quick] [--json FILE]

Ratios and shares are of one run; the machine's own speed is not the point. The solved notebook of
2_conv_layers is graded again and again in one process, in the sandbox and without it, and a class
of copies by the parallel command.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from autograder import demo
from autograder.cohort import grade_class
from autograder.questions import find_assignment
from autograder.runner import grade_file


def measure(path: Path, runs: int, sandboxed: bool) -> dict[str, float]:
    """The median seconds of each part of grading one notebook."""
    reports = [grade_file(path, sandboxed=sandboxed).report for _ in range(runs)]
    parts = sorted({name for report in reports for name in report.timing})
    row = {p: statistics.median(r.timing.get(p, 0.0) for r in reports) for p in parts}
    row["pytest and the rest"] = row["total"] - sum(v for k, v in row.items() if k != "total")
    return row


def measure_class(size: int) -> dict[str, float]:
    """Seconds per submission when a class of different notebooks is graded in parallel."""
    assignment = find_assignment("2_conv_layers")
    right = demo.answers(assignment)
    notebooks = {
        f"student-{n:03}": demo.fill_in(
            assignment, {**right, "conv_cost": right["conv_cost"] + f"\n\n# {n}"}
        )
        for n in range(size)
    }
    with tempfile.TemporaryDirectory() as folder:
        course = demo.write_course(Path(folder), assignment, notebooks)
        start = time.perf_counter()
        grade_class(course, assignment)
        cold = time.perf_counter() - start
        start = time.perf_counter()
        grade_class(course, assignment)
        warm = time.perf_counter() - start
    return {"cold": cold / size, "remembered": warm / size}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few runs")
    parser.add_argument("--json", type=Path, help="write the rows here too")
    options = parser.parse_args()
    runs, size = (3, 8) if options.quick else (10, 40)
    path = find_assignment("2_conv_layers").solution
    grade_file(path)  # the first run pays for imports and caches

    rows = {"in the sandbox": measure(path, runs, True), "without": measure(path, runs, False)}
    table = Table(title=f"seconds to grade the solved 2_conv_layers (median of {runs})")
    table.add_column("part")
    for name in rows:
        table.add_column(name, justify="right")
    for part in rows["in the sandbox"]:
        table.add_row(part, *(f"{row.get(part, 0.0):.3f}" for row in rows.values()))
    Console().print(table)
    together = measure_class(size)
    print(
        f"a class of {size} on {os.cpu_count()} cores: {together['cold']:.2f} s per submission, "
        f"{together['remembered']:.2f} s where results are remembered"
    )
    if options.json:
        options.json.write_text(json.dumps({"notebook": rows, "class": together}, indent=2))


if __name__ == "__main__":
    main()
