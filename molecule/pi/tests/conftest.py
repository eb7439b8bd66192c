"""One deployed Pi."""

import pytest

from tests.hosts.deployed import OnPi, look, on, pi, send, stored, wait_until

__all__ = ["OnPi", "look", "on", "pi", "send", "stored", "wait_until"]
SET = "pi"


@pytest.fixture
def set_name() -> str:
    """Return the name by which tests.hosts knows the hosts."""
    return SET
