"""What telemetry.yml may say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from raspi_kafka.cli import main
from raspi_kafka.settings import ConfigError
from raspi_kafka.telemetry import config


def said(root: Path, **more: Any) -> dict[str, Any]:
    """What a file says."""
    (root / "password").write_text("secret\n")
    mqtt = {"servers": ["127.0.0.1:1883", "[::1]:1884"], "password_file": str(root / "password")}
    return {"device": "pi1", "mqtt": mqtt, **more}


def test_it_knows_where_to_publish_and_as_whom(tmp_path: Path) -> None:
    wanted = config.parse(said(tmp_path, interval="0.5s", buffer_mib=2))
    assert [(each.host, each.port, each.username, each.password) for each in wanted.servers] == [
        ("127.0.0.1", 1883, "pi1", "secret"),
        ("::1", 1884, "pi1", "secret"),
    ]
    assert (wanted.topic, wanted.interval_s, wanted.buffer_bytes) == ("devices/pi1/telemetry", 0.5, 2 << 20)
    assert "secret" not in str(wanted)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"device": "a/b"}, "device: `a/b` can't be a level"),
        ({"interval": "0.01s"}, "interval: it must be from 0.1s to 60s"),
        ({"interval": "2m"}, "interval: it must be from 0.1s to 60s"),
        ({"buffer_mib": 0}, "buffer_mib: 0 is out of range"),
        ({"bufer_mib": 1}, "did you mean `buffer_mib`?"),
        ({"mqtt": {"servers": [], "password_file": "x"}}, "mqtt.password_file: x can't be read"),
    ],
)
def test_what_cannot_be_followed_is_refused(tmp_path: Path, more: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        config.parse(said(tmp_path, **more))
    assert says in str(refused.value)


def test_a_file_can_be_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "telemetry.yml"
    path.write_text(yaml.safe_dump(said(tmp_path)))
    assert main(["telemetry", "--config", str(path), "--check"]) == 0
    path.write_text("device: pi1\n")
    assert main(["telemetry", "--config", str(path), "--check"]) == 2
    assert f"{path}:1: mqtt: it is missing" in capsys.readouterr().err
