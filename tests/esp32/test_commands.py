"""What an owner asks of a device, by MQTT."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from paho.mqtt.client import CallbackAPIVersion, Client

from tests.bridge.mosquitto import PASSWORD
from tests.bridge.process import until

from .conftest import HOME
from .device import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Line
    from .device import Device

# What a device and this machine may be apart: an answer of the time server can be late by as much as it is waited for.
CLOCK_NS = 30 * 10**9


class Home:
    """Who sends commands, and hears the answers."""

    def __init__(self, port: int) -> None:
        self.answers: list[dict[str, Any]] = []
        self._client = Client(CallbackAPIVersion.VERSION2, HOME)
        self._client.username_pw_set(HOME, PASSWORD)
        self._client.on_message = lambda _client, _data, message: self.answers.append(json.loads(message.payload))
        self._client.connect("127.0.0.1", port)
        self._client.subscribe(f"answers/{NAME}", qos=1)
        self._client.loop_start()

    def send(self, said: object) -> None:
        self._client.publish(f"cmd/{NAME}", json.dumps(said), qos=1).wait_for_publish(30)

    def ask(self, said: dict[str, Any]) -> dict[str, Any]:
        """Send a command and return its answer."""
        before = len(self.answers)
        self.send(said)
        until("the device answers", lambda: len(self.answers) > before)
        return self.answers[-1]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def home(line: Line) -> Iterator[Home]:
    home = Home(line.mosquitto.port)
    yield home
    home.close()


@pytest.fixture
def device(line: Line) -> Device:
    device = line.device()
    device.start()
    line.flows(3)
    return device


@pytest.mark.usefixtures("device")
def test_a_ping_is_answered(home: Home) -> None:
    answer = home.ask({"id": "1", "command": "ping", "args": {}, "expires_ms": time.time_ns() // 1000000 + 60000})
    assert abs(answer.pop("ts_ns") - time.time_ns()) < CLOCK_NS
    assert answer == {"id": "1", "device": "kitchen", "command": "ping", "status": "done"}


@pytest.mark.usefixtures("device")
def test_what_is_late_or_unknown_is_not_done(home: Home) -> None:
    assert home.ask({"id": "1", "command": "ping", "expires_ms": 1})["status"] == "expired"
    answer = home.ask({"id": "2", "command": "explode"})
    assert (answer["status"], answer["reason"]) == ("refused", "there is no such command; there are ping and interval")


def test_an_interval_is_kept_over_a_restart_and_a_command_that_comes_again_is_answered_again(
    line: Line, device: Device, home: Home
) -> None:
    first = {"id": "1", "command": "interval", "args": {"seconds": 60}}
    done = home.ask(first)
    assert (done["status"], done["seconds"]) == ("done", 60)
    device.kill()
    before = device.kept().last
    device.start()
    assert home.ask(first) == done
    time.sleep(2)  # twenty messages at the interval of the settings
    device.kill()
    assert device.kept().last <= before + 1
    device.start()
    assert home.ask({"id": "2", "command": "interval", "args": {"seconds": 0.1}})["status"] == "done"
    assert home.ask(first) == done
    line.flows(20)


def test_a_command_that_is_too_long_is_refused(line: Line, device: Device, home: Home) -> None:
    longest = {"id": "1", "command": "ping", "args": ""}
    longest["args"] = "x" * (440 - len(json.dumps(longest)))
    assert home.ask(longest)["status"] == "done"
    answer = home.ask({"id": "2", "command": "ping", "args": "x" * 5000})
    assert (answer["id"], answer["status"]) == ("2", "refused")
    assert answer["reason"] == "it is too long: 440 bytes fit on this device"
    line.flows(3)
    assert "connection lost" not in device.tail()


def test_without_a_time_server_it_does_what_the_gateway_gives_it(line: Line, home: Home) -> None:
    line.ntp.kill()
    device = line.device()
    device.start()
    line.flows(3)
    assert home.ask({"id": "1", "command": "ping", "expires_ms": time.time_ns() // 1000000 + 60000}) == {
        "id": "1",
        "device": "kitchen",
        "command": "ping",
        "status": "done",
    }


def test_a_command_waits_for_a_device_that_is_away(device: Device, home: Home) -> None:
    device.kill()
    home.send({"id": "1", "command": "ping"})
    device.start()
    until("it is answered", lambda: home.answers)
    assert home.answers[0]["status"] == "done"


def test_what_is_no_command_does_no_harm(line: Line, device: Device, home: Home) -> None:
    for said in ("x" * 5000, [], {"id": 1, "command": "ping"}, {"id": "1"}):
        home.send(said)
    assert home.ask({"id": "1", "command": "ping"})["status"] == "done"
    line.flows(10)
    assert "connection lost" not in device.tail()
