"""What the tests of a deployed cluster share: the hosts, and looks at the whole of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import KafkaError

from . import host
from .deployed import look, wait_until
from .inventory import CLUSTER
from .play import inventory
from .snapshot import difference, snapshot

SECONDS = 180
TOPIC = "numbered"


@dataclass(frozen=True)
class Nodes:
    """The hosts of a cluster; their node ids are their numbers."""

    name: str

    @property
    def hosts(self) -> list[host.Host]:
        return host.find(self.name)

    @property
    def servers(self) -> list[str]:
        return [f"{pi.address}:9092" for pi in self.hosts]

    def of(self, node_id: int) -> host.Host:
        return self.hosts[node_id - 1]

    def each(self, command: str) -> list[str]:
        """What a shell command prints on each host, as root."""
        return [host.as_root(pi, command).strip() for pi in self.hosts]

    def signal(self, node_id: int, name: str) -> None:
        """Send a signal to the process of a node."""
        host.as_root(self.of(node_id), f"systemctl kill --signal={name} kafka.service")

    @contextlib.contextmanager
    def admin(self) -> Iterator[KafkaAdminClient]:
        with contextlib.closing(KafkaAdminClient(bootstrap_servers=self.servers, request_timeout_ms=10000)) as admin:
            yield admin

    def partitions(self) -> list[dict[str, Any]]:
        """All partitions of all topics, each with the name of its topic."""
        with self.admin() as admin:
            topics = admin.describe_topics()
        return [{"topic": topic["name"], **one} for topic in topics for one in topic["partitions"]]

    def voters(self) -> dict[int, str]:
        """Node id of each voter -> id of its log directory."""
        with self.admin() as admin:
            quorum = admin.describe_metadata_quorum()["topics"][0]["partitions"][0]
        return {voter["replica_id"]: str(voter["replica_directory_id"]) for voter in quorum["current_voters"]}

    def active_controller(self) -> int:
        """Node id of the controller that leads the quorum."""
        with self.admin() as admin:
            return int(admin.describe_metadata_quorum()["topics"][0]["partitions"][0]["leader_id"])

    def is_whole(self) -> bool:
        """Whether all nodes serve, all are voters, and each partition has all its replicas in sync."""
        try:
            partitions, voters = self.partitions(), self.voters()
        except (KafkaError, OSError):
            return False
        in_sync = all(len(one["isr_nodes"]) == len(one["replica_nodes"]) == len(self.hosts) for one in partitions)
        return in_sync and len(voters) == len(self.hosts)

    def await_whole(self) -> None:
        wait_until(self.is_whole, SECONDS, "all nodes serve, with all replicas in sync")

    def create(self, topic: str = TOPIC) -> None:
        """Make a topic of three partitions with the cluster's own number of replicas, anew."""
        with self.admin() as admin:
            if topic in admin.list_topics():
                admin.delete_topics([topic])
                wait_until(lambda: topic not in admin.list_topics(), 30, f"topic {topic} is gone")
            admin.create_topics([NewTopic(topic, num_partitions=3, replication_factor=-1)])
        wait_until(lambda: sum(one["topic"] == topic for one in self.partitions()) == 3, 30, f"topic {topic} is there")

    def leader(self, topic: str, partition: int) -> int:
        (found,) = [
            one["leader_id"]
            for one in self.partitions()
            if (one["topic"], one["partition_index"]) == (topic, partition)
        ]
        return int(found)

    def leaders(self, topic: str) -> set[int]:
        """The brokers that lead a partition of a topic."""
        return {int(one["leader_id"]) for one in self.partitions() if one["topic"] == topic}

    def await_leader(self, topic: str, partition: int, other_than: int) -> None:
        """Wait until another broker leads: the controller must first miss the heartbeats of the one that is gone."""

        def another() -> bool:
            try:
                return self.leader(topic, partition) not in (-1, other_than)
            except (KafkaError, OSError):
                return False

        wait_until(another, SECONDS, f"partition {partition} of {topic} has a new leader")

    def alone(self, path: Path) -> Path:
        """Write an inventory with pi1 as a gateway of its own."""
        text = inventory(self.name).read_text()
        (line,) = [line for line in text.splitlines() if line.startswith("pi1 ")]
        path.write_text(f"[pis]\n{line}\n{text[text.index('[pis:vars]') :]}")
        return path

    def look(self) -> list[dict[str, Any]]:
        """Everything that a second run must leave as it is, on each host."""
        return [look(pi) for pi in self.hosts]

    def look_at_disks(self) -> list[dict[str, Any]]:
        """The same without topics, of a cluster that is not whole."""
        return [snapshot(pi.container)["files"] for pi in self.hosts]

    def changed_since(self, before: list[dict[str, Any]]) -> list[str]:
        return [line for old, new in zip(before, self.look(), strict=True) for line in difference(old, new)]

    def invocations(self) -> list[str]:
        """What systemd calls the present run of each broker."""
        return self.each("systemctl show kafka.service --property InvocationID --value")


@contextlib.contextmanager
def bare(name: str) -> Iterator[Nodes]:
    """Boot three hosts that nobody has used, and remove them in the end."""
    # What these tests are about is Kafka; the scenario `cluster` has the MQTT side too.
    with host.fresh(name, 3, example=CLUSTER, kafka_only=True):
        yield Nodes(name)


@pytest.fixture(autouse=True)
def whole(nodes: Nodes) -> None:
    """Begin each test with a cluster that has nothing to catch up on."""
    nodes.await_whole()


@pytest.fixture
def nodes(set_name: str) -> Nodes:
    """Return the hosts of the scenario."""
    return Nodes(set_name)
