"""What alerting holds as a process: a topic that is worked off, and how soon it tells of what comes now."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka import Producer

from tests.alerting.alerting import TOPICS as ALERTING_TOPICS
from tests.alerting.alerting import Alerting
from tests.alerting.conftest import Line, server
from tests.alerting.kills import DEVICES as KILLED_DEVICES
from tests.alerting.kills import each_part_killed
from tests.alerting.planted import RULES as HOT
from tests.alerting.planted import Planted
from tests.alerting.told import Told
from tests.bridge.kafka import TELEMETRY, TOPICS, Kafka
from tests.bridge.process import until
from tests.hosts import archive
from tests.hosts.step import step

from .alerts import SAID, sent
from .line import cpu_seconds, peak_mib
from .table import Row, computer, load, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bridge.mosquitto import Mosquitto

ROUNDS = 3
DEVICES, SECONDS = 20_000, 30
RATE, RATE_S = 350.0, 60
LATE_MS = 250
# No bridge brings heartbeats back.
ALONE = {"stalled_after": "1h"}
# Each part once in half an hour.
QUIET_S = 580


@contextlib.contextmanager
def servers() -> Iterator[tuple[Path, Kafka, Mosquitto]]:
    """Kafka and Mosquitto on this machine."""
    with tempfile.TemporaryDirectory(prefix="raspi-kafka-bench-") as folder, contextlib.ExitStack() as stack:
        root = Path(folder)
        shutil.unpack_archive(archive.build().path, root / "release")
        (libs,) = (root / "release").glob("*/libs")
        kafka, mosquitto = Kafka(root / "kafka", f"{libs}/*"), server(root)
        kafka.topics = {**TOPICS, **ALERTING_TOPICS}
        for each in (kafka, mosquitto):
            stack.callback(each.clean_up)
            each.start()
        yield root, kafka, mosquitto


def fill(kafka: Kafka) -> int:
    """Give the topic what many devices have said; return how many records that is."""
    producer = Producer({"bootstrap.servers": kafka.server, "linger.ms": 20, "partitioner": "murmur2_random"})
    count = 0
    for record in sent(DEVICES, range(SECONDS)):
        while True:
            try:
                producer.produce(TELEMETRY, record.value, record.key, headers=[("mqtt.qos", b"1")])
                break
            except BufferError:
                producer.poll(0.1)
        count += 1
    assert producer.flush(120) == 0
    return count


def drain(alerting: Alerting, count: int) -> dict[str, float]:
    """Let it work off a topic; all but its start counts."""
    alerting.start()
    until("it begins", lambda: alerting.metrics().get("records_total", 0) > 0, pause=0.01)
    first, began, cpu = alerting.metrics()["records_total"], time.monotonic(), cpu_seconds(alerting.pid)
    until("all is judged", lambda: alerting.metrics()["records_total"] >= count, timeout=300)
    seconds, used = time.monotonic() - began, cpu_seconds(alerting.pid) - cpu
    found = {
        "rate": (count - first) / seconds,
        "core": 1e6 * used / (count - first),
        "busy": 100 * used / seconds,
        "peak": peak_mib(alerting.pid),
    }
    alerting.stop()
    return found


def soon(kafka: Kafka, alerting: Alerting) -> dict[str, float]:
    """Plant what it has to tell, at a usual rate."""
    alerting.start()
    planted = Planted(kafka.server, int(RATE), RATE)
    planted.start()
    time.sleep(RATE_S / 6)
    begin, cpu, began = time.time(), cpu_seconds(alerting.pid), time.monotonic()
    time.sleep(RATE_S)
    used = 100 * (cpu_seconds(alerting.pid) - cpu) / (time.monotonic() - began)
    planted.stop()
    wanted = planted.expected()
    until("all alerts are there", lambda: wanted <= Told(kafka).counts.keys(), timeout=120, pause=1)
    told = Told(kafka)
    delays = told.latencies_ms([(0, begin)])
    alerting.stop()
    return {
        "alerts": len(delays),
        "p50": delays[len(delays) // 2],
        "p99": delays[len(delays) * 99 // 100],
        "rest": len(told.alerts) - len(wanted),
        "used": used,
    }


def killed(line: Line) -> dict[str, float]:
    """Kill each part once, with devices that speak MQTT."""
    began = time.monotonic()
    try:
        found = each_part_killed(line, QUIET_S)
    finally:
        line.clean_up()
    delays, quiet = found.told.latencies_ms(), found.told.latencies_ms(found.disturbed)
    return {
        "seconds": time.monotonic() - began,
        "messages": found.sent,
        "alerts": len(found.of_devices),
        "amiss": len(set(found.of_devices.items()) ^ {(each, 1) for each in found.wanted}),
        "p50": delays[len(delays) // 2],
        "p99": delays[len(delays) * 99 // 100],
        "max": delays[-1],
        "late": sum(each > LATE_MS for each in delays),
        "quiet": quiet[len(quiet) * 99 // 100],
    }


def main() -> str:
    """Measure one after the other."""
    began = load()
    drains, soons = [], []
    with servers() as (root, kafka, mosquitto):
        for number in range(ROUNDS):
            kafka.empty()
            with step("fill the topic"):
                count = fill(kafka)
            with step("work it off"):
                drains.append(drain(Alerting(root / f"drain-{number}", mosquitto, kafka, SAID, **ALONE), count))
            kafka.empty()
            with step("alerts of 350 devices"):
                soons.append(soon(kafka, Alerting(root / f"soon-{number}", mosquitto, kafka, HOT, **ALONE)))
        kafka.empty()
        with step("kill each part"):
            kills = killed(Line(root, mosquitto, kafka))
    rows = [
        Row(f"{DEVICES:,} devices, a topic worked off: records/s", [each["rate"] for each in drains], []),
        Row("  CPU, µs per record", [each["core"] for each in drains], [], limit=50),
        Row("  CPU, % of a core", [each["busy"] for each in drains], []),
        Row("  peak RSS, MiB", [each["peak"] for each in drains], []),
        Row(f"{RATE:.0f} records/s: append -> alert appended, p50 ms", [each["p50"] for each in soons], []),
        Row("  p99 ms", [each["p99"] for each in soons], [], limit=LATE_MS),
        Row("  alerts in a round", [each["alerts"] for each in soons], []),
        Row("  alerts that were not planted", [each["rest"] for each in soons], [], limit=0),
        Row("  CPU, % of a core", [each["used"] for each in soons], []),
        Row(f"{KILLED_DEVICES} devices by MQTT; alerting, bridge, broker SIGKILLed: seconds", [kills["seconds"]], []),
        Row("  messages", [kills["messages"]], []),
        Row("  alerts", [kills["alerts"]], []),
        Row("  missed, false, or told twice", [kills["amiss"]], [], limit=0),
        Row("  append -> alert appended, p50 ms", [kills["p50"]], []),
        Row("  p99 ms", [kills["p99"]], [], limit=LATE_MS),
        Row(f"  later than {LATE_MS} ms", [kills["late"]], []),
        Row("  the latest, ms", [kills["max"]], []),
        Row("  p99 ms of those while nothing was down", [kills["quiet"]], []),
    ]
    notes = f"Medians of {ROUNDS} rounds. {SECONDS * DEVICES:,} records with 5 rules; {RATE:.0f}/s: one, {RATE_S} s."
    return f"{computer()}; load {began} to {load()}\n\n{table('Alerting', rows, notes)}"
