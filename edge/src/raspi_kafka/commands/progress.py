"""Up to where all commands of a partition are finished."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .record import Place


class Progress:
    """Is told each record in its order, and of each when nothing is left to do for it."""

    def __init__(self) -> None:
        self._next: dict[int, int] = {}
        self._open: defaultdict[int, dict[int, None]] = defaultdict(dict)
        self._changed: set[int] = set()

    def begin(self, place: Place) -> None:
        """Take a record for which something is to be done."""
        self._next[place.partition] = place.offset + 1
        self._open[place.partition][place.offset] = None

    def finish(self, place: Place) -> None:
        """Note that nothing is left to do for it."""
        self._open[place.partition].pop(place.offset, None)
        self._changed.add(place.partition)

    def take_changed(self) -> list[tuple[int, int]]:
        """Return partition and offset where the next process has to begin, of those that may have come further."""
        changed, self._changed = self._changed, set()
        return [(each, next(iter(self._open[each]), self._next[each])) for each in sorted(changed)]
