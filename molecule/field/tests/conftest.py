"""Two deployed Pis; pi2 also serves time to pi1."""

import pytest

from tests.hosts.deployed import OnPi, look, on, pi, send, small_disk, stored, wait_until

__all__ = ["OnPi", "look", "on", "pi", "send", "small_disk", "stored", "wait_until"]
SET = "field"


@pytest.fixture
def set_name() -> str:
    """Return the name by which tests.hosts knows the hosts."""
    return SET
