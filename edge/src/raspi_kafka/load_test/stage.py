"""One stage: two consumer groups, simulated devices, and then what Kafka has of them."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from . import kafka, ledger
from .alerts import Alerts, Told
from .groups import Groups
from .judged import LOOK_S, SILENT_AFTER_S
from .kafka import LoadTestError
from .options import GROUPS
from .processes import Sampler

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .options import Options

SECONDS_TO_END = 90
# Nothing more has been read for so long: what is missing is lost, or waits for somebody.
QUIET_S = 5.0
POLL_S = 0.2
SECONDS_TO_READ = 60.0
REFUSED = 2
SIGNALLED = (130, 143, -2, -15)


def simulator_command(wanted: Options, count: int) -> list[str]:
    """Return the command of the simulator, but for where it writes."""
    numbers = {"devices": count, "rate": wanted.rate, "qos": wanted.qos, "ramp": wanted.ramp}
    numbers |= {"hold": wanted.hold, "drain": wanted.drain}
    places = {"mqtt": wanted.mqtt, "credentials": wanted.credentials}
    return ["simulate", *(f"--{name}={value}" for name, value in (places | numbers).items()), *wanted.simulate]


class Stage:
    """Runs once.

    :ivar aborted: whether it was ended by a signal; what it found until then counts.
    """

    def __init__(self, wanted: Options, count: int, folder: Path, run: str) -> None:
        self._wanted = wanted
        self._count = count
        self._folder = folder
        self._starts = kafka.ends(wanted.kafka, wanted.topic)
        self._alerts = Alerts(wanted.kafka)
        self._run = run
        self._groups = Groups(run, wanted.kafka, self._starts, folder)
        self.aborted = False

    def run(self) -> dict[str, Any]:
        """Return what the ledger has of a stage.

        :raises LoadTestError: there is nothing to tell.
        """
        shutil.rmtree(self._folder, ignore_errors=True)  # of a run that came to no end
        self._folder.mkdir(parents=True)
        try:
            self._groups.start({GROUPS[-1]: self._wanted.pause} if self._wanted.pause else {})
            began_ns = time.time_ns()
            with self._simulating() as simulator:
                pids = {"generator": simulator.pid, **self._groups.pids}
                with Sampler({name: partial(int, pid) for name, pid in pids.items()}) as sampler:
                    self._wait(simulator)
                    sent_s = time.monotonic()
                    self._settle()
            pause = self._wanted.pause[1] if self._wanted.pause else 0
            came = self._groups.stop(0 if self.aborted else SECONDS_TO_READ + pause)
            ended = time.time()
        finally:
            self._groups.clean_up()
        told = ledger.journals(self._folder)
        if not told:
            raise LoadTestError(f"The simulator wrote no journal to {self._folder}. Its own lines say why.")
        stored = ledger.stored(kafka.stored(self._wanted.kafka, self._starts), self._run)
        planted = ledger.planted(told, began_ns)
        alerts = self._told(planted, sent_s)
        return {
            "devices_wanted": self._count,
            "rate": self._wanted.rate,
            "qos": self._wanted.qos,
            "ramp": self._wanted.ramp,
            "seconds": self._wanted.hold,
            "began": began_ns / 1e9,
            "ended": ended,
            "lag_ms": ledger.lag(told),
            "devices": ledger.devices(told, stored, came, began_ns),
            "real": stored.real,
            "planted": planted,
            "alerts": None if alerts is None else ledger.alerts(alerts, told, self._starts, began_ns),
            "events": sorted(self._planned() + ledger.events(self._wanted.events, began_ns)),
            "group_lag": {name: ledger.since(each, began_ns) for name, each in self._groups.lag.items()},
            "processes": {name: ledger.since(each, began_ns) for name, each in sampler.samples.items()},
        }

    def _told(self, planted: list[list[Any]], sent_s: float) -> list[Told] | None:
        """Return the alerts since the stage began; None without alerting.

        Also when all that is due has come, a silent device that nobody has planted may still be found.

        :param sent_s: when devices had ended, by time.monotonic().
        """
        if not self._alerts.there:
            return None
        if self.aborted or not planted:
            return self._alerts.read(lambda _found: True, kafka.ASK_S)
        due = ledger.due(planted)
        until_s = sent_s + SILENT_AFTER_S + LOOK_S

        def enough(found: list[Told]) -> bool:
            told = {(each.alert.rule, each.alert.device, each.alert.state.value) for each in found}
            return due <= told and time.monotonic() >= until_s

        # Behind a fault they come late.
        return self._alerts.read(enough, max(until_s + self._wanted.drain - time.monotonic(), kafka.ASK_S))

    def _planned(self) -> list[list[Any]]:
        return [[1000 * seconds, what, kind] for seconds, what, kind in self._wanted.planned]

    @contextlib.contextmanager
    def _simulating(self) -> Iterator[subprocess.Popen[bytes]]:
        """Let devices send until the block ends."""
        command = [*simulator_command(self._wanted, self._count), f"--journal={self._folder}", f"--run={self._run}"]
        # Ctrl-C of a terminal goes to all of a session: the simulator gets it from here alone, and so once.
        simulator = subprocess.Popen([sys.executable, "-m", "raspi_kafka", *command], start_new_session=True)
        try:
            yield simulator
        finally:
            end(simulator, signal.SIGTERM)

    def _wait(self, simulator: subprocess.Popen[bytes]) -> None:
        """Wait for the end of the simulator.

        :raises LoadTestError: it did not run.
        """
        try:
            code = simulator.wait()
        except KeyboardInterrupt:
            code = end(simulator, signal.SIGINT)  # it writes what it knows
        self.aborted = code in SIGNALLED
        if code == REFUSED:
            raise LoadTestError("The simulator did not run. Its own line says why.")

    def _settle(self) -> None:
        """Wait until nothing of simulated devices comes any more; what was acknowledged is worth more patience."""
        acked = ledger.acknowledged(ledger.journals(self._folder))
        before, since = self._groups.seen, time.monotonic()
        patience = QUIET_S
        while not self.aborted and time.monotonic() - since < patience:
            time.sleep(POLL_S)
            now = self._groups.seen
            patience = QUIET_S if min(now) >= acked else self._wanted.drain
            if now != before:
                before, since = now, time.monotonic()


def end(process: subprocess.Popen[bytes], number: int) -> int:
    """Ask a process to end, and see that it does; return its exit code."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()
