"""What one run of site.yml on three bare hosts has made."""

from __future__ import annotations

import json

from tests.hosts.cluster import Nodes
from tests.hosts.play import playbook


def test_all_nodes_have_one_cluster_id_and_each_its_own_node_id(nodes: Nodes) -> None:
    manifests = [json.loads(text) for text in nodes.each("cat /etc/kafka/identity.json")]
    assert len({one["cluster_id"] for one in manifests}) == 1
    assert [one["node_id"] for one in manifests] == [1, 2, 3]
    (cluster_id,) = {one["cluster_id"] for one in manifests}
    for number, text in enumerate(nodes.each("cat /var/lib/kafka/data/meta.properties"), 1):
        assert f"cluster.id={cluster_id}" in text
        assert f"node.id={number}" in text


def test_all_three_are_voters_by_the_directories_on_their_disks(nodes: Nodes) -> None:
    assert sorted(nodes.voters()) == [1, 2, 3]
    assert len(set(nodes.voters().values())) == 3


def test_every_topic_has_three_replicas_and_two_make_a_record_written(nodes: Nodes) -> None:
    assert {len(one["replica_nodes"]) for one in nodes.partitions()} == {3}
    topics = {one["topic"] for one in nodes.partitions()}
    assert {"telemetry", "events", "__consumer_offsets"} <= topics
    told = nodes.each("kafka configs --describe --entity-type brokers --entity-default")
    assert all("min.insync.replicas=2 " in text for text in told)


def test_each_broker_leads_a_partition_of_the_proof(nodes: Nodes) -> None:
    proof = [one for one in nodes.partitions() if one["topic"] == "raspi-kafka-verify-brokers"]
    assert sorted(one["replica_nodes"][0] for one in proof) == [1, 2, 3]


def test_dns_serves_here_and_so_the_hosts_file_is_left_alone(nodes: Nodes) -> None:
    assert nodes.each("cat /etc/hosts") == [f"127.0.0.1\tlocalhost\n127.0.1.1\tpi{number}" for number in (1, 2, 3)]


def test_no_unit_was_started_twice(nodes: Nodes) -> None:
    assert nodes.each("systemctl show kafka.service --property NRestarts --value") == ["0", "0", "0"]


def test_the_proof_runs_alone_from_each_pi_through_each_broker(nodes: Nodes) -> None:
    run = playbook(nodes.name, book="playbooks/verify.yml")
    assert run.code == 0
    assert run.text.count("102 sent, 102 read from the beginning, 102 found on disk") == 3
    assert run.text.count("proof from the control node") == 1
