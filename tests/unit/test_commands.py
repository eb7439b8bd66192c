"""Commands as the plays run them: what the service is given, and what the playbook sends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from plays import FACTS, REPOSITORY, Host, failures, run

SAID_TO_NOBODY = "drawn-for-commands"
UNIT = "raspi-kafka-commands"
KNOWN = {"_kraft_broker_bootstrap_servers": ["127.0.0.1:19092"]}
DONE = {"rc": 0, "stdout": '{"id": "7", "device": "kitchen", "status": "done"}', "stderr": ""}


def host(root: Path, name: str = "pi1", answers: dict[str, Any] | None = None, **variables: Any) -> Host:
    told = {
        "setup": [{"ansible_facts": FACTS}],
        "command": [{"stdout": "[]"}],
        "host_files": [{"changed": False, "changed_paths": []}],
        "unit_started": [{"done": True, "active": True}],
        **(answers or {}),
    }
    return Host(root / "hosts", name, told, **variables)


def test_the_service_gets_its_configuration_and_a_password_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "credentials").mkdir()
    path = tmp_path / "credentials" / "pi1.yml"
    path.write_text(json.dumps({"passwords": {UNIT: SAID_TO_NOBODY}}))
    path.chmod(0o600)
    one = host(tmp_path, **KNOWN, commands_default_expiry="10m")
    others = {
        "ansible.builtin.import_role": {"name": "raspi.kafka.mosquitto", "tasks_from": "credentials"},
        "when": False,
    }
    tasks = [others, {"ansible.builtin.import_role": {"name": "raspi.kafka.commands"}}]
    (tmp_path / "role.yml").write_text(json.dumps([{"hosts": "pis", "tasks": tasks}]))
    code, said = run(tmp_path, f"[pis]\n{one.line()}\n", "-vvv", "--diff", book=str(tmp_path / "role.yml"))
    assert code == 0, said
    files = {file["path"]: file for given in one.given("host_files") for file in given["files"]}
    assert yaml.safe_load(files["/etc/raspi-kafka/commands.yml"]["content"]) == {
        "instance": "pi1",
        "kafka": {"bootstrap_servers": ["127.0.0.1:19092"]},
        "mqtt": {
            "host": "127.0.0.1",
            "port": 1883,
            "username": UNIT,
            "password_file": "/etc/raspi-kafka/commands.password",
        },
        "default_expiry": "10m",
        "dead_letter_topic": "dead-letters",
        "metrics": {"host": "127.0.0.1", "port": 9467},
    }
    assert files["/etc/raspi-kafka/commands.password"]["content"] == f"{SAID_TO_NOBODY}\n"
    assert SAID_TO_NOBODY not in said
    unit = files[f"/etc/systemd/system/{UNIT}.service"]["content"].splitlines()
    assert {f"User={UNIT}", "Type=notify", "WatchdogSec=60", "ProtectSystem=strict", "MemoryMax=192M"} <= set(unit)


def send(root: Path, inventory: str, *arguments: str) -> tuple[int, str]:
    book = str(REPOSITORY / "playbooks" / "command.yml")
    return run(root, inventory, *arguments, book=book)


def test_the_playbook_sends_it_on_the_gateway_and_prints_the_answer(tmp_path: Path) -> None:
    one = host(tmp_path, answers={"command": [DONE]})
    arguments = ("-e", "device=kitchen", "-e", "command=interval", "-e", '{"arguments": {"seconds": 5}}')
    code, said = send(tmp_path, f"[pis]\n{one.line()}\n", *arguments, "-e", "expires=10m")
    assert code == 0, said
    (asked,) = one.given("command")
    program, *words = asked["_raw_params"].split(" ") if asked.get("_raw_params") else asked["argv"]
    assert program == "/opt/raspi-kafka/edge/bin/raspi-kafka"
    assert words == [
        *("command", "send", "--kafka", "127.0.0.1:19092", "--device", "kitchen", "--command", "interval"),
        *("--expires", "10m", "--args", '{"seconds": 5}'),
    ]
    assert "kitchen answers: " in said
    assert "done" in said


def test_in_a_cluster_one_broker_is_asked(tmp_path: Path) -> None:
    answers = {"command": [DONE]}
    one, two = (host(tmp_path, f"pi{number}", answers, kraft_broker_node_id=number) for number in (1, 2))
    inventory = f"[brokers]\n{one.line()}\n{two.line()}\n[controllers:children]\nbrokers\n[pis:children]\nbrokers\n"
    code, said = send(tmp_path, inventory, "-e", "device=kitchen", "-e", "command=ping")
    assert code == 0, said
    (asked,) = one.given("command")
    assert "127.0.0.1:9092" in str(asked)
    assert not (two.folder / "command").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("-e", "command=ping"), "Say which device is to do what"),
        (("-e", "device=kitchen"), "Say which device is to do what"),
        (("-e", "device=kitchen/+", "-e", "command=ping"), "Found device=kitchen/+,"),
        (("-e", "device=kitchen", "-e", "command=ping", "-e", "expires=soon"), "and expires=soon. Nothing was sent."),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_sent(
    tmp_path: Path, arguments: tuple[str, ...], text: str
) -> None:
    one = host(tmp_path)
    code, said = send(tmp_path, f"[pis]\n{one.line()}\n", *arguments)
    assert code != 0
    assert text in " ".join(str(failures(said)).split())
    assert not (one.folder / "command").exists()


def test_gateways_of_their_own_are_not_guessed_between(tmp_path: Path) -> None:
    one, two = host(tmp_path, "pi1"), host(tmp_path, "pi2")
    inventory = f"[pis]\n{one.line()}\n{two.line()}\n"
    code, said = send(tmp_path, inventory, "-e", "device=kitchen", "-e", "command=ping")
    assert code != 0
    assert "Name the gateway of the device with --limit" in said
    assert not (one.folder / "command").exists()


@pytest.mark.parametrize("off", ["commands_enabled", "mqtt_bridge_enabled"])
def test_in_a_cluster_a_broker_is_asked_that_takes_commands(tmp_path: Path, off: str) -> None:
    answers = {"command": [DONE]}
    one = host(tmp_path, "pi1", answers, kraft_broker_node_id=1, **{off: False})
    two = host(tmp_path, "pi2", answers, kraft_broker_node_id=2)
    inventory = f"[brokers]\n{one.line()}\n{two.line()}\n[controllers:children]\nbrokers\n[pis:children]\nbrokers\n"
    code, said = send(tmp_path, inventory, "-e", "device=kitchen", "-e", "command=ping")
    assert code == 0, said
    assert len(two.given("command")) == 1
    assert not (one.folder / "command").exists()


def test_a_gateway_that_takes_no_commands_is_asked_for_none(tmp_path: Path) -> None:
    one = host(tmp_path, commands_enabled=False)
    code, said = send(tmp_path, f"[pis]\n{one.line()}\n", "-e", "device=kitchen", "-e", "command=ping")
    assert code != 0
    text = " ".join(str(failures(said)).split())
    assert "No host of this play takes commands: each is a controller alone, or has commands_enabled=false" in text
    assert not (one.folder / "command").exists()


def test_a_device_that_has_not_done_it_fails_the_play_with_its_reason(tmp_path: Path) -> None:
    refused = {"rc": 1, "stdout": '{"status": "refused", "reason": "no such command"}', "stderr": ""}
    one = host(tmp_path, answers={"command": [refused]})
    code, said = send(tmp_path, f"[pis]\n{one.line()}\n", "-e", "device=kitchen", "-e", "command=dance")
    assert code != 0
    assert "kitchen has not done dance: " in said
    assert "no such command" in said
