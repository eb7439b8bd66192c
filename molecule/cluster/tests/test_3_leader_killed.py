"""A leader dies under numbered traffic."""

from __future__ import annotations

from pathlib import Path

from tests.hosts import faults
from tests.hosts.cluster import Nodes


def test_a_killed_leader_loses_nothing_that_was_acknowledged(nodes: Nodes, tmp_path: Path) -> None:
    faults.leader_killed(nodes, tmp_path / "ledger")
