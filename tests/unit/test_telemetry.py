"""The telemetry agent as the play runs it: where it publishes, as whom, and what is said where nothing arrives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from plays import FACTS, Host, failures, run

UNIT = "raspi-kafka-telemetry"
SECRET = "drawn-for-the-pi"  # noqa: S105 - it protects nothing
CHANGED = {"stdout": '["/etc/raspi-kafka/telemetry.yml"]', "rc": 0}
ACKNOWLEDGED = {"stdout": ' Status: "acknowledged by the MQTT server 127.0.0.1:1883"', "rc": 0}
WAITS = {"stdout": ' Active: active\n Status: "messages wait here: nobody"\n', "rc": 0}
BARE = {"stdout": "[]", "rc": 0}
CLUSTER = "[brokers]\npi1\npi2\n[controllers]\npi1\npi2\nc3\n[pis]\npi1\npi2\nc3\n"


def host(root: Path, name: str = "pi1", answers: dict[str, Any] | None = None, **variables: Any) -> Host:
    told = {
        "setup": [{"ansible_facts": FACTS}],
        "command": [BARE, ACKNOWLEDGED],
        "host_files": [{"changed": False, "changed_paths": []}],
        "unit_started": [{"done": True, "active": True}],
        "stat": [{"stat": {"exists": False}}],
        **(answers or {}),
    }
    return Host(root / "hosts", name, told, **variables)


def deploy(
    root: Path,
    *hosts: Host,
    groups: str = "[pis]\npi1\n",
    arguments: tuple[str, ...] = (),
    gateways: tuple[str, ...] = ("pi1",),
) -> tuple[int, str]:
    """Run the role, with the variables of those before it; the control node has the passwords of these gateways."""
    for gateway in gateways:
        (root / "credentials").mkdir(exist_ok=True)
        path = root / "credentials" / f"{gateway}.yml"
        path.write_text(json.dumps({"passwords": {one.name: SECRET for one in hosts}}))
        path.chmod(0o600)
    roles = [
        ("mosquitto", "credentials", False),
        ("kraft_broker", "deployed", False),
        ("telemetry_agent", "main", True),
    ]
    tasks = [
        {"ansible.builtin.import_role": {"name": f"raspi.kafka.{name}", "tasks_from": part}, "when": wanted}
        for name, part, wanted in roles
    ]
    tasks += [
        {"ansible.builtin.debug": {"msg": "devices {{ _telemetry_agent_devices | join(' ') }}."}},
        {"ansible.builtin.debug": {"msg": "warned: {{ telemetry_agent_warnings | default([]) | join(' ') }}"}},
    ]
    (root / "role.yml").write_text(json.dumps([{"hosts": "pis", "gather_facts": False, "tasks": tasks}]))
    lines = "\n".join(one.line() for one in hosts)
    return run(root, f"[all_of_them]\n{lines}\n{groups}", *arguments, book=str(root / "role.yml"))


def written(one: Host) -> dict[str, dict[str, Any]]:
    """Path -> what host_files was given for it."""
    return {file["path"]: file for given in one.given("host_files") for file in given["files"]}


def config(one: Host) -> dict[str, Any]:
    return yaml.safe_load(written(one)["/etc/raspi-kafka/telemetry.yml"]["content"])


def test_a_gateway_publishes_to_itself_as_the_device_of_its_name(tmp_path: Path) -> None:
    one = host(tmp_path)
    code, said = deploy(tmp_path, one, arguments=("-vvv", "--diff"))
    assert code == 0, said
    assert config(one) == {
        "device": "pi1",
        "mqtt": {"servers": ["127.0.0.1:1883"], "password_file": "/etc/raspi-kafka/telemetry.password"},
        "interval": "1s",
        "buffer_mib": 32,
    }
    password = written(one)["/etc/raspi-kafka/telemetry.password"]
    assert (password["content"], password["group"], password["mode"]) == (f"{SECRET}\n", UNIT, "0640")
    assert SECRET not in said
    assert "devices pi1." in said


def test_its_sandbox_lets_it_read_what_it_measures_and_bounds_it(tmp_path: Path) -> None:
    one = host(tmp_path)
    deploy(tmp_path, one)
    unit = set(written(one)[f"/etc/systemd/system/{UNIT}.service"]["content"].splitlines())
    assert {f"User={UNIT}", "Type=notify", "WatchdogSec=60", "ProtectSystem=strict", "MemoryMax=64M"} <= unit
    assert {f"StateDirectory={UNIT}", "RuntimeDirectoryPreserve=restart", "CapabilityBoundingSet="} <= unit
    assert "SystemCallFilter=adjtimex clock_adjtime" in unit
    assert {"ProtectClock=yes", "ProcSubset=pid"} & unit == set()


def test_a_controller_alone_publishes_to_the_gateways_of_its_cluster_by_their_names(tmp_path: Path) -> None:
    hosts = [host(tmp_path, name) for name in ("pi1", "pi2", "c3")]
    hosts[1].variables["mosquitto_port"] = 1884
    code, said = deploy(tmp_path, *hosts, groups=CLUSTER, gateways=("pi1", "pi2"))
    assert code == 0, said
    assert config(hosts[0])["mqtt"]["servers"] == ["127.0.0.1:1883"]
    assert config(hosts[2])["mqtt"]["servers"] == ["pi1:1883", "pi2:1884"]
    assert "devices pi1 c3." in said
    assert "devices pi2 c3." in said


def test_a_host_without_mqtt_publishes_to_another_gateway_by_its_address(tmp_path: Path) -> None:
    hosts = [host(tmp_path), host(tmp_path, "pi2", mqtt_bridge_enabled=False)]
    hosts[0].variables["ansible_host"] = "192.0.2.9"
    code, said = deploy(tmp_path, *hosts, groups="[pis]\npi1\npi2\n")
    assert code == 0, said
    assert config(hosts[1])["mqtt"]["servers"] == ["192.0.2.9:1883"]
    assert "devices pi1 pi2." in said


@pytest.mark.parametrize(
    ("variables", "name", "warns"),
    [
        ({"telemetry_agent_enabled": False}, "pi1", ""),
        ({"mqtt_bridge_enabled": False}, "pi1", ""),
        ({}, "raspi-kafka-1", "raspi-kafka-1 cannot be the name of a device, so this host publishes nothing of itself"),
    ],
)
@pytest.mark.parametrize("there", [True, False])
def test_where_it_cannot_or_is_not_to_be_it_is_stopped(
    tmp_path: Path, variables: dict[str, Any], name: str, warns: str, there: bool
) -> None:
    one = host(tmp_path, name, {"stat": [{"stat": {"exists": there}}]}, **variables)
    code, said = deploy(tmp_path, one, groups=f"[pis]\n{name}\n")
    assert code == 0, said
    assert one.given("host_files") == []
    stopped = [(given["name"], given["state"], given["enabled"]) for given in one.given("systemd_service")]
    assert stopped == ([(f"{UNIT}.service", "stopped", False)] if there else [])
    assert f"warned: {warns}" in said
    assert bool(warns) == ("cannot be the name" in said)


def test_it_is_restarted_where_its_configuration_has_changed_and_only_after_it_was_tried(tmp_path: Path) -> None:
    one = host(tmp_path, answers={"command": [CHANGED, {"rc": 0}, ACKNOWLEDGED]})
    code, said = deploy(tmp_path, one)
    assert code == 0, said
    assert [given["restarted"] for given in one.given("unit_started")] == [True]
    assert any("telemetry --config /etc/raspi-kafka/telemetry.yml --check" in str(g) for g in one.given("command"))


def test_a_play_on_a_part_before_the_gateway_has_a_password_for_it_says_so(tmp_path: Path) -> None:
    one = host(tmp_path)
    code, said = deploy(tmp_path, one, gateways=())
    assert code == 0, said
    assert one.given("host_files") == []
    assert "pi1 publishes nothing of itself yet" in said


def test_a_dry_run_says_what_would_be_written_before_there_is_a_password(tmp_path: Path) -> None:
    one = host(tmp_path)
    code, said = deploy(tmp_path, one, gateways=(), arguments=("--check",))
    assert code == 0, said
    assert config(one)["device"] == "pi1"
    assert "warned: \n" in said.replace('"', "\n"), said


def test_a_dry_run_without_the_gateway_says_that_it_is_wanted_too(tmp_path: Path) -> None:
    hosts = [host(tmp_path), host(tmp_path, "pi2", mqtt_bridge_enabled=False)]
    arguments = ("--check", "--limit", "pi2")
    code, said = deploy(tmp_path, *hosts, groups="[pis]\npi1\npi2\n", gateways=(), arguments=arguments)
    assert code == 0, said
    assert "Run the play for pi1 too" in said


def test_its_password_may_be_in_the_file_of_any_gateway(tmp_path: Path) -> None:
    """Of two gateways the first one has not been deployed since this host is in the inventory."""
    hosts = [host(tmp_path, name) for name in ("pi1", "pi2", "c3")]
    code, said = deploy(tmp_path, *hosts, groups=CLUSTER, gateways=("pi2",), arguments=("--limit", "c3"))
    assert code == 0, said
    assert written(hosts[2])["/etc/raspi-kafka/telemetry.password"]["content"] == f"{SECRET}\n"
    assert "publishes nothing of itself yet" not in said


@pytest.mark.parametrize(
    ("users", "there", "warns"),
    [
        (["pi1", "kitchen"], False, True),
        (["pi1", "kitchen"], True, False),
        ([], False, False),
        (["kitchen"], False, False),
    ],
    ids=["taken", "its own", "a new card", "never there"],
)
def test_a_user_of_its_name_that_was_there_before_it_is_told(
    tmp_path: Path, users: list[str], there: bool, warns: bool
) -> None:
    answers = {"stat": [{"stat": {"exists": there}}]}
    one = host(tmp_path, answers=answers, __mosquitto_on_host={"users": users})
    code, said = deploy(tmp_path, one)
    assert code == 0, said
    assert config(one)["device"] == "pi1"
    assert ("pi1 was an MQTT user before this host had an agent" in said) == warns
    assert ("telemetry_agent_enabled=false for pi1" in said) == warns


def test_a_user_of_its_name_at_the_gateway_that_it_publishes_to_is_told(tmp_path: Path) -> None:
    hosts = [
        host(tmp_path, __mosquitto_on_host={"users": ["pi2"]}),
        host(tmp_path, "pi2", mqtt_bridge_enabled=False, __mosquitto_on_host={"skipped": True}),
    ]
    code, said = deploy(tmp_path, *hosts, groups="[pis]\npi1\npi2\n")
    assert code == 0, said
    assert "warned: pi2 was an MQTT user before" in said
    assert "pi1 was an MQTT user before" not in said


def test_where_nothing_arrives_the_play_fails_and_says_why(tmp_path: Path) -> None:
    one = host(tmp_path, answers={"command": [BARE, WAITS]}, _telemetry_agent_start_limit=1)
    _code, said = deploy(tmp_path, one)
    task, text = failures(said)["pi1"]
    assert task == "telemetry_agent : Refuse to call that deployed"
    assert "it says 'messages wait here: nobody'" in text
    assert "journalctl -u raspi-kafka-telemetry" in text


def test_a_gateway_that_is_not_of_this_run_is_a_warning(tmp_path: Path) -> None:
    hosts = [
        host(tmp_path),
        host(
            tmp_path,
            "pi2",
            {"command": [BARE, WAITS]},
            mqtt_bridge_enabled=False,
            _telemetry_agent_start_limit=1,
        ),
    ]
    code, said = deploy(tmp_path, *hosts, groups="[pis]\npi1\npi2\n", arguments=("--limit", "pi2"))
    assert code == 0, said
    assert "warned: pi2 publishes what it measures of itself, and nobody has acknowledged it" in said


@pytest.mark.parametrize(
    "variables",
    [
        {"telemetry_agent_interval": "1"},
        {"telemetry_agent_interval": "0.05s"},
        {"telemetry_agent_interval": "61s"},
        {"telemetry_agent_buffer_mb": 0},
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, variables: dict[str, Any]) -> None:
    task = {"ansible.builtin.import_role": {"name": "raspi.kafka.telemetry_agent", "tasks_from": "preflight"}}
    (tmp_path / "role.yml").write_text(json.dumps([{"hosts": "pis", "gather_facts": False, "tasks": [task]}]))
    one = host(tmp_path, **variables)
    _code, said = run(tmp_path, f"[pis]\n{one.line()}\n", book=str(tmp_path / "role.yml"))
    task_name, text = failures(said)["pi1"]
    assert task_name == "telemetry_agent : Refuse settings of the telemetry agent that cannot be"
    assert f"{next(iter(variables.values()))}" in text
    assert "Nothing was changed." in text
