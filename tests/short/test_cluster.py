"""Three bare Pis become a cluster, and a leader dies under numbered traffic: each change has to pass it."""

from __future__ import annotations

from pathlib import Path

from tests.hosts import faults
from tests.hosts.cluster import bare
from tests.hosts.play import playbook


def test_three_bare_pis_become_a_cluster_that_bears_the_loss_of_a_leader(tmp_path: Path) -> None:
    with bare("short") as nodes:
        run = playbook(nodes.name, timeout=1200)
        assert run.code == 0
        assert run.text.count("102 sent, 102 read from the beginning, 102 found on disk") == 3
        assert sorted(nodes.voters()) == [1, 2, 3]
        faults.leader_killed(nodes, tmp_path / "ledger")
