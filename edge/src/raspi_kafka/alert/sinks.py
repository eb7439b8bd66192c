"""The deliveries that a configuration asks for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .alertmanager import Alertmanager
from .delivery import Delivery
from .inbox import Inbox
from .mqtt_sink import MqttSink
from .webhook import Webhook

if TYPE_CHECKING:
    from ..mqtt_publisher import Publisher
    from . import config_sinks
    from .delivery import Sink

GROUP = "raspi-kafka-alerting-"


def to_mqtt(publisher: Publisher, instance: str, servers: tuple[str, ...]) -> Delivery:
    """Return what takes alerts to the MQTT server of a host; not started."""
    sink = MqttSink(publisher)
    return Delivery(sink, partial(Inbox, servers, f"{GROUP}{sink.name}-{instance}"))


def to_alertmanager(wanted: config_sinks.Alertmanager, servers: tuple[str, ...]) -> list[Delivery]:
    """Return what takes alerts to each member of a cluster; not started."""
    members = [Alertmanager(url, wanted.authorization) for url in wanted.urls]
    return [of(each, servers) for each in members]


def to_webhook(wanted: config_sinks.Webhook, servers: tuple[str, ...]) -> Delivery:
    """Return what takes alerts to a program; not started."""
    return of(Webhook(wanted), servers)


def of(sink: Sink, servers: tuple[str, ...]) -> Delivery:
    """Return what takes alerts to a sink; not started."""
    restore = sink.restore if isinstance(sink, Alertmanager) else None
    return Delivery(sink, partial(Inbox, servers, GROUP + sink.name, restore))
