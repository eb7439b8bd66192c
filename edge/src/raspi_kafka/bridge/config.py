"""What bridge.yml says."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from . import filters, schema

if TYPE_CHECKING:
    from collections.abc import Mapping


class ConfigError(Exception):
    """What in the file is wrong, where, why, and what to do."""


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
class Metrics:
    """Where the metrics are served."""

    host: str
    port: int


@dataclass(frozen=True)
class Config:
    """All of it."""

    mqtt: Mqtt
    kafka: Kafka
    topics: tuple[Tree, ...]
    dead_letter_topic: str
    metrics: Metrics


class Key(NamedTuple):
    """What a key of the file has to be.

    :ivar default: REQUIRED if there is none.
    """

    kind: type
    default: Any
    least: int = 0
    most: int = 0


REQUIRED = object()
PORT = {"least": 1, "most": 65535}
TOP = {
    "mqtt": Key(dict, REQUIRED),
    "kafka": Key(dict, REQUIRED),
    "topics": Key(list, REQUIRED),
    "dead_letter_topic": Key(str, "dead-letters"),
    "metrics": Key(dict, {}),
}
MQTT = {
    "host": Key(str, "127.0.0.1"),
    "port": Key(int, 1883, **PORT),
    "username": Key(str, REQUIRED),
    "password_file": Key(str, REQUIRED),
    "client_id": Key(str, REQUIRED),
    # 14 days. All ones would be a session without an end (MQTT 5, 3.1.2.11.2), whose queue nobody would ever remove.
    "session_expiry_s": Key(int, 1209600, least=3600, most=0xFFFFFFFE),
}
KAFKA = {"bootstrap_servers": Key(list, REQUIRED), "linger_ms": Key(int, 25, least=0, most=1000)}
TREE = {
    "filter": Key(str, REQUIRED),
    "topic": Key(str, REQUIRED),
    "device_level": Key(int, None, least=1, most=64),
    "schema": Key(str, None),
}
METRICS = {"host": Key(str, "127.0.0.1"), "port": Key(int, 9465, **PORT)}
KINDS = {dict: "a mapping", list: "a list", str: "a text", int: "a whole number"}


def load(path: Path) -> Config:
    """Return what a file says.

    :raises ConfigError: it can't be read or can't be followed.
    """
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as wrong:
        raise ConfigError(
            f"{path}: it can't be read: {wrong.strerror}; give --config the file of the bridge"
        ) from wrong
    except (yaml.YAMLError, UnicodeDecodeError) as wrong:
        raise ConfigError(f"{path}: it is no YAML: {' '.join(str(wrong).split())}") from wrong
    try:
        return parse(said)
    except ConfigError as wrong:
        raise ConfigError(f"{path}: {wrong}") from wrong


def parse(said: Any) -> Config:
    """Return a configuration of what YAML or JSON gave.

    :raises ConfigError: it can't be followed.
    """
    top = section(said, TOP, "")
    mqtt = section(top["mqtt"], MQTT, "mqtt")
    kafka = section(top["kafka"], KAFKA, "kafka")
    mqtt["password"] = password(mqtt.pop("password_file"))
    return Config(
        mqtt=Mqtt(**mqtt),
        kafka=Kafka(servers(kafka["bootstrap_servers"]), kafka["linger_ms"]),
        topics=trees(top["topics"], top["dead_letter_topic"]),
        dead_letter_topic=kafka_topic(top["dead_letter_topic"], "dead_letter_topic"),
        metrics=Metrics(**section(top["metrics"], METRICS, "metrics")),
    )


def section(said: Any, keys: Mapping[str, Key], where: str) -> dict[str, Any]:
    """Return a mapping of the file with its defaults."""
    given = typed(said, Key(dict, None), where or "the file")
    for name in given:
        if name not in keys:
            near = difflib.get_close_matches(str(name), keys, 1)
            hint = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(sorted(keys))}"
            raise ConfigError(f"{within(where, name)}: there is no such key; {hint}")
    values = {}
    for name, key in keys.items():
        place = within(where, name)
        if name not in given and key.default is REQUIRED:
            raise ConfigError(f"{place}: it is missing, and has no default; give it {KINDS[key.kind]}")
        values[name] = typed(given[name], key, place) if name in given else key.default
    return values


def within(where: str, name: Any) -> str:
    """Return the path of a key."""
    return f"{where}.{name}" if where else str(name)


def typed(value: Any, key: Key, place: str) -> Any:
    """Return a value if it is of the kind and in the range of its key."""
    if not isinstance(value, key.kind) or isinstance(value, bool):
        raise ConfigError(f"{place}: {value!r} is not {KINDS[key.kind]}; write it as one")
    if key.kind is str and not value:
        raise ConfigError(f"{place}: it is empty; give it a text or leave the key out")
    if key.most and not key.least <= value <= key.most:
        raise ConfigError(f"{place}: {value} is out of range; give it one of {key.least} to {key.most}")
    return value


def password(path: str) -> str:
    """Return the first line of the password file."""
    place = "mqtt.password_file"
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as wrong:
        why = wrong.strerror if isinstance(wrong, OSError) else "it is not UTF-8"
        raise ConfigError(
            f"{place}: {path} can't be read: {why}; the user of the bridge has to own or share it"
        ) from wrong
    if not lines or not lines[0]:
        raise ConfigError(f"{place}: the first line of {path} is empty; write the MQTT password there")
    return lines[0]


def servers(said: list[Any]) -> tuple[str, ...]:
    """Return addresses of brokers."""
    for number, each in enumerate(said):
        host, _colon, port = each.rpartition(":") if isinstance(each, str) else ("", "", "")
        if not host or not port.isdigit() or not 1 <= int(port) <= 65535:
            raise ConfigError(f"kafka.bootstrap_servers[{number}]: {each!r} is no address; write HOST:PORT")
    if not said:
        raise ConfigError("kafka.bootstrap_servers: it is empty; name one broker at least, as HOST:PORT")
    return tuple(said)


def trees(said: list[Any], dead_letter_topic: str) -> tuple[Tree, ...]:
    """Return the trees of topics, no two of which share an MQTT topic."""
    if not said:
        raise ConfigError("topics: it is empty, so the bridge would carry nothing; name one filter at least")
    found = [tree(each, f"topics[{number}]", dead_letter_topic) for number, each in enumerate(said)]
    for number, later in enumerate(found):
        for before, earlier in enumerate(found[:number]):
            if filters.overlap(earlier.filter, later.filter):
                raise ConfigError(
                    f"topics[{number}].filter: `{later.filter}` and topics[{before}].filter `{earlier.filter}` match "
                    "the same MQTT topics, which would come twice; make them disjoint"
                )
    return tuple(found)


def tree(said: Any, where: str, dead_letter_topic: str) -> Tree:
    """Return one tree of topics."""
    values = section(said, TREE, where)
    why = filters.fault(values["filter"])
    if why:
        raise ConfigError(f"{where}.filter: `{values['filter']}` is no filter: {why}")
    level = values["device_level"] or filters.first_plus(values["filter"])
    levels = values["filter"].split("/")
    if not level or level > len(levels) or levels[level - 1] != "+":
        place = "device_level" if values["device_level"] else "filter"
        raise ConfigError(
            f"{where}.{place}: no `+` of `{values['filter']}` names the device, whose order the Kafka key keeps; "
            "put `+` where the device's name stands"
        )
    topic = kafka_topic(values["topic"], f"{where}.topic")
    if topic == dead_letter_topic:
        raise ConfigError(f"{where}.topic: `{topic}` is the dead-letter topic; choose another one")
    return Tree(values["filter"], topic, level, load_schema(values["schema"], f"{where}.schema"))


def kafka_topic(name: str, where: str) -> str:
    """Return the name of a topic if Kafka takes it (its own rule: at most 249 of these characters)."""
    legal = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    if not set(name) <= legal or len(name) > 249 or name in (".", ".."):
        raise ConfigError(f"{where}: `{name}` is no name of a Kafka topic; use letters, digits, `.`, `_` and `-`")
    return name


def load_schema(path: str | None, where: str) -> schema.Schema | None:
    """Return the schema of a file."""
    if path is None:
        return None
    try:
        return schema.load(Path(path))
    except (OSError, ValueError) as wrong:
        why = wrong.strerror if isinstance(wrong, OSError) else wrong
        raise ConfigError(f"{where}: {path} is of no use: {why}") from wrong
