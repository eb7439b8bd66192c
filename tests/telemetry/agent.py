"""The agent as a process."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import yaml

from tests.bridge.mosquitto import PASSWORD
from tests.bridge.notified import Notified
from tests.hosts.cache import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

DEVICE = "pi1"


class Agent(Notified):
    """Keeps its folders over restarts, as with systemd.

    :param ports: of MQTT servers on loopback.
    :param runtime: folder that is there, for what is kept in memory; without it there is one on the disk.
    :param more: top-level keys of telemetry.yml.
    """

    def __init__(self, root: Path, *ports: int, runtime: Path | None = None, **more: object) -> None:
        self.state, self.runtime = root / "state", runtime or root / "runtime"
        for each in (root, self.state, self.runtime):
            each.mkdir(exist_ok=each == runtime)
        password = root / "password"
        password.write_text(f"{PASSWORD}\n")
        said = {
            "device": DEVICE,
            "mqtt": {"servers": [f"127.0.0.1:{port}" for port in ports], "password_file": str(password)},
            **more,
        }
        config = root / "telemetry.yml"
        config.write_text(yaml.safe_dump(said))
        env = {
            "STATE_DIRECTORY": str(self.state),
            "RUNTIME_DIRECTORY": str(self.runtime),
            "PYTHONPATH": os.pathsep.join((str(REPOSITORY / "edge" / "src"), str(REPOSITORY))),
        }
        command = [sys.executable, "-m", "raspi_kafka", "telemetry", "--config", config]
        super().__init__(root, command, env, 0)

    def power_cut(self) -> None:
        """End it, and lose what is in memory."""
        self.kill()
        for each in self.runtime.iterdir():
            each.unlink()

    def saved(self) -> int:
        """Return how many bytes of messages are on the disk."""
        return sum(path.stat().st_size for path in self.state.glob("*.messages"))

    def status(self) -> str:
        """Return what it has told systemd last."""
        return next((note for note in reversed(self.notes()) if note.startswith("STATUS=")), "")
