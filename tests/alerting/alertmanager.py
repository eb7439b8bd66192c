"""Alertmanager as a process."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from tests.bridge.process import Process, until
from tests.e2e.conftest import free_ports
from tests.hosts import package

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
route: {receiver: nobody}
receivers: [{name: nobody}]
"""


class Alertmanager(Process):
    """On a port of its own, which it keeps over restarts; what it knows of alerts it has in memory alone."""

    def __init__(self, root: Path) -> None:
        package.ensure({"prometheus-alertmanager": "prometheus-alertmanager"})
        root.mkdir()
        (self._port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self._port}"
        config = root / "alertmanager.yml"
        config.write_text(CONFIG)
        options = [
            f"--config.file={config}",
            f"--storage.path={root / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--cluster.listen-address=",
        ]
        super().__init__(["prometheus-alertmanager", *options], root / "log")

    def start(self) -> None:
        super().start()
        until("Alertmanager answers", self._ready)

    def _ready(self) -> bool:
        assert self.running, self.tail()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/-/ready", timeout=10) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    def active(self) -> dict[str, dict[str, Any]]:
        """Return the alerts that fire, by our own id."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/api/v2/alerts", timeout=10) as answer:
            return {each["annotations"]["id"]: each for each in json.load(answer)}
