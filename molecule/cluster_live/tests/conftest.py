"""Three Pis, of which one is deployed, and messages that flow through all that is done to them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hosts import growing
from tests.hosts.cluster import Nodes
from tests.hosts.flow import Flow

SET = "cluster_live"


@pytest.fixture(scope="session")
def nodes() -> Nodes:
    """Return the hosts of the scenario."""
    return Nodes(SET)


@pytest.fixture(scope="session")
def flow(nodes: Nodes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """Deploy one Pi, and let messages flow from then on."""
    assert growing.deploy_alone(nodes).code == 0
    growing.fill(nodes, 8)
    flow = Flow(nodes, tmp_path_factory.mktemp("flow") / "ledger")
    flow.start()
    yield flow
    flow.end()
