"""Commands that are not finished, those of a device in their order."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .answered import Answered
    from .counters import Counters
    from .record import Command, Place

# How many commands a device may get before it has answered the first of them. A device knows doubled commands among the
# last 32 (docs/commands.md); what is sent again begins with the first that is not answered.
UNANSWERED = 16
# A device that has no session may make one at any time.
PAUSE_S = 3.0
# Mosquitto knows whole seconds, and lets a message that has 1 s left live for up to 2 s.
LEAST_LIFE_MS = 2000
# A tenth of what may wait for all devices: the commands of one that is away keep those of others out no longer.
MOST_OF_A_DEVICE = 1_000
MOST_BYTES_OF_A_DEVICE = 1_600_000


class Entry:
    """A command and how far it has come.

    :ivar handed: the MQTT server has it, for a session.
    :ivar told: Kafka is about to have that it has expired.
    """

    __slots__ = ("command", "handed", "place", "told")

    def __init__(self, place: Place, command: Command) -> None:
        self.place = place
        self.command = command
        self.handed = self.told = False

    def __repr__(self) -> str:
        return f"Entry({self.command.device} {self.command.id}, handed={self.handed}, told={self.told})"


class Queues:
    """One queue for each device that has commands.

    :param finished: is told where each command stands that has left.
    """

    def __init__(self, answered: Answered, counters: Counters, finished: Callable[[Place], None]) -> None:
        self._answered = answered
        self._counters = counters
        self._finished = finished
        self._queues: dict[str, dict[Place, Entry]] = {}
        self._bytes: Counter[str] = Counter()
        self._not_before_s: dict[str, float] = {}
        self.size = 0
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._queues)

    @property
    def oldest_ms(self) -> int | None:
        """When the first of all commands was given, milliseconds since 1970."""
        firsts = (next(iter(queue.values())).command.given_ms for queue in list(self._queues.values()))
        return min(firsts, default=None)

    def add(self, place: Place, command: Command) -> None:
        """Take a command, behind those that its device has."""
        self._queues.setdefault(command.device, {})[place] = Entry(place, command)
        self.size += 1
        self.bytes += len(command.payload)
        self._bytes[command.device] += len(command.payload)

    def full(self, device: str, now_ms: int) -> bool:
        """Tell whether as many commands as may wait for a device that have not expired.

        Those that have are about to leave; after a start there may be many, which are no reason to refuse what is new.

        :param now_ms: milliseconds since 1970.
        """
        queue = self._queues.get(device, {})
        if len(queue) < MOST_OF_A_DEVICE and self._bytes[device] < MOST_BYTES_OF_A_DEVICE:
            return False
        live = [len(each.command.payload) for each in queue.values() if each.command.expires_ms > now_ms]
        return len(live) >= MOST_OF_A_DEVICE or sum(live) >= MOST_BYTES_OF_A_DEVICE

    def remove(self, entry: Entry) -> None:
        """Let a command go for which nothing is left to do."""
        device = entry.command.device
        queue = self._queues.get(device, {})
        if queue.pop(entry.place, None) is None:
            return
        self.size -= 1
        self.bytes -= len(entry.command.payload)
        self._bytes[device] -= len(entry.command.payload)
        if not queue:
            del self._queues[device]
            del self._bytes[device]
            self._not_before_s.pop(device, None)
        self._finished(entry.place)

    def answer(self, device: str) -> int:
        """Let those of a device's next commands go that have been answered, and return how many."""
        return self._let_go(self._first(device))

    def due(self, now_s: float, now_ms: int) -> Iterator[Entry]:
        """Yield the commands that may be handed to the MQTT server now, those of a device in their order.

        What the caller makes of one decides what comes next: where it is not handed over, the others of its device
        stay behind it.

        :param now_s: by a clock that only runs forward.
        :param now_ms: milliseconds since 1970.
        """
        for device in list(self._queues):
            if self._not_before_s.get(device, 0.0) > now_s:
                continue
            while self.answer(device):  # by a device that another gateway has served meanwhile
                pass
            for entry in self._first(device):
                if entry.handed or entry.told or entry.command.expires_ms - now_ms < LEAST_LIFE_MS:
                    continue
                yield entry
                if not entry.handed:
                    break

    def no_session(self, device: str, now_s: float) -> None:
        """Note that nobody gets what is sent to a device: what was handed over before may be gone with its session."""
        for entry in self._queues.get(device, {}).values():
            entry.handed = False
        self._not_before_s[device] = now_s + PAUSE_S

    def nothing_handed(self) -> None:
        """Note that the MQTT server may have lost all that it had."""
        for queue in self._queues.values():
            for entry in queue.values():
                entry.handed = False
        self._not_before_s.clear()

    def expired(self, before_ms: int) -> list[Entry]:
        """Return those that had expired by then and are neither answered nor told."""
        found = []
        for device in list(self._queues):
            queue = self._queues.get(device, {}).values()
            found += [each for each in queue if not each.told and each.command.expires_ms <= before_ms]
        self._let_go(found)
        return [each for each in found if each.command not in self._answered]

    def _let_go(self, entries: list[Entry]) -> int:
        found = [each for each in entries if each.command in self._answered]
        for each in found:
            self._counters.answered += 1
            self.remove(each)
        return len(found)

    def _first(self, device: str) -> list[Entry]:
        return list(itertools.islice(self._queues.get(device, {}).values(), UNANSWERED))
