"""From devices by MQTT to alerts, while each part is killed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from raspi_kafka.alert.pipeline import RULE as PIPELINE

from tests.bridge.process import until

from .house import House, expected
from .planted import RULES
from .told import Told

if TYPE_CHECKING:
    from .alerting import Alerting
    from .conftest import Line

DEVICES = 350
UNDISTURBED_S = 20


def test_nothing_is_missed_and_nothing_false_while_each_part_is_killed(line: Line) -> None:
    bridge = line.bridge()
    alerting: Alerting = line.alerting(RULES)
    alerting.start()
    house = House(line.mosquitto, DEVICES)
    house.start()
    disturbed: list[tuple[float, float]] = []
    for part in (alerting, bridge, line.kafka):
        time.sleep(UNDISTURBED_S)
        killed = time.time()
        part.kill()
        part.start()
        told = len(Told(line.kafka).alerts)
        until("it tells again", lambda least=told: len(Told(line.kafka).alerts) > least + 20, pause=0.5)
        disturbed.append((killed, time.time()))
    house.stop()
    until("Kafka has all", lambda: len(line.kafka.records()) >= house.sent, pause=1)
    wanted = expected(line.kafka)
    until("all alerts are there", lambda: wanted <= Told(line.kafka).counts.keys(), timeout=120, pause=1)
    told = Told(line.kafka)
    # A restart of Kafka may take longer than the pipeline may stall, and that is an alert of its own.
    of_devices = {each: count for each, count in told.counts.items() if not each[0].startswith(PIPELINE)}
    assert of_devices == dict.fromkeys(wanted, 1)
    print(f"\n{house.sent} messages, {len(told.alerts)} alerts, as many as planted; append -> alert appended:")
    print(f"all of them        {words(told.latencies_ms())}")
    print(f"while nothing fell {words(told.latencies_ms(disturbed))}")


def words(sorted_ms: list[int]) -> str:
    """Return percentiles."""
    at = {name: sorted_ms[int(share * (len(sorted_ms) - 1))] for name, share in (("p50", 0.5), ("p99", 0.99))}
    return f"{len(sorted_ms)}: p50 {at['p50']} ms, p99 {at['p99']} ms, max {sorted_ms[-1]} ms"
