"""What `raspi-kafka simulate` refuses before it connects to anything."""

from __future__ import annotations

import json
import resource
import socket
from typing import TYPE_CHECKING, Any

import pytest
from raspi_kafka.cli import arguments, main
from raspi_kafka.simulate import limits, options, workers
from raspi_kafka.simulate.options import Burst, OptionError, Options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """Listens, and accepts nobody by itself."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0)
        yield listening


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not refused ends at once."""
    monkeypatch.setattr(workers, "run", lambda _wanted: 0)


@pytest.fixture
def command(tmp_path: Path, server: socket.socket) -> list[str]:
    """The least that is needed, with three devices to choose from."""
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps({"passwords": {"sim-2": "b", "sim-1": "a", "sim-3": "c"}}))
    port = server.getsockname()[1]
    return ["simulate", "--mqtt", f"127.0.0.1:{port}", "--credentials", str(file), "--devices", "2"]


def parsed(command: list[str], *more: str) -> Options:
    return options.parse(arguments().parse_args([*command, *more]))


def test_the_devices_are_the_first_by_name_and_the_rest_has_defaults(command: list[str]) -> None:
    wanted = parsed(command)
    assert wanted.devices == (("sim-1", "a"), ("sim-2", "b"))
    assert wanted.address == ("127.0.0.1", int(command[2].rpartition(":")[2]))
    assert (wanted.rate, wanted.qos, wanted.ramp_s, wanted.hold_s, wanted.drain_s) == (1.0, 1, 10.0, 60.0, 30.0)
    assert (wanted.bursts, wanted.storms, wanted.bad, wanted.skew_s) == ((), (), 0.0, 0.0)
    assert (wanted.run, wanted.journal) == ("", None)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["--devices", "4"], "it has 3 devices, and --devices asks for 4"),
        (["--devices", "0"], "--devices 0: give at least 1"),
        (["--rate", "0"], "--rate 0.0: give messages a second above 0"),
        (["--rate", "nan"], "--rate nan"),
        (["--rate", "inf"], "--rate inf"),
        (["--hold", "0"], "--hold 0.0"),
        (["--ramp", "-1"], "--ramp -1.0"),
        (["--drain", "-1"], "--drain -1.0"),
        (["--bad", "1.5"], "--bad 1.5: give a share from 0 to 1"),
        (["--skew", "-1"], "--skew -1.0"),
        (["--workers", "3"], "--workers 3: give from 1 to as many as there are devices (2)"),
        (["--workers", "0"], "--workers 0"),
        (["--storm", "60"], "--storm 60.0: the hold has the seconds from 0 to 60"),
        (["--burst", "1:2"], "give AT:FACTOR:SECONDS"),
        (["--burst", "1:x:2"], "give AT:FACTOR:SECONDS"),
        (["--burst", "1:0:2"], "numbers above 0"),
        (["--burst", "60:2:2"], "give a second of the hold"),
        (["--burst", "1:2:5", "--burst", "5:2:5"], "that of second 1 lasts beyond 5"),
        (["--spike", "1:2"], "--spike 1:2: give AT:DEVICES:SECONDS, such as 10:5:20"),
        (["--silence", "1:x:2"], "--silence 1:x:2: give AT:DEVICES:SECONDS"),
        (["--silence", "1:1.5:2"], "give AT:DEVICES:SECONDS"),
        (["--spike", "1:0:2"], "and at least one device"),
        (["--spike", "1:1:0"], "give seconds within the hold (60 s)"),
        (["--spike=-1:1:1"], "give seconds within the hold (60 s)"),
        (["--silence", "50:1:10.5"], "give seconds within the hold (60 s)"),
        (["--silence", "1:1:nan"], "give seconds within the hold (60 s)"),
        (["--spike", "1:2:2", "--silence", "1:1:2"], "they take 3 devices, each for one of them, and there are 2"),
        (["--run", 'a"b'], "--run 'a\"b': give letters, digits, hyphens and points alone"),
        (["--run", "a b"], "--run 'a b'"),
        (["--run", "50%d"], "--run '50%d'"),
        (["--run", "ü"], "--run 'ü'"),
        (["--run", "a\n"], "--run 'a\\n'"),
        (["--mqtt", "localhost"], "give HOST:PORT"),
        (["--mqtt", "localhost:0"], "give HOST:PORT"),
        (["--mqtt", "no-such-host.invalid:1883"], "no-such-host.invalid has no address"),
        (["--credentials", "/nowhere"], "it can't be read (No such file or directory)"),
        (["--journal", "/proc/nowhere"], "it can't be made"),
    ],
)
def test_what_can_not_be_done_is_refused_with_one_sentence_and_no_connection(
    command: list[str],
    more: list[str],
    why: str,
    server: socket.socket,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*command, *more]) == 2
    said = capsys.readouterr()
    assert why in said.err
    assert (said.err.count("\n"), said.out) == (1, "")
    with pytest.raises(BlockingIOError):
        server.accept()


@pytest.mark.parametrize("content", ["", "[]", '{"passwords": ["sim-1"]}', "{}"])
def test_a_file_that_has_no_credentials_is_refused(command: list[str], tmp_path: Path, content: str) -> None:
    (tmp_path / "credentials.json").write_text(content)
    with pytest.raises(OptionError, match="it is not"):
        parsed(command)


@pytest.mark.parametrize("name", ["a/b", "+", "a#", ""])
def test_a_device_whose_name_is_no_level_of_a_topic_is_refused(command: list[str], tmp_path: Path, name: str) -> None:
    (tmp_path / "credentials.json").write_text(json.dumps({"passwords": {name: "x", "b": "y"}}))
    with pytest.raises(OptionError, match="no level of an MQTT topic"):
        parsed(command)


def test_a_password_that_is_no_text_is_refused(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "credentials.json").write_text(json.dumps({"passwords": {"a": 1, "b": "y"}}))
    with pytest.raises(OptionError, match="the password of a is no text"):
        parsed(command)


def test_a_directory_with_the_journal_of_another_run_is_refused(command: list[str], tmp_path: Path) -> None:
    journal = tmp_path / "run" / "journal"
    assert parsed(command, "--journal", str(journal)).journal == journal
    assert journal.is_dir()
    (journal / "journal-0.jsonl").touch()
    with pytest.raises(OptionError, match="earlier run"):
        parsed(command, "--journal", str(journal))


def test_an_ipv4_address_is_taken_before_others(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(socket.AF_INET6, 1, 6, "", ("::1", 1883, 0, 0)), (socket.AF_INET, 1, 6, "", ("127.0.0.1", 1883))]
    monkeypatch.setattr(options.socket, "getaddrinfo", lambda *_what, **_more: both)
    assert options.resolved("localhost:1883") == ("127.0.0.1", 1883)
    monkeypatch.setattr(options.socket, "getaddrinfo", lambda *_what, **_more: both[:1])
    assert options.resolved("[::1]:1883") == ("::1", 1883)


def test_a_run_has_a_name_of_letters_digits_hyphens_and_points(command: list[str]) -> None:
    assert parsed(command, "--run", "20261118T110640Z-1.a").run == "20261118T110640Z-1.a"


def test_bursts_and_storms_are_in_the_order_of_time(command: list[str]) -> None:
    said = ["--burst", "30:0.5:5", "--burst", "10:3:20", "--storm", "40", "--storm", "20"]
    wanted = parsed(command, *said)
    assert wanted.bursts == (Burst(10, 3, 20), Burst(30, 0.5, 5))
    assert wanted.storms == (20, 40)


def test_more_than_2000_devices_get_a_worker_for_each_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options.os, "cpu_count", lambda: 3)
    assert (options.default_workers(2000), options.default_workers(2001)) == (1, 3)


# --- what the operating system allows


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The limit of open files: 100, and 1000 at most."""
    found: dict[str, Any] = {"limits": (100, 1000)}
    monkeypatch.setattr(resource, "getrlimit", lambda _which: found["limits"])
    monkeypatch.setattr(resource, "setrlimit", lambda _which, wanted: found.update(limits=wanted))
    return found


def test_the_limit_of_open_files_is_raised_as_far_as_is_needed(files: dict[str, Any]) -> None:
    limits.check_files(100)
    assert files["limits"] == (100, 1000)
    limits.check_files(1000)
    assert files["limits"] == (1000, 1000)


def test_a_hard_limit_of_open_files_that_is_too_low_is_refused(files: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="needs 1001 open files and may have 1000; raise the hard limit"):
        limits.check_files(1001)
    assert files["limits"] == (100, 1000)


def test_each_worker_needs_files_for_its_own_devices_alone(files: dict[str, Any]) -> None:
    devices = tuple(options.Credential(f"sim-{number}", "x") for number in range(1001))
    limits.check(Options(("127.0.0.1", 1883), devices, workers=2))
    assert files["limits"] == (501 + limits.OTHER_FILES, 1000)


def test_more_devices_than_ports_are_refused_and_the_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "range").write_text("32768\t60999\n")
    limits.check_ports(28_232, tmp_path / "range")
    with pytest.raises(OptionError, match=r"28232 ports .* net\.ipv4\.ip_local_port_range"):
        limits.check_ports(28_233, tmp_path / "range")
