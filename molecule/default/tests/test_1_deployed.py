"""What stands on the Pi after site.yml, seen by testinfra."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from conftest import OnPi

from tests.hosts import cache

FILES = cache.REPOSITORY / "roles" / "python_venv" / "files"


def test_the_broker_is_enabled_and_runs_as_its_own_user(host: Any) -> None:
    service = host.service("kafka")
    assert service.is_enabled
    assert service.is_running
    java = host.process.get(comm="java")
    assert java.user == "kafka"


def test_only_clients_of_the_network_are_served_beyond_loopback(host: Any) -> None:
    assert host.socket("tcp://0.0.0.0:9092").is_listening
    for port in (19092, 9093):
        assert host.socket(f"tcp://127.0.0.1:{port}").is_listening
        assert not host.socket(f"tcp://0.0.0.0:{port}").is_listening


def test_the_sandbox_scores_two_or_better(on: OnPi) -> None:
    verdict = on("systemd-analyze security kafka.service --no-pager | tail -n 1")
    assert float(re.search(r"([0-9.]+) [A-Z]+", verdict)[1]) <= 2.0, verdict


def test_the_unit_has_patience_and_comes_back(on: OnPi) -> None:
    names = "TimeoutStopUSec,Restart,OOMScoreAdjust,StartLimitIntervalUSec,NotifyAccess"
    shown = dict(line.split("=", 1) for line in on(f"systemctl show kafka --property {names}").splitlines())
    assert shown == {
        "TimeoutStopUSec": "6min",
        "Restart": "on-failure",
        "OOMScoreAdjust": "-500",
        "StartLimitIntervalUSec": "0",
        "NotifyAccess": "exec",
    }


def test_records_and_configuration_are_not_for_everyone(host: Any) -> None:
    with host.sudo():
        assert host.file("/var/lib/kafka/data").mode == 0o750
        assert host.file("/var/lib/kafka/data").user == "kafka"
        assert host.file("/etc/kafka/server.properties").mode == 0o640
        assert host.file("/etc/kafka/server.properties").user == "root"


def test_the_release_is_versioned_and_current_points_to_it(host: Any) -> None:
    assert re.fullmatch(r"/opt/kafka/4\.1\.1-[0-9a-f]{8}", host.file("/opt/kafka/current").linked_to)


def test_disk_and_manifest_agree_on_the_identity(host: Any) -> None:
    with host.sudo():
        manifest = json.loads(host.file("/etc/kafka/identity.json").content_string)
        meta = dict(re.findall(r"(?m)^(.*)=(.*)$", host.file("/var/lib/kafka/data/meta.properties").content_string))
    assert meta["cluster.id"] == manifest["cluster_id"]
    assert int(meta["node.id"]) == manifest["node_id"] == 1


@pytest.mark.parametrize(("environment", "lock"), [("venv", "requirements.txt"), ("edge", "edge.txt")])
def test_python_packages_are_those_of_the_lock_file(host: Any, environment: str, lock: str) -> None:
    locked = re.findall(r"^\S+==\S+", (FILES / lock).read_text(), re.MULTILINE)
    python = f"/opt/raspi-kafka/{environment}/bin/python"
    frozen = host.check_output(f"{python} -m pip freeze --disable-pip-version-check").splitlines()
    others = [one.lower().replace("_", "-") for one in frozen if not one.startswith("raspi-kafka @ ")]
    assert sorted(others) == sorted(locked)


def test_min_insync_replicas_is_a_cluster_wide_default(on: OnPi) -> None:
    assert "min.insync.replicas=1" in on("kafka configs --describe --entity-type brokers --entity-default")


def test_the_pi_says_what_it_measures_of_itself(on: OnPi) -> None:
    status = on("systemctl show --property StatusText --value raspi-kafka-telemetry")
    assert status == "acknowledged by the MQTT server 127.0.0.1:1883"
    said = on(
        "kafka console-consumer --topic telemetry --from-beginning --max-messages 5 --timeout-ms 30000 2>/dev/null"
    )
    first, *others = map(json.loads, said.splitlines())
    assert (first["device"], first["kind"]) == ("pi1", "pi")
    assert [one["seq"] for one in others] == [first["seq"] + number for number in range(1, 5)]
    # What the sandbox could hide: /proc, and the question for the clock.
    assert 0 <= first["cpu"] <= 100
    assert 0 < first["memory"] < 100
    assert isinstance(first["clock"], bool)


def test_the_agent_is_sandboxed_and_takes_little(on: OnPi) -> None:
    verdict = on("systemd-analyze security raspi-kafka-telemetry.service --no-pager | tail -n 1")
    assert float(re.search(r"([0-9.]+) [A-Z]+", verdict)[1]) <= 1.8, verdict
    pid = on("systemctl show --property MainPID --value raspi-kafka-telemetry")
    assert int(on(f"awk '/^VmRSS/ {{print $2}}' /proc/{pid}/status")) < 32 << 10
