"""Three bare Pis of these tests' own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hosts.cluster import Nodes, bare


@pytest.fixture(scope="session")
def nodes() -> Iterator[Nodes]:
    """Boot them, and remove them in the end."""
    with bare("regrowth") as made:
        yield made
