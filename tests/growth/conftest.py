"""Three bare Pis of these tests' own, which become gateways."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hosts import host
from tests.hosts.cluster import Nodes
from tests.hosts.inventory import CLUSTER


@pytest.fixture(scope="session")
def nodes() -> Iterator[Nodes]:
    """Boot them, and remove them in the end."""
    with host.fresh("growth", 3, example=CLUSTER):
        yield Nodes("growth")
