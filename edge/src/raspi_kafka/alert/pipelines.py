"""The pipelines of all gateways of a cluster: each has an MQTT server and a bridge of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .pipeline import Pipeline
from .sight import Seen, Sight, together

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .alert import Alert, Place
    from .heartbeat import Beat


class Pipelines:
    """One of each gateway, all of which send beats."""

    def __init__(self, gateways: Iterable[str], limit_s: float) -> None:
        self._limit_s = limit_s
        self._of = {name: Pipeline(name, number, limit_s) for number, name in enumerate(gateways)}

    def stalled(self) -> dict[str, bool]:
        """Return whether an alert is open, by gateway."""
        return {name: pipeline.stalled for name, pipeline in self._of.items()}

    def take(self, beat: Beat, place: Place, append_ms: int, now_s: float) -> list[Alert]:
        """Take a beat that has come back; of others than the gateways they mean nothing.

        :param now_s: by the same clock as in suspects().
        """
        pipeline = self._of.get(beat.host)
        return pipeline.take(beat, place, append_ms, now_s) if pipeline else []

    def suspects(self, now_s: float, started_s: float) -> list[Pipeline]:
        """Return those of which a beat should be back by now.

        :param started_s: from when on it is looked.
        """
        return [pipeline for pipeline in self._of.values() if pipeline.suspect(now_s, started_s)]

    def sight(self) -> Sight:
        """Return what the beats show that have come back, once all that came before them is taken."""
        return together({name: Seen(each.since_ms, each.until_ms, each.sent_before) for name, each in self._of.items()})

    def dump(self) -> bytes:
        """Return what load() takes."""
        stored = {name: pipeline.dump() for name, pipeline in self._of.items()}
        return json.dumps(stored, separators=(",", ":")).encode()

    def load(self, value: bytes) -> list[Alert]:
        """Go on from what dump() gave; return the ends of what fires of gateways that are none any more."""
        ends: list[Alert] = []
        for name, stored in json.loads(value).items():
            pipeline = self._of.get(name) or Pipeline(name, 0, self._limit_s)
            pipeline.load(stored)
            if name not in self._of:
                ends += pipeline.leave()
        return ends
