"""What may happen to a gateway: each server and the bridge killed, the power and the network gone."""

from __future__ import annotations

import pytest
from conftest import SET, OnPi, wait_until

from tests.hosts import engine, host
from tests.hosts.disk import DATA
from tests.hosts.host import as_root
from tests.hosts.mqtt import Device, Records, connected, passwords, records
from tests.hosts.play import playbook

USER = "raspi-kafka-verify"
TOPIC = f"devices/{USER}/test"
# A device that runs on the Pi itself.
PUBLISH = """
import sys
from paho.mqtt.client import CallbackAPIVersion, Client
client = Client(CallbackAPIVersion.VERSION2)
client.username_pw_set(sys.argv[1], sys.stdin.read())
client.connect("127.0.0.1")
client.loop_start()
client.publish(sys.argv[2], "without a network", qos=1).wait_for_publish(30)
"""


def publish(pi: host.Host, *payloads: bytes) -> None:
    with connected(pi, USER, passwords(SET)[USER]) as device:
        for payload in payloads:
            acknowledged(device, payload)


def acknowledged(device: Device, payload: bytes) -> None:
    assert device.publish(TOPIC, payload).value == 0


def main_pid(on: OnPi, unit: str) -> int:
    return int(on(f"systemctl show --property MainPID --value {unit}"))


@pytest.mark.parametrize("unit", ["mosquitto", "raspi-kafka-bridge", "raspi-kafka-alerting", "kafka"])
def test_what_is_killed_comes_back_and_messages_go_on(unit: str, on: OnPi, pi: host.Host, arriving: Records) -> None:
    before = main_pid(on, unit)
    on(f"kill -KILL {before}")
    wait_until(
        lambda: main_pid(on, unit) not in (0, before) and on(f"systemctl is-active {unit}", check=False) == "active",
        *(120, f"{unit} comes back"),
    )
    publish(pi, f"after {unit}".encode())
    assert arriving.of(USER, 1)[0].value == f"after {unit}".encode()


def test_without_the_bridge_mosquitto_keeps_messages_for_it(on: OnPi, pi: host.Host, arriving: Records) -> None:
    on("systemctl stop raspi-kafka-bridge")
    try:
        publish(pi, *(b"%d" % number for number in range(200)))
    finally:
        on("systemctl start raspi-kafka-bridge")
    assert [one.value for one in arriving.of(USER, 200)] == [b"%d" % number for number in range(200)]


def test_a_bridge_that_is_stopped_ends_in_peace(on: OnPi) -> None:
    on("systemctl restart raspi-kafka-bridge")
    assert on("systemctl show --property Result --value raspi-kafka-bridge") == "success"
    assert on("systemctl is-active raspi-kafka-bridge") == "active"


def test_a_restarted_mosquitto_has_lost_nothing_that_it_held(on: OnPi, pi: host.Host, arriving: Records) -> None:
    on("systemctl stop raspi-kafka-bridge")
    try:
        publish(pi, b"held 1", b"held 2")
        on("systemctl restart mosquitto")
    finally:
        on("systemctl start raspi-kafka-bridge")
    assert [one.value for one in arriving.of(USER, 2)] == [b"held 1", b"held 2"]


def test_after_a_power_cut_everything_comes_back_by_itself(on: OnPi, pi: host.Host) -> None:
    host.kill(pi.container)
    host.start(pi.container)
    wait_until(lambda: on("systemctl is-active kafka", check=False) == "active", 180, "kafka comes back")
    for unit in ("mosquitto", "raspi-kafka-bridge", "raspi-kafka-alerting"):
        assert on(f"systemctl show --property ActiveState,NRestarts {unit}").split() == [
            "NRestarts=0",
            "ActiveState=active",
        ]
    assert playbook(SET, book="playbooks/verify.yml").code == 0


def test_without_a_network_devices_on_the_pi_reach_kafka(pi: host.Host, on: OnPi) -> None:
    """Looks by `docker exec`, since nothing else reaches a Pi without a network."""
    network = host.network_name(SET)
    engine.docker("network", "disconnect", network, pi.container, what="cannot cut the network")
    try:
        host.kill(pi.container)
        engine.docker("start", pi.container, what="cannot start without a network")
        for unit in ("kafka", "mosquitto", "raspi-kafka-bridge"):
            wait_until(
                lambda unit=unit: as_root(pi, f"systemctl is-active {unit} || true") == "active", 180, f"{unit} runs"
            )
        python = f"/opt/raspi-kafka/venv/bin/python -c '{PUBLISH}' {USER} {TOPIC}"
        as_root(pi, python, passwords(SET)[USER])
        # It does not end by itself: the Pi goes on to say what it measures.
        read = "timeout 20 kafka console-consumer --topic telemetry --from-beginning 2>/dev/null"
        count = f"{read} | grep -ac 'without a network' || true"
        wait_until(lambda: as_root(pi, count) == "1", 120, "the message is in Kafka")
    finally:
        engine.docker("network", "connect", "--ip", pi.address, network, pi.container, what="cannot connect it again")
    wait_until(lambda: on("systemctl is-active kafka", check=False) == "active", 60, "the network is there")


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_holds_messages_at_mosquitto_and_loses_none(on: OnPi, pi: host.Host) -> None:
    free = int(on(f"df --output=avail -B1M {DATA} | tail -1"))
    on(f"fallocate -l {free - 40}M {DATA}/somebody-elses")
    with records(pi, "telemetry") as arriving:
        sent = [b"%03d" % number + b"x" * (256 << 10) for number in range(300)]
        publish(pi, *sent)
        wait_until(
            lambda: on("systemctl show kafka --property StatusText --value").startswith("held back until"),
            *(120, "Kafka is held back for lack of space"),
        )
        on(f"rm {DATA}/ballast")
        wait_until(lambda: on("systemctl is-active kafka", check=False) == "active", 120, "Kafka came back by itself")
        found = [one.value[:3] for one in arriving.of(USER, len(sent)) if len(one.value) > 1000]
    first = list(dict.fromkeys(found))
    assert first == [one[:3] for one in sent], "each is there, and in order"
