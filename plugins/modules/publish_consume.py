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
  - raspi.kafka._device
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
  messages:
    description: Number of messages.
    type: int
    default: 20
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

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import (
    CONNECTION_ARGSPEC,
    consumer_client,
    run,
)
from ansible_collections.raspi.kafka.plugins.module_utils._mqtt_device import (
    DEVICE_ARGSPEC,
    RANGES,
    check_ranges,
    connected,
    from_now_on,
    partitions_of,
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

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from kafka import KafkaConsumer

BETWEEN = 0.005  # seconds; a device does not wait for nothing either


class Reader:
    """Reads what comes into a Kafka topic from now on; `found` has the records of one run."""

    def __init__(self, consumer: KafkaConsumer, topic: str, run_id: str) -> None:
        self.found: list[Stored] = []
        self.mark = f'"{run_id}"'.encode()
        self.consumer = consumer
        from_now_on(consumer, partitions_of(consumer, topic))

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
    check_ranges(params, {"messages": (1, 100000), **RANGES})
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
            **DEVICE_ARGSPEC,
            "messages": {"type": "int", "default": 20},
            "one_clock": {"type": "bool", "default": False},
        },
        supports_check_mode=False,
    )
    run(module, work)


if __name__ == "__main__":
    main()
