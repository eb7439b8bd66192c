"""What is removed, and above all what is not."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.modules import uninstall
from ansible_collections.raspi.kafka.plugins.modules.uninstall import (
    Found,
    UninstallError,
    belongs_to,
    has_user,
    plan,
    read_manifest,
    refuse_foreign,
    remove,
    remove_empty,
    remove_records,
    run,
)

DATA = "/var/lib/kafka/data"
UNIT = "/etc/systemd/system/kafka.service"
IDENTITY = "/etc/kafka/identity.json"
PARAMS: dict[str, Any] = {
    "units": ["kafka.service", "raspi-kafka-clock.service"],
    "paths": ["/opt/raspi-kafka", UNIT, "/opt/kafka", "/gone"],
    "identity": IDENTITY,
    "user": "kafka",
    "data": False,
}
PRESENT = {"/opt/raspi-kafka", UNIT, "/opt/kafka", IDENTITY, f"{DATA}/ballast", "/var/log/journal"}
FOUND = Found(PRESENT, {DATA: 133_000_000}, user=True, packages=("python3-venv",))


def test_records_their_identity_and_their_owner_are_kept_unless_told() -> None:
    todo = plan(PARAMS, FOUND)
    assert todo.paths == [f"{DATA}/ballast", UNIT, "/opt/kafka", "/opt/raspi-kafka"]
    assert (todo.units, todo.data, todo.users) == (["kafka.service"], {}, [])
    assert todo.keeps == [
        f"{DATA} (records, 133 MB)",
        f"{IDENTITY} (whose they are)",
        "user kafka (owns them)",
        "package python3-venv",
        "/var/log/journal (what was logged)",
    ]


def test_told_so_records_go_too() -> None:
    todo = plan({**PARAMS, "data": True}, FOUND)
    assert todo.data == {DATA: 133_000_000}
    assert IDENTITY in todo.paths
    assert todo.removes[-2:] == [f"{DATA} (records, 133 MB, for good)", "user kafka"]
    assert todo.keeps == ["package python3-venv", "/var/log/journal (what was logged)"]


def test_a_unit_that_is_there_by_a_drop_in_of_ours_is_stopped() -> None:
    drop_in = "/etc/systemd/system/mosquitto.service.d/raspi-kafka.conf"
    params = {**PARAMS, "units": ["mosquitto.service", "kafka.service"], "paths": [*PARAMS["paths"], drop_in]}
    assert plan(params, dataclasses.replace(FOUND, present=PRESENT | {drop_in})).units == params["units"]
    assert plan(params, FOUND).units == ["kafka.service"]


def test_a_user_that_owns_nothing_that_stays_goes_even_where_records_stay() -> None:
    found = dataclasses.replace(FOUND, users=("raspi-kafka-bridge",))
    assert plan(PARAMS, found).users == ["raspi-kafka-bridge"]
    assert plan(PARAMS, dataclasses.replace(found, present=set())).users == []


def test_nothing_there_is_nothing_to_do() -> None:
    todo = plan({**PARAMS, "data": True}, Found(set()))
    assert todo.removes == []
    assert todo.units == []


def test_where_it_was_never_installed_nothing_of_others_is_touched() -> None:
    """Another Kafka has its configuration, a folder and a user of the same names."""
    todo = plan({**PARAMS, "data": True}, Found({UNIT, "/opt/kafka"}, empty=(DATA,), user=True))
    assert (todo.removes, todo.units, todo.users) == ([], [], [])


def test_the_mark_by_which_an_interrupted_run_knows_itself_goes_last() -> None:
    assert plan(PARAMS, FOUND).paths[-1] == "/opt/raspi-kafka"


def test_records_that_are_not_there_are_named_and_not_forgotten() -> None:
    found = Found(PRESENT, {DATA: 1}, lost=("/mnt/ssd",), user=True)
    assert "/mnt/ssd (records, on a disk that is not mounted)" in plan(PARAMS, found).keeps
    with pytest.raises(UninstallError, match=r"/mnt/ssd should have records and has none\. Is its disk mounted\?"):
        plan({**PARAMS, "data": True}, found)


def test_directories_that_were_made_and_never_formatted_go() -> None:
    assert f"{DATA} (empty)" in plan(PARAMS, Found({"/opt/raspi-kafka"}, empty=(DATA,))).removes


def test_only_what_kafka_has_formatted_for_this_cluster_holds_its_records(tmp_path: Path) -> None:
    assert not belongs_to(str(tmp_path), "")
    (tmp_path / "meta.properties").write_text("version=1\ncluster.id=KGP767fcRVmjEeylWqytHQ\nnode.id=1\n")
    assert belongs_to(str(tmp_path), "KGP767fcRVmjEeylWqytHQ")
    assert not belongs_to(str(tmp_path), "MkU3OEVBNTcwNTJENDM2Qk")


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


def test_the_manifest_says_whose_the_records_are_and_where(tmp_path: Path) -> None:
    manifest = tmp_path / "identity.json"
    manifest.write_text(json.dumps({"cluster_id": "KGP767fcRVmjEeylWqytHQ", "log_dirs": [DATA, "/mnt/ssd"]}))
    assert read_manifest(str(manifest)) == ("KGP767fcRVmjEeylWqytHQ", [DATA, "/mnt/ssd"])
    assert read_manifest(str(tmp_path / "none")) == ("", [])
    manifest.write_text("{}")
    with pytest.raises(UninstallError, match="does not say whose the records are"):
        read_manifest(str(manifest))


def test_of_records_what_says_whose_they_are_goes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.checkpoint", "meta.properties", "z.checkpoint"):
        (tmp_path / name).touch()
    gone: list[str] = []
    monkeypatch.setattr("os.unlink", gone.append)
    monkeypatch.setattr("os.rmdir", gone.append)
    remove_records(str(tmp_path))
    assert [Path(path).name for path in gone[-2:]] == ["meta.properties", tmp_path.name]


def test_a_link_goes_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    (tmp_path / "4.1.1").mkdir()
    (tmp_path / "current").symlink_to(tmp_path / "4.1.1")
    remove(str(tmp_path / "current"))
    assert [path.name for path in tmp_path.iterdir()] == ["4.1.1"]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What the module knows of a host below `tmp_path`, on which records are to be removed too."""
    monkeypatch.setattr(uninstall, "_OURS", str(tmp_path / "raspi-kafka"))
    for name in ("raspi-kafka", "release/4.1.1", "data/telemetry-0"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "identity.json").write_text(json.dumps({"cluster_id": "ours", "log_dirs": [str(tmp_path / "data")]}))
    (tmp_path / "data" / "meta.properties").write_text("cluster.id=ours\n")
    params = {
        "units": [],
        "paths": [str(tmp_path / "raspi-kafka"), str(tmp_path / "release")],
        "log_dirs": [str(tmp_path / "data")],
        "identity": str(tmp_path / "identity.json"),
        "user": "nobody-knows",
        "users": [],
        "data": True,
        "packages": [],
    }
    return SimpleNamespace(params=params, check_mode=False, run_command=lambda _words: (0, "", ""))


def test_all_that_is_ours_is_removed_on_demand(tmp_path: Path, host: SimpleNamespace) -> None:
    assert run(host)["changed"]
    assert list(tmp_path.iterdir()) == []


def test_a_directory_of_another_cluster_is_not_emptied(tmp_path: Path, host: SimpleNamespace) -> None:
    (tmp_path / "identity.json").unlink()
    run(host)
    assert (tmp_path / "data" / "telemetry-0").exists()


def test_a_disk_that_lost_its_identity_is_not_emptied(tmp_path: Path, host: SimpleNamespace) -> None:
    (tmp_path / "data" / "meta.properties").unlink()
    with pytest.raises(UninstallError, match="should have records and has none"):
        run(host)
    assert (tmp_path / "data" / "telemetry-0").exists()


def test_an_empty_directory_goes_unless_it_is_a_link_or_a_disk_is_mounted_there(
    tmp_path: Path, host: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("made", "mounted"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to("made")
    host.params["log_dirs"] = [str(tmp_path / name) for name in ("made", "mounted", "link", "none")]
    monkeypatch.setattr("os.path.ismount", lambda path: path == str(tmp_path / "mounted"))
    assert uninstall.look(host).empty == (str(tmp_path / "made"),)


def test_a_dry_run_removes_nothing(tmp_path: Path, host: SimpleNamespace) -> None:
    host.check_mode = True
    assert run(host)["changed"]
    assert (tmp_path / "release" / "4.1.1").exists()


def test_another_kafka_is_not_touched(tmp_path: Path, host: SimpleNamespace) -> None:
    (tmp_path / "release" / "bin").mkdir()
    with pytest.raises(UninstallError, match="was not made by this collection"):
        run(host)
    assert (tmp_path / "release" / "4.1.1").exists()


def test_a_program_that_fails_is_a_sentence(host: SimpleNamespace) -> None:
    host.run_command = lambda _words: (1, "", "Failed to connect to bus\n")
    with pytest.raises(
        UninstallError, match=r"^systemctl daemon-reload failed: Failed to connect to bus\. Run it again"
    ):
        run(host)


def test_only_a_user_of_the_system_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for uid, ours in ((999, True), (1000, False)):
        monkeypatch.setattr("pwd.getpwnam", lambda _name, uid=uid: SimpleNamespace(pw_uid=uid))
        assert has_user("kafka") is ours
