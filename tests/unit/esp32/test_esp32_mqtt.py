"""Packets of an ESP32, as the specification has them, and its time."""

from __future__ import annotations

import struct

import pytest
from firmware import load

mqtt = load("mqtt")
ntp = load("ntp")


@pytest.mark.parametrize(
    ("size", "head"), [(0, "3200"), (127, "327f"), (128, "328001"), (16383, "32ff7f"), (16384, "32808001")]
)
def test_a_length_stands_in_groups_of_seven_bits(size: int, head: str) -> None:
    """The limits of table 2.4 of MQTT 3.1.1."""
    packet = mqtt.frame(0x32, bytes(size))
    assert packet[: len(head) // 2].hex() == head
    assert len(packet) == len(head) // 2 + size


def test_connect_has_a_session_that_lasts_a_will_and_a_password() -> None:
    packet = mqtt.connect_packet("k", "secret", 30, ("t", "gone"))
    assert packet == b"\x10\x21\x00\x04MQTT\x04\xcc\x00\x1e" + b"\x00\x01k\x00\x01t\x00\x04gone\x00\x01k\x00\x06secret"
    flags = packet[9]
    assert flags & 0x02 == 0, "not a clean session"
    assert flags & 0x3C == 0x0C, "a will of QoS 1 that is not retained"


def test_a_message_that_may_have_been_sent_says_so() -> None:
    assert mqtt.publish_packet("a/b", "x", 258) == b"\x32\x08\x00\x03a/b\x01\x02x"
    assert mqtt.publish_packet("a/b", "x", 258, True)[0] == 0x3A


def test_what_is_published_is_read_again() -> None:
    packet = mqtt.publish_packet("a/ü", "x", 7)
    assert mqtt.published(packet[0], packet[2:]) == ("a/ü", 7, b"x")
    assert mqtt.published(0x30, b"\x00\x01ax") == ("a", 0, b"x")


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x00\x05ab", b"\x00\x01a", b"\x00\x01a\x01"])
def test_a_cut_message_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="cut"):
        mqtt.published(0x32, body)


def test_acknowledgement_and_subscription() -> None:
    assert mqtt.puback_packet(0x1234) == b"\x40\x02\x12\x34"
    assert mqtt.subscribe_packet("c", 1) == b"\x82\x06\x00\x01\x00\x01c\x01"


def answer(seconds: int, fraction: int = 0, head: bytes = b"\x1c\x03") -> bytes:
    return head + bytes(38) + struct.pack(">II", seconds, fraction)


def test_the_time_of_a_server_in_nanoseconds() -> None:
    assert ntp.transmitted_ns(answer(2208988800 + 1700000000, 1 << 31)) == 1700000000_500000000
    assert ntp.transmitted_ns(answer(100)) == (100 + (1 << 32) - 2208988800) * 10**9, "after 2036"


@pytest.mark.parametrize("head", [b"\x1c\x00", b"\x1c\x10", b"\xdc\x03", b"\x1b\x03"])
def test_a_server_that_does_not_know_the_time_is_not_believed(head: bytes) -> None:
    """A kiss-o'-death, one that is not synchronised, by its stratum or leap indicator, and what is no server."""
    with pytest.raises(ValueError, match="time server"):
        ntp.transmitted_ns(answer(2208988800 + 1700000000, head=head))
