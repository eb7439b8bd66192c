"""Test hosts take the example's hosts' place and change nothing else."""

import pytest

from tests.hosts import inventory
from tests.hosts.step import Failure

EXAMPLE = """# A comment
[pis]
pi1 ansible_host=192.168.1.50 ansible_user=pi kraft_broker_node_id=7
# pi2 ansible_host=192.168.1.51

[other]
pi1

[pis:vars]
# kraft_broker_archive=https://example.org
kraft_broker_port=9092
"""
CLUSTER = """[brokers]
pi1 ansible_host=192.168.1.51 kraft_broker_node_id=1
pi2 ansible_host=192.168.1.52 kraft_broker_node_id=2

[controllers:children]
brokers

[pis:children]
brokers
controllers

[pis:vars]
# kraft_broker_controller_port=9093
"""
HOSTS = {"pi1": {"ansible_host": "198.18.0.10"}, "pi2": {"ansible_host": "198.18.0.11"}}


def test_hosts_are_replaced_and_keep_what_else_was_said_of_them() -> None:
    text = inventory.rewrite(EXAMPLE, HOSTS, {})
    lines = "[pis]\npi1 ansible_host=198.18.0.10 kraft_broker_node_id=7\npi2 ansible_host=198.18.0.11"
    assert f"{lines} kraft_broker_node_id=2\n# pi2" in text
    assert "192.168.1.50" not in text


def test_other_groups_and_comments_stay() -> None:
    text = inventory.rewrite(EXAMPLE, HOSTS, {})
    assert text.startswith("# A comment\n[pis]")
    assert "\n[other]\npi1\n" in text
    assert "\n# kraft_broker_archive=https://example.org\nkraft_broker_port=9092\n" in text


def test_variables_are_appended_to_the_group() -> None:
    text = inventory.rewrite(EXAMPLE + "\n[last]\nx\n", HOSTS, {"kraft_broker_archive": "/a.tgz"})
    assert "\nkraft_broker_port=9092\nkraft_broker_archive=/a.tgz\n\n[last]\n" in text


def test_a_variable_that_is_set_is_replaced() -> None:
    text = inventory.rewrite(EXAMPLE, HOSTS, {"kraft_broker_port": "1"})
    assert "kraft_broker_port=9092" not in text
    assert text.endswith("\nkraft_broker_port=1\n")


def test_the_variables_section_is_made_where_there_is_none() -> None:
    assert inventory.rewrite("[pis]\npi1\n", HOSTS, {"a": "b"}).endswith("\n[pis:vars]\na=b\n")


def test_the_repository_s_own_example_can_be_rewritten() -> None:
    text = inventory.rewrite(inventory.EXAMPLE.read_text(), HOSTS, {"a": "b"})
    assert "\npi1 ansible_host=198.18.0.10\npi2 ansible_host=198.18.0.11\n" in text


def test_the_nodes_of_a_cluster_take_the_place_of_those_in_its_first_group_and_keep_their_numbers() -> None:
    text = inventory.rewrite(CLUSTER, HOSTS, {"a": "b"})
    assert text.startswith(
        "[brokers]\npi1 ansible_host=198.18.0.10 kraft_broker_node_id=1\n"
        "pi2 ansible_host=198.18.0.11 kraft_broker_node_id=2\n\n[controllers:children]\nbrokers\n\n[pis:children]\n"
    )
    assert text.endswith("\n[pis:vars]\n# kraft_broker_controller_port=9093\na=b\n")


def test_more_nodes_than_the_example_has_get_the_next_numbers() -> None:
    hosts = {f"pi{number}": {"ansible_host": f"198.18.0.{number}"} for number in range(1, 6)}
    text = inventory.rewrite(CLUSTER, hosts, {})
    for number in range(1, 6):
        assert f"\npi{number} ansible_host=198.18.0.{number} kraft_broker_node_id={number}\n" in text


def test_fewer_nodes_than_the_example_has_leave_none_of_its_own() -> None:
    text = inventory.rewrite(CLUSTER, {"pi2": {"ansible_host": "198.18.0.11"}}, {})
    assert text.startswith("[brokers]\npi2 ansible_host=198.18.0.11 kraft_broker_node_id=2\n\n")


def test_an_example_that_numbers_no_host_numbers_none() -> None:
    text = inventory.rewrite("[pis]\npi1 ansible_host=192.168.1.50\n", HOSTS, {})
    assert "kraft_broker_node_id" not in text


def test_the_repository_s_own_cluster_can_be_rewritten() -> None:
    text = inventory.rewrite(inventory.CLUSTER.read_text(), HOSTS, {"a": "b"})
    assert "\npi1 ansible_host=198.18.0.10 kraft_broker_node_id=1\n" in text
    assert "192.168." not in text.split("[pis:vars]")[0].split("[brokers]")[1]
    assert inventory.split(text)["pis:children"][1:3] == ["brokers", "controllers"]


def test_an_example_without_the_group_is_refused() -> None:
    with pytest.raises(Failure, match=r"no group \[pis\]"):
        inventory.rewrite("[others]\npi1\n", HOSTS, {})
