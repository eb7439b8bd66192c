"""A value that moves by much within some time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..settings import REQUIRED, ConfigError, Duration, Key, section
from . import given
from .alert import State
from .event import number
from .span import span
from .watch import NOTHING, Change, Watch, place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .event import Event
    from .rule import Rule

# Which way counts: up, down. A value that falls rises if it is negated.
WAYS = {"rises": (1,), "falls": (-1,), "changes": (1, -1)}
DONE = {"rises": "risen", "falls": "fallen", "changes": "changed"}
KEYS = {
    "field": Key(str, REQUIRED),
    **{way: Key(float, None) for way in WAYS},
    "within": Key(Duration, REQUIRED),
    "clear": Key(float, None),
}
SLOTS = 16


@dataclass(frozen=True)
class Rate:
    """It fires when a field moves by more than `edge` within `within_ms`, and resolves when by `clear` or less."""

    field: str
    path: tuple[str, ...]
    way: str
    edge: float
    within_ms: int
    clear: float

    @property
    def signs(self) -> tuple[int, ...]:
        return WAYS[self.way]

    @property
    def about(self) -> str:
        return f"rate {self.field} {self.way}"

    @property
    def limit(self) -> str:
        return given.figure(self.edge)

    def words(self) -> str:
        until = f"until by {given.figure(self.clear)} or less"
        return f"{self.field} {self.way} by more than {self.limit} within {span(self.within_ms)}, {until}"

    def tell(self, state: State, value: str) -> str:
        only = "" if state is State.FIRING else "only "
        return f"{self.field} has {DONE[self.way]} by {only}{value} within {span(self.within_ms)}"

    def watch(self, rule: Rule) -> Watch:
        return RateWatch(rule)


def parse(said: Any, where: str) -> Rate:
    """Return a rate of the rules file.

    :raises ConfigError: it can't be followed.
    """
    values = section(said, KEYS, where)
    ways = [way for way in WAYS if values[way] is not None]
    if len(ways) != 1:
        place = f"{where}.{ways[1]}" if ways else where
        raise ConfigError(place, "a rate goes one way; give it one of `rises`, `falls` and `changes`")
    edge = given.positive(values[ways[0]], f"{where}.{ways[0]}")
    clear = edge / 2 if values["clear"] is None else values["clear"]
    if not 0 <= clear <= edge:
        raise ConfigError(f"{where}.clear", f"{clear} is out of range; give it from 0 to the limit {edge}")
    path = given.path(values["field"], f"{where}.field")
    within_ms = given.lasting(values["within"], f"{where}.within")
    return Rate(values["field"], path, ways[0], edge, within_ms, clear)


class RateWatch(Watch):
    """Watches one device.

    What it keeps is bounded: of each sixteenth of the span the lowest value, and none after which a lower one came. So
    it may find a little less than what has moved, and never more. An event that is older than the newest is left out.

    :ivar newest_ms: the time of the newest event that had a value.
    :ivar lows: for each way time and value, each later and higher than the one before; the first is the lowest.
    """

    __slots__ = ("lows", "newest_ms")
    by_device_time = reads = True

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.newest_ms = 0
        self.lows: list[deque[tuple[int, float]]] = [deque() for _sign in self.kind.signs]

    def take(self, event: Event) -> Sequence[Change]:
        kind, at_ms = self.kind, event.at_ms
        value = number(event.payload, kind.path)
        if value is None or at_ms < self.newest_ms:
            return NOTHING
        self.newest_ms = at_ms
        moved = 0
        for sign, lows in zip(kind.signs, self.lows):  # noqa: B905 - strict takes its time, and they are of one length
            moved = max(moved, rise(lows, at_ms, sign * value, kind.within_ms))
        if self.episode:
            return NOTHING if moved > kind.clear else self._resolve(given.figure(moved))
        return self._begin(at_ms, place_of(event), given.figure(moved)) if moved > kind.edge else NOTHING

    def dump(self) -> dict[str, Any]:
        return {**super().dump(), "newest": self.newest_ms, "lows": [list(lows) for lows in self.lows]}

    def load(self, stored: dict[str, Any]) -> None:
        super().load(stored)
        self.newest_ms = stored["newest"]
        self.lows = [deque((at_ms, value) for at_ms, value in lows) for lows in stored["lows"]]


def rise(lows: deque[tuple[int, float]], at_ms: int, value: float, within_ms: int) -> float:
    """Take a value, and return by how much it is above the lowest one of the span that ends now."""
    while lows and lows[0][0] < at_ms - within_ms:
        lows.popleft()
    while lows and lows[-1][1] >= value:
        lows.pop()
    if not lows or at_ms * SLOTS // within_ms != lows[-1][0] * SLOTS // within_ms:
        lows.append((at_ms, value))
    return value - lows[0][1]
