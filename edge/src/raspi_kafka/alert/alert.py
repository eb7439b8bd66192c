"""An alert: the beginning or the end of an episode."""

from __future__ import annotations

import json
from enum import Enum
from typing import NamedTuple, get_type_hints

# The device of an alert that is about no device of its own; names that begin so are not given to devices.
FLEET = "raspi-kafka-fleet"
# Before the name of a host, for what is about all that is sent through it.
GATEWAY = "raspi-kafka-gateway-"
YEAR_10000_MS = 253_402_300_800_000


class State(str, Enum):
    """What an alert says of its episode; nothing comes after RESOLVED."""

    FIRING = "FIRING"
    RESOLVED = "RESOLVED"


class Place(NamedTuple):
    """Where a record stands."""

    topic: str
    partition: int
    offset: int


class Alert(NamedTuple):
    """What goes to the topic of alerts, and from there to people and programs.

    Of each episode there is one with FIRING and one with RESOLVED, and all but `state`, `decided_ms` and `summary` is
    the same in both.

    :ivar place: of the record with which the episode began; of a silence, the last record before it.
    :ivar since_ms: when it began, milliseconds since 1970 by the time of the event.
    :ivar decided_ms: append time of the record that decided, milliseconds since 1970; without one, the time of the
        look at the pipeline.
    :ivar summary: one sentence for people.
    """

    state: State
    rule: str
    device: str
    severity: str
    place: Place
    since_ms: int
    decided_ms: int
    summary: str

    @property
    def id(self) -> str:
        """What names the episode: the same however often it is found."""
        return f"{self.rule}/{self.device}/{self.place.topic}-{self.place.partition}-{self.place.offset}"

    def to_json(self) -> bytes:
        """Return the value of its record."""
        values = self._asdict()
        values["place"] = self.place._asdict()
        return json.dumps({"id": self.id, **values}, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, value: bytes | None) -> Alert:
        """Return the alert of a record.

        :raises ValueError: it is none.
        """
        try:
            values = json.loads(value)
            values.pop("id")
            alert = cls(**{**values, "state": State(values["state"]), "place": Place(**values["place"])})
        except (AttributeError, KeyError, TypeError) as wrong:
            raise ValueError(f"no alert: {wrong!r}") from wrong
        for each in (alert, alert.place):
            if [type(value) for value in each] != list(get_type_hints(type(each)).values()):
                raise ValueError(f"no alert: a value is of the wrong kind in {each}")
        if not all(0 <= each < YEAR_10000_MS for each in (alert.since_ms, alert.decided_ms)):
            raise ValueError(f"no alert: no calendar has a time in {alert}")
        return alert
