"""The grader is killed in the middle of a run; the next run finishes it. Long: kill_nine.py."""

import pytest

from .kill_nine import main

pytestmark = pytest.mark.slow


def test_a_killed_run_is_finished_by_the_next():
    outcomes = main(moments=3, students=2, seed=1)
    assert [outcome.problems for outcome in outcomes] == [[], [], []]
