"""`raspi-kafka report`: what it reads, refuses, prints and writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import raspi_kafka
from raspi_kafka.cli import main

from tests.unit.edge import ledgers as made

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = Path(raspi_kafka.__file__).parents[1]


def written(said: Any, tmp_path: Path, name: str = "ledger.json") -> str:
    path = tmp_path / name
    path.write_text(said if isinstance(said, str) else json.dumps(said))
    return str(path)


def late() -> dict[str, Any]:
    said = made.stage()
    said["lag_ms"]["p99"] = 500.0
    return said


def lossy() -> dict[str, Any]:
    said = made.stage()
    said["devices"]["sim-00001"]["stored"].pop()
    return said


# --- exit codes


@pytest.mark.parametrize(
    ("stages", "code"), [([made.stage], 0), ([made.stage, lossy], 1), ([late, lossy], 1), ([made.stage, late], 3)]
)
def test_the_exit_code_tells_how_it_went(stages: list[Callable[[], Any]], code: int, tmp_path: Path) -> None:
    assert main(["report", written(made.ledger(*(stage() for stage in stages)), tmp_path)]) == code


# --- the table


def test_real_devices_that_sent_meanwhile_are_told_beside_the_simulated_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = made.stage()
    said["real"] = {"pi1": [7, 8, 11], "attic": [None]}
    page = tmp_path / "page.html"
    main(["report", written(made.ledger(said), tmp_path), "--html", str(page)])
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    head = lines.index("Real device Stored Without number Missing Duplicated Out of order")
    assert lines[head + 2 : head + 4] == ["attic 1 1 0 0 0", "pi1 3 0 2 0 0"]
    assert "Real devices sent meanwhile." in page.read_text()
    main(["report", written(made.ledger(made.stage()), tmp_path), "--html", str(page)])
    assert "Real device" not in capsys.readouterr().out + page.read_text()


def test_the_table_has_the_verdict_and_its_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["report", written(made.ledger(made.stage(), lossy(), late()), tmp_path)])
    out = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "Run 20261118T110640Z" in lines
    assert "Generator laptop, not on a host under test; 4 CPUs, x86_64 Linux 6.12" in lines
    assert [line for line in lines if "devices, 1 message/s each" in line] == [
        f"5 devices, 1 message/s each, QoS 1, 10 s: {state}" for state in ("passed", "failed", "invalid: generator")
    ]
    assert any(line.startswith("failed every acknowledged message is in Kafka 1 of 50 acknowl") for line in lines)
    assert "(sim-00001 seq 9)" in " ".join(lines)
    assert sum(line.startswith("device to append 50 ") for line in lines) == 2
    assert sum(line.startswith("pi1 kafka 2") for line in lines) == 3


def test_the_table_fits_120_columns_without_colours_in_a_pipe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = made.stage(
        devices=40, seconds=5, events=((1000.0, "a long tale of what was done to the broker " * 5, "fault"),)
    )
    for device in said["devices"].values():
        device["stored"].pop()
        device["disconnects"] = 10_000
    main(["report", written(made.ledger(said), tmp_path)])
    out = capsys.readouterr().out
    assert max(len(line) for line in out.splitlines()) <= 120
    assert "\x1b" not in out
    assert "at 1.0 s: fault: a long tale" in out


# --- the page


def test_the_page_is_written_where_it_is_wanted(tmp_path: Path) -> None:
    place = tmp_path / "report.html"
    assert main(["report", written(made.ledger(), tmp_path), "--html", str(place)]) == 0
    assert place.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_page_that_can_not_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "absent" / "report.html"
    assert main(["report", written(made.ledger(), tmp_path), "--html", str(place)]) == 2
    said = capsys.readouterr().err
    assert said == f"{place}: it can't be written: No such file or directory; give --html another file\n"


# --- processes of other hosts


def test_processes_of_more_files_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = []
    for pi in ("pi7", "pi8"):
        samples = [[made.BEGAN * 1000 + ms, ms / 2000, 3 << 20, ms] for ms in range(0, 10_001, 1000)]
        files.append(written({"processes": {f"{pi} kafka": samples}}, tmp_path, f"{pi}.json"))
    assert main(["report", written(made.ledger(), tmp_path), "--processes", *files]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "pi7 kafka 50.0 % 3.0 MiB 9.8 KiB" in lines
    assert "pi8 kafka 50.0 % 3.0 MiB 9.8 KiB" in lines


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"processes": {"pi7 kafka": [[1, 2, 3, 4]]}}, "no sample of the process pi7 kafka was taken during a stage"),
        ({"processes": {"pi1 kafka": [[1, 2, 3, 4]]}}, "the process pi1 kafka is in the ledger already"),
        ({"processes": {"pi7 kafka": [[1, 2, 3]]}}, "must contain at least 4 items"),
        ({"pi7 kafka": []}, "must contain ['processes'] properties"),
    ],
)
def test_processes_that_do_not_fit_are_refused(
    said: Any, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(said, tmp_path, "processes.json")
    assert main(["report", written(made.ledger(), tmp_path), "--processes", file]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"{file}: ")
    assert why in told


# --- a wrong ledger


def damage(path: str, value: Any) -> dict[str, Any]:
    """A ledger with another value at a place; None removes the key, and a missing list entry is added."""
    said = made.ledger()
    *parents, last = path.split("/")
    place: Any = said
    for name in parents:
        place = place[int(name)] if isinstance(place, list) else place[name]
    if isinstance(place, list):
        place[int(last)] = value
    elif value is None:
        del place[last]
    else:
        place[last] = value
    return said


DEVICE = "stages/0/devices/sim-00001"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("{", "it is no JSON"),
        ('{"version": NaN}', "NaN is no number of JSON"),
        ([], "the file must be object"),
        ({}, "must contain"),
        (damage("version", 2), "version must be one of [4]"),
        (damage("stages", []), "stages must contain at least 1 items"),
        (damage("clock", 5), "clock must be object or null"),
        (damage("clock", {"offset_ms": 1}), "error_ms"),
        (damage("generators", []), "generators must contain at least 1 items"),
        (damage("generators/0/cpus", "two"), "generators[0].cpus must be integer"),
        (damage("stages/0/qos", 3), "stages[0].qos must be one of [0, 1, 2]"),
        (damage("stages/0/devices_wanted", 0), "stages[0].devices_wanted must be bigger than or equal to 1"),
        (damage("stages/0/rate", 0), "stages[0].rate must be bigger than 0"),
        (damage("stages/0/lag_ms", None), "lag_ms"),
        (damage("stages/0/group_lag", {}), "stages[0].group_lag must contain at least 1 properties"),
        (damage("stages/0/events", [[5, "mosquitto killed"]]), "stages[0].events[0] must contain at least 3 items"),
        (damage("stages/0/events", [[5, "mosquitto killed", "joke"]]), "stages[0].events[0][2] must be one of"),
        (damage("stages/0/planted", [["sim-00001", "joke", 1, 2]]), "stages[0].planted[0][1] must be one of"),
        (
            damage("stages/0/planted", [["sim-00001", "spike", 1, 2]]),
            "sim-00001 sent no message at 1 ms, where it began",
        ),
        (damage("stages/0/planted", [["kitchen", "spike", 1, 2]]), "kitchen sent no message at 1 ms, where it began"),
        (
            damage("stages/0/alerts", [["id", "rule", "sim-00001", "OPEN", 1, 2]]),
            "stages[0].alerts[0][3] must be one of",
        ),
        (damage("stages/0/ended", 0), "stages[0]: it ended at 0, not after it began at"),
        (damage(f"{DEVICE}/sent/0", "early"), "sent[0] must be number"),
        (damage(f"{DEVICE}/sent/0", True), "sent[0] must be number"),
        (damage(f"{DEVICE}/stored/0", [0]), "stored[0] must contain at least 2 items"),
        (damage(f"{DEVICE}/stored/0", [-1, 5]), "stored[0][0] must be bigger than or equal to 0"),
        (damage(f"{DEVICE}/stored/0", [0.5, 5]), "stored[0][0] must be integer"),
        (damage(f"{DEVICE}/made", 9), "sim-00001: made is 9, less than the 10 messages of sent"),
        (damage(f"{DEVICE}/made", None), "made"),
        (damage(f"{DEVICE}/acked", [1.0]), "sim-00001: acked has 1 entries for 10 messages of QoS 1; it must have 10"),
        (damage(f"{DEVICE}/groups/c", []), "sim-00001: it has the group c, which group_lag of the stage does not name"),
        (damage("stages/0/qos", 0), "acked has 10 entries for 10 messages of QoS 0; it must have 0"),
        (damage("stages/0/processes/generator/0", [0, 0, -1, 0]), "must be bigger than or equal to 0"),
    ],
)
def test_a_wrong_ledger_is_refused_in_a_sentence(
    said: Any, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(said, tmp_path)
    assert main(["report", file, "--html", str(tmp_path / "page.html")]) == 2
    out, told = capsys.readouterr()
    assert out == ""
    assert told.startswith(f"{file}: ")
    assert why in told
    assert told.count("\n") == 1
    assert not (tmp_path / "page.html").exists()


def test_a_ledger_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "absent.json")]) == 2
    assert "it can't be read: No such file or directory" in capsys.readouterr().err


# --- what it needs


def test_the_bridge_does_not_import_what_only_a_report_needs() -> None:
    code = "import sys, raspi_kafka.cli as c; c.arguments(); print(sorted({'rich', 'pygal'} & set(sys.modules)))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env={"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_what_is_not_installed_is_named() -> None:
    code = "import sys; sys.modules['pygal'] = None; import raspi_kafka.cli as c; sys.exit(c.main(['report', 'x']))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env={"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "raspi-kafka report needs pygal: pip install 'raspi-kafka[load]'\n"
