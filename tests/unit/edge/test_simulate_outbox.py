"""What becomes of a device's messages."""

from __future__ import annotations

import math

from raspi_kafka.simulate.frames import PACKET_IDS, Publisher, split
from raspi_kafka.simulate.outbox import Outbox

MANY = 65_535


def outbox(messages: int, qos: int = 1) -> Outbox:
    made = Outbox(Publisher("t", qos), qos)
    for number in range(messages):
        made.put(b"<%d>" % number)
    return made


def taken(box: Outbox, now_ms: float = 1.0, most: int = MANY) -> list[tuple[bool, int]]:
    """Whether each message that goes says that it is sent again, and its number."""
    packets, rest = split(box.take(now_ms, most))
    assert rest == b""
    return [(bool(first & 8), int(body[body.rindex(b"<") + 1 : -1])) for first, body in packets]


def test_a_message_is_noted_as_sent_once_and_as_acknowledged_once() -> None:
    box = outbox(2)
    assert taken(box, 5.0) == [(False, 0), (False, 1)]
    box.acknowledge(2, 7.0)
    box.acknowledge(2, 9.0)
    assert list(box.sent) == [5.0, 5.0]
    assert math.isnan(box.acked[0])
    assert box.acked[1] == 7.0
    assert (box.acknowledged, box.made, box.is_empty) == (1, 2, False)
    box.acknowledge(1, 8.0)
    assert (list(box.acked), box.acknowledged, box.is_empty) == ([8.0, 7.0], 2, True)


def test_an_answer_to_nothing_changes_nothing() -> None:
    box = outbox(1)
    taken(box)
    box.acknowledge(2, 7.0)
    box.refuse(2)
    assert (box.acknowledged, box.refused, box.is_empty) == (0, 0, False)


def test_after_a_lost_connection_what_was_not_acknowledged_goes_first_in_order_and_marked() -> None:
    box = outbox(4)
    assert taken(box, 5.0, most=3) == [(False, 0), (False, 1), (False, 2)]
    box.acknowledge(2, 6.0)
    box.connection_lost()
    assert taken(box, 9.0) == [(True, 0), (True, 2), (False, 3)]
    assert list(box.sent) == [5.0, 5.0, 5.0, 9.0]
    assert box.resent == 2
    box.connection_lost()
    assert taken(box) == [(True, 0), (True, 2), (True, 3)]
    assert box.resent == 5


def test_no_more_are_under_way_than_the_server_allows() -> None:
    box = outbox(3)
    assert taken(box, most=1) == [(False, 0)]
    assert taken(box, most=1) == []
    box.acknowledge(1, 2.0)
    assert taken(box, most=1) == [(False, 1)]
    assert len(box.sent) == 2


def test_a_smaller_window_of_the_next_connection_holds_for_what_is_sent_again() -> None:
    box = outbox(3)
    taken(box)
    box.connection_lost()
    assert taken(box, most=2) == [(True, 0), (True, 1)]


def test_a_refused_message_is_not_sent_again_and_not_acknowledged() -> None:
    box = outbox(2)
    taken(box)
    box.refuse(1)
    box.connection_lost()
    assert taken(box) == [(True, 1)]
    box.acknowledge(2, 3.0)
    assert (box.refused, box.acknowledged, box.is_empty) == (1, 1, True)
    assert math.isnan(box.acked[0])


def test_a_packet_id_is_not_used_again_while_its_message_is_under_way() -> None:
    box = outbox(PACKET_IDS + 2)
    first = taken(box, most=10**6)
    assert first[-1] == (False, PACKET_IDS - 1)
    box.acknowledge(2, 3.0)
    assert taken(box, most=10**6) == [], "the id of the first message is the next one's"
    box.acknowledge(1, 4.0)
    assert taken(box, most=10**6) == [(False, PACKET_IDS), (False, PACKET_IDS + 1)]
    box.acknowledge(1, 5.0)
    assert (box.acked[0], box.acked[PACKET_IDS]) == (4.0, 5.0)
    assert math.isnan(box.acked[PACKET_IDS + 1])


def test_with_qos_0_nothing_is_kept() -> None:
    box = outbox(2, qos=0)
    assert taken(box, 5.0, most=1) == [(False, 0), (False, 1)]
    assert box.is_empty
    box.connection_lost()
    assert taken(box) == []
    assert (list(box.sent), list(box.acked), box.acknowledged, box.resent) == ([5.0, 5.0], [], 2, 0)
