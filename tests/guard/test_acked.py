"""What acks=all and min.insync.replicas=2 are for: the same faults take messages from a topic without them.

Each seed is another order of faults. Both followers of a leader stand still for a moment, in which it takes messages
that nobody else has; then it is killed, and one of them leads.
"""

from __future__ import annotations

import contextlib
import random
import signal
import time
from pathlib import Path

import pytest
from kafka.errors import KafkaError

from tests.e2e.quorum import Nodes
from tests.hosts import traffic
from tests.hosts.deployed import wait_until

PARTITIONS, ROUNDS, SECONDS = 3, 3, 120
GUARDED, UNGUARDED = "guarded", "unguarded"
TOPICS = {GUARDED: ("all", "2"), UNGUARDED: ("1", "1")}
# A broker session lasts 6 s here; the leader must still lead.
STILL_S = (1.0, 3.0)


def partitions(nodes: Nodes, topic: str) -> list[dict]:
    """The partitions by number; none while nobody answers."""
    try:
        with nodes.admin() as admin:
            (found,) = admin.describe_topics([topic])
    except (KafkaError, OSError):
        return []
    return sorted(found["partitions"], key=lambda one: one["partition_index"])


def is_whole(nodes: Nodes) -> bool:
    in_sync = [len(one["isr_nodes"]) for topic in TOPICS for one in partitions(nodes, topic)]
    return in_sync == [nodes.count] * PARTITIONS * len(TOPICS)


def is_led_by(nodes: Nodes, partition: int, brokers: list[int]) -> bool:
    return any(one["leader_id"] in brokers for one in partitions(nodes, UNGUARDED)[partition : partition + 1])


def strike(nodes: Nodes, chance: random.Random) -> None:
    """Let the followers of a partition of each topic stand still, kill the leader, and let all come back."""
    partition = chance.randrange(PARTITIONS)
    leader = partitions(nodes, UNGUARDED)[partition]["leader_id"]
    followers = [node for node in nodes.ids if node != leader]
    for node in followers:
        nodes.processes[node].send_signal(signal.SIGSTOP)
    time.sleep(chance.uniform(*STILL_S))
    nodes.kill(leader)
    for node in followers:
        nodes.processes[node].send_signal(signal.SIGCONT)
    wait_until(lambda: is_led_by(nodes, partition, followers), SECONDS, "another one leads")
    nodes.start(leader)
    nodes.wait_until_serving(*nodes.ids)
    wait_until(lambda: is_whole(nodes), SECONDS, "all replicas are in sync")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_guarded_lose_nothing_and_the_others_do(tmp_path: Path, class_path: str, seed: int) -> None:
    chance = random.Random(seed)
    with Nodes(tmp_path, class_path, all_voters=True) as nodes, contextlib.ExitStack() as sending:
        nodes.serve(
            {
                name: {
                    "num_partitions": PARTITIONS,
                    "replication_factor": nodes.count,
                    "configs": {"min.insync.replicas": least},
                }
                for name, (_acks, least) in TOPICS.items()
            }
        )
        wait_until(lambda: is_whole(nodes), SECONDS, "the topics are there")
        ledgers = {name: tmp_path / name for name in TOPICS}
        for name, (acks, _least) in TOPICS.items():
            sending.enter_context(traffic.sent(nodes.servers, name, ledgers[name], acks))
        for _round in range(ROUNDS):
            strike(nodes, chance)
        sending.close()
        lost = {}
        for name, path in ledgers.items():
            ledger, found = traffic.Ledger.read(path), traffic.read(nodes.servers, name)
            lost[name] = len([place for number, place in ledger.acked.items() if found.get(place) != number])
            print(f"seed {seed}, {name}: {len(ledger.acked)} acknowledged, {lost[name]} of them lost")
            if name == GUARDED:
                traffic.prove(ledger, found)
        assert lost[GUARDED] == 0
        assert lost[UNGUARDED] > 0, "faults that take nothing from anybody prove nothing"
