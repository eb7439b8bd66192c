"""What comes out of it while the MQTT server is there."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import pytest

from tests.bridge.mosquitto import BRIDGE, Mosquitto
from tests.bridge.process import running, until

from .agent import DEVICE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .agent import Agent
    from .reader import Reader

KEYS = (
    *("device", "kind", "seq", "ts_ns", "temperature", "cpu", "memory", "disk", "written", "throttled"),
    *("under_voltage", "clock", "uptime"),
)


def test_it_says_what_it_measures_in_order_and_its_time(agent: Agent, reader: Reader) -> None:
    agent.start()
    reader.until_more(10)
    first = reader.messages[0]
    assert tuple(first) == KEYS
    assert (first["device"], first["kind"]) == (DEVICE, "pi")
    assert math.isclose(first["ts_ns"] / 1e9, time.time(), abs_tol=60)
    # What every Linux has; what it says of sensors is judged with files of a Pi, in tests/unit/edge.
    for key in ("cpu", "memory", "disk"):
        assert 0 <= first[key] <= 100, first
    assert first["uptime"] > 0
    assert isinstance(first["clock"], bool)
    numbers = reader.numbers()
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_it_tells_systemd_that_messages_are_acknowledged_only_once_they_are(
    agent: Agent, mosquitto: Mosquitto, reader: Reader
) -> None:
    mosquitto.stop()
    agent.start()
    until("it says that it waits", lambda: "messages wait here" in agent.status())
    mosquitto.start()
    until("it says that they are acknowledged", lambda: "acknowledged by" in agent.status())
    assert f"127.0.0.1:{mosquitto.port}" in agent.status()
    reader.until_more(1)


def test_the_last_message_says_that_it_is_switched_off(agent: Agent, reader: Reader) -> None:
    agent.start()
    reader.until_more(3)
    assert agent.stop() == 0
    until("the last message has come", lambda: reader.messages[-1].get("bye") is True)
    assert [message for message in reader.messages[:-1] if "bye" in message] == []


def test_nothing_is_given_to_a_server_where_nobody_would_get_it(agent: Agent, request: pytest.FixtureRequest) -> None:
    """Mosquitto acknowledges it, and says by MQTT 5 that there is no subscriber."""
    agent.start()
    until("it says why", lambda: "nobody would get them" in agent.status())
    time.sleep(3)  # long enough for more refusals than it would bear if there were another server
    reader = request.getfixturevalue("reader")
    reader.until_more(5)
    numbers = reader.numbers()
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    waited = agent.log.read_text()
    assert waited.count("nobody would get them") == 1, waited
    assert "it takes no messages" not in waited


def test_it_goes_to_the_next_server_when_one_is_gone(
    make: Callable[..., Agent], mosquitto: Mosquitto, reader: Reader
) -> None:
    """The first port is nobody's."""
    agent = make(1, mosquitto.port)
    agent.start()
    reader.until_more(5)
    assert f"127.0.0.1:{mosquitto.port}" in agent.status()


@pytest.mark.parametrize("rights", [None, f"user {BRIDGE}\ntopic read devices/#\n"], ids=["nobody", "no rights"])
def test_it_goes_to_the_next_server_when_one_takes_nothing(
    make: Callable[..., Agent], mosquitto: Mosquitto, reader: Reader, tmp_path: Path, rights: str | None
) -> None:
    """The first one lets it in, and has nobody who subscribes, or gives it no right to write."""
    first = Mosquitto(tmp_path / "first", [DEVICE])
    if rights:
        (tmp_path / "first" / "acl").write_text(rights)
    with running(first):
        agent = make(first.port, mosquitto.port)
        agent.start()
        until(
            "it is at the second one",
            lambda: f"acknowledged by the MQTT server 127.0.0.1:{mosquitto.port}" in agent.status(),
        )
        reader.until_more(20)
    numbers = reader.numbers()
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    said = agent.log.read_text()
    assert ("may not write to" if rights else "nobody would get them") in said
    assert f"no connection to the MQTT server 127.0.0.1:{first.port}: it takes no messages" in said
