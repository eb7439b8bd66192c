"""What alert.yml says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import mqtt_user, settings
from ..settings import REQUIRED, Address, ConfigError, Duration, Key, section
from . import config_sinks, given, rules

METRICS_PORT = 9466


@dataclass(frozen=True)
class Config:
    """All of it.

    :ivar instance: the name of this host.
    :ivar gateways: the names of all hosts that have alerting in this cluster, each beside its MQTT server and bridge.
    :ivar stalled_after_s: how long a heartbeat may be under way before the pipeline counts as stalled.
    """

    bootstrap_servers: tuple[str, ...]
    instance: str
    gateways: tuple[str, ...]
    rules: rules.Rules
    stalled_after_s: float
    mqtt: mqtt_user.Mqtt
    alertmanager: config_sinks.Alertmanager | None
    webhook: config_sinks.Webhook | None
    metrics: Address


TOP = {
    "kafka": Key(dict, REQUIRED),
    "instance": Key(str, REQUIRED),
    "gateways": Key(list, None),
    "rules": Key(list, REQUIRED),
    # Above what a restart of Kafka on a Pi takes; heartbeats come every 2 s.
    "stalled_after": Key(Duration, Duration(15), least=5, most=3600),
    "mqtt": Key(dict, REQUIRED),
    "alertmanager": Key(dict, None),
    "webhook": Key(dict, None),
    "metrics": Key(dict, {}),
}


def load(path: Path) -> Config:
    """Return what a file says.

    :raises ConfigError: it, or a rules file that it names, can't be read or can't be followed.
    """
    return settings.load(path, parse)


def parse(said: Any) -> Config:
    """Return a configuration of what YAML or JSON gave.

    :raises ConfigError: it can't be followed.
    """
    top = section(said, TOP, "")
    alertmanager, webhook = top["alertmanager"], top["webhook"]
    return Config(
        bootstrap_servers=settings.kafka(top["kafka"]),
        instance=top["instance"],
        gateways=gateways_of(top["gateways"], top["instance"]),
        rules=rules_of(given.texts(top["rules"], "rules")),
        stalled_after_s=top["stalled_after"],
        mqtt=mqtt_user.mqtt(top["mqtt"], "mqtt"),
        alertmanager=config_sinks.alertmanager(alertmanager, "alertmanager") if alertmanager else None,
        webhook=config_sinks.webhook(webhook, "webhook") if webhook else None,
        metrics=settings.address(top["metrics"], METRICS_PORT, "metrics"),
    )


def gateways_of(said: list[Any] | None, instance: str) -> tuple[str, ...]:
    """Return the gateways, of which this host is one; it is the only one if none are named."""
    found = given.texts([instance] if said is None else said, "gateways")
    if instance not in found:
        raise ConfigError("gateways", f"{instance}, which is this host's instance, is not among them; add it")
    return found


def rules_of(paths: tuple[str, ...]) -> rules.Rules:
    """Return the rules of the files, whose mistakes have a line of their own."""
    if not paths:
        raise ConfigError("rules", "it is empty; name one rules file at least")
    try:
        return rules.load(*map(Path, paths))
    except ConfigError as wrong:
        raise ConfigError("rules", str(wrong)) from wrong
