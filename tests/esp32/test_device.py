"""Whatever fails between a device and Kafka: what was acknowledged is there, in order, and no number is missing."""

from __future__ import annotations

import random
import re
import time
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.bridge.process import until
from tests.e2e.conftest import free_ports

from . import tls

if TYPE_CHECKING:
    from .conftest import Line
    from .device import Device

OUTAGE_S = 5
# What the clocks of device and Kafka may be apart, with the way from one to the other, on a busy machine.
CLOCK_NS = 30 * 10**9


def first_of_each(numbers: list[int]) -> list[int]:
    """Return the numbers without those that came before."""
    return list(dict.fromkeys(numbers))


def ends_whole(line: Line, device: Device) -> None:
    """End the device in order; each number from 1 on is in Kafka, and each first one stands behind that before it."""
    assert device.stop() == 0, device.tail()
    line.bridge.quiet()
    kept = device.kept()
    print(kept)
    assert kept.dropped == 0
    assert kept.acked > 0
    numbers = line.numbers()
    assert first_of_each(numbers) == list(range(1, max(numbers) + 1))
    assert max(numbers) >= kept.acked


def test_what_a_device_measures_is_in_kafka(line: Line) -> None:
    device = line.device()
    device.start()
    line.flows(30)
    ends_whole(line, device)
    said = line.heard()[-1]
    assert said.keys() == {"device", "kind", "seq", "ts_ns", "temperature", "rssi", "uptime", "free", "dropped"}
    assert (said["device"], said["kind"], said["temperature"]) == ("kitchen", "esp32", 21.5)
    assert abs(said["ts_ns"] - line.appended_ms()[-1] * 10**6) < CLOCK_NS
    assert line.numbers() == first_of_each(line.numbers())


def test_a_wifi_loss(line: Line) -> None:
    device = line.device()
    device.start()
    for _loss in range(2):
        line.flows()
        line.cut(device)
        time.sleep(OUTAGE_S)  # the outage itself
        line.mend(device)
    line.flows(OUTAGE_S * 10)
    ends_whole(line, device)
    assert device.log.read_text().count("Wi-Fi is down") == 2


def test_a_network_that_falls_silent_while_wifi_says_that_it_is_up(line: Line) -> None:
    """The device finds it out by itself."""
    device = line.device()
    device.start()
    line.flows()
    line.air.cut()
    device.says("connection lost: the broker is silent")
    line.air.mend()
    line.flows(50)
    ends_whole(line, device)


def test_a_firmware_that_does_not_send_again_loses(line: Line) -> None:
    """The control of both tests above: they would see it."""
    device = line.device(keep_alive_s=60)
    main = device.root / "main.py"
    text = "self._next = self._ring.acked + 1"
    assert main.read_text().count(text) == 1
    main.write_text(main.read_text().replace(text, "self._next = self._sent + 1"))
    device.start()
    line.flows()
    line.air.cut()
    time.sleep(3)  # so that some are on their way
    device.wifi(up=False)
    device.says("connection lost: no Wi-Fi")
    line.mend(device)
    line.flows()
    assert device.stop() == 0
    line.bridge.quiet()
    numbers = line.numbers()
    assert first_of_each(numbers) != list(range(1, max(numbers) + 1))


def test_mosquitto_is_killed(line: Line) -> None:
    device = line.device()
    device.start()
    for _kill in range(3):
        line.flows()
        line.mosquitto.kill()
        device.says("connection lost")
        line.mosquitto.start()
        line.flows()
    ends_whole(line, device)
    assert device.log.read_text().count("connected to") >= 4


def test_the_bridge_is_killed(line: Line) -> None:
    device = line.device()
    device.start()
    for _kill in range(3):
        line.flows()
        line.bridge.kill()
        time.sleep(2)  # Mosquitto keeps what comes
        line.bridge.start()
    line.flows()
    ends_whole(line, device)


def test_the_power_of_the_device_is_cut(line: Line) -> None:
    """At any moment: while it writes, sends, or has acknowledgements under way."""
    chance = random.Random(1)
    device = line.device(flash_s=0.1)
    for _cut in range(8):
        device.start()
        line.flows(5)
        time.sleep(chance.uniform(0, 0.5))
        device.kill()
    device.start()
    line.flows()
    ends_whole(line, device)


def test_the_power_is_cut_while_much_waits(line: Line) -> None:
    device = line.device()
    device.start()
    line.flows()
    line.cut(device)
    for _cut in range(2):
        time.sleep(OUTAGE_S)
        device.kill()
        device.start()
    before = len(line.numbers())
    line.mend(device)
    line.flows(OUTAGE_S * 10)
    ends_whole(line, device)
    waiting = [int(found) for found in re.findall(r"next number \d+, (\d+) waiting", device.log.read_text())]
    assert waiting[-1] > waiting[-2] > 0
    assert max(line.numbers()) >= before + waiting[-1]


def test_when_the_ring_is_full_the_oldest_is_dropped_and_told(line: Line) -> None:
    device = line.device(ring_kb=12)
    device.start()
    line.flows()
    line.cut(device)
    device.says("the ring is full: the oldest")
    line.mend(device)
    line.flows(60)
    assert device.stop() == 0
    line.bridge.quiet()
    said = line.heard()
    numbers = first_of_each([each["seq"] for each in said])
    missing = sorted(set(range(1, max(numbers) + 1)) - set(numbers))
    assert missing == list(range(missing[0], missing[-1] + 1)), "the oldest, and no other"
    assert numbers == sorted(numbers)
    told = said[-1]["dropped"]
    # Some that were dropped may have come all the same, with an acknowledgement that was lost.
    assert len(missing) <= told <= len(missing) + 10
    assert device.kept().dropped == told


def test_the_last_will_tells_that_it_is_gone_and_bye_that_it_went(line: Line) -> None:
    device = line.device()
    device.start()
    line.flows()
    device.kill()
    until("the last will is in Kafka", lambda: line.heard("status"))
    device.start()
    line.flows()
    assert device.stop() == 0
    until("it has said good-bye", lambda: len(line.heard("status")) == 2)
    gone = {"device": "kitchen", "online": False}
    assert line.heard("status") == [gone, {**gone, "bye": True}]


def test_tls(line: Line) -> None:
    (line.root / "ca.der").write_bytes(line.mosquitto.ca)
    device = line.device(tls_ca=str(line.root / "ca.der"), brokers=[f"127.0.0.1:{line.mosquitto.tls_port}"])
    device.start()
    line.flows(30)
    ends_whole(line, device)


def test_a_gateway_whose_certificate_another_ca_has_signed_gets_nothing(line: Line) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    other = tls.certificate("another CA", key, "another CA", key)
    (line.root / "ca.der").write_bytes(other.public_bytes(serialization.Encoding.DER))
    device = line.device(tls_ca=str(line.root / "ca.der"), brokers=[f"127.0.0.1:{line.mosquitto.tls_port}"])
    device.start()
    device.says("no connection to 127.0.0.1")
    device.kill()
    assert line.heard() == []
    assert device.kept().acked == 0


def test_without_a_time_server_messages_have_no_time(line: Line) -> None:
    line.ntp.kill()
    device = line.device()
    device.start()
    device.says("no time from 127.0.0.1")
    line.flows(20)
    ends_whole(line, device)
    assert not any("ts_ns" in said for said in line.heard())


def test_the_next_gateway_is_tried_when_one_is_away(line: Line) -> None:
    (nobody,) = free_ports(1)
    device = line.device(brokers=[f"127.0.0.1:{nobody}", f"127.0.0.1:{line.air.port}"])
    device.start()
    line.flows()
    ends_whole(line, device)
    assert f"no connection to 127.0.0.1:{nobody}" in device.log.read_text()
