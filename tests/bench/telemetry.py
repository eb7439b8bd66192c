"""What the telemetry agent costs as a process: while all is well, and while its MQTT server is away."""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path

from tests.bridge.mosquitto import Mosquitto
from tests.bridge.process import running, until
from tests.hosts.step import step
from tests.telemetry.agent import DEVICE, Agent
from tests.telemetry.reader import Reader

from .line import cpu_seconds, peak_mib
from .table import Row, computer, load, table

SECONDS = 90
SETTLE_S = 5
# What a Pi can spare for it; a core of a Pi 4 is a third as fast.
CORE_PERCENT, MIB = 1.0, 30.0


def cost(agent: Agent) -> tuple[float, float]:
    """Return per cent of a core, and bytes that the process has had written to a disk, over SECONDS."""
    time.sleep(SETTLE_S)
    cpu, disk, began = cpu_seconds(agent.pid), written(agent.pid), time.monotonic()
    time.sleep(SECONDS)
    took = time.monotonic() - began
    return 100 * (cpu_seconds(agent.pid) - cpu) / took, (written(agent.pid) - disk) * 60 / took


def written(pid: int) -> int:
    """Return bytes (proc(5): write_bytes)."""
    return int(re.search(r"^write_bytes: (\d+)", Path(f"/proc/{pid}/io").read_text(), re.MULTILINE)[1])


def main() -> str:
    folder = tempfile.TemporaryDirectory
    # In memory, as the runtime directory of a unit is.
    with folder(prefix="raspi-kafka-bench-") as on_disk, folder(prefix="raspi-kafka-bench-", dir="/dev/shm") as memory:
        root = Path(on_disk)
        with running(Mosquitto(root / "mosquitto", [DEVICE])) as mosquitto:
            reader = Reader(mosquitto.port)
            agent = Agent(root / "agent", mosquitto.port, runtime=Path(memory))
            with running(agent):
                until("messages come", reader.numbers)
                with step(f"an agent whose server is there, for {SECONDS} s"):
                    there = cost(agent)
                peak = peak_mib(agent.pid)
                mosquitto.stop()
                with step(f"an agent whose server is away, for {SECONDS} s"):
                    away = cost(agent)
                peak_away = peak_mib(agent.pid)
            reader.close()
    rows = [
        Row("CPU, % of a core", [there[0]], [], limit=CORE_PERCENT),
        Row("the same while the server is away", [away[0]], [], limit=CORE_PERCENT),
        Row("memory at most (RSS), MiB", [peak], [], limit=MIB),
        Row("the same after the server was away", [peak_away], [], limit=MIB),
        Row("bytes written to the disk a minute", [there[1]], []),
        Row("the same while the server is away", [away[1]], []),
    ]
    notes = f"A message a second, over {SECONDS} s each. {computer()}; load {load()}"
    return table("The telemetry agent", rows, notes)
