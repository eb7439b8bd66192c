"""What in an inventory cannot be one cluster."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.filter.cluster_faults import FilterModule, cluster_faults

THREE = ["pi1", "pi2", "pi3"]
IDS = {"pi1": 1, "pi2": 2, "pi3": 3}


def faults(
    brokers: list[str],
    controllers: list[str],
    pis: list[str] | None = None,
    ids: dict[str, Any] | None = None,
    advertised: dict[str, str] | None = None,
) -> list[str]:
    members = list(dict.fromkeys(brokers + controllers))
    groups = {"pis": members if pis is None else pis, "brokers": brokers, "controllers": controllers}
    numbered = {host: number for number, host in enumerate(members, 1)}
    return cluster_faults(groups, numbered if ids is None else ids, advertised or {})


@pytest.mark.parametrize(
    ("brokers", "controllers"),
    [(THREE, THREE), (["pi1"], ["pi1"]), (["pi4", "pi5"], THREE), (THREE, ["pi1"])],
    ids=["all are both", "one", "controllers alone", "more brokers"],
)
def test_a_cluster_that_can_be_one_has_no_fault(brokers: list[str], controllers: list[str]) -> None:
    assert faults(brokers, controllers) == []


def test_pis_without_a_cluster_may_have_one_id_and_any_name() -> None:
    names = ["localhost", "fe80::1"]
    assert cluster_faults({"pis": names}, dict.fromkeys(names, 1), dict.fromkeys(names, "pi.lan")) == []
    groups = {"pis": [*names, *THREE], "brokers": THREE, "controllers": THREE}
    assert cluster_faults(groups, {**dict.fromkeys(names, 1), **IDS}, dict.fromkeys(names, "pi.lan")) == []


@pytest.mark.parametrize(
    ("brokers", "controllers", "sentence"),
    [
        (
            THREE,
            [],
            "The cluster has no controller: the group [controllers] is empty and [brokers] is not. Name the hosts of "
            "both; for nodes that are both write [controllers:children] and below it brokers.",
        ),
        (
            [],
            THREE,
            "The cluster has no broker: the group [brokers] is empty and [controllers] is not. Name the hosts of both; "
            "for nodes that are both write [brokers:children] and below it controllers.",
        ),
    ],
)
def test_a_cluster_without_one_of_its_roles_is_refused(
    brokers: list[str], controllers: list[str], sentence: str
) -> None:
    assert faults(brokers, controllers) == [sentence]
    groups = {name: hosts for name, hosts in (("brokers", brokers), ("controllers", controllers)) if hosts}
    assert cluster_faults({"pis": THREE, **groups}, IDS, {}) == [sentence]


def test_members_that_are_no_pis_are_refused_by_name() -> None:
    (sentence,) = faults(["pi1", "pi2"], ["pi3"], pis=["pi1"])
    assert sentence.startswith("pi3, pi2 in [brokers] or [controllers] is missing in [pis]. Write [pis:children]")


# INI files and -e give texts.
@pytest.mark.parametrize("other", [1, "1"])
def test_one_node_id_for_two_nodes_is_refused_with_both_names(other: Any) -> None:
    (sentence,) = faults(THREE, THREE, ids={"pi1": 1, "pi2": other, "pi3": 3})
    assert sentence.startswith("pi1 and pi2 have the same kraft_broker_node_id=1, and each node of a cluster needs")


def test_a_broker_and_a_controller_alone_need_different_ids_too() -> None:
    (sentence,) = faults(["pi1"], ["pi2"], ids={"pi1": 4, "pi2": 4})
    assert sentence.startswith("pi2 and pi1 have the same kraft_broker_node_id=4")


def test_one_advertised_address_for_two_brokers_is_refused_and_none_is_not() -> None:
    (sentence,) = faults(THREE, THREE, advertised={"pi1": "kafka.lan", "pi2": "", "pi3": "kafka.lan"})
    assert sentence == (
        "pi1 and pi3 have the same kraft_broker_advertised_address=kafka.lan. Write it behind each host, or leave it "
        "empty."
    )
    assert faults(THREE, THREE, advertised=dict.fromkeys(THREE, "")) == []


@pytest.mark.parametrize("name", ["pi1", "pi-1.lan", "pi_1", "192.168.1.51", "7"])
def test_a_name_that_others_can_look_for_is_taken(name: str) -> None:
    assert faults([name, "other"], [name]) == []


@pytest.mark.parametrize("name", ["localhost", "LocalHost", "fe80::1", "pi 1", "-pi", "pi-", "pi1:2222", ""])
def test_a_name_that_others_cannot_look_for_is_refused(name: str) -> None:
    (sentence,) = faults([name, "other"], ["other"])
    assert sentence == (
        f"{name} cannot be the name of a node: the other nodes look for it under this name. Call it pi1 or the like, "
        f"and write ansible_host={name} behind it."
    )


def test_nobody_looks_for_a_node_that_is_a_cluster_of_its_own() -> None:
    assert faults(["localhost"], ["localhost"]) == []


def test_all_faults_are_named_at_once() -> None:
    assert len(faults(["pi1", "localhost"], [], pis=[], ids={"pi1": 1, "localhost": 1})) == 4


def test_the_filter_has_the_name_that_the_playbooks_use() -> None:
    assert FilterModule().filters() == {"cluster_faults": cluster_faults}
