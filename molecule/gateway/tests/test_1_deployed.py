"""What site.yml has made of a bare Pi: a gateway by default, without a second thought."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from conftest import SET, OnPi

from tests.hosts import host
from tests.hosts.deployed import extra
from tests.hosts.mqtt import connected, passwords, records
from tests.hosts.play import playbook

HEADERS = ("mqtt.topic", "mqtt.qos", "mqtt.received", "mqtt.gateway")
# What `systemd-analyze security` gives at most; Debian's own Mosquitto has 9.6.
EXPOSURE = 1.5


def test_a_device_reaches_kafka_from_the_pi_and_from_here() -> None:
    run = playbook(SET, book="playbooks/verify.yml")
    assert run.code == 0
    assert run.text.count("20 published over MQTT, 20 in Kafka in their order; acknowledged by Mosquitto after") == 2
    assert "at the bridge after" in run.text
    assert re.search(r"FIRING once, \d+ ms after, RESOLVED once, \d+ ms after the message", run.text)


@pytest.mark.parametrize(
    "unit",
    ["mosquitto", "raspi-kafka-bridge", "raspi-kafka-alerting", "raspi-kafka-commands", "raspi-kafka-telemetry"],
)
def test_a_unit_is_enabled_active_and_sandboxed(unit: str, on: OnPi) -> None:
    assert on(f"systemctl is-enabled {unit} && systemctl is-active {unit}").split() == ["enabled", "active"]
    told = on(f"systemd-analyze security --no-pager {unit}.service | tail -n 1")
    # The agent reads /proc and asks for the clock.
    more = 0.2 if unit == "raspi-kafka-telemetry" else 0
    assert float(re.search(r"([0-9.]+) (OK|SAFE)", told)[1]) <= EXPOSURE + more, told


def test_the_pi_says_what_it_measures_of_itself_and_it_is_in_kafka(arriving) -> None:
    first, second = (json.loads(record.value) for record in arriving.of("pi1", 2))
    assert (first["device"], first["kind"], second["seq"]) == ("pi1", "pi", first["seq"] + 1)
    # What the sandbox could hide: /proc, and the question for the clock.
    assert 0 <= first["cpu"] <= 100
    assert 0 < first["memory"] < 100
    assert isinstance(first["clock"], bool)


def test_nobody_gets_in_without_a_password(pi: host.Host) -> None:
    with connected(pi, "raspi-kafka-verify", "wrong") as stranger:
        assert stranger.answers[0].is_failure
    with connected(pi, "", "") as nobody:
        assert nobody.answers[0].is_failure


def test_no_password_is_in_a_command_line_the_journal_or_a_file_that_others_may_read(on: OnPi) -> None:
    secrets = list(passwords(SET).values())
    assert len(secrets) >= 2
    patterns = "\n".join(secrets)
    on(f"umask 077; cat > /run/patterns <<'END'\n{patterns}\nEND\n")
    try:
        assert on("cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -cFf /run/patterns || true") == "0"
        assert on("journalctl --no-pager | grep -cFf /run/patterns || true") == "0"
        look_at = "/etc /opt/raspi-kafka /var/lib /var/log /run -xdev -type f -perm /o+r"
        assert on(f"find {look_at} -exec grep -lFf /run/patterns {{}} + || true") == ""
        # Where they have to be they are found, so this would see them elsewhere.
        assert on("grep -lFf /run/patterns /etc/raspi-kafka/bridge.password") == "/etc/raspi-kafka/bridge.password"
    finally:
        on("rm /run/patterns")


def test_a_schema_keeps_out_what_does_not_fit_and_not_the_proof(pi: host.Host, tmp_path: Path) -> None:
    schema = tmp_path / "device.json"
    schema.write_text('{"type": "object", "required": ["temperature"]}')
    assert playbook(SET, *extra(mqtt_bridge_schemas={"devices/+/#": str(schema)})).code == 0
    user = "raspi-kafka-verify"
    with records(pi, "dead-letters") as dead, connected(pi, user, passwords(SET)[user]) as device:
        assert device.publish(f"devices/{user}/test", b'{"temperature": 20}').value == 0
        assert device.publish(f"devices/{user}/test", b'{"humidity": 40}').value == 0
        (letter,) = dead.of(user, 1)
    headers = dict(letter.headers)
    assert (letter.value, headers["error"]) == (b'{"humidity": 40}', b"SCHEMA")
    assert b"temperature" in headers["reason"]
    assert playbook(SET).code == 0


def test_metrics_are_for_prometheus_on_loopback(on: OnPi, pi: host.Host) -> None:
    text = on(
        "python3 -c \"import urllib.request as r; print(r.urlopen('http://127.0.0.1:9465/metrics').read().decode())\""
    )
    acked = re.search(r"^raspi_kafka_bridge_acked_total ([0-9.e+]+)$", text, re.MULTILINE)
    assert acked, text
    assert float(acked[1]) >= 20
    # A heartbeat may be under way.
    assert re.search(r"^raspi_kafka_bridge_unacked [01]\.0$", text, re.MULTILINE), text
    assert re.search(r"127\.0\.0\.1:9465 ", on("ss -Hltn"))
    assert f"{pi.address}:9465" not in on("ss -Hltn")


def test_the_record_has_the_mqtt_topic_the_qos_the_time_and_the_host_of_the_bridge(pi: host.Host, arriving) -> None:
    with connected(pi, "raspi-kafka-verify", passwords(SET)["raspi-kafka-verify"]) as device:
        assert device.publish("devices/raspi-kafka-verify/a room", b"\x00\xff").value == 0
    (record,) = arriving.of("raspi-kafka-verify", 1)
    headers = dict(record.headers)
    assert record.value == b"\x00\xff"
    assert set(headers) == set(HEADERS)
    assert (headers["mqtt.topic"], headers["mqtt.qos"]) == (b"devices/raspi-kafka-verify/a room", b"1")
    assert 0 <= record.timestamp - int(headers["mqtt.received"]) < 60_000
    assert headers["mqtt.gateway"] == b"pi1"
    assert record.timestamp_type == 1  # LogAppendTime
