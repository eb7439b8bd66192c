"""One deployed Pi."""

import pytest

from tests.hosts.deployed import OnPi, look, on, pi

__all__ = ["OnPi", "look", "on", "pi"]
SET = "default"


@pytest.fixture
def set_name() -> str:
    """Return the name by which tests.hosts knows the hosts."""
    return SET
