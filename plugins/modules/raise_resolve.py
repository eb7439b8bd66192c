#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: raise_resolve
short_description: Prove that alerting raises an alert of what a device publishes, and resolves it
version_added: 0.1.0
description:
  - Publishes over MQTT as a device a message that meets a rule, and waits until the Kafka topic C(alerts) has the alert
    that belongs to this message. Then it publishes one that does not, and waits for the end of the alert.
  - Reads only what is committed, and fails if either is there more than once.
  - Says how long alerting took.
  - A failure says which hop it was, from the device by MQTT and the bridge to alerting and its rule.
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
      - The task is never reported as changed, although each run leaves its messages in the topics until their
        retention.
options:
  rule:
    description: Name of the rule, which fires while the field C(alert) of the device's messages is above 0.
    type: str
    required: true
seealso:
  - module: raspi.kafka.publish_consume
"""

EXAMPLES = r"""
- name: A device raises an alert and ends it
  raspi.kafka.raise_resolve:
    mqtt_host: 127.0.0.1
    device: raspi-kafka-verify
    password: "{{ vault_password }}"
    mqtt_topic: raspi-kafka-verify/raspi-kafka-verify/alert
    bootstrap_servers: ["127.0.0.1:9092"]
    topic: raspi-kafka-verify
    rule: raspi-kafka-verify
"""

RETURN = r"""
alert_id:
  description: The id of the alert.
  returned: success
  type: str
  sample: raspi-kafka-verify/raspi-kafka-verify/raspi-kafka-verify-0-4711
decided_ms:
  description:
    - Milliseconds from the record that decided to the alert, both by the time at which Kafka stored them, of V(FIRING)
      and V(RESOLVED).
  returned: success
  type: dict
  sample: {FIRING: 12, RESOLVED: 9}
seen_ms:
  description:
    - Milliseconds from the publishing of the message to the reading of the alert, of V(FIRING) and V(RESOLVED).
  returned: success
  type: dict
  sample: {FIRING: 61.3, RESOLVED: 58.0}
reason:
  description:
    - Kind of the failure, for a play to decide on.
    - One of V(unreachable), V(refused), V(no_subscriber), V(not_acknowledged), V(lost), V(no_alerting), V(no_alert),
      V(twice), V(timeout), V(invalid), V(kafka_error), V(kafka_python_missing).
  returned: failure
  type: str
  sample: no_alerting
"""

import json
import time
import typing as t
from collections import Counter

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import (
    CONNECTION_ARGSPEC,
    ExpectedError,
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
from ansible_collections.raspi.kafka.plugins.module_utils._proof import new_run_id

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.raspi.kafka.plugins.module_utils._mqtt_device import Device
    from kafka import KafkaConsumer

ALERTS = "alerts"
HEARTBEAT = "raspi-kafka-heartbeat"
FIRING = "FIRING"
RESOLVED = "RESOLVED"


class Log:
    """What comes into the topics of devices, alerts and heartbeats from now on.

    :ivar places: partition and offset of messages of the device, by their payload.
    :ivar alerts: of all alerts their id, state, and milliseconds from the record that decided.
    :ivar beats: how many heartbeats came.
    """

    def __init__(self, consumer: KafkaConsumer, topic: str) -> None:
        self.consumer = consumer
        self.topic = topic
        self.places: dict[bytes, tuple[int, int]] = {}
        self.alerts: list[tuple[str, str, int]] = []
        self.beats = 0
        if missing := {ALERTS, HEARTBEAT} - consumer.topics():
            raise ExpectedError(
                f"Topic {min(missing)} does not exist: alerting was never deployed, or somebody has deleted it. Run "
                "raspi.kafka.site.",
                reason="no_alerting",
            )
        from_now_on(consumer, [place for name in (topic, ALERTS, HEARTBEAT) for place in partitions_of(consumer, name)])

    def poll(self) -> None:
        """Take what comes within a moment."""
        for place, records in self.consumer.poll(timeout_ms=100).items():
            for record in records:
                self.take(place, record)

    def take(self, place: t.Any, record: t.Any) -> None:
        if place.topic == self.topic:
            self.places.setdefault(record.value or b"", (place.partition, record.offset))
        elif place.topic == HEARTBEAT:
            self.beats += 1
        else:
            alert = json.loads(record.value)
            self.alerts.append((alert["id"], alert["state"], record.timestamp - alert["decided_ms"]))

    def catch_up(self, until: float) -> None:
        """Take all that is there by now, for as long as there is time (seconds of time.monotonic())."""
        ends = self.consumer.end_offsets(self.consumer.assignment())
        while any(self.consumer.position(place) < end for place, end in ends.items()) and time.monotonic() < until:
            self.poll()


class Proof:
    """One message after the other, and what follows from each."""

    def __init__(self, params: Mapping[str, t.Any], log: Log, device: Device) -> None:
        self.params, self.log, self.device = params, log, device
        self.run_id = new_run_id()
        self.end = time.monotonic() + params["timeout"]
        self.decided_ms: dict[str, int] = {}
        self.seen_ms: dict[str, float] = {}

    def publish(self, alert: int, number: int) -> bytes:
        payload = json.dumps({"run": self.run_id, "message": number, "alert": alert}).encode()
        self.device.publish(payload, max(1.0, self.end - time.monotonic()))
        return payload

    def in_kafka(self, payload: bytes) -> str:
        """The id of the alert that begins with a message.

        :raises ExpectedError: the message does not come.
        """
        while payload not in self.log.places:
            if time.monotonic() > self.end:
                raise ExpectedError(
                    f"Mosquitto acknowledged a message on {self.params['mqtt_topic']}, and within "
                    f"{self.params['timeout']} s it was not in the Kafka topic {self.log.topic}: look at the bridge "
                    "(systemctl status raspi-kafka-bridge).",
                    reason="lost",
                )
            self.log.poll()
        partition, offset = self.log.places[payload]
        return f"{self.params['rule']}/{self.params['device']}/{self.log.topic}-{partition}-{offset}"

    def expect(self, alert_id: str, state: str, began: float) -> None:
        """Wait for an alert.

        :raises ExpectedError: it does not come.
        """
        beats = self.log.beats
        while not (found := [took for one, each, took in self.log.alerts if (one, each) == (alert_id, state)]):
            if time.monotonic() > self.end:
                raise self.missing(state, alive=self.log.beats > beats)
            self.log.poll()
        self.seen_ms[state] = round((time.monotonic() - began) * 1000, 1)
        self.decided_ms[state] = found[0]

    def missing(self, state: str, alive: bool) -> ExpectedError:
        """Why there is no alert, as far as heartbeats tell, which each host sends on which alerting runs."""
        what = f"A message of {self.params['device']} is in Kafka, and within {self.params['timeout']} s"
        if not alive:
            return ExpectedError(
                f"{what} no alert followed, nor any heartbeat of alerting: it does not run, or waits for something. "
                "Look at it with systemctl status raspi-kafka-alerting, in a cluster on each host.",
                reason="no_alerting",
            )
        return ExpectedError(
            f"{what} alerting, which runs, has not put {state} of the rule {self.params['rule']} into the topic "
            f"{ALERTS}. Look which host decides (systemctl status raspi-kafka-alerting), whether it has the rule "
            "(raspi-kafka alert check /etc/raspi-kafka/proof-rules.yml), and how far it is behind (kafka "
            "consumer-groups --describe --group raspi-kafka-alerting).",
            reason="no_alert",
        )

    def once_each(self, alert_id: str) -> None:
        """:raises ExpectedError: an alert is there twice."""
        self.log.catch_up(self.end)
        counts = Counter(state for one, state, _took in self.log.alerts if one == alert_id)
        if counts != {FIRING: 1, RESOLVED: 1}:
            raise ExpectedError(
                f"The topic {ALERTS} has {alert_id} {counts[FIRING]} times with {FIRING} and {counts[RESOLVED]} times "
                f"with {RESOLVED}, and not once each: look whether two processes decide (systemctl status "
                "raspi-kafka-alerting on each host).",
                reason="twice",
            )


def prove(params: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Raise and resolve.

    :raises ExpectedError: a hop fails.
    """
    with consumer_client(params, isolation_level="read_committed") as consumer:
        log = Log(consumer, params["topic"])
        with connected(params, params["timeout"]) as device:
            proof = Proof(params, log, device)
            proof.publish(0, 1)  # it ends what a proof that was cut short has left
            began = time.monotonic()
            alert_id = proof.in_kafka(proof.publish(1, 2))
            proof.expect(alert_id, FIRING, began)
            began = time.monotonic()
            proof.publish(0, 3)
            proof.expect(alert_id, RESOLVED, began)
        proof.once_each(alert_id)
    return {"alert_id": alert_id, "decided_ms": proof.decided_ms, "seen_ms": proof.seen_ms}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    check_ranges(module.params, RANGES)
    return {"changed": False, **prove(module.params)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={**CONNECTION_ARGSPEC, **DEVICE_ARGSPEC, "rule": {"type": "str", "required": True}},
        supports_check_mode=False,
    )
    run(module, work)


if __name__ == "__main__":
    main()
