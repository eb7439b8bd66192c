"""How the largest number of devices that is held is found."""

from __future__ import annotations

import math

import pytest
from raspi_kafka.load_test.limit import CLOSE, next_count


@pytest.mark.parametrize(
    ("passed", "failed", "wanted"),
    [
        ([], [], 1),
        ([1], [], 2),
        ([5, 50, 100], [], 200),
        ([5, 50, 100], [200], 150),
        ([100, 150], [200], 175),
        ([100], [200, 140], 120),
        ([], [5], 2),
        ([350], [], 700),
        ([600], [], 1000),
    ],
)
def test_it_doubles_while_all_goes_well_and_then_goes_between(
    passed: list[int], failed: list[int], wanted: int
) -> None:
    assert next_count(passed, failed, 1000) == wanted


@pytest.mark.parametrize(
    ("passed", "failed"), [([100], [110]), ([1], [2]), ([], [1]), ([5], [6]), ([1000], []), ([1200], [])]
)
def test_it_ends_within_a_tenth_or_with_all_that_there_are(passed: list[int], failed: list[int]) -> None:
    assert next_count(passed, failed, 1000) is None


def test_a_number_that_failed_below_one_that_was_held_failed_by_chance() -> None:
    assert next_count([100], [50], 1000) == 200


@pytest.mark.parametrize("most", [1, 7, 350, 20_000])
@pytest.mark.parametrize("limit", [0, 1, 2, 9, 10, 333, 350, 20_000])
@pytest.mark.parametrize("stages", [(), (5, 50, 100)])
def test_each_limit_is_found_but_for_a_tenth_by_few_stages(most: int, limit: int, stages: tuple[int, ...]) -> None:
    passed = [count for count in stages if count <= limit]
    failed = [count for count in stages if count > limit]
    tried = 0
    while (count := next_count(passed, failed, most)) is not None:
        assert count not in passed + failed
        assert count <= most or count < min(failed)
        (passed if count <= limit else failed).append(count)
        tried += 1
    held = max(passed, default=0)
    assert held <= limit
    assert held >= most or min(failed) - held <= max(1, CLOSE * held)
    assert tried <= math.ceil(math.log2(most)) + 6
