"""The service of commands as a process."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import yaml
from raspi_kafka.commands.topics import ANSWERS, COMMANDS

from tests.bridge.mosquitto import PASSWORD
from tests.bridge.notified import Notified
from tests.e2e.conftest import free_ports
from tests.hosts.cache import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bridge.kafka import Cluster
    from tests.bridge.mosquitto import Mosquitto

USER = "raspi-kafka-commands"
# As the role makes them, but for what they keep.
TOPICS = {COMMANDS: (1, {}), ANSWERS: (1, {})}
PYTHONPATH = os.pathsep.join((str(REPOSITORY / "edge" / "src"), str(REPOSITORY)))


class Service(Notified):
    """Runs the product, or with `module` a control that differs from it in one thing.

    :param more: top-level keys of commands.yml.
    """

    prefix = "raspi_kafka_commands_"

    def __init__(self, root: Path, mosquitto: Mosquitto, kafka: Cluster, module: str, **more: Any) -> None:
        root.mkdir()
        (root / "password").write_text(f"{PASSWORD}\n")
        (port,) = free_ports(1)
        wanted = {
            "instance": root.name,
            "kafka": {"bootstrap_servers": [kafka.server]},
            "mqtt": {"port": mosquitto.port, "username": USER, "password_file": str(root / "password")},
            "metrics": {"port": port},
            **more,
        }
        (root / "commands.yml").write_text(yaml.safe_dump(wanted))
        command = [sys.executable, "-m", module, "command", "run", "--config", root / "commands.yml"]
        super().__init__(root, command, {"PYTHONPATH": PYTHONPATH}, port)
