"""What may happen to a gateway: each server and the bridge killed, the power and the network gone."""

from __future__ import annotations

import pytest
from conftest import SET, OnPi, wait_until

from tests.hosts import host
from tests.hosts.mqtt import Device, Records, connected, passwords
from tests.hosts.play import playbook

USER = "raspi-kafka-verify"
TOPIC = f"devices/{USER}/test"


def publish(pi: host.Host, *payloads: bytes) -> None:
    with connected(pi, USER, passwords(SET)[USER]) as device:
        for payload in payloads:
            acknowledged(device, payload)


def acknowledged(device: Device, payload: bytes) -> None:
    assert device.publish(TOPIC, payload).value == 0


def main_pid(on: OnPi, unit: str) -> int:
    return int(on(f"systemctl show --property MainPID --value {unit}"))


@pytest.mark.parametrize("unit", ["mosquitto", "raspi-kafka-bridge", "kafka"])
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
    for unit in ("mosquitto", "raspi-kafka-bridge"):
        assert on(f"systemctl show --property ActiveState,NRestarts {unit}").split() == [
            "NRestarts=0",
            "ActiveState=active",
        ]
    assert playbook(SET, book="playbooks/verify.yml").code == 0
