"""When devices connect and send. Times are seconds since the beginning of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .options import Options


class Piece(NamedTuple):
    """A time of one rate.

    :ivar until_s: when it ends.
    :ivar rate: messages a second of a device.
    """

    until_s: float
    rate: float


class Schedule:
    """The ramp, over which devices connect one after the other, and the hold, which may have bursts.

    :ivar hold_from_s: when the ramp is over.
    :ivar until_s: when the last message was due.
    :ivar storms_s: when all connections are dropped.
    """

    def __init__(self, wanted: Options) -> None:
        self.hold_from_s = wanted.ramp_s
        self.until_s = wanted.ramp_s + wanted.hold_s
        self.storms_s = [wanted.ramp_s + at_s for at_s in wanted.storms]
        self._count = len(wanted.devices)
        self._interval_s = 1 / wanted.rate
        self._pieces = pieces(wanted)

    def connects_at(self, number: int) -> float:
        """Return when a device connects, by its number from 0."""
        return self.hold_from_s * number / self._count

    def first(self, connects_at_s: float, phase: float) -> float:
        """Return when a device's first message is due.

        :param phase: from 0 to 1, where in its interval the device sends.
        """
        return connects_at_s + phase * self._interval_s

    def after(self, due_s: float) -> float:
        """Return when the message behind that of `due_s` is due: one message of work later."""
        if len(self._pieces) == 1:
            return due_s + self._interval_s
        work = 1.0
        for until_s, rate in self._pieces:
            if due_s >= until_s:
                continue
            if (until_s - due_s) * rate >= work:
                return due_s + work / rate
            work -= (until_s - due_s) * rate
            due_s = until_s
        return self.until_s


def pieces(wanted: Options) -> list[Piece]:
    """Return the times of one rate, in order and without gaps."""
    found: list[Piece] = []
    for burst in wanted.bursts:
        begins_s = wanted.ramp_s + burst.at_s
        found += [Piece(begins_s, wanted.rate), Piece(begins_s + burst.seconds, wanted.rate * burst.factor)]
    return [*found, Piece(float("inf"), wanted.rate)]
