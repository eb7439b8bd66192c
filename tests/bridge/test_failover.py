"""The leader dies while its follower hangs, and the follower becomes leader: what devices saw acknowledged is in Kafka.

The same runs with acks=1 show that the test would see a loss.
"""

from __future__ import annotations

import random
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.quorum import Nodes

from .kafka import Cluster
from .process import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .account import Account
    from .conftest import Line

RATE = 1000
SEEDS = (1, 2, 3)
# Node 1 is the only controller: it can hang for less than a session, which is 6 s here.
FOLLOWER, LEADER = 1, 2


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
