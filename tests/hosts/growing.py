"""A cluster of one Pi that has records and becomes one of three, and what must be true of it then."""

from __future__ import annotations

import contextlib
import math
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource

from . import cache, host, traffic
from .cluster import TOPIC, Nodes
from .deployed import extra, wait_until
from .play import Run, playbook

SECONDS = 180
GROUP = "readers"
MIB = 1048576
# Seconds: the one restart of pi1 is a gap of some, and what stops writers for longer is not that.
LONGEST_GAP = 45
# As one types them behind each run; TOPIC is what the numbered messages go to.
DECLARED = extra(topics_declared=[{"name": "telemetry", "partitions": 4}, {"name": TOPIC, "partitions": 3}])


def deploy_alone(nodes: Nodes) -> Run:
    """Deploy pi1 as a gateway of its own; its inventory stands beside that of all three, with the same credentials."""
    path = nodes.alone(cache.directory(nodes.name) / "alone.ini")
    return playbook(nodes.name, *DECLARED, other=path, timeout=1200)


def fill(nodes: Nodes, mebibytes: int) -> None:
    """Let pi1 have records that take a while to copy, and one of Kafka's own topics with a min.insync.replicas."""
    servers = nodes.servers[:1]
    with contextlib.closing(KafkaProducer(bootstrap_servers=servers, acks="all", batch_size=MIB)) as producer:
        for number in range(mebibytes * 2):
            producer.send("telemetry", os.urandom(MIB // 2), partition=number % 4)
        producer.flush(60)
    with contextlib.closing(KafkaProducer(bootstrap_servers=servers, transactional_id="growing")) as producer:
        producer.init_transactions()


@contextlib.contextmanager
def reader(servers: list[str]) -> Iterator[KafkaConsumer]:
    """A member of the group, which would begin anew where the group's offsets are lost."""
    consumer = KafkaConsumer(
        TOPIC, bootstrap_servers=servers, group_id=GROUP, auto_offset_reset="earliest", enable_auto_commit=False
    )
    try:
        yield consumer
    finally:
        consumer.close(autocommit=False)


def read_some(servers: list[str]) -> dict[TopicPartition, tuple[int, int]]:
    """Read as the group until each partition had records, and commit; partition -> first offset read, and next."""
    found: dict[TopicPartition, tuple[int, int]] = {}

    def all_had(consumer: KafkaConsumer) -> bool:
        for place, records in consumer.poll(timeout_ms=1000).items():
            first, _next = found.get(place, (records[0].offset, 0))
            found[place] = first, records[-1].offset + 1
        return len(found) == 3

    with reader(servers) as consumer:
        wait_until(lambda: all_had(consumer), SECONDS, f"{GROUP} read of each partition of {TOPIC}")
        consumer.commit()
    return found


def judged(servers: list[str], ledger: Path) -> traffic.Ledger:
    """All that was acknowledged before is there, once and in order; what comes meanwhile is not judged.

    :returns: all that is known by then.
    """
    known = traffic.Ledger.read(ledger)
    assert len(known.acked) > traffic.PER_SECOND
    traffic.prove(known, traffic.read(servers, TOPIC))
    print(f"{len(known.acked)} acknowledged, {len(known.failed)} failed; longest gap {known.longest_gap:.3f} s")
    return known


def went_on(known: traffic.Ledger, since: float = -math.inf) -> None:
    """No writer was stopped: none failed, and none waited until copies were there, which the sender would bear.

    :param since: gaps that ended before are not judged; by the monotonic clock, in s.
    """
    assert known.failed == []
    gap = known.gap(since, math.inf)
    assert gap < LONGEST_GAP, f"a partition acknowledged nothing for {gap:.1f} s"


def under_way(nodes: Nodes) -> int:
    """How many partitions are being copied."""
    with nodes.admin() as admin:
        return len(admin.list_partition_reassignments())


def throttles(nodes: Nodes) -> list[str]:
    """What throttles topics and brokers, as Kafka's own tool tells it."""
    ask = "kafka configs --describe --entity-type topics; kafka configs --describe --entity-type brokers"
    return [line for line in host.as_root(nodes.of(2), ask).splitlines() if "throttled" in line]


def min_isr(nodes: Nodes, *topics: str) -> list[str]:
    """The min.insync.replicas that holds for each topic."""
    with nodes.admin() as admin:
        told = admin.describe_configs([ConfigResource("topic", topic) for topic in topics], config_filter="all")
    return [told["topic"][topic]["min.insync.replicas"]["value"] for topic in topics]


def leaders(nodes: Nodes, topic: str) -> Counter[int]:
    return Counter(one["leader_id"] for one in nodes.partitions() if one["topic"] == topic)


def is_grown(nodes: Nodes) -> None:
    """All topics are on all brokers, each broker leads, all ask for two in sync, and no throttle is left."""
    nodes.await_whole()
    assert set(leaders(nodes, TOPIC)) == set(leaders(nodes, "telemetry")) == {1, 2, 3}
    assert min_isr(nodes, TOPIC, "telemetry", "__transaction_state") == ["2", "2", "2"]
    assert under_way(nodes) == 0
    assert throttles(nodes) == []
