"""A service as a process: what it tells systemd, and its metrics."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from .process import Process, until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class Notified(Process):
    """Ends with the test.

    :param port: of its metrics.
    :ivar prefix: of the names of its metrics.
    """

    prefix: str

    def __init__(self, root: Path, command: Sequence[str | Path], env: Mapping[str, str], port: int) -> None:
        self._port = port
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(root / "notify"))
        self._notes: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()
        super().__init__(command, root / "log", {"NOTIFY_SOCKET": str(root / "notify"), **env})

    def start(self, *, ready: bool = True) -> None:
        self._notes.clear()
        super().start()
        if ready:
            until("it is ready", lambda: self._alive() and "READY=1" in self.notes())

    def _alive(self) -> bool:
        assert self.running, self.tail()
        return True

    def notes(self) -> list[str]:
        """Return what it has told systemd since the start."""
        return list(self._notes)

    def _listen(self) -> None:
        with contextlib.suppress(OSError):  # the end of the test
            while True:
                self._notes += self._socket.recv(65536).decode().splitlines()

    def metrics(self) -> dict[str, float]:
        """Return the metrics by name (and labels), without the prefix; none while it does not serve them."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=10) as answer:
                text = answer.read().decode()
        except (urllib.error.URLError, ConnectionError):
            return {}
        pairs = re.findall(rf"^{self.prefix}(\S+) (\S+)$", text, re.MULTILINE)
        return {name: float(value) for name, value in pairs}

    def clean_up(self) -> None:
        super().clean_up()
        self._socket.close()
