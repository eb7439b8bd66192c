"""Alerts for tests."""

from __future__ import annotations

from raspi_kafka.alert.alert import Alert, Place, State


def alert(state: State = State.FIRING, offset: int = 7, **more: object) -> Alert:
    """Return one whose device and summary need care wherever they go."""
    values = {
        "rule": "hot",
        "device": "küche 1",
        "severity": "warning",
        "place": Place("telemetry", 2, offset),
        "since_ms": 1_760_000_000_000,
        "decided_ms": 1_760_000_030_500,
        "summary": "küche 1 is at 81.5 °C",
        **more,
    }
    return Alert(state=state, **values)  # type: ignore[arg-type]
