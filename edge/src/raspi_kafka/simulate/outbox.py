"""What a device has to send, and what became of it."""

from __future__ import annotations

import math
from array import array
from collections import deque

from . import frames
from .frames import PACKET_IDS

UNANSWERED = math.nan


class Outbox:
    """Messages in order; what was sent and not acknowledged is kept, and goes first over the next connection.

    A message may be on its way only while the server's Receive Maximum allows it (4.9), and its packet id is free.

    :ivar waiting: number and packet of what is not on its way.
    :ivar made: how many messages there are; a message's number counts from 0.
    :ivar sent: by number, milliseconds at which a message was handed to the socket first.
    :ivar acked: by number, milliseconds at which PUBACK or PUBCOMP came, or UNANSWERED; empty with QoS 0.
    :ivar refused: messages that the server has refused.
    :ivar resent: how often a message was sent again.
    """

    __slots__ = (
        "_answered",
        "_in_flight",
        "_publisher",
        "_qos",
        "acked",
        "made",
        "refused",
        "resent",
        "sent",
        "waiting",
    )

    def __init__(self, publisher: frames.Publisher, qos: int) -> None:
        self._publisher = publisher
        self._qos = qos
        self.waiting: deque[tuple[int, bytes]] = deque()
        self._in_flight: dict[int, bytes] = {}
        self._answered = 0
        self.made = 0
        self.sent = array("d")
        self.acked = array("d")
        self.refused = 0
        self.resent = 0

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is left to do."""
        return not self.waiting and not self._in_flight

    @property
    def acknowledged(self) -> int:
        """Return how many messages the server has; with QoS 0 those that were sent, since nothing else is known."""
        return self._answered if self._qos else len(self.sent)

    def put(self, payload: bytes) -> None:
        """Add a message."""
        number = self.made
        self.made = number + 1
        self.waiting.append((number, self._publisher.publish(number % PACKET_IDS + 1, payload)))

    def take(self, now_ms: float, most: int) -> bytes:
        """Return the packets that may be sent now, which are on their way then.

        :param most: how many messages may be on their way.
        """
        waiting, in_flight, taken = self.waiting, self._in_flight, []
        while waiting and len(in_flight) < most:
            number, frame = waiting[0]
            packet_id = number % PACKET_IDS + 1
            if packet_id in in_flight:
                break
            waiting.popleft()
            taken.append(frame)
            if number < len(self.sent):
                self.resent += 1
            else:
                self.sent.append(now_ms)
                if self._qos:
                    self.acked.append(UNANSWERED)
            if self._qos:
                in_flight[packet_id] = frame
        return b"".join(taken)

    def holds(self, packet_id: int) -> bool:
        """Tell whether an answer to that packet is to come."""
        return packet_id in self._in_flight

    def acknowledge(self, packet_id: int, now_ms: float) -> None:
        """The server has a message; an answer to nothing is passed over."""
        if self._in_flight.pop(packet_id, None) is not None:
            self.acked[self._number(packet_id)] = now_ms
            self._answered += 1

    def refuse(self, packet_id: int) -> None:
        """The server will not have a message, so that it is not sent again."""
        if self._in_flight.pop(packet_id, None) is not None:
            self.refused += 1

    def connection_lost(self) -> None:
        """Put what was on its way before all that was not sent yet."""
        again = [(self._number(packet_id), frames.again(frame)) for packet_id, frame in self._in_flight.items()]
        self.waiting.extendleft(reversed(again))
        self._in_flight.clear()

    def _number(self, packet_id: int) -> int:
        """Return which message is on its way with a packet id: the last that had it, since an id is free only then."""
        last = len(self.sent) - 1
        return last - (last - (packet_id - 1)) % PACKET_IDS
