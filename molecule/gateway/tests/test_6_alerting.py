"""Alerts of what devices send, in Kafka and by MQTT, by rules of the collection and of the owner."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import SET, OnPi, look, wait_until

from tests.hosts import host
from tests.hosts.deployed import extra, refused
from tests.hosts.mqtt import Device, Records, connected, passwords, records
from tests.hosts.play import playbook
from tests.hosts.snapshot import difference

UNIT = "raspi-kafka-alerting"
BOOK = "playbooks/verify.yml"
PANEL = [{"filter": "panels/+/#", "publishers": ["panel"], "reads": ["alerts/#"]}]
COLD = "rules:\n  - name: cold\n    severity: info\n    threshold: {field: temperature, below: 5}\n"
MISSPELT = "rules:\n  - name: cold\n    treshold: {field: temperature, below: 5}\n"


@pytest.fixture
def told(pi: host.Host) -> Iterator[Records]:
    """Return what comes into the topic of alerts from now on."""
    with records(pi, "alerts") as found:
        yield found


def said(name: str, told: Records, count: int) -> list[tuple[str, str]]:
    """Rule and state of so many alerts of a device."""
    return [(one["rule"], one["state"]) for one in (json.loads(record.value) for record in told.of(name, count))]


def measure(device: Device, name: str, temperature: float, at: float) -> None:
    payload = json.dumps({"temperature": temperature, "timestamp": at}).encode()
    assert device.publish(f"devices/{name}/telemetry", payload).value == 0


def shown(on: OnPi, name: str) -> str:
    return on(f"systemctl show --property {name} --value {UNIT}")


def read(device: Device) -> list[tuple[str, str, str]]:
    """MQTT topic, rule and state of the alerts that a device was sent."""
    return [(topic, (one := json.loads(payload))["rule"], one["state"]) for topic, payload in device.messages]


def test_a_hot_device_raises_an_alert_and_ends_it_and_reads_both(pi: host.Host, device, told: Records) -> None:
    """By the rule that the role has: above 80 for 30 s, by the time of the device."""
    now = time.time()
    name = f"stove-{now:.0f}"  # of which no alert is there yet
    place = f"alerts/{name}"
    with connected(pi, name, device(name)) as stove, connected(pi, "fridge", device("fridge")) as fridge:
        stove.client.subscribe(place, qos=1)
        fridge.client.subscribe("alerts/#", qos=1)
        measure(stove, name, 85, now - 40)
        measure(stove, name, 86, now)
        wait_until(lambda: read(stove) == [(place, "hot", "FIRING")], 60, "the alert is read by MQTT")
        measure(stove, name, 60, now + 1)
        wait_until(lambda: read(stove)[1:] == [(place, "hot", "RESOLVED")], 60, "its end is read by MQTT")
        assert said(name, told, 2) == [("hot", "FIRING"), ("hot", "RESOLVED")]
        first, second = (json.loads(one.value) for one in told.of(name, 2))
        assert first["id"] == second["id"]
        assert first["id"].startswith(f"hot/{name}/telemetry-")
        assert fridge.messages == []
    with connected(pi, name, passwords(SET)[name]) as later:
        later.client.subscribe(place, qos=1)
        wait_until(lambda: read(later) == [(place, "hot", "RESOLVED")], 30, "the last one waits for who comes")


def test_nobody_else_publishes_alerts(pi: host.Host, device) -> None:
    with connected(pi, "oven", device("oven")) as oven:
        assert oven.publish("alerts/oven", b"{}").value == 0x87


def test_a_missing_hop_is_named_by_the_proof(on: OnPi) -> None:
    on(f"systemctl stop {UNIT}")
    try:
        run = playbook(SET, *extra(verify_timeout=20), book=BOOK)
    finally:
        on(f"systemctl start {UNIT}")
    assert run.code == 2
    assert "no alert followed, nor any heartbeat of alerting: it does not run" in run.text
    assert playbook(SET, book=BOOK).code == 0


def test_rules_with_a_mistake_are_refused_and_alerting_goes_on(pi: host.Host, on: OnPi, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(MISSPELT)
    before = shown(on, "MainPID")
    text = refused(SET, pi, *extra(alerting_rules=str(rules)))
    assert f"({rules}:3: rules[0].treshold: there is no such key; did you mean `threshold`?)" in text
    assert shown(on, "MainPID") == before


def test_rules_of_the_owner_judge_beside_those_of_the_proof(
    pi: host.Host, on: OnPi, device, told: Records, tmp_path: Path
) -> None:
    """And a publisher with a right to read them sees the alerts of all devices."""
    rules = tmp_path / "rules.yml"
    rules.write_text(COLD)
    name = f"freezer-{time.time():.0f}"
    own = extra(alerting_rules=str(rules), mosquitto_trees=PANEL)
    try:
        assert playbook(SET, *own).code == 0
        before, pid = look(pi), shown(on, "MainPID")
        assert playbook(SET, *own).count("pi1", "changed") == 0
        assert difference(before, look(pi)) == []
        assert shown(on, "MainPID") == pid, "it is not restarted without a change"
        with connected(pi, "panel", device("panel")) as panel, connected(pi, name, device(name)) as freezer:
            panel.client.subscribe("alerts/#", qos=1)
            measure(freezer, name, 4, time.time())
            measure(freezer, name, 90, time.time())
            assert said(name, told, 2) == [("cold", "FIRING"), ("cold", "RESOLVED")]
            cold = {(f"alerts/{name}", "cold", "FIRING"), (f"alerts/{name}", "cold", "RESOLVED")}
            wait_until(lambda: cold <= set(read(panel)), 60, "the panel reads them")
    finally:
        assert playbook(SET).code == 0


def test_rules_are_tried_on_what_was_recorded(on: OnPi) -> None:
    command = "raspi-kafka alert record --kafka 127.0.0.1:19092 --since 1h --out /run/recorded.jsonl"
    on(command)
    told = on("raspi-kafka alert test /etc/raspi-kafka/rules.yml /run/recorded.jsonl; rm /run/recorded.jsonl")
    assert re.search(r"^.*FIRING.*hot.*stove.*$", told, re.MULTILINE), told


def test_metrics_are_for_prometheus_on_loopback(on: OnPi, pi: host.Host) -> None:
    url = "http://127.0.0.1:9466/metrics"
    text = on(f"python3 -c \"import urllib.request as r; print(r.urlopen('{url}').read().decode())\"")
    assert "raspi_kafka_alerting_active 1.0" in text
    assert 'raspi_kafka_alerting_pipeline_stalled{gateway="pi1"} 0.0' in text
    assert re.search(r"127\.0\.0\.1:9466 ", on("ss -Hltn"))
    assert f"{pi.address}:9466" not in on("ss -Hltn")


def test_a_process_that_hangs_is_ended_by_the_watchdog(on: OnPi) -> None:
    assert shown(on, "WatchdogUSec") == "1min"
    before = shown(on, "MainPID")
    on(f"kill -STOP {before}")
    wait_until(
        lambda: (
            shown(on, "MainPID") not in ("0", before) and on(f"systemctl is-active {UNIT}", check=False) == "active"
        ),
        *(180, "another process decides"),
    )
    assert "Watchdog timeout" in on(f"journalctl -u {UNIT} --no-pager")
