"""A rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import given
from .alert import Alert

if TYPE_CHECKING:
    from .watch import Change, Kind


@dataclass(frozen=True)
class Rule:
    """What is watched, and what is said of it.

    :ivar summary: with {device}, {value}, {rule} and {limit}; "" for the one of its kind.
    :ivar devices: globs of those that it is for, but for those of `excepted`.
    :ivar fleet: one alert for all devices.
    :ivar at_least: how many devices it takes for that.
    :ivar forget_ms: a device for which it is, and that is not heard for so long, is forgotten.
    """

    name: str
    severity: str
    summary: str
    topics: tuple[str, ...]
    devices: tuple[str, ...]
    excepted: tuple[str, ...]
    fleet: bool
    at_least: int
    forget_ms: int
    kind: Kind

    @property
    def about(self) -> str:
        """Return what is measured: episodes outlast a change of the rule that leaves it as it is."""
        return f"{self.kind.about}, {'fleet' if self.fleet else 'device'}"

    @property
    def at_once(self) -> bool:
        """Tell whether it watches all devices as if they were one."""
        return self.fleet and not self.at_least

    def concerns(self, device: str) -> bool:
        """Tell whether it is for a device."""
        return given.matches(device, self.devices) and not given.matches(device, self.excepted)

    def alert(self, device: str, change: Change, said: str, decided_ms: int) -> Alert:
        """Return the alert of a change.

        :param said: what its kind says of it.
        """
        if change.why:
            summary = f"{device}: {self.name} ends, {change.why}"
        elif self.summary:
            limit = self.kind.limit
            summary = self.summary.format(device=device, value=change.value, rule=self.name, limit=limit)
        else:
            summary = f"{device}: {said}"
        return alert(self.name, device, change, decided_ms, summary)

    def words(self) -> str:
        """Say what it does, in a line."""
        who = f"devices {', '.join(self.devices)}{' but ' * bool(self.excepted)}{', '.join(self.excepted)}"
        many = f", one alert if {self.at_least} or more devices at once" if self.at_least else ""
        return f"{self.name} ({self.severity}): {self.kind.words()}{many}; topics {', '.join(self.topics)}; {who}"


def alert(rule: str, device: str, change: Change, decided_ms: int, summary: str) -> Alert:
    """Return the alert of a change, whether or not there is such a rule any more."""
    since_ms, place, severity = change.episode
    return Alert(change.state, rule, device, severity, place, since_ms, decided_ms, summary)
