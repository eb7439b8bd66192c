#!/usr/bin/python

# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: produce_consume
short_description: Prove by messages that a cluster takes, keeps and gives back what it acknowledges
version_added: 0.1.0
description:
  - Asks for the brokers, and sends numbered messages through the advertised listener of each broker, to a partition
    which that broker leads, one by one and with acks=all.
  - Reads the topic from the beginning to its end with a new consumer group, and compares every acknowledged record by
    partition, offset, key and value.
  - With O(on_disk=true) also decodes the records out of the log segments in the log directories of this host.
  - Fails if anything acknowledged is lost, different or twice there, if the consumer did not begin at the beginning of
    each partition, or if a broker cannot be reached at the address it advertises.
author: raspi.kafka contributors (@raspi-kafka)
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
  topic:
    description:
      - An existing topic, best one for this purpose only, with a short retention and a partition for each broker.
      - It must not be compacted, because compaction takes away records, and the first ones first.
    type: str
    required: true
  messages:
    description: Number of messages to send through each broker.
    type: int
    default: 100
  run_id:
    description:
      - What tells the messages of this run from those of others. Must never have been used with this topic.
      - If left out, one is made of the time and a random number.
    type: str
  on_disk:
    description:
      - Also decode the records from the log segments of those brokers whose log directories are on this host.
      - Needs to run on the host of a broker, with the right to read its log directories.
    type: bool
    default: false
  timeout:
    description: Seconds in which all of it has to be done (5 to 3600).
    type: int
    default: 60
notes:
  - The addresses that are proven are those of the listener to which O(bootstrap_servers) belong. Name the LAN listener.
seealso:
  - module: raspi.kafka.kafka_topics
  - module: raspi.kafka.kafka_cluster_info
"""

EXAMPLES = r"""
- name: Messages flow through every broker, and lie on the disk of this one
  raspi.kafka.produce_consume:
    bootstrap_servers: ["192.168.1.20:9092"]
    topic: raspi-kafka-verify-brokers
    on_disk: true
  become: true

- name: The same over the network from the control node
  raspi.kafka.produce_consume:
    bootstrap_servers: ["192.168.1.20:9092"]
    topic: raspi-kafka-verify-brokers
    messages: 1000
  delegate_to: localhost
"""

RETURN = r"""
run_id:
  description: What tells the messages of this run from others.
  returned: success
  type: str
  sample: 20260301T120000Z-5f0c3a9e
topic:
  description: Name of the topic.
  returned: success
  type: str
  sample: raspi-kafka-verify-brokers
group:
  description: Name of the consumer group, which is deleted at the end.
  returned: success
  type: str
  sample: raspi-kafka-verify-20260301T120000Z-5f0c3a9e
host:
  description: Name of the host that sent and read.
  returned: success
  type: str
  sample: pi-1
records_produced:
  description: Number of acknowledged messages of this run.
  returned: success
  type: int
  sample: 100
records_consumed:
  description: Number of messages of this run that the consumer read. All of them are equal to what was acknowledged.
  returned: success
  type: int
  sample: 100
records_read:
  description: Number of all records that the consumer read from the beginning to the end, those of other runs included.
  returned: success
  type: int
  sample: 700
records_on_disk:
  description: Number of messages of this run that were decoded from log segments, all replicas on this host together.
  returned: success and O(on_disk=true)
  type: int
  sample: 100
brokers:
  description: What was proven for each broker.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Id of the broker.
      type: int
      returned: always
      sample: 1
    address:
      description: Advertised address through which the messages went.
      type: str
      returned: always
      sample: 192.168.1.20:9092
    partition:
      description: Partition to which the messages went, led by this broker.
      type: int
      returned: always
      sample: 0
    records:
      description: Number of messages that this broker acknowledged.
      type: int
      returned: always
      sample: 100
    ack_p50_ms:
      description: Half of the messages were acknowledged within this time, in milliseconds.
      type: float
      returned: always
      sample: 1.9
    ack_p99_ms:
      description: 99 of 100 messages were acknowledged within this time, in milliseconds.
      type: float
      returned: always
      sample: 6.4
partitions:
  description: How far the consumer read in each partition.
  returned: success
  type: list
  elements: dict
  contains:
    partition:
      description: Number of the partition.
      type: int
      returned: always
      sample: 0
    log_start_offset:
      description: Offset of the oldest record that the broker has, before the consumer read.
      type: int
      returned: always
      sample: 0
    first_offset:
      description: Offset of the first record that the consumer read; null if the partition is empty.
      type: int
      returned: always
      sample: 0
    end_offset:
      description: Offset after the last record that the consumer had to read.
      type: int
      returned: always
      sample: 700
disk:
  description: Where the messages of this run lie on this host.
  returned: success and O(on_disk=true)
  type: list
  elements: dict
  contains:
    broker:
      description: Id of the broker.
      type: int
      returned: always
      sample: 1
    partition:
      description: Number of the partition.
      type: int
      returned: always
      sample: 0
    log_dir:
      description: Log directory of the broker.
      type: str
      returned: always
      sample: /var/lib/kafka/data
    segments:
      description: Segment files out of which the records were decoded.
      type: list
      elements: str
      returned: always
      sample: [/var/lib/kafka/data/raspi-kafka-verify-brokers-0/00000000000000000000.log]
    records:
      description: Number of records found equal.
      type: int
      returned: always
      sample: 100
reason:
  description:
    - Kind of the failure, for a play to decide on.
    - One of V(unreachable), V(wrong_broker), V(same_address), V(no_topic), V(no_leader), V(not_acknowledged), V(lost),
      V(different), V(unexpected), V(not_from_beginning), V(not_on_disk), V(not_readable), V(corrupt), V(timeout),
      V(invalid), V(kafka_error), V(kafka_python_missing).
  returned: failure
  type: str
  sample: unreachable
"""

import re
import time
import typing as t
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import (
    BROKER,
    CONNECTION_ARGSPEC,
    ExpectedError,
    KafkaError,
    admin_client,
    client_options,
    connected,
    describe_configs,
    explain,
    run,
    this_host,
    unreachable,
)
from ansible_collections.raspi.kafka.plugins.module_utils._log_segments import Record, is_log_dir_of, read_partition
from ansible_collections.raspi.kafka.plugins.module_utils._proof import (
    assign,
    brokers_of,
    is_of_run,
    judge_addresses,
    judge_beginning,
    judge_records,
    messages_of,
    new_run_id,
    percentile,
)

with suppress(ImportError):  # _kafka.require_kafka_python() has the sentence for it
    from kafka import KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.errors import InvalidRequestError, KafkaTimeoutError

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ansible_collections.raspi.kafka.plugins.module_utils._proof import Broker, Place
    from kafka.admin import KafkaAdminClient

GROUP_PREFIX = "raspi-kafka-verify-"
LEGAL_RUN_ID = re.compile(r"[a-zA-Z0-9._-]{1,100}")
UNKNOWN_TOPIC = 3
PREFERRED = 0  # the kind of election that makes the first replica the leader


class Deadline:
    """The time that is left for all of it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.end = time.monotonic() + seconds

    def left(self, doing: str) -> float:
        left = self.end - time.monotonic()
        if left <= 0:
            raise ExpectedError(
                f"The time of {self.seconds:g} s was over while {doing} from {this_host()}. "
                "Look at the load of the brokers and the size of the topic, or give more time (timeout).",
                reason="timeout",
            )
        return left


@dataclass
class Consumed:
    """What a consumer saw: all records counted, those of this run kept."""

    read: int = 0
    first: dict[int, int] = field(default_factory=dict)
    records: dict[Place, Record] = field(default_factory=dict)


@dataclass
class Run:
    """One proof: what was asked for, and the time it has."""

    params: Mapping[str, t.Any]
    id: str
    deadline: Deadline

    @property
    def topic(self) -> str:
        return self.params["topic"]

    @property
    def group(self) -> str:
        return GROUP_PREFIX + self.id

    def only_through(self, broker: Broker) -> dict[str, t.Any]:
        """Connection options that know of no other address than the one which this broker advertises."""
        left = self.deadline.left(f"connecting to broker {broker.id} at {broker.address}")
        limit = int(min(self.params["request_timeout_ms"], max(1000, 1000 * left)))
        return {**self.params, "bootstrap_servers": [broker.address], "request_timeout_ms": limit}


def describe_topic(admin: KafkaAdminClient, topic: str) -> list[dict[str, t.Any]]:
    described = admin.describe_topics([topic])[0]
    if described["error_code"] == UNKNOWN_TOPIC:
        raise ExpectedError(
            f"Topic {topic} does not exist. Create it first (raspi.kafka.kafka_topics).", reason="no_topic"
        )
    return described["partitions"]


def led_partitions(this: Run, admin: KafkaAdminClient, brokers: list[Broker]) -> dict[int, int]:
    """For each broker a partition it leads; after a restart, leadership first has to go back to where it belongs."""
    end = time.monotonic() + this.params["request_timeout_ms"] / 1000
    while True:
        partitions = describe_topic(admin, this.topic)
        try:
            return assign(brokers, partitions, this.topic)
        except ExpectedError:
            preferred = {partition["replica_nodes"][0] for partition in partitions}
            if time.monotonic() > end or not preferred.issuperset(broker.id for broker in brokers):
                raise
        this.deadline.left(f"waiting for each broker to lead its partition of topic {this.topic}")
        admin.elect_leaders(
            PREFERRED, {this.topic: [each["partition_index"] for each in partitions]}, raise_errors=False
        )
        time.sleep(0.5)


def judge_identity(this: Run, broker: Broker) -> None:
    """What answers at the advertised address is this broker: a broker refuses to describe another's configs."""
    try:
        with admin_client(this.only_through(broker)) as admin:
            describe_configs(admin, BROKER, [str(broker.id)], broker.id)
    except InvalidRequestError as error:
        told = " ".join(str(argument).rstrip(".") for argument in error.args)
        raise ExpectedError(
            f"Broker {broker.id} advertises {broker.address}, but another broker answers there: {told}. "
            f"Correct the advertised address of broker {broker.id}.",
            reason="wrong_broker",
            broker=broker.id,
            address=broker.address,
        ) from error
    except (ExpectedError, KafkaError) as error:
        raise unreachable(broker.id, broker.address) from error


@contextmanager
def producer_through(this: Run, broker: Broker) -> Iterator[KafkaProducer]:
    options = client_options(this.only_through(broker))
    try:
        more = {
            "acks": "all",
            "max_in_flight_requests_per_connection": 1,
            "delivery_timeout_ms": options["request_timeout_ms"],
            "max_block_ms": options["request_timeout_ms"],
            "allow_auto_create_topics": False,
        }
        producer = connected(KafkaProducer, {**options, **more})
    except (KafkaError, OSError) as error:
        raise unreachable(broker.id, broker.address) from error
    try:
        yield producer
    finally:
        producer.close(timeout=5)


def produce(
    this: Run, producer: KafkaProducer, broker: Broker, partition: int
) -> tuple[dict[Place, Record], list[float]]:
    """Send one by one; returns what was acknowledged where, and each time from send to acknowledgement in ms."""
    acked: dict[Place, Record] = {}
    latencies = []
    count = this.params["messages"]
    producer.partitions_for(this.topic)  # the first message shall not pay for the metadata
    for number, message in enumerate(messages_of(this.id, broker.id, count), 1):
        what = f"message {number} of {count} to partition {partition} of topic {this.topic}"
        left = this.deadline.left(f"sending {what} through broker {broker.id} at {broker.address}")
        begin = time.perf_counter()
        try:
            sent = producer.send(this.topic, message.value, message.key, partition=partition).get(timeout=left)
        except KafkaError as error:
            raise ExpectedError(
                f"Broker {broker.id} at {broker.address} did not acknowledge {what}: {explain(error)}",
                reason="timeout" if isinstance(error, KafkaTimeoutError) else "not_acknowledged",
                broker=broker.id,
            ) from error
        latencies.append((time.perf_counter() - begin) * 1000)
        acked[sent.partition, sent.offset] = message
    return acked, latencies


def produce_through_all(
    this: Run, brokers: list[Broker], leads: Mapping[int, int]
) -> tuple[dict[Place, Record], list[dict[str, t.Any]]]:
    """The producing half: through each broker, to a partition it leads."""
    acked: dict[Place, Record] = {}
    shown = []
    for broker in brokers:
        judge_identity(this, broker)
        with producer_through(this, broker) as producer:
            own, latencies = produce(this, producer, broker, leads[broker.id])
        acked.update(own)
        shown.append(
            {
                "id": broker.id,
                "address": broker.address,
                "partition": leads[broker.id],
                "records": len(own),
                "ack_p50_ms": round(percentile(latencies, 50), 2),
                "ack_p99_ms": round(percentile(latencies, 99), 2),
            }
        )
    return acked, shown


@contextmanager
def group_consumer(this: Run, brokers: list[Broker]) -> Iterator[KafkaConsumer]:
    options = client_options({**this.params, "bootstrap_servers": [broker.address for broker in brokers]})
    more = {
        "group_id": this.group,
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
        "allow_auto_create_topics": False,
    }
    consumer = connected(partial(KafkaConsumer, this.topic), {**options, **more})
    try:
        yield consumer
    finally:
        consumer.close(autocommit=False, timeout_ms=5000)


def consume(this: Run, consumer: KafkaConsumer, end: Mapping[int, int]) -> Consumed:
    """Read from where a new group begins up to the end offsets; a position also passes control records."""
    seen = Consumed()
    pending = set(end)
    while pending:
        to_go = ", ".join(f"{partition} up to offset {end[partition]}" for partition in sorted(pending))
        doing = f"consuming topic {this.topic} from the beginning, with {seen.read} records read and to go: {to_go},"
        left = this.deadline.left(doing)
        for tp, records in consumer.poll(timeout_ms=int(min(500, 1000 * left)) + 1).items():
            seen.first.setdefault(tp.partition, records[0].offset)
            seen.read += len(records)
            ours = [record for record in records if is_of_run(this.id, record.key)]
            seen.records.update({(tp.partition, record.offset): Record(record.key, record.value) for record in ours})
        assigned = [tp for tp in consumer.assignment() if tp.partition in pending]
        pending -= {tp.partition for tp in assigned if consumer.position(tp) >= end[tp.partition]}
    consumer.commit()
    return seen


def consume_and_judge(
    this: Run, brokers: list[Broker], acked: Mapping[Place, Record]
) -> tuple[Consumed, list[dict[str, t.Any]]]:
    """The consuming half: from the beginning, by a new group, up to the end as it is now."""
    with group_consumer(this, brokers) as consumer:
        tps = [TopicPartition(this.topic, number) for number in sorted(consumer.partitions_for_topic(this.topic))]
        start = consumer.beginning_offsets(tps)
        end = {tp.partition: offset for tp, offset in consumer.end_offsets(tps).items()}
        seen = consume(this, consumer, end)
        oldest = {tp.partition: offset for tp, offset in consumer.beginning_offsets(tps).items()}
    judge_beginning(seen.first, oldest, end)
    judge_records(acked, seen.records, "read by the consumer", "lost")
    return seen, [
        {
            "partition": tp.partition,
            "log_start_offset": start[tp],
            "first_offset": seen.first.get(tp.partition),
            "end_offset": end[tp.partition],
        }
        for tp in tps
    ]


def delete_group(admin: KafkaAdminClient, group: str) -> str | None:
    """Delete the group; returns what stood in the way."""
    result = None
    for _attempt in range(20):
        try:
            result = admin.delete_groups([group])[group]
        except KafkaError as error:
            result = explain(error)
        if result in ("OK", "GroupIdNotFoundError"):
            return None
        time.sleep(0.25)  # the coordinator has yet to notice that the consumer left
    return result


def find_replicas(
    admin: KafkaAdminClient, cluster_id: str, brokers: list[Broker], topic: str
) -> list[tuple[int, int, str]]:
    """Broker, partition and log directory of every replica of the topic that is on this host."""
    asked = []
    replicas = []
    for broker in brokers:
        for log_dir in admin.describe_log_dirs([topic], [broker.id])[0]["log_dirs"]:
            path = log_dir["log_dir"]
            asked.append(f"{path} of broker {broker.id}")
            if is_log_dir_of(path, cluster_id, broker.id):
                replicas += [(broker.id, partition, path) for partition in partitions_in(log_dir)]
    if not replicas:
        raise ExpectedError(
            f"No log directory with a replica of topic {topic} is on {this_host()}; the brokers have "
            f"{', '.join(asked)}. Run the task on the host of a broker, or set on_disk: false.",
            reason="not_on_disk",
        )
    return replicas


def partitions_in(log_dir: Mapping[str, t.Any]) -> list[int]:
    return [
        partition["partition_index"]
        for topic in log_dir["topics"]
        for partition in topic["partitions"]
        if not partition["is_future_key"]
    ]


def verify_disk(
    replicas: list[tuple[int, int, str]],
    partitions: list[dict[str, t.Any]],
    topic: str,
    acked: Mapping[Place, Record],
) -> list[dict[str, t.Any]]:
    """Decode the acknowledged records out of each in-sync replica on this host, and compare them."""
    in_sync = {partition["partition_index"]: partition["isr_nodes"] for partition in partitions}
    result = []
    for broker, partition, log_dir in replicas:
        wanted = {place: record for place, record in acked.items() if place[0] == partition}
        if not wanted or broker not in in_sync[partition]:
            continue
        directory = Path(log_dir) / f"{topic}-{partition}"
        found, files = read_partition(directory, [offset for _partition, offset in wanted])
        placed = {(partition, offset): record for offset, record in found.items()}
        judge_records(wanted, placed, f"found on disk in {directory} on {this_host()}", "not_on_disk")
        result.append(
            {"broker": broker, "partition": partition, "log_dir": log_dir, "segments": files, "records": len(found)}
        )
    if not result:
        raise ExpectedError(
            f"No in-sync replica on {this_host()} has a partition that got messages of this run, so nothing can be "
            f"proven on this disk. Look at the ISR of topic {topic}, or set on_disk: false.",
            reason="not_on_disk",
        )
    return result


def check_options(params: Mapping[str, t.Any]) -> None:
    for name, low, high in (("messages", 1, 1000000), ("timeout", 5, 3600)):
        if not low <= params[name] <= high:
            raise ExpectedError(f"{name} is {params[name]}. Choose {low} to {high}.", reason="invalid")
    if params["run_id"] is not None and not LEGAL_RUN_ID.fullmatch(params["run_id"]):
        raise ExpectedError(
            f"run_id is {params['run_id']!r}. Use 1 to 100 letters, digits, '.', '_' and '-', or leave it out.",
            reason="invalid",
        )


def work(module: AnsibleModule) -> dict[str, t.Any]:
    check_options(module.params)
    this = Run(module.params, module.params["run_id"] or new_run_id(), Deadline(module.params["timeout"]))
    result: dict[str, t.Any] = {"changed": False, "run_id": this.id, "topic": this.topic, "group": this.group}
    with admin_client(module.params) as admin:
        cluster = admin.describe_cluster()
        brokers = brokers_of(cluster)
        judge_addresses(brokers)
        acked, result["brokers"] = produce_through_all(this, brokers, led_partitions(this, admin, brokers))
        try:
            seen, result["partitions"] = consume_and_judge(this, brokers, acked)
        finally:
            if left := delete_group(admin, this.group):
                module.warn(f"The consumer group {this.group} could not be deleted: {left}.")
        if module.params["on_disk"]:
            replicas = find_replicas(admin, cluster["cluster_id"], brokers, this.topic)
            result["disk"] = verify_disk(replicas, describe_topic(admin, this.topic), this.topic, acked)
            result["records_on_disk"] = sum(entry["records"] for entry in result["disk"])
    return {
        **result,
        "host": this_host(),
        "records_produced": len(acked),
        "records_consumed": len(seen.records),
        "records_read": seen.read,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_ARGSPEC,
            "topic": {"type": "str", "required": True},
            "messages": {"type": "int", "default": 100},
            "run_id": {"type": "str"},
            "on_disk": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 60},
        },
    )
    run(module, work)


if __name__ == "__main__":
    main()
