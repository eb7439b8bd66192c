"""A device that is not heard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ..settings import REQUIRED, Duration, Key, section
from . import given
from .alert import Place, State
from .device import gateway_of
from .span import span
from .watch import NOTHING, Change, Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .device import Device
    from .event import Event
    from .rule import Rule
    from .sight import Seen, Sight

KEYS = {"after": Key(Duration, REQUIRED)}


@dataclass(frozen=True)
class Silence:
    """It fires when a device has not been heard for more than `after_ms`, and resolves with its next record."""

    after_ms: int

    @property
    def about(self) -> str:
        return "silence"

    @property
    def limit(self) -> str:
        return span(self.after_ms)

    def words(self) -> str:
        return f"not heard for more than {self.limit}"

    def tell(self, state: State, value: str) -> str:
        return f"not heard for {value}" if state is State.FIRING else f"heard again after {value}"

    def watch(self, rule: Rule) -> Watch:
        return SilenceWatch(rule)


def parse(said: Any, where: str) -> Silence:
    """Return a silence of the rules file.

    :raises ConfigError: it can't be followed.
    """
    return Silence(given.lasting(section(said, KEYS, where)["after"], f"{where}.after"))


class Gap(NamedTuple):
    """The time between two records of a device.

    :ivar place: of the first of them.
    :ivar gateway: through which both came; "" if the device went from one to another, whose clocks and queues differ.
    """

    from_ms: int
    to_ms: int
    place: Place
    gateway: str


class SilenceWatch(Watch):
    """Watches one device.

    :ivar gap: the newest that was long enough, as long as it is not known whether the device could send in it: which
        silences are found does not depend on when somebody looks.
    """

    __slots__ = ("gap",)
    looks = True

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.gap: Gap | None = None

    def take(self, event: Event) -> Sequence[Change]:
        device, append_ms = event.device, event.record.append_ms
        lasted_ms = append_ms - device.last_ms
        if self.episode:
            return self._resolve(span(lasted_ms))
        if lasted_ms > self.kind.after_ms and not device.bye:
            gateway = device.gateway if gateway_of(event.record) == device.gateway else ""
            self.gap = Gap(device.last_ms, append_ms, device.place, gateway)
        return NOTHING

    def look(self, device: Device, sight: Sight) -> Sequence[Change]:
        found = self._filled(self.gap, sight.through(self.gap.gateway)) if self.gap else NOTHING
        seen = sight.through(device.gateway)
        if self.episode or device.bye or seen.until_ms - max(device.last_ms, seen.since_ms) <= self.kind.after_ms:
            return found
        return [*found, *self._begin(device.last_ms, device.place, span(seen.until_ms - device.last_ms))]

    def _filled(self, gap: Gap, seen: Seen) -> Sequence[Change]:
        """Judge a silence that is over."""
        if seen.until_ms >= gap.to_ms:
            self.gap = None
        end_ms = min(seen.sent_before(gap.to_ms), seen.until_ms)
        if end_ms - max(gap.from_ms, seen.since_ms) <= self.kind.after_ms:
            return NOTHING
        self.gap = None
        lasted = span(gap.to_ms - gap.from_ms)
        return [*self._begin(gap.from_ms, gap.place, lasted), *self._resolve(lasted)]

    def dump(self) -> dict[str, Any]:
        return {**super().dump(), "gap": self.gap} if self.gap else super().dump()

    def load(self, stored: dict[str, Any]) -> None:
        super().load(stored)
        if "gap" in stored:
            from_ms, to_ms, place, gateway = stored["gap"]
            self.gap = Gap(from_ms, to_ms, Place(*place), gateway)
