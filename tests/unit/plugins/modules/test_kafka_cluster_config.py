from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import INT, ConfigEntry, ExpectedError
from ansible_collections.raspi.kafka.plugins.modules import kafka_cluster_config
from ansible_collections.raspi.kafka.plugins.modules.kafka_cluster_config import check, describe, plan

TYPES = {"min.insync.replicas": INT}
KNOWN = {
    "min.insync.replicas": ConfigEntry("1", 5, INT, False, False),
    "log.dirs": ConfigEntry("/var", 4, 7, True, False),
    "ssl.keystore.password": ConfigEntry(None, 5, 9, False, True),
}


def test_a_config_is_set_once() -> None:
    assert plan({"min.insync.replicas": "1"}, {"min.insync.replicas": "2"}, TYPES) == {"min.insync.replicas": "2"}
    assert plan({"min.insync.replicas": "2"}, {"min.insync.replicas": "02"}, TYPES) == {}


def test_null_resets_only_what_is_set() -> None:
    assert plan({"a": "1"}, {"a": None, "b": None}, {}) == {"a": None}


def test_foreign_configs_are_kept() -> None:
    assert plan({"a": "1"}, {"b": "2"}, {}) == {"b": "2"}


def test_a_config_that_no_broker_has_is_refused_with_what_may_be_meant() -> None:
    assert check({"min.insync.replica": "2"}, KNOWN) == [
        "min.insync.replica is no config of a broker. Do you mean min.insync.replicas?"
    ]


def test_a_config_that_needs_a_restart_and_a_password_are_refused() -> None:
    refused = check({"log.dirs": "/x", "ssl.keystore.password": "x", "min.insync.replicas": "1"}, KNOWN)
    assert len(refused) == 2
    assert "server.properties" in refused[0]
    assert "password" in refused[1]


def test_a_plan_can_be_read() -> None:
    assert describe({"a": "2", "b": None}, {"b": "1"}) == [
        "set a=2 for all brokers (was unset)",
        "reset b for all brokers (was 1)",
    ]


def sent(monkeypatch: pytest.MonkeyPatch, configs: dict[str, Any], *, check_mode: bool = False) -> list[bool]:
    """Run the module; returns of each time that the changes were sent whether they were only to be judged."""
    calls: list[bool] = []

    def alter(_admin: Any, _kind: int, changes: Any, validate_only: bool) -> dict[str, str]:
        calls.append(validate_only)
        return {"": "It is too high"} if "99" in changes[""].values() else {}

    monkeypatch.setattr(kafka_cluster_config, "admin_client", lambda _params: contextlib.nullcontext())
    monkeypatch.setattr(kafka_cluster_config, "known_configs", lambda _admin: KNOWN)
    monkeypatch.setattr(
        kafka_cluster_config, "read", lambda _admin: {"min.insync.replicas": "2"} if False in calls else {}
    )
    monkeypatch.setattr(kafka_cluster_config, "alter_configs", alter)
    kafka_cluster_config.work(
        SimpleNamespace(params={"configs": configs, "request_timeout_ms": 1000}, check_mode=check_mode)
    )
    return calls


def test_what_is_refused_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ExpectedError, match=r"server\.properties and restart\. Nothing was changed"):
        sent(monkeypatch, {"log.dirs": "/x"})


def test_brokers_judge_before_a_change_and_a_dry_run_makes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sent(monkeypatch, {"min.insync.replicas": 2}) == [True, False]
    assert sent(monkeypatch, {"min.insync.replicas": 2}, check_mode=True) == [True]


def test_what_the_cluster_refuses_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ExpectedError, match=r"set min\.insync\.replicas=99 .*: It is too high Nothing was changed"):
        sent(monkeypatch, {"min.insync.replicas": 99}, check_mode=True)
