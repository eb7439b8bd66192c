"""What a device does with a command."""

from __future__ import annotations

import json
from typing import Any

import pytest
from raspi_kafka.commands.device import REMEMBERED, Commands
from raspi_kafka.commands.queues import UNANSWERED

NOW_NS = 1_800_000_000_000_000_000
NOW_MS = NOW_NS // 1_000_000


def take(commands: Commands, now_ns: int = NOW_NS, **said: Any) -> tuple[dict[str, Any], float | None]:
    reply = commands.take(json.dumps({"id": "1", "expires_ms": NOW_MS + 1, **said}).encode(), now_ns)
    return json.loads(reply.answer), reply.interval_s


@pytest.fixture
def commands() -> Commands:
    return Commands("kitchen")


def test_a_ping_is_answered(commands: Commands) -> None:
    said = {"id": "1", "device": "kitchen", "command": "ping", "status": "done", "ts_ns": NOW_NS}
    assert take(commands, command="ping") == (said, None)


@pytest.mark.parametrize("seconds", [0.1, 5, 3600])
def test_an_interval_is_set_and_told(commands: Commands, seconds: float) -> None:
    said, interval_s = take(commands, command="interval", args={"seconds": seconds})
    assert (said["status"], said["seconds"], interval_s) == ("done", seconds, seconds)


@pytest.mark.parametrize(
    "args", [None, {}, 5, {"seconds": "5"}, {"seconds": 0.09}, {"seconds": 3601}, {"seconds": True}]
)
def test_an_interval_that_is_none_is_refused(commands: Commands, args: Any) -> None:
    said, interval_s = take(commands, command="interval", args=args)
    assert (said["status"], interval_s) == ("refused", None)
    assert 'give {"seconds": S}' in said["reason"]


def test_what_is_not_known_is_refused_with_a_reason(commands: Commands) -> None:
    said, _interval_s = take(commands, command="dance")
    assert (said["status"], said["reason"]) == ("refused", "this device knows no command 'dance'")


def test_what_has_expired_on_its_way_is_not_done(commands: Commands) -> None:
    said, interval_s = take(commands, command="interval", args={"seconds": 5}, expires_ms=NOW_MS)
    assert (said["status"], interval_s) == ("expired", None)


def test_a_clock_that_was_never_set_says_nothing_of_an_expiry(commands: Commands) -> None:
    assert take(commands, now_ns=0, command="ping", expires_ms=1)[0]["status"] == "done"


def test_a_doubled_command_is_answered_again_and_not_done_again(commands: Commands) -> None:
    first, _interval_s = take(commands, command="interval", args={"seconds": 5})
    assert take(commands, NOW_NS + 9, command="interval", args={"seconds": 5}) == (first, None)


def test_it_remembers_more_than_can_be_under_way(commands: Commands) -> None:
    """What is handed over again comes behind at most as many others as may be unanswered, and those before them."""
    assert 2 * UNANSWERED <= REMEMBERED
    for number in range(REMEMBERED + 1):
        take(commands, id=str(number), command="interval", args={"seconds": 5})
    assert take(commands, id="1", command="interval", args={"seconds": 5})[1] is None
    assert take(commands, id="0", command="interval", args={"seconds": 5})[1] == 5


@pytest.mark.parametrize("payload", [b"", b"ping", b"[]", b"{}", b'{"id": 1}', b"\xff", b"[" * 9999])
def test_what_has_no_id_is_not_answered(commands: Commands, payload: bytes) -> None:
    assert commands.take(payload, NOW_NS) == (b"", None)
