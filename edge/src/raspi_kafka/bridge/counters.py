"""What the bridge counts, as plain numbers: nothing is formatted before somebody asks."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

# Seconds; the last bucket holds what an outage or a hold has kept waiting.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


# Topics in which Mosquitto tells of itself, below SYS; other servers have none of them.
SYS = "$SYS/broker/"
DROPPED = "publish/messages/dropped"
STORED = "store/messages/count"


class Histogram:
    """How many values fell into which bucket; the sum of all."""

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value, in seconds."""
        self.buckets[bisect_left(BOUNDS, value)] += 1
        self.sum += value


class Counters:
    """All that is counted from the start of the process on.

    :ivar errors: by class and code of Kafka.
    :ivar dead_lettered: by error.
    :ivar mosquitto: what the MQTT server tells of itself, by its topic below $SYS/broker/.
    """

    def __init__(self) -> None:
        self.received = 0
        self.produced = 0
        self.acked = 0
        self.redelivered = 0
        self.duplicates_suppressed = 0
        self.reconnects = 0
        self.session_lost = 0
        self.pauses = 0
        self.errors: Counter[tuple[str, str]] = Counter()
        self.dead_lettered: Counter[str] = Counter()
        self.delivery_seconds = Histogram()
        self.mosquitto: dict[str, float] = {}
