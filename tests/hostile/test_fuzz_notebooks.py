"""A short run of the fuzzer of notebooks; ``make fuzz`` is the long one."""

import pytest

from .fuzz_notebooks import MIXES, make_case, run


def test_a_case_is_made_again_from_its_numbers():
    assert make_case(3, 7) == make_case(3, 7)
    assert make_case(3, 7).data != make_case(4, 7).data


@pytest.mark.slow
def test_notebooks_changed_at_random_are_restored():
    assert run(seed=11, numbers=list(range(60)), workers=1, load_only=True) == {}


@pytest.mark.slow
def test_notebooks_changed_at_random_get_what_they_deserve():
    numbers = [n for n in range(60) if n % MIXES < 4]  # a third: four baselines instead of twelve
    assert run(seed=12, numbers=numbers, workers=2) == {}
