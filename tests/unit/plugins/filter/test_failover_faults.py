"""Values of kraft_broker_failover that are not known, or do not fit together."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.raspi.kafka.plugins.filter.failover_faults import FAILOVERS, FilterModule, failover_faults
from plays import REPOSITORY

CLUSTER = {"pis": ["pi1", "pi2", "pi3"], "brokers": ["pi1", "pi2"], "controllers": ["pi3"]}


@pytest.mark.parametrize("value", FAILOVERS)
def test_nodes_that_agree_have_no_fault(value: str) -> None:
    assert failover_faults(dict.fromkeys(CLUSTER["pis"], value), CLUSTER) == []


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("fast", "fast_failover"),
        ("Wifi", "wifi"),
        ("wi-fi", "wifi"),
        ("defualt", "default"),
        ("fastfailover", FAILOVERS[2]),
    ],
)
def test_an_unknown_value_is_refused_with_the_one_that_may_be_meant(value: str, meant: str) -> None:
    assert failover_faults({"pi1": value, "pi2": value, "pi3": "default"}, CLUSTER) == [
        f"kraft_broker_failover={value} of pi1, pi2 is not known; did you mean {meant}? "
        "There are default, wifi, fast_failover."
    ]


def test_a_value_that_is_like_none_is_refused_without_a_suggestion() -> None:
    assert failover_faults({"pi1": 9}, {"pis": ["pi1"]}) == [
        "kraft_broker_failover=9 of pi1 is not known. There are default, wifi, fast_failover."
    ]


def test_nodes_of_a_cluster_that_differ_are_refused_with_all_values() -> None:
    assert failover_faults({"pi1": "wifi", "pi2": "default", "pi3": "wifi"}, CLUSTER) == [
        "The nodes of a cluster differ in kraft_broker_failover: wifi (pi1, pi3), default (pi2). "
        "Write one of them below [pis:vars], for all."
    ]


def test_gateways_of_their_own_may_differ() -> None:
    values = {"pi8": "wifi", "pi9": "fast_failover"}
    assert failover_faults(values, {"pis": list(values)}) == []
    assert failover_faults({**values, **dict.fromkeys(CLUSTER["pis"], "default")}, CLUSTER) == []


def test_the_role_knows_the_same_values() -> None:
    role = REPOSITORY / "roles" / "kraft_broker"
    spec = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    assert tuple(spec["kraft_broker_failover"]["choices"]) == FAILOVERS
    values = yaml.safe_load((role / "vars" / "main.yml").read_text())["_kraft_broker_failovers"]
    assert tuple(values) == FAILOVERS
    assert len({tuple(one) for one in values.values()}) == 1, "each sets the same keys"


def test_ansible_finds_the_filter() -> None:
    assert FilterModule().filters() == {"failover_faults": failover_faults}
