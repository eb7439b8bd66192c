"""Which of three real nodes may stop, while they are there, end and come back.

RASPI_KAFKA_ARCHIVE=... PYTHONPATH=.collections pytest tests/e2e/test_cluster_health.py
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from .quorum import Nodes
from .test_modules import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .conftest import Broker

    Result = dict[str, Any]

SECONDS = 90
TOPICS = {
    "telemetry": {"num_partitions": 6, "replication_factor": 3},
    "scratch": {"num_partitions": 3, "replication_factor": 1},
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, class_path: str) -> Iterator[Nodes]:
    with Nodes(tmp_path_factory.mktemp("nodes"), class_path, all_voters=True) as nodes:
        nodes.serve(TOPICS)
        yield nodes


@pytest.fixture
def nodes(cluster: Nodes) -> Nodes:
    """All three, and each may stop."""
    cluster.start(*(node for node in cluster.ids if node not in cluster.processes))
    eventually(lambda: health(cluster), lambda told: may_stop(told) == [1, 2, 3])
    return cluster


def health(nodes: Nodes, **options: Any) -> Result:
    return run("cluster_health", "", bootstrap_servers=nodes.servers, **options)


def may_stop(told: Result) -> list[int]:
    # None while no broker answers in time, as on a busy machine.
    return [verdict["id"] for verdict in told.get("verdicts", []) if verdict["may_stop"]]


def reasons(told: Result, node: int) -> str:
    return "; ".join(reason for verdict in told["verdicts"] if verdict["id"] == node for reason in verdict["reasons"])


def named(told: Result, node: int) -> str:
    return "; ".join(name for verdict in told["verdicts"] if verdict["id"] == node for name in verdict["named"])


def eventually(ask: Callable[[], Result], seen: Callable[[Result], bool]) -> Result:
    """The first answer that shows something."""
    end = time.monotonic() + SECONDS
    while not seen(told := ask()):
        assert time.monotonic() < end, told
        time.sleep(0.5)
    return told


def killed(nodes: Nodes, node: int = 3) -> Result:
    """A node has been killed, and the cluster has settled without it: the voter and the broker are known to be gone."""
    nodes.kill(node)
    others = [each for each in nodes.ids if each != node]
    return eventually(
        lambda: health(nodes),
        lambda told: (
            may_stop(told) == [node]
            and all(f"(behind: {node})" in reasons(told, other) for other in others)
            and all(f"broker {node} is down" in reasons(told, other) for other in others)
        ),
    )


def test_each_node_of_a_healthy_cluster_may_stop(nodes: Nodes) -> None:
    told = health(nodes)
    assert told["cluster_id"] == nodes.cluster_id
    assert told["leader_id"] in nodes.ids
    assert [broker["fenced"] for broker in told["brokers"]] == [False, False, False]
    assert [voter["directory_id"] for voter in told["voters"]] == [nodes.directory_id(node) for node in nodes.ids]
    assert [voter["caught_up"] for voter in told["voters"]] == [True, True, True]
    assert told["waited_s"] == 0
    for node in nodes.ids:
        one = health(nodes, node_id=node, _ansible_check_mode=True)
        assert (one["may_stop"], one["changed"]) == (True, False)


def test_a_topic_with_one_replica_is_named_and_holds_no_node(nodes: Nodes) -> None:
    told = health(nodes)
    assert [named(told, node) for node in nodes.ids] == 3 * [
        "scratch: 1 partition cannot be used at all while it is down"
    ]


def test_while_one_node_is_down_only_that_one_may_stop(nodes: Nodes) -> None:
    told = killed(nodes)
    assert may_stop(told) == [3]
    assert "telemetry: 6 partitions would fall below min.insync.replicas=2 (ISR now 1,2)" in reasons(told, 1)
    assert "1 of 3 voters would be caught up" in reasons(told, 2)
    assert "it is down" in named(told, 3)
    assert health(nodes, node_id=3)["may_stop"]
    refused = health(nodes, node_id=1)
    assert (refused["failed"], refused["reason"], refused["may_stop"]) == (True, "not_safe", False)
    assert refused["msg"].startswith("Node 1 may not stop now: 1 of 3 voters would be caught up")
    assert refused["verdicts"][2]["may_stop"]


def test_a_node_that_comes_back_is_waited_for(nodes: Nodes) -> None:
    killed(nodes)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(health, nodes, node_id=1, patience=60, limit=60)
        time.sleep(2)
        nodes.start(3)
        told = waiting.result()
    assert told["may_stop"], told
    assert told["waited_s"] > 0
    assert may_stop(told) == [1, 2, 3]


def test_patience_ends_where_nobody_comes_back(nodes: Nodes) -> None:
    killed(nodes)
    refused = health(nodes, node_id=2, patience=3)
    assert refused["reason"] == "not_safe"
    assert refused["waited_s"] >= 3
    assert "without progress, it was given up" in refused["msg"]


def test_without_a_quorum_no_node_may_stop_and_that_is_soon_said(nodes: Nodes) -> None:
    nodes.kill(2, 3)
    told = eventually(lambda: health(nodes, fetch_timeout_ms=2000), lambda told: told.get("leader_id", 0) is None)
    for again in [told, *(health(nodes, fetch_timeout_ms=2000) for _time in range(5))]:
        assert may_stop(again) == []
        assert again["cost"]["ms"] < 20000, again  # of a broker that would look for a controller for 30 s
    refused = health(nodes, node_id=1, fetch_timeout_ms=2000)
    assert "no active controller answers: a majority of the voters may be down" in refused["msg"]
    assert (refused["reason"], refused["voters"]) == ("not_safe", [])


def test_an_active_controller_that_ends_has_a_successor(nodes: Nodes) -> None:
    ended = health(nodes)["leader_id"]
    told = killed(nodes, ended)
    assert told["leader_id"] in set(nodes.ids) - {ended}
    assert health(nodes, node_id=ended)["may_stop"]


# --- what it costs


class Counting:
    """What stands where a listener says it is, passes everything on, and counts the requests."""

    def __init__(self, at: str, to: str) -> None:
        self._to = address(to)
        self._listener = socket.create_server(address(at))
        self.frames = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                broker = socket.create_connection(self._to)
                threading.Thread(target=self._count, args=(client, broker), daemon=True).start()
                threading.Thread(target=pass_on, args=(broker, client), daemon=True).start()

    def _count(self, client: socket.socket, broker: socket.socket) -> None:
        """A request is a length of 4 bytes and as many bytes."""
        with contextlib.suppress(OSError), client.makefile("rb") as stream:
            while length := stream.read(4):
                self.frames += 1
                broker.sendall(length + stream.read(int.from_bytes(length, "big")))
            broker.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def address(server: str) -> tuple[str, int]:
    host, port = server.rsplit(":", 1)
    return host, int(port)


def pass_on(broker: socket.socket, client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while answer := broker.recv(65536):
            client.sendall(answer)


def test_the_requests_that_are_told_are_those_on_the_wire(broker: Broker) -> None:
    """The broker has a listener that advertises a port where nothing listens otherwise."""
    wire = Counting(at=broker.closed, to=broker.wrong)
    try:
        told = run("cluster_health", broker.closed)
    finally:
        wire.close()
    assert told["verdicts"][0]["may_stop"]
    assert told["cost"]["requests"] == wire.frames
    assert 4 < wire.frames < 12
