from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import ExpectedError
from ansible_collections.raspi.kafka.plugins.module_utils._proof import Broker, messages_of
from ansible_collections.raspi.kafka.plugins.modules import produce_consume
from ansible_collections.raspi.kafka.plugins.modules.produce_consume import (
    Deadline,
    Run,
    led_partitions,
    new_run_id,
    verify_disk,
)

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
