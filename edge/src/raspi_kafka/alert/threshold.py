"""A value that is beyond a limit for some time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..settings import REQUIRED, ConfigError, Duration, Key, section
from . import given
from .alert import Place, State
from .event import number
from .span import span
from .watch import NOTHING, Change, Watch, place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .event import Event
    from .rule import Rule

KEYS = {
    "field": Key(str, REQUIRED),
    "above": Key(float, None),
    "below": Key(float, None),
    "clear": Key(float, None),
    "for": Key(Duration, Duration(0)),
}


@dataclass(frozen=True)
class Threshold:
    """It fires when a field is beyond `edge` for `for_ms`, and resolves when it is not beyond `clear`."""

    field: str
    path: tuple[str, ...]
    above: bool
    edge: float
    clear: float
    for_ms: int

    @property
    def side(self) -> str:
        return "above" if self.above else "below"

    @property
    def about(self) -> str:
        return f"threshold {self.field} {self.side}"

    @property
    def limit(self) -> str:
        return given.figure(self.edge)

    def words(self) -> str:
        until = f"until {given.figure(self.clear)} or {'less' if self.above else 'more'}"
        lasting = f" for {span(self.for_ms)}" if self.for_ms else ""
        return f"{self.field} {self.side} {self.limit}{lasting}, {until}"

    def tell(self, state: State, value: str) -> str:
        if state is State.FIRING:
            return f"{self.field} is {value}, {self.side} {self.limit}"
        return f"{self.field} is {value}, no longer {self.side} {given.figure(self.clear)}"

    def watch(self, rule: Rule) -> Watch:
        return ThresholdWatch(rule)

    def beyond(self, value: float, limit: float) -> bool:
        """Tell on which side of a limit a value is."""
        return value > limit if self.above else value < limit


def parse(said: Any, where: str) -> Threshold:
    """Return a threshold of the rules file.

    :raises ConfigError: it can't be followed.
    """
    values = section(said, KEYS, where)
    above, below = (given.finite(values[side], f"{where}.{side}") for side in ("above", "below"))
    if (above is None) is (below is None):
        place = where if above is None else f"{where}.below"
        raise ConfigError(place, "a threshold has one limit; give it either `above` or `below`")
    edge = below if above is None else above
    clear = given.finite(values["clear"], f"{where}.clear")
    if clear is not None and (clear < edge if above is None else clear > edge):
        raise ConfigError(
            f"{where}.clear",
            f"{clear} is beyond the limit {edge}, so what is firing would resolve at once; "
            f"give it {edge} or {'more' if above is None else 'less'}",
        )
    path = given.path(values["field"], f"{where}.field")
    for_ms = given.milliseconds(values["for"])
    return Threshold(values["field"], path, above is not None, edge, edge if clear is None else clear, for_ms)


class ThresholdWatch(Watch):
    """Watches one device.

    :ivar newest_ms: the time of the newest event that had a value.
    :ivar since_ms: since when the value has been beyond the limit, while it is not yet firing; else None.
    :ivar first: the record with which that began.
    :ivar last: the newest of such records.
    """

    __slots__ = ("first", "last", "newest_ms", "since_ms")
    by_device_time = reads = True

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.newest_ms = 0
        self.since_ms: int | None = None
        self.first: Place | None = None
        self.last: Place | None = None

    def take(self, event: Event) -> Sequence[Change]:
        kind, at_ms = self.kind, event.at_ms
        value = number(event.payload, kind.path)
        if value is None:
            return NOTHING
        if at_ms < self.newest_ms:
            self._past(value, at_ms)
            return NOTHING
        self.newest_ms = at_ms
        if self.episode:
            return NOTHING if kind.beyond(value, kind.clear) else self._resolve(given.figure(value))
        if not kind.beyond(value, kind.edge):
            self.since_ms = None
            return NOTHING
        return self._beyond(event, value)

    def _beyond(self, event: Event, value: float) -> Sequence[Change]:
        self.last = place_of(event)
        if self.since_ms is None:
            self.since_ms, self.first = event.at_ms, self.last
        if event.at_ms - self.since_ms < self.kind.for_ms:
            return NOTHING
        since_ms, self.since_ms = self.since_ms, None
        return self._begin(since_ms, self.first, given.figure(value))

    def _past(self, value: float, at_ms: int) -> None:
        """Take an event that is older than the newest: it can only show that the value was not beyond all the time."""
        if self.since_ms is not None and at_ms >= self.since_ms and not self.kind.beyond(value, self.kind.edge):
            self.since_ms, self.first = self.newest_ms, self.last

    def dump(self) -> dict[str, Any]:
        stored = {**super().dump(), "newest": self.newest_ms}
        if self.since_ms is not None:
            stored["run"] = [self.since_ms, self.first, self.last]
        return stored

    def load(self, stored: dict[str, Any]) -> None:
        super().load(stored)
        self.newest_ms = stored["newest"]
        if "run" in stored:
            self.since_ms, first, last = stored["run"]
            self.first, self.last = Place(*first), Place(*last)
