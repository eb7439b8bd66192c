"""A Kafka broker that can be stopped, killed and started again, and what is asked of it."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ConfigResource,
    ConfigResourceType,
    NewTopic,
    ResourcePattern,
    ResourceType,
)

from tests.e2e.conftest import PROPERTIES, free_ports, java, storage_tool, wait_for

from .process import Process, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from kafka.consumer.fetcher import ConsumerRecord

TELEMETRY = "telemetry"
DEAD_LETTERS = "dead-letters"
# The default of the buffer is half of the heap. Everybody may do everything until an ACL says otherwise.
MORE = """\
log.cleaner.dedupe.buffer.size=4194304
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
"""
PROOFS = "raspi-kafka-verify"
TOPICS = {TELEMETRY: (3, {}), DEAD_LETTERS: (1, {"max.message.bytes": "2097152"}), PROOFS: (1, {})}


class Cluster:
    """What is asked of brokers, wherever they run.

    :ivar server: host:port of one that answers.
    :ivar topics: partitions and configuration of those that a test has, by name.
    :ivar replicas: where each partition lies, its leader first; None leaves it to Kafka.
    """

    server: str
    topics: Mapping[str, tuple[int, dict[str, str]]] = TOPICS
    replicas: list[int] | None = None

    @contextmanager
    def admin(self) -> Iterator[KafkaAdminClient]:
        client = KafkaAdminClient(bootstrap_servers=self.server)
        try:
            yield client
        finally:
            client.close()

    def create(self, *names: str) -> None:
        """Create topics as the gateway has them, with record times of the broker."""
        with self.admin() as admin:
            for name in names:
                partitions, configs = self.topics[name]
                configs = {"message.timestamp.type": "LogAppendTime", **configs}
                admin.create_topics([self._topic(name, partitions, configs)])
        until(f"{names} are there", lambda: all(self.has(name) for name in names))

    def _topic(self, name: str, partitions: int, configs: dict[str, str]) -> NewTopic:
        if self.replicas is None:
            return NewTopic(name, partitions, 1, topic_configs=configs)
        places = dict.fromkeys(range(partitions), self.replicas)
        return NewTopic(name, replica_assignments=places, topic_configs=configs)

    def empty(self) -> None:
        """Give each topic anew, without records."""
        for name in self.topics:
            if self.has(name):
                self.delete(name)
        self.create(*self.topics)

    def configure(self, name: str, configs: dict[str, str]) -> None:
        with self.admin() as admin:
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs)])

    def enlarge(self, name: str, partitions: int) -> None:
        """Give a topic so many partitions."""
        with self.admin() as admin:
            admin.create_partitions({name: partitions})

    def forbid(self, name: str) -> None:
        """Let nobody write a topic."""
        with self.admin() as admin:
            admin.create_acls([ACL("User:ANONYMOUS", "*", ACLOperation.WRITE, ACLPermissionType.DENY, topic(name))])

    def allow(self, name: str) -> None:
        """Take back what forbid() said."""
        with self.admin() as admin:
            admin.delete_acls([ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, topic(name))])

    def delete(self, name: str) -> None:
        with self.admin() as admin:
            admin.delete_topics([name])
        until(f"{name} is gone", lambda: not self.has(name))

    def has(self, name: str) -> bool:
        with self.admin() as admin:
            return name in admin.list_topics()

    def records(self, topic: str = TELEMETRY) -> list[ConsumerRecord]:
        """Return all records of a topic, partition by partition, each in the order of the log."""
        consumer = KafkaConsumer(bootstrap_servers=self.server, enable_auto_commit=False, check_crcs=False)
        try:
            partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
            ends = consumer.end_offsets(partitions)
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            found: dict[TopicPartition, list[ConsumerRecord]] = {each: [] for each in partitions}
            while any(consumer.position(each) < ends[each] for each in partitions):
                for partition, records in consumer.poll(timeout_ms=1000, max_records=5000).items():
                    found[partition] += records
            return [record for each in partitions for record in found[each]]
        finally:
            consumer.close()


class Kafka(Cluster, Process):
    """One node, formatted once."""

    def __init__(self, root: Path, class_path: str) -> None:
        root.mkdir()
        lan, local, wrong, closed, controller = free_ports(5)
        ports = {"lan": lan, "local": local, "wrong": wrong, "closed": closed, "controller": controller}
        properties = root / "server.properties"
        properties.write_text(PROPERTIES.format(data=root / "data", **ports) + MORE)
        cluster_id = storage_tool(class_path, "random-uuid").splitlines()[-1]
        storage_tool(class_path, "format", "-t", cluster_id, "-c", str(properties), "--standalone")
        self.server = f"127.0.0.1:{local}"
        super().__init__(java(class_path, "kafka.Kafka", str(properties)), root / "log")

    def start(self) -> None:
        super().start()
        assert isinstance(self._process, subprocess.Popen)
        wait_for(self.server, self._process, self.log)


def topic(name: str) -> ResourcePattern:
    return ResourcePattern(ResourceType.TOPIC, name)
