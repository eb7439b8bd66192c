"""What cannot be: a lost majority, a node of another cluster. And what can: a dead card."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

from tests.hosts import host, play
from tests.hosts.cluster import Nodes
from tests.hosts.deployed import extra, fails
from tests.hosts.play import playbook
from tests.hosts.snapshot import difference, snapshot

NODE = "kraft_broker_node_id"


def test_a_lost_majority_is_told_and_nothing_is_changed(nodes: Nodes) -> None:
    left = nodes.of(1)
    gone = [nodes.of(2), nodes.of(3)]
    for pi in gone:
        host.kill(pi.container)
    before = snapshot(left.container)
    run = playbook(nodes.name)
    assert run.code != 0
    assert "The cluster has lost its majority" in run.text
    assert "pi2, pi3 takes no part in this run" in run.text
    assert "Nothing was changed." in run.text
    assert run.count("pi1", "changed") == 0
    assert difference(before, snapshot(left.container)) == []
    proof = playbook(nodes.name, "--limit", "pi1", book="playbooks/verify.yml")
    fails(proof)
    for pi in gone:
        host.start(pi.container)


def test_two_nodes_with_one_id_are_refused_before_any_host_is_contacted(nodes: Nodes, tmp_path: Path) -> None:
    twice = tmp_path / "twice.ini"
    twice.write_text(play.inventory(nodes.name).read_text().replace(f"{NODE}=3", f"{NODE}=2"))
    run = playbook(nodes.name, other=twice)
    fails(run)
    assert f"pi2 and pi3 have the same {NODE}=2" in run.text
    assert "Get to know the host" not in run.text


def test_another_id_than_the_disk_has_is_refused(nodes: Nodes, tmp_path: Path) -> None:
    other = tmp_path / "other.ini"
    other.write_text(play.inventory(nodes.name).read_text().replace(f"{NODE}=3", f"{NODE}=7"))
    before = nodes.look()
    run = playbook(nodes.name, other=other)
    fails(run)
    assert "The node id differs: /etc/kafka/identity.json says 3, the inventory says 7" in run.text
    assert nodes.changed_since(before) == []


def test_a_node_of_another_cluster_is_refused_with_both_ids(nodes: Nodes) -> None:
    """As a card that was in another cluster: its disk and its manifest say so."""
    (ours,) = {json.loads(text)["cluster_id"] for text in nodes.each("cat /etc/kafka/identity.json")}
    theirs = base64.urlsafe_b64encode(b"x" + os.urandom(15)).decode().rstrip("=")
    files = "/etc/kafka/identity.json /var/lib/kafka/data/meta.properties"
    stranger = nodes.of(3)
    host.as_root(stranger, f"systemctl stop kafka; sed -i s/{ours}/{theirs}/ {files}")
    before = nodes.look_at_disks()
    run = playbook(nodes.name)
    fails(run)
    assert f"(pi1, pi2: {ours}; pi3: {theirs})" in run.text
    assert [run.count(f"pi{number}", "changed") for number in (1, 2, 3)] == [0, 0, 0]
    assert nodes.look_at_disks() == before
    host.as_root(stranger, f"sed -i s/{theirs}/{ours}/ {files}; systemctl start kafka")


def test_an_inventory_that_knows_only_one_of_the_nodes_is_refused(nodes: Nodes, tmp_path: Path) -> None:
    """It would take the node's listeners for the others away, without asking whether they can do without it."""
    before = nodes.look()
    run = playbook(nodes.name, other=nodes.alone(tmp_path / "alone.ini"))
    fails(run)
    assert "pi1 is in one cluster with the nodes 2, 3" in run.text
    assert nodes.changed_since(before) == []


def test_a_new_card_gets_the_vote_and_the_records_of_the_lost_one_though_a_restart_is_due(nodes: Nodes) -> None:
    """Neither can wait for the other: nobody is to be restarted while a node is lost."""
    lost = nodes.voters()[3]
    due = extra(kraft_broker_extra_config={"queued.max.requests": 400})
    erase = "systemctl stop kafka; find /var/lib/kafka/data -mindepth 1 -delete; rm /etc/kafka/identity.json"
    host.as_root(nodes.of(3), erase)
    run = playbook(nodes.name, *due, timeout=1200)
    assert run.code == 0
    assert "format pi3 to join" in run.text
    assert run.text.index("Format the nodes that join") < run.text.index("Restarting one after the other")
    assert sorted(nodes.voters()) == [1, 2, 3]
    assert nodes.voters()[3] != lost
    nodes.await_whole()
    again = playbook(nodes.name, *due)
    assert again.code == 0
    assert [again.count(f"pi{number}", "changed") for number in (1, 2, 3)] == [0, 0, 0]


def test_without_dns_the_nodes_find_each_other_by_their_hosts_files(nodes: Nodes) -> None:
    nodes.each("sed -i.dns 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf")
    try:
        assert playbook(nodes.name).code == 0
        for number, text in enumerate(nodes.each("cat /etc/hosts"), 1):
            others = [pi for pi in nodes.hosts if pi.name != f"pi{number}"]
            assert all(f"{pi.address}\t{pi.name}\n" in text + "\n" for pi in others)
            assert text.startswith(f"127.0.0.1\tlocalhost\n127.0.1.1\tpi{number}\n")
        # Names are looked up when a node starts: without them, none would find the quorum.
        for pi in nodes.hosts:
            host.as_root(pi, "systemctl restart kafka")
            nodes.await_whole()
        again = playbook(nodes.name)
        assert again.code == 0
        assert [again.count(f"pi{number}", "changed") for number in (1, 2, 3)] == [0, 0, 0]
    finally:
        nodes.each("mv /etc/nsswitch.conf.dns /etc/nsswitch.conf")
