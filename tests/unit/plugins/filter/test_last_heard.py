"""When a device was heard, in words."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.filter.last_heard import last_heard

NOON = 1795694400123

pytestmark = pytest.mark.usefixtures("far_from_greenwich")


def record(**headers: str) -> dict[str, Any]:
    return {"timestamp": NOON, "topic": "telemetry", "headers": headers}


def test_the_last_message_is_told_in_local_time_with_its_topic() -> None:
    records = {"kitchen": record(**{"mqtt.topic": "devices/kitchen/t"}), "bath": record()}
    assert last_heard(["kitchen", "bath"], {"records": records, "complete": True, "since": NOON}) == {
        "kitchen": "2026-11-26 17:45:00 on devices/kitchen/t",
        "bath": "2026-11-26 17:45:00 on telemetry",
    }


def test_never_is_only_said_where_all_records_were_read() -> None:
    assert last_heard(["bath"], {"records": {}, "complete": True, "since": None}) == {"bath": "never"}
    found = {"records": {}, "complete": False, "since": NOON}
    assert last_heard(["bath"], found) == {"bath": "not since 2026-11-26 17:45:00"}


def test_nothing_is_known_where_kafka_did_not_answer() -> None:
    assert last_heard(["bath"], {"failed": True, "msg": "no broker"}) == {"bath": "unknown"}
