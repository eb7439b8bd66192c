"""Another broker leads than before: what devices saw acknowledged is in Kafka.

The leader dies while its follower hangs, and the follower becomes leader; the same runs with acks=1 show that the test
would see a loss. And a topic is removed and made anew, which librdkafka does not get over.
"""

from __future__ import annotations

import random
import signal
import time
from typing import TYPE_CHECKING

import pytest
from kafka import TopicPartition

from tests.e2e.quorum import Nodes

from .kafka import TELEMETRY, Cluster
from .process import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafka.admin import KafkaAdminClient

    from .account import Account
    from .conftest import Line

RATE = 1000
SEEDS = (1, 2, 3)
# Node 1 is the only controller: it can hang for less than a session, which is 6 s here.
FOLLOWER, LEADER = 1, 2
PREFERRED = 0


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, class_path: str) -> Iterator[Nodes]:
    with Nodes(tmp_path_factory.mktemp("failover"), class_path, count=2) as nodes:
        nodes.start(FOLLOWER, LEADER)
        yield nodes


class Pair(Cluster):
    """Two brokers, of which one leads and the other follows."""

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        self.replicas = [LEADER, FOLLOWER]
        self.server = nodes.server(FOLLOWER)

    def lose_leader(self, chance: random.Random) -> None:
        """Let the follower hang, and kill the leader meanwhile."""
        follower = self.nodes.processes[FOLLOWER]
        follower.send_signal(signal.SIGSTOP)
        time.sleep(chance.uniform(0.5, 1.5))
        self.nodes.kill(LEADER)
        follower.send_signal(signal.SIGCONT)

    def lead(self, *replicas: int) -> None:
        """Let the first of them lead, which is a leader epoch more."""
        self.replicas = [*replicas]
        places = [TopicPartition(TELEMETRY, number) for number in range(self.topics[TELEMETRY][0])]
        with self.admin() as admin:
            admin.alter_partition_reassignments(dict.fromkeys(places, self.replicas))
            until("the replicas have their order", lambda: not admin.list_partition_reassignments())
            admin.elect_leaders(PREFERRED, {TELEMETRY: [place.partition for place in places]})
            until(f"{replicas[0]} leads", lambda: self._leaders(admin) == {replicas[0]})

    def _leaders(self, admin: KafkaAdminClient) -> set[int]:
        (topic,) = admin.describe_topics([TELEMETRY])
        return {each["leader_id"] for each in topic["partitions"]}


@pytest.fixture
def kafka(nodes: Nodes) -> Pair:
    """Both brokers, with empty topics."""
    if LEADER not in nodes.processes:
        nodes.start(LEADER)
    nodes.wait_until_serving(FOLLOWER, LEADER)
    pair = Pair(nodes)
    pair.empty()
    return pair


def fail_over(line: Line, module: str, seed: int) -> Account:
    """Lose the leader at a random moment."""
    print(f"seed {seed}")
    chance = random.Random(seed)
    bridge = line.bridge(module=module)
    bridge.start()
    sender = line.sender(RATE, 10**9)
    least = chance.uniform(0.5, 1.5) * RATE
    until("records land", lambda: bridge.metrics().get("acked_total", 0) > least, pause=0.01)
    line.kafka.lose_leader(chance)
    behind = bridge.metrics()["acked_total"]
    until("records land with the new leader", lambda: bridge.metrics().get("acked_total", 0) > behind + RATE)
    assert sender.stop() == 0
    bridge.quiet()
    return line.account()


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_and_order_is_kept(line: Line, seed: int) -> None:
    found = fail_over(line, "raspi_kafka", seed)
    print(found)
    assert found.acknowledged > RATE
    assert (found.lost, found.disordered) == (0, 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bridge_that_takes_the_word_of_the_leader_alone_loses(line: Line, seed: int) -> None:
    found = fail_over(line, "tests.bridge.controls.acks_one", seed)
    print(found)
    assert found.lost > 0


def test_a_topic_that_was_made_anew_with_another_leader_is_written_in_order(line: Line) -> None:
    for first, second in ((FOLLOWER, LEADER), (LEADER, FOLLOWER)):
        line.kafka.lead(first, second)
    bridge = line.bridge()
    bridge.start()
    sender = line.sender(RATE, RATE)
    assert sender.ended() == 0
    bridge.quiet()
    (line.root / "acknowledged").unlink()
    line.kafka.replicas = [FOLLOWER, LEADER]
    line.kafka.empty()

    sender = line.sender(20, 10**9)
    # A minute of messages: librdkafka has not found the new leader by itself.
    until("messages wait", lambda: bridge.metrics().get("unacked", 0) > 1000, timeout=180, pause=0.01)
    until("a new producer takes them", lambda: "a new producer takes them" in bridge.tail(), timeout=180)
    until("they land", lambda: bridge.metrics()["unacked"] < 20)
    assert sender.stop() == 0
    bridge.quiet()
    found = line.account()
    print(found)
    assert found.acknowledged > 1000
    assert (found.lost, found.duplicated, found.disordered) == (0, 0, 0)
