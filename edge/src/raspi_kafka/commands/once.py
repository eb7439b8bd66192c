"""What is worth a line of the log for each device, but not each time."""

from __future__ import annotations

# After so many devices none is told any more: a name is whatever stands in a key.
MOST = 1_000
LONGEST = 64


class Once:
    """Tells of each device once, so that one of them does not fill the journal."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._told: set[bytes] = set()

    def first(self, key: bytes | None) -> bool:
        """Tell whether nothing was told of the device of a record yet.

        :param key: the record's.
        """
        device = (key or b"")[:LONGEST]
        if device in self._told or len(self._told) >= self._most:
            return False
        self._told.add(device)
        return True
