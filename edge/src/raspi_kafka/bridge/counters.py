"""What the bridge counts, as plain numbers: nothing is formatted before somebody asks."""

from __future__ import annotations

from collections import Counter

from ..histogram import Histogram

# Topics in which Mosquitto tells of itself, below SYS; other servers have none of them.
SYS = "$SYS/broker/"
DROPPED = "publish/messages/dropped"
STORED = "store/messages/count"


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
