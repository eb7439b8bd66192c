"""What is in the topic of alerts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from raspi_kafka import kafka_log
from raspi_kafka.alert.alert import Alert, State
from raspi_kafka.alert.topics import ALERTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bridge.kafka import Cluster


class Told:
    """All of it, read once.

    :ivar alerts: what a reader with read_committed sees, in the order of the log.
    :ivar raw: how many records there are, those of aborted transactions too.
    """

    def __init__(self, kafka: Cluster) -> None:
        records = list(kafka_log.committed((kafka.server,), ALERTS))
        self.alerts = [Alert.from_json(each.value()) for each in records]
        self._stamps = [each.timestamp()[1] for each in records]
        self.raw = len(kafka.records(ALERTS))

    @property
    def counts(self) -> Counter[tuple[str, State]]:
        """How often each id has each state."""
        return Counter((each.id, each.state) for each in self.alerts)

    def latencies_ms(self, but: Sequence[tuple[float, float]] = ()) -> list[int]:
        """From the append time of the record that decided to that of the alert.

        :param but: spans, seconds since 1970, of which alerts are left out.
        """
        return sorted(
            stamp - each.decided_ms
            for each, stamp in zip(self.alerts, self._stamps, strict=True)
            if not any(begin <= stamp / 1000 <= end for begin, end in but)
        )

    def of(self, rule: str) -> list[tuple[str, State]]:
        """Return device and state of the alerts of a rule."""
        return [(each.device, each.state) for each in self.alerts if each.rule == rule]
