"""The bridge as a process."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import yaml

from tests.e2e.conftest import free_ports
from tests.hosts.cache import REPOSITORY

from .kafka import DEAD_LETTERS, TELEMETRY
from .mosquitto import BRIDGE, PASSWORD
from .notified import Notified
from .process import until

if TYPE_CHECKING:
    from pathlib import Path

    from .kafka import Kafka
    from .mosquitto import Mosquitto


class Bridge(Notified):
    """Runs the product, or with `module` a control that differs from it in one thing.

    :param more: top-level keys of bridge.yml; `linger_ms`; `state`, a bridge whose state directory it takes over.
    """

    prefix = "raspi_kafka_bridge_"
    instance = "pi"

    def __init__(
        self, root: Path, mosquitto: Mosquitto, kafka: Kafka, module: str = "raspi_kafka", **more: Any
    ) -> None:
        root.mkdir()
        state = more.pop("state").state if "state" in more else root / "state"
        state.mkdir(exist_ok=True)
        self.state = state
        self.password = root / "password"
        self.password.write_text(f"{PASSWORD}\n")
        (port,) = free_ports(1)
        self._config = root / "bridge.yml"
        self._config.write_text(yaml.safe_dump({**self._wanted(mosquitto, kafka, more), "metrics": {"port": port}}))
        env = {
            "STATE_DIRECTORY": str(state),
            "PYTHONPATH": os.pathsep.join((str(REPOSITORY / "edge" / "src"), str(REPOSITORY))),
        }
        command = [sys.executable, "-m", module, "bridge", "--config", self._config]
        super().__init__(root, command, env, port)

    def _wanted(self, mosquitto: Mosquitto, kafka: Kafka, more: dict[str, Any]) -> dict[str, Any]:
        return {
            "instance": self.instance,
            "mqtt": {
                "port": mosquitto.port,
                "username": BRIDGE,
                "client_id": BRIDGE,
                "password_file": str(self.password),
            },
            "kafka": {"bootstrap_servers": [kafka.server], "linger_ms": more.pop("linger_ms", 25)},
            "topics": [{"filter": "devices/+/#", "topic": TELEMETRY}],
            "dead_letter_topic": DEAD_LETTERS,
            **more,
        }

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
