"""One alert for many devices."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .alert import State
from .watch import NOTHING, Change, Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .rule import Rule


class Fleet(Watch):
    """Watches how many devices meet a rule at once.

    :ivar members: devices that do, with the number of topics in which they do.
    """

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.members: Counter[str] = Counter()

    def join(self, device: str, change: Change) -> Sequence[Change]:
        """Take what has changed at a device; its episode is the fleet's if it makes the number full."""
        self.members[device] += 1 if change.state is State.FIRING else -1
        if not self.members[device]:
            del self.members[device]
        if change.state is State.RESOLVED:
            return self.leave()
        if self.episode or len(self.members) < self.rule.at_least:
            return NOTHING
        return self._begin(change.episode.since_ms, change.episode.place, str(len(self.members)))

    def leave(self) -> Sequence[Change]:
        """End what is firing if there are too few members."""
        few = self.episode and len(self.members) < self.rule.at_least
        return self._resolve(str(len(self.members))) if few else NOTHING

    def tell(self) -> str:
        """Say what an alert is about."""
        return f"{len(self.members)} devices of {self.rule.at_least} that make an alert: {self.rule.kind.words()}"
