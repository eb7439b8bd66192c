"""What a report says of alerting: recomputed from what was planted and what was told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from raspi_kafka.cli import main
from raspi_kafka.report import generators
from raspi_kafka.report import ledger as ledgers
from raspi_kafka.report.ledger import LedgerError
from raspi_kafka.report.page import page
from raspi_kafka.report.report import judged
from raspi_kafka.report.verdict import FAILED, PASSED
from raspi_kafka.report.words import NOT_THERE, Judged, held, latencies

from tests.unit.edge import ledgers as made

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CLAIM = "alerting kept working"
# Of the fixture: FIRING and RESOLVED of a spike of sim-00002, and of a silence of sim-00004.
SPIKE, COOL, SILENT, HEARD = range(4)

Judge = "Callable[[dict[str, Any]], Judged]"


@pytest.fixture
def said() -> dict[str, Any]:
    found = made.stage(devices=5, seconds=10)
    made.spike(found, "sim-00002", 3, 6)
    made.silence(found, "sim-00004", 4)
    return found


@pytest.fixture
def judge(tmp_path: Path) -> Callable[[dict[str, Any]], Judged]:
    def of(said: dict[str, Any]) -> Judged:
        path = tmp_path / "ledger.json"
        path.write_text(json.dumps(made.ledger(said)))
        return judged(ledgers.load(path))[0]

    return of


def evidence(each: Judged) -> str:
    return next(row.evidence for row in each.verdict.rows if row.claim == CLAIM)


def broken(each: Judged) -> list[str]:
    return [row.claim for row in each.verdict.failed]


def test_what_was_planted_and_told_once_proves_that_alerting_works(judge: Judge, said: dict[str, Any]) -> None:
    found = judge(said)
    assert (found.verdict.state, broken(found)) == (PASSED, [])
    assert evidence(found) == (
        "2 planted, 2 raised, 0 missed, 0 false, 0 doubled, 0 not resolved; p99 spike 200.0 ms; silence 2,500.0 ms"
    )
    assert latencies(found)[-2:] == [
        ["spike to alert", "1", "200 ms", "200 ms", "200 ms"],
        ["silence to alert", "1", "2,500 ms", "2,500 ms", "2,500 ms"],
    ]


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (SPIKE, "2 planted, 1 raised, 1 missed (sim-00002), 0 false"),
        (SILENT, "2 planted, 1 raised, 1 missed (sim-00004), 0 false"),
        (COOL, "0 doubled, 1 not resolved (load-test-spike/sim-00002/telemetry-0-3)"),
        (HEARD, "0 doubled, 1 not resolved (load-test-silent/sim-00004/telemetry-0-4)"),
    ],
)
def test_without_any_one_alert_a_stage_fails(judge: Judge, said: dict[str, Any], number: int, why: str) -> None:
    del said["alerts"][number]
    found = judge(said)
    assert (found.verdict.state, broken(found)) == (FAILED, [CLAIM])
    assert why in evidence(found)


@pytest.mark.parametrize("number", [SPIKE, COOL, SILENT, HEARD])
def test_an_alert_that_is_told_twice_fails(judge: Judge, said: dict[str, Any], number: int) -> None:
    said["alerts"].append(said["alerts"][number])
    found = judge(said)
    assert broken(found) == [CLAIM]
    assert f"2 raised, 0 missed, 0 false, 1 doubled ({said['alerts'][number][0]})" in evidence(found)


@pytest.mark.parametrize(
    ("rule", "device"),
    [
        ("load-test-spike", "sim-00001"),
        ("load-test-silent", "sim-00001"),
        ("load-test-silent", "sim-00002"),
        ("load-test-spike", "sim-00002"),
    ],
)
def test_an_alert_that_nothing_was_planted_for_is_false(
    judge: Judge, said: dict[str, Any], rule: str, device: str
) -> None:
    id_ = f"{rule}/{device}/telemetry-0-9"
    said["alerts"] += [[id_, rule, device, "FIRING", 9000, 9100], [id_, rule, device, "RESOLVED", 9500, 9600]]
    found = judge(said)
    assert broken(found) == [CLAIM]
    assert f"2 raised, 0 missed, 1 false ({id_})" in evidence(found)


@pytest.mark.parametrize(("number", "device"), [(SPIKE, "sim-00002"), (SILENT, "sim-00004")])
def test_an_alert_that_was_decided_before_there_was_reason_is_false_and_does_not_stand_for_the_right_one(
    judge: Judge, said: dict[str, Any], number: int, device: str
) -> None:
    stored = dict(said["devices"][device]["stored"])
    reason = stored[3] if number == SPIKE else stored[4] + 10_000
    said["alerts"][number][4] = reason
    assert judge(said).verdict.state == PASSED
    said["alerts"][number][4] = round(reason - 1, 3)
    assert f"1 missed ({device}), 1 false" in evidence(judge(said))


def test_a_late_alert_is_late_and_not_missed(judge: Judge, said: dict[str, Any]) -> None:
    said["events"] = [[3000.0, "kafka stopped", "fault"]]
    for number in (SPIKE, COOL):
        said["alerts"][number][5] += 30_000
    found = judge(said)
    assert found.verdict.state == PASSED
    assert "spike 30,200.0 ms" in evidence(found)


@pytest.mark.parametrize("kind", ["fault", "storm", "pause", "burst"])
def test_nothing_excuses_an_alert_that_is_missed(judge: Judge, said: dict[str, Any], kind: str) -> None:
    said["events"] = [[3000.0, "something was done", kind]]
    del said["alerts"][SPIKE:SILENT]
    assert broken(judge(said)) == [CLAIM]


@pytest.mark.parametrize(("lasted", "due"), [(13_999, False), (14_000, True), (None, False)])
def test_a_silence_that_the_end_of_the_run_cut_short_need_not_be_told(
    judge: Judge, said: dict[str, Any], lasted: float | None, due: bool
) -> None:
    row = said["planted"][1]
    row[3] = lasted and row[2] + lasted
    assert "2 planted, 2 raised" in evidence(judge(said))
    del said["alerts"][SILENT:]
    assert evidence(judge(said)).startswith(f"{1 + due} planted, 1 raised, {int(due)} missed")


def test_a_spike_whose_first_message_was_lost_counts_from_the_first_that_is_stored(
    judge: Judge, said: dict[str, Any]
) -> None:
    stored = said["devices"]["sim-00002"]["stored"]
    del stored[3]
    times = said["alerts"][SPIKE][4:]
    said["alerts"][SPIKE][4:] = [round(stored[3][1], 3), round(stored[3][1] + 50, 3)]
    assert times != said["alerts"][SPIKE][4:]
    assert "spike 50.0 ms" in evidence(judge(said))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"alerts": None}, "Kafka has no topic of alerts: alerting is not deployed"),
        ({"planted": []}, "nothing was planted that an alert would tell of"),
    ],
)
def test_what_is_not_there_neither_holds_nor_fails(
    judge: Judge, said: dict[str, Any], change: dict[str, Any], why: str, tmp_path: Path
) -> None:
    found = judge(said | change)
    assert found.verdict.state == PASSED
    row = found.verdict.rows[-1]
    assert (row.claim, held(row), row.evidence) == (CLAIM, NOT_THERE, why)
    assert not any("to alert" in line[0] for line in latencies(found))
    assert NOT_THERE in page(ledgers.load(tmp_path / "ledger.json"), [found])


def test_table_and_page_show_it(
    judge: Judge, said: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del said["alerts"][SPIKE]
    found = judge(said)
    html = tmp_path / "report.html"
    assert main(["report", str(tmp_path / "ledger.json"), "--html", str(html)]) == 1
    told = " ".join(capsys.readouterr().out.split())
    for text in (CLAIM, "2 planted, 1 raised, 1 missed", "silence to alert 1 2,500 ms"):
        assert text in told
    assert evidence(found) in html.read_text()
    assert "silence to alert" in html.read_text()


def test_a_plant_that_its_device_did_not_send_is_refused(judge: Judge, said: dict[str, Any]) -> None:
    said["planted"][0][2] += 0.5
    with pytest.raises(LedgerError, match=r"stages\[0\]\.planted: sim-00002 sent no message at "):
        judge(said)


# --- of several generators


def test_ledgers_of_several_generators_keep_what_was_planted_and_told(said: dict[str, Any], tmp_path: Path) -> None:
    ahead_ms, later_ms = 3_000_250.125, 800.5
    every = [made.ledger(said), made.ledger(made.stage(seed=2, devices=3))]
    other = every[1]["stages"][0]
    other["devices"] = {f"sim-{number:05}": each for number, each in enumerate(other["devices"].values(), 101)}
    made.spike(other, "sim-00102", 2, 4)
    every[1]["clock"]["offset_ms"] -= ahead_ms
    other["began"] += (ahead_ms + later_ms) / 1000
    other["ended"] += (ahead_ms + later_ms) / 1000
    # Kafka's clock is nobody's else.
    for device in other["devices"].values():
        device["stored"] = [[number, round(ms - ahead_ms, 3)] for number, ms in device["stored"]]
    for alert in other["alerts"]:
        alert[4:] = [round(ms - ahead_ms, 3) for ms in alert[4:]]
    found = merged(every, tmp_path)
    assert found.verdict.state == PASSED
    told = found.findings.alerting
    assert (told.planted, told.raised, told.latencies["spike"].count) == (3, 3, 2)
    assert told.latencies["spike"].max == pytest.approx(200, abs=0.01)
    other["alerts"].pop(0)
    assert evidence(merged(every, tmp_path)).startswith("3 planted, 2 raised, 1 missed (sim-00102)")
    every[1]["stages"][0]["alerts"] = None
    assert evidence(merged(every, tmp_path)) == "Kafka has no topic of alerts: alerting is not deployed"


def merged(every: list[dict[str, Any]], tmp_path: Path) -> Judged:
    paths = [tmp_path / f"ledger-{number}.json" for number, _each in enumerate(every, 1)]
    for path, each in zip(paths, every, strict=True):
        path.write_text(json.dumps(each))
    return judged(generators.load(paths, None))[0]
