"""Alerts and heartbeats, as records have them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from raspi_kafka.alert.alert import Alert, State
from raspi_kafka.alert.heartbeat import Beat, topic

from tests.unit.edge.alerts import alert


@pytest.mark.parametrize("state", State)
def test_an_alert_comes_back_as_it_was(state: State) -> None:
    assert Alert.from_json(alert(state).to_json()) == alert(state)


@pytest.mark.parametrize(
    "change",
    [
        {"state": "OVER"},
        {"rule": 1},
        {"device": None},
        {"place": {"topic": "telemetry", "partition": 2}},
        {"place": {"topic": "telemetry", "partition": 2, "offset": "7"}},
        {"since_ms": "now"},
        {"since_ms": 1.5},
        {"decided_ms": True},
        {"decided_ms": 10**18},
        {"since_ms": -1},
        {"more": 1},
    ],
)
def test_a_record_that_differs_in_one_thing_is_none(change: dict[str, Any]) -> None:
    value = json.dumps({**json.loads(alert().to_json()), **change}).encode()
    with pytest.raises(ValueError, match=r"no alert|not a valid State"):
        Alert.from_json(value)


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"1", b'"text"', b"[]", b"{}", b"null"])
def test_what_is_something_else_is_no_alert_and_no_heartbeat(value: bytes | None) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - that of the JSON parser is one too
        Alert.from_json(value)
    with pytest.raises(ValueError):  # noqa: PT011
        Beat.from_json(value)


def test_a_heartbeat_comes_back_as_it_was() -> None:
    beat = Beat("pi1", 3, 1_760_000_000_000)
    assert Beat.from_json(beat.to_json()) == beat
    assert json.loads(beat.to_json()) == {"host": "pi1", "seq": 3, "sent_ms": 1_760_000_000_000}


@pytest.mark.parametrize("said", [{"host": 1, "seq": 3, "sent_ms": 1}, {"host": "a", "seq": True, "sent_ms": 1}])
def test_a_heartbeat_with_a_wrong_kind_is_none(said: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no heartbeat"):
        Beat.from_json(json.dumps(said).encode())


def test_a_heartbeat_has_a_topic_of_its_user() -> None:
    assert topic("alerting") == "raspi-kafka-heartbeat/alerting/beat"
