"""Three deployed Pis that are one cluster."""

import pytest

from tests.hosts.cluster import Nodes, nodes

__all__ = ["nodes"]
SET = "cluster"


@pytest.fixture
def set_name() -> str:
    """Return the name by which tests.hosts knows the hosts."""
    return SET


@pytest.fixture(autouse=True)
def whole(nodes: Nodes) -> None:
    """Begin each test with a cluster that has nothing to catch up on."""
    nodes.await_whole()
