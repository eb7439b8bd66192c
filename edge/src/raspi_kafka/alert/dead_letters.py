"""Many messages that the bridge could not carry."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..settings import REQUIRED, Duration, Key, section
from . import given
from .alert import State
from .span import span
from .watch import NOTHING, Change, Watch, place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .device import Device
    from .event import Event
    from .rule import Rule
    from .sight import Sight

# The times of one more are kept, and stored with each of them.
MOST = 1000
KEYS = {"more_than": Key(int, REQUIRED, least=0, most=MOST), "within": Key(Duration, REQUIRED)}


@dataclass(frozen=True)
class DeadLetters:
    """It fires when more than `more_than` records come within `within_ms`, and resolves when no more have."""

    more_than: int
    within_ms: int

    @property
    def about(self) -> str:
        return "dead_letters"

    @property
    def limit(self) -> str:
        return str(self.more_than)

    def words(self) -> str:
        return f"more than {self.limit} dead letters within {span(self.within_ms)}"

    def tell(self, state: State, value: str) -> str:
        only = "" if state is State.FIRING else "only "
        return f"{only}{value} dead letters within {span(self.within_ms)}"

    def watch(self, rule: Rule) -> Watch:
        return DeadLettersWatch(rule)


def parse(said: Any, where: str) -> DeadLetters:
    """Return a dead letter rule of the rules file.

    :raises ConfigError: it can't be followed.
    """
    values = section(said, KEYS, where)
    return DeadLetters(values["more_than"], given.lasting(values["within"], f"{where}.within"))


class DeadLettersWatch(Watch):
    """Watches one device, or all of them, by the time at which Kafka appends records.

    :ivar times: of the newest records, in order, as many as are needed to know whether there are too many.
    """

    __slots__ = ("times",)
    looks = True

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.times: list[int] = []

    def take(self, event: Event) -> Sequence[Change]:
        # As a look just before would have found it.
        changes = self._until(event.record.append_ms)
        bisect.insort(self.times, event.record.append_ms)  # of several partitions one may be behind
        del self.times[: max(self._gone(self.times[-1]), len(self.times) - self.kind.more_than - 1)]
        if not self.episode and len(self.times) > self.kind.more_than:
            return [*changes, *self._begin(event.record.append_ms, place_of(event), str(len(self.times)))]
        return changes

    def look(self, device: Device | None, sight: Sight) -> Sequence[Change]:
        return self._until(sight.through(device.gateway if device else "").until_ms)

    def _until(self, until_ms: int) -> Sequence[Change]:
        """End what is firing if too few records are left in the span that ends then."""
        left = len(self.times) - self._gone(until_ms)
        return self._resolve(str(left)) if self.episode and left <= self.kind.more_than else NOTHING

    def _gone(self, until_ms: int) -> int:
        return bisect.bisect_right(self.times, until_ms - self.kind.within_ms)

    def dump(self) -> dict[str, Any]:
        return {**super().dump(), "times": self.times} if self.times else super().dump()

    def load(self, stored: dict[str, Any]) -> None:
        super().load(stored)
        self.times = stored.get("times", [])
