"""What is a command, and what is none; answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from raspi_kafka.commands import answer, record
from raspi_kafka.commands.record import LONGEST_LIFE_MS, MOST_BYTES, MisfitError
from raspi_kafka.commands.writer import headers

GIVEN_MS = 1_700_000_000_000
HOUR_MS = 3_600_000


def parse(key: bytes | None = b"kitchen", **said: Any) -> record.Command:
    return record.parse(key, json.dumps({"id": "1", "command": "ping", **said}).encode(), GIVEN_MS, HOUR_MS)


def test_a_command_has_what_its_device_needs() -> None:
    found = parse(args={"seconds": 5}, device="kitchen", expires_ms=GIVEN_MS + 5)
    assert (found.device, found.id, found.given_ms, found.expires_ms) == ("kitchen", "1", GIVEN_MS, GIVEN_MS + 5)
    assert json.loads(found.payload) == {
        "id": "1",
        "command": "ping",
        "args": {"seconds": 5},
        "expires_ms": GIVEN_MS + 5,
    }


def test_a_command_that_does_not_say_when_it_expires_does_so_after_the_default() -> None:
    found = parse()
    assert found.expires_ms == GIVEN_MS + HOUR_MS
    assert json.loads(found.payload) == {"id": "1", "command": "ping", "expires_ms": GIVEN_MS + HOUR_MS}


@pytest.mark.parametrize(
    "said",
    [
        {"expires_ms": GIVEN_MS + LONGEST_LIFE_MS},
        {"expires_ms": 0},
        {"id": "x" * 64},
        {"args": None},
        {"args": [1, {"a": "\ud800"}]},
    ],
)
def test_what_is_just_right_is_a_command(said: dict[str, Any]) -> None:
    assert json.loads(parse(**said).payload).items() >= said.items()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"expires_ms": GIVEN_MS + LONGEST_LIFE_MS + 1}, "more than a day"),
        ({"expires_ms": -1}, "`expires_ms` is -1"),
        ({"expires_ms": True}, "`expires_ms` is True"),
        ({"expires_ms": 1.5}, "`expires_ms` is 1.5"),
        ({"expires_ms": None}, "`expires_ms` is None"),
        ({"id": ""}, "`id` is ''"),
        ({"id": "x" * 65}, "1 to 64 characters"),
        ({"id": 7}, "`id` is 7"),
        ({"command": "two words"}, "use letters"),
        ({"command": ""}, "`command` is ''"),
        ({"device": "hall"}, "let both name the same device"),
        ({"expire_ms": 1}, "no key 'expire_ms'"),
        ({"args": "x" * MOST_BYTES}, "at most"),
        ({"\ud800": 1}, r"no key '\\ud800'"),
    ],
)
def test_what_does_not_fit_is_none(said: dict[str, Any], why: str) -> None:
    with pytest.raises(MisfitError, match=why):
        parse(**said)


@pytest.mark.parametrize("key", [None, b"", b"+", b"#", b"a/b", b"a b", b"\xff", b"x" * 65, b"$SYS", b"a\n"])
def test_a_key_that_no_device_can_be_called_is_refused(key: bytes | None) -> None:
    with pytest.raises(MisfitError, match="the key is"):
        parse(key)


@pytest.mark.parametrize("value", [None, b"", b"ping", b"\xff", b"[]", b'"a"', b"NaN", b'{"args": NaN}', b"[" * 9999])
def test_a_value_that_is_no_json_object_is_refused(value: bytes | None) -> None:
    with pytest.raises(MisfitError, match="the value is no JSON"):
        record.parse(b"kitchen", value, GIVEN_MS, HOUR_MS)


def test_an_answer_is_known_by_the_key_of_its_record() -> None:
    """The device is whoever may write to the MQTT topic, not whom the payload names."""
    found = answer.parse(b"kitchen", b'{"id": "1", "device": "hall", "status": "done"}')
    assert found == ("kitchen", "1", "done")
    assert answer.parse(b"kitchen", answer.told(parse(), "expired", "away")) == ("kitchen", "1", "expired")


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"done",
        b"[]",
        b"{}",
        b'{"id": 1, "status": "done"}',
        b'{"id": "1", "status": ""}',
        b'{"id": "1", "status": 1}',
        b'{"id": "", "status": "done"}',
        b'{"id": "%b", "status": "done"}' % (b"x" * 65),
        b"[" * 9999,
    ],
)
def test_what_is_no_answer_is_none_and_not_quoted(value: bytes | None) -> None:
    with pytest.raises(ValueError, match=r"no answer|Expecting|nested") as wrong:
        answer.parse(b"kitchen", value)
    assert len(str(wrong.value)) < 200


@pytest.mark.parametrize("key", [None, b"", b"\xff", b"x" * 65])
def test_an_answer_of_what_is_no_device_is_none(key: bytes | None) -> None:
    with pytest.raises(ValueError, match=r"no answer|decode"):
        answer.parse(key, b'{"id": "1", "status": "done"}')


def test_the_longest_id_of_a_command_is_one_of_an_answer_too() -> None:
    assert answer.parse(b"kitchen", b'{"id": "%b", "status": "done"}' % (b"x" * 64)).id == "x" * 64


def test_a_status_that_a_device_makes_up_is_counted_as_other() -> None:
    assert [answer.counted_as(each) for each in ("done", "refused", "expired")] == ["done", "refused", "expired"]
    assert {answer.counted_as(str(number)) for number in range(99)} == {"other"}


@pytest.mark.parametrize("args", ["1e999", "-1e999", '{"a": [1e999]}'])
def test_a_number_that_only_python_has_reaches_no_device(args: str) -> None:
    value = f'{{"id": "1", "command": "ping", "args": {args}}}'.encode()
    with pytest.raises(MisfitError, match="`args` has a number that is too large"):
        record.parse(b"kitchen", value, GIVEN_MS, HOUR_MS)


def test_however_deep_a_value_is_nested_it_is_a_command_or_a_misfit() -> None:
    """What can be read may be too deep to be written."""
    for depth in (1, *range(10, 30_000, 7)):
        args = b"[" * depth + b"]" * depth
        try:
            record.parse(b"kitchen", b'{"id": "1", "command": "ping", "args": %b}' % args, GIVEN_MS, HOUR_MS)
        except MisfitError:
            return
    pytest.fail("nothing was too deep")


def test_a_header_may_quote_what_utf_8_can_not_have() -> None:
    assert headers(kafka_topic="a", reason="no key \ud800\xe4") == [
        ("kafka.topic", b"a"),
        ("reason", b"no key \\ud800\xc3\xa4"),
    ]
