from __future__ import annotations

import contextlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import ExpectedError
from ansible_collections.raspi.kafka.plugins.module_utils._proof import Broker, Place, messages_of
from ansible_collections.raspi.kafka.plugins.modules import produce_consume
from ansible_collections.raspi.kafka.plugins.modules.produce_consume import (
    Consumed,
    Deadline,
    Record,
    Run,
    consume_and_judge,
    describe_topic,
    find_replicas,
    judge_identity,
    led_partitions,
    new_run_id,
    produce,
    produce_through_all,
    verify_disk,
)
from kafka.errors import InvalidRequestError, NotEnoughReplicasError

from tests.module_args import patch_module_args

ARGS: dict[str, Any] = {"bootstrap_servers": ["127.0.0.1:1"], "request_timeout_ms": 1000, "topic": "t"}


def fail(capsys: pytest.CaptureFixture[str], **change: Any) -> dict[str, Any]:
    with patch_module_args({**ARGS, **change}), pytest.raises(SystemExit):
        produce_consume.main()
    result = json.loads(capsys.readouterr().out)
    assert result["failed"]
    return result


@pytest.mark.parametrize("change", [{"messages": 0}, {"timeout": 1}, {"run_id": "a b"}, {"run_id": ""}])
def test_options_out_of_range_are_refused_by_name(change: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    result = fail(capsys, **change)
    assert result["reason"] == "invalid"
    assert result["msg"].startswith(next(iter(change)))


def test_no_broker_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(capsys)["reason"] == "unreachable"


def test_runs_do_not_share_an_id() -> None:
    assert new_run_id() != new_run_id()
    assert produce_consume.LEGAL_RUN_ID.fullmatch(new_run_id())


def test_time_that_is_over_says_what_it_was_spent_on() -> None:
    with pytest.raises(ExpectedError, match="over while counting sheep") as over:
        Deadline(0).left("counting sheep")
    assert over.value.facts["reason"] == "timeout"


def test_a_broker_is_only_known_by_the_address_it_advertises() -> None:
    this = Run({**ARGS, "client_id": "me", "request_timeout_ms": 60000}, "run", Deadline(10))
    options = this.only_through(Broker(1, "pi-1", 9092))
    assert options["bootstrap_servers"] == ["pi-1:9092"]
    assert options["request_timeout_ms"] <= 10000


def test_a_disk_that_proves_nothing_is_a_failure() -> None:
    acked = {(0, 0): messages_of("run", 1, 1)[0]}
    partitions = [{"partition_index": 0, "isr_nodes": [2]}]
    with pytest.raises(ExpectedError, match="nothing can be") as refused:
        verify_disk([(1, 0, "/nowhere")], partitions, "t", acked)
    assert refused.value.facts["reason"] == "not_on_disk"


class Admin:
    """Two brokers of which the first leads all, until an election was asked for."""

    def __init__(self, replicas: list[list[int]]) -> None:
        self.replicas = replicas
        self.elected = 0

    def describe_topics(self, _names: list[str]) -> list[dict[str, Any]]:
        partitions = [
            {"partition_index": number, "leader_id": replicas[0] if self.elected > 1 else 1, "replica_nodes": replicas}
            for number, replicas in enumerate(self.replicas)
        ]
        return [{"error_code": 0, "partitions": partitions}]

    def elect_leaders(self, *_arguments: Any, **_options: Any) -> None:
        self.elected += 1


BROKERS = [Broker(1, "pi-1", 9092), Broker(2, "pi-2", 9092)]


def test_leadership_goes_back_to_a_broker_that_was_restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(produce_consume.time, "sleep", lambda _seconds: None)
    this = Run(ARGS, "run", Deadline(10))
    admin = Admin([[1, 2], [2, 1]])
    assert led_partitions(this, admin, BROKERS) == {1: 0, 2: 1}
    assert admin.elected == 2


def test_a_broker_that_can_lead_nothing_is_not_waited_for() -> None:
    admin = Admin([[1, 2]])
    with pytest.raises(ExpectedError, match="is led by broker 2"):
        led_partitions(Run(ARGS, "run", Deadline(10)), admin, BROKERS)
    assert admin.elected == 0


def the_run(**more: Any) -> Run:
    params = {**ARGS, "client_id": "me", "messages": 2, "timeout": 10, "run_id": "run", "on_disk": False, **more}
    return Run(params, "run", Deadline(10))


def reason_of(refusal: pytest.ExceptionInfo[ExpectedError]) -> str:
    return refusal.value.facts["reason"]


def test_a_topic_that_does_not_exist_is_a_sentence() -> None:
    admin = SimpleNamespace(describe_topics=lambda _names: [{"error_code": 3, "partitions": []}])
    with pytest.raises(ExpectedError, match="Topic t does not exist") as refusal:
        describe_topic(admin, "t")
    assert reason_of(refusal) == "no_topic"


def test_brokers_that_share_an_address_are_not_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = [{"broker_id": number, "host": "127.0.0.1", "port": 9094} for number in (1, 2)]
    admin = SimpleNamespace(describe_cluster=lambda: {"brokers": twice})
    monkeypatch.setattr(produce_consume, "admin_client", lambda _params: contextlib.nullcontext(admin))
    monkeypatch.setattr(produce_consume, "led_partitions", lambda *_arguments: pytest.fail("it went on"))
    with pytest.raises(ExpectedError) as refusal:
        produce_consume.work(SimpleNamespace(params=the_run().params))
    assert reason_of(refusal) == "same_address"


def test_another_broker_at_the_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(*_arguments: Any) -> None:
        raise InvalidRequestError("Unexpected broker id, expected 2 but received 1.")

    monkeypatch.setattr(produce_consume, "admin_client", lambda _params: contextlib.nullcontext())
    monkeypatch.setattr(produce_consume, "describe_configs", answer)
    with pytest.raises(ExpectedError, match="Broker 1 advertises pi-1:9092, but another broker answers") as refusal:
        judge_identity(the_run(), BROKERS[0])
    assert reason_of(refusal) == "wrong_broker"


def test_each_broker_is_asked_who_it_is_before_it_gets_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[str, int]] = []
    monkeypatch.setattr(produce_consume, "judge_identity", lambda _run, broker: done.append(("asked", broker.id)))
    monkeypatch.setattr(produce_consume, "producer_through", lambda _run, _broker: contextlib.nullcontext())

    def messages(_run: Run, _producer: Any, broker: Broker, _partition: int) -> tuple[dict[Place, Record], list[float]]:
        done.append(("sent", broker.id))
        return {}, [1.0]

    monkeypatch.setattr(produce_consume, "produce", messages)
    produce_through_all(the_run(), BROKERS, {1: 0, 2: 1})
    assert done == [("asked", 1), ("sent", 1), ("asked", 2), ("sent", 2)]


def test_a_message_that_is_not_acknowledged_is_a_failure() -> None:
    class Producer:
        def partitions_for(self, _topic: str) -> set[int]:
            return {0}

        def send(self, *_record: Any, **_options: Any) -> Any:
            return self

        def get(self, timeout: float) -> None:
            raise NotEnoughReplicasError(f"within {timeout:.0f} s")

    with pytest.raises(ExpectedError, match="Broker 1 at pi-1:9092 did not acknowledge message 1 of 2") as refusal:
        produce(the_run(), Producer(), BROKERS[0], 0)
    assert reason_of(refusal) == "not_acknowledged"


ACKED = {(0, offset): message for offset, message in enumerate(messages_of("run", 1, 2))}


def judged(monkeypatch: pytest.MonkeyPatch, seen: Consumed) -> str:
    """Why a proof fails whose consumer saw this of a partition with two records."""

    class Consumer:
        def partitions_for_topic(self, _topic: str) -> set[int]:
            return {0}

        def beginning_offsets(self, partitions: list[Any]) -> dict[Any, int]:
            return dict.fromkeys(partitions, 0)

        def end_offsets(self, partitions: list[Any]) -> dict[Any, int]:
            return dict.fromkeys(partitions, 2)

    monkeypatch.setattr(produce_consume, "group_consumer", lambda *_arguments: contextlib.nullcontext(Consumer()))
    monkeypatch.setattr(produce_consume, "consume", lambda *_arguments: seen)
    with pytest.raises(ExpectedError) as refusal:
        consume_and_judge(the_run(), BROKERS, ACKED)
    return reason_of(refusal)


def test_what_was_read_is_compared_with_what_was_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    assert judged(monkeypatch, Consumed(1, {0: 0}, {(0, 0): ACKED[0, 0]})) == "lost"


def test_reading_that_skipped_the_beginning_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    assert judged(monkeypatch, Consumed(2, {0: 1}, ACKED)) == "not_from_beginning"


def test_records_that_are_not_on_the_disk_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(produce_consume, "read_partition", lambda *_arguments: ({0: ACKED[0, 0]}, ["00.log"]))
    with pytest.raises(
        ExpectedError, match="1 of 2 acknowledged records were not found on disk in /data/t-0"
    ) as refusal:
        verify_disk([(1, 0, "/data")], [{"partition_index": 0, "isr_nodes": [1]}], "t", ACKED)
    assert reason_of(refusal) == "not_on_disk"


def test_a_host_without_a_replica_is_a_failure(tmp_path: Path) -> None:
    """Another node's directory of the same name is none either."""
    (tmp_path / "meta.properties").write_text("cluster.id=abc\nnode.id=2\n")
    partition = {"partition_index": 0, "is_future_key": False}
    log_dirs = [{"log_dir": str(tmp_path), "topics": [{"partitions": [partition]}]}]
    admin = SimpleNamespace(describe_log_dirs=lambda _topics, _brokers: [{"log_dirs": log_dirs}])
    with pytest.raises(ExpectedError, match=f"the brokers have {tmp_path} of broker 1") as refusal:
        find_replicas(admin, "abc", BROKERS[:1], "t")
    assert reason_of(refusal) == "not_on_disk"
    assert find_replicas(admin, "abc", BROKERS[1:], "t") == [(2, 0, str(tmp_path))]
