"""Whatever fails between a device and Kafka: what was acknowledged is there, in order, and no number is missing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Line
    from .device import Device


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
    began_ns = time.time_ns()
    device.start()
    line.flows(30)
    ends_whole(line, device)
    said = line.heard()[-1]
    assert said.keys() == {"device", "kind", "seq", "ts_ns", "temperature", "rssi", "uptime", "free", "dropped"}
    assert (said["device"], said["kind"], said["temperature"]) == ("kitchen", "esp32", 21.5)
    assert began_ns < said["ts_ns"] < time.time_ns()
    assert line.numbers() == first_of_each(line.numbers())
