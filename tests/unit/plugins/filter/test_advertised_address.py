from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.raspi.kafka.plugins.filter.advertised_address import FilterModule

advertised_address = FilterModule().filters()["advertised_address"]

# What the setup module says of a Pi whose default route is the cable and that is reached over WiFi.
FACTS: dict[str, Any] = {
    "interfaces": ["lo", "eth0", "wlan0", "br-lan", "tun0"],
    "default_ipv4": {"address": "10.0.0.5", "interface": "eth0"},
    "lo": {"ipv4": {"address": "127.0.0.1"}, "ipv6": [{"address": "::1", "scope": "host"}]},
    "eth0": {"ipv4": {"address": "10.0.0.5"}, "ipv6": [{"address": "fe80::e0", "scope": "link"}]},
    "wlan0": {
        "ipv4": {"address": "192.168.1.50"},
        "ipv6": [{"address": "2001:db8::50", "scope": "global"}, {"address": "fe80::a0", "scope": "link"}],
    },
    "br_lan": {"ipv4": {"address": "172.20.0.1"}, "ipv6": [{"address": "fe80::b0", "scope": "link"}]},
    "tun0": {"ipv6": [{"address": "fe80::70", "scope": "link"}]},
}


def connection(server: str) -> str:
    """SSH_CONNECTION of a login at this address of the host."""
    return f"192.168.1.9 50222 {server} 22"


def chosen(server: str, facts: dict[str, Any] | None = None) -> tuple[str, str]:
    answer = advertised_address(FACTS if facts is None else facts, ssh_connection=connection(server))
    return answer["address"], answer["reason"]


def test_the_address_that_the_control_node_reached_is_advertised() -> None:
    assert chosen("192.168.1.50") == ("192.168.1.50", "on the route to the control node")


@pytest.mark.parametrize("server", ["fe80::a0%wlan0", "fe80::a0", "2001:db8::50"])
def test_a_login_over_ipv6_leads_to_the_ipv4_address_of_the_same_interface(server: str) -> None:
    assert chosen(server) == ("192.168.1.50", "of the interface which the control node reaches by IPv6")


def test_an_interface_is_found_although_facts_spell_its_name_with_underscores() -> None:
    assert chosen("fe80::b0%br-lan")[0] == "172.20.0.1"


@pytest.mark.parametrize("server", ["fe80::70%tun0", "fe80::ffff%gone", "127.0.0.1", "::1"])
def test_a_login_that_leads_to_no_usable_address_falls_back_to_the_default_route(server: str) -> None:
    assert chosen(server) == ("10.0.0.5", "on the default route")


@pytest.mark.parametrize("ssh_connection", ["", "nonsense"])
def test_a_local_connection_takes_the_default_route(ssh_connection: str) -> None:
    answer = advertised_address(FACTS, ssh_connection=ssh_connection)
    assert answer == {"address": "10.0.0.5", "reason": "on the default route"}


@pytest.mark.parametrize(
    "override",
    ["10.1.2.3", "2001:db8::7", "pi1", "pi1.local", "PI-1.example.org", "pi1.example.org.", "4pi", "3com.example"],
)
def test_what_the_owner_set_wins(override: str) -> None:
    answer = advertised_address(FACTS, override=override, ssh_connection=connection("192.168.1.50"))
    assert answer == {"address": override, "reason": "set by kraft_broker_advertised_address"}


@pytest.mark.parametrize(
    "override",
    [
        "127.0.0.1",
        "127.0.1.1",
        "::1",
        str(IPv4Address(0)),
        "::",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "fe80::a0",
        "fe80::a0%wlan0",
        "10.0.0.5%eth0",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "localhost.localdomain",
        "10.0.0",
        "10.0.0.256",
        "10.0.0.5:9092",
        "http://pi1",
        "pi_1",
        "-pi",
        "pi-",
        "pi..local",
        "pi 1",
        "pi1\n",
        "pi1,pi2",
        "a" * 64,
    ],
)
def test_what_no_other_host_can_connect_to_is_refused(override: str) -> None:
    with pytest.raises(AnsibleFilterError) as refusal:
        advertised_address(FACTS, override=override)
    assert f"kraft_broker_advertised_address={override} cannot be advertised" in str(refusal.value)


@pytest.mark.parametrize(
    "facts",
    [{}, {"default_ipv4": {}}, {"default_ipv4": {"address": "127.0.0.1"}, "interfaces": ["lo"], "lo": FACTS["lo"]}],
)
def test_a_host_without_a_network_is_refused_and_the_variable_named(facts: dict[str, Any]) -> None:
    for ssh_connection in ["", connection("::1"), connection("fe80::1%eth0")]:
        with pytest.raises(AnsibleFilterError, match=r"no default route.*set kraft_broker_advertised_address"):
            advertised_address(facts, ssh_connection=ssh_connection)
