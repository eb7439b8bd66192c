"""Devices that do what alerting has to find."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from .device import Device
from .options import SPIKE

if TYPE_CHECKING:
    from .options import Options, Plant


def chosen(wanted: Options) -> dict[int, Plant]:
    """Return what is planted in which device, by its number; it depends on the seed and not on the workers."""
    count = len(wanted.devices)
    order = iter(random.Random(f"{wanted.seed}/planted").sample(range(count), count))
    return {next(order): each for each in wanted.plants for _device in range(each.devices)}


class Planted(Device):
    """A device of a class of its own, so that all others have nothing to look for in their turns."""

    __slots__ = ("_first", "_from_s", "_kind", "_next", "_until_s", "_usual", "_within")

    def plant(self, plant: Plant, hold_from_s: float) -> None:
        """Take what it is to do, once."""
        self._kind = plant.kind
        self._from_s = hold_from_s + plant.at_s
        self._until_s = self._from_s + plant.seconds
        self._usual = self._telemetry
        self._within = False
        self._first: int | None = None
        self._next: int | None = None

    @property
    def planted(self) -> list[tuple[str, int, int]]:
        """What of it there was: nothing before its first message, and of a silence nothing before any message."""
        began = self._first if self._first is None or self._kind == SPIKE else self._first - 1
        if began is None or began < 0:
            return []
        return [(self._kind, began, self.outbox.made if self._next is None else self._next)]

    def measure(self, now_s: float, day: float) -> None:
        within = self._from_s <= now_s < self._until_s and not self.leaving
        if within != self._within:
            self._change(within=within)
        if not within or self._kind == SPIKE:
            super().measure(now_s, day)

    def leave(self) -> None:
        """Say so in an ordinary message, which ends what was planted."""
        if self._within:
            self._change(within=False)
        super().leave()

    def _change(self, *, within: bool) -> None:
        self._within = within
        if within:
            self._first = self.outbox.made
        else:
            self._next = self.outbox.made
        if self._kind == SPIKE:
            self._telemetry = self._usual.spiking() if within else self._usual
