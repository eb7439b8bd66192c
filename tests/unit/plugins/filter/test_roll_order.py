"""In which order nodes are restarted: of what cluster_health says of recorded states of real clusters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.filter.roll_order import FilterModule, roll_order
from ansible_collections.raspi.kafka.plugins.module_utils._gate import state_of
from ansible_collections.raspi.kafka.plugins.modules.cluster_health import shown

STATES = Path(__file__).parents[1] / "module_utils" / "states"
IDS = {f"pi{number}": number for number in range(1, 6)}
THREE = ["pi1", "pi2", "pi3"]


def health(situation: str) -> dict[str, Any]:
    return shown(state_of(json.loads((STATES / f"{situation}.json").read_text()), 5000), [])


def order(situation: str, *hosts: str) -> list[str]:
    return [node["says"] for node in roll_order(hosts or THREE, IDS, health(situation))]


def led_by(leader: int, **more: Any) -> dict[str, Any]:
    """A whole cluster of three, and what is otherwise."""
    return {**health("healthy"), "leader_id": leader, **more}


def hosts(planned: list[dict[str, Any]]) -> list[str]:
    return [node["host"] for node in planned]


@pytest.mark.parametrize("leader", [1, 2, 3])
def test_the_active_controller_comes_last_and_the_others_stay_as_they_are(leader: int) -> None:
    planned = roll_order(THREE, IDS, led_by(leader))
    assert hosts(planned) == [name for name in THREE if IDS[name] != leader] + [f"pi{leader}"]
    assert planned[-1]["says"] == f"pi{leader} (active controller)"
    assert [node["healthy"] for node in planned] == [True, True, True]


def test_the_order_is_that_of_the_inventory_not_of_names_or_ids() -> None:
    assert hosts(roll_order(["pi3", "pi1", "pi2"], IDS, led_by(1))) == ["pi3", "pi2", "pi1"]


def test_only_what_is_to_be_restarted_is_in_the_order() -> None:
    assert hosts(roll_order(["pi2", "pi1"], IDS, led_by(1))) == ["pi2", "pi1"]
    assert roll_order([], IDS, led_by(1)) == []


def test_a_node_that_is_down_comes_first_since_any_other_would_be_the_second_one_that_is_missing() -> None:
    down, *others = roll_order(THREE, IDS, health("one_down"))
    assert not down["healthy"]
    assert (
        down["says"] == "pi3 (its broker is fenced, 9 of its replicas are not in sync, it lacks a part of the metadata)"
    )
    assert all(node["healthy"] for node in others)


def test_a_node_that_catches_up_comes_first() -> None:
    assert order("catching_up")[0].startswith("pi3 (")


def test_a_node_that_recovers_its_log_comes_first() -> None:
    assert order("recovering")[0].startswith("pi3 (its broker is fenced, ")


def test_an_active_controller_of_which_the_broker_is_fenced_comes_first() -> None:
    """The others may not stop before it is back."""
    fenced = [{"id": number, "fenced": number == 1, "out_of_sync": 0} for number in (1, 2, 3)]
    first, *_others = roll_order(THREE, IDS, led_by(1, brokers=fenced))
    assert first["says"] == "pi1 (its broker is fenced, active controller)"


def test_a_controller_alone_that_is_behind_comes_first_and_a_broker_alone_has_no_vote_to_lack() -> None:
    names = ["pi4", "pi5", *THREE]
    assert order("dedicated_one_down", *names)[0] == "pi1 (it lacks a part of the metadata)"
    assert [node["healthy"] for node in roll_order(names, IDS, health("dedicated"))] == 5 * [True]


def test_a_node_that_the_cluster_does_not_know_comes_first() -> None:
    planned = roll_order(["pi1", "pi4"], IDS, led_by(1))
    assert [node["says"] for node in planned] == ["pi4 (the cluster does not know it)", "pi1 (active controller)"]


@pytest.mark.parametrize("answer", [{}, {"failed": True, "msg": "No Kafka broker can be reached"}])
def test_without_an_answer_the_order_is_that_of_the_inventory_and_is_said_to_be(answer: dict[str, Any]) -> None:
    planned = roll_order(["pi3", "pi1"], IDS, answer)
    assert [node["says"] for node in planned] == [f"{name} (the cluster could not be asked)" for name in ("pi3", "pi1")]
    assert [node["healthy"] for node in planned] == [True, True]


def test_without_an_active_controller_nothing_is_known() -> None:
    assert order("two_down")[0] == "pi1 (the cluster could not be asked)"


def test_node_ids_may_be_texts_as_an_inventory_gives_them() -> None:
    assert hosts(roll_order(THREE, {name: str(number) for name, number in IDS.items()}, led_by(1)))[-1] == "pi1"


def test_ansible_finds_the_filter() -> None:
    assert FilterModule().filters() == {"roll_order": roll_order}
