"""What was received and is not yet acknowledged."""

from __future__ import annotations

from collections import deque
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .packets import Publish
    from .record import Record


class Window:
    """QoS 1 records in the order in which the server sent them, which is the order of PUBACKs (MQTT 5, 4.6.0-2).

    A connection that is lost takes no record with it: each one stays on its way to Kafka. When the server sends such a
    message again, it is attached to its record instead of being produced a second time.

    :ivar waiting_bytes: content of the records of this connection.
    """

    def __init__(self) -> None:
        self._waiting: deque[Record] = deque()
        self._carried: dict[int, Record] = {}
        self.waiting_bytes = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._carried)

    @property
    def waiting(self) -> int:
        """How many records of this connection are here; those of the last one are no reason to stop reading."""
        return len(self._waiting)

    @property
    def oldest(self) -> float | None:
        """When the first of all records was received, by the loop's clock."""
        first = [*list(self._carried.values())[:1], *list(self._waiting)[:1]]
        return min((record.born for record in first), default=None)

    @property
    def first_to_land(self) -> Record | None:
        """The first that Kafka does not have."""
        return next((each for each in chain(self._carried.values(), self._waiting) if not each.delivered), None)

    def add(self, record: Record) -> None:
        """Take a new record.

        A server gives a packet id anew only after it has got the PUBACK, so what is carried under it is over.
        """
        if self._carried:
            self._carried.pop(record.packet_id, None)
        self._wait(record)

    def attach(self, publish: Publish) -> bool:
        """Tell whether a message is known from the last connection, and wait for its record here.

        The mark DUP alone says nothing: the bridge may have been killed before it produced what it had received. Nor
        does the packet id alone, which another session gives anew.
        """
        record = self._carried.get(publish.packet_id)
        if record is None or record.topic != publish.topic or record.payload != publish.payload:
            return False
        del self._carried[publish.packet_id]
        self._wait(record)
        return True

    def release(self) -> list[int]:
        """Return the packet ids whose PUBACK may be sent now, in order."""
        waiting = self._waiting
        ready = []
        while waiting and waiting[0].delivered:
            record = waiting.popleft()
            self.waiting_bytes -= record.size
            ready.append(record.packet_id)
        return ready

    def disconnected(self) -> None:
        """Carry what is not acknowledged to the next connection."""
        left = list(self._carried.values())  # not sent again on the last connection, although it was lost early
        self._carried = {record.packet_id: record for record in [*left, *self._waiting]}
        self._waiting.clear()
        self.waiting_bytes = 0

    def forget(self) -> None:
        """Drop what the last connection has left: the server will not send it again, so no PUBACK is due."""
        self._carried.clear()

    def _wait(self, record: Record) -> None:
        self._waiting.append(record)
        self.waiting_bytes += record.size
