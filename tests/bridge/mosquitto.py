"""Mosquitto with users and an ACL like those of the gateway."""

from __future__ import annotations

import signal
import socket
import subprocess
from typing import TYPE_CHECKING

from tests.e2e.conftest import free_ports
from tests.hosts import package

from .process import Process, until

if TYPE_CHECKING:
    from pathlib import Path

BRIDGE = "raspi-kafka-bridge"
PASSWORD = "of a test"  # noqa: S105 - it protects nothing
AUTOSAVE_S = 2
CONFIG = """\
listener {port} 127.0.0.1
allow_anonymous false
use_username_as_clientid true
password_file {root}/passwords
acl_file {root}/acl
persistence true
persistence_location {root}/
autosave_interval {AUTOSAVE_S}
max_inflight_messages 1000
max_queued_messages 500000
max_packet_size 1572864
set_tcp_nodelay true
log_type error
log_type warning
log_type notice
sys_interval 1
{user}
"""
ACL = f"""\
pattern write devices/%u/#
user {BRIDGE}
topic read devices/#
topic read $SYS/broker/#
"""


class Mosquitto(Process):
    """On a port of its own, which it keeps over restarts.

    :param devices: names of its users beside the bridge.
    :param more: what stands in its ACL too.
    """

    def __init__(self, root: Path, devices: list[str], more: str = "") -> None:
        package.ensure({"mosquitto": "mosquitto", "mosquitto_passwd": "mosquitto"})
        root.mkdir()
        (self.port,) = free_ports(1)
        # As root it would give its rights away and could not read the files of the test.
        (root / "mosquitto.conf").write_text(
            CONFIG.format(port=self.port, root=root, user="user root", AUTOSAVE_S=AUTOSAVE_S)
        )
        self._acl = root / "acl"
        self._acl.write_text(ACL + more)
        passwords = root / "passwords"
        passwords.write_text("".join(f"{name}:{PASSWORD}\n" for name in (BRIDGE, *devices)))
        passwords.chmod(0o600)
        subprocess.run(["mosquitto_passwd", "-U", passwords], check=True, timeout=60)
        program = "/usr/sbin/mosquitto"
        super().__init__([program, "-c", root / "mosquitto.conf"], root / "log")

    def start(self) -> None:
        super().start()
        until("Mosquitto listens", self._listens)

    def allow(self, more: str) -> None:
        """Say this in the ACL too, from now on."""
        self._acl.write_text(self._acl.read_text() + more)
        self.signal(signal.SIGHUP)

    def _listens(self) -> bool:
        assert self.running, self.tail()
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True
