"""A short run of the fuzzers of what a kernel sends: see fuzz_results.py and fuzz_messages.py."""

from collections import Counter

import pytest
import wire_mutations
from fuzz_messages import run_cases
from fuzz_results import Fuzzer
from wire_dress import FAIR, ODD

pytestmark = pytest.mark.slow


def problems(cases):
    return [(case.number, case.what, problem) for case in cases for problem in case.problems]


def test_changed_results_do_no_harm_and_win_nothing():
    cases = Fuzzer(seed=10, numbers=range(150)).run()
    assert not problems(cases)
    # the run is worth something: there are tests of both kinds, and wrong answers with names
    passed = Counter(case.passed for case in cases)
    assert passed[True] > 30 and passed[False] > 30
    assert any(case.diagnosis for case in cases)


class Each(Fuzzer):
    """Every change and every dress, two times each, made to the last call of a test."""

    def _prepare(self, rng, question, kernel, replies):
        kind, name, change = EACH[len(self.cases) // 2]
        if kind == "dress":
            self._dress(kernel, question, change)
        else:
            last = max(n for n, e in enumerate(replies) if e.op == "call")

            def changed(number, exchange):
                if number == last:
                    exchange.sent = change(rng, exchange.answer)
                    kernel.ignores_calls |= change is wire_mutations.bomb_for_a_cache

            kernel.change = changed
        return name, name in FAIR or change in wire_mutations.HONEST


EACH = [("dress", name, change) for name, change in (FAIR | ODD).items()]
EACH += [
    ("change", change.__name__, change) for change in wire_mutations.HONEST + wire_mutations.HOSTILE
]


def test_each_kind_of_change_twice():
    assert not problems(Each(seed=10, numbers=range(2 * len(EACH))).run())


def test_kernels_that_speak_badly_are_stopped_in_time():
    assert not problems(run_cases(seed=10, numbers=list(range(12))))
