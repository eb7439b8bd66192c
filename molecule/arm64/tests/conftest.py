"""One deployed Pi with an emulated processor."""

import pytest

from tests.hosts.deployed import OnPi, on, pi, send, stored, wait_until

__all__ = ["OnPi", "on", "pi", "send", "stored", "wait_until"]
SET = "arm64"


@pytest.fixture
def set_name() -> str:
    """Return the name by which tests.hosts knows the hosts."""
    return SET
