"""What became of each message of a load test, recomputed by other means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from raspi_kafka.report import ledger as ledgers
from raspi_kafka.report.findings import find, worst
from raspi_kafka.report.latency import APPEND, PUBACK, latency, percentile
from raspi_kafka.report.ledger import LedgerError, Stage
from raspi_kafka.report.usage import Usage, merged, usage

from tests.unit.edge import ledgers as made


def loaded(said: dict[str, Any], tmp_path: Path) -> ledgers.Ledger:
    path = tmp_path / "ledger.json"
    path.write_text(json.dumps(said))
    return ledgers.load(path)


def one_stage(said: dict[str, Any], tmp_path: Path, *, clock: bool = True) -> Stage:
    return loaded(made.ledger(said, clock=clock), tmp_path).stages[0]


@pytest.fixture
def damaged() -> dict[str, Any]:
    """A stage in which every kind of harm was done to some device."""
    said = made.stage(devices=6, seconds=20)
    devices = said["devices"]
    devices["sim-00001"]["stored"] = [pair for pair in devices["sim-00001"]["stored"] if pair[0] not in (7, 9)]
    devices["sim-00001"]["acked"][9] = None
    devices["sim-00002"]["stored"].append([3, 20_500.0])
    devices["sim-00002"]["stored"].append([3, 20_600.0])
    stored = devices["sim-00003"]["stored"]
    stored[4], stored[5], stored[6] = stored[6], stored[4], stored[5]
    devices["sim-00004"]["groups"]["a"].pop(2)
    devices["sim-00004"]["groups"]["b"].reverse()
    devices["sim-00005"].update(disconnects=2, refused=1, resent=4)
    devices["sim-00005"]["stored"].append([77, 20_700.0])
    devices["sim-00006"] = {
        "made": 18,
        "sent": [],
        "acked": [],
        "stored": [],
        "groups": {},
        "disconnects": 0,
        "refused": 9,
        "resent": 0,
    }
    return said


def seqs(pairs: list[list[float]]) -> list[int]:
    return [int(number) for number, _ms in pairs]


def naive_disorder(numbers: list[int]) -> int:
    firsts = [number for at, number in enumerate(numbers) if number not in numbers[:at]]
    return sum(any(before > number for before in firsts[:at]) for at, number in enumerate(firsts))


def test_each_device_is_accounted_for(damaged: dict[str, Any], tmp_path: Path) -> None:
    found = find(one_stage(damaged, tmp_path)).devices
    for name, said in damaged["devices"].items():
        each, stored = found[name], seqs(said["stored"])
        acked = [number for number, ms in enumerate(said["acked"]) if ms is not None]
        assert (each.made, each.sent) == (said["made"], len(said["sent"]))
        assert each.acked + each.unacked == each.sent
        assert each.acked == len(acked)
        assert each.stored == len(set(stored))
        assert each.lost == tuple(number for number in acked if number not in stored)
        assert each.unknown == tuple(number for number in sorted(set(stored)) if number >= len(said["sent"]))
        assert each.duplicated == len(stored) - len(set(stored))
        assert each.disordered == naive_disorder(stored)
        assert (each.disconnects, each.refused, each.resent) == tuple(
            said[what] for what in ("disconnects", "refused", "resent")
        )
        for group in made.GROUPS:
            consumed = seqs(said["groups"].get(group, []))
            assert each.groups[group].consumed == len(set(consumed))
            assert each.groups[group].missing == tuple(sorted(set(stored) - set(consumed)))
            assert each.groups[group].stray == tuple(sorted(set(consumed) - set(stored)))
            assert each.groups[group].duplicated == len(consumed) - len(set(consumed))
            assert each.groups[group].disordered == naive_disorder(consumed)


def test_every_kind_of_harm_is_in_the_sum(damaged: dict[str, Any], tmp_path: Path) -> None:
    total = find(one_stage(damaged, tmp_path)).total
    assert (total.connected, total.made, total.sent, total.acked, total.unacked) == (5, 118, 100, 99, 1)
    assert (total.stored, total.lost, total.unknown) == (99, 1, 1)
    assert (total.duplicated, total.disordered) == (2, 2)
    assert (total.disconnects, total.refused, total.resent) == (2, 10, 4)
    a, b = total.groups["a"], total.groups["b"]
    assert (a.consumed, a.missing, a.stray, a.disordered) == (99, 2, 2, 0)
    assert (b.consumed, b.missing, b.stray, b.disordered) == (100, 1, 2, 19)


def test_the_numbers_of_real_devices_tell_what_is_missing_between_them(tmp_path: Path) -> None:
    said = made.stage()
    said["real"] = {"pi1": [7, 8, 8, 11, 10, None], "attic": [None, None], "still": []}
    found = find(one_stage(said, tmp_path)).real
    assert found == {"pi1": (6, 1, 1, 1, 1), "attic": (2, 2, 0, 0, 0), "still": (0, 0, 0, 0, 0)}


def test_with_qos_0_what_was_sent_is_owed(tmp_path: Path) -> None:
    said = made.stage(qos=0)
    said["devices"]["sim-00002"]["stored"].pop(4)
    found = find(one_stage(said, tmp_path))
    assert found.devices["sim-00002"].lost == (4,)
    assert (found.total.lost, found.total.acked, found.total.unacked) == (1, 0, 0)
    assert PUBACK not in found.latencies


# --- latency


def naive_rank(values: list[float], part: float) -> float:
    return next(value for value in sorted(values) if sum(each <= value for each in values) >= part * len(values))


@pytest.mark.parametrize("count", [1, 2, 3, 99, 100, 101, 250])
def test_percentiles_are_of_the_nearest_rank(count: int) -> None:
    values = [float(number * 7919 % 251) for number in range(count)]
    for part in (0.5, 0.99):
        assert percentile(sorted(values), part) == naive_rank(values, part)


def test_latencies_are_those_of_every_first_arrival(damaged: dict[str, Any], tmp_path: Path) -> None:
    found = find(one_stage(damaged, tmp_path)).latencies
    ways: dict[str, list[float]] = {PUBACK: [], APPEND: [], "consumer a": [], "consumer b": []}
    for said in damaged["devices"].values():
        for number, sent in enumerate(said["sent"]):
            if said["acked"][number] is not None:
                ways[PUBACK].append(said["acked"][number] - sent)
            places = {APPEND: (said["stored"], made.OFFSET_MS)}
            places |= {f"consumer {name}": (pairs, 0.0) for name, pairs in said["groups"].items()}
            for way, (pairs, ahead) in places.items():
                ways[way] += [ms - ahead - sent for each, ms in pairs if each == number][:1]
    for way, values in ways.items():
        assert found[way] is not None
        assert found[way].count == len(values)
        assert found[way][1:] == pytest.approx((naive_rank(values, 0.5), naive_rank(values, 0.99), max(values)))


def test_without_a_common_clock_append_times_say_nothing(tmp_path: Path) -> None:
    assert APPEND not in find(one_stage(made.stage(), tmp_path, clock=False)).latencies


def test_no_message_has_no_latency() -> None:
    assert latency([]) is None


# --- the devices that fared worst


def test_the_worst_devices_are_those_that_lost_most(damaged: dict[str, Any], tmp_path: Path) -> None:
    found = find(one_stage(damaged, tmp_path))
    assert worst(found, 5) == ["sim-00005", "sim-00001", "sim-00004", "sim-00006", "sim-00003"]
    assert len(worst(found, 100)) == 6


# --- processes


def sample(ms: float, cpu_s: float, rss: int = 1, written: int = 0) -> ledgers.Sample:
    return ledgers.Sample(ms, cpu_s, rss, written)


def test_the_use_of_a_process_is_that_between_its_first_and_last_sample() -> None:
    samples = [sample(500, 10.0, 30, 100), sample(1500, 10.5, 50, 400), sample(4500, 11.0, 40, 500)]
    assert usage(samples) == Usage(cpu_percent=25.0, rss_max_bytes=50, written_bytes=400)


def test_a_process_that_was_started_anew_counts_from_zero() -> None:
    samples = [sample(0, 9.0, 1, 900), sample(1000, 10.0, 1, 1000), sample(2000, 0.5, 1, 20), sample(4000, 0.7, 1, 30)]
    assert usage(samples) == Usage(pytest.approx(100 * (1 + 0.5 + 0.2) / 4), 1, 130)


@pytest.mark.parametrize("samples", [[], [sample(5, 1.0)], [sample(5, 1.0), sample(5, 1.0)]])
def test_a_process_that_was_not_seen_twice_has_no_use(samples: list[ledgers.Sample]) -> None:
    assert usage(samples) is None


def test_samples_of_a_host_go_into_the_stages_that_they_fell_into(tmp_path: Path) -> None:
    ledger = loaded(made.ledger(made.stage(seconds=10), made.stage(seconds=10, seed=2)), tmp_path)
    second = ledger.stages[1].began
    times = [made.BEGAN - 1, made.BEGAN, made.BEGAN + 12, made.BEGAN + 12.5, second + 1.5]
    found = merged(ledger, {"pi2 kafka": [sample(1000 * when, 0.0) for when in times]})
    ms = [[each.ms for each in stage.processes["pi2 kafka"]] for stage in found.stages]
    assert ms == [[0.0, 12_000.0], [1500.0]]
    assert "pi1 kafka" in found.stages[0].processes


def test_samples_of_another_run_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no sample of the process pi2 kafka was taken during a stage"):
        merged(loaded(made.ledger(), tmp_path), {"pi2 kafka": [sample(1000 * made.BEGAN - 1, 0.0)]})


def test_samples_of_a_process_that_the_ledger_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="pi1 kafka is in the ledger already"):
        merged(loaded(made.ledger(), tmp_path), {"pi1 kafka": [sample(1000 * made.BEGAN, 0.0)]})


def test_lag_is_the_largest_and_the_last_that_was_seen(tmp_path: Path) -> None:
    said = made.stage()
    said["group_lag"] = {"a": [[0, 3], [1000, 8], [2000, 1]], "b": []}
    assert find(one_stage(said, tmp_path)).lag == {"a": (8, 1), "b": None}
