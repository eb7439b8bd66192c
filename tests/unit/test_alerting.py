"""Alerting as the play runs it: what is written for it, when it is restarted, and what is said if it does not start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from plays import FACTS, REPOSITORY, Host, failures, run

SAID_TO_NOBODY = "drawn-for-alerting"
UNIT = "raspi-kafka-alerting"
CHANGED, SAME = {"stdout": '["/etc/raspi-kafka/rules.yml"]'}, {"stdout": "[]"}
# What other roles know by then.
KNOWN = {
    "_kraft_broker_bootstrap_servers": ["127.0.0.1:19092"],
    "_kraft_broker_spokesman": "pi1",
    "_kraft_broker_brokers": ["pi1"],
}


def host(root: Path, answers: dict[str, Any] | None = None, **variables: Any) -> Host:
    told = {
        "setup": [{"ansible_facts": FACTS}],
        "command": [SAME],
        "host_files": [{"changed": False, "changed_paths": []}],
        "unit_started": [{"done": True, "active": True}],
        **(answers or {}),
    }
    return Host(root / "hosts", "pi1", told, **{**KNOWN, **variables})


def deploy(root: Path, one: Host, *arguments: str, beside: str = "") -> tuple[int, str]:
    """Run the role, with the variables of those before it."""
    (root / "credentials").mkdir()
    path = root / "credentials" / "pi1.yml"
    path.write_text(json.dumps({"passwords": {UNIT: SAID_TO_NOBODY}}))
    path.chmod(0o600)
    others = {
        "ansible.builtin.import_role": {"name": "raspi.kafka.mosquitto", "tasks_from": "credentials"},
        "when": False,
    }
    tasks = [others, {"ansible.builtin.import_role": {"name": "raspi.kafka.alerting"}}]
    (root / "role.yml").write_text(
        json.dumps([{"hosts": "pis", "vars": {"kraft_broker_answers": True}, "tasks": tasks}])
    )
    return run(root, f"[pis]\n{one.line()}\n{beside}", *arguments, book=str(root / "role.yml"))


def deployed(root: Path, one: Host, *arguments: str, beside: str = "") -> tuple[dict[str, dict[str, Any]], str]:
    """Path -> what host_files was given for it; and what was said."""
    code, said = deploy(root, one, *arguments, beside=beside)
    assert code == 0, said
    return {file["path"]: file for given in one.given("host_files") for file in given["files"]}, said


def test_it_gets_its_configuration_and_the_rules_of_the_role(tmp_path: Path) -> None:
    files, _said = deployed(tmp_path, host(tmp_path))
    config = yaml.safe_load(files["/etc/raspi-kafka/alert.yml"]["content"])
    assert config == {
        "kafka": {"bootstrap_servers": ["127.0.0.1:19092"]},
        "instance": "pi1",
        "gateways": ["pi1"],
        "rules": ["/etc/raspi-kafka/rules.yml", "/etc/raspi-kafka/proof-rules.yml"],
        "stalled_after": "15s",
        "mqtt": {
            "host": "127.0.0.1",
            "port": 1883,
            "username": UNIT,
            "password_file": "/etc/raspi-kafka/alerting.password",
        },
        "metrics": {"host": "127.0.0.1", "port": 9466},
    }
    for name in ("rules.yml", "proof-rules.yml"):
        written = files[f"/etc/raspi-kafka/{name}"]["content"]
        assert written == (REPOSITORY / "roles" / "alerting" / "files" / name).read_text()


def test_it_knows_the_gateways_of_its_cluster(tmp_path: Path) -> None:
    beside = "[others]\npi2\npi3 alerting_enabled=False\npi4 mqtt_bridge_enabled=false\npi5 alerting_enabled=yes\n"
    one = host(tmp_path, _kraft_broker_brokers=[f"pi{number}" for number in range(1, 6)])
    files, _said = deployed(tmp_path, one, beside=beside)
    assert yaml.safe_load(files["/etc/raspi-kafka/alert.yml"]["content"])["gateways"] == ["pi1", "pi2", "pi5"]


def test_rules_of_the_owner_take_the_place_of_those_of_the_role_alone(tmp_path: Path) -> None:
    own = tmp_path / "own.yml"
    own.write_text("rules: [{name: a, silence: {after: 1m}}]\n")
    urls = {"alerting_alertmanager_urls": ["http://a:9093"], "alerting_webhook_url": "http://b/c"}
    files, _said = deployed(tmp_path, host(tmp_path, alerting_rules=str(own), **urls))
    assert files["/etc/raspi-kafka/rules.yml"]["content"] == own.read_text()
    assert "raspi-kafka-verify" in files["/etc/raspi-kafka/proof-rules.yml"]["content"]
    config = yaml.safe_load(files["/etc/raspi-kafka/alert.yml"]["content"])
    assert config["alertmanager"] == {"urls": ["http://a:9093"]}
    assert config["webhook"] == {"url": "http://b/c"}


def test_its_password_is_for_itself_and_is_said_nowhere(tmp_path: Path) -> None:
    one = host(tmp_path)
    files, said = deployed(tmp_path, one, "-vvv", "--diff")
    password, config = files["/etc/raspi-kafka/alerting.password"], files["/etc/raspi-kafka/alert.yml"]
    assert password["content"] == f"{SAID_TO_NOBODY}\n"
    assert [(file["group"], file["mode"]) for file in (password, config)] == [(UNIT, "0640")] * 2
    assert SAID_TO_NOBODY not in said
    quiet = [given["_ansible_no_log"] for given in one.given("host_files") if SAID_TO_NOBODY in str(given["files"])]
    assert quiet == [True], "a real module would return what it was given"


def test_only_the_bridge_has_a_folder_for_its_state(tmp_path: Path) -> None:
    files, _said = deployed(tmp_path, host(tmp_path))
    unit = files[f"/etc/systemd/system/{UNIT}.service"]["content"].splitlines()
    assert {f"User={UNIT}", "Type=notify", "WatchdogSec=60", "ProtectSystem=strict"} <= set(unit)
    assert "After=network.target mosquitto.service kafka.service raspi-kafka-bridge.service" in unit
    assert [line for line in unit if line.startswith("StateDirectory")] == []


def test_its_topics_are_made_once_for_a_cluster(tmp_path: Path) -> None:
    one = host(tmp_path)
    deployed(tmp_path, one)
    (asked,) = one.given("kafka_topics")
    assert [topic["name"] for topic in asked["topics"]] == ["alerts", "alerting-state", "raspi-kafka-heartbeat"]
    assert all(topic["partitions"] == 1 for topic in asked["topics"])


def test_another_host_than_the_spokesman_makes_none(tmp_path: Path) -> None:
    one = host(tmp_path, _kraft_broker_spokesman="pi2")
    deployed(tmp_path, one)
    assert not (one.folder / "kafka_topics").exists()


@pytest.mark.parametrize(("told", "restarted"), [(SAME, False), (CHANGED, True)], ids=["same", "changed"])
def test_it_is_restarted_only_with_something_new_to_read(tmp_path: Path, told: dict[str, Any], restarted: bool) -> None:
    one = host(tmp_path, {"command": [told, {"rc": 0}]})
    deployed(tmp_path, one)
    assert [asked["restarted"] for asked in one.given("unit_started")] == [restarted]
    checked = [each["_raw_params"] for each in one.given("command")[1:]]
    assert [each.endswith(" alert run --config /etc/raspi-kafka/alert.yml --check") for each in checked] == [
        True
    ] * restarted


def test_a_configuration_that_it_refuses_does_not_end_what_runs(tmp_path: Path) -> None:
    one = host(tmp_path, {"command": [CHANGED, {"rc": 2, "stderr": "rules.yml:3: no such key"}]})
    code, said = deploy(tmp_path, one)
    assert code == 2
    assert not (one.folder / "unit_started").exists()
    _task, text = failures(said)["pi1"]
    assert "Alerting on pi1 refuses its configuration (rules.yml:3: no such key). Correct" in text
    assert "Alerting was not restarted." in text


def test_one_that_does_not_start_tells_its_last_lines(tmp_path: Path) -> None:
    failed = {"failed": True, "msg": f"{UNIT}.service did not start"}
    one = host(
        tmp_path, {"unit_started": [failed], "command": [SAME, {"stdout": "alerting ends: the port is taken\n"}]}
    )
    code, said = deploy(tmp_path, one)
    assert code == 2
    _task, text = failures(said)["pi1"]
    assert "neither decides nor stands by. Its last lines were: alerting ends: the port is taken. Mend" in text
    assert f"`journalctl -u {UNIT}` has the rest. No alert is lost by this" in text


def test_a_dry_run_starts_nothing(tmp_path: Path) -> None:
    one = host(tmp_path)
    deployed(tmp_path, one, "--check")
    assert not (one.folder / "command").exists()
    assert [asked["_ansible_check_mode"] for asked in one.given("unit_started")] == [True]
