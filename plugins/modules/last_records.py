#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: last_records
short_description: Find the last record of each key among the newest records of topics
version_added: 0.1.0
description:
  - Reads the end of each partition, as many records as O(depth) says, and tells for each key when its last record was
    stored. Changes nothing and commits nothing.
author: raspi.kafka contributors (@raspi-kafka)
extends_documentation_fragment:
  - raspi.kafka._kafka
  - raspi.kafka._attributes.INFO_MODULE
options:
  topics:
    description: The topics. One that does not exist has no records.
    type: list
    elements: str
    required: true
  depth:
    description: How many records to read of each partition at most, 1 to 1000000.
    type: int
    default: 10000
"""

EXAMPLES = r"""
- name: Ask when each device was heard last
  raspi.kafka.last_records:
    bootstrap_servers: ["127.0.0.1:19092"]
    topics: [telemetry]
"""

RETURN = r"""
records:
  description: Key -> its last record. Records without a key are left out.
  returned: success
  type: dict
  sample:
    kitchen:
      timestamp: 1795383451715
      topic: telemetry
      partition: 0
      offset: 41
      headers: {mqtt.topic: devices/kitchen/temperature}
complete:
  description: Whether all records of the topics were read, so that a key that is missing has none.
  returned: success
  type: bool
  sample: true
since:
  description: Time of the oldest record that was read, in milliseconds since the epoch; null where there was none.
  returned: success
  type: int
  sample: 1795383450715
reason:
  description:
    - Kind of the failure.
    - One of V(invalid), V(timeout), V(unreachable), V(kafka_error), V(kafka_python_missing).
  returned: failure
  type: str
  sample: unreachable
"""

import typing as t
from contextlib import suppress
from dataclasses import dataclass, field

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import (
    CONNECTION_ARGSPEC,
    ExpectedError,
    consumer_client,
    run,
)

with suppress(ImportError):  # _kafka.require_kafka_python() has the sentence for it
    from kafka import TopicPartition

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kafka import KafkaConsumer

POLL_MS = 500


def text(data: bytes | None) -> str:
    """Bytes of a key or a header for a reader."""
    return (data or b"").decode(errors="replace")


@dataclass
class Found:
    """What was read: of each key the record with the latest timestamp, and the oldest timestamp of all."""

    records: dict[str, dict[str, t.Any]] = field(default_factory=dict)
    since: int | None = None

    def add(self, record: t.Any) -> None:
        """Take a kafka.consumer.fetcher.ConsumerRecord into account."""
        self.since = record.timestamp if self.since is None else min(self.since, record.timestamp)
        key = text(record.key)
        if not key or (key in self.records and self.records[key]["timestamp"] > record.timestamp):
            return
        self.records[key] = {
            "timestamp": record.timestamp,
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "headers": {name: text(value) for name, value in record.headers},
        }


def starts(beginning: Mapping[t.Any, int], end: Mapping[t.Any, int], depth: int) -> dict[t.Any, int]:
    """Where to begin in each partition that has records."""
    return {tp: max(beginning[tp], end[tp] - depth) for tp in end if end[tp] > beginning[tp]}


def read(consumer: KafkaConsumer, begin: Mapping[t.Any, int], end: Mapping[t.Any, int], patience_ms: int) -> Found:
    """Read from `begin` up to `end`; a position also passes control records.

    :raises ExpectedError: nothing has come for `patience_ms`.
    """
    found, silent_ms = Found(), 0
    consumer.assign(list(begin))
    for tp, offset in begin.items():
        consumer.seek(tp, offset)
    while any(consumer.position(tp) < end[tp] for tp in begin):
        batches = consumer.poll(timeout_ms=POLL_MS)
        silent_ms = 0 if batches else silent_ms + POLL_MS
        if silent_ms > patience_ms:
            raise ExpectedError(
                f"No record came for {patience_ms // 1000} s, and not all were read. Look whether all brokers run.",
                reason="timeout",
            )
        for record in (record for batch in batches.values() for record in batch):
            found.add(record)
    return found


def partitions_of(consumer: KafkaConsumer, topics: Iterable[str]) -> list[TopicPartition]:
    """All partitions of the topics that exist."""
    there = set(consumer.topics())
    known = sorted(there & set(topics))
    return [TopicPartition(topic, number) for topic in known for number in consumer.partitions_for_topic(topic)]


def work(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    if not 1 <= params["depth"] <= 1000000:
        raise ExpectedError(f"depth is {params['depth']}. Choose 1 to 1000000 records.", reason="invalid")
    with consumer_client(params) as consumer:
        tps = partitions_of(consumer, params["topics"])
        beginning, end = consumer.beginning_offsets(tps), consumer.end_offsets(tps)
        begin = starts(beginning, end, params["depth"])
        found = read(consumer, begin, end, params["request_timeout_ms"])
    complete = all(offset == beginning[tp] for tp, offset in begin.items())
    return {"changed": False, "records": found.records, "complete": complete, "since": found.since}


def main() -> None:
    own = {
        "topics": {"type": "list", "elements": "str", "required": True},
        "depth": {"type": "int", "default": 10000},
    }
    run(AnsibleModule(argument_spec={**CONNECTION_ARGSPEC, **own}, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
