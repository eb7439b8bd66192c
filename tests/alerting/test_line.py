"""From devices by MQTT to alerts, while each part is killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .kills import each_part_killed

if TYPE_CHECKING:
    from .conftest import Line

QUIET_S = 20


def test_nothing_is_missed_and_nothing_false_while_each_part_is_killed(line: Line) -> None:
    found = each_part_killed(line, QUIET_S)
    assert found.of_devices == dict.fromkeys(found.wanted, 1)
    print(f"\n{found.sent} messages, {len(found.of_devices)} alerts, as many as planted; append -> alert appended:")
    print(f"all of them        {words(found.told.latencies_ms())}")
    print(f"while nothing fell {words(found.told.latencies_ms(found.disturbed))}")


def words(sorted_ms: list[int]) -> str:
    """Return percentiles."""
    at = {name: sorted_ms[int(share * (len(sorted_ms) - 1))] for name, share in (("p50", 0.5), ("p99", 0.99))}
    return f"{len(sorted_ms)}: p50 {at['p50']} ms, p99 {at['p99']} ms, max {sorted_ms[-1]} ms"
