"""Whether a gateway carries messages from MQTT into Kafka, seen by beats that it sends and that come back from Kafka.

A beat tells more than its own arrival: MQTT keeps the order, so all that devices had sent before it is in Kafka too.
"""

from __future__ import annotations

import bisect
import math
from collections import deque
from typing import TYPE_CHECKING, Any

from .alert import FLEET, Alert, Place, State
from .topics import HEARTBEAT

if TYPE_CHECKING:
    from .heartbeat import Beat

RULE = "pipeline-stalled"
# Beats that are further apart leave a time in which nobody knows what devices could send: three of them are missing,
# and some seconds more than a restart of alerting takes, which sends none meanwhile.
APART_MS = 10_000

# What the bridge has under way when a beat lands lands within much less, unless a partition has no leader. It may be
# what devices sent before the beat: of a queue that is worked off, up to 4,000 messages are under way at once, and one
# partition's batch may overtake another's.
SETTLE_S = 1.0
# Some half an hour of them.
BEATS = 1000


class Pipeline:
    """What the beats of one gateway have told.

    A beat that is more than the limit under way says that the pipeline had stalled, whenever it is read; one that does
    not come back says so while it lasts. Either finds the same episode.

    :param number: which of the gateways it is, from 0.
    :ivar since_ms: from here on beats have come without a gap, by the time at which they were sent.
    :ivar until_ms: when the newest beat that came back was sent; 0 before the first one.
    """

    def __init__(self, gateway: str, number: int, limit_s: float) -> None:
        self._gateway = gateway
        self._limit_ms = 1000 * limit_s
        # Before its first beat; no two of them have the same place, and so the same name of an episode.
        self._last = Place(HEARTBEAT, 0, -1 - number)
        self._taken_s = -math.inf
        self._last_ms = 0
        self._firing: Alert | None = None
        # In order by either time.
        self._beats: deque[tuple[int, int]] = deque(maxlen=BEATS)
        self.since_ms = 0
        self.until_ms = 0

    @property
    def stalled(self) -> bool:
        """Whether an alert is open."""
        return self._firing is not None

    def take(self, beat: Beat, place: Place, append_ms: int, now_s: float) -> list[Alert]:
        """Take a beat that has come back.

        :param now_s: by the same clock as in suspect().
        """
        if beat.sent_ms - self.until_ms > APART_MS:
            self.since_ms = beat.sent_ms
        self.until_ms = max(self.until_ms, beat.sent_ms)
        self._beats.append((append_ms, self.until_ms))
        if append_ms - beat.sent_ms > self._limit_ms:
            return self._begin(append_ms)
        self._last, self._last_ms, self._taken_s = place, beat.sent_ms, now_s
        return self._end(append_ms, f"what devices send to {self._gateway} comes into Kafka again, and has since")

    def sent_before(self, append_ms: int) -> int:
        """Return when the newest beat was sent that Kafka had for SETTLE_S at a time; 0 if that is too long ago."""
        at = bisect.bisect_right(self._beats, (append_ms - 1000 * SETTLE_S, math.inf))
        return self._beats[at - 1][1] if at else 0

    def suspect(self, now_s: float, started_s: float) -> bool:
        """Tell whether a beat should be back by now.

        :param now_s: seconds of a clock that nobody sets.
        :param started_s: from when on it is looked.
        """
        if self._firing:
            return False
        return 1000 * (now_s - max(self._taken_s, started_s)) > self._limit_ms

    def stall(self, now_ms: int) -> list[Alert]:
        """Say that the pipeline has stalled."""
        return self._begin(now_ms)

    def leave(self) -> list[Alert]:
        """End what fires of a host that is a gateway no more."""
        return self._end(self._firing.decided_ms, f"{self._gateway} is no gateway any more") if self._firing else []

    def dump(self) -> list[Any]:
        """Return what is to be stored, as JSON has it."""
        firing = self._firing.to_json().decode() if self._firing else None
        return [self._last, self._last_ms, firing, self.since_ms, self.until_ms]

    def load(self, stored: list[Any]) -> None:
        """Go on from what dump() gave."""
        last, self._last_ms, firing, self.since_ms, self.until_ms = stored
        self._last = Place(*last)
        self._firing = Alert.from_json(firing.encode()) if firing else None

    def _begin(self, decided_ms: int) -> list[Alert]:
        if self._firing:
            return []
        self._firing = Alert(
            *(State.FIRING, RULE, FLEET, "critical", self._last, self._last_ms or decided_ms, decided_ms),
            f"what devices send to {self._gateway} does not come into Kafka: no heartbeat has for "
            f"{self._limit_ms / 1000:.0f} s; look at mosquitto, kafka, and raspi-kafka-bridge and -alerting there",
        )
        return [self._firing]

    def _end(self, decided_ms: int, summary: str) -> list[Alert]:
        if not self._firing:
            return []
        ended = self._firing._replace(state=State.RESOLVED, decided_ms=decided_ms, summary=summary)
        self._firing = None
        return [ended]
