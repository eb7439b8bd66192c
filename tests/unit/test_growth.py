"""The order in which a cluster grows, from real runs of the role's tasks; the hosts answer as tests tell them to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment
from plays import REPOSITORY, Host, run
from test_clusters import inventory, pi, played

PARTS = ["preflight", "grow", "cluster_defaults"]
DONE: dict[str, Any] = {
    "changed": True,
    "done": True,
    "complete": True,
    "waiting": [],
    "waiting_topics": [],
    "own_min_insync_replicas": {},
    "limit": 9,
}
UNDER_WAY = {**DONE, "done": False, "waits_for": "1.0 of 2.0 MiB copied", "remedy": "Look."}
TOPICS = [{"name": "telemetry", "partitions": 4}, {"name": "fixed", "replication_factor": 2}]


def grown(root: Path, *told: dict[str, Any], count: int = 3, **variables: Any) -> tuple[list[Host], str]:
    """Some brokers that are one cluster, in which kafka_replicas answers so; and what their owner reads."""
    hosts = [pi(root, f"pi{number}", number, {"kafka_replicas": list(told)}) for number in range(1, count + 1)]
    extra = json.dumps({"kraft_broker_answers": True, "topics_declared": TOPICS, **variables})
    _code, said = played(root, inventory(brokers=hosts, controllers=hosts), PARTS, "-e", extra)
    return hosts, said


def given(hosts: list[Host], module: str) -> dict[str, list[dict[str, Any]]]:
    """Host -> the options of each call, of the hosts that called it."""
    return {one.name: calls for one in hosts if (calls := one.given(module))}


def test_one_host_asks_for_the_replicas_of_all_and_for_two_in_sync_when_they_are_there(tmp_path: Path) -> None:
    hosts, said = grown(tmp_path, DONE)
    ((name, (asked,)),) = given(hosts, "kafka_replicas").items()
    assert name == "pi1", said
    assert (asked["brokers"], asked["replication_factor"], asked["throttle"]) == ([1, 2, 3], 3, 5 * 1048576)
    declared = {topic["name"]: topic["replication_factor"] for topic in asked["topics"]}
    assert (declared["telemetry"], declared["fixed"]) == (3, 2)
    ((name, (config,)),) = given(hosts, "kafka_cluster_config").items()
    assert (name, config["configs"]) == ("pi1", {"min.insync.replicas": 2})


def test_where_a_topic_waits_nobody_asks_for_two_in_sync(tmp_path: Path) -> None:
    own = {"__transaction_state": 1}
    hosts, said = grown(tmp_path, {**DONE, "complete": False, "own_min_insync_replicas": own})
    assert given(hosts, "kafka_replicas"), said
    assert given(hosts, "kafka_cluster_config") == {}
    assert given(hosts, "kafka_topics") == {}


def test_to_ask_for_one_in_sync_nothing_has_to_be_there(tmp_path: Path) -> None:
    hosts, said = grown(tmp_path, {**DONE, "complete": False}, kraft_broker_min_insync_replicas=1)
    ((_name, (config,)),) = given(hosts, "kafka_cluster_config").items()
    assert config["configs"] == {"min.insync.replicas": 1}, said


def test_kafkas_own_topics_ask_for_as_many(tmp_path: Path) -> None:
    hosts, said = grown(tmp_path, {**DONE, "own_min_insync_replicas": {"__transaction_state": 1}})
    ((name, (asked,)),) = given(hosts, "kafka_topics").items()
    assert name == "pi1", said
    assert asked["topics"] == [{"name": "__transaction_state", "configs": {"min.insync.replicas": 2}, "internal": True}]


def test_where_replicas_cannot_be_had_no_other_host_goes_further(tmp_path: Path) -> None:
    hosts, said = grown(tmp_path, {"failed": True, "msg": "Broker 2 is throttled by somebody else."})
    assert list(given(hosts, "kafka_replicas")) == ["pi1"]
    assert given(hosts, "kafka_cluster_config") == {}
    assert all(f"{name} goes no further, since pi1 could not give the topics" in said for name in ("pi2", "pi3"))


def test_copies_that_wait_for_a_broker_which_does_not_serve_stop_nobody(tmp_path: Path) -> None:
    told = {**UNDER_WAY, "complete": False, "idle": True, "idle_limit": 0, "blocked": [3]}
    hosts, said = grown(tmp_path, told)
    assert given(hosts, "kafka_replicas"), said
    assert given(hosts, "kafka_cluster_config") == {}
    assert said.count("failed=0") == said.count("failed=") > 0
    hosts, said = grown(tmp_path / "other", {**told, "blocked": []})
    assert " s have passed. Look." in said


def test_it_is_said_how_far_the_copies_are(tmp_path: Path) -> None:
    hosts, said = grown(tmp_path, UNDER_WAY, UNDER_WAY, DONE)
    assert len(given(hosts, "kafka_replicas")["pi1"]) == 3, said
    assert said.count("pi1: 1.0 of 2.0 MiB copied; ") == 2
    assert given(hosts, "kafka_cluster_config")


def test_one_broker_has_nothing_to_copy(tmp_path: Path) -> None:
    hosts, said = grown(tmp_path, DONE, count=1, topics_declared=[])
    assert given(hosts, "kafka_replicas") == {}, said
    assert given(hosts, "kafka_cluster_config")["pi1"][0]["configs"] == {"min.insync.replicas": 1}


def test_more_replicas_than_brokers_are_refused_before_anything_changes(tmp_path: Path) -> None:
    hosts, said = grown(tmp_path, DONE, topics_declared=[{"name": "wide", "replication_factor": 4}])
    assert "topics_declared asks for more replicas than the 3 brokers" in said
    assert "for wide. Declare 3 at most" in said
    assert given(hosts, "kafka_replicas") == {}


def test_a_factor_may_be_null_or_a_text(tmp_path: Path) -> None:
    """As `null` says that it is left out, and as ansible-core 2.17 makes a text of "{{ groups.brokers | length }}"."""
    factors = {"left": None, "two": "2", "one": 1}
    topics = [{"name": name, "replication_factor": factor} for name, factor in factors.items()]
    hosts, _said = grown(tmp_path, DONE, topics_declared=topics)
    ((_name, (asked,)),) = given(hosts, "kafka_replicas").items()
    declared = {topic["name"]: topic["replication_factor"] for topic in asked["topics"]}
    assert {name: declared[name] for name in factors} == {"left": 3, "two": 2, "one": 1}


def test_a_text_of_more_replicas_than_brokers_is_refused(tmp_path: Path) -> None:
    _hosts, said = grown(tmp_path, DONE, topics_declared=[{"name": "wide", "replication_factor": "4"}])
    assert "for wide. Declare 3 at most" in said


# --- the summary


@pytest.mark.parametrize(
    ("replicas", "min_isr", "named"),
    [(1, 2, ""), (2, 1, ""), (2, 2, "pair, other"), (3, 2, ""), (3, 3, "")],
    ids=["one is enough of one", "one may fail", "none may fail", "two are left", "as asked for by its owner"],
)
def test_a_topic_that_a_restart_stops_since_the_cluster_asks_for_two_is_named(
    replicas: int, min_isr: int, named: str
) -> None:
    (task,) = yaml.safe_load((REPOSITORY / "playbooks/tasks/summary.yml").read_text())
    topics = [
        {"name": name, "replication_factor": replicas, "min_insync_replicas": min_isr} for name in ("pair", "other")
    ]
    facts = {"__verify_cluster": {"topics": topics}, "_kraft_broker_replication_factor": "3"}
    assert Environment(autoescape=True).from_string(task["vars"]["__summary_stopped"]).render(facts) == named


# --- topics


def declared(root: Path, told: dict[str, Any], *arguments: str) -> dict[str, int | None]:
    """Topic -> the factor that kafka_topics is told, behind a growth that has ended so."""
    one = pi(root, "pi1", 1, {"kafka_topics": [{"created": [], "deleted": [], "grown": [], "altered": {}}]})
    extra = {"__kraft_broker_grown": told, "topics_declared": TOPICS, "topics_bootstrap_servers": ["pi1:9092"]}
    book = [{"hosts": "pis", "gather_facts": False, "roles": ["raspi.kafka.topics"]}]
    (root / "book.yml").write_text(json.dumps(book))
    extra_vars = ["-e", json.dumps(extra)]
    code, said = run(root, inventory(brokers=[one]), *extra_vars, *arguments, book=str(root / "book.yml"))
    assert code == 0, said
    (asked,) = one.given("kafka_topics")
    return {topic["name"]: topic.get("replication_factor") for topic in asked["topics"]}


def test_a_topic_that_waits_is_not_asked_for_the_factor_that_it_cannot_have_yet(tmp_path: Path) -> None:
    waits = {**DONE, "complete": False, "waiting_topics": ["fixed"]}
    assert declared(tmp_path / "waits", waits) == {"telemetry": None, "fixed": None}
    assert declared(tmp_path / "done", DONE) == {"telemetry": None, "fixed": 2}


def test_in_a_dry_run_no_topic_is_asked_for_what_it_would_have_by_then(tmp_path: Path) -> None:
    assert declared(tmp_path, DONE, "--check") == {"telemetry": None, "fixed": None}
