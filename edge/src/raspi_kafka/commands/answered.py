"""Which commands have been answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .answer import Answer
    from .record import Command

# Some 10 MB. What is forgotten is sent once more if it is read once more; the device knows it by its id.
MOST = 50_000
# An answer stands behind its command in time, but the leaders of two partitions may be on hosts whose clocks differ.
CLOCKS_DIFFER_MS = 5_000


class Answered:
    """Remembers the last answers."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._when_ms: dict[tuple[str, str], int] = {}

    def add(self, answer: Answer, append_ms: int) -> None:
        """Take an answer.

        :param append_ms: when Kafka has appended it, milliseconds since 1970.
        """
        key = answer.device, answer.id
        self._when_ms.pop(key, None)
        self._when_ms[key] = append_ms
        if len(self._when_ms) > self._most:
            del self._when_ms[next(iter(self._when_ms))]

    def __contains__(self, command: Command) -> bool:
        """Tell whether a command has been answered: not one that was given after the last answer to its id."""
        when_ms = self._when_ms.get((command.device, command.id))
        return when_ms is not None and when_ms + CLOCKS_DIFFER_MS >= command.given_ms
