"""Other topic trees, each admitted by one line of the inventory, with the topics that Tasmota and Zigbee2MQTT have."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import SET, OnPi, wait_until

from tests.hosts import host
from tests.hosts.deployed import extra, refused
from tests.hosts.mqtt import Records, connected
from tests.hosts.play import playbook

NOT_AUTHORIZED = 0x87
REFUSED = 0x80
TREES = [
    {"filter": "tele/+/#", "reads": ["cmnd/+/#"]},
    {"filter": "stat/+/#"},
    {"filter": "cmnd/+/#", "publishers": ["home"]},
    {"filter": "zigbee2mqtt/+/#", "publishers": ["zigbee2mqtt"], "reads": ["zigbee2mqtt/#"]},
]


@pytest.fixture(scope="module", autouse=True)
def trees() -> Iterator[None]:
    """Admit them, and take them back in the end."""
    assert playbook(SET, *extra(mosquitto_trees=TREES)).code == 0
    yield
    assert playbook(SET).code == 0


def test_tasmota_publishes_what_it_measures_and_reads_its_commands(pi: host.Host, device, arriving: Records) -> None:
    name = "tasmota_4F2A10"
    with connected(pi, name, device(name)) as plug:
        plug.client.subscribe(f"cmnd/{name}/#", qos=1)
        with connected(pi, "home", device("home")) as home:
            assert home.publish(f"cmnd/{name}/POWER", b"TOGGLE").value == 0
        wait_until(lambda: plug.messages == [(f"cmnd/{name}/POWER", b"TOGGLE")], 30, "the plug gets its command")
        # As Tasmota's TelePeriod and a command's result look.
        sensor = json.dumps({"Time": "2026-01-01T12:00:00", "ENERGY": {"Power": 12, "Voltage": 231}})
        assert plug.publish(f"tele/{name}/SENSOR", sensor.encode()).value == 0
        assert plug.publish(f"stat/{name}/POWER", b"ON").value == 0
        assert plug.publish("tele/another/SENSOR", b"{}").value == NOT_AUTHORIZED
    found = {dict(one.headers)["mqtt.topic"].decode(): one.value for one in arriving.of(name, 3)}
    assert found == {
        f"cmnd/{name}/POWER": b"TOGGLE",
        f"tele/{name}/SENSOR": sensor.encode(),
        f"stat/{name}/POWER": b"ON",
    }


def test_zigbee2mqtt_publishes_for_all_of_its_devices(pi: host.Host, device, arriving: Records) -> None:
    lamp, state = "zigbee2mqtt/living room lamp", json.dumps({"state": "ON", "linkquality": 87}).encode()
    with connected(pi, "zigbee2mqtt", device("zigbee2mqtt")) as coordinator:
        assert coordinator.publish(lamp, state, retain=True).value == 0
        assert coordinator.publish(f"{lamp}/availability", b'{"state":"online"}').value == 0
        assert coordinator.publish("zigbee2mqtt/bridge/state", b'{"state":"online"}').value == 0
        assert coordinator.publish("devices/another/telemetry", b"{}").value == NOT_AUTHORIZED
    records = arriving.of("living room lamp", 2)
    assert [one.value for one in records] == [state, b'{"state":"online"}']
    assert len(arriving.of("bridge", 1)) == 1


def test_a_filter_without_a_device_or_across_another_is_refused_before_anything_changes(pi: host.Host) -> None:
    for tree, why in (({"filter": "tele/#"}, "tele/#"), ({"filter": "devices/+/power"}, "devices/+/#")):
        assert why in refused(SET, pi, *extra(mosquitto_trees=[tree]))


def test_a_tree_for_a_kafka_topic_that_is_not_declared_is_refused(pi: host.Host) -> None:
    text = refused(SET, pi, *extra(mosquitto_trees=[{"filter": "tele/+/#", "topic": "tasmota"}]))
    assert "tasmota, which topics_declared does not have" in text


def test_what_is_taken_in_a_new_tree_is_in_kafka_from_the_first_message_on(
    pi: host.Host, device, arriving: Records
) -> None:
    """A device that does not wait for the play: what is sent before the bridge has subscribed is refused."""
    name, taken, refusals = "early-bird", [], 0
    tried, over = threading.Event(), threading.Event()
    password = device(name)

    def send() -> None:
        nonlocal refusals
        for number in itertools.count():
            if over.is_set():
                return
            payload = str(number).encode()
            # Less than that is an acknowledgement, "no matching subscribers" (0x10) too (MQTT 5, 3.4.2.1).
            if bird.publish(f"early/{name}/count", payload).value < REFUSED:
                taken.append(payload)
            else:
                refusals += 1
            tried.set()
            time.sleep(0.01)

    with connected(pi, name, password) as bird, ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send)
        tried.wait()
        run = playbook(SET, *extra(mosquitto_trees=[*TREES, {"filter": "early/+/#"}]))
        try:
            assert run.code == 0, run.output
            wait_until(lambda: len(taken) > 100, 30, "messages are taken")
        finally:
            over.set()
        sending.result()
    assert refusals
    assert [one.value for one in arriving.of(name, len(taken))] == taken


def test_the_bridge_keeps_its_session_when_trees_change(on: OnPi) -> None:
    assert "has lost the session" not in on("journalctl -u raspi-kafka-bridge --no-pager")
