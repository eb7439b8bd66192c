"""The modules against a real broker: real main(), real protocol, real files.

RASPI_KAFKA_ARCHIVE=... PYTHONPATH=.collections pytest tests/e2e
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.raspi.kafka.plugins.modules import produce_consume
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from tests.module_args import patch_module_args

if TYPE_CHECKING:
    from .conftest import Broker

REPOSITORY = Path(__file__).parents[2]
COLLECTIONS = REPOSITORY / ".collections"
RUNNER = """
import json, runpy, sys
from tests.module_args import patch_module_args
with patch_module_args(json.load(sys.stdin)):
    runpy.run_module("ansible_collections.raspi.kafka.plugins.modules." + sys.argv[1], run_name="__main__")
"""
SECONDS = 90

Result = dict[str, Any]


def run(module: str, server: str, *, check: bool = False, **options: Any) -> Result:
    """A module in a process of its own; a traceback is a failure of the test, whatever it expects."""
    arguments = {"bootstrap_servers": [server], "_ansible_check_mode": check, **options}
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, module],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{COLLECTIONS}"},
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    result = json.loads(done.stdout)
    result.pop("invocation", None)
    return result


def topics(broker: Broker, *declared: Result, check: bool = False) -> Result:
    return run("kafka_topics", broker.local, check=check, topics=list(declared))


def new_name() -> str:
    return f"t-{uuid.uuid4().hex[:8]}"


def state_of(broker: Broker, name: str) -> Result:
    return next((topic for topic in topics(broker, {"name": name}, check=True)["topics"] if topic["name"] == name), {})


def exists(broker: Broker, name: str) -> bool:
    return name not in topics(broker, {"name": name}, check=True)["created"]


@pytest.fixture
def topic(broker: Broker) -> str:
    name = new_name()
    topics(broker, {"name": name, "partitions": 3, "configs": {"retention.ms": 600000}})
    return name


def test_a_topic_is_created_as_declared_and_a_second_run_changes_nothing(broker: Broker) -> None:
    name = new_name()
    declared = {
        "name": name,
        "partitions": 4,
        "replication_factor": 1,
        "configs": {"retention.ms": 600000, "cleanup.policy": ["compact", "delete"], "preallocate": True},
    }
    first = topics(broker, declared)
    assert first["created"] == [name]
    assert first["topics"][0]["partitions"] == 4
    assert first["topics"][0]["configs"] == {
        "retention.ms": "600000",
        "cleanup.policy": "compact,delete",
        "preallocate": "true",
    }
    second = topics(broker, declared)
    assert not second["changed"]
    assert second["actions"] == []
    assert second["topics"] == first["topics"]


def test_check_mode_predicts_the_real_run_and_changes_nothing(broker: Broker, topic: str) -> None:
    new = new_name()
    declared = [
        {"name": topic, "partitions": 5, "configs": {"retention.ms": None, "segment.bytes": 1048576}},
        {"name": new, "partitions": 2, "replication_factor": 1, "configs": {"max.message.bytes": 2000000}},
    ]
    before = state_of(broker, topic)
    predicted = topics(broker, *declared, check=True)
    assert predicted["changed"]
    assert state_of(broker, topic) == before
    assert not exists(broker, new)
    assert topics(broker, *declared) == predicted
    assert not topics(broker, *declared)["changed"]


def test_fewer_partitions_are_refused_and_no_other_topic_is_changed(broker: Broker, topic: str) -> None:
    new = new_name()
    result = topics(broker, {"name": new, "partitions": 1}, {"name": topic, "partitions": 2})
    assert result["reason"] == "refused"
    assert "has 3 partitions, not the declared 2" in result["msg"]
    assert not exists(broker, new)
    assert state_of(broker, topic)["partitions"] == 3


def test_what_only_the_broker_can_refuse_is_refused_before_anything_is_done(broker: Broker, topic: str) -> None:
    new = new_name()
    result = topics(
        broker,
        {"name": topic, "partitions": 9, "configs": {"retention.ms": 1}},
        {"name": new, "configs": {"retention.ms": "soon"}},
    )
    assert result["reason"] == "refused"
    assert "Invalid value soon for configuration retention.ms" in result["msg"]
    assert state_of(broker, topic)["partitions"] == 3
    assert state_of(broker, topic)["foreign_configs"] == {"retention.ms": "600000"}


def test_more_replicas_than_brokers_are_a_sentence(broker: Broker) -> None:
    result = topics(broker, {"name": new_name(), "replication_factor": 3})
    assert result["reason"] == "refused"
    assert "Start more brokers" in result["msg"]


def test_a_foreign_config_is_kept_and_shown(broker: Broker, topic: str) -> None:
    topics(broker, {"name": topic, "configs": {"segment.bytes": 1048576}})
    result = topics(broker, {"name": topic, "configs": {"max.message.bytes": 2000000}})
    foreign = {"retention.ms": "600000", "segment.bytes": "1048576"}
    assert result["topics"][0]["foreign_configs"] == foreign
    assert state_of(broker, topic)["foreign_configs"] == {**foreign, "max.message.bytes": "2000000"}


def test_null_resets_a_config(broker: Broker, topic: str) -> None:
    assert topics(broker, {"name": topic, "configs": {"retention.ms": None}})["altered"] == {
        topic: {"retention.ms": None}
    }
    assert state_of(broker, topic)["foreign_configs"] == {}


def test_a_topic_is_deleted_and_stays_away(broker: Broker, topic: str) -> None:
    assert topics(broker, {"name": topic, "state": "absent"})["deleted"] == [topic]
    assert not exists(broker, topic)
    assert not topics(broker, {"name": topic, "state": "absent"})["changed"]


def test_fifty_topics_take_one_task(broker: Broker) -> None:
    declared = [{"name": new_name(), "partitions": 1, "configs": {"retention.ms": 600000}} for _number in range(50)]
    assert len(topics(broker, *declared)["created"]) == 50
    assert not topics(broker, *declared)["changed"]
    assert len(topics(broker, *({**each, "state": "absent"} for each in declared))["deleted"]) == 50


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("kafka_topics", {"topics": [{"name": "a"}]}),
        ("kafka_cluster_config", {"configs": {"min.insync.replicas": 1}}),
        ("kafka_cluster_info", {}),
        ("cluster_health", {}),
        ("produce_consume", {"topic": "a"}),
    ],
)
def test_no_broker_and_a_wrong_advertised_address_are_told_apart(
    broker: Broker, module: str, options: dict[str, Any]
) -> None:
    nothing = run(module, broker.closed, request_timeout_ms=2000, **options)
    assert nothing["reason"] == "unreachable"
    assert f"{broker.closed}: connection refused" in nothing["msg"]
    wrong = run(module, broker.wrong, request_timeout_ms=5000, **options)
    assert wrong["reason"] == "unreachable"
    assert f"Broker 1 advertises {broker.closed}, which cannot be reached from" in wrong["msg"]


def config(broker: Broker, *, check: bool = False, **configs: Any) -> Result:
    dotted = {key.replace("_", "."): value for key, value in configs.items()}
    return run("kafka_cluster_config", broker.local, check=check, configs=dotted)


def test_a_cluster_config_is_set_reset_and_left_alone(broker: Broker) -> None:
    predicted = config(broker, check=True, log_retention_ms=700000)
    assert config(broker, log_retention_ms=700000) == predicted
    assert predicted["altered"] == {"log.retention.ms": "700000"}
    assert not config(broker, log_retention_ms="0700000")["changed"]
    assert config(broker, min_insync_replicas=1)["foreign_configs"] == {"log.retention.ms": "700000"}
    assert config(broker, log_retention_ms=None)["altered"] == {"log.retention.ms": None}
    assert not config(broker, log_retention_ms=None)["changed"]


def test_min_insync_replicas_is_a_cluster_config_that_cannot_be_reset(broker: Broker) -> None:
    assert config(broker, min_insync_replicas=2)["altered"] == {"min.insync.replicas": "2"}
    assert config(broker, min_insync_replicas=1)["changed"]
    result = config(broker, min_insync_replicas=None)
    assert result["reason"] == "refused"
    assert "while ELR is enabled" in result["msg"]
    assert "null cannot be had" in result["msg"]


@pytest.mark.parametrize(
    ("key", "told"), [("log_retention_mss", "Do you mean log.retention.ms?"), ("log_dirs", "restart")]
)
def test_a_config_that_would_have_no_effect_is_refused(broker: Broker, key: str, told: str) -> None:
    result = config(broker, **{key: "1"})
    assert result["reason"] == "refused"
    assert told in result["msg"]


def test_the_cluster_is_described(broker: Broker, topic: str) -> None:
    info = run("kafka_cluster_info", broker.lan, check=True)
    assert not info["changed"]
    meta = (broker.data / "meta.properties").read_text()
    assert f"cluster.id={info['cluster_id']}" in meta
    assert f"directory.id={info['quorum']['voters'][0]['directory_id']}" in meta
    assert [join["id"] for join in info["brokers"]] == [1]
    assert f"127.0.0.1:{info['brokers'][0]['port']}" == broker.lan
    assert info["quorum"]["leader_id"] == 1
    assert info["quorum"]["voters"][0]["lag"] == 0
    described = next(each for each in info["topics"] if each["name"] == topic)
    assert len(described["partitions"]) == 3
    assert (info["under_replicated_partitions"], info["leaderless_partitions"]) == (0, 0)
    assert info["log_dirs"][0]["path"] == str(broker.data)
    assert info["log_dirs"][0]["usable_bytes"] > 0
    assert info["features"]["metadata.version"]["level"] > 0


def verify(broker: Broker, topic: str, **options: Any) -> Result:
    return run("produce_consume", broker.lan, topic=topic, **{"messages": 20, "on_disk": True, **options})


def test_messages_are_proven_by_consumer_and_disk(broker: Broker, topic: str) -> None:
    result = verify(broker, topic, messages=100)
    assert (result["records_produced"], result["records_consumed"], result["records_on_disk"]) == (100, 100, 100)
    assert not result["changed"]
    (proven,) = result["brokers"]
    assert proven["address"] == broker.lan
    assert 0 < proven["ack_p50_ms"] <= proven["ack_p99_ms"]
    (segment,) = result["disk"][0]["segments"]
    assert Path(segment).parent == broker.data / f"{topic}-{proven['partition']}"


def test_a_later_run_reads_the_earlier_ones_too(broker: Broker, topic: str) -> None:
    verify(broker, topic)
    result = verify(broker, topic)
    assert result["records_consumed"] == 20
    assert result["records_read"] == 40
    read = next(each for each in result["partitions"] if each["end_offset"])
    assert (read["log_start_offset"], read["first_offset"], read["end_offset"]) == (0, 0, 40)


def test_records_are_found_in_the_right_one_of_many_segments(broker: Broker, topic: str) -> None:
    topics(broker, {"name": topic, "configs": {"segment.bytes": 1048576}})
    partition = verify(broker, topic)["brokers"][0]["partition"]
    producer = KafkaProducer(bootstrap_servers=[broker.lan])
    for _number in range(24):
        producer.send(topic, bytes(100000), partition=partition).get(timeout=30)
    producer.close()
    result = verify(broker, topic)
    (segment,) = result["disk"][0]["segments"]
    assert int(Path(segment).stem) > 0
    assert result["records_read"] == 64


def test_deleted_records_are_not_expected(broker: Broker, topic: str) -> None:
    partition = verify(broker, topic)["brokers"][0]["partition"]
    admin = KafkaAdminClient(bootstrap_servers=[broker.local])
    admin.delete_records({TopicPartition(topic, partition): 15})
    admin.close()
    result = verify(broker, topic)
    read = next(each for each in result["partitions"] if each["partition"] == partition)
    assert (read["log_start_offset"], read["first_offset"]) == (15, 15)


def test_the_consumer_group_is_gone_afterwards(broker: Broker, topic: str) -> None:
    group = verify(broker, topic)["group"]
    admin = KafkaAdminClient(bootstrap_servers=[broker.local])
    assert group not in [each["group_id"] for each in admin.list_groups()]
    admin.close()


def test_a_missing_topic_is_a_sentence_and_is_not_created(broker: Broker) -> None:
    name = new_name()
    result = verify(broker, name)
    assert result["reason"] == "no_topic"
    assert name in result["msg"]
    assert not exists(broker, name)


def test_a_run_id_that_was_used_before_is_noticed(broker: Broker, topic: str) -> None:
    assert verify(broker, topic, run_id="once")["run_id"] == "once"
    assert verify(broker, topic, run_id="once")["reason"] == "unexpected"


def test_what_is_not_acknowledged_fails(broker: Broker, topic: str) -> None:
    topics(broker, {"name": topic, "configs": {"max.message.bytes": 10}})
    result = verify(broker, topic, timeout=10)
    assert result["reason"] == "not_acknowledged"
    assert "did not acknowledge message 1 of 20" in result["msg"]


class Skips(KafkaConsumer):
    """Begins one record after the beginning, as a consumer with a wrong start position does."""

    skipped = False

    def poll(self, *args: Any, **kwargs: Any) -> Any:
        polled = super().poll(*args, **kwargs)
        if polled and not self.skipped:
            self.skipped = True
            return {tp: records[1:] for tp, records in polled.items()}
        return polled


class Drops(KafkaConsumer):
    """Loses one record in the middle."""

    def poll(self, *args: Any, **kwargs: Any) -> Any:
        polled = super().poll(*args, **kwargs)
        return {tp: [record for record in records if record.offset != 7] for tp, records in polled.items()}


class Alters(KafkaConsumer):
    """Changes one value."""

    def poll(self, *args: Any, **kwargs: Any) -> Any:
        polled = super().poll(*args, **kwargs)
        return {
            tp: [record._replace(value=b"?") if record.offset == 7 else record for record in records]
            for tp, records in polled.items()
        }


class Latest(KafkaConsumer):
    """Begins at the end."""

    def __init__(self, *names: str, **options: Any) -> None:
        super().__init__(*names, **{**options, "auto_offset_reset": "latest"})


def verify_here(broker: Broker, topic: str, capsys: pytest.CaptureFixture[str]) -> Result:
    """The real main() in this process, where a test can put a broken part into it."""
    arguments = {"bootstrap_servers": [broker.lan], "topic": topic, "messages": 20, "on_disk": True}
    capsys.readouterr()
    with patch_module_args(arguments), pytest.raises(SystemExit):
        produce_consume.main()
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("consumer", "reason"),
    [
        (KafkaConsumer, None),
        (Skips, "not_from_beginning"),
        (Latest, "not_from_beginning"),
        (Drops, "lost"),
        (Alters, "different"),
    ],
)
def test_a_broken_consumer_fails_the_proof(
    *,
    broker: Broker,
    topic: str,
    consumer: type,
    reason: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(produce_consume, "KafkaConsumer", consumer)
    assert verify_here(broker, topic, capsys).get("reason") == reason


def copy_replicas(data: Path, copy: Path, damage: Any) -> Any:
    """A find_replicas() that leads to a copy of the log directory, damaged by the test."""
    real = produce_consume.find_replicas

    def find(*arguments: Any) -> list[tuple[int, int, str]]:
        replicas = real(*arguments)
        for _broker, partition, _log_dir in replicas:
            name = f"{arguments[3]}-{partition}"
            shutil.copytree(data / name, copy / name)
            for path in (copy / name).glob("*.log"):
                damage(path)
        return [(number, partition, str(copy)) for number, partition, _log_dir in replicas]

    return find


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    if content:
        content[-2] ^= 1
        path.write_bytes(content)


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [(Path.exists, None), (flip, "corrupt"), (cut, "not_on_disk"), (Path.unlink, "not_on_disk")],
)
def test_a_broken_disk_fails_the_proof(
    *,
    broker: Broker,
    topic: str,
    damage: Any,
    reason: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(produce_consume, "find_replicas", copy_replicas(broker.data, tmp_path / "copy", damage))
    assert verify_here(broker, topic, capsys).get("reason") == reason


def ansible(collections: Path, interpreter: str, arguments: Result) -> Result:
    """A module as Ansible runs it, on this host with an interpreter of choice."""
    command = [str(Path(sys.executable).parent / "ansible"), "localhost", "-m", "raspi.kafka.kafka_topics"]
    command += ["-e", f"ansible_python_interpreter={interpreter}", "-a", json.dumps(arguments)]
    settings = {"ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={**os.environ, **settings, "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_STDOUT_CALLBACK": "minimal"},
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    return json.loads(done.stdout[done.stdout.rindex("=> {") + 3 :])


@pytest.fixture
def bare_python(tmp_path: Path) -> str:
    """An interpreter that has no kafka-python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True, timeout=SECONDS)
    return str(tmp_path / "bare" / "bin" / "python")


def collection_with(venv: str, directory: Path) -> Path:
    """A copy of the collection that looks for its venv elsewhere."""
    copy = directory / "ansible_collections" / "raspi" / "kafka"
    for part in ("plugins", "meta"):
        shutil.copytree(REPOSITORY / part, copy / part)
    shutil.copy(REPOSITORY / "galaxy.yml", copy)
    util = copy / "plugins" / "module_utils" / "_kafka.py"
    util.write_text(util.read_text().replace("/opt/raspi-kafka/venv/bin/python", venv))
    return directory


def test_an_interpreter_without_kafka_python_leads_to_the_venv(
    broker: Broker, topic: str, bare_python: str, tmp_path: Path
) -> None:
    arguments = {"bootstrap_servers": [broker.local], "topics": [{"name": topic, "partitions": 3}]}
    collections = collection_with(sys.executable, tmp_path)
    assert ansible(collections, bare_python, arguments)["topics"][0]["name"] == topic


def test_no_kafka_python_anywhere_is_a_sentence(broker: Broker, bare_python: str, tmp_path: Path) -> None:
    arguments = {"bootstrap_servers": [broker.local], "topics": [{"name": "a"}]}
    result = ansible(collection_with("/nowhere/python", tmp_path), bare_python, arguments)
    assert result["reason"] == "kafka_python_missing"
    assert "kafka-python" in result["msg"]
    assert "/nowhere/python" in result["msg"]
