"""What commands.yml says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import mqtt_user, settings
from ..settings import REQUIRED, Address, ConfigError, Duration, Key, kafka_topic, section
from .record import LONGEST_LIFE_MS


@dataclass(frozen=True)
class Config:
    """All of it.

    :ivar instance: the name of this host.
    :ivar life_ms: after which a command expires that does not say so itself, milliseconds.
    """

    instance: str
    bootstrap_servers: tuple[str, ...]
    mqtt: mqtt_user.Mqtt
    life_ms: int
    dead_letter_topic: str
    metrics: Address


TOP = {
    "instance": Key(str, REQUIRED),
    "kafka": Key(dict, REQUIRED),
    "mqtt": Key(dict, REQUIRED),
    "default_expiry": Key(Duration, Duration(3600), least=1, most=LONGEST_LIFE_MS / 1000),
    "dead_letter_topic": Key(str, "dead-letters"),
    "metrics": Key(dict, {}),
}
METRICS_PORT = 9467


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
    return Config(
        instance=instance_of(top["instance"]),
        bootstrap_servers=settings.kafka(top["kafka"]),
        mqtt=mqtt_user.mqtt(top["mqtt"], "mqtt"),
        life_ms=int(top["default_expiry"] * 1000),
        dead_letter_topic=kafka_topic(top["dead_letter_topic"], "dead_letter_topic"),
        metrics=settings.address(top["metrics"], METRICS_PORT, "metrics"),
    )


def instance_of(said: str) -> str:
    """Return the name of this host, by which Kafka knows how far it has come."""
    if not said.isprintable() or len(said) > 200:
        raise ConfigError("instance", f"{said[:40]!r} can't be part of a consumer group's name; give it a short name")
    return said
