"""Alerts to MQTT, where a device or a panel reads the last one of each device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .topics import ALERTS

if TYPE_CHECKING:
    from ..mqtt_publisher import Publisher
    from .alert import Alert

# What no level of an MQTT topic may have (MQTT 5, 4.7.1 and 4.7.3), and what stands for it here. A percent sign too:
# else two devices could share a topic.
ESCAPED = str.maketrans({each: f"%{ord(each):02X}" for each in "+#/\0%"})


class MqttSink:
    """Publishes to alerts/<device>, retained, so that whoever comes later sees the last one."""

    name = "mqtt"

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def send(self, alert: Alert) -> None:
        """Return once the server has it.

        :raises UnreachableError: it has not.
        :raises RefusedError: it never will.
        """
        self._publisher.publish(topic(alert.device), alert.to_json(), retain=True)

    def refresh(self) -> None:
        """Do nothing: the server keeps what it has."""


def topic(device: str) -> str:
    """Return the MQTT topic of a device's alerts."""
    return f"{ALERTS}/{device.translate(ESCAPED)}"
