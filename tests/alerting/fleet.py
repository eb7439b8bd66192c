"""A fleet of simulated devices that speak MQTT."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from tests.bridge.mosquitto import PASSWORD
from tests.bridge.process import Process
from tests.hosts.cache import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.bridge.mosquitto import Mosquitto

LONG_S = 900


class Fleet(Process):
    """Each device sends a message a second, until the process is ended."""

    def __init__(self, root: Path, mosquitto: Mosquitto, devices: Sequence[str], *options: str) -> None:
        root.mkdir()
        credentials = root / "credentials.json"
        credentials.write_text(json.dumps({"passwords": dict.fromkeys(devices, PASSWORD)}))
        given = {
            "mqtt": f"127.0.0.1:{mosquitto.port}",
            "credentials": credentials,
            "devices": len(devices),
            "ramp": 3,
            "hold": LONG_S,
        }
        command = [sys.executable, "-m", "raspi_kafka", "simulate", *(f"--{key}={each}" for key, each in given.items())]
        env = {"PYTHONPATH": os.fspath(REPOSITORY / "edge" / "src")}
        super().__init__([*command, *options], root / "log", env)
