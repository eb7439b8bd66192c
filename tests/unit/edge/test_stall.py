"""Records that hang are found; an outage of Kafka is not taken for that."""

from __future__ import annotations

import pytest
from raspi_kafka.bridge.stall import Health, Stall

AWAY, LED, IN_SYNC = Health.AWAY, Health.LED, Health.IN_SYNC


def told(*looks: tuple[float, object, Health]) -> list[float]:
    """Take (time, mark, health), one after another; return when records were said to hang."""
    stall = Stall()
    return [now for now, mark, health in looks if stall.stands(mark) and stall.hangs(now, health)]


def every_15_s(until: float, mark: float | None, health: Health) -> list[tuple[float, float | None, Health]]:
    return [(float(now), mark, health) for now in range(0, int(until), 15)]


@pytest.mark.parametrize(("health", "after"), [(IN_SYNC, 75), (LED, 615)])
def test_nothing_lands_although_kafka_is_well(health: Health, after: float) -> None:
    assert told(*every_15_s(after + 1, 5.0, health)) == [after]


def test_it_has_its_time_anew_after_that() -> None:
    assert told(*every_15_s(200, 5.0, IN_SYNC)) == [75, 150]


def test_it_has_its_time_anew_once_all_is_in_sync() -> None:
    """While there were too few replicas it could not land."""
    again = [(75.0 + more, 5.0, IN_SYNC) for more in (0, 15, 30, 45, 60)]
    assert told(*every_15_s(75, 5.0, LED), *again) == [135]


def test_something_lands_now_and_then() -> None:
    assert told(*((now, now // 60, IN_SYNC) for now, _mark, _health in every_15_s(900, None, IN_SYNC))) == []


def test_an_outage_does_not_count_however_long() -> None:
    outage = [*every_15_s(60, 5.0, IN_SYNC), *((now, 5.0, AWAY) for now in range(60, 9000, 15))]
    after = [(9000.0 + more, 5.0, IN_SYNC) for more in (0, 15, 30, 45, 60)]
    assert told(*outage, *after) == [9060]


def test_with_nothing_to_send_nothing_has_to_land() -> None:
    assert told(*every_15_s(60, 5.0, IN_SYNC), (60, None, IN_SYNC), (75, 5.0, IN_SYNC), (90, 5.0, IN_SYNC)) == []
    assert told(*every_15_s(900, None, IN_SYNC)) == []
