"""One deployed gateway, devices of it, and a consumer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.hosts import host
from tests.hosts.deployed import OnPi, look, on, pi, small_disk, wait_until
from tests.hosts.mqtt import Records, admit, records

__all__ = ["OnPi", "look", "on", "pi", "small_disk", "wait_until"]
SET = "gateway"


@pytest.fixture
def set_name() -> str:
    """Return the name by which tests.hosts knows the hosts."""
    return SET


@pytest.fixture(scope="session")
def device() -> Callable[[str], str]:
    """Return a function that admits a device, and returns its password."""
    return lambda name: admit(SET, name)


@pytest.fixture
def arriving(pi: host.Host) -> Iterator[Records]:
    """Return what comes into the topic telemetry from now on."""
    with records(pi, "telemetry") as found:
        yield found
