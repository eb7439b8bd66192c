"""Frames against the MQTT 5 specification, and against a codec by another hand where it is there."""

from __future__ import annotations

import contextlib
import random
import sys
from typing import Any

import pytest
from raspi_kafka import mqtt_wire
from raspi_kafka.bridge import packets
from raspi_kafka.bridge.packets import Answer, Login, Parser, Pong, Publish
from raspi_kafka.mqtt_wire import Connack, Disconnect, MalformedPacketError

LOGIN = Login("client", "user", "secret", 30, 1_209_600, 4000)
# The user properties `time` and `a`, a message expiry and a content type.
PROPERTIES = bytes.fromhex("02 0000003c 03 0004") + b"json" + b"\x26\0\4time\0\1" + b"7" + b"\x26\0\1a\0\1b"
TOPIC = b"devices/a/b"


@pytest.fixture
def codec() -> Any:
    if sys.version_info < (3, 11):
        pytest.skip("mqtt5 needs Python 3.11")
    import mqtt5  # noqa: PLC0415

    return mqtt5


def publish(payload: bytes, *, packet_id: int = 7, first: int = 0x32, properties: bytes = b"") -> bytes:
    head = len(TOPIC).to_bytes(2, "big") + TOPIC
    head += packet_id.to_bytes(2, "big") if first & 6 else b""
    return mqtt_wire.packet(first, head + mqtt_wire.prefixed(properties) + payload)


def told(packet: Any) -> Any:
    """What can be compared of a packet."""
    if isinstance(packet, Publish):
        return packet.topic, packet.payload, packet.packet_id, packet.dup, packet.properties
    return packet


# --- out


def test_connect_is_as_the_specification_writes_it() -> None:
    head = b"\0\4MQTT\5\xc0\0\x1e"
    properties = b"\x08\x11\x00\x12\x75\x00\x21\x0f\xa0"
    body = head + properties + b"\0\6client\0\4user\0\6secret"
    assert packets.connect(LOGIN) == b"\x10" + bytes([len(body)]) + body


def test_subscribe_asks_for_qos_1_and_for_retained_messages_of_new_subscriptions_alone() -> None:
    assert packets.subscribe(1, ["a/+"]) == b"\x82\x09\0\1\0\0\3a/+\x11"
    assert packets.subscribe(2, ["a", "b"], "at_most_once") == b"\x82\x0b\0\2\0\0\1a\0\0\1b\0"


def test_unsubscribe_and_pubacks_are_as_the_specification_writes_them() -> None:
    assert packets.unsubscribe(3, ["a/#"]) == b"\xa2\x08\0\3\0\0\3a/#"
    assert packets.pubacks([1, 65535]) == b"\x40\2\0\1\x40\2\xff\xff"
    assert packets.pubacks([]) == b""


@pytest.mark.parametrize(
    ("number", "encoded"),
    [(0, "00"), (127, "7f"), (128, "8001"), (16_383, "ff7f"), (16_384, "808001"), (268_435_455, "ffffff7f")],
)
def test_lengths_are_those_of_the_table_of_the_specification(number: int, encoded: str) -> None:
    assert mqtt_wire.variable(number) == bytes.fromhex(encoded)
    assert mqtt_wire.variable_at(bytes.fromhex(encoded), 0) == (number, len(encoded) // 2)


def test_another_codec_writes_the_same(codec: Any) -> None:
    login = {"username": "user", "password": b"secret", "clean_start": False, "keep_alive": 30}
    login |= {"session_expiry_interval": 1_209_600, "receive_max": 4000}
    options = {"max_qos": codec.QoS.AT_LEAST_ONCE, "retain_as_published": False}
    options["retain_handling"] = codec.RetainHandling.SEND_IF_SUBSCRIPTION_NOT_EXISTS
    filters = [codec.TopicFilter(each, **options) for each in ("a/+", "b/#")]
    assert packets.connect(LOGIN) == codec.ConnectPacket("client", **login).write()
    assert packets.subscribe(9, ["a/+", "b/#"]) == codec.SubscribePacket(9, filters).write()
    assert packets.unsubscribe(10, ["c"]) == codec.UnsubscribePacket(10, ["c"]).write()
    assert packets.pubacks([5]) == codec.PubAckPacket(5).write()
    assert codec.PingReqPacket().write() == mqtt_wire.PINGREQ_BYTES
    assert codec.DisconnectPacket().write() == mqtt_wire.DISCONNECT_BYTES


# --- in


def test_a_message_is_read_with_its_properties() -> None:
    (read,) = Parser().feed(publish(b"x", properties=PROPERTIES, first=0x3A))
    assert isinstance(read, Publish)
    assert (read.topic, read.payload, read.packet_id, bool(read.dup)) == (TOPIC, b"x", 7, True)
    assert read.properties == {0x02: 60, 0x03: b"json", 0x26: [(b"time", b"7"), (b"a", b"b")]}


def test_a_message_of_qos_0_has_no_packet_id() -> None:
    (read,) = Parser().feed(publish(b"\0\1x", first=0x31))
    assert isinstance(read, Publish)
    assert (read.packet_id, read.payload, bool(read.dup)) == (0, b"\0\1x", False)


def test_answers_of_the_server_are_read() -> None:
    data = b"\x20\x09\1\0\6\x21\x03\xe8\x13\0\x0a" + b"\x90\5\0\1\0\1\x87" + b"\xb0\4\0\2\0\0" + b"\xd0\0"
    data += b"\xe0\0" + b"\xe0\1\x8b" + b"\xe0\6\x8e\4\x1f\0\1x"
    assert Parser().feed(data) == [
        Connack(True, 0, {0x21: 1000, 0x13: 10}),
        Answer(mqtt_wire.SUBACK, 1, b"\1\x87"),
        Answer(packets.UNSUBACK, 2, b"\0"),
        Pong(),
        Disconnect(0, {}),
        Disconnect(0x8B, {}),
        Disconnect(0x8E, {0x1F: b"x"}),
    ]


def test_the_answer_of_a_server_before_mqtt_5_is_read() -> None:
    assert Parser().feed(b"\x20\2\0\1") == [Connack(False, 1, {})]


def test_a_stream_is_read_alike_however_it_is_cut() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    sizes = [0, 1, 100, 127, 128, 16_383, 16_384, 70_000]
    sent = [publish(chance.randbytes(chance.choice(sizes)), packet_id=1 + number) for number in range(40)]
    sent.insert(20, b"\xd0\0")
    stream = b"".join(sent)
    (*whole,) = map(told, Parser().feed(stream))
    assert len(whole) == len(sent)
    for longest in (1, 3, 1000, 100_000):
        parser, read, at = Parser(), [], 0
        while at < len(stream):
            size = chance.randint(1, longest)
            read += map(told, parser.feed(stream[at : at + size]))
            at += size
        assert read == whole, longest


def test_it_reads_what_another_codec_writes(codec: Any) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for number in range(1, 500):
        pairs = [("time", "1"), ("ä", "b")][: chance.randint(0, 2)]
        written = codec.PublishPacket(
            topic="devices/ä/" + "x" * chance.randint(0, 300),
            payload=chance.randbytes(chance.choice([0, 1, 50, 127, 128, 5000])),
            qos=codec.QoS.AT_LEAST_ONCE,
            duplicate=chance.random() < 0.5,
            packet_id=number,
            message_expiry_interval=chance.choice([None, 1]),
            user_properties=pairs,
        )
        (read,) = Parser().feed(written.write())
        assert isinstance(read, Publish)
        assert (read.topic.decode(), read.payload) == (written.topic, bytes(written.payload))
        assert (read.packet_id, bool(read.dup)) == (number, written.duplicate)
        said = (read.properties or {}).get(mqtt_wire.USER_PROPERTY, [])
        assert [(name.decode(), value.decode()) for name, value in said] == pairs


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (publish(b"x", first=0x34), "QoS 2"),
        (b"\x32\xff\xff\xff\xff\x01", "four bytes"),
        (b"\x32\4\0\x09ab", "shorter"),
        (b"\x32\3\0\1a", "shorter"),
        (b"\x32\5\0\0\0\1\0", "names none"),
        (b"\x32\6\0\1a\0\1\x05", "longer than their packet"),
        (publish(b"", properties=b"\x7f\0"), "0x7f is no property"),
        (publish(b"x" * 9, properties=b"\x26\0\1a\0\5b"), "beyond"),
        (b"\x10\0", "type 1"),
        (b"\x20\1\0", "shorter"),
        (b"\x90\2\0\1", "longer than their packet"),
    ],
)
def test_what_is_not_mqtt_5_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(MalformedPacketError, match=why):
        Parser().feed(data)


def test_no_garbage_raises_anything_else() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    good = publish(b"payload", properties=PROPERTIES)
    for _case in range(20_000):
        data = bytearray(good)
        for _change in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        with contextlib.suppress(MalformedPacketError):
            Parser().feed(bytes(data))
