"""Who a program is to an MQTT server."""

from __future__ import annotations

from dataclasses import dataclass, field

from .settings import ConfigError

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
