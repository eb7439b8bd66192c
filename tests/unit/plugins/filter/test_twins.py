"""Hosts that cannot be told apart, and names that mean nothing here."""

from __future__ import annotations

from ansible_collections.raspi.kafka.plugins.filter.twins import twins
from ansible_collections.raspi.kafka.plugins.filter.unresolvable import unresolvable


def pi(machine_id: str, hostname: str) -> dict[str, str]:
    return {"machine_id": machine_id, "hostname": hostname}


def test_different_hosts_are_no_twins() -> None:
    assert twins({"pi1": pi("a", "pi1"), "pi2": pi("b", "pi2")}) == []


def test_one_machine_id_is_refused_with_both_names() -> None:
    (text,) = twins({"pi1": pi("a", "pi1"), "pi2": pi("a", "pi2"), "pi3": pi("c", "pi3")})
    assert text.startswith("pi1 and pi2 have the same machine-id a.")
    assert "systemd-machine-id-setup" in text


def test_one_name_is_refused() -> None:
    (text,) = twins({"pi1": pi("a", "raspberrypi"), "pi2": pi("b", "raspberrypi")})
    assert "same hostname raspberrypi" in text


def test_only_names_without_an_address_are_unresolvable() -> None:
    assert unresolvable(["127.0.0.1", "localhost", "no-such-host.invalid"]) == ["no-such-host.invalid"]


def test_a_name_that_cannot_be_one_is_unresolvable() -> None:
    impossible = ["pi1..lan", "x" * 64 + ".lan"]
    assert unresolvable(impossible) == impossible
