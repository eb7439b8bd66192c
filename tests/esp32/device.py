"""A device as a process: the firmware as it is, with another `board`."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.bridge.mosquitto import PASSWORD
from tests.bridge.process import Process, until
from tests.hosts.cache import REPOSITORY

from . import micropython

if TYPE_CHECKING:
    from pathlib import Path

FIRMWARE = REPOSITORY / "examples" / "esp32"
BOARD = REPOSITORY / "tests" / "esp32" / "flash"
NAME = "kitchen"
# What is in flash, as the firmware itself reads it.
LOOK = """\
import board, main
from ring import Ring
ring = Ring(board.DATA + "/ring")
print("{} {} {}".format(ring.next, ring.acked, ring.dropped))
"""


@dataclass(frozen=True)
class Kept:
    """What is in flash.

    :ivar last: the number of the newest message.
    """

    last: int
    acked: int
    dropped: int


class Device(Process):
    """Has a flash that outlasts its lives, and Wi-Fi from the start.

    :param broker: port of the MQTT broker on loopback.
    :param ntp: that of the time server.
    """

    def __init__(self, root: Path, broker: int, ntp: int, **settings: Any) -> None:
        root.mkdir()
        self.root = root
        for path in [*FIRMWARE.glob("*.py"), *BOARD.glob("*.py")]:
            shutil.copy(path, root)
        said = {
            "device": NAME,
            "password": PASSWORD,
            "brokers": [f"127.0.0.1:{broker}"],
            "wifi_ssid": "a network",
            "wifi_password": "not asked for",
            "ntp": f"127.0.0.1:{ntp}",
            "interval_s": 0.1,
            "flash_s": 0.5,
            "keep_alive_s": 4,
            **settings,
        }
        (root / "settings.json").write_text(json.dumps(said))
        self.wifi(up=True)
        self._micropython = micropython.command()
        # A process begins in its folder.
        super().__init__(["env", f"--chdir={root}", *self._micropython, "main.py"], root / "log")

    def wifi(self, *, up: bool) -> None:
        """Let it have Wi-Fi, or say that there is none."""
        flag = self.root / "wifi"
        flag.touch() if up else flag.unlink()

    def stop(self) -> int:
        """Press Ctrl-C."""
        self.signal(signal.SIGINT)
        return self.ended()

    def kept(self) -> Kept:
        """Look into the flash of a device that does not run."""
        assert not self.running
        command = ["env", f"--chdir={self.root}", *self._micropython, "-c", LOOK]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        following, acked, dropped = map(int, done.stdout.split())
        return Kept(following - 1, acked, dropped)

    def says(self, text: str) -> None:
        """Wait until its log has a text."""
        until(f"the device says {text!r}", lambda: text in self._alive().tail())

    def _alive(self) -> Device:
        assert self.running, self.tail()
        return self
