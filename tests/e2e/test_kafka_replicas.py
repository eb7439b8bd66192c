"""kafka_replicas with three real brokers, also where it is killed, where brokers are down, and while clients write.

RASPI_KAFKA_ARCHIVE=... PYTHONPATH=.collections pytest tests/e2e/test_kafka_replicas.py
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils import _kafka
from ansible_collections.raspi.kafka.plugins.module_utils._growth import Wish, plan
from ansible_collections.raspi.kafka.plugins.module_utils._replicas import Cluster, look, move, set_rates, set_topics
from ansible_collections.raspi.kafka.plugins.module_utils._throttle import FOLLOWERS, LEADERS
from kafka import KafkaProducer
from kafka.errors import KafkaError

from tests.hosts import deployed, growing, traffic
from tests.hosts.cluster import TOPIC

from .quorum import Nodes
from .test_modules import COLLECTIONS, REPOSITORY, RUNNER, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECONDS = 120
MIB = 1048576
FAST = 100 * MIB
# Kafka's own topics are as one broker alone makes them; min.insync.replicas of the cluster is 2 from the beginning.
ALONE = """
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
"""

Result = dict[str, Any]


def options(nodes: Nodes, *topics: str | Result, **more: Any) -> Result:
    declared = [{"name": topic} if isinstance(topic, str) else topic for topic in topics]
    return {"topics": declared, "replication_factor": 3, "brokers": list(nodes.ids), "throttle": FAST, **more}


def replicas(nodes: Nodes, *topics: str | Result, check: bool = False, **more: Any) -> Result:
    """Run the module until it is done, as its action plugin does; returns the plan of its first call."""
    given = options(nodes, *topics, **more)
    first = result = run("kafka_replicas", nodes.server(1), check=check, **given)
    end = time.monotonic() + SECONDS
    while not result.get("failed") and not result["done"]:
        assert time.monotonic() < end, result
        result = run("kafka_replicas", nodes.server(1), **given)
    return {**result, **{key: first[key] for key in ("actions", "diff", "changed") if key in first}}


def looked(nodes: Nodes) -> Cluster:
    with nodes.admin() as admin:
        return look(admin)


def until(nodes: Nodes, wanted: Callable[[Cluster], bool]) -> Cluster:
    end = time.monotonic() + SECONDS
    while not wanted(found := looked(nodes)):
        assert time.monotonic() < end, found
        time.sleep(0.2)
    return found


def assert_grown(nodes: Nodes, topic: str) -> None:
    """All replicas are there, each broker leads, and nothing of the way there is left."""
    found = looked(nodes)
    placed = found.topics[topic].partitions.values()
    assert all(set(one.replicas) == set(one.isr) == {1, 2, 3} for one in placed)
    assert all(one.leader == one.replicas[0] for one in placed)
    assert_released(found, topic)


def assert_released(found: Cluster, topic: str) -> None:
    one = found.topics[topic]
    assert (one.mark, one.is_foreign, one.has_min_isr, one.min_isr) == (None, False, False, 2)
    assert all(rates == {} for rates in found.rates.values())


def leaders(found: Cluster, topic: str) -> set[int]:
    return {one.leader for one in found.topics[topic].partitions.values()}


def fill(nodes: Nodes, topic: str, mebibytes: int) -> None:
    """Records that do not compress, spread over the partitions."""
    producer = KafkaProducer(bootstrap_servers=nodes.servers, acks="all", batch_size=MIB, max_request_size=2 * MIB)
    for number in range(mebibytes * 2):
        producer.send(topic, os.urandom(MIB // 2), partition=number % 3)
    producer.flush(60)
    producer.close()


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, class_path: str) -> Iterator[Nodes]:
    with Nodes(tmp_path_factory.mktemp("replicas"), class_path, all_voters=True, more=ALONE) as running:
        running.start(*running.ids)
        running.wait_until_serving(*running.ids)
        yield running


@pytest.fixture
def topic(nodes: Nodes) -> Iterator[str]:
    """Three partitions on broker 1 alone, as before the others joined it."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    with nodes.admin() as admin:
        admin.create_topics({name: {"assignments": {0: [1], 1: [1], 2: [1]}}})
    until(
        nodes, lambda found: name in found.topics and all(p.leader == 1 for p in found.topics[name].partitions.values())
    )
    yield name
    with nodes.admin() as admin:
        admin.delete_topics([name])
    until(nodes, lambda found: name not in found.topics)


def test_a_topic_of_one_replica_gets_three_and_a_second_run_changes_nothing(nodes: Nodes, topic: str) -> None:
    fill(nodes, topic, 6)
    predicted = replicas(nodes, topic, check=True)
    assert all(one.replicas == (1,) for one in looked(nodes).topics[topic].partitions.values())
    first = replicas(nodes, topic)
    for key in ("actions", "diff", "changed", "shares"):
        assert first[key] == predicted[key]
    assert first["diff"]["before"] == {topic: {"0": [1], "1": [1], "2": [1]}}
    assert f"give 3 partitions of topic {topic} 3 replicas in place of 1" in first["actions"][0]
    assert first["complete"]
    assert first["bytes"]["least"] >= 12 * MIB
    print(f"{first['bytes']['copied']} bytes copied, {first['bytes']['least']} had to be")
    assert first["bytes"]["ratio"] == 1.0
    assert_grown(nodes, topic)
    second = replicas(nodes, topic)
    assert (second["changed"], second["actions"]) == (False, [])


def test_kafkas_own_topics_grow_too_and_what_is_not_declared_is_named(nodes: Nodes, topic: str) -> None:
    with contextlib.closing(KafkaProducer(bootstrap_servers=nodes.servers, transactional_id="t")) as producer:
        producer.init_transactions()
    result = replicas(nodes)
    assert topic in result["left_alone"]
    assert result["own_min_insync_replicas"] == {"__transaction_state": 1}
    assert all(len(one.isr) == 3 for one in looked(nodes).topics["__transaction_state"].partitions.values())


@contextlib.contextmanager
def written(nodes: Nodes, topic: str) -> Iterator[list[str]]:
    """Write with acks=all while the body runs; what fails, or is not acknowledged within 5 s, is in the list."""
    failed: list[str] = []
    over = threading.Event()
    producer = KafkaProducer(
        bootstrap_servers=nodes.servers, acks="all", retries=100, delivery_timeout_ms=5000, request_timeout_ms=4000
    )

    def write() -> None:
        number = 0
        while not over.wait(0.02):
            try:
                producer.send(topic, b"numbered", partition=number % 3).get(10)
            except (KafkaError, TimeoutError) as error:
                failed.append(f"{number}: {type(error).__name__}")
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield failed
    finally:
        over.set()
        writer.join()
        with contextlib.suppress(KafkaError):  # what is not written by now never will be
            producer.close(timeout=5)


def test_writes_go_on_although_the_cluster_asks_for_two_in_sync(nodes: Nodes, topic: str) -> None:
    """The copies take longer than a write may."""
    fill(nodes, topic, 12)
    with written(nodes, topic) as failed:
        result = replicas(nodes, topic, throttle=2 * MIB)
    assert not result.get("failed"), result
    assert failed == []
    assert_grown(nodes, topic)


def start(nodes: Nodes, *topics: str, **more: Any) -> subprocess.Popen[str]:
    """The module as a process that can be killed."""
    arguments = {"bootstrap_servers": [nodes.server(1)], **options(nodes, *topics, **more)}
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER, "kafka_replicas"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{COLLECTIONS}"},
    )
    assert process.stdin
    process.stdin.write(json.dumps(arguments))
    process.stdin.close()
    return process


def test_a_task_that_is_killed_while_it_copies_is_gone_on_with(nodes: Nodes, topic: str) -> None:
    fill(nodes, topic, 12)
    process = start(nodes, topic, throttle=MIB)
    found = until(nodes, lambda found: any(one.moves for one in found.topics[topic].partitions.values()))
    process.kill()
    process.wait()
    assert found.topics[topic].mark
    assert set(found.rates[1].values()) == {str(MIB)}
    # A restart, which a changed setting asks for before the growth is gone on with, is not held by these copies.
    health = run("cluster_health", nodes.server(1), node_id=1, patience=30)
    assert health.get("may_stop"), health
    assert run("kafka_leaders", nodes.server(1), node_id=2, check=True)["behind"] == {}
    assert any(one.moves for one in looked(nodes).topics[topic].partitions.values()), "nothing was shown"
    under_way = {number: one.replicas for number, one in found.topics[topic].partitions.items()}
    result = replicas(nodes, topic)
    assert result["actions"] == [f"go on with 3 partitions of topic {topic}, which are being copied already"]
    assert result["diff"] == {"before": {}, "after": {}}
    assert {number: one.replicas for number, one in looked(nodes).topics[topic].partitions.items()} == under_way
    assert result["bytes"]["ratio"] == 1.0
    assert_grown(nodes, topic)


@pytest.mark.parametrize("steps", [1, 2, 3], ids=["marked", "throttled", "moved"])
def test_each_step_of_its_beginning_can_be_the_last_before_it_is_killed(nodes: Nodes, topic: str, steps: int) -> None:
    found = looked(nodes)
    growth = plan(found, Wish({topic: 3}, (1, 2, 3)))
    with nodes.admin() as admin:
        for step in (
            lambda: set_topics(admin, growth.noted),
            lambda: set_rates(admin, [1, 2, 3], MIB),
            lambda: move(admin, growth.placed, 5000),
        )[:steps]:
            step()
    assert replicas(nodes, topic)["changed"]
    assert_grown(nodes, topic)


def test_each_step_of_its_end_can_be_the_last_before_it_is_killed(nodes: Nodes, topic: str) -> None:
    """All is copied; the election, the throttles of brokers and the marks are left, or only the marks."""
    growth = plan(looked(nodes), Wish({topic: 3}, (1, 2, 3)))
    for rate in (MIB, None):
        with nodes.admin() as admin:
            set_topics(admin, growth.noted)
            set_rates(admin, [1, 2, 3], rate)
            move(admin, growth.placed, 5000)
        until(nodes, lambda found: all(one.is_in_sync for one in found.topics[topic].partitions.values()))
        result = replicas(nodes, topic)
        assert result["actions"] == [f"end what an interrupted run began with topic {topic}"]
        assert_grown(nodes, topic)


def test_a_topic_that_somebody_else_throttles_is_refused_and_left_as_it_is(nodes: Nodes, topic: str) -> None:
    theirs = {LEADERS: "0:1", FOLLOWERS: "*"}
    with nodes.admin() as admin:
        _kafka.alter_configs(admin, _kafka.TOPIC, {topic: theirs})
    until(nodes, lambda found: found.topics[topic].is_foreign)
    result = replicas(nodes, topic)
    assert result["reason"] == "refused"
    assert f"Topic {topic} is throttled by somebody else" in result["msg"]
    assert looked(nodes).topics[topic].is_foreign


def test_brokers_that_somebody_else_throttles_are_refused_and_left_as_they_are(nodes: Nodes, topic: str) -> None:
    with nodes.admin() as admin:
        set_rates(admin, [2], 12345)
    result = replicas(nodes, topic)
    assert "Broker 2 is throttled by somebody else" in result["msg"]
    assert set(looked(nodes).rates[2].values()) == {"12345"}
    with nodes.admin() as admin:
        set_rates(admin, [2], None)
    until(nodes, lambda found: not found.rates[2])


def led(nodes: Nodes, asked: int, topic: str) -> set[int]:
    """Who leads a topic, as one node says; -1 stands for nobody."""
    with contextlib.suppress(KafkaError, OSError), nodes.admin(asked) as admin:
        return {one["leader_id"] for one in admin.describe_topics([topic])[0]["partitions"]}
    return {-1}


def test_the_first_broker_can_be_lost_then_and_nothing_is_missed(nodes: Nodes, tmp_path: Path) -> None:
    """Not what was acknowledged, and not how far a group has read, which only the first one knew before."""
    ledger = tmp_path / "ledger"
    with nodes.admin() as admin:
        admin.create_topics({TOPIC: {"assignments": {0: [1], 1: [1], 2: [1]}}})
    until(nodes, lambda found: TOPIC in found.topics and {1} == leaders(found, TOPIC))
    with traffic.sent(nodes.servers, TOPIC, ledger):
        committed = growing.read_some(nodes.servers)
        assert replicas(nodes, TOPIC)["complete"]
        assert_grown(nodes, TOPIC)
        nodes.kill(1)
        deployed.wait_until(lambda: not {1, -1} & led(nodes, 2, TOPIC), SECONDS, "others lead")
        traffic.await_lines(ledger, traffic.count(ledger) + 3 * traffic.PER_SECOND)
        growing.judged(nodes.servers[1:], ledger)
        gone_on = growing.read_some(nodes.servers[1:])
    assert {place: first for place, (first, _next) in gone_on.items()} == {
        place: following for place, (_first, following) in committed.items()
    }
    nodes.start(1)
    nodes.wait_until_serving(1)


def test_what_these_brokers_cannot_have_is_refused_before_anything_changes(nodes: Nodes, topic: str) -> None:
    result = replicas(nodes, topic, {"name": "other", "replication_factor": 5})
    assert result["reason"] == "refused"
    assert "Topic other shall have 5 replicas, and there are 3 brokers" in result["msg"]
    assert all(one.replicas == (1,) for one in looked(nodes).topics[topic].partitions.values())


def test_a_topic_waits_for_a_broker_that_is_down(nodes: Nodes, topic: str) -> None:
    nodes.stop(3)
    until(nodes, lambda found: found.fenced[3])
    result = replicas(nodes, topic)
    assert result["waiting"] == [f"Topic {topic} waits with fewer than 3 replicas: broker 3 does not serve."]
    assert (result["changed"], result["complete"]) == (False, False)
    assert all(one.replicas == (1,) for one in looked(nodes).topics[topic].partitions.values())
    nodes.start(3)
    nodes.wait_until_serving(3)
    assert replicas(nodes, topic)["complete"]
    assert_grown(nodes, topic)


def fenced(nodes: Nodes, node: int) -> bool:
    """Until then it cannot be asked, and counts as one that can."""
    with contextlib.suppress(KafkaError, OSError):
        return looked(nodes).fenced[node]
    return False


def test_copies_that_wait_for_a_broker_alone_are_told_and_ended_when_it_is_back(nodes: Nodes, topic: str) -> None:
    fill(nodes, topic, 6)
    given = options(nodes, topic, throttle=MIB // 4)
    assert not run("kafka_replicas", nodes.server(1), **given)["done"]
    nodes.kill(3)
    deployed.wait_until(lambda: fenced(nodes, 3), SECONDS, "the others know")
    given["throttle"] = FAST
    deployed.wait_until(
        lambda: run("kafka_replicas", nodes.server(1), **given).get("blocked"), SECONDS, "all but 3 are copied"
    )
    result = run("kafka_replicas", nodes.server(1), **given)
    assert (result["done"], result["blocked"], result["complete"]) == (False, [3], False)
    assert result["blocked_topics"] == [topic]
    assert result["waiting"][0].startswith("The copies wait for broker 3, which does not serve: ")
    nodes.start(3)
    nodes.wait_until_serving(3)
    assert replicas(nodes, topic)["complete"]
    assert_grown(nodes, topic)


def test_replicas_of_a_broker_that_was_taken_out_are_given_to_another_one(nodes: Nodes, topic: str) -> None:
    """Kafka keeps them where they are: each would count for ever, though nobody has it."""
    two = {"name": topic, "replication_factor": 2}
    with nodes.admin() as admin:
        move(admin, {(topic, number): (1, 3) for number in range(3)}, 5000)
    until(nodes, lambda found: all(one.is_in_sync for one in found.topics[topic].partitions.values()))
    nodes.kill(3)
    deployed.wait_until(lambda: fenced(nodes, 3), SECONDS, "the others know")
    nodes.unregister(3)
    gone = until(nodes, lambda found: 3 not in found.fenced)
    assert {one.replicas for one in gone.topics[topic].partitions.values()} == {(1, 3)}
    result = replicas(nodes, two, brokers=[1, 2], replication_factor=2)
    assert (result["changed"], result["complete"], result["waiting"]) == (True, True, [])
    found = looked(nodes)
    assert {frozenset(one.isr) for one in found.topics[topic].partitions.values()} == {frozenset({1, 2})}
    assert not replicas(nodes, two, brokers=[1, 2], replication_factor=2)["changed"]
