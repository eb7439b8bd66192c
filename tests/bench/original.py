"""The design that was claimed to hold 350 devices without a loss, made again, and the bridge beside it.

Its bridge subscribes with QoS 0 in a clean session, once, decodes and encodes each payload, prints it, and gives it to
a Kafka client without a key and without a look at the outcome (nairanjana7/kafka-on-raspberry-pi, commit 1aa4303,
bridges/mqtt_to_kafka.py).

python -m tests.bench.original PORT SERVER: be that bridge.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from pathlib import Path

import paho.mqtt.client as paho
from kafka import KafkaProducer

from tests.bridge.bridge import Bridge
from tests.bridge.kafka import TELEMETRY, Kafka
from tests.bridge.mosquitto import BRIDGE, PASSWORD, Mosquitto
from tests.bridge.process import Process
from tests.hosts.cache import REPOSITORY

from . import bridge
from .line import Line
from .table import Row, computer, load, table

OURS, ORIGINAL = "bridge", "the original"
RATE, SECONDS_AWAY, SECONDS_BEFORE, SECONDS_AFTER = 500, 2, 4, 6


class Original(Process):
    """Has the user that the bridge has in its turn."""

    def __init__(self, root: Path, mosquitto: Mosquitto, kafka: Kafka) -> None:
        root.mkdir()
        command = [sys.executable, "-m", "tests.bench.original", str(mosquitto.port), kafka.server]
        super().__init__(command, root / "log", {"PYTHONPATH": str(REPOSITORY)})


def be(port: int, server: str) -> None:
    """Carry messages for ever."""
    producer = KafkaProducer(bootstrap_servers=server, value_serializer=lambda said: json.dumps(said).encode())

    def on_message(_client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        said = json.loads(message.payload.decode())
        producer.send(TELEMETRY, said)
        print(f"forwarded {said}")

    client = paho.Client(paho.CallbackAPIVersion.VERSION2, BRIDGE)
    client.username_pw_set(BRIDGE, PASSWORD)
    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.subscribe("devices/+/telemetry")
    client.loop_forever()


def killed(line: Line) -> bridge.Figures:
    """The engine is killed once while devices send, and is back two seconds later."""
    line.start()
    count = RATE * (SECONDS_BEFORE + SECONDS_AWAY + SECONDS_AFTER)
    before = line.records()
    devices = line.devices(RATE, count)
    line.reach(before + RATE * SECONDS_BEFORE)
    line.engine.kill()
    time.sleep(SECONDS_AWAY)
    line.engine.start()
    assert devices.ended(bridge.SECONDS_TO_SEND) == 0
    line.reach(before + count)
    return {"sent": count, **bridge.faults(line.outcome())}


def main() -> str:
    """Both in turns."""
    bridge.ENGINES.update({ORIGINAL: Original, OURS: Bridge})
    with bridge.ready() as bench:
        bench.engines.append(ORIGINAL)
        began, found = load(), []
        for rate in (350, 1000, 3000):
            both = bench.alternate(f"{rate:,} messages/s", partial(bridge.steady, rate), (OURS, ORIGINAL))
            rows = [
                row(both, "device to Kafka's log, p50, ms", "p50"),
                row(both, "device to Kafka's log, p99, ms", "p99"),
                row(both, "its CPU, % of a core", "engine"),
                row(both, "Kafka's CPU, % of a core", "kafka"),
                *(row(both, name, name, total=True) for name in bridge.FAULTS),
            ]
            found.append(table(f"{rate:,} messages/s", rows, ""))
        both = bench.alternate("killed once", killed, (OURS, ORIGINAL))
        rows = [row(both, name, name, total=True) for name in ("sent", *bridge.FAULTS)]
        found.append(table(f"Killed once under {RATE} messages/s, and back after {SECONDS_AWAY} s", rows, ""))
    head = (
        f"{computer()}; load {began} to {load()}\nStock is the original design; the sums of {bridge.ROUNDS} rounds.\n"
    )
    return "\n".join([head, *found])


def row(both: bridge.Found, what: str, key: str, *, total: bool = False) -> Row:
    """The median of all rounds, or their sum."""
    ours, original = ([each[key] for each in both[name]] for name in (OURS, ORIGINAL))
    return Row(what, [sum(ours)], [sum(original)]) if total else Row(what, ours, original)


if __name__ == "__main__":
    be(int(sys.argv[1]), sys.argv[2])
