"""kraft_voters with real controllers, also where nodes, disks and callers are lost.

RASPI_KAFKA_ARCHIVE=... PYTHONPATH=.collections pytest tests/e2e/test_kraft_voters.py
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import send, split_server
from ansible_collections.raspi.kafka.plugins.module_utils._raft_voter import add_voter, remove_voter
from ansible_collections.raspi.kafka.plugins.modules.kraft_voters import Quorum, read

from .quorum import Nodes
from .test_modules import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECONDS = 60
ABSENT = 9  # no node has this id

Result = dict[str, Any]


def declared(nodes: Nodes, node: int, **other: Any) -> Result:
    return {"id": node, "host": "127.0.0.1", "port": 9 if node == ABSENT else nodes.controller_port(node), **other}


def voters(nodes: Nodes, *wanted: Result, asked: int = 1, **options: Any) -> Result:
    """Run the module for some declared voters, for all nodes if none is given."""
    wanted = wanted or tuple(declared(nodes, node) for node in nodes.ids)
    options = {"request_timeout_ms": 20000, "patience": 30, **options}
    return run("kraft_voters", nodes.server(asked), voters=list(wanted), **options)


def quorum(nodes: Nodes, asked: int = 1) -> Quorum:
    with nodes.admin(asked) as admin:
        return read(admin, SECONDS * 1000)


def wait_for_quorum(nodes: Nodes, wanted: Callable[[Quorum], bool], asked: int = 1) -> None:
    end = time.monotonic() + SECONDS
    while not wanted(quorum(nodes, asked)):
        assert time.monotonic() < end, f"the quorum is not as wanted within {SECONDS} s: {quorum(nodes, asked)}"
        time.sleep(0.2)


def expected(nodes: Nodes, *ids: int) -> list[Result]:
    return [{"id": node, "directory_id": nodes.directory_id(node)} for node in ids]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, class_path: str) -> Iterator[Nodes]:
    with Nodes(tmp_path_factory.mktemp("quorum"), class_path) as nodes:
        nodes.start(*nodes.ids)
        nodes.wait_until_serving(*nodes.ids)
        yield nodes


@pytest.fixture
def nodes(running: Nodes) -> Nodes:
    """Three nodes that run, of which only the active controller is a voter."""
    found = quorum(running)
    for voter in found.voters:
        if voter.id != found.leader_id:
            with running.admin() as admin:
                send(admin, remove_voter(running.cluster_id, voter.id, voter.directory_id))
    wait_for_quorum(running, lambda found: len(found.voters) == 1 and {2, 3} <= {one.id for one in found.observers})
    return running


# The first, since a controller keeps its connection to who was a voter before, whatever address is declared later.
def test_what_the_active_controller_cannot_use_is_a_sentence(nodes: Nodes) -> None:
    result = voters(nodes, listener="LAN")
    assert result["reason"] == "refused"
    assert "controller.listener.names" in result["msg"]
    result = voters(nodes, declared(nodes, 2, port=9), request_timeout_ms=3000)
    assert result["reason"] == "timeout"
    assert "Cannot admit node 2 at 127.0.0.1:9 as a voter within 3 s" in result["msg"]
    assert {voter.id for voter in quorum(nodes).voters} == {1}


def test_observers_become_voters_once_and_a_dry_run_predicts_it(nodes: Nodes) -> None:
    predicted = voters(nodes, check=True)
    assert quorum(nodes).voter(2) is None
    first = voters(nodes)
    assert first == predicted
    assert first["voters"] == expected(nodes, 1, 2, 3)
    assert len(first["actions"]) == 2
    assert first["diff"] == {"before": {"voters": expected(nodes, 1)}, "after": {"voters": expected(nodes, 1, 2, 3)}}
    assert {voter.id for voter in quorum(nodes).voters} == {1, 2, 3}
    second = voters(nodes)
    assert not second["changed"]
    assert second["voters"] == first["voters"]


def test_voters_that_are_not_declared_keep_their_vote(nodes: Nodes) -> None:
    result = voters(nodes, declared(nodes, 3))
    assert result["voters"] == expected(nodes, 1, 3)
    assert result["foreign_voters"] == expected(nodes, 1)


def test_a_request_whose_sender_died_is_found_done(nodes: Nodes) -> None:
    listener = {"name": "CONTROLLER", "host": "127.0.0.1", "port": nodes.controller_port(2)}
    request = add_voter(nodes.cluster_id, 2, nodes.directory_id(2), listener, 5000)
    request.API_VERSION = 0
    request.with_header()
    with socket.create_connection(split_server(nodes.server(1))) as connection:
        connection.sendall(request.encode(header=True, framed=True))
    wait_for_quorum(nodes, lambda found: found.has_vote(2, nodes.directory_id(2)))
    result = voters(nodes)
    assert result["actions"] == [f"admit node 3 at {nodes.controller(3)} as a voter"]
    assert result["voters"] == expected(nodes, 1, 2, 3)


def test_a_node_that_never_appears_is_a_sentence_and_those_before_it_are_admitted(nodes: Nodes) -> None:
    wanted = declared(nodes, 2), declared(nodes, ABSENT)
    assert voters(nodes, *wanted, check=True)["voters"][-1] == {"id": ABSENT, "directory_id": None}
    result = voters(nodes, *wanted, patience=1)
    assert result["reason"] == "no_progress"
    assert f"Node {ABSENT} does not follow the quorum" in result["msg"]
    assert f"node 1 at {nodes.controller(1)}" in result["msg"]
    assert {voter.id for voter in quorum(nodes).voters} == {1, 2}


# The last with these nodes, of which it leaves one.
def test_the_quorum_outlives_its_leader_but_not_its_majority(nodes: Nodes) -> None:
    voters(nodes)
    nodes.kill(1)
    wait_for_quorum(nodes, lambda found: found.leader_id in (2, 3), asked=2)
    result = voters(nodes, asked=2)
    assert not result["changed"]
    assert result["voters"] == expected(nodes, 1, 2, 3)
    nodes.kill(3)
    end = time.monotonic() + SECONDS
    while "reason" not in (result := voters(nodes, asked=2, request_timeout_ms=2000)):
        assert time.monotonic() < end, "a leader without a majority has not resigned"
    assert result["reason"] == "no_leader"
    assert "on a majority of the voters" in result["msg"]


def test_a_lost_disk_is_replaced_as_soon_as_a_majority_of_the_others_is_there(tmp_path: Path, class_path: str) -> None:
    # A leader stays for 1.5 times this without a majority, so that it can be asked what it would do.
    patient = "controller.quorum.fetch.timeout.ms=60000"
    with Nodes(tmp_path, class_path, all_voters=True, more=patient) as nodes:
        nodes.start(*nodes.ids)
        nodes.wait_until_serving(*nodes.ids)
        leader = quorum(nodes).leader_id
        other, lost = (node for node in nodes.ids if node != leader)
        former = nodes.directory_id(lost)
        nodes.kill(lost)
        nodes.replace_disk(lost)
        nodes.start(lost)
        wait_for_quorum(nodes, lambda found: lost in [observer.id for observer in found.observers], asked=leader)

        nodes.kill(other)
        wait_for_quorum(nodes, lambda found: not found.voter(other).caught_up, asked=leader)
        result = voters(nodes, asked=leader)
        assert result["reason"] == "refused"
        assert f"(not: {other})" in result["msg"]
        assert quorum(nodes, leader).has_vote(lost, former)

        nodes.start(other)
        wait_for_quorum(nodes, lambda found: found.voter(other).caught_up, asked=leader)
        result = voters(nodes, asked=leader)
        assert result["actions"] == [f"replace log directory {former} of voter {lost} by {nodes.directory_id(lost)}"]
        assert result["voters"] == expected(nodes, 1, 2, 3)
        assert not voters(nodes, asked=leader)["changed"]


def test_a_static_quorum_is_refused_before_anything_is_waited_for(tmp_path: Path, class_path: str) -> None:
    with Nodes(tmp_path, class_path, count=1, static=True) as nodes:
        nodes.start(1)
        nodes.wait_until_serving(1)
        assert not voters(nodes)["changed"]
        result = voters(nodes, declared(nodes, ABSENT), patience=3600)
        assert result["reason"] == "refused"
        assert "static (kraft.version 0)" in result["msg"]
