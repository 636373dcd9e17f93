"""Writes the corpus as an nbgrader course, with what each submission deserves beside it.

    python -m tests.hostile build/hostile
    cd build/hostile && autograder grade 2_conv_layers

``deserves.json`` tells for each student the least and the most that each question may score, so
that any grader which understands an nbgrader course can be tried on it. Some of these submissions
take a machine down that has nothing to hold against them: grade them in a virtual machine first.
"""

from __future__ import annotations

import sys
from pathlib import Path

from .corpus import Surroundings, all_cases, write_course

if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
    sys.exit(__doc__)
written = write_course(Path(sys.argv[1]), all_cases(), Surroundings())
print(f"{len(written.cases)} cases, {len(written.deserves)} submissions in {written.root}")
