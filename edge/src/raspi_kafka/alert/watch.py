"""What watches one device, or all of them, for one rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from .alert import Place, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .device import Device
    from .event import Event
    from .rule import Rule
    from .sight import Sight

EPISODE = "episode"


class Episode(NamedTuple):
    """What is firing.

    :ivar since_ms: when it began.
    :ivar place: of the record with which it began.
    :ivar severity: of the rule when it began, which its end has too.
    """

    since_ms: int
    place: Place
    severity: str


class Change(NamedTuple):
    """The beginning or the end of an episode.

    :ivar value: what decided, in words; "" if the episode ends without it.
    :ivar why: why it ends without it.
    """

    state: State
    episode: Episode
    value: str = ""
    why: str = ""


NOTHING: Sequence[Change] = ()


class Kind(Protocol):
    """What a rule watches for, as the file says it."""

    @property
    def about(self) -> str:
        """What is measured: episodes outlast a change of the rule that leaves it as it is."""

    @property
    def limit(self) -> str:
        """The limit in words."""

    def words(self) -> str:
        """Say when it fires."""

    def tell(self, state: State, value: str) -> str:
        """Say what an alert is about."""

    def watch(self, rule: Rule) -> Watch:
        """Return what watches a device."""


class Watch:
    """Watches for one rule.

    :cvar by_device_time: events that come too late are not for it.
    :cvar reads: it needs the payload and the time of its device.
    :cvar looks: time alone may change what it finds.
    :ivar episode: None if nothing is firing.
    """

    __slots__ = ("episode", "kind", "rule")
    by_device_time = False
    reads = False
    looks = False

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.kind: Any = rule.kind
        self.episode: Episode | None = None

    def take(self, event: Event) -> Sequence[Change]:
        """Return what changes by an event; its device does not know of it yet."""
        raise NotImplementedError

    def look(self, device: Device | None, sight: Sight) -> Sequence[Change]:
        """Return what changes because time has passed."""
        raise NotImplementedError

    def end(self, why: str) -> Sequence[Change]:
        """End what is firing, whatever the reason."""
        return [self._closed()._replace(why=why)] if self.episode else NOTHING

    def dump(self) -> dict[str, Any]:
        """Return what is to be stored, as JSON has it; nothing if there is nothing to know."""
        return {EPISODE: self.episode} if self.episode else {}

    def load(self, stored: dict[str, Any]) -> None:
        """Take what was stored."""
        self.episode = episode_of(stored)

    def _begin(self, since_ms: int, place: Place, value: str) -> list[Change]:
        self.episode = Episode(since_ms, place, self.rule.severity)
        return [Change(State.FIRING, self.episode, value)]

    def _resolve(self, value: str) -> list[Change]:
        return [self._closed()._replace(value=value)]

    def _closed(self) -> Change:
        change = Change(State.RESOLVED, self.episode)  # type: ignore[arg-type]
        self.episode = None
        return change


def place_of(event: Event) -> Place:
    """Return where the record of an event stands."""
    record = event.record
    return Place(record.topic, record.partition, record.offset)


def episode_of(stored: dict[str, Any]) -> Episode | None:
    """Return the episode that is firing by what was stored."""
    if EPISODE not in stored:
        return None
    since_ms, place, severity = stored[EPISODE]
    return Episode(since_ms, Place(*place), severity)
