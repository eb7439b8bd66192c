"""What is removed, and above all what is not."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.modules.uninstall import (
    UninstallError,
    has_records,
    log_dirs_of,
    plan,
    refuse_foreign,
    remove,
    remove_empty,
    remove_records,
    run,
)

DATA = "/var/lib/kafka/data"
PARAMS: dict[str, Any] = {
    "units": ["kafka.service", "raspi-kafka-clock.service"],
    "paths": ["/etc/systemd/system/kafka.service", "/opt/kafka", "/gone"],
    "identity": "/etc/kafka/identity.json",
    "user": "kafka",
    "data": False,
}
PRESENT = {"/etc/systemd/system/kafka.service", "/opt/kafka", "/etc/kafka/identity.json", f"{DATA}/ballast"}


def test_records_their_identity_and_their_owner_are_kept_unless_told() -> None:
    todo = plan(PARAMS, PRESENT, {DATA: 133_000_000}, user=True)
    assert todo.paths == ["/etc/systemd/system/kafka.service", "/opt/kafka", f"{DATA}/ballast"]
    assert (todo.units, todo.data, todo.user) == (["kafka.service"], [], "")
    assert todo.keeps == [
        f"{DATA} (records, 133 MB)",
        "/etc/kafka/identity.json (whose they are)",
        "user kafka (owns them)",
    ]


def test_told_so_records_go_too() -> None:
    todo = plan({**PARAMS, "data": True}, PRESENT, {DATA: 1}, user=True)
    assert todo.data == [DATA]
    assert "/etc/kafka/identity.json" in todo.paths
    assert todo.removes[-2:] == [f"{DATA} (records)", "user kafka"]
    assert todo.keeps == []


def test_nothing_there_is_nothing_to_do() -> None:
    todo = plan({**PARAMS, "data": True}, set(), {}, user=False)
    assert todo.removes == []
    assert todo.units == []


def test_only_what_kafka_has_formatted_holds_records(tmp_path: Path) -> None:
    assert not has_records(str(tmp_path))
    (tmp_path / "meta.properties").write_text("node.id=1\n")
    assert has_records(str(tmp_path))


def test_records_go_and_a_disk_that_is_mounted_there_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "telemetry-0").mkdir(parents=True)
        (tmp_path / name / "telemetry-0" / "00.log").write_text("records")
        (tmp_path / name / "lost+found").mkdir() if name == "b" else None
    remove_records(str(tmp_path / "a"))
    assert not (tmp_path / "a").exists()
    monkeypatch.setattr("os.path.ismount", lambda path: path == str(tmp_path / "b"))
    remove_records(str(tmp_path / "b"))
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["lost+found"]


def test_empty_folders_of_ours_go_and_others_stay(tmp_path: Path) -> None:
    for name in ("etc/kafka", "var/kafka", "opt"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "var/kafka/kept").touch()
    remove_empty({str(tmp_path / "etc/kafka"), str(tmp_path / "var/kafka"), str(tmp_path / "opt")})
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["etc", "kafka", "kept", "opt", "var"]
    assert not (tmp_path / "etc/kafka").exists()


def test_what_others_have_made_is_refused(tmp_path: Path) -> None:
    unit = tmp_path / "kafka.service"
    unit.write_text("ExecStart=/opt/raspi-kafka/venv/bin/python")
    refuse_foreign([str(unit), str(tmp_path / "none")])
    unit.write_text("ExecStart=/home/pi/kafka/bin/kafka-server-start.sh")
    with pytest.raises(UninstallError, match=r"kafka\.service was not made by this collection"):
        refuse_foreign([str(unit)])
    (tmp_path / "kafka" / "bin").mkdir(parents=True)
    with pytest.raises(UninstallError, match="was not made by this collection"):
        refuse_foreign([str(tmp_path / "kafka")])


def test_the_manifest_lists_further_directories(tmp_path: Path) -> None:
    (tmp_path / "identity.json").write_text(json.dumps({"log_dirs": [DATA, "/mnt/ssd"]}))
    assert log_dirs_of(str(tmp_path / "identity.json")) == [DATA, "/mnt/ssd"]
    assert log_dirs_of(str(tmp_path / "none")) == []


def test_a_link_goes_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    (tmp_path / "4.1.1").mkdir()
    (tmp_path / "current").symlink_to(tmp_path / "4.1.1")
    remove(str(tmp_path / "current"))
    assert [path.name for path in tmp_path.iterdir()] == ["4.1.1"]


def module(tmp_path: Path, **more: Any) -> SimpleNamespace:
    """A host below `tmp_path` with a release and a log directory, and no user of ours."""
    (tmp_path / "opt" / "kafka" / "4.1.1").mkdir(parents=True)
    (tmp_path / "data" / "telemetry-0").mkdir(parents=True)
    params = {
        "units": [],
        "paths": [str(tmp_path / "opt" / "kafka")],
        "log_dirs": [str(tmp_path / "data")],
        "identity": str(tmp_path / "identity.json"),
        "user": "nobody-knows",
        "data": True,
    }
    return SimpleNamespace(params=params, check_mode=more.get("check_mode", False))


def test_what_kafka_has_formatted_is_removed_on_demand(tmp_path: Path) -> None:
    host = module(tmp_path)
    (tmp_path / "data" / "meta.properties").touch()
    assert run(host)["removes"] == [str(tmp_path / "opt" / "kafka"), f"{tmp_path / 'data'} (records)"]
    assert [path.name for path in tmp_path.iterdir()] == ["opt"]


def test_a_directory_without_records_is_not_emptied(tmp_path: Path) -> None:
    run(module(tmp_path))
    assert (tmp_path / "data" / "telemetry-0").exists()


def test_a_dry_run_removes_nothing(tmp_path: Path) -> None:
    assert run(module(tmp_path, check_mode=True))["changed"]
    assert (tmp_path / "opt" / "kafka" / "4.1.1").exists()


def test_another_kafka_is_not_touched(tmp_path: Path) -> None:
    host = module(tmp_path)
    (tmp_path / "opt" / "kafka" / "bin").mkdir()
    with pytest.raises(UninstallError, match="was not made by this collection"):
        run(host)
    assert (tmp_path / "opt" / "kafka" / "4.1.1").exists()
