"""What telemetry.yml says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import settings
from ..mqtt_user import Mqtt, level
from ..settings import REQUIRED, ConfigError, Duration, Key, section

if TYPE_CHECKING:
    from pathlib import Path

TOP = {
    "device": Key(str, REQUIRED),
    "mqtt": Key(dict, REQUIRED),
    "interval": Key(Duration, Duration(1)),
    "buffer_mib": Key(int, 32, least=1, most=65536),
}
MQTT = {"servers": Key(list, REQUIRED), "password_file": Key(str, REQUIRED)}
# More often tells nothing more of a temperature, and more seldom is no second that a rule can count on.
LEAST_S, MOST_S = 0.1, 60.0


@dataclass(frozen=True)
class Config:
    """All of it.

    :ivar device: the name of this host, and its user at the MQTT servers.
    :ivar servers: any of them takes the messages.
    :ivar interval_s: seconds between two messages.
    :ivar buffer_bytes: what may wait on the disk.
    """

    device: str
    servers: tuple[Mqtt, ...]
    interval_s: float
    buffer_bytes: int

    @property
    def topic(self) -> str:
        """Where it publishes."""
        return f"devices/{self.device}/telemetry"


def load(path: Path) -> Config:
    """Return what a file says.

    :raises ConfigError: it can't be read or can't be followed.
    """
    return settings.load(path, parse)


def parse(said: Any) -> Config:
    """Return a configuration of what YAML gave.

    :raises ConfigError: it can't be followed.
    """
    top = section(said, TOP, "")
    mqtt = section(top["mqtt"], MQTT, "mqtt")
    device = level(top["device"], "device")
    if not LEAST_S <= top["interval"] <= MOST_S:
        raise ConfigError("interval", f"it must be from {LEAST_S:g}s to {MOST_S:g}s")
    password = settings.password(mqtt["password_file"], "mqtt.password_file")
    servers = []
    for each in settings.servers(mqtt["servers"], "mqtt.servers"):
        host, _colon, port = each.rpartition(":")
        servers.append(Mqtt(host.strip("[]"), int(port), device, password))
    return Config(device, tuple(servers), float(top["interval"]), top["buffer_mib"] << 20)
