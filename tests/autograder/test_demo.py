"""Misconceptions as students' cells: functions and classes."""

import numpy as np
import pytest

from autograder import demo, diagnose
from autograder.diagnose import misconception
from solutions import pooling as reference


@pytest.fixture(autouse=True)
def only_these(monkeypatch, assignment):
    monkeypatch.setattr(diagnose, "MISCONCEPTIONS", {})
    monkeypatch.setattr(demo, "MISCONCEPTIONS", diagnose.MISCONCEPTIONS)


def written(assignment, name):
    space = {}
    exec("import numpy as np", space)
    exec(demo.misconception_source(assignment, "conv_cost", name), space)
    return space["conv_cost"]


def test_a_function_stands_under_the_questions_name(assignment):
    @misconception("conv_cost")
    def adds(a, b):
        """Adds."""
        return a + b

    assert written(assignment, "adds")(2, 3) == 5


def test_so_does_a_class(assignment):
    @misconception("conv_cost")
    class Net:
        """A class where a function is asked for."""

        def __init__(self, size):
            self.size = size

        def twice(self):
            return 2 * self.size

    net = written(assignment, "Net")(4)
    assert net.twice() == 8 and type(net).__name__ == "conv_cost"


def test_a_class_that_uses_a_reference_brings_it_along(assignment):
    @misconception("conv_cost")
    class Pools:
        """Uses an earlier question."""

        def run(self, x):
            return reference.max_pool_forward_naive(
                x, {"pool_height": 2, "pool_width": 2, "stride": 2}
            )[0]

    made = written(assignment, "Pools")()
    assert made.run(np.arange(4.0).reshape(1, 1, 2, 2)).item() == 3
