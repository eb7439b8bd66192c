"""Alerting as a process."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import yaml
from raspi_kafka.alert.topics import ALERTS, HEARTBEAT, STATE

from tests.bridge.mosquitto import PASSWORD
from tests.bridge.notified import Notified
from tests.e2e.conftest import free_ports
from tests.hosts.cache import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bridge.kafka import Cluster
    from tests.bridge.mosquitto import Mosquitto

USER = "raspi-kafka-alerting"
# As the role makes them, but for what they keep.
TOPICS = {ALERTS: (1, {}), STATE: (1, {"cleanup.policy": "compact"}), HEARTBEAT: (1, {})}


class Alerting(Notified):
    """Runs the product, or with `module` a control that differs from it in one thing.

    :param more: top-level keys of alert.yml.
    """

    prefix = "raspi_kafka_alerting_"

    def __init__(
        self, root: Path, mosquitto: Mosquitto, kafka: Cluster, rules: list[dict[str, Any]], **more: Any
    ) -> None:
        root.mkdir()
        module = more.pop("module", "raspi_kafka")
        env = more.pop("env", {})
        (root / "password").write_text(f"{PASSWORD}\n")
        (root / "rules.yml").write_text(yaml.safe_dump({"rules": rules}))
        (port,) = free_ports(1)
        wanted = {
            "kafka": {"bootstrap_servers": [kafka.server]},
            "instance": "pi",  # a static member of the group, which would be waited for otherwise
            "rules": [str(root / "rules.yml")],
            "mqtt": {"port": mosquitto.port, "username": USER, "password_file": str(root / "password")},
            "metrics": {"port": port},
            **more,
        }
        (root / "alert.yml").write_text(yaml.safe_dump(wanted))
        env = {"PYTHONPATH": os.pathsep.join((str(REPOSITORY / "edge" / "src"), str(REPOSITORY))), **env}
        command = [sys.executable, "-m", module, "alert", "run", "--config", root / "alert.yml"]
        super().__init__(root, command, env, port)
