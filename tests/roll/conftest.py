"""Three Pis that are one cluster, of these tests' own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hosts.cluster import Nodes, bare, whole
from tests.hosts.play import playbook

__all__ = ["whole"]


@pytest.fixture(scope="session")
def nodes() -> Iterator[Nodes]:
    """Deploy them, and remove them in the end."""
    with bare("roll") as made:
        assert playbook(made.name, timeout=1200).code == 0
        yield made
