#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: publish_consume
short_description: Prove that what a device publishes over MQTT is in Kafka
version_added: 0.1.0
description:
  - Publishes numbered messages over MQTT 5 with QoS 1, as a device does, one after the acknowledgement of the other.
  - Reads the Kafka topic meanwhile, and compares every message by content, key, MQTT topic and order.
  - Says how long each hop took.
  - Fails if anything that the MQTT broker has acknowledged is not in Kafka, is different, or in another order.
author:
  - raspi.kafka contributors (@raspi-kafka)
extends_documentation_fragment:
  - raspi.kafka._kafka
  - raspi.kafka._attributes
  - raspi.kafka._attributes.kafka
attributes:
  check_mode:
    support: none
    details:
      - The proof needs messages. In check mode the task is skipped.
  diff_mode:
    support: none
  idempotent:
    details:
      - The task is never reported as changed, although each run leaves its messages in the topic until its retention.
options:
  mqtt_host:
    description: Where the MQTT broker is.
    type: str
    required: true
  mqtt_port:
    description: Its port.
    type: int
    default: 1883
  device:
    description: The device's user name at the MQTT broker, which is the key of its records too.
    type: str
    required: true
  password:
    description: The device's password.
    type: str
    required: true
  mqtt_topic:
    description: Where the device publishes.
    type: str
    required: true
  topic:
    description: The Kafka topic in which the messages have to arrive.
    type: str
    required: true
  messages:
    description: Number of messages.
    type: int
    default: 20
  timeout:
    description: Seconds in which all of it has to be done (5 to 3600).
    type: int
    default: 60
  one_clock:
    description:
      - Whether this host has the clock by which the bridge and the Kafka broker go. Only then their hops can be told
        from each other.
    type: bool
    default: false
seealso:
  - module: raspi.kafka.produce_consume
"""

EXAMPLES = r"""
- name: What a device sends is in Kafka
  raspi.kafka.publish_consume:
    mqtt_host: 127.0.0.1
    device: raspi-kafka-verify
    password: "{{ vault_password }}"
    mqtt_topic: devices/raspi-kafka-verify/proof
    bootstrap_servers: ["127.0.0.1:9092"]
    topic: telemetry
    one_clock: true
"""

RETURN = r"""
run_id:
  description: What tells the messages of this run from others.
  returned: success
  type: str
  sample: 20260301T120000Z-5f0c3a9e
device:
  description: Who published.
  returned: success
  type: str
  sample: raspi-kafka-verify
topic:
  description: The Kafka topic.
  returned: success
  type: str
  sample: telemetry
messages_published:
  description: Number of messages that the MQTT broker acknowledged.
  returned: success
  type: int
  sample: 20
records_consumed:
  description: Number of them that were read from Kafka as they were sent, under their device and in their order.
  returned: success
  type: int
  sample: 20
hops:
  description:
    - Median and 99th percentile in milliseconds from the publishing to the MQTT broker's acknowledgement (C(puback))
      and to the consumer (C(consumer)), and with O(one_clock=true) to the bridge (C(bridge)) and from there into
      Kafka's log (C(append)).
  returned: success
  type: dict
  sample: {puback: {p50_ms: 0.4, p99_ms: 1.1}, consumer: {p50_ms: 29.0, p99_ms: 33.1}}
reason:
  description:
    - Kind of the failure, for a play to decide on.
    - One of V(unreachable), V(refused), V(no_subscriber), V(not_acknowledged), V(lost), V(different), V(order),
      V(timeout), V(invalid), V(kafka_error), V(kafka_python_missing).
  returned: failure
  type: str
  sample: unreachable
"""

import threading
import time
import typing as t
from contextlib import contextmanager, suppress

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import (
    CONNECTION_ARGSPEC,
    ExpectedError,
    consumer_client,
    run,
    this_host,
)
from ansible_collections.raspi.kafka.plugins.module_utils._mqtt_proof import (
    Published,
    Stored,
    hops,
    judge,
    payload_of,
    shown,
)
from ansible_collections.raspi.kafka.plugins.module_utils._proof import new_run_id

with suppress(ImportError):  # _kafka.require_kafka_python() has the sentence for it; both stand in one lock file
    from kafka import TopicPartition
    from paho.mqtt.client import Client, MQTTv5
    from paho.mqtt.enums import CallbackAPIVersion

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kafka import KafkaConsumer
    from paho.mqtt.reasoncodes import ReasonCode

NO_SUBSCRIBER = 0x10  # reason codes of MQTT 5, 3.4.2.1
NOT_AUTHORIZED = 0x87
BETWEEN = 0.005  # seconds; a device does not wait for nothing either
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


class Reader:
    """Reads what comes into a Kafka topic from now on; `found` has the records of one run."""

    def __init__(self, consumer: KafkaConsumer, topic: str, run_id: str) -> None:
        self.found: list[Stored] = []
        self.mark = f'"{run_id}"'.encode()
        self.consumer = consumer
        partitions = consumer.partitions_for_topic(topic)
        if not partitions:
            raise ExpectedError(f"Topic {topic} does not exist. Declare it in topics_declared.", reason="invalid")
        consumer.assign([TopicPartition(topic, number) for number in partitions])
        for place, offset in consumer.end_offsets(consumer.assignment()).items():
            consumer.seek(place, offset)

    def poll(self, seconds: float) -> None:
        """Take what has come within some seconds."""
        for place, records in self.consumer.poll(timeout_ms=int(seconds * 1000)).items():
            now = time.time()
            self.found += [
                Stored(
                    *(place.partition, record.offset, record.key, record.value),
                    *(dict(record.headers), record.timestamp / 1000, now),
                )
                for record in records
                if self.mark in (record.value or b"")
            ]


def check_options(params: Mapping[str, t.Any]) -> None:
    for name, low, high in (("messages", 1, 100000), ("timeout", 5, 3600), ("mqtt_port", 1, 65535)):
        if not low <= params[name] <= high:
            raise ExpectedError(f"{name} is {params[name]}. Choose {low} to {high}.", reason="invalid")


def publish_and_read(params: Mapping[str, t.Any], run_id: str) -> tuple[list[Published], list[Stored]]:
    """Publish all messages and read until all of them are there, or the time is over."""
    end = time.monotonic() + params["timeout"]
    published: list[Published] = []
    with consumer_client(params) as consumer:
        reader = Reader(consumer, params["topic"], run_id)
        with connected(params, params["timeout"]) as device:
            for number in range(1, params["messages"] + 1):
                left = max(1.0, end - time.monotonic())
                published.append(device.publish(payload_of(run_id, number, params["messages"]), left))
                reader.poll(BETWEEN)
        wanted = {one.payload for one in published}
        while wanted - {one.value for one in reader.found} and time.monotonic() < end:
            reader.poll(0.2)
    return published, reader.found


def work(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    check_options(params)
    run_id = new_run_id()
    published, found = publish_and_read(params, run_id)
    records = judge(published, found, params["device"], params["mqtt_topic"])
    return {
        "changed": False,
        "run_id": run_id,
        "device": params["device"],
        "topic": params["topic"],
        "messages_published": len(published),
        "records_consumed": len(records),
        "hops": shown(hops(published, records, params["one_clock"])),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_ARGSPEC,
            "mqtt_host": {"type": "str", "required": True},
            "mqtt_port": {"type": "int", "default": 1883},
            "device": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "mqtt_topic": {"type": "str", "required": True},
            "topic": {"type": "str", "required": True},
            "messages": {"type": "int", "default": 20},
            "timeout": {"type": "int", "default": 60},
            "one_clock": {"type": "bool", "default": False},
        },
        supports_check_mode=False,
    )
    run(module, work)


if __name__ == "__main__":
    main()
