"""Writes alerts to Kafka as alerting does: in transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import Producer
from raspi_kafka.alert.alert import Alert, Place, State
from raspi_kafka.alert.topics import ALERTS

if TYPE_CHECKING:
    from tests.bridge.kafka import Kafka


class Writer:
    """A transactional producer."""

    def __init__(self, kafka: Kafka) -> None:
        self._producer = Producer({"bootstrap.servers": kafka.server, "transactional.id": "a-writer"})
        self._producer.init_transactions()

    def write(self, *content: Alert | bytes) -> None:
        """Write alerts, or other values, and commit."""
        self._begin(*content)
        self._producer.commit_transaction()

    def abort(self, *content: Alert) -> None:
        """Write alerts, all of them, and abort."""
        self._begin(*content)
        self._producer.flush()
        self._producer.abort_transaction()

    def partitions(self) -> int:
        """Return how many it knows of."""
        return len(self._producer.list_topics(ALERTS).topics[ALERTS].partitions)

    def _begin(self, *content: Alert | bytes) -> None:
        self._producer.begin_transaction()
        for each in content:
            if isinstance(each, Alert):
                self._producer.produce(ALERTS, each.to_json(), each.device)
            else:
                self._producer.produce(ALERTS, each)


def alert(number: int, state: State = State.FIRING, device: str = "device-1") -> Alert:
    """Return an alert of an episode with a number."""
    since_ms = 1_760_000_000_000 + number * 1000
    place = Place("telemetry", 0, number)
    return Alert(state, "hot", device, "warning", place, since_ms, since_ms + 500, f"{device} is hot")


def episode(number: int, device: str = "device-1") -> list[Alert]:
    """Return both of its alerts."""
    return [alert(number, State.FIRING, device), alert(number, State.RESOLVED, device)]


def what(alerts: list[Alert]) -> list[tuple[str, str]]:
    """Return what a Receiver tells of them."""
    return [(each.id, each.state.value) for each in alerts]
