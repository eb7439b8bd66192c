"""What processes cost: read from processes that really run, and added up where one follows another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import raspi_kafka
from raspi_kafka.load_test import processes
from raspi_kafka.load_test.processes import Cost, Sampler, Watched, children, cost, pid_of_unit, written
from raspi_kafka.report import ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(raspi_kafka.__file__).parents[1]
BURNT_S = 0.3
TAKEN = 64 << 20
SECONDS = 60
# For each line that it reads it takes memory and burns CPU time, or lets a child do so and waits for its end.
BURNER = f"""\
import subprocess, sys, time
kept = []
def burn():
    kept.append(b"x" * {TAKEN})
    before = time.process_time()
    while time.process_time() - before < {BURNT_S}:
        pass
for line in sys.stdin:
    burn() if line == "burn\\n" else subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
    print("done", flush=True)
"""
BURN_AND_END = f"""\
import time
while time.process_time() < {BURNT_S}:
    pass
"""


class Burner:
    """A process that uses something when it is told to."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", BURNER, BURN_AND_END]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid

    def tell(self, what: str) -> None:
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def cost(self) -> Cost:
        found = cost(self.pid)
        assert found
        return found

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def burner() -> Iterator[Burner]:
    burner = Burner()
    yield burner
    burner.end()


# --- one process


def test_cpu_time_and_memory_of_a_process_are_seen(burner: Burner) -> None:
    burner.tell("burn")
    before = burner.cost()
    burner.tell("burn")
    after = burner.cost()
    # The kernel counts in ticks, and each end may be cut by one.
    assert after.cpu_s - before.cpu_s > BURNT_S - 3 * processes.TICK_S
    assert after.rss - before.rss > TAKEN * 0.9


def test_children_count(burner: Burner) -> None:
    burner.tell("burn")
    alone = processes.cost_alone(os.getpid())
    assert burner.pid in children(os.getpid())
    assert alone
    together = cost(os.getpid())
    assert together
    assert together.rss - alone.rss > TAKEN * 0.9
    assert together.cpu_s - alone.cpu_s > BURNT_S - 3 * processes.TICK_S


def test_what_a_child_used_still_counts_when_it_has_ended(burner: Burner) -> None:
    """As the workers of the simulator end, in the last second of a stage."""
    burner.tell("burn")
    before = burner.cost()
    burner.tell("let a child burn")
    assert children(burner.pid) == []
    assert burner.cost().cpu_s - before.cpu_s > BURNT_S - 3 * processes.TICK_S


def test_a_process_that_has_ended_costs_nothing_more(burner: Burner) -> None:
    burner.end()
    assert cost(burner.pid) is None
    assert children(burner.pid) == []
    assert written(burner.pid) is None


def test_written_bytes_that_are_not_ours_to_know_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path, **_how: str) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    assert written(os.getpid()) is None


def test_written_bytes_are_those_that_go_to_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "io").write_text("rchar: 1\nwchar: 2\nread_bytes: 3\nwrite_bytes: 4096\ncancelled_write_bytes: 5\n")
    monkeypatch.setattr(processes, "Path", lambda _path: tmp_path / "io")
    assert written(1) == 4096


@pytest.mark.parametrize(("one", "other", "total"), [(1, 2, 3), (None, 2, None), (1, None, None)])
def test_a_sum_with_something_unknown_is_unknown(one: int | None, other: int | None, total: int | None) -> None:
    assert Cost(1.0, 10, one) + Cost(0.5, 5, other) == Cost(1.5, 15, total)


# --- one after the other


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> dict[int, Cost]:
    """What each process costs; one that is not in it has ended."""
    running: dict[int, Cost] = {}
    monkeypatch.setattr(processes, "cost", running.get)
    return running


def sampled(watched: Watched) -> tuple[float, int, int | None]:
    watched.sample()
    return watched.samples[-1][1:]


def test_what_a_service_used_before_its_restart_is_added(table: dict[int, Cost]) -> None:
    pids = iter([7, 8])
    watched = Watched(partial(next, pids))
    table[7] = Cost(1.0, 100, 10)
    assert sampled(watched) == (1.0, 100, 10)
    table[7] = Cost(2.5, 120, 30)
    assert sampled(watched) == (2.5, 120, 30)
    del table[7]
    table[8] = Cost(0.25, 50, 5)
    assert sampled(watched) == (2.75, 50, 35)
    table[8] = Cost(0.75, 60, 6)
    assert sampled(watched) == (3.25, 60, 36)


def test_while_a_service_is_away_nothing_is_noted_and_nothing_is_added_twice(table: dict[int, Cost]) -> None:
    pids = iter([7, 0, 0, 8])
    watched = Watched(partial(next, pids))
    table[7] = Cost(1.0, 100, 10)
    watched.sample()
    del table[7]
    for _second in range(2):
        watched.sample()
    assert len(watched.samples) == 1
    table[8] = Cost(0.5, 50, 5)
    assert sampled(watched) == (1.5, 50, 15)


def test_a_service_whose_written_bytes_were_unknown_once_keeps_them_unknown(table: dict[int, Cost]) -> None:
    pids = iter([7, 8])
    watched = Watched(partial(next, pids))
    table[7] = Cost(1.0, 100, None)
    watched.sample()
    del table[7]
    table[8] = Cost(1.0, 100, 10)
    assert sampled(watched) == (2.0, 100, None)


def test_what_never_ran_is_not_told(table: dict[int, Cost]) -> None:
    table[7] = Cost(1.0, 100, 10)
    with Sampler({"pi1 kafka": lambda: 7, "pi1 bridge": lambda: 0}) as sampler:
        pass
    assert sampler.samples.keys() == {"pi1 kafka"}
    (sample,) = sampler.samples["pi1 kafka"]
    assert sample[1:] == (1.0, 100, 10)
    assert abs(sample[0] - time.time() * 1000) < 1000 * SECONDS


# --- services


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What systemctl prints; it notes what it is asked for."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$@" >> "$0.asked"\ncat "$0.says"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return program


@pytest.mark.parametrize(("says", "pid"), [("4711\n", 4711), ("0\n", 0), ("", 0), ("[not set]\n", 0)])
def test_the_process_of_a_service_is_what_systemd_says(systemctl: Path, says: str, pid: int) -> None:
    Path(f"{systemctl}.says").write_text(says)
    assert pid_of_unit("kafka.service") == pid
    assert Path(f"{systemctl}.asked").read_text() == "show --property=MainPID --value kafka.service\n"


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_host_samples_its_services_until_it_is_told_to_end(
    systemctl: Path, tmp_path: Path, end: signal.Signals, burner: Burner
) -> None:
    Path(f"{systemctl}.says").write_text(f"{burner.pid}\n")
    out = tmp_path / "samples.json"
    command = [sys.executable, "-m", "raspi_kafka.load_test.sample", str(out), "pi1 kafka=kafka.service"]
    sampling = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(SOURCE)})
    try:
        deadline = time.monotonic() + SECONDS
        while not Path(f"{systemctl}.asked").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        sampling.send_signal(end)
        assert sampling.wait(SECONDS) == 0
    finally:
        sampling.kill()
        sampling.wait()
    found = ledger.load_samples(out)
    assert found.keys() == {"pi1 kafka"}
    assert found["pi1 kafka"][0].rss_bytes > 0
