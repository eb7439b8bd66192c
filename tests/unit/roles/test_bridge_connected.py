"""Whether a reload of Mosquitto could lose messages, from lines that a kernel printed."""

from __future__ import annotations

import importlib.util
import os
import pwd
import socket
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "roles" / "mosquitto" / "files" / "bridge_connected.py"
_SPEC = importlib.util.spec_from_file_location("bridge_connected", SCRIPT)
bridge_connected = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(bridge_connected)
PORT = 1883  # 075B
# The broker listens; user 995 is connected from port 40806 (the bridge's end, then the broker's), user 1000 was.
LISTENS = (
    "   0: 00000000:075B 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 51 1 0 100 0 0 10 0"
)
BRIDGE = (
    "   1: 0100007F:9F66 0100007F:075B 01 00000000:00000000 00:00000000 00000000   995        0 52 1 0 20 4 30 10 -1"
)
BROKER = (
    "   2: 0100007F:075B 0100007F:9F66 01 00000000:00000000 00:00000000 00000000   101        0 53 1 0 20 4 30 10 -1"
)
ENDED = "   3: 0100007F:9F68 0100007F:075B 06 00000000:00000000 03:00001566 00000000   995        0 54 3 0"
SIX = (
    "   0: 00000000000000000000000001000000:9F66 00000000000000000000000001000000:075B 01 00000000:00000000 "
    "00:00000000 00000000   995        0 55 1 0 20 4 30 10 -1"
)


@pytest.mark.parametrize("line", [BRIDGE, SIX])
def test_the_bridge_is_known_by_its_user(line: str) -> None:
    assert bridge_connected.connected([LISTENS, BROKER, line], PORT, 995)
    assert not bridge_connected.connected([LISTENS, BROKER, line], PORT, 1000)


def test_another_port_is_another_broker() -> None:
    assert not bridge_connected.connected([BRIDGE], 1884, 995)


def test_a_connection_that_ended_and_a_listener_are_none() -> None:
    assert not bridge_connected.connected([LISTENS, BROKER, ENDED, ""], PORT, 995)
    assert not bridge_connected.connected([LISTENS], PORT, 101)


def test_a_connection_of_this_host_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        port = server.getsockname()[1]
        assert bridge_connected.connected(bridge_connected.connections(), port, os.getuid())
        assert bridge_connected.main(port, pwd.getpwuid(os.getuid()).pw_name) is None
    assert not bridge_connected.connected(bridge_connected.connections(), port, os.getuid())


def test_while_the_bridge_is_away_there_is_a_reason() -> None:
    me = pwd.getpwuid(os.getuid()).pw_name
    assert bridge_connected.main(1, me).startswith(f"{me} is not connected, and a reload could lose messages for it:")


def test_where_there_is_no_bridge_nothing_can_be_lost() -> None:
    assert bridge_connected.main(1, "nobody-has-this-name") is None
