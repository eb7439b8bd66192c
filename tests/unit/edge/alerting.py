"""Devices and engines of alerting, for its tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml
from raspi_kafka.alert import rules
from raspi_kafka.alert.engine import Engine
from raspi_kafka.alert.record import Record
from raspi_kafka.alert.sight import Seen, Sight

if TYPE_CHECKING:
    from raspi_kafka.alert.alert import Alert

# 2026-01-01T00:00:00Z
START_MS = 1_767_225_600_000


def rules_of(text: str) -> rules.Rules:
    """Return rules of YAML: all of the file, or the rules alone."""
    said = yaml.safe_load(text)
    return rules.parse({"rules": said} if isinstance(said, list) else said)


def engine_of(text: str) -> Engine:
    """Return an engine that knows nothing yet."""
    return Engine(rules_of(text))


def told(alerts: list[Alert]) -> list[str]:
    """Return the state, device and offset of alerts: `FIRING pi 3`."""
    return [f"{each.state.value} {each.device} {each.place.offset}" for each in alerts]


class Bench:
    """An engine, and devices that send to it; seconds count from START_MS."""

    def __init__(self, text: str) -> None:
        self.engine = engine_of(text)
        self.text = text
        self.state: dict[str, bytes] = {}
        self.offsets: dict[tuple[str, int], int] = {}

    def record(self, at: float, payload: dict[str, Any] | bytes, device: str = "pi", **more: Any) -> Record:
        """Return the next record of a partition, appended at a time.

        :param more: the topic and the partition, telemetry and 0 unless they are given, and the gateway.
        """
        topic, partition = more.get("topic", "telemetry"), more.get("partition", 0)
        headers = [("mqtt.gateway", more["gateway"].encode())] if "gateway" in more else None
        offset = self.offsets.get((topic, partition), 0)
        self.offsets[topic, partition] = offset + 1
        value = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return Record(topic, partition, offset, START_MS + round(at * 1000), device, value, headers)

    def send(self, at: float, payload: dict[str, Any] | bytes, device: str = "pi", **place: Any) -> list[str]:
        """Let the engine take a record."""
        return told(self.engine.take(self.record(at, payload, device, **place)))

    def look(self, until: float, since: float = -10_000, topic: str = "telemetry", **more: Any) -> list[str]:
        """Let the engine know that nothing else was sent.

        :param more: the partition, 0 unless it is given, by how many seconds records came late, and until when it is
            known of some gateways, by name.
        """
        late_ms = round(1000 * more.get("late", 0))

        def seen(until: float) -> Seen:
            return Seen(START_MS + round(1000 * since), START_MS + round(1000 * until), lambda at_ms: at_ms - late_ms)

        sight = Sight(seen(until), {name: seen(at) for name, at in more.get("gateways", {}).items()})
        return told(self.engine.known(topic, more.get("partition", 0), sight))

    def restart(self, text: str | None = None) -> list[str]:
        """Go on with a new engine, and with other rules if they are given."""
        store(self.state, self.engine.take_changed())
        self.text = text or self.text
        self.engine = engine_of(self.text)
        for key, value in self.state.items():
            self.engine.load(key, value)
        return told(self.engine.loaded())


def store(state: dict[str, bytes], changed: dict[str, bytes | None]) -> None:
    """Do with changes what a compacted topic does."""
    for key, value in changed.items():
        if value is None:
            state.pop(key, None)
        else:
            state[key] = value
