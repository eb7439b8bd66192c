"""Two hosts for the tests of this directory, removed after them."""

from collections.abc import Iterator

import pytest

from tests.hosts import engine, host

SET = "hosts-self-test"


@pytest.fixture(scope="session")
def pis() -> Iterator[list[host.Host]]:
    """Return bare hosts that run."""
    engine.up()
    with host.fresh(SET, count=2) as hosts:
        yield hosts


@pytest.fixture
def pi(pis: list[host.Host]) -> host.Host:
    """Return the first one."""
    return pis[0]
