"""`raspi-kafka load-test`: what it is asked for, what it refuses before it connects to anything, and its stages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import raspi_kafka
from raspi_kafka.cli import arguments, main
from raspi_kafka.load_test import command, kafka, run
from raspi_kafka.load_test.kafka import LoadTestError
from raspi_kafka.load_test.options import STAGES, Options
from raspi_kafka.load_test.stage import simulator_command
from raspi_kafka.report.ledger import LedgerError
from raspi_kafka.simulate import options as simulate

from tests.unit.edge import ledgers as made

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(raspi_kafka.__file__).parents[1]


@pytest.fixture(autouse=True)
def nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kafka is no part of these tests."""

    def ends(servers: str, _topic: str) -> NoReturn:
        raise LoadTestError(f"Kafka at {servers} was asked.")

    monkeypatch.setattr(kafka, "ends", ends)


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    """The least that is needed, with three devices to choose from."""
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps({"passwords": {f"sim-{number:05}": "x" for number in (1, 2, 3)}}))
    least = {"mqtt": "127.0.0.1:1883", "kafka": "127.0.0.1:9092", "credentials": file, "out": tmp_path / "out"}
    return ["load-test", *(f"--{name}={value}" for name, value in least.items()), "--stages=1,3"]


def parsed(asked: list[str], *more: str) -> Options:
    return command.options(arguments().parse_args([*asked, *more]))


# --- what is asked for


def test_what_is_not_asked_for_has_defaults(asked: list[str]) -> None:
    wanted = parsed([each for each in asked if "stages" not in each])
    assert (wanted.topic, wanted.stages, wanted.find_limit, wanted.append) == ("telemetry", STAGES, False, False)
    assert (wanted.rate, wanted.qos, wanted.ramp, wanted.hold, wanted.drain) == (1.0, 1, 10.0, 60.0, 30.0)
    assert (wanted.pause, wanted.events) == (None, None)


def test_a_limit_alone_has_no_other_stages(asked: list[str]) -> None:
    wanted = parsed([each for each in asked if "stages" not in each], "--find-limit=3")
    assert (wanted.stages, wanted.find_limit, wanted.most) == ((), True, 3)
    wanted = parsed(asked, "--find-limit=3")
    assert (wanted.stages, wanted.find_limit, wanted.most) == ((1, 3), True, 3)


def test_a_pause_has_a_second_and_a_length(asked: list[str]) -> None:
    assert parsed(asked, "--pause=20:60.5").pause == (20, 60.5)


def test_the_simulator_gets_what_was_asked_for(asked: list[str]) -> None:
    more = ["--bad=0.25", "--skew=2", "--seed=7", "--workers=2", "--burst=1:2:3", "--burst=5:2:1", "--storm=4"]
    more += ["--spike=1:1:2", "--silence=0:1:5", "--rate=2.5", "--qos=2", "--ramp=1", "--hold=9", "--drain=3"]
    wanted = simulate.parse(arguments().parse_args(simulator_command(parsed(asked, *more), 2)))
    assert [device.device for device in wanted.devices] == ["sim-00001", "sim-00002"]
    assert (wanted.address, wanted.rate, wanted.qos) == (("127.0.0.1", 1883), 2.5, 2)
    assert (wanted.ramp_s, wanted.hold_s, wanted.drain_s) == (1, 9, 3)
    assert (wanted.bad, wanted.skew_s, wanted.seed, wanted.workers) == (0.25, 2, 7, 2)
    assert wanted.bursts == (simulate.Burst(1, 2, 3), simulate.Burst(5, 2, 1))
    assert (wanted.storms, wanted.journal) == ((4.0,), None)
    assert wanted.plants == (simulate.Plant("spike", 1, 1, 2), simulate.Plant("silence", 0, 1, 5))


def test_what_is_planned_has_its_time_and_its_kind(asked: list[str]) -> None:
    wanted = parsed(asked, "--pause=20:60", "--burst=1:2:3", "--storm=4", "--spike=2:3:4", "--ramp=5")
    assert wanted.planned == (
        (20, "consumer b stops to read for 60 s", "pause"),
        (6, "2 times the rate for 3 s", "burst"),
        (9, "all devices lose their connection", "storm"),
        (7, "in 3 of the devices, for 4 s", "spike"),
    )


# --- what is refused


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("--stages=5,x", "'x' is no number of devices; give one from 1"),
        ("--stages=0", "'0' is no number of devices"),
        ("--stages=", "'' is no number of devices"),
        ("--find-limit=0", "'0' is no number of devices"),
        ("--find-limit=-1", "'-1' is no number of devices"),
        ("--pause=20", "'20' is no AT:SECONDS, such as 20:60"),
        ("--pause=a:b", "'a:b' is no AT:SECONDS"),
        ("--qos=3", "invalid choice: "),
    ],
)
def test_what_is_no_such_value_is_refused(
    asked: list[str], more: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main([*asked, more])
    assert end.value.code == 2
    assert f"error: argument {more.partition('=')[0]}: {why}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("--stages=1,4", "credentials.json has 3 devices, and the largest stage wants 4."),
        ("--find-limit=4", "credentials.json has 3 devices, and the largest stage wants 4."),
        ("--credentials=/nowhere", "/nowhere can't be read: No such file or directory. Name the file of passwords."),
        ("--rate=0", "--rate 0.0: give messages a second above 0"),
        ("--hold=0", "--hold 0.0: give seconds above 0"),
        ("--bad=2", "--bad 2.0: give a share from 0 to 1"),
        ("--storm=60", "--storm 60.0: the hold has the seconds from 0 to 60"),
        ("--burst=x", "--burst x: give AT:FACTOR:SECONDS"),
        ("--spike=1:2:3", "they take 2 devices, each for one of them, and there are 1; ask for fewer"),
        ("--silence=1:1:14.9", "load-test-silent raises an alert after 10 s, and needs some more to be sure"),
        ("--workers=2", "--workers 2: give from 1 to as many as there are devices (1)"),
        ("--mqtt=localhost", "--mqtt localhost: give HOST:PORT"),
        ("--mqtt=no-such-host.invalid:1883", "no-such-host.invalid has no address"),
    ],
)
def test_what_cannot_be_done_is_refused_with_one_sentence_and_nothing_is_asked_or_made(
    asked: list[str], tmp_path: Path, more: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*asked, more]) == 2
    said = capsys.readouterr()
    assert why in said.err
    assert (said.err.count("\n"), said.out) == (1, "")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("plant", ["--spike=0:1:20", "--silence=0:1:30"])
def test_where_each_device_would_be_silent_by_its_rate_nothing_is_planted(
    asked: list[str], plant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(LoadTestError, match="was asked"):
        run.check(parsed(asked, plant, "--rate=0.2"))
    assert main([*asked, plant, "--rate=0.19"]) == 2
    assert "and load-test-silent raises an alert after 10 s; give a rate of at least 0.2" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"passwords": 3}'])
def test_a_file_that_has_no_passwords_is_refused(
    asked: list[str], tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "credentials.json").write_text(content)
    assert main(asked) == 2
    assert capsys.readouterr().err.endswith('credentials.json is not {"passwords": {"DEVICE": "PASSWORD"}}.\n')


def test_a_folder_with_another_run_is_refused_unless_it_goes_on(
    asked: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "ledger.json").write_text(json.dumps(made.ledger()))
    assert main(asked) == 2
    assert "out has the ledger of another run. Name another folder, or --append to it." in capsys.readouterr().err
    assert main([*asked, "--append"]) == 2
    assert capsys.readouterr().err == "Kafka at 127.0.0.1:9092 was asked.\n"
    assert run.begun(parsed(asked, "--append")) == made.ledger()


@pytest.mark.parametrize("content", ["{", "{}"])
def test_a_damaged_ledger_is_not_added_to(
    asked: list[str], tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out" / "ledger.json"
    path.parent.mkdir()
    path.write_text(content)
    assert main([*asked, "--append"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{path}: ")
    assert said.count("\n") == 1
    assert path.read_text() == content


def test_what_holds_is_asked_of_kafka_last(asked: list[str], tmp_path: Path) -> None:
    with pytest.raises(LoadTestError, match="was asked"):
        run.check(parsed(asked))
    assert (tmp_path / "out").is_dir()


def test_what_is_not_installed_is_named() -> None:
    code = (
        "import sys; sys.modules['confluent_kafka'] = None; import raspi_kafka.cli as c; sys.exit(c.main(sys.argv[1:]))"
    )
    options = ["--mqtt=a:1", "--kafka=b:1", "--credentials=c", "--out=d"]
    program = [sys.executable, "-c", code, "load-test", *options]
    done = subprocess.run(program, env={"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "raspi-kafka load-test needs confluent_kafka: pip install 'raspi-kafka[load]'\n"


# --- stages


def held(count: int) -> dict[str, Any]:
    return made.stage(devices=count, seconds=2)


def lossy(count: int) -> dict[str, Any]:
    said = held(count)
    said["devices"]["sim-00001"]["stored"].pop()
    return said


def late(count: int) -> dict[str, Any]:
    said = held(count)
    said["lag_ms"]["p99"] = 500.0
    return said


def tried(stages: Iterator[int], path: Path, limit: int, above: Any) -> list[int]:
    """The stages of a run that holds so many devices; beyond that it is as `above` says."""
    counts, done = [], []
    for count in stages:
        counts.append(count)
        done.append(held(count) if count <= limit else above(count))
        path.write_text(json.dumps(made.ledger(*done)))
    return counts


def test_without_a_limit_stages_are_those_that_were_asked_for(asked: list[str], tmp_path: Path) -> None:
    wanted = parsed(asked, "--stages=3,1,2")
    assert tried(run.stages(wanted, tmp_path / "ledger.json"), tmp_path / "ledger.json", 1, lossy) == [3, 1, 2]


@pytest.mark.parametrize("above", [lossy, late])
def test_the_limit_is_what_passed_and_no_more(asked: list[str], tmp_path: Path, above: Any) -> None:
    wanted = parsed(asked, "--stages=5,10", "--find-limit=100")
    path = tmp_path / "ledger.json"
    assert tried(run.stages(wanted, path), path, 13, above) == [5, 10, 20, 15, 12, 13, 14]


def test_a_limit_alone_begins_with_one_device(asked: list[str], tmp_path: Path) -> None:
    wanted = parsed([each for each in asked if "stages" not in each], "--find-limit=6")
    path = tmp_path / "ledger.json"
    assert tried(run.stages(wanted, path), path, 6, lossy) == [1, 2, 4, 6]


def test_a_limit_goes_on_from_what_the_ledger_has(asked: list[str], tmp_path: Path) -> None:
    wanted = parsed([each for each in asked if "stages" not in each], "--find-limit=40", "--append")
    path = tmp_path / "ledger.json"
    path.write_text(json.dumps(made.ledger(held(10), lossy(20))))
    assert next(run.stages(wanted, path)) == 15


def test_a_ledger_that_is_none_ends_the_search_with_a_sentence(asked: list[str], tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    path.write_text("{")
    stages = run.stages(parsed(asked, "--stages=1", "--find-limit=3"), path)
    assert next(stages) == 1
    with pytest.raises(LedgerError, match="it is no JSON"):
        next(stages)


# --- what it runs on


@pytest.mark.parametrize(("host", "here"), [("127.0.0.1", True), ("localhost", True), ("192.0.2.1", False)])
def test_an_address_is_here_or_elsewhere(host: str, here: bool) -> None:
    assert run.is_here(host) == here


@pytest.mark.parametrize("mqtt", ["127.0.0.1:1883", "localhost:1883"])
def test_a_generator_on_the_host_under_test_is_told(mqtt: str) -> None:
    told = run.generator(mqtt)
    assert told["on_test_host"]
    assert told["cpus"] >= 1
    assert f"{told['cpus']} CPUs" in told["machine"]
