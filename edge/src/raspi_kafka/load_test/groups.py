"""The consumer groups of a stage: each a process, and how far each is behind."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import threading
import time
from typing import TYPE_CHECKING

from . import consumer, kafka
from .consumer import Job, Shared
from .kafka import LoadTestError
from .options import GROUPS

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess
    from pathlib import Path

SECONDS_TO_JOIN = 60
SECONDS_TO_END = 60
INTERVAL_S = 1.0
POLL_S = 0.2
# A consumer that has just got its partitions looks for their leaders and ends first: its first messages were seen to
# take 1.1 s.
SECONDS_TO_SETTLE = 3.0


class Groups:
    """Runs them until the block ends.

    :ivar lag: group -> pairs of milliseconds since 1970, and records that are in the topic and not read; in the end
        those that were there when simulated devices had ended, since real ones go on.
    """

    def __init__(self, run: str, servers: str, starts: list[tuple[str, int, int]], folder: Path) -> None:
        """Take what messages of this stage say that they are of."""
        self._run = run
        self._names = {name: f"raspi-kafka-load-test-{run}-{name}" for name in GROUPS}
        self._servers = servers
        self._starts = starts
        self._folder = folder
        self._processes: dict[str, BaseProcess] = {}
        self._shared: dict[str, Shared] = {}
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._live, daemon=True)
        self.lag: dict[str, list[tuple[float, int]]] = {name: [] for name in GROUPS}

    def start(self, pauses: dict[str, tuple[float, float]]) -> None:
        """Let all of them read, and wait until they do.

        :param pauses: of those that have one.
        :raises LoadTestError: one can't join its group.
        """
        spawn = multiprocessing.get_context("spawn")
        for name, group in self._names.items():
            shared = Shared(spawn.Event(), spawn.Array("q", offsets(self._starts)), spawn.Value("q", 0))
            job = Job(self._servers, group, self._run, self._starts, pauses.get(name), self._path(name))
            self._shared[name] = shared
            self._processes[name] = spawn.Process(target=consumer.run, args=(job, shared), name=f"consumer {name}")
            self._processes[name].start()
        end = time.monotonic() + SECONDS_TO_JOIN
        for name, shared in self._shared.items():
            if not shared.assigned.wait(max(0, end - time.monotonic())):
                group = self._names[name]
                raise LoadTestError(
                    f"No consumer can join the group {group} at {self._servers} within {SECONDS_TO_JOIN} s. Look "
                    "whether the broker is healthy."
                )
        time.sleep(SECONDS_TO_SETTLE)
        self._watch.start()

    @property
    def pids(self) -> dict[str, int]:
        """The processes by what they are called in the ledger."""
        return {process.name: process.pid or 0 for process in self._processes.values()}

    @property
    def seen(self) -> list[int]:
        """How many records of simulated devices each group has read."""
        return [shared.seen.value for shared in self._shared.values()]

    def behind(self, ends: list[int]) -> dict[str, int]:
        """Return how many records before these offsets each group has not read."""
        return {
            # Who has read meanwhile what has come since is not behind.
            name: sum(max(0, end - position) for end, position in zip(ends, shared.positions, strict=True))
            for name, shared in self._shared.items()
        }

    def stop(self, seconds: float) -> dict[str, dict[str, list[tuple[int, float]]]]:
        """End all of them, once they have read what is there now or time is over.

        :returns: what came: group -> device -> pairs of number and milliseconds since 1970.
        :raises LoadTestError: Kafka does not say where the topic ends.
        """
        ends, end = offsets(kafka.ends(self._servers, self._starts[0][0])), time.monotonic() + seconds
        while any(self.behind(ends).values()) and time.monotonic() < end:
            time.sleep(POLL_S)
        self._over.set()
        self._watch.join()
        self._note(ends)
        self.clean_up()
        return {name: json.loads(self._path(name).read_text(encoding="utf-8")) for name in self._names}

    def clean_up(self) -> None:
        """End what runs, and leave no group behind."""
        self._over.set()
        for each in self._processes.values():
            each.terminate()
        for each in self._processes.values():
            each.join(SECONDS_TO_END)
            each.kill()
        if self._processes:
            kafka.forget(self._servers, list(self._names.values()))
        self._processes.clear()

    def _note(self, ends: list[int]) -> None:
        now = round(time.time_ns() / 1e6, 3)
        for name, records in self.behind(ends).items():
            self.lag[name].append((now, records))

    def _live(self) -> None:
        with contextlib.closing(kafka.reader(self._servers)) as reader:
            while not self._over.wait(INTERVAL_S):
                with contextlib.suppress(LoadTestError):  # a broker that is away has no end
                    self._note(offsets(kafka.ends_by(reader, self._servers, self._starts[0][0])))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def offsets(places: list[tuple[str, int, int]]) -> list[int]:
    """Return the offset of each partition."""
    return [offset for _topic, _partition, offset in places]
