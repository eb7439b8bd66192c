"""Changed settings and a real broker: what it takes while it runs, and what it says it does not.

RASPI_KAFKA_ARCHIVE=... PYTHONPATH=.collections pytest tests/e2e/test_kafka_broker_config.py
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import BROKER, describe_configs
from kafka.admin import KafkaAdminClient

from .test_modules import run

if TYPE_CHECKING:
    from .conftest import Broker

    Result = dict[str, Any]


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "dynamic.json"


def given(broker: Broker, record: Path, text: str, *changed: str, check: bool = False) -> Result:
    """Run the module on a file of these lines, which differs from the broker's in these keys."""
    file = record.with_name("server.properties")
    file.write_text(text)
    options = {"node_id": 1, "path": str(file), "changed": list(changed), "record": str(record)}
    return run("kafka_broker_config", broker.local, check=check, **options)


def in_force(broker: Broker, key: str) -> str | None:
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=broker.lan)) as admin:
        return describe_configs(admin, BROKER, ["1"], 1)["1"][key].value


def test_a_setting_is_in_force_at_once_then_changes_nothing_and_goes_with_the_file(
    broker: Broker, record: Path
) -> None:
    assert in_force(broker, "num.io.threads") == "8"
    assert given(broker, record, "num.io.threads=6\n", "num.io.threads", check=True)["changed"]
    assert in_force(broker, "num.io.threads") == "8"
    told = given(broker, record, "num.io.threads=6\n", "num.io.threads")
    assert told["actions"] == ["set num.io.threads=6 without a restart (was 8)"]
    assert told["restart"] == []
    assert in_force(broker, "num.io.threads") == "6"
    assert json.loads(record.read_text()) == ["num.io.threads"]
    assert not given(broker, record, "num.io.threads=6\n", "num.io.threads")["changed"]
    told = given(broker, record, "")
    assert told["actions"] == ["take back num.io.threads without a restart (was 6)"]
    assert in_force(broker, "num.io.threads") == "8"
    assert json.loads(record.read_text()) == []


def test_a_value_that_a_running_broker_refuses_is_left_to_a_restart_with_its_reason(
    broker: Broker, record: Path
) -> None:
    """A pool of threads may at most double at a time."""
    told = given(broker, record, "num.io.threads=64\n", "num.io.threads")
    assert (told["changed"], told["restart"]) == (False, ["num.io.threads"])
    assert "double" in told["refused"]["num.io.threads"]
    assert in_force(broker, "num.io.threads") == "8"


@pytest.mark.parametrize(
    "key", ["queued.max.requests", "broker.session.timeout.ms", "controller.quorum.fetch.timeout.ms", "no.such.key"]
)
def test_a_setting_that_only_a_start_reads_needs_a_restart(broker: Broker, record: Path, key: str) -> None:
    told = given(broker, record, f"{key}=1234\n", key)
    assert (told["changed"], told["restart"], told["refused"]) == (False, [key], {})
    assert not record.exists()


def test_a_setting_of_somebody_else_wins_and_is_named(broker: Broker, record: Path) -> None:
    cluster = run("kafka_cluster_config", broker.lan, configs={"log.retention.ms": 7200000})
    assert cluster["changed"]
    try:
        told = given(broker, record, "log.retention.ms=3600000\n", "log.retention.ms")
        assert (told["changed"], told["restart"]) == (False, [])
        assert told["overruled"] == {"log.retention.ms": "7200000"}
    finally:
        run("kafka_cluster_config", broker.lan, configs={"log.retention.ms": None})
