"""Three bare Pis of these tests' own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hosts import host, inventory
from tests.hosts.cluster import Nodes

SET = "bootstrap"


@pytest.fixture(scope="session")
def nodes() -> Iterator[Nodes]:
    """Boot them, and remove them in the end."""
    with host.fresh(SET, 3, example=inventory.CLUSTER):
        yield Nodes(SET)
