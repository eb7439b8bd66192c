"""The command line, and the file of the service."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from raspi_kafka import cli
from raspi_kafka.commands import config, send
from raspi_kafka.settings import ConfigError

WORDS = ["command", "send", "--kafka", "127.0.0.1:1", "--device", "kitchen", "--command", "ping"]


def wanted(root: Path, **more: Any) -> Path:
    (root / "password").write_text("secret\n")
    said = {
        "instance": "pi",
        "kafka": {"bootstrap_servers": ["a:1"]},
        "mqtt": {"username": "commands", "password_file": str(root / "password")},
        **more,
    }
    (root / "commands.yml").write_text(yaml.safe_dump(said))
    return root / "commands.yml"


def test_the_file_has_defaults(tmp_path: Path) -> None:
    found = config.load(wanted(tmp_path))
    assert (found.life_ms, found.dead_letter_topic, found.metrics.port) == (3_600_000, "dead-letters", 9467)
    assert (found.mqtt.port, found.mqtt.password) == (1883, "secret")
    assert "secret" not in repr(found)
    assert cli.main(["command", "run", "--check", "--config", str(tmp_path / "commands.yml")]) == 0


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"default_expiry": "25h"}, "out of range"),
        ({"default_expiry": "0s"}, "out of range"),
        ({"default_expiry": 60}, "not a duration"),
        ({"instance": "a\nb"}, "consumer group"),
        ({"dead_letter_topic": "a b"}, "no name of a Kafka topic"),
        ({"defaultexpiry": "1h"}, "did you mean `default_expiry`"),
    ],
)
def test_a_file_that_can_not_be_followed_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: dict[str, Any], why: str
) -> None:
    path = wanted(tmp_path, **more)
    with pytest.raises(ConfigError, match=why):
        config.load(path)
    assert cli.main(["command", "run", "--check", "--config", str(path)]) == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["--device", "a/b"], "no device can be called"),
        (["--command", "two words"], "use letters"),
        (["--args", "{seconds: 5}"], "is no JSON"),
        (["--args", "NaN"], "NaN is none"),
        (["--args", "1e999"], "Infinity is none"),
        (["--expires", "25h"], "more than a day"),
        (["--expires", "soon"], "not a duration"),
        (["--id", "x" * 65], "1 to 64 characters"),
        (["--kafka", "pi1"], "write HOST:PORT"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], more: list[str], why: str
) -> None:
    monkeypatch.setattr(send, "send", lambda *_given: pytest.fail("it was sent"))
    assert cli.main([*WORDS, *more]) == 2
    said = capsys.readouterr().err
    assert said.startswith("nothing was sent: ")
    assert why in said


@pytest.mark.parametrize(
    ("answer", "code"), [({"status": "done"}, 0), ({"status": "refused"}, 1), ({"status": "expired"}, 1), (None, 1)]
)
def test_the_answer_is_printed_and_decides_how_it_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: dict[str, Any] | None, code: int
) -> None:
    sent = []
    monkeypatch.setattr(send, "send", lambda servers, one: sent.append((servers, one)) or answer)
    assert cli.main([*WORDS, "--args", "[1]", "--expires", "30s", "--id", "7"]) == code
    ((servers, one),) = sent
    said = json.loads(one.value)
    assert (servers, one.device, said["id"], said["command"], said["args"]) == (
        ("127.0.0.1:1",),
        "kitchen",
        "7",
        "ping",
        [1],
    )
    assert abs(said["expires_ms"] / 1000 - time.time() - 30) < 20
    out = capsys.readouterr()
    assert json.loads(out.out) == answer if answer else "nobody has answered command 7" in out.err


def test_each_command_has_an_id_of_its_own() -> None:
    wanted = send.Wanted("kitchen", "ping", None, 60.0)
    assert send.prepared(wanted).id != send.prepared(wanted).id
