"""What is known of a device in a topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .alert import Place
from .record import header

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .record import Record
    from .watch import Watch

# 2024-01-01: a device that says it is earlier has no clock that keeps the time while it is off.
NO_CLOCK_BEFORE_MS = 1_704_067_200_000
# Nothing happens after it is stored, but clocks differ.
AHEAD_MS = 60_000
WRONG_AFTER_MS = 60_000
# The bridge names the host that it runs on.
GATEWAY_HEADER = "mqtt.gateway"


class Device:
    """A device. All its records in a topic are in one partition.

    :ivar partition: of its last record; `offset` and `last_ms`, when it was appended, too.
    :ivar bye: it has said that it is switched off.
    :ivar behind: of the first record of those that arrive late now, when it was appended and how late it was,
        milliseconds; None if they don't.
    :ivar gateway: through which its last record came; "" if that is not known.
    :ivar forget_ms: it is forgotten if it is not heard for so long.
    :ivar punctual: the watches for a record that comes too late to be judged by its time.
    :ivar reads: payload and time are needed.
    """

    __slots__ = (
        *("behind", "bye", "forget_ms", "gateway", "key", "last_ms", "looking", "offset", "partition", "punctual"),
        *("reads", "topic", "watches"),
    )

    def __init__(self, record: Record, watches: Iterable[Watch], forget_ms: int) -> None:
        self.topic = record.topic
        self.key = record.key
        self.partition = record.partition
        self.offset = record.offset
        self.last_ms = record.append_ms
        self.bye = False
        self.gateway = ""
        self.behind: tuple[int, int] | None = None
        self.forget_ms = forget_ms
        self.watches = tuple(watches)
        self.punctual = tuple(watch for watch in self.watches if not watch.by_device_time)
        self.looking = tuple(watch for watch in self.watches if watch.looks)
        self.reads = any(watch.reads for watch in self.watches)

    @property
    def place(self) -> Place:
        """Where its last record stands."""
        return Place(self.topic, self.partition, self.offset)

    def at_ms(self, said_ms: int | None, append_ms: int, late_ms: int) -> int | None:
        """Return when an event of it happened; None if it comes too late to be judged by that.

        :param said_ms: when by the device.
        """
        if said_ms is None or said_ms < NO_CLOCK_BEFORE_MS or said_ms > append_ms + AHEAD_MS:
            return self._appended(append_ms)
        lag_ms = append_ms - said_ms
        if lag_ms <= late_ms:
            self.behind = None
            return said_ms
        return self._appended(append_ms) if self._clock_is_wrong(append_ms, lag_ms) else None

    def _appended(self, append_ms: int) -> int:
        """Return when a record was appended; the clock of the partition's next leader may be behind."""
        return max(append_ms, self.last_ms)

    def _clock_is_wrong(self, append_ms: int, lag_ms: int) -> bool:
        """Tell a wrong clock from messages that were kept: those, once they are sent, catch up."""
        if self.behind:
            since_ms, first_lag_ms = self.behind
            if lag_ms >= first_lag_ms - (append_ms - since_ms) / 2:
                return append_ms - since_ms > WRONG_AFTER_MS
        self.behind = append_ms, lag_ms
        return False

    def note(self, record: Record, payload: dict[str, Any]) -> None:
        """Take a record as its last one."""
        self.partition = record.partition
        self.offset = record.offset
        self.last_ms = max(self.last_ms, record.append_ms)
        self.bye = payload.get("bye") is True
        if self.looking:
            self.gateway = gateway_of(record)

    def dump(self) -> dict[str, Any]:
        """Return what is to be stored, as JSON has it."""
        stored: dict[str, Any] = {"last": (self.partition, self.offset, self.last_ms)}
        if self.bye:
            stored["bye"] = True
        if self.gateway:
            stored["gateway"] = self.gateway
        if self.behind:
            stored["behind"] = self.behind
        stored["rules"] = {watch.rule.name: part for watch in self.watches if (part := watch.dump())}
        return stored


def gateway_of(record: Record) -> str:
    """Return the name of the host through which a record came; "" if it does not say."""
    return header(record.headers, GATEWAY_HEADER)
