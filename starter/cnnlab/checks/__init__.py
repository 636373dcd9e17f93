"""The visible checks: ``check(f)`` runs the steps of the question that f answers.

steps.py       what a step is, CheckFailed, and the list of all steps
expect.py      comparisons that explain themselves
table.py       how a check looks, in a notebook and in a terminal
run.py         check(f)
arithmetic.py, convolution.py, pooling.py    the steps themselves
"""

from cnnlab.checks import arithmetic, convolution, pooling  # noqa: F401  (they register steps)
from cnnlab.checks.run import check
from cnnlab.checks.steps import CheckFailed

__all__ = ["CheckFailed", "check"]
