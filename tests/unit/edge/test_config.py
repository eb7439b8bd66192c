"""What bridge.yml may say, and how it is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from raspi_kafka.bridge import config
from raspi_kafka.bridge.config import Kafka
from raspi_kafka.cli import main
from raspi_kafka.settings import Address, ConfigError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def said(tmp_path: Path) -> dict[str, Any]:
    """The least that is needed."""
    (tmp_path / "password").write_text("secret\nanother line\n")
    return {
        "instance": "pi",
        "mqtt": {"username": "me", "client_id": "me", "password_file": str(tmp_path / "password")},
        "kafka": {"bootstrap_servers": ["127.0.0.1:19092"]},
        "topics": [{"filter": "devices/+/#", "topic": "telemetry"}],
    }


def put(said: dict[str, Any], path: str, value: Any) -> None:
    """Set a key by its path; None removes it."""
    *parents, last = path.split(".")
    place: Any = said
    for name in parents:
        place = place[int(name)] if name.isdigit() else place.setdefault(name, {})
    if value is None:
        del place[last]
    else:
        place[last] = value


def test_all_but_who_and_where_has_a_default(said: dict[str, Any]) -> None:
    found = config.parse(said)
    assert (found.mqtt.host, found.mqtt.port, found.mqtt.session_expiry_s) == ("127.0.0.1", 1883, 1_209_600)
    assert found.mqtt.password == "secret"  # noqa: S105 - it is of the test
    assert found.kafka == Kafka(("127.0.0.1:19092",), 25)
    assert found.dead_letter_topic == "dead-letters"
    assert found.metrics == Address("127.0.0.1", 9465)
    assert [(tree.filter, tree.topic, tree.device_level, tree.schema) for tree in found.topics] == [
        ("devices/+/#", "telemetry", 2, None)
    ]


def test_the_level_of_the_device_may_be_another_plus(said: dict[str, Any]) -> None:
    said["topics"] = [{"filter": "a/+/+/#", "topic": "t", "device_level": 3}]
    assert config.parse(said).topics[0].device_level == 3


@pytest.mark.parametrize(
    ("path", "value", "where", "why"),
    [
        ("mqtt.hots", "x", "mqtt.hots", "did you mean `host`?"),
        ("mqqt", {}, "mqqt", "did you mean `mqtt`?"),
        ("topics.0.devicelevel", 2, "topics[0].devicelevel", "did you mean `device_level`?"),
        ("zzz", 1, "zzz", "known are dead_letter_topic, instance, kafka"),
        ("mqtt", None, "mqtt", "missing"),
        ("mqtt.username", None, "mqtt.username", "give it a text"),
        ("mqtt.port", "1883", "mqtt.port", "'1883' is not a whole number"),
        ("mqtt.port", True, "mqtt.port", "True is not a whole number"),
        ("mqtt.port", 65536, "mqtt.port", "1 to 65535"),
        ("mqtt.session_expiry_s", 0xFFFFFFFF, "mqtt.session_expiry_s", "3600 to 4294967294"),
        ("mqtt.client_id", "", "mqtt.client_id", "empty"),
        ("mqtt.password_file", "/nowhere/it", "mqtt.password_file", "No such file"),
        ("kafka.linger_ms", 1001, "kafka.linger_ms", "0 to 1000"),
        ("kafka.bootstrap_servers", [], "kafka.bootstrap_servers", "HOST:PORT"),
        ("kafka.bootstrap_servers", ["pi"], "kafka.bootstrap_servers[0]", "HOST:PORT"),
        ("kafka.bootstrap_servers", ["a:1", "b:99999"], "kafka.bootstrap_servers[1]", "HOST:PORT"),
        ("kafka.bootstrap_servers", "a:1", "kafka.bootstrap_servers", "not a list"),
        ("topics", [], "topics", "carry nothing"),
        ("topics.0", "devices/#", "topics[0]", "not a mapping"),
        ("topics.0.filter", "devices/#", "topics[0].filter", "put `+` where the device's name stands"),
        ("topics.0.filter", "a+/#", "topics[0].filter", "`+` stands alone"),
        ("topics.0.device_level", 1, "topics[0].device_level", "no `+`"),
        ("topics.0.device_level", 9, "topics[0].device_level", "no `+`"),
        ("topics.0.topic", "a b", "topics[0].topic", "letters, digits"),
        ("topics.0.topic", "dead-letters", "topics[0].topic", "choose another"),
        ("topics.0.schema", "/nowhere/it.json", "topics[0].schema", "No such file"),
        ("dead_letter_topic", "..", "dead_letter_topic", "no name of a Kafka topic"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_to_do(
    said: dict[str, Any], path: str, value: Any, where: str, why: str
) -> None:
    if path == "topics.0":
        said["topics"] = [value]
    else:
        put(said, path, value)
    with pytest.raises(ConfigError) as refused:
        config.parse(said)
    assert str(refused.value).startswith(f"{where}: ")
    assert why in str(refused.value)


def test_filters_that_overlap_are_refused(said: dict[str, Any]) -> None:
    said["topics"].append({"filter": "+/x/b", "topic": "other"})
    with pytest.raises(ConfigError, match=r"^topics\[1\]\.filter: .* topics\[0\]\.filter `devices/\+/#` match"):
        config.parse(said)


@pytest.mark.parametrize("text", ["{", '{"type": "strnig"}', "[]", '{"$ref": "#/definitions/x"}'])
def test_a_schema_that_is_none_is_refused(said: dict[str, Any], tmp_path: Path, text: str) -> None:
    (tmp_path / "schema.json").write_text(text)
    said["topics"][0]["schema"] = str(tmp_path / "schema.json")
    with pytest.raises(ConfigError, match=r"^topics\[0\]\.schema: .* is of no use: "):
        config.parse(said)


def test_what_the_validator_itself_fails_at_does_not_fit(said: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text('{"properties": {"t": {"type": "number", "multipleOf": 0.5}}}')
    said["topics"][0]["schema"] = str(tmp_path / "schema.json")
    misfit = config.parse(said).topics[0].schema
    assert misfit is not None
    assert "OverflowError" in misfit(b'{"t": 1e400}')
    assert misfit(b'{"t": 1.5}') == ""


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b'{"t": 1}', ""),
        (b'{"t": "1"}', "must be number"),
        (b"{", "Expecting"),
        (b"\xff\xff", "codec"),
        (b"", "Expect"),
    ],
)
def test_a_schema_tells_what_does_not_fit(said: dict[str, Any], tmp_path: Path, payload: bytes, why: str) -> None:
    (tmp_path / "schema.json").write_text('{"properties": {"t": {"type": "number"}}}')
    said["topics"][0]["schema"] = str(tmp_path / "schema.json")
    misfit = config.parse(said).topics[0].schema
    assert misfit
    assert (misfit(payload) == "") == (why == "")
    assert why in misfit(payload)


def test_a_payload_that_is_nested_without_end_does_not_fit(said: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text("{}")
    said["topics"][0]["schema"] = str(tmp_path / "schema.json")
    misfit = config.parse(said).topics[0].schema
    assert misfit
    assert misfit(b"[" * 200_000)


# --- the command


@pytest.fixture
def file(said: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "bridge.yml"
    path.write_text(json.dumps(said))
    return path


def test_check_says_nothing_about_a_good_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bridge", "--config", str(file), "--check"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("text", ["a: [", "[]", "just a text", "", "\x00", None])
def test_check_refuses_a_file_that_is_no_configuration_by_one_line(
    file: Path, text: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    assert main(["bridge", "--config", str(file), "--check"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{file}: ")


def test_a_password_file_without_a_password_is_refused(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "password").write_text("\n")
    for check in (["--check"], []):
        assert main(["bridge", "--config", str(file), *check]) == 2
        assert "is empty; write the password there" in capsys.readouterr().err


def test_a_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "bridge.yml"
    file.write_text("# a comment\nmqtt:\n  username: x\n  prot: 1883\ninstance: pi\nkafka: {}\ntopics: []\n")
    with pytest.raises(ConfigError, match=r"bridge\.yml:4: mqtt\.prot: there is no such key; did you mean `port`\?"):
        config.load(file)
