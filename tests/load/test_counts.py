"""The load test itself: what it counts, while the stack goes through faults."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from raspi_kafka.report.latency import consumer
from raspi_kafka.report.verdict import PASSED

from tests.bridge.mosquitto import AUTOSAVE_S, Mosquitto
from tests.bridge.process import running, until

from .load_test import DEVICES, RATE, SECONDS, LoadTest, names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from raspi_kafka.report.ledger import Stage

    from tests.bridge.bridge import Bridge
    from tests.bridge.conftest import Line

PAUSE_S = 60
AUTOSAVE_MS = 1000 * AUTOSAVE_S


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with running(Mosquitto(tmp_path / "mosquitto", names())) as mosquitto:
        yield mosquitto


@pytest.fixture
def bridge(line: Line) -> Bridge:
    bridge = line.bridge()
    bridge.start()
    return bridge


@pytest.mark.usefixtures("bridge")
def test_a_consumer_that_pauses_for_a_minute_catches_up_and_the_other_does_not_notice(line: Line) -> None:
    test = LoadTest(line, f"--pause=3:{PAUSE_S}", f"--hold={PAUSE_S + SECONDS}")
    test.start()
    found = test.finished()
    assert found.verdict.state == PASSED, test.tail()
    total = found.findings.total
    assert (total.lost, total.disordered) == (0, 0)
    for group in total.groups.values():
        assert (group.consumed, group.missing, group.disordered) == (total.stored, 0, 0)
    # That it passed means a second for the p99 of a. What came in the pause of b waits for its end.
    a, b = (found.findings.lag[name] for name in ("a", "b"))
    assert a.max < b.max / 10
    assert b.max > PAUSE_S * DEVICES * RATE / 2
    assert (a.end, b.end) == (0, 0)
    a_took, b_took = (found.findings.latencies[consumer(name)] for name in ("a", "b"))
    assert a_took.max < b_took.max / 10
    assert b_took.max > 1000 * PAUSE_S / 2


def test_restarts_and_kills_of_all_parts_lose_nothing(line: Line, bridge: Bridge) -> None:
    """But what Mosquitto had acknowledged since it saved its queue last, before it was killed."""
    test = LoadTest(line, "--hold=40")
    test.start()
    parts = {"bridge": bridge, "mosquitto": line.mosquitto, "broker": line.kafka}
    until("devices send", lambda: bridge.metrics().get("received_total", 0) > DEVICES)
    for name, part in parts.items():
        for what, end in (("stopped", part.stop), ("killed", part.kill)):
            test.happened(f"{name} {what}")
            end()
            part.start()
            test.happened(f"{name} back")
            acked = bridge.metrics().get("acked_total", 0)
            until(
                f"messages land after the {name}",
                lambda least=acked: bridge.metrics().get("acked_total", 0) > least + 5,
            )
    found = test.finished()
    print(test.tail())
    killed = next(ms for ms, text, _kind in found.stage.events if text == "mosquitto killed")
    assert [ms for ms in lost(found.stage) if not killed - AUTOSAVE_MS <= ms <= killed + 1000] == []
    assert found.findings.total.disordered == 0
    assert found.findings.total.disconnects >= DEVICES
    assert [text for _ms, text, _kind in found.stage.events][:2] == ["bridge stopped", "bridge back"]


def lost(stage: Stage) -> list[float]:
    """When the messages were acknowledged that Kafka does not have."""
    return [
        acked
        for device in stage.devices.values()
        for number, acked in enumerate(device.acked)
        if acked is not None and number not in {each for each, _ms in device.stored}
    ]


@pytest.mark.usefixtures("bridge")
def test_a_burst_of_ten_times_the_rate_is_held(line: Line) -> None:
    test = LoadTest(line, "--burst=3:10:3")
    test.start()
    found = test.finished()
    total = found.findings.total
    # How long it takes is the machine's.
    assert (total.lost, total.disordered, total.disconnects) == (0, 0, 0)
    assert total.sent > DEVICES * RATE * (SECONDS - 3 + 10 * 3)


@pytest.mark.usefixtures("bridge")
def test_ctrl_c_leaves_what_was_found_until_then(line: Line) -> None:
    test = LoadTest(line, "--hold=600")
    test.start()
    until("devices send", lambda: line.kafka.records() != [])
    test.signal(signal.SIGINT)
    found = test.finished()
    assert test.ended() == 130
    assert found.findings.total.lost == 0
    assert found.findings.total.stored > 0


def test_what_cannot_be_is_refused_with_a_sentence(line: Line) -> None:
    for options, sentence in (
        (("--kafka=127.0.0.1:1",), "Kafka at 127.0.0.1:1 does not answer"),
        (("--topic=other",), "has no topic other"),
        ((f"--stages={DEVICES + 1}",), f"has {DEVICES} devices, and the largest stage wants {DEVICES + 1}"),
        (("--credentials=/nowhere",), "/nowhere can't be read: No such file or directory"),
    ):
        test = LoadTest(line, *options)
        test.start()
        assert test.ended(60) == 2, test.tail()
        assert sentence in test.tail()
        assert "Traceback" not in test.tail()
