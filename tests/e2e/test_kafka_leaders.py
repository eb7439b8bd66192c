"""A broker comes back and leads again, on three real nodes; and in which order they would be restarted.

RASPI_KAFKA_ARCHIVE=... PYTHONPATH=.collections pytest tests/e2e/test_kafka_leaders.py
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.raspi.kafka.plugins.filter.roll_order import roll_order

from .quorum import Nodes
from .test_cluster_health import eventually, health
from .test_modules import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    Result = dict[str, Any]

TOPICS = {
    "telemetry": {"num_partitions": 6, "replication_factor": 3},
    "scratch": {"num_partitions": 3, "replication_factor": 1},
}
IDS = {f"pi{node}": node for node in (1, 2, 3)}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, class_path: str) -> Iterator[Nodes]:
    with Nodes(tmp_path_factory.mktemp("nodes"), class_path, all_voters=True) as nodes:
        nodes.serve(TOPICS)
        yield nodes


@pytest.fixture
def nodes(cluster: Nodes) -> Nodes:
    """All three, with all replicas in sync."""
    missing = [node for node in cluster.ids if node not in cluster.processes]
    cluster.start(*missing)
    cluster.wait_until_serving(*missing)
    for node in cluster.ids:
        assert not leads_again(cluster, node).get("failed")
    return cluster


def leads_again(nodes: Nodes, node: int, **options: Any) -> Result:
    return run("kafka_leaders", "", bootstrap_servers=nodes.servers, node_id=node, **{"patience": 60, **options})


def preferred(nodes: Nodes, node: int) -> dict[str, list[int]]:
    """Topic -> its partitions whose first replica is the node's, of more replicas than one."""
    with nodes.admin() as admin:
        topics = admin.describe_topics()
    found = {
        topic["name"]: sorted(
            one["partition_index"]
            for one in topic["partitions"]
            if one["replica_nodes"][0] == node and len(one["replica_nodes"]) > 1
        )
        for topic in topics
    }
    return {name: numbers for name, numbers in sorted(found.items()) if numbers}


def led(nodes: Nodes, node: int) -> int:
    """How many partitions a broker leads, as another one shows."""
    with nodes.admin(*(other for other in nodes.ids if other != node)) as admin:
        return sum(one["leader_id"] == node for topic in admin.describe_topics() for one in topic["partitions"])


def test_a_broker_that_was_restarted_leads_again_what_it_led_and_then_nothing_changes(nodes: Nodes) -> None:
    before, expected = led(nodes, 3), preferred(nodes, 3)
    assert expected["telemetry"]
    nodes.stop(3)
    assert led(nodes, 3) == 0
    nodes.start(3)
    nodes.wait_until_serving(3)
    dry = eventually(lambda: leads_again(nodes, 3, _ansible_check_mode=True), lambda told: not told["behind"])
    assert (dry["changed"], dry["moved"]) == (True, expected)
    told = leads_again(nodes, 3)
    assert (told["changed"], told["moved"], told["behind"]) == (True, expected, {})
    assert led(nodes, 3) == before
    again = leads_again(nodes, 3)
    assert (again["changed"], again["moved"]) == (False, {})


def test_a_broker_that_is_down_is_not_waited_for_longer_than_patience(nodes: Nodes) -> None:
    nodes.kill(3)
    eventually(lambda: health(nodes), lambda told: any(broker["fenced"] for broker in told.get("brokers", [])))
    told = leads_again(nodes, 3, patience=2)
    assert (told["failed"], told["reason"]) == (True, "no_progress")
    assert "Broker 3 was restarted, and its replicas of" in told["msg"]
    assert "telemetry 0,1,2,3,4,5" in told["msg"]


def test_of_three_real_nodes_the_active_controller_is_the_last_and_one_that_is_down_the_first(nodes: Nodes) -> None:
    told = health(nodes)
    leader = told["leader_id"]
    assert roll_order(list(IDS), IDS, told)[-1]["says"] == f"pi{leader} (active controller)"
    other = next(node for node in nodes.ids if node != leader)
    nodes.kill(other)
    down = eventually(lambda: health(nodes), lambda told: any(broker["fenced"] for broker in told.get("brokers", [])))
    first, *_rest, last = roll_order(list(IDS), IDS, down)
    assert first["host"] == f"pi{other}"
    assert first["says"].startswith(f"pi{other} (its broker is fenced, ")
    assert last["host"] == f"pi{down['leader_id']}"
