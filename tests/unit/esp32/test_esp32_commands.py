"""Commands to an ESP32, and its settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from firmware import load
from raspi_kafka.commands.device import REMEMBERED

commands = load("commands")
mqtt = load("mqtt")
settings = load("settings")
NOW_NS = 1_700_000_000_000_000_000


class Told:
    """Commands, and how often their state was kept."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {"interval_s": 10, "answered": []}
        self.kept = 0
        self._commands = commands.Commands("kitchen", self.state, self._keep)

    def _keep(self) -> None:
        self.kept += 1

    def ask(self, now_ns: int | None = NOW_NS, **said: Any) -> Any:
        answer = self._commands.answer(json.dumps({"id": "1", **said}).encode(), now_ns)
        return answer and json.loads(answer)


def test_a_ping_is_done_and_costs_no_write() -> None:
    told = Told()
    assert told.ask(command="ping") == {
        "id": "1",
        "device": "kitchen",
        "command": "ping",
        "status": "done",
        "ts_ns": NOW_NS,
    }
    assert told.kept == 0


@pytest.mark.parametrize("seconds", [0.1, 1, 3600])
def test_an_interval_is_taken_and_kept(seconds: float) -> None:
    told = Told()
    answer = told.ask(command="interval", args={"seconds": seconds})
    assert (answer["status"], answer["seconds"]) == ("done", seconds)
    assert (told.state["interval_s"], told.kept) == (seconds, 1)


@pytest.mark.parametrize(
    "args", [None, {}, [], {"seconds": "1"}, {"seconds": 0.09}, {"seconds": 3601}, {"seconds": True}]
)
def test_what_is_no_interval_is_refused(args: Any) -> None:
    told = Told()
    answer = told.ask(command="interval", args=args)
    assert (answer["status"], answer["reason"]) == ("refused", "seconds must be a number from 0.1 to 3600")
    assert (told.state["interval_s"], told.kept) == (10, 0)


def test_a_command_that_comes_again_is_answered_the_same_and_not_done() -> None:
    told = Told()
    first = told.ask(command="interval", args={"seconds": 1})
    told.ask(id="2", command="interval", args={"seconds": 2})
    assert told.ask(command="interval", args={"seconds": 1}, now_ns=NOW_NS + 1) == first
    assert told.state["interval_s"] == 2


def test_only_the_last_ids_are_known() -> None:
    told = Told()
    for number in range(100):
        told.ask(id=str(number), command="ping")
    assert [known for known, _answer in told.state["answered"]] == [str(number) for number in range(68, 100)]
    assert commands.LATELY >= REMEMBERED, "what the service of commands needs"


def test_a_command_expires() -> None:
    last = NOW_NS // 1_000_000
    assert Told().ask(command="ping", expires_ms=last)["status"] == "done"
    assert Told().ask(command="ping", expires_ms=last - 1)["status"] == "expired"
    assert Told().ask(None, command="ping", expires_ms=1)["status"] == "done", "the gateway gives out none that has"
    assert Told().ask(None, command="ping")["status"] == "done"
    assert Told().ask(command="ping", expires_ms="soon")["status"] == "refused"


def test_an_unknown_command_is_refused() -> None:
    assert "there is no such command" in Told().ask(command="explode")["reason"]


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[]", b"1", b'{"id": "1"}', b'{"command": "ping"}'])
def test_what_cannot_be_answered_is_not(payload: bytes) -> None:
    told = Told()
    assert told._commands.answer(payload, NOW_NS) is None


CUT = b', "command": "ping", "args": "xxx'


@pytest.mark.parametrize("known", ["1", "x" * 64, '"', "a \\", "\xe4\u20ac"])
@pytest.mark.parametrize("separators", [None, (",", ":")])
def test_a_command_that_is_too_long_is_refused_and_not_remembered(known: str, separators: Any) -> None:
    told = Told()
    cut = json.dumps({"id": known}, separators=separators).encode()[:-1] + CUT
    said = json.loads(told._commands.too_long(cut, NOW_NS))
    reason = "it is too long: 440 bytes fit on this device"
    assert said == {"id": known, "device": "kitchen", "status": "refused", "reason": reason, "ts_ns": NOW_NS}
    assert told.state["answered"] == []


@pytest.mark.parametrize(
    "cut",
    [b"", b"x", b'{"id":', b'{"id":1' + CUT, b'{"id":""' + CUT, b'{"id":"xx', b'{"id":"x\\"', b'{"a": "b", "id": "1"'],
)
def test_where_no_id_can_be_read_nothing_is_answered(cut: bytes) -> None:
    assert Told()._commands.too_long(cut, NOW_NS) is None


def test_what_is_promised_to_fit_does_so_beside_the_longest_name() -> None:
    topic = "cmd/" + "x" * 64
    assert 2 + len(topic) + 2 + commands.FITS_BYTES <= mqtt.MOST_BYTES


GOOD = {"device": "kitchen", "password": "p", "brokers": ["pi:1883"], "wifi_ssid": "w", "wifi_password": ""}


def test_settings_have_defaults() -> None:
    found = settings.checked({**GOOD, "interval_s": 1})
    assert (found["interval_s"], found["flash_s"], found["device"]) == (1, 10, "kitchen")


@pytest.mark.parametrize(
    ("said", "says"),
    [({**GOOD, "wifi_ssid": ""}, "lacks wifi_ssid"), ({**GOOD, "intervall_s": 1}, "has intervall_s, which is no")],
)
def test_settings_that_do_not_work_are_told(said: dict[str, Any], says: str) -> None:
    with pytest.raises(settings.SettingsError, match=says):
        settings.checked(said)


def test_a_file_that_is_missing_or_no_json_is_told(tmp_path: Path) -> None:
    with pytest.raises(settings.SettingsError, match="is not there"):
        settings.load(str(tmp_path / "x"))
    (tmp_path / "x").write_text("{")
    with pytest.raises(settings.SettingsError, match="is no JSON"):
        settings.load(str(tmp_path / "x"))


def test_a_place_has_a_port_or_gets_one() -> None:
    assert settings.host_port("pi:1884", 1883) == ("pi", 1884)
    assert settings.host_port("pi", 1883) == ("pi", 1883)
