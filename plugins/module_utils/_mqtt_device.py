# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: this module util may change at any time, its names are no promise to other collections.

"""A device as the proofs have it: one user of Mosquitto, which publishes one message after the other."""

from __future__ import annotations

import threading
import time
import typing as t
from contextlib import contextmanager, suppress

from ansible_collections.raspi.kafka.plugins.module_utils._kafka import ExpectedError, this_host
from ansible_collections.raspi.kafka.plugins.module_utils._mqtt_proof import Published

with suppress(ImportError):  # _kafka.require_kafka_python() has the sentence for it; both stand in one lock file
    from kafka import TopicPartition
    from paho.mqtt.client import Client, MQTTv5
    from paho.mqtt.enums import CallbackAPIVersion

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kafka import KafkaConsumer
    from paho.mqtt.reasoncodes import ReasonCode

DEVICE_ARGSPEC: dict[str, dict[str, t.Any]] = {
    "mqtt_host": {"type": "str", "required": True},
    "mqtt_port": {"type": "int", "default": 1883},
    "device": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "mqtt_topic": {"type": "str", "required": True},
    "topic": {"type": "str", "required": True},
    "timeout": {"type": "int", "default": 60},
}
RANGES = {"timeout": (5, 3600), "mqtt_port": (1, 65535)}

NO_SUBSCRIBER = 0x10  # reason codes of MQTT 5, 3.4.2.1
NOT_AUTHORIZED = 0x87
HINTS = {
    NO_SUBSCRIBER: (
        "no_subscriber",
        "nobody reads it: look whether the bridge has its session (systemctl status raspi-kafka-bridge)",
    ),
    NOT_AUTHORIZED: ("refused", "the device may not publish there: look at the ACL in /etc/raspi-kafka/mosquitto"),
}


class Device:
    """An MQTT 5 client of one user; paho runs its connection in a thread."""

    def __init__(self, params: Mapping[str, t.Any]) -> None:
        self.params = params
        self.where = f"{params['mqtt_host']}:{params['mqtt_port']}"
        self.answered = threading.Event()
        self.answer: ReasonCode | None = None
        self.client = Client(CallbackAPIVersion.VERSION2, client_id=params["device"], protocol=MQTTv5)
        self.client.username_pw_set(params["device"], params["password"])
        self.client.on_connect = lambda _client, _data, _flags, reason, _properties: self.told(reason)
        self.client.on_publish = lambda _client, _data, _mid, reason, _properties: self.told(reason)

    def told(self, reason: ReasonCode) -> None:
        self.answer = reason
        self.answered.set()

    def wait(self, seconds: float, what: str) -> ReasonCode:
        """The broker's answer.

        :raises ExpectedError: there is none in time.
        """
        if not self.answered.wait(seconds):
            raise ExpectedError(
                f"Mosquitto at {self.where} did not acknowledge {what} within {seconds:.0f} s.", reason="timeout"
            )
        return self.answer

    def connect(self, seconds: float) -> None:
        """:raises ExpectedError: the broker cannot be reached, or does not let the device in."""
        try:
            self.client.connect(self.params["mqtt_host"], self.params["mqtt_port"])
        except OSError as error:
            raise ExpectedError(
                f"Mosquitto cannot be reached at {self.where} from {this_host()}: "
                f"{(error.strerror or str(error)).lower()}. Look whether it runs (systemctl status mosquitto), and "
                "whether a firewall is between.",
                reason="unreachable",
            ) from error
        self.client.loop_start()
        reason = self.wait(seconds, "the connection")
        if reason.is_failure:
            raise ExpectedError(
                f"Mosquitto at {self.where} does not let {self.params['device']} in: {str(reason).lower()}. Its "
                "password there is not the one in the credentials of this inventory.",
                reason="refused",
            )

    def publish(self, payload: bytes, seconds: float) -> Published:
        """Send one message and wait for its PUBACK.

        :raises ExpectedError: there is none, or it says that the message goes nowhere.
        """
        topic = self.params["mqtt_topic"]
        self.answered.clear()
        sent, begin = time.time(), time.perf_counter()
        self.client.publish(topic, payload, qos=1)
        reason = self.wait(seconds, f"a message on {topic}")
        took = (time.perf_counter() - begin) * 1000
        if reason.is_failure or reason.value == NO_SUBSCRIBER:
            kind, hint = HINTS.get(reason.value, ("not_acknowledged", "look into its journal"))
            raise ExpectedError(
                f"Mosquitto at {self.where} took a message on {topic}, and says '{str(reason).lower()}': {hint}.",
                reason=kind,
            )
        return Published(payload, sent, took)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@contextmanager
def connected(params: Mapping[str, t.Any], seconds: float) -> Iterator[Device]:
    device = Device(params)
    try:
        device.connect(seconds)
        yield device
    finally:
        device.close()


def check_ranges(params: Mapping[str, t.Any], ranges: Mapping[str, tuple[int, int]]) -> None:
    """:raises ExpectedError: an option is out of its range."""
    for name, (low, high) in ranges.items():
        if not low <= params[name] <= high:
            raise ExpectedError(f"{name} is {params[name]}. Choose {low} to {high}.", reason="invalid")


def partitions_of(consumer: KafkaConsumer, topic: str) -> list[TopicPartition]:
    """All partitions of a topic.

    :raises ExpectedError: it does not exist.
    """
    partitions = consumer.partitions_for_topic(topic)
    if not partitions:
        raise ExpectedError(f"Topic {topic} does not exist. Declare it in topics_declared.", reason="invalid")
    return [TopicPartition(topic, number) for number in partitions]


def from_now_on(consumer: KafkaConsumer, places: list[TopicPartition]) -> None:
    """Let a consumer read what comes next."""
    consumer.assign(places)
    for place, offset in consumer.end_offsets(places).items():
        consumer.seek(place, offset)
