"""One Pi that has records becomes the first of three. The hosts have nothing of Kafka before."""

from __future__ import annotations

from pathlib import Path

from tests.hosts import deployed
from tests.hosts.cluster import Nodes
from tests.hosts.play import playbook


def test_two_pis_join_one_that_has_records(nodes: Nodes, tmp_path: Path) -> None:
    assert playbook(nodes.name, other=nodes.alone(tmp_path / "alone.ini")).code == 0
    deployed.send(nodes.of(1), b"from the time alone")
    run = playbook(nodes.name)
    assert run.code == 0
    assert sorted(nodes.voters()) == [1, 2, 3]
    assert run.text.count("102 sent, 102 read from the beginning, 102 found on disk") == 3
    assert "These topics have fewer replicas than this cluster gives to new ones" not in run.text
    nodes.await_whole()
    assert deployed.stored(nodes.of(2)) == [b"from the time alone"]
    again = playbook(nodes.name)
    assert again.code == 0
    assert [again.count(f"pi{number}", "changed") for number in (1, 2, 3)] == [0, 0, 0]
