"""A device whose clock is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..settings import REQUIRED, Duration, Key, section
from . import given
from .alert import Place, State
from .span import span
from .watch import NOTHING, Change, Watch, place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .event import Event
    from .rule import Rule

KEYS = {"off_by": Key(Duration, REQUIRED), "for": Key(Duration, Duration(60))}


@dataclass(frozen=True)
class Clock:
    """It fires when a device's time differs by more than `off_by_ms` from that of Kafka for `for_ms`."""

    off_by_ms: int
    for_ms: int

    @property
    def about(self) -> str:
        return "clock"

    @property
    def limit(self) -> str:
        return span(self.off_by_ms)

    def words(self) -> str:
        lasting = f" for {span(self.for_ms)}" if self.for_ms else ""
        return f"clock off by more than {self.limit}{lasting}"

    def tell(self, state: State, value: str) -> str:
        return f"its clock is {value}" if state is State.FIRING else f"its clock is right again: {value}"

    def watch(self, rule: Rule) -> Watch:
        return ClockWatch(rule)


def parse(said: Any, where: str) -> Clock:
    """Return a clock rule of the rules file.

    :raises ConfigError: it can't be followed.
    """
    values = section(said, KEYS, where)
    return Clock(given.lasting(values["off_by"], f"{where}.off_by"), given.milliseconds(values["for"]))


class ClockWatch(Watch):
    """Watches one device, by the time at which Kafka appends its records.

    :ivar run: since when the clock has been wrong, and the record that showed it first, while it is not yet firing.
    """

    __slots__ = ("run",)
    reads = True

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.run: tuple[int, Place] | None = None

    def take(self, event: Event) -> Sequence[Change]:
        if event.said_ms is None:
            return NOTHING
        off_ms = event.said_ms - event.record.append_ms
        wrong = abs(off_ms) > self.kind.off_by_ms
        if self.episode:
            return NOTHING if wrong else self._resolve(off_in_words(off_ms))
        if not wrong:
            self.run = None
            return NOTHING
        return self._wrong(event, off_ms)

    def _wrong(self, event: Event, off_ms: int) -> Sequence[Change]:
        if self.run is None:
            self.run = event.record.append_ms, place_of(event)
        if event.record.append_ms - self.run[0] < self.kind.for_ms:
            return NOTHING
        run, self.run = self.run, None
        return self._begin(*run, off_in_words(off_ms))

    def dump(self) -> dict[str, Any]:
        return {**super().dump(), "run": self.run} if self.run else super().dump()

    def load(self, stored: dict[str, Any]) -> None:
        super().load(stored)
        if "run" in stored:
            since_ms, place = stored["run"]
            self.run = since_ms, Place(*place)


def off_in_words(off_ms: int) -> str:
    """Say by how much a clock is off."""
    return f"{span(off_ms)} {'ahead' if off_ms > 0 else 'behind'}"
