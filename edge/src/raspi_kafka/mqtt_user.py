"""Who a program is to an MQTT server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from . import settings
from .settings import PORT, REQUIRED, ConfigError, Key, section

ILLEGAL_IN_A_LEVEL = frozenset("+#/\0")


@dataclass(frozen=True)
class Mqtt:
    """The MQTT server, and the user of the program, which is its client id too."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)

    @property
    def address(self) -> str:
        """Where it is, for people."""
        return f"{self.host}:{self.port}"


def level(name: str, place: str) -> str:
    """Return a name if it can be one level of an MQTT topic.

    :raises ConfigError: it can't.
    """
    if ILLEGAL_IN_A_LEVEL & set(name):
        raise ConfigError(place, f"`{name}` can't be a level of an MQTT topic; leave out `+`, `#` and `/`")
    return name


MQTT = {
    "host": Key(str, "127.0.0.1"),
    "port": Key(int, 1883, **PORT),
    "username": Key(str, REQUIRED),
    "password_file": Key(str, REQUIRED),
}


def mqtt(said: Any, where: str) -> Mqtt:
    """Return what a mapping says of the MQTT server.

    :raises ConfigError: it can't be followed.
    """
    values = section(said, MQTT, where)
    level(values["username"], f"{where}.username")
    values["password"] = settings.password(values.pop("password_file"), f"{where}.password_file")
    return Mqtt(**values)
