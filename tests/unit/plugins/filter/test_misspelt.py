from __future__ import annotations

import pytest
from ansible_collections.raspi.kafka.plugins.filter.misspelt import FilterModule, edit_distance

misspelt = FilterModule().filters()["misspelt"]

KNOWN = ["kraft_broker_port", "kraft_broker_local_port", "java_package", "verify_messages"]


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ("port", "port", 0),
        ("", "port", 4),
        ("prt", "port", 1),
        ("poort", "port", 1),
        ("pert", "port", 1),
        ("prot", "port", 1),
        ("opTr", "port", 3),
        ("optr", "port", 2),
        ("kitten", "sitting", 3),
        ("ca", "abc", 3),
    ],
)
def test_the_distance_counts_insertions_deletions_replacements_and_swaps(one: str, other: str, distance: int) -> None:
    assert {edit_distance(*pair) for pair in ((one, other), (other, one))} == {distance}


@pytest.mark.parametrize(
    "name",
    [
        "kraft_broker_prt",
        "kraft_broker_poort",
        "kraft_broker_pert",
        "kraft_broker_prot",
        "kraftbroker_port",
        "kraftbrokerport",
        "kraft_broker_ports",
        "kraft_broker_portxx",
        "karft_broker_prot",
        "kraft-broker-port",
        "Kraft_Broker_port",
    ],
)
def test_a_name_one_or_two_letters_off_is_named_with_the_right_one(name: str) -> None:
    assert misspelt([name], KNOWN) == [f"The variable {name} is not known; did you mean kraft_broker_port?"]


@pytest.mark.parametrize(
    "name",
    ["kraft_broker_portxxx", "krftbrokrport", "ansible_port", "ansible_host", "inventory_hostname", "my_port", "p", ""],
)
def test_a_name_three_letters_off_or_more_is_none_of_our_business(name: str) -> None:
    assert misspelt([name], KNOWN) == []


@pytest.mark.parametrize("name", ["_kraft_broker_port", "__kraft_broker_port", "_java_package"])
def test_private_names_are_not_compared(name: str) -> None:
    assert misspelt([name], KNOWN) == []


def test_known_names_are_fine() -> None:
    assert misspelt(KNOWN, KNOWN) == []


def test_a_known_name_that_is_near_another_known_one_is_fine() -> None:
    assert misspelt(["topic_a"], ["topic_a", "topic_b"]) == []


def test_the_nearest_name_is_suggested() -> None:
    assert misspelt(["abcdefg"], ["abcdeXX", "abcdefX"]) == ["The variable abcdefg is not known; did you mean abcdefX?"]


def test_several_hosts_with_the_same_mistake_get_one_sentence() -> None:
    sentences = misspelt(["verify_message", "java_pakage", "verify_message"], KNOWN)
    assert sentences == [
        "The variable java_pakage is not known; did you mean java_package?",
        "The variable verify_message is not known; did you mean verify_messages?",
    ]


def test_nothing_is_near_where_nothing_is_known() -> None:
    assert misspelt(["kraft_broker_port"], []) == []


def test_by_default_the_variables_of_the_roles_are_known() -> None:
    assert misspelt(["kraft_broker_prot", "topics_declare", "python_venv_cach"]) == [
        "The variable kraft_broker_prot is not known; did you mean kraft_broker_port?",
        "The variable python_venv_cach is not known; did you mean python_venv_cache?",
        "The variable topics_declare is not known; did you mean topics_declared?",
    ]
    assert misspelt(["kraft_broker_port", "topics_declared"]) == []
