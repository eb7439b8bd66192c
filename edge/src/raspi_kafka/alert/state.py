"""The state in Kafka: a key for each device, and alerting's own, which begin with `#` as no MQTT topic level does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .. import kafka_log
from .alert import Alert
from .topics import ALERTS, STATE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from confluent_kafka import Message

    from .ends import Partition

POSITIONS = "#positions"
PIPELINES = "#pipelines"


def stored(servers: tuple[str, ...]) -> dict[str, bytes]:
    """Return the state that was committed last, by key.

    :raises KafkaException: Kafka does not answer.
    """
    return newest(kafka_log.committed(servers, STATE))


def newest(records: Iterable[Message]) -> dict[str, bytes]:
    """Return the newest value of each key; what has none any more is left out."""
    values = {record.key().decode(): record.value() for record in records if record.key()}
    return {key: value for key, value in values.items() if value is not None}


def told(servers: tuple[str, ...]) -> set[tuple[str, str]]:
    """Return the id and state of each alert that Kafka has.

    :raises KafkaException: Kafka does not answer.
    """
    found = set()
    for record in kafka_log.committed(servers, ALERTS):
        try:
            alert = Alert.from_json(record.value() or b"")
        except ValueError:
            continue
        found.add((alert.id, alert.state.value))
    return found


def positions_to_json(positions: dict[Partition, int]) -> bytes:
    """Return the value of POSITIONS."""
    return json.dumps([[*each, offset] for each, offset in sorted(positions.items())], separators=(",", ":")).encode()


def positions_from_json(value: bytes) -> dict[Partition, int]:
    """Return what positions_to_json() was given."""
    return {(topic, partition): offset for topic, partition, offset in json.loads(value)}
