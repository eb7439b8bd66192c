"""A set's subnet is its own, the same each time, and nobody else's."""

from ipaddress import IPv4Network

import pytest

from tests.hosts import host
from tests.hosts.step import Failure

ROUTES = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""


def test_routes_are_read_and_the_default_takes_nothing() -> None:
    assert host.routed(ROUTES) == [IPv4Network("192.0.2.0/24")]


def test_the_subnet_follows_from_the_name() -> None:
    assert host.free_subnet("dev", []) == host.free_subnet("dev", [])
    assert host.free_subnet("dev", []) != host.free_subnet("test", [])


def test_a_subnet_that_is_routed_is_not_taken() -> None:
    first = host.free_subnet("dev", [])
    second = host.free_subnet("dev", [first])
    assert not first.overlaps(second)


def test_no_subnet_left_is_said() -> None:
    with pytest.raises(Failure, match="no network for dev"):
        host.free_subnet("dev", [host.SUBNETS])
