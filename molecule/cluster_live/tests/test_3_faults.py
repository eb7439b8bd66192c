"""What befalls a node, a disk or the network."""

from __future__ import annotations

import time

import pytest

from tests.hosts import faults
from tests.hosts.cluster import TOPIC, Nodes
from tests.hosts.flow import Flow

PAUSE_S = 30


def test_a_leader_is_killed(nodes: Nodes, flow: Flow) -> None:
    killed = next(node for node in nodes.leaders(TOPIC) if node != nodes.active_controller())
    with flow.step(f"SIGKILL of a leader (node {killed})"):
        faults.killed(nodes, killed)


def test_the_active_controller_is_killed(nodes: Nodes, flow: Flow) -> None:
    killed = nodes.active_controller()
    with flow.step(f"SIGKILL of the active controller (node {killed})"):
        faults.killed(nodes, killed)
    assert nodes.active_controller() != killed


@pytest.mark.parametrize("node", [1, 2, 3])
def test_each_node_is_killed_in_turn(nodes: Nodes, flow: Flow, node: int) -> None:
    with flow.step(f"SIGKILL of node {node}"):
        faults.killed(nodes, node)


def test_a_leader_stands_still_and_goes_on(nodes: Nodes, flow: Flow) -> None:
    still = nodes.leader(TOPIC, 0)
    with flow.step(f"SIGSTOP of a leader for {PAUSE_S} s (node {still})"), faults.standing_still(nodes, still):
        nodes.await_leader(TOPIC, 0, other_than=still)
        time.sleep(PAUSE_S)


@pytest.mark.parametrize("active", [True, False], ids=["the active controller and another", "two others"])
def test_the_network_between_two_nodes_is_cut(nodes: Nodes, flow: Flow, active: bool) -> None:
    controller = nodes.active_controller()
    others = [node for node in (1, 2, 3) if node != controller]
    one, other = (controller, others[0]) if active else (others[0], others[1])
    with flow.step(f"network cut between nodes {one} and {other}"), faults.cut(nodes, one, other):
        time.sleep(PAUSE_S)


def test_the_disk_of_a_node_fills_up(nodes: Nodes, flow: Flow) -> None:
    node = nodes.leader(TOPIC, 0)
    with flow.step(f"full disk (node {node})"), faults.small_disk(nodes, node) as disk:
        disk.fill()
        nodes.await_leader(TOPIC, 0, other_than=node)
        disk.relieve()
