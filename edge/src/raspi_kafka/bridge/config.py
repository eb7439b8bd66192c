"""What bridge.yml says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import mqtt_user, settings
from ..settings import REQUIRED, Address, ConfigError, Key, kafka_topic, section
from . import filters, schema


@dataclass(frozen=True)
class Mqtt:
    """The MQTT server, and who the bridge is to it."""

    host: str
    port: int
    username: str
    password: str
    client_id: str
    session_expiry_s: int


@dataclass(frozen=True)
class Kafka:
    """Kafka, and how long the producer waits for a batch to fill."""

    bootstrap_servers: tuple[str, ...]
    linger_ms: int


@dataclass(frozen=True)
class Tree:
    """A tree of MQTT topics and the Kafka topic that it goes to.

    :ivar device_level: the level, from 1, that names the device.
    """

    filter: str
    topic: str
    device_level: int
    schema: schema.Schema | None = None


@dataclass(frozen=True)
class Config:
    """All of it.

    :ivar instance: the name of this host.
    """

    instance: str
    mqtt: Mqtt
    kafka: Kafka
    topics: tuple[Tree, ...]
    dead_letter_topic: str
    metrics: Address


TOP = {
    "instance": Key(str, REQUIRED),
    "mqtt": Key(dict, REQUIRED),
    "kafka": Key(dict, REQUIRED),
    "topics": Key(list, REQUIRED),
    "dead_letter_topic": Key(str, "dead-letters"),
    "metrics": Key(dict, {}),
}
MQTT = {
    **mqtt_user.MQTT,
    "client_id": Key(str, REQUIRED),
    # 14 days. All ones would be a session without an end (MQTT 5, 3.1.2.11.2), whose queue nobody would ever remove.
    "session_expiry_s": Key(int, 1209600, least=3600, most=0xFFFFFFFE),
}
KAFKA = {**settings.KAFKA, "linger_ms": Key(int, 25, least=0, most=1000)}
TREE = {
    "filter": Key(str, REQUIRED),
    "topic": Key(str, REQUIRED),
    "device_level": Key(int, None, least=1, most=64),
    "schema": Key(str, None),
}

METRICS_PORT = 9465


def load(path: Path) -> Config:
    """Return what a file says.

    :raises ConfigError: it can't be read or can't be followed.
    """
    return settings.load(path, parse)


def parse(said: Any) -> Config:
    """Return a configuration of what YAML or JSON gave.

    :raises ConfigError: it can't be followed.
    """
    top = section(said, TOP, "")
    mqtt = section(top["mqtt"], MQTT, "mqtt")
    kafka = section(top["kafka"], KAFKA, "kafka")
    mqtt["password"] = settings.password(mqtt.pop("password_file"), "mqtt.password_file")
    return Config(
        instance=top["instance"],
        mqtt=Mqtt(**mqtt),
        kafka=Kafka(settings.servers(kafka["bootstrap_servers"], "kafka.bootstrap_servers"), kafka["linger_ms"]),
        topics=trees(top["topics"], top["dead_letter_topic"]),
        dead_letter_topic=kafka_topic(top["dead_letter_topic"], "dead_letter_topic"),
        metrics=settings.address(top["metrics"], METRICS_PORT, "metrics"),
    )


def trees(said: list[Any], dead_letter_topic: str) -> tuple[Tree, ...]:
    """Return the trees of topics, no two of which share an MQTT topic."""
    if not said:
        raise ConfigError("topics", "it is empty, so the bridge would carry nothing; name one filter at least")
    found = [tree(each, f"topics[{number}]", dead_letter_topic) for number, each in enumerate(said)]
    for number, later in enumerate(found):
        for before, earlier in enumerate(found[:number]):
            if filters.overlap(earlier.filter, later.filter):
                raise ConfigError(
                    f"topics[{number}].filter",
                    f"`{later.filter}` and topics[{before}].filter `{earlier.filter}` match "
                    "the same MQTT topics, which would come twice; make them disjoint",
                )
    return tuple(found)


def tree(said: Any, where: str, dead_letter_topic: str) -> Tree:
    """Return one tree of topics."""
    values = section(said, TREE, where)
    why = filters.fault(values["filter"])
    if why:
        raise ConfigError(f"{where}.filter", f"`{values['filter']}` is no filter: {why}")
    level = values["device_level"] or filters.first_plus(values["filter"])
    levels = values["filter"].split("/")
    if not level or level > len(levels) or levels[level - 1] != "+":
        place = "device_level" if values["device_level"] else "filter"
        raise ConfigError(
            f"{where}.{place}",
            f"no `+` of `{values['filter']}` names the device, whose order the Kafka key keeps; "
            "put `+` where the device's name stands",
        )
    topic = kafka_topic(values["topic"], f"{where}.topic")
    if topic == dead_letter_topic:
        raise ConfigError(f"{where}.topic", f"`{topic}` is the dead-letter topic; choose another one")
    return Tree(values["filter"], topic, level, load_schema(values["schema"], f"{where}.schema"))


def load_schema(path: str | None, where: str) -> schema.Schema | None:
    """Return the schema of a file."""
    if path is None:
        return None
    try:
        return schema.load(Path(path))
    except (OSError, ValueError) as wrong:
        why = wrong.strerror if isinstance(wrong, OSError) else wrong
        raise ConfigError(where, f"{path} is of no use: {why}") from wrong
