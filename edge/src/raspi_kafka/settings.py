"""Files of YAML, checked key by key: what is wrong, on which line, why, and what to do."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Parsed = TypeVar("Parsed")
LEGAL_IN_TOPICS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class ConfigError(Exception):
    """What in a file can't be followed.

    :ivar place: the path of the key, e.g. `topics[0].filter`; empty if it is the file as a whole.
    :ivar reason: why, and what to do.
    """

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.place = place
        self.reason = reason


class Duration(float):
    """Seconds, written as a number with a unit: 500ms is not one, 30s, 1.5m, 2h and 7d are."""


class Key(NamedTuple):
    """What a key of a file has to be.

    :ivar default: REQUIRED if there is none.
    """

    kind: type
    default: Any
    least: float = 0
    most: float = 0


REQUIRED = object()
PORT = {"least": 1, "most": 65535}
KAFKA = {"bootstrap_servers": Key(list, REQUIRED)}
KINDS = {
    dict: "a mapping",
    list: "a list",
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Duration: "a duration such as 30s, 5m, 2h or 7d",
}


@dataclass(frozen=True)
class Address:
    """Where something is served."""

    host: str
    port: int


def load(path: Path, parse: Callable[[Any], Parsed]) -> Parsed:
    """Return what `parse` makes of a file.

    :raises ConfigError: it can't be read or can't be followed.
    """
    try:
        text = path.read_text(encoding="utf-8")
        said = yaml.safe_load(text)
    except OSError as wrong:
        raise ConfigError("", f"{path}: it can't be read: {wrong.strerror}; name a file that is there") from wrong
    except (yaml.YAMLError, ValueError) as wrong:  # a day that no calendar has, bytes that are no UTF-8
        raise ConfigError("", f"{path}: it is no YAML: {' '.join(str(wrong).split())}") from wrong
    try:
        return parse(said)
    except ConfigError as wrong:
        where = f"{path}:{line(text, wrong.place)}" if wrong.place else path
        raise ConfigError("", f"{where}: {wrong}") from wrong


def line(text: str, place: str) -> int:
    """Return the line, from 1, at which a key of a YAML text stands, or the innermost of its parents that is there."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    found = 1
    for name, number in re.findall(r"([^.\[\]]+)|\[(\d+)\]", place):
        if isinstance(node, yaml.SequenceNode) and number:
            node = node.value[int(number)]
            found = node.start_mark.line + 1
        elif isinstance(node, yaml.MappingNode):
            pairs = [(key, value) for key, value in node.value if key.value == name]
            if not pairs:
                break
            key, node = pairs[0]
            found = key.start_mark.line + 1
    return found


def section(said: Any, keys: Mapping[str, Key], where: str) -> dict[str, Any]:
    """Return a mapping of a file with its defaults."""
    given = typed(said, Key(dict, None), where)
    for name in given:
        if name not in keys:
            near = difflib.get_close_matches(str(name), keys, 1)
            hint = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(sorted(keys))}"
            raise ConfigError(within(where, name), f"there is no such key; {hint}")
    values = {}
    for name, key in keys.items():
        place = within(where, name)
        if name not in given and key.default is REQUIRED:
            raise ConfigError(place, f"it is missing, and has no default; give it {KINDS[key.kind]}")
        values[name] = typed(given[name], key, place) if name in given else key.default
    return values


def within(where: str, name: Any) -> str:
    """Return the path of a key."""
    return f"{where}.{name}" if where else str(name)


def typed(value: Any, key: Key, place: str) -> Any:
    """Return a value if it is of the kind and in the range of its key."""
    if key.kind is Duration and isinstance(value, str):
        value = duration(value, place)
    # To YAML 30 is a whole number where a number is asked for, and true is a kind of its own.
    kinds = (int, float) if key.kind is float else key.kind
    if not isinstance(value, kinds) or isinstance(value, bool) is not (key.kind is bool):
        raise ConfigError(place, f"{value!r} is not {KINDS[key.kind]}; write it as one")
    if key.kind is str and not value:
        raise ConfigError(place, "it is empty; give it a text or leave the key out")
    if key.most and not key.least <= value <= key.most:
        raise ConfigError(place, f"{value} is out of range; give it one of {key.least} to {key.most}")
    return value


def duration(text: str, place: str) -> Duration:
    """Return the seconds of a text such as 5m."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if not found:
        raise ConfigError(place, f"{text!r} is not {KINDS[Duration]}; write it as one")
    return Duration(float(found[1]) * SECONDS[found[2]])


def password(path: str, place: str) -> str:
    """Return the first line of a file with a password."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as wrong:
        why = wrong.strerror if isinstance(wrong, OSError) else "it is not UTF-8"
        raise ConfigError(
            place, f"{path} can't be read: {why}; the user of the service has to own or share it"
        ) from wrong
    if not lines or not lines[0]:
        raise ConfigError(place, f"the first line of {path} is empty; write the password there")
    return lines[0]


def servers(said: list[Any], place: str) -> tuple[str, ...]:
    """Return addresses of brokers."""
    for number, each in enumerate(said):
        host, _colon, port = each.rpartition(":") if isinstance(each, str) else ("", "", "")
        if not host or not port.isdigit() or not 1 <= int(port) <= 65535:
            raise ConfigError(f"{place}[{number}]", f"{each!r} is no address; write HOST:PORT")
    if not said:
        raise ConfigError(place, "it is empty; name one broker at least, as HOST:PORT")
    return tuple(said)


def kafka(said: Any) -> tuple[str, ...]:
    """Return the brokers of a file whose section of Kafka has nothing else."""
    return servers(section(said, KAFKA, "kafka")["bootstrap_servers"], "kafka.bootstrap_servers")


def kafka_topic(name: str, place: str) -> str:
    """Return the name of a topic if Kafka takes it (its own rule: at most 249 of these characters)."""
    if not set(name) <= LEGAL_IN_TOPICS or len(name) > 249 or name in (".", ".."):
        raise ConfigError(place, f"`{name}` is no name of a Kafka topic; use letters, digits, `.`, `_` and `-`")
    return name


def address(said: Any, port: int, place: str) -> Address:
    """Return where something is served: on loopback and on this port unless the file says otherwise."""
    return Address(**section(said, {"host": Key(str, "127.0.0.1"), "port": Key(int, port, **PORT)}, place))
