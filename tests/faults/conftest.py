"""Three Pis that are one cluster, of these tests' own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hosts.cluster import Nodes, bare
from tests.hosts.play import playbook


@pytest.fixture(scope="session")
def nodes() -> Iterator[Nodes]:
    """Deploy them, and remove them in the end."""
    with bare("faults") as made:
        assert playbook(made.name, timeout=1200).code == 0
        yield made


@pytest.fixture(autouse=True)
def whole(nodes: Nodes) -> None:
    """Begin each test with a cluster that has nothing to catch up on."""
    nodes.await_whole()
