"""What alerting counts, as plain numbers: nothing is formatted before somebody asks."""

from __future__ import annotations

from collections import Counter

from ..histogram import Histogram


class Counters:
    """All that is counted from the start of the process on.

    :ivar alerts: by rule and state.
    :ivar decision_seconds: from the append time of the record that decided to the commit of the alert.
    :ivar errors: by code of Kafka.
    """

    def __init__(self) -> None:
        self.records = 0
        self.heartbeats = 0
        self.alerts: Counter[tuple[str, str]] = Counter()
        self.errors: Counter[str] = Counter()
        self.decision_seconds = Histogram()
