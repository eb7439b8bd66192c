"""What a Pi says of itself, from files as those of a Pi."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from raspi_kafka.telemetry.sensors import Sensors

FIRMWARE = "sys/devices/platform/soc@107c000000/soc@107c000000:firmware"
# Of a Pi 5; 4 of 16 GB are available, and every second tick is idle from the first reading to the second.
FILES = {
    "proc/stat": "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 1 1 1\n",
    "proc/meminfo": "MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:    4000000 kB\n",
    "proc/uptime": "351.27 1000.00\n",
    "sys/class/thermal/thermal_zone0/type": "gpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "99999\n",
    "sys/class/thermal/thermal_zone1/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone1/temp": "61537\n",
    "sys/class/hwmon/hwmon0/name": "cpu_thermal\n",
    "sys/class/hwmon/hwmon1/name": "rpi_volt\n",
    "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1\n",
    f"{FIRMWARE}/get_throttled": "50004\n",
}
LATER = "cpu  150 0 100 740 110 0 0 0 0 0\n"
CARD = "sys/devices/platform/mmc0/block/mmcblk0"


def pi(root: Path, **other: str | None) -> Path:
    """A root folder on a card of which the second partition is the file system; None takes a file away."""
    device = os.stat(root).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    card = {
        f"{CARD}/stat": "9 9 9 9 9 9 4000 9 9 9 9\n",
        f"{CARD}/mmcblk0p2/stat": "9 9 9 9 9 9 77 9 9 9 9\n",
        f"{CARD}/mmcblk0p2/partition": "2\n",
    }
    for name, text in {**FILES, **card, **other}.items():
        if text is not None:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
    (root / "sys/dev/block").mkdir(parents=True)
    (root / "sys/dev/block" / number).symlink_to(root / CARD / "mmcblk0p2")
    return root


def test_it_reads_what_a_pi_has(tmp_path: Path) -> None:
    sensors = Sensors(pi(tmp_path), lambda: True)
    assert sensors.read()["cpu"] == 20.0  # since boot
    (tmp_path / "proc/stat").write_text(LATER)
    room = os.statvfs(tmp_path)
    used = 100 * (room.f_blocks - room.f_bfree) / (room.f_blocks - room.f_bfree + room.f_bavail)
    said = sensors.read()
    assert said.pop("disk") == pytest.approx(used, abs=1)
    assert said == {
        "temperature": 61.5,
        "cpu": 50.0,
        "memory": 75.0,
        "written": 4000 * 512,
        "throttled": 4,
        "under_voltage": True,
        "clock": True,
        "uptime": 351,
    }


@pytest.mark.parametrize(("bits", "low"), [("50005", True), ("50004", False), ("0", False)])
def test_without_the_voltage_sensor_the_bit_of_now_says_whether_it_is_too_low(
    tmp_path: Path, bits: str, low: bool
) -> None:
    files = {"sys/class/hwmon/hwmon1/name": None, f"{FIRMWARE}/get_throttled": bits}
    assert Sensors(pi(tmp_path, **files), lambda: True).read()["under_voltage"] is low


def test_a_pi_4_has_the_bits_elsewhere(tmp_path: Path) -> None:
    files = {f"{FIRMWARE}/get_throttled": None, "sys/devices/platform/soc/soc:firmware/get_throttled": "2"}
    assert Sensors(pi(tmp_path, **files), lambda: True).read()["throttled"] == 2


def test_where_no_zone_is_the_processor_the_first_one_counts(tmp_path: Path) -> None:
    root = pi(tmp_path, **{"sys/class/thermal/thermal_zone1/type": "acpitz\n"})
    assert Sensors(root, lambda: True).read()["temperature"] == 100.0


def test_a_root_that_is_no_device_is_on_the_card(tmp_path: Path) -> None:
    """As an overlay in memory, or btrfs."""
    root = pi(tmp_path, **{"sys/block/mmcblk0/stat": "9 9 9 9 9 9 5 9\n"})
    next((root / "sys/dev/block").iterdir()).unlink()
    assert Sensors(root, lambda: True).read()["written"] == 5 * 512


def test_a_disk_without_partitions_counts_itself(tmp_path: Path) -> None:
    root = pi(tmp_path)
    (root / CARD / "mmcblk0p2/partition").unlink()
    assert Sensors(root, lambda: True).read()["written"] == 77 * 512


def test_a_sensor_that_is_missing_is_told_once_and_has_no_value(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def refuses() -> bool:
        raise OSError(1, "adjtimex is refused")

    caplog.set_level(logging.INFO)
    sensors = Sensors(tmp_path, refuses)
    for _time in range(3):
        said = sensors.read()
        assert said.pop("disk") >= 0
        assert set(said.values()) == {None}
    assert len(said) == 8
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == len(set(told)) == 8
    assert any(line.startswith("no clock on this computer: ") and "adjtimex is refused" in line for line in told)


def test_a_sensor_that_says_nonsense_for_a_time_is_read_again(tmp_path: Path) -> None:
    root = pi(tmp_path)
    sensors = Sensors(root, lambda: True)
    zone = root / "sys/class/thermal/thermal_zone1/temp"
    zone.write_text("\n")
    assert sensors.read()["temperature"] is None
    zone.write_text("50000\n")
    assert sensors.read()["temperature"] == 50.0
