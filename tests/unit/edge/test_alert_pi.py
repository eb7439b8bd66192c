"""The rules that ship judge what a Pi says of itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hosts.cache import REPOSITORY
from tests.unit.edge.alerting import Bench

RULES = REPOSITORY / "roles" / "alerting" / "files" / "rules.yml"
HEALTHY = {
    "device": "pi",
    "kind": "pi",
    "temperature": 55.1,
    "cpu": 7.5,
    "memory": 41.0,
    "disk": 38.2,
    "written": 12_000_000,
    "throttled": 0,
    "under_voltage": False,
    "clock": True,
    "uptime": 600,
}
HOUR = 3600


def alerts(span_s: int, every_s: int, **symptoms: Any) -> list[str]:
    """Return the names of the rules that fire while a Pi has symptoms."""
    bench = Bench(RULES.read_text())
    bench.send(0, HEALTHY)
    found = []
    for at in range(every_s, span_s + 1, every_s):
        said = {**HEALTHY, **{name: one(at) if callable(one) else one for name, one in symptoms.items()}}
        found += bench.engine.take(bench.record(at, said))
    return [f"{each.state.value} {each.rule}: {each.summary}" for each in found]


def test_a_healthy_pi_raises_nothing() -> None:
    assert alerts(2 * HOUR, 10, written=lambda at: 12_000_000 + at * 200_000) == []


def test_a_pi_without_sensors_raises_nothing() -> None:
    names = ("temperature", "throttled", "under_voltage", "written", "clock")
    assert alerts(HOUR, 10, **dict.fromkeys(names)) == []


@pytest.mark.parametrize(
    ("symptom", "told"),
    [
        ({"temperature": 82.0}, "hot: pi is at 82 °C"),
        (
            {"throttled": 4},
            "throttled: pi runs slower than it could, since it is too hot or has too little power (get_throttled 4)",
        ),
        (
            {"under_voltage": True, "throttled": 1},
            "under-voltage: the power supply of pi or its cable is too weak: below 4.63 V",
        ),
        ({"disk": 93.4}, "disk-nearly-full: the disk of pi is 93.4 % full"),
        (
            {"written": lambda at: 12_000_000 + at * 1_000_000},
            "card-wear: pi wrote 2010000000 bytes to its card within an hour",
        ),
        (
            {"clock": False},
            "clock-not-synchronised: the clock of pi follows no other one: look whether it reaches a time server",
        ),
    ],
    ids=["hot", "throttled", "under-voltage", "disk", "card", "clock"],
)
def test_a_symptom_raises_its_alert_alone(symptom: dict[str, Any], told: str) -> None:
    assert alerts(HOUR, 10, **symptom) == [f"FIRING {told}"]
