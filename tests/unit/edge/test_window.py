"""PUBACKs go out in the order of PUBLISH, and a connection that is lost loses no record."""

from __future__ import annotations

from raspi_kafka.bridge.packets import Publish
from raspi_kafka.bridge.record import Record
from raspi_kafka.bridge.routes import Route
from raspi_kafka.bridge.window import Window


def record(packet_id: int, payload: bytes = b"x", topic: bytes = b"t") -> Record:
    return Record(
        publish(packet_id, payload, topic), Route("t", b"", ("mqtt.topic", topic), None), [], float(packet_id)
    )


def publish(packet_id: int, payload: bytes = b"x", topic: bytes = b"t") -> Publish:
    return Publish(topic, payload, packet_id, 8, None)


def filled(*packet_ids: int) -> tuple[Window, dict[int, Record]]:
    window, records = Window(), {each: record(each) for each in packet_ids}
    for each in records.values():
        window.add(each)
    return window, records


def test_a_record_is_released_only_after_all_before_it() -> None:
    window, records = filled(5, 6, 7)
    records[6].delivered = records[7].delivered = True
    assert window.release() == []
    records[5].delivered = True
    assert window.release() == [5, 6, 7]
    assert (window.release(), len(window), window.waiting_bytes) == ([], 0, 0)


def test_what_is_sent_again_waits_for_its_record_in_the_new_order() -> None:
    window, records = filled(5, 6)
    window.disconnected()
    records[5].delivered = True
    assert window.release() == []
    assert window.attach(publish(5))
    assert window.attach(publish(6))
    assert window.release() == [5]
    records[6].delivered = True
    assert window.release() == [6]


def test_what_has_another_content_is_another_message() -> None:
    window, _records = filled(5)
    window.disconnected()
    assert not window.attach(publish(5, payload=b"y"))
    assert not window.attach(publish(5, topic=b"u"))
    assert not window.attach(publish(6))


def test_what_was_attached_once_is_not_attached_again() -> None:
    window, _records = filled(5)
    window.disconnected()
    assert window.attach(publish(5))
    assert not window.attach(publish(5))


def test_what_was_acknowledged_is_not_known_any_more() -> None:
    """The server may have given its packet id to another message with the same content."""
    window, records = filled(5)
    records[5].delivered = True
    assert window.release() == [5]
    window.disconnected()
    assert not window.attach(publish(5))


def test_a_new_message_ends_what_was_carried_under_its_packet_id() -> None:
    window, _records = filled(5)
    window.disconnected()
    window.add(record(5, b"new"))
    assert not window.attach(publish(5))
    assert len(window) == 1


def test_a_second_lost_connection_forgets_nothing() -> None:
    window, _records = filled(5, 6)
    window.disconnected()
    assert window.attach(publish(5))
    window.disconnected()
    assert window.attach(publish(5))
    assert window.attach(publish(6))


def test_a_lost_session_ends_what_was_carried() -> None:
    window, _records = filled(5, 6)
    window.disconnected()
    window.forget()
    assert not window.attach(publish(5))
    assert (len(window), window.oldest) == (0, None)


def test_what_was_carried_is_no_reason_to_stop_reading() -> None:
    """Else what is sent again could never be read, and nothing would ever go on."""
    window, _records = filled(5, 6)
    assert (window.waiting, window.waiting_bytes) == (2, 4)
    window.disconnected()
    assert (window.waiting, window.waiting_bytes, len(window)) == (0, 0, 2)
    window.attach(publish(5))
    assert (window.waiting, window.waiting_bytes, len(window)) == (1, 2, 2)


def test_the_oldest_is_found_among_carried_and_waiting() -> None:
    window, _records = filled(5, 6)
    assert window.oldest == 5
    window.disconnected()
    assert window.oldest == 5
    window.attach(publish(5))
    window.attach(publish(6))
    window.add(record(7))
    assert window.oldest == 5


def test_the_first_to_land_is_what_kafka_does_not_have_yet() -> None:
    window, records = filled(5, 6)
    assert window.first_to_land is records[5]
    records[5].delivered = True
    assert window.first_to_land is records[6]
    window.disconnected()
    assert window.first_to_land is records[6]
    later = record(7)
    window.add(later)
    records[6].delivered = True
    assert window.first_to_land is later
    later.delivered = True
    assert window.first_to_land is None
