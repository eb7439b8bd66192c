"""A time server of the machine's own clock, which it leaves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bridge.process import Process
from tests.e2e.conftest import free_ports
from tests.hosts import package

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
port {port}
cmdport 0
bindaddress 127.0.0.1
bindcmdaddress /
pidfile {root}/pid
local stratum 3
allow 127.0.0.1
user root
"""


class Chrony(Process):
    """chronyd on a port of its own."""

    def __init__(self, root: Path) -> None:
        package.ensure({"chronyd": "chrony"})
        root.mkdir()
        (self.port,) = free_ports(1)
        config = root / "chrony.conf"
        config.write_text(CONFIG.format(port=self.port, root=root))
        super().__init__(["/usr/sbin/chronyd", "-d", "-x", "-U", "-f", config], root / "log")
