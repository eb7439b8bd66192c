"""Three deployed Pis that are one cluster."""

import pytest

from tests.hosts.cluster import nodes, whole

__all__ = ["nodes", "whole"]
SET = "cluster"


@pytest.fixture
def set_name() -> str:
    """Return the name by which tests.hosts knows the hosts."""
    return SET
