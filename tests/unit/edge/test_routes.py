"""Which Kafka topic and key a message gets."""

from __future__ import annotations

from raspi_kafka.bridge import routes
from raspi_kafka.bridge.config import Tree
from raspi_kafka.bridge.routes import Router

TREES = (Tree("devices/+/#", "telemetry", 2), Tree("site/+/+/state", "state", 3))


def test_the_key_is_the_level_of_the_device() -> None:
    router = Router(TREES)
    assert router[b"devices/pi-1/a/b"][:3] == ("telemetry", b"pi-1", ("mqtt.topic", b"devices/pi-1/a/b"))
    assert router[b"devices/pi-1"].key == b"pi-1"
    assert router[b"site/roof/pi-2/state"][:2] == ("state", b"pi-2")
    assert router["devices/ä/x".encode()].key == "ä".encode()


def test_what_no_filter_matches_has_no_topic() -> None:
    assert Router(TREES)[b"site/roof/pi-2/other"].target == ""


def test_topics_without_end_do_not_fill_the_memory() -> None:
    router = Router(TREES)
    for number in range(2 * routes.REMEMBERED + 1):
        assert router[b"devices/%d/x" % number].key == b"%d" % number
    assert len(router._routes) <= routes.REMEMBERED
