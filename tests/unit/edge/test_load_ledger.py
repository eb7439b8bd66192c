"""What the load test writes of a stage: journals, records and consumer groups, brought together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from raspi_kafka.alert.alert import Alert, Place, State
from raspi_kafka.load_test import ledger
from raspi_kafka.load_test.alerts import Told
from raspi_kafka.load_test.consumer import rests
from raspi_kafka.load_test.ledger import Stored
from raspi_kafka.load_test.message import number_of
from raspi_kafka.simulate import journal
from raspi_kafka.simulate.frames import Publisher
from raspi_kafka.simulate.outbox import Outbox
from raspi_kafka.simulate.telemetry import Telemetry
from raspi_kafka.simulate.values import Values, traits

if TYPE_CHECKING:
    from pathlib import Path

# A stage began then, in milliseconds since 1970.
BEGAN_MS = 1_795_000_000_000
BEGAN_NS = BEGAN_MS * 1_000_000


def head(worker: int, later_ms: float, **lag: float) -> dict[str, Any]:
    """What a worker says of itself that began so much later than its stage."""
    lags = {"p50": 0.0, "p99": 0.0, "max": 0.0, **lag}
    return {"worker": worker, "began_ns": BEGAN_NS + int(later_ms * 1_000_000), "lag_ms": lags}


def line(device: str, sent: list[float], acked: list[float | None], **told: int) -> dict[str, Any]:
    counts = {"made": len(sent), "disconnects": 0, "refused": 0, "resent": 0, **told}
    return {"device": device, "sent": sent, "acked": acked, **counts}


# --- records


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (b'{"device":"sim-00001","seq":17,"run":"r.1-2","ts_ns":1795000000000000000,"temperature":41.3}', 17),
        (b'{"device":"sim-00001","seq":17,"run":"r.1-2"', 17),
        (b'{"device": "sim-00001", "seq": 0, "run": "r.1-2"}', 0),
        (b'{"device":"sim-00001","seq":17,"run":"r.1-', None),
        (b'{"device":"sim-00001","seq":17', None),
        (b'{"device":"sim-00001","seq":17,"ts_ns":1795000000000000000,"temperature":41.3}', None),
        (b'{"device":"kitchen","temperature":21.5}', None),
        (b"\xff\xfe", None),
        (b"", None),
        (None, None),
    ],
)
def test_a_record_says_which_message_it_is_also_where_it_is_cut(value: bytes | None, number: int | None) -> None:
    assert number_of(value, "r.1-2") == number


@pytest.mark.parametrize("other", ["r.1-1", "r.1-23", "r.1-", "rx1-2", "r.1-2x", ""])
def test_a_late_message_of_another_run_is_none_of_this_one(other: str) -> None:
    value = b'{"device":"sim-00001","seq":17,"run":"%b","ts_ns":1795000000000000000}' % other.encode()
    assert number_of(value, "r.1-2") is None
    assert number_of(value, other) == 17


@pytest.mark.parametrize(("seconds", "paused"), [(0, False), (9.9, False), (10, True), (69.9, True), (70, False)])
def test_a_group_rests_for_its_pause_alone(seconds: float, paused: bool) -> None:
    assert rests((10, 60), seconds) == paused
    assert not rests(None, seconds)


class Record:
    """As far as it is looked at."""

    def __init__(self, key: str, value: str, *headers: tuple[str, bytes]) -> None:
        self.key = key.encode
        self.value = value.encode
        self.headers = lambda: list(headers) or None
        self.timestamp = lambda: (2, BEGAN_MS + 3)


def test_records_are_sorted_by_who_has_sent_them() -> None:
    mqtt = ("mqtt.topic", b"devices/any")
    found = ledger.stored(
        [
            Record("sim-00001", '{"device":"sim-00001","seq":4,"run":"now","ts_ns":1}', mqtt),
            Record("sim-00001", '{"device":"sim-00001","seq":9,"run":"before","ts_ns":1}', mqtt),
            Record("kitchen", '{"seq": 7}', mqtt),
            Record("attic", "21.5", mqtt),
            Record("kitchen", '{"seq": 6}', mqtt),
            Record("kitchen", '{"seq": "8"}', mqtt),
            Record("raspi-kafka-verify", '{"seq": 1}', mqtt),
            Record("produced-otherwise", '{"seq": 1}'),
            Record("", "what time is it"),
        ],
        "now",
    )
    assert found == Stored({"sim-00001": [(4, BEGAN_MS + 3)]}, {"kitchen": [7, 6, None], "attic": [None]})


# --- journals


class Device:
    """As far as a journal looks at one."""

    disconnects, refused = 2, 1
    planted = ()

    def __init__(self, name: str, payloads: list[bytes]) -> None:
        self.name = name
        self.outbox = Outbox(Publisher("t", 1), 1)
        for number, payload in enumerate(payloads):
            self.outbox.put(payload)
            self.outbox.take(1000.0 * number, most=2)


def test_what_the_simulator_writes_is_read(tmp_path: Path) -> None:
    for worker in (1, 0):
        device = Device(f"sim-0000{worker}", [b"x", b"x", b"x"])
        device.outbox.acknowledge(1, 7.5)
        journal.write(tmp_path, head(worker, 0), [device])  # type: ignore[list-item]
    told = ledger.journals(tmp_path)
    assert [own["worker"] for own, *_lines in told] == [0, 1]
    found = ledger.devices(told, Stored(), {}, BEGAN_NS)
    assert sorted(found) == ["sim-00000", "sim-00001"]
    assert found["sim-00000"] == {
        "made": 3,
        "sent": [0.0, 1000.0],
        "acked": [7.5, None],
        "stored": [],
        "groups": {},
        "disconnects": 2,
        "refused": 1,
        "resent": 0,
    }


def test_a_folder_without_journals_has_none(tmp_path: Path) -> None:
    (tmp_path / "journal-0.part").write_text("half of it")
    assert ledger.journals(tmp_path) == []


def test_each_payload_of_the_simulator_has_its_number_and_its_run() -> None:
    telemetry = Telemetry("sim-00001", traits(1, "sim-00001", 0.0), Values(1), bad=0.5, run="r.1-2")
    payloads = [telemetry.payload(number, BEGAN_NS, 0.0) for number in range(1000)]
    assert [number_of(each, "r.1-2") for each in payloads] == list(range(1000))
    assert any(not each.endswith(b"}") for each in payloads)


# --- brought together


def test_workers_that_began_at_different_times_have_one_clock() -> None:
    told = [
        [head(0, 500), line("sim-00001", [0.0, 1000.25], [10.125, None], resent=3, made=5)],
        [head(1, 800.5), line("sim-00002", [0.0], [9.0], disconnects=2, refused=1)],
    ]
    found = ledger.devices(told, Stored(), {}, BEGAN_NS)
    assert (found["sim-00001"]["sent"], found["sim-00001"]["acked"]) == ([500.0, 1500.25], [510.125, None])
    assert (found["sim-00002"]["sent"], found["sim-00002"]["acked"]) == ([800.5], [809.5])
    counts = {name: [each[key] for key in ("made", "disconnects", "refused", "resent")] for name, each in found.items()}
    assert counts == {"sim-00001": [5, 0, 0, 3], "sim-00002": [1, 2, 1, 0]}


def test_what_was_planted_has_the_times_of_its_messages() -> None:
    told = [
        [head(0, 500), {**line("sim-00001", [0.0, 1000.25, 2000.0], []), "planted": [["spike", 1, 2]]}],
        [
            head(1, 100),
            {**line("sim-00002", [0.0, 9.0], []), "planted": [["silence", 1, 2]]},
            {**line("sim-00003", [0.0], []), "planted": [["spike", 1, 3]]},
        ],
    ]
    found = ledger.planted(told, BEGAN_NS)
    assert found == [["sim-00002", "silence", 109.0, None], ["sim-00001", "spike", 1500.25, 2500.0]]
    assert found[1][2] in ledger.devices(told, Stored(), {}, BEGAN_NS)["sim-00001"]["sent"]


def test_what_is_due_is_told_when_it_begins_and_when_it_ends() -> None:
    planted = [["a", "spike", 0.0, None], ["b", "silence", 0.0, 14_000.0], ["c", "silence", 0.0, 13_999.0]]
    assert ledger.due(planted) == {
        (rule, device, state)
        for rule, device in (("load-test-spike", "a"), ("load-test-silent", "b"))
        for state in ("FIRING", "RESOLVED")
    }


def test_alerts_are_those_of_the_load_tests_rules_about_records_of_this_stage() -> None:
    def told(rule: str, device: str, offset: int) -> Told:
        place = Place("telemetry", 1, offset)
        return Told(Alert(State.FIRING, rule, device, "info", place, BEGAN_MS, BEGAN_MS + 5, ""), BEGAN_MS + 9)

    every = [
        told("load-test-spike", "sim-00001", 7),
        told("load-test-spike", "sim-00001", 6),
        told("load-test-silent", "sim-00002", 8),
        told("hot", "sim-00001", 8),
        told("load-test-spike", "kitchen", 8),
    ]
    own = [[head(0, 0), line("sim-00001", [], [])], [head(1, 0), line("sim-00002", [], [])]]
    starts = [("telemetry", 0, 99), ("telemetry", 1, 7)]
    assert ledger.alerts(every, own, starts, BEGAN_NS) == [
        ["load-test-spike/sim-00001/telemetry-1-7", "load-test-spike", "sim-00001", "FIRING", 5.0, 9.0],
        ["load-test-silent/sim-00002/telemetry-1-8", "load-test-silent", "sim-00002", "FIRING", 5.0, 9.0],
    ]


def test_records_stay_in_the_order_of_the_log_with_those_that_are_there_twice() -> None:
    told = [[head(0, 0), line("sim-00001", [0.0, 1.0, 2.0], [])]]
    log = [(0, 5), (2, 6), (1, 6), (2, 6), (1, 9)]
    stored = Stored({"sim-00001": [(number, BEGAN_MS + ms) for number, ms in log]})
    found = ledger.devices(told, stored, {}, BEGAN_NS)
    assert found["sim-00001"]["stored"] == [[number, float(ms)] for number, ms in log]
    assert found["sim-00001"]["acked"] == []


def test_records_of_devices_that_nobody_simulated_are_left_out() -> None:
    told = [[head(0, 0), line("sim-00001", [0.0], [1.0])]]
    stored = Stored({"kitchen": [(0, BEGAN_MS)], "sim-00002": [(0, BEGAN_MS)], "sim-00001": [(0, BEGAN_MS + 3)]})
    came = {"a": {"kitchen": [[0, BEGAN_MS + 1.0]], "sim-00001": [[0, BEGAN_MS + 4.25]]}, "b": {}}
    found = ledger.devices(told, stored, came, BEGAN_NS)
    assert found.keys() == {"sim-00001"}
    assert found["sim-00001"]["stored"] == [[0, 3.0]]
    assert found["sim-00001"]["groups"] == {"a": [[0, 4.25]], "b": []}


def test_a_group_has_what_came_twice_and_in_the_order_in_which_it_came() -> None:
    told = [[head(0, 250), line("sim-00001", [0.0, 1.0], [2.0, 3.0])]]
    came = {"a": {"sim-00001": [[1, BEGAN_MS + 260.5], [0, BEGAN_MS + 260.5], [1, BEGAN_MS + 300.125]]}}
    found = ledger.devices(told, Stored(), came, BEGAN_NS)
    assert found["sim-00001"]["groups"] == {"a": [[1, 260.5], [0, 260.5], [1, 300.125]]}


def test_the_generator_was_as_late_as_its_worst_worker() -> None:
    told = [[head(0, 0, p50=1.0, p99=90.0, max=91.0)], [head(1, 0, p50=2.0, p99=3.0, max=400.0)]]
    assert ledger.lag(told) == {"p50": 2.0, "p99": 90.0, "max": 400.0}


def test_samples_from_before_the_stage_are_left_out() -> None:
    samples = [[BEGAN_MS - 1, 1.0, 2, 3], [BEGAN_MS, 4.0, 5, 6], [BEGAN_MS + 1000.5, 7.0, 8, None]]
    assert ledger.since(samples, BEGAN_NS) == [[0.0, 4.0, 5, 6], [1000.5, 7.0, 8, None]]


def test_events_are_faults_told_from_the_beginning_of_the_stage(tmp_path: Path) -> None:
    file = tmp_path / "events"
    before = BEGAN_MS / 1000 - 5
    lines = [{"at": before, "what": "mosquitto killed"}, {"at": before + 7.5, "what": "bridge stopped"}]
    file.write_text("".join(json.dumps(each) + "\n" for each in lines))
    assert ledger.events(file, BEGAN_NS) == [[2500.0, "bridge stopped", "fault"]]


def test_where_nobody_did_anything_there_are_no_events(tmp_path: Path) -> None:
    assert ledger.events(tmp_path / "absent", BEGAN_NS) == []
    assert ledger.events(None, BEGAN_NS) == []


def test_a_ledger_replaces_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    for number in (1, 2):
        ledger.write(path, {"version": number})
    assert json.loads(path.read_text()) == {"version": 2}
    assert [each.name for each in tmp_path.iterdir()] == ["ledger.json"]


def test_a_ledger_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    ledger.write(path, {"version": 1})
    with pytest.raises(TypeError):
        ledger.write(path, {"version": object()})
    assert json.loads(path.read_text()) == {"version": 1}
