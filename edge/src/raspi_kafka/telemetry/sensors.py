"""What a computer measures of itself, out of /proc and /sys.

Read here, and not by psutil: it is a handful of lines of text, of which psutil knows neither throttling nor what was
written to the card, and it would be a wheel more for each Pi.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import clock

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

# A Pi 5 has soc@107c000000 where others have soc. The file, and not vcgencmd, which were a process a second and needs
# a device that the sandbox of the unit hides.
THROTTLED = "sys/devices/platform/soc*/soc*:firmware/get_throttled"
# What is so now; higher bits are what has been so before (vcgencmd get_throttled).
NOW = 0xF
UNDER_VOLTAGE = 1
SECTOR_BYTES = 512  # of the block layer, whatever the disk has (the kernel's block/stat.rst)
WRITTEN_SECTORS = 6


class MissingError(Exception):
    """There is no such sensor."""


class Sensors:
    """Reads all of them.

    :param root: where /proc and /sys are; the disk is the one that this folder is on.
    """

    def __init__(self, root: Path = Path("/"), synchronised: Callable[[], bool] = clock.synchronised) -> None:
        self._root = root
        self._missing: set[str] = set()
        self._temperature = temperature_file(root)
        self._throttled = first(root, THROTTLED)
        self._voltage = named(root / "sys/class/hwmon", "name", "rpi_volt", "in0_lcrit_alarm")
        self._disk = disk_file(root)
        self._cpu_before = (0, 0)  # when it booted
        self._readers: dict[str, Callable[[], Any]] = {
            "temperature": lambda: round(int(text(self._temperature)) / 1000, 1),
            "cpu": self._cpu,
            "memory": self._memory,
            "disk": self._used,
            "written": lambda: int(text(self._disk).split()[WRITTEN_SECTORS]) * SECTOR_BYTES,
            "throttled": lambda: self._bits() & NOW,
            "under_voltage": self._under_voltage,
            "clock": synchronised,
            "uptime": lambda: int(float(text(root / "proc/uptime").split()[0])),
        }

    def read(self) -> dict[str, Any]:
        """Return all values by name; None where there is no sensor, which the journal is told once."""
        return {name: self._value(name) for name in self._readers}

    def _value(self, name: str) -> Any:
        try:
            return self._readers[name]()
        except (MissingError, OSError, MemoryError, ValueError, IndexError, KeyError, ZeroDivisionError) as why:
            if name not in self._missing:
                log.info("no %s on this computer: %s", name, why)
            self._missing.add(name)
            return None

    def _cpu(self) -> float | None:
        """Return per cent of all cores since the last call, or since boot (proc_stat(5)); None if none has passed."""
        ticks = [int(each) for each in text(self._root / "proc/stat").split("\n", 1)[0].split()[1:9]]
        total, idle = sum(ticks), ticks[3] + ticks[4]
        (total_before, idle_before), self._cpu_before = self._cpu_before, (total, idle)
        return round(100 * (1 - (idle - idle_before) / (total - total_before)), 1) if total > total_before else None

    def _memory(self) -> float:
        """Return per cent that programs could not have any more (proc_meminfo(5))."""
        lines = (line.split() for line in text(self._root / "proc/meminfo").splitlines())
        kib = {fields[0]: int(fields[1]) for fields in lines if fields[0] in ("MemTotal:", "MemAvailable:")}
        return round(100 * (1 - kib["MemAvailable:"] / kib["MemTotal:"]), 1)

    def _used(self) -> float:
        """Return per cent as df(1) does: what is kept for root counts as neither used nor free."""
        room = os.statvfs(self._root)
        used = room.f_blocks - room.f_bfree
        return round(100 * used / (used + room.f_bavail), 1)

    def _bits(self) -> int:
        return int(text(self._throttled), 16)

    def _under_voltage(self) -> bool:
        if self._voltage:
            return text(self._voltage).strip() == "1"
        return bool(self._bits() & UNDER_VOLTAGE)


def text(path: Path | None) -> str:
    """Return what a file says.

    :raises MissingError: there is none.
    :raises OSError: it can't be read.
    """
    if path is None:
        raise MissingError("it has no such sensor")
    return path.read_text(encoding="ascii")


def first(root: Path, pattern: str) -> Path | None:
    """Return the first file that fits."""
    return next(iter(sorted(root.glob(pattern))), None)


def named(folder: Path, key: str, name: str, file: str) -> Path | None:
    """Return a file of the subfolder whose file `key` says `name`."""
    for each in sorted(folder.glob(f"*/{key}")):
        try:
            if each.read_text(encoding="ascii").strip() == name:
                return each.parent / file
        except OSError:
            continue
    return None


def temperature_file(root: Path) -> Path | None:
    """Return the file of the processor's thermal zone, or of the first one where none is called so."""
    thermal = root / "sys/class/thermal"
    return named(thermal, "type", "cpu-thermal", "temp") or first(thermal, "thermal_zone*/temp")


def disk_file(root: Path) -> Path | None:
    """Return the counters of the whole disk with the root file system; of a card where that is not to be known."""
    device = os.stat(root).st_dev
    place = root / f"sys/dev/block/{os.major(device)}:{os.minor(device)}"
    if place.exists():
        place = place.resolve()
        return (place.parent if (place / "partition").exists() else place) / "stat"
    return first(root, "sys/block/mmcblk*/stat")
