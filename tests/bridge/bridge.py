"""The bridge as a process."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import yaml

from tests.e2e.conftest import free_ports
from tests.hosts.cache import REPOSITORY

from .kafka import DEAD_LETTERS, TELEMETRY
from .mosquitto import BRIDGE, PASSWORD
from .process import Process, until

if TYPE_CHECKING:
    from pathlib import Path

    from .kafka import Kafka
    from .mosquitto import Mosquitto

PREFIX = "raspi_kafka_bridge_"


class Bridge(Process):
    """Runs the product, or with `module` a control that differs from it in one thing.

    :param more: top-level keys of bridge.yml; `linger_ms`; `state`, a bridge whose state directory it takes over.
    """

    def __init__(
        self, root: Path, mosquitto: Mosquitto, kafka: Kafka, module: str = "raspi_kafka", **more: Any
    ) -> None:
        root.mkdir()
        state = more.pop("state").state if "state" in more else root / "state"
        state.mkdir(exist_ok=True)
        self.state = state
        self.password = root / "password"
        self.password.write_text(f"{PASSWORD}\n")
        (self._metrics_port,) = free_ports(1)
        self._config = root / "bridge.yml"
        self._config.write_text(yaml.safe_dump(self._wanted(mosquitto, kafka, more)))
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(root / "notify"))
        self._notes: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()
        env = {
            "NOTIFY_SOCKET": str(root / "notify"),
            "STATE_DIRECTORY": str(state),
            "PYTHONPATH": os.pathsep.join((str(REPOSITORY / "edge" / "src"), str(REPOSITORY))),
        }
        command = [sys.executable, "-m", module, "bridge", "--config", self._config]
        super().__init__(command, root / "log", env)

    def _wanted(self, mosquitto: Mosquitto, kafka: Kafka, more: dict[str, Any]) -> dict[str, Any]:
        return {
            "mqtt": {
                "port": mosquitto.port,
                "username": BRIDGE,
                "client_id": BRIDGE,
                "password_file": str(self.password),
            },
            "kafka": {"bootstrap_servers": [kafka.server], "linger_ms": more.pop("linger_ms", 25)},
            "topics": [{"filter": "devices/+/#", "topic": TELEMETRY}],
            "dead_letter_topic": DEAD_LETTERS,
            "metrics": {"port": self._metrics_port},
            **more,
        }

    def start(self, *, ready: bool = True) -> None:
        self._notes.clear()
        super().start()
        if ready:
            until("the bridge is ready", lambda: self._alive() and "READY=1" in self.notes())

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
            with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics_port}/metrics", timeout=10) as answer:
                text = answer.read().decode()
        except (urllib.error.URLError, ConnectionError):
            return {}
        pairs = re.findall(rf"^{PREFIX}(\S+) (\S+)$", text, re.MULTILINE)
        return {name: float(value) for name, value in pairs}

    def quiet(self, seconds: float = 3) -> None:
        """Wait until all that was received is acknowledged and nothing more has come for a while."""
        still = 0.0
        before = -1.0

        def same() -> bool:
            nonlocal still, before
            now = self.metrics()
            received = now.get("received_total", -1.0)
            still = still + 0.5 if received == before and now.get("unacked", 1) == 0 else 0.0
            before = received
            return still >= seconds

        until("all is acknowledged", same, timeout=180, pause=0.5)

    def clean_up(self) -> None:
        super().clean_up()
        self._socket.close()
