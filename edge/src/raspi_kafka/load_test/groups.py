"""The consumer groups of a stage: each a process, and how far each is behind."""

from __future__ import annotations

import json
import multiprocessing
import threading
import time
from typing import TYPE_CHECKING

from . import consumer, kafka
from .consumer import Job, Shared
from .kafka import LoadTestError

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess
    from pathlib import Path

SECONDS_TO_JOIN = 60
SECONDS_TO_END = 60
INTERVAL_S = 1.0
# A consumer that has just got its partitions looks for their leaders and ends first: its first messages were seen to
# take 1.1 s.
SECONDS_TO_SETTLE = 3.0


class Groups:
    """Runs them until the block ends.

    :ivar lag: group -> pairs of milliseconds since 1970, and records that are in the topic and not read.
    """

    def __init__(self, names: dict[str, str], servers: str, starts: list[tuple[str, int, int]], folder: Path) -> None:
        """Take group names by what they are called in the ledger."""
        self._names = names
        self._servers = servers
        self._starts = starts
        self._folder = folder
        self._processes: dict[str, BaseProcess] = {}
        self._shared: dict[str, Shared] = {}
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._live, daemon=True)
        self.lag: dict[str, list[tuple[float, int]]] = {name: [] for name in names}

    def start(self, pauses: dict[str, tuple[float, float]]) -> None:
        """Let all of them read, and wait until they do.

        :param pauses: of those that have one.
        :raises LoadTestError: one can't join its group.
        """
        spawn = multiprocessing.get_context("spawn")
        for name, group in self._names.items():
            shared = Shared(spawn.Event(), spawn.Array("q", [offset for _topic, _partition, offset in self._starts]))
            job = Job(self._servers, group, self._starts, pauses.get(name), self._path(name))
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

    def behind(self) -> dict[str, int]:
        """Return how many records each group has not read.

        :raises LoadTestError: Kafka does not say where the topic ends.
        """
        ends = kafka.ends(self._servers, self._starts[0][0])
        end = sum(offset for _topic, _partition, offset in ends)
        # Who has read meanwhile what has come since is not behind.
        return {name: max(0, end - sum(shared.positions)) for name, shared in self._shared.items()}

    def stop(self) -> dict[str, dict[str, list[tuple[int, float]]]]:
        """End all of them; return what came: group -> device -> pairs of number and milliseconds since 1970."""
        self.note()
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

    def note(self) -> None:
        """Note how far each is behind now; nothing where Kafka does not say."""
        try:
            found = self.behind()
        except LoadTestError:
            return
        now = round(time.time_ns() / 1e6, 3)
        for name, records in found.items():
            self.lag[name].append((now, records))

    def _live(self) -> None:
        while not self._over.wait(INTERVAL_S):
            self.note()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"
