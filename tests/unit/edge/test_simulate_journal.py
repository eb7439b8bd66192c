"""What is written and told at the end."""

from __future__ import annotations

import json
from array import array
from typing import TYPE_CHECKING, Any

import pytest
from raspi_kafka.simulate import journal, progress, summary
from raspi_kafka.simulate.fleet import Snapshot
from raspi_kafka.simulate.frames import Publisher
from raspi_kafka.simulate.options import Credential, Options
from raspi_kafka.simulate.outbox import Outbox
from raspi_kafka.simulate.samples import Spread, spread
from raspi_kafka.simulate.worker import Beginning, Result

if TYPE_CHECKING:
    from pathlib import Path

WANTED = Options(("127.0.0.1", 1883), tuple(Credential(f"sim-{number}", "x") for number in range(9)))


class Device:
    """As far as a journal looks at one."""

    name = "sim-00001"
    disconnects = 3
    refused = 1
    planted = (("spike", 1, 2),)

    def __init__(self, qos: int = 1) -> None:
        self.outbox = Outbox(Publisher("t", qos), qos)


def result(**more: Any) -> Result:
    said: dict[str, Any] = {"connected": 4, "made": 10, "acknowledged": 10, "refused": 0, "resent": 0, "disconnects": 0}
    said |= {"open": {}, "faults": {}, "acked_ms": array("f", [1.0]), "lags_ms": array("f", [2.0])}
    return Result(**{**said, "cores": 0.125, "rss_mib": 30.0, "aborted": False, **more})


def test_a_journal_has_the_worker_first_and_then_each_device(tmp_path: Path) -> None:
    device = Device()
    for _message in range(3):
        device.outbox.put(b"x")
    device.outbox.take(1234.56789, 2)
    device.outbox.acknowledge(2, 1235.0)
    journal.write(tmp_path, {"worker": 3, "aborted": False}, [device])  # type: ignore[list-item]
    head, line = map(json.loads, (tmp_path / "journal-3.jsonl").read_text().splitlines())
    assert head == {"worker": 3, "aborted": False}
    assert line == {
        "device": "sim-00001",
        "made": 3,
        "sent": [1234.568, 1234.568],
        "acked": [None, 1235.0],
        "disconnects": 3,
        "refused": 1,
        "resent": 0,
        "planted": [["spike", 1, 2]],
    }
    assert [path.name for path in tmp_path.iterdir()] == ["journal-3.jsonl"]


def test_with_qos_0_nothing_is_said_of_acknowledgements() -> None:
    device = Device(0)
    device.outbox.put(b"x")
    device.outbox.take(1.0, 1)
    line = journal.line_of(device)  # type: ignore[arg-type]
    assert (line["sent"], line["acked"]) == ([1.0], [])


def test_percentiles_are_values_by_nearest_rank() -> None:
    assert spread([]) == Spread(0.0, 0.0, 0.0)
    assert spread([7.0]) == Spread(7.0, 7.0, 7.0)
    assert spread(float(value) for value in range(200, 0, -1)) == Spread(100.0, 198.0, 200.0)


def test_the_summary_adds_up_the_workers() -> None:
    one = result(acked_ms=array("f", range(1, 100)), disconnects=2, resent=3)
    other = result(acked_ms=array("f", [500.0]), lags_ms=array("f", [8.0]), refused=1)
    assert summary.text(WANTED, [one, other]).splitlines() == [
        "devices      9, 8 connected",
        "messages     20 at QoS 1, 20 acked, 3 sent again",
        "un-acked     0",
        "refused      1",
        "disconnects  2",
        "PUBACK       p50 50.0 ms, p99 99.0 ms, max 500.0 ms",
        "own lag      p50 2.0 ms, p99 8.0 ms, max 8.0 ms",
        "own load     0.25 of a core, 60 MiB",
    ]


def test_the_summary_names_devices_with_most_messages_open_and_why() -> None:
    said = summary.text(WANTED, [result(open={f"sim-{n}": n for n in range(1, 9)}, faults={"silent": 2, "busy": 5})])
    assert "un-acked     36: sim-8 (8), sim-7 (7), sim-6 (6), sim-5 (5), sim-4 (4) and 3 more devices\n" in said
    assert said.endswith("reason       5 times: busy\nreason       2 times: silent")


def test_progress_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    snapshots = [Snapshot(2, 100, 90, 1, 3, 4.0), Snapshot(3, 200, 200, 0, 0, 9.4)]
    show = progress.lines(Beginning(0, 1000.0))
    for now_s in (1004.0, 1005.0, 1006.0, 1010.5):
        monkeypatch.setattr(progress.time, "monotonic", lambda now_s=now_s: now_s)
        show(snapshots)
    told = "5 connected, 300 messages, 10 of them not acknowledged, 1 refused, 3 connections lost, lag 9 ms"
    assert capsys.readouterr().err.splitlines() == [f"     5 s  {told}", f"    10 s  {told}"]
