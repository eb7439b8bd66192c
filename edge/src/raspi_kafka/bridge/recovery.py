"""How records that Kafka refused are tried again without a change of order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from .errors import ErrorClass

if TYPE_CHECKING:
    from confluent_kafka import KafkaError

    from .record import Record

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0


class Recovery:
    """Waits for what is under way; then lets each device have one record under way, until none is left.

    Pure: it says which records are due, and is told what came of them. After a refusal that does not concern the one
    record, a single record tries whether Kafka takes it by now, after a pause that doubles each time.

    :ivar held: what Kafka refuses until a person acts; "" if nothing.
    :ivar began: whether all that was under way has ended, so that records are tried again.
    """

    def __init__(self) -> None:
        self.held = ""
        self.began = False
        self._gathered: list[Record] = []
        self._lines: dict[bytes, deque[Record]] = {}
        self._under_way: set[bytes] = set()
        self._pause_s = FIRST_PAUSE_S
        self._not_before = 0.0
        self._probing = False

    @property
    def over(self) -> bool:
        """Whether all records have landed."""
        return self.began and not self._lines

    def add(self, record: Record) -> None:
        """Take a record that was received meanwhile."""
        if self.began:
            self._lines.setdefault(record.key, deque()).append(record)
        else:
            self._gathered.append(record)

    def begin(self) -> None:
        """Nothing is under way any more: line up what has failed, in the order in which it was received."""
        self.began = True
        for record in sorted(self._gathered, key=lambda record: record.number):
            self._lines.setdefault(record.key, deque()).append(record)
        self._gathered.clear()

    def due(self, now: float) -> list[Record]:
        """Return the records to send now; each of them is under way from now on."""
        if now < self._not_before or (self._probing and self._under_way):
            return []
        waiting = [key for key in self._lines if key not in self._under_way]
        if self._probing:
            waiting = waiting[:1]
        self._under_way.update(waiting)
        return [self._lines[key][0] for key in waiting]

    def landed(self, record: Record) -> None:
        """Kafka has a record."""
        if not self.began:
            return
        line = self._lines[record.key]
        line.popleft()
        if not line:
            del self._lines[record.key]
        self._under_way.discard(record.key)
        self._probing = False
        self._pause_s = FIRST_PAUSE_S
        self.held = ""

    def failed(self, record: Record, error: KafkaError, meaning: ErrorClass, now: float) -> None:
        """Kafka has refused a record, which is to be tried again; a dead letter at once."""
        if meaning in (ErrorClass.TARGET, ErrorClass.UNKNOWN):
            self.held = f"Kafka refuses topic {record.target}: {error.str()}"
        if not self.began:
            self._gathered.append(record)
            return
        self._under_way.discard(record.key)
        if meaning is ErrorClass.RECORD:
            return
        self._probing = True
        if not self._under_way:
            self._not_before = now + self._pause_s
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
