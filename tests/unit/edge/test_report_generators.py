"""The ledgers of several generators as one, against what each of them says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from raspi_kafka.cli import main
from raspi_kafka.report import ledger as ledgers
from raspi_kafka.report.findings import find
from raspi_kafka.report.generators import furthest, load, together
from raspi_kafka.report.latency import APPEND
from raspi_kafka.report.ledger import LedgerError
from raspi_kafka.report.report import judged
from raspi_kafka.report.verdict import FAILED, INVALID, PASSED
from raspi_kafka.report.words import head

from tests.unit.edge import ledgers as made

if TYPE_CHECKING:
    from pathlib import Path

    from raspi_kafka.report.ledger import Ledger

# A generator whose clock is ahead by so much, and which begins so much later.
AHEAD_MS, LATER_MS = 3_000_250.125, 800.5


def part(*stages: dict[str, Any], host: str, first: int = 1) -> dict[str, Any]:
    """The ledger of a host whose devices have numbers from `first` on."""
    said = made.ledger(*stages)
    said["generators"][0]["host"] = host
    for each in said["stages"]:
        each["devices"] = {f"sim-{number:05}": device for number, device in enumerate(each["devices"].values(), first)}
    return said


@pytest.fixture
def two() -> list[dict[str, Any]]:
    """Two stages of two generators, of which the second has another clock and begins later."""
    ledgers = [
        part(made.stage(seed=1, devices=3), made.stage(seed=2, devices=6), host="gen1"),
        part(made.stage(seed=3, devices=2), made.stage(seed=4, devices=5), host="gen2", first=101),
    ]
    ledgers[1]["clock"]["offset_ms"] -= AHEAD_MS
    ledgers[1]["clock"]["error_ms"] = 1.9
    for each in ledgers[1]["stages"]:
        each["began"] += (AHEAD_MS + LATER_MS) / 1000
        each["ended"] += (AHEAD_MS + LATER_MS) / 1000
        for device in each["devices"].values():
            # Kafka's clock is nobody's else.
            device["stored"] = [[number, round(ms - AHEAD_MS, 3)] for number, ms in device["stored"]]
    return ledgers


def written(said: list[dict[str, Any]], tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"ledger-{number}.json" for number, _each in enumerate(said, 1)]
    for path, each in zip(paths, said, strict=True):
        path.write_text(json.dumps(each))
    return paths


def merged(said: list[dict[str, Any]], tmp_path: Path) -> Ledger:
    return load(written(said, tmp_path), None)


# --- what each of them says, it says still


def test_a_stage_has_all_devices_and_each_of_them_is_accounted_for_as_before(
    two: list[dict[str, Any]], tmp_path: Path
) -> None:
    two[1]["stages"][1]["devices"]["sim-00103"]["stored"].pop(4)
    two[0]["stages"][1]["devices"]["sim-00002"]["groups"]["b"].reverse()
    alone = [ledgers.load(path) for path in written(two, tmp_path)]
    found = merged(two, tmp_path)
    assert [stage.devices_wanted for stage in found.stages] == [5, 11]
    for stage, *parts in zip(found.stages, *(each.stages for each in alone), strict=True):
        devices = {name: each for part in parts for name, each in find(part).devices.items()}
        assert find(stage).devices == devices
    assert find(found.stages[1]).total.lost == 1


def test_a_message_took_as_long_as_its_generator_says_whatever_its_clock(
    two: list[dict[str, Any]], tmp_path: Path
) -> None:
    alone = [ledgers.load(path) for path in written(two, tmp_path)]
    for stage, *parts in zip(merged(two, tmp_path).stages, *(each.stages for each in alone), strict=True):
        found, each = find(stage), [find(part) for part in parts]
        for way, latency in found.latencies.items():
            assert latency.count == sum(one.latencies[way].count for one in each)
            assert latency.max == pytest.approx(max(one.latencies[way].max for one in each), abs=1e-6)
        for one in each:
            for name, ways in one.device_p99_ms.items():
                assert found.device_p99_ms[name] == pytest.approx(ways, abs=1e-6)
        assert found.latencies.keys() == {"PUBACK", APPEND, "consumer a", "consumer b"}


def test_times_are_by_the_clock_of_the_first(two: list[dict[str, Any]], tmp_path: Path) -> None:
    sent = two[1]["stages"][0]["devices"]["sim-00101"]["sent"]
    found = merged(two, tmp_path)
    (stage, _other) = found.stages
    assert stage.began == pytest.approx(made.BEGAN)
    assert stage.devices["sim-00101"].sent == pytest.approx([ms + LATER_MS for ms in sent], abs=0.11)
    assert stage.ended == pytest.approx(made.BEGAN + 12 + LATER_MS / 1000)
    assert found.clock == (made.OFFSET_MS, 1.9)


def test_all_devices_send_from_when_the_last_are_there_until_the_first_end(
    two: list[dict[str, Any]], tmp_path: Path
) -> None:
    stage = merged(two, tmp_path).stages[0]
    assert (stage.ramp, stage.seconds) == (0.8, 9.2)


def test_where_one_has_not_compared_its_clock_with_kafkas_append_times_say_nothing(tmp_path: Path) -> None:
    parts = [part(host="gen1"), part(host="gen2", first=6)]
    parts[1]["clock"] = None
    found = merged(parts, tmp_path)
    assert found.clock is None
    assert APPEND not in find(found.stages[0]).latencies
    assert judged(found)[0].verdict.state == PASSED


# --- verdict


@pytest.mark.parametrize("late", [0, 1])
def test_one_late_generator_makes_a_stage_invalid(two: list[dict[str, Any]], late: int, tmp_path: Path) -> None:
    two[late]["stages"][0]["lag_ms"]["p99"] = 100.1
    states = [each.verdict.state for each in judged(merged(two, tmp_path))]
    assert states == [INVALID, PASSED]


@pytest.mark.parametrize("behind", [0, 1])
def test_a_group_that_is_behind_at_the_end_is_not_hidden_by_that_of_another_generator(
    two: list[dict[str, Any]], behind: int, tmp_path: Path
) -> None:
    two[behind]["stages"][1]["group_lag"]["a"][-1][1] = 3
    verdict = judged(merged(two, tmp_path))[1].verdict
    assert verdict.state == FAILED
    assert [row.claim for row in verdict.failed] == ["consumers kept up"]


def test_the_group_that_is_furthest_behind_counts() -> None:
    assert furthest([[[0, 1], [1000, 9], [2000, 0]], [[500, 4], [2500, 2]]]) == [
        [0, 1],
        [500, 4],
        [1000, 9],
        [2000, 4],
        [2500, 2],
    ]
    assert furthest([[[0, 1]], []]) == []


# --- what is told of the generators


def test_each_generator_is_told_and_whether_it_is_under_test_itself(two: list[dict[str, Any]], tmp_path: Path) -> None:
    two[1]["generators"][0]["on_test_host"] = True
    assert [text for what, text in head(merged(two, tmp_path)) if what == "Generator"] == [
        "gen1, not on a host under test; 4 CPUs, x86_64 Linux 6.12",
        "gen2, on a host under test; 4 CPUs, x86_64 Linux 6.12",
    ]


def test_processes_and_events_are_called_after_their_generator(tmp_path: Path) -> None:
    storm = ((3000.0, "all devices lose their connection", "storm"),)
    parts = [part(made.stage(events=storm), host="gen"), part(made.stage(events=storm), host="gen", first=6)]
    (stage,) = merged(parts, tmp_path).stages
    assert {"gen 1 generator", "gen 2 generator", "gen 1 consumer a", "gen 2 consumer b"} <= stage.processes.keys()
    assert stage.events == [[3000.0, f"gen {number}: all devices lose their connection", "storm"] for number in (1, 2)]


# --- as a file, and of one


def test_the_ledger_that_is_written_is_the_one_that_is_reported(
    two: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts, whole = map(str, written(two, tmp_path)), tmp_path / "ledger.json"
    assert main(["report", *parts, "--merged", str(whole)]) == 0
    said = capsys.readouterr()
    assert main(["report", str(whole)]) == 0
    assert capsys.readouterr() == said
    assert said.err == ""


def test_a_ledger_alone_stays_what_it_is(two: list[dict[str, Any]], tmp_path: Path) -> None:
    assert together([tmp_path], two[:1]) == two[0]


def test_a_ledger_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    (path,) = written([part(host="gen1")], tmp_path)
    with pytest.raises(LedgerError, match="it can't be written: No such file or directory; give --merged another"):
        load([path], tmp_path / "absent" / "ledger.json")


def test_a_stage_that_one_of_them_did_not_run_is_none_and_told(
    two: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two[1]["stages"].pop()
    assert [stage.devices_wanted for stage in merged(two, tmp_path).stages] == [5]
    assert capsys.readouterr().err == f"{tmp_path}/ledger-1.json: another generator has only 1 of its stages\n"


# --- what does not fit


def change(said: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split("/")
    place: Any = said
    for name in parents:
        place = place[int(name)] if isinstance(place, list) else place[name]
    place[last] = value


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("run", "20261118T110641Z", "its run is 20261118T110641Z, and that of the first ledger 20261118T110640Z"),
        ("mqtt", "pi2.example:1883", "its mqtt is pi2.example:1883, and that of the first ledger pi1.example:1883"),
        ("product", "0.2.0", "its product is 0.2.0, and that of the first ledger 0.1.0"),
        ("stages/1/rate", 2.0, "stages[1]: rate is 2.0, and that of the first ledger 1.0"),
        ("stages/1/seconds", 9, "stages[1]: seconds is 9, and that of the first ledger 10"),
        ("stages/0/ramp", 1, "stages[0]: ramp is 1, and that of the first ledger 0"),
        ("stages/1/began", made.BEGAN + 3_027.35, "stages[1] began 10.1 s after that of another generator"),
    ],
)
def test_what_does_not_fit_is_refused(
    two: list[dict[str, Any]], path: str, value: Any, why: str, tmp_path: Path
) -> None:
    change(two[1], path, value)
    with pytest.raises(LedgerError) as refused:
        merged(two, tmp_path)
    assert str(refused.value).startswith(f"{tmp_path}/ledger-2.json: {why}")
    assert str(refused.value).endswith("give the report the ledgers that the generators of one run wrote")


def test_it_is_refused_with_a_sentence(
    two: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two[1]["run"] = "another"
    parts = map(str, written(two, tmp_path))
    assert main(["report", *parts, "--merged", str(tmp_path / "ledger.json")]) == 2
    out, told = capsys.readouterr()
    assert (out, told.count("\n")) == ("", 1)
    assert not (tmp_path / "ledger.json").exists()


def test_a_device_of_two_generators_is_refused(two: list[dict[str, Any]], tmp_path: Path) -> None:
    devices = two[1]["stages"][1]["devices"]
    devices["sim-00003"] = devices.pop("sim-00103")
    with pytest.raises(
        LedgerError, match=r"ledger-2\.json: stages\[1\] has the device sim-00003, which another ledger"
    ):
        merged(two, tmp_path)


def test_each_ledger_is_looked_at_first(two: list[dict[str, Any]], tmp_path: Path) -> None:
    two[1]["stages"][1]["devices"]["sim-00103"]["made"] = 1
    with pytest.raises(LedgerError) as refused:
        merged(two, tmp_path)
    where = f"{tmp_path}/ledger-2.json: stages[1].devices.sim-00103"
    assert str(refused.value).startswith(f"{where}: made is 1, less than")
