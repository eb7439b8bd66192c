"""The packets of a device, against the specification and against a codec by another hand where it is there."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from raspi_kafka.mqtt_wire import MalformedPacketError
from raspi_kafka.simulate import frames
from raspi_kafka.simulate.frames import Publisher


@pytest.fixture
def codec() -> Any:
    if sys.version_info < (3, 11):
        pytest.skip("mqtt5 needs Python 3.11")
    import mqtt5  # noqa: PLC0415

    return mqtt5


def test_connect_is_a_clean_start_with_the_name_as_client_id_and_user() -> None:
    body = b"\0\4MQTT\5\xc2\0\x3c\0" + b"\0\1a\0\1a\0\6secret"
    assert frames.connect("a", "secret") == b"\x10" + bytes([len(body)]) + body


def test_publish_has_a_packet_id_except_with_qos_0() -> None:
    assert Publisher("a", 0).publish(0x102, b"xy") == b"\x30\6\0\1a\0xy"
    assert Publisher("a", 1).publish(0x102, b"xy") == b"\x32\x08\0\1a\1\2\0xy"
    assert Publisher("a", 2).publish(0x102, b"") == b"\x34\6\0\1a\1\2\0"


def test_a_publish_that_is_sent_again_says_so_and_is_the_same_otherwise() -> None:
    first = Publisher("a", 1).publish(7, b"xy")
    assert frames.again(first) == b"\x3a" + first[1:]
    assert frames.again(frames.again(first)) == frames.again(first)


@pytest.mark.parametrize("size", [0, 100, 127, 128, 1000, 1023, 1024, 20_000])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_another_codec_writes_the_same(codec: Any, qos: int, size: int) -> None:
    said = {"topic": "devices/ä/telemetry", "payload": b"x" * size, "qos": codec.QoS(qos)}
    if qos:
        said["packet_id"] = 65_535
    assert Publisher("devices/ä/telemetry", qos).publish(65_535, b"x" * size) == codec.PublishPacket(**said).write()
    if qos:
        again = codec.PublishPacket(**said, duplicate=True).write()
        assert frames.again(Publisher("devices/ä/telemetry", qos).publish(65_535, b"x" * size)) == again


def test_another_codec_writes_the_same_connect_and_pubrel(codec: Any) -> None:
    login = {"username": "a", "password": b"secret", "clean_start": True, "keep_alive": frames.KEEP_ALIVE_S}
    assert frames.connect("a", "secret") == codec.ConnectPacket("a", **login).write()
    assert frames.pubrel(513) == codec.PubRelPacket(513).write()


def test_a_stream_is_split_alike_however_it_is_cut() -> None:
    stream = b"\x20\3\0\0\0" + b"\x40\2\0\1" + b"\x50\3\0\2\x10" + b"\xd0\0" + b"\xe0\x81\1" + b"x" * 129
    whole, rest = frames.split(stream)
    assert ([first for first, _body in whole], rest) == ([0x20, 0x40, 0x50, 0xD0, 0xE0], b"")
    assert [body for _first, body in whole] == [b"\0\0\0", b"\0\1", b"\0\2\x10", b"", b"x" * 129]
    for step in range(1, 10):
        found, rest = [], b""
        for at in range(0, len(stream), step):
            packets, rest = frames.split(rest + stream[at : at + step])
            found += packets
        assert (found, rest) == (whole, b"")


def test_a_length_of_more_than_four_bytes_is_refused() -> None:
    with pytest.raises(MalformedPacketError, match="four bytes"):
        frames.split(b"\x40\xff\xff\xff\xff\1")
