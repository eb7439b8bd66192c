"""The MQTT broker: what is refused, what is written for it, and when it is reloaded; and the playbook of devices."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from plays import CHECKED, FACTS, Host, failures, run

LISTENER = 'LISTEN 0 5 0.0.0.0:1883 0.0.0.0:* users:(("python3",pid=7,fd=3)) ino:1 cgroup:/x.service <->'
OWN_LISTENER = LISTENER.replace("x.service", "system.slice/mosquitto.service")
TASMOTA = [{"filter": "tele/+/#", "reads": ["cmnd/+/#", "cmnd/tasmotas/#"]}, {"filter": "stat/+/#"}]
ZIGBEE = [{"filter": "zigbee2mqtt/+/#", "publishers": ["zigbee2mqtt", "home"], "reads": ["zigbee2mqtt/#"]}]
NO_FILE = {"failed": True, "msg": "file not found"}
OWN_FILTERS = ("devices/+/#", "raspi-kafka-verify/+/#", "raspi-kafka-heartbeat/+/#", "answers/+")
SERVICES = {"raspi-kafka-alerting", "raspi-kafka-bridge", "raspi-kafka-commands", "raspi-kafka-verify"}


def subscribed(*filters: str) -> list[dict[str, str]]:
    """What slurp tells of the bridge's session."""
    return [file(json.dumps({"client_id": "x", "filters": ["more/+"], "subscribed": filters})), NO_FILE]


def file(text: str) -> dict[str, str]:
    """What slurp tells of a file."""
    return {"content": base64.b64encode(text.encode()).decode()}


def host(root: Path, name: str = "pi1", answers: dict[str, Any] | None = None, **variables: Any) -> Host:
    """A Raspberry Pi with 4 GB, Debian 13, and nothing of ours on it."""
    told = {
        "setup": [{"ansible_facts": {**FACTS, "distribution_major_version": "13"}}],
        "slurp": subscribed(*OWN_FILTERS),
        # No listeners, no package missing, the version, and files as they were read.
        "command": [{"stdout": ""}, {"stdout": "0 0"}, {"stdout": "2.0.21-1", "rc": 0}, {"rc": 0}],
        "host_files": [{"changed": True, "changed_paths": []}],
        "unit_started": [{"done": True, "active": True}],
        **(answers or {}),
    }
    return Host(root / "hosts", name, told, **variables)


def deploy(root: Path, *hosts: Host, arguments: tuple[str, ...] = (), **more: str) -> tuple[int, str]:
    """Run the role, or a file of its tasks, and print its warnings."""
    tasks = [
        {"ansible.builtin.import_role": {"name": "raspi.kafka.mosquitto", **more}},
        {"ansible.builtin.debug": {"msg": "warned: {{ mosquitto_warnings | default([]) | join(' ') }}"}},
    ]
    (root / "role.yml").write_text(json.dumps([{"hosts": "pis", "gather_facts": True, "tasks": tasks}]))
    return run(root, inventory(*hosts), *arguments, book=str(root / "role.yml"))


def inventory(*hosts: Host) -> str:
    return "\n".join(["[pis]", *(one.line() for one in hosts), ""])


def credentials(root: Path, name: str = "pi1") -> dict[str, str]:
    return yaml.safe_load((root / "credentials" / f"{name}.yml").read_text())["passwords"]


def known(root: Path, name: str = "pi1", **passwords: str) -> None:
    """Let the control node have a file with passwords."""
    path = root / "credentials" / f"{name}.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"passwords": passwords}))
    path.chmod(0o600)


# --- what is refused before anything changes


class Case(NamedTuple):
    """One thing that is wrong, the task that refuses it, and parts of the message."""

    task: str
    says: tuple[str, ...]
    answers: dict[str, Any]
    variables: dict[str, Any]


def case(task: str, *says: str, **answers: Any) -> Any:
    """Leave the settings to what follows: case(...)(name=value)."""
    return lambda **variables: Case(task, says, answers, variables)


OFF = "mqtt_bridge_enabled=false"
SETTINGS = case("Refuse contradictory settings", "mosquitto_port must lie between 1024 and 65535", OFF)
CASES = {
    "a port of another program": case(
        "Refuse a port that another program has",
        "Port 1883 is taken by python3 (pid 7) in x.service.",
        "mosquitto_port",
        OFF,
        command=[{"stdout": LISTENER}],
    )(),
    "trees that overlap": case("Refuse trees that cannot be", "devices/+/# and +/x overlap", "mosquitto_trees", OFF)(
        mosquitto_trees=[{"filter": "+/x"}]
    ),
    "a tree where alerting publishes": case(
        "Refuse trees that cannot be", "The tree alerts/+/# overlaps alerts/#, where this collection publishes", OFF
    )(mosquitto_trees=[{"filter": "alerts/+/#", "publishers": ["home"]}]),
    "trees as a text": case("Refuse trees that cannot be", "mosquitto_trees is a text")(mosquitto_trees="tele/+/#"),
    "a low port": SETTINGS(mosquitto_port=883),
    "a port that is none": SETTINGS(mosquitto_port=65536),
    "a port of Kafka": SETTINGS(mosquitto_port=9092, _kraft_broker_ports=[9092, 19092]),
    "no interval": SETTINGS(mosquitto_autosave_interval=0),
    "an interval that saves nothing": SETTINGS(mosquitto_autosave_interval=3601),
    "users that this control node does not know": case(
        "Refuse users that this control node does not know",
        "has the MQTT users bath, kitchen, and",
        "credentials/pi",
        "Copy that file from the computer that it was made on",
        "-e revoke=bath",
        mosquitto_users=[{"users": ["raspi-kafka-bridge", "kitchen", "bath"]}],
    )(),
}


@pytest.fixture(scope="module")
def refused(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Case -> its host, and task and message, from one run over all cases that are asked for."""
    root = tmp_path_factory.mktemp("refusals")
    asked = {item.callspec.params.get("name") for item in request.session.items if hasattr(item, "callspec")}
    names = [name for name in CASES if name in asked]
    hosts = {name: host(root, f"pi{names.index(name)}", CASES[name].answers, **CASES[name].variables) for name in names}
    _code, said = deploy(root, *hosts.values(), arguments=("--forks=10",))
    found = failures(said)
    return {name: (one, *found.get(one.name, ("none", said))) for name, one in hosts.items()}


@pytest.mark.parametrize("name", CASES)
def test_a_host_is_refused_for(refused: dict[str, Any], name: str) -> None:
    one, task, text = refused[name]
    assert task == f"mosquitto : {CASES[name].task}", text
    assert [part for part in (*CASES[name].says, "Nothing was changed.") if part not in text] == []
    assert one.given("host_files") + one.given("user") == []
    assert [asked["_ansible_check_mode"] for asked in one.given("mosquitto_users")] in ([], [True])


def test_the_own_mosquitto_and_its_port_are_not_refused(tmp_path: Path) -> None:
    answers = {"command": [{"stdout": OWN_LISTENER}]}
    code, said = deploy(tmp_path, host(tmp_path, answers=answers), tasks_from="preflight")
    assert code == 0, said


# --- what is written


class Deployed(NamedTuple):
    """A host after the role: the files that it was given, and all that was said, very loudly."""

    root: Path
    host: Host
    files: dict[str, dict[str, Any]]
    said: str


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    root = tmp_path_factory.mktemp("deployed")
    known(root, kitchen="the-password-of-the-kitchen")
    trees = TASMOTA + ZIGBEE
    session = subscribed(*OWN_FILTERS, *(tree["filter"] for tree in trees))
    answers = {"mosquitto_users": [{"users": ["kitchen"]}, {}], "slurp": session}
    one = host(root, mosquitto_trees=trees, answers=answers)
    code, said = deploy(root, one, arguments=("-vvv", "--diff"))
    assert code == 0, said
    return Deployed(root, one, files(one), said)


def files(one: Host) -> dict[str, dict[str, Any]]:
    """Name -> what host_files was given for it."""
    return {Path(file["path"]).name: file for given in one.given("host_files") for file in given["files"]}


def lines(deployed: Deployed, name: str) -> list[str]:
    return counting(deployed.files[name])


def counting(file: dict[str, Any]) -> list[str]:
    """What counts of a file."""
    return [line for line in file["content"].splitlines() if line and not line.startswith("#")]


def test_rights_follow_from_the_trees(deployed: Deployed) -> None:
    assert lines(deployed, "acl") == [
        "user raspi-kafka-bridge",
        "topic read devices/+/#",
        "topic read raspi-kafka-verify/+/#",
        "topic read raspi-kafka-heartbeat/+/#",
        "topic read answers/+",
        "topic read tele/+/#",
        "topic read stat/+/#",
        "topic read zigbee2mqtt/+/#",
        "topic read $SYS/broker/#",
        "user home",
        "topic write zigbee2mqtt/+/#",
        "topic read zigbee2mqtt/#",
        "user raspi-kafka-alerting",
        "topic write raspi-kafka-heartbeat/+/#",
        "topic write alerts/#",
        "user raspi-kafka-commands",
        "topic write cmd/#",
        "user raspi-kafka-verify",
        "topic write raspi-kafka-verify/+/#",
        "user zigbee2mqtt",
        "topic write zigbee2mqtt/+/#",
        "topic read zigbee2mqtt/#",
        "pattern write devices/%u/#",
        "pattern write answers/%u",
        "pattern write tele/%u/#",
        "pattern read cmnd/%u/#",
        "pattern read cmnd/tasmotas/#",
        "pattern write stat/%u/#",
        "pattern read alerts/%u",
        "pattern read cmd/%u",
    ]


def test_nobody_publishes_in_a_tree_before_the_bridge_has_subscribed_it(tmp_path: Path) -> None:
    """What is sent before is acknowledged, and kept for nobody."""
    answers = {"slurp": subscribed(*OWN_FILTERS, "stat/+/#")}
    one = host(tmp_path, mosquitto_trees=TASMOTA + ZIGBEE, answers=answers)
    code, said = deploy(tmp_path, one)
    assert code == 0, said
    rights = [line for line in counting(files(one)["acl"]) if "write" in line or "cmnd" in line]
    assert rights == [
        "topic write raspi-kafka-heartbeat/+/#",
        "topic write alerts/#",
        "topic write cmd/#",
        "topic write raspi-kafka-verify/+/#",
        "pattern write devices/%u/#",
        "pattern write answers/%u",
        "pattern write stat/%u/#",
    ]


@pytest.mark.parametrize("note", [NO_FILE, file('{"client_id": "x", "subs')])
def test_a_lost_note_of_the_bridge_takes_no_rights_away(tmp_path: Path, note: dict[str, Any]) -> None:
    """Its queue goes on, and a device that is refused does not know it: MQTT 3.1.1 has no reason in PUBACK."""
    acl = "pattern write devices/%u/#\nuser home\ntopic write zigbee2mqtt/+/#\n"
    known(tmp_path, kitchen="k")
    one = host(tmp_path, mosquitto_trees=TASMOTA + ZIGBEE, answers={"slurp": [note, file(acl)]})
    code, said = deploy(tmp_path, one)
    assert code == 0, said
    rights = {line for line in counting(files(one)["acl"]) if "write" in line}
    own = {"topic write alerts/#", "topic write cmd/#"}
    assert rights == {"pattern write devices/%u/#", "topic write zigbee2mqtt/+/#", *own}
    assert "kitchen" in one.given("mosquitto_users")[-1]["users"]


def test_what_a_load_test_left_is_taken_out(tmp_path: Path) -> None:
    answers = {"mosquitto_users": [{"users": ["sim-00001", "raspi-kafka-bridge"]}, {}]}
    one = host(tmp_path, answers=answers)
    code, said = deploy(tmp_path, one)
    assert code == 0, said
    assert one.given("mosquitto_users")[-1]["absent"] == ["sim-00001"]


def test_only_the_broker_reads_its_rights(deployed: Deployed) -> None:
    place = {key: deployed.files["acl"][key] for key in ("owner", "group", "mode")}
    assert place == {"owner": "mosquitto", "group": "mosquitto", "mode": "0600"}


def test_nobody_is_anonymous_and_a_name_is_a_client_id(deployed: Deployed) -> None:
    conf = lines(deployed, "mosquitto.conf")
    assert "allow_anonymous false" in conf
    listener = conf[conf.index("listener 1883") :]
    assert "use_username_as_clientid true" in listener


def test_queues_have_a_limit_that_an_eighth_of_the_memory_bears(deployed: Deployed) -> None:
    conf = dict(line.split(" ", 1) for line in lines(deployed, "mosquitto.conf"))
    messages, size = int(conf["max_queued_messages"]), int(conf["max_queued_bytes"])
    assert messages > 0
    assert size > 0
    memory = messages * 384 + size
    assert 0.9 * 448 * 1048576 < memory <= 448 * 1048576


def test_what_comes_with_qos_0_is_kept_for_the_bridge_and_queues_are_saved(deployed: Deployed) -> None:
    conf = lines(deployed, "mosquitto.conf")
    assert {"queue_qos0_messages true", "persistence true", "autosave_interval 5"} <= set(conf)


def test_a_key_of_the_configuration_stands_once_but_the_kinds_of_messages(deployed: Deployed) -> None:
    keys = [line.split()[0] for line in lines(deployed, "mosquitto.conf") if not line.startswith("log_type ")]
    assert len(keys) == len(set(keys)) > 15


def test_debians_own_command_is_replaced_and_not_added_to(deployed: Deployed) -> None:
    unit = lines(deployed, "raspi-kafka.conf")
    for key in ("ExecStartPre", "ExecStart", "ExecReload"):
        assert next(line for line in unit if line.startswith(f"{key}=")) == f"{key}="
    assert "User=mosquitto" in unit


def test_services_and_publishers_get_passwords_and_devices_keep_theirs(deployed: Deployed) -> None:
    kept = credentials(deployed.root)
    assert kept.keys() == {"kitchen", "home", "zigbee2mqtt", *SERVICES}
    assert kept["kitchen"] == "the-password-of-the-kitchen"
    asked, wanted = deployed.host.given("mosquitto_users")
    assert (asked["_ansible_check_mode"], wanted["users"]) == (True, kept)


def test_devices_wait_until_mosquitto_keeps_a_session_for_the_bridge(tmp_path: Path) -> None:
    """What they send before is acknowledged, and kept for nobody."""
    known(tmp_path, kitchen="k")
    one = host(tmp_path, answers={"slurp": [NO_FILE]})
    code, said = deploy(tmp_path, one)
    assert code == 0, said
    assert one.given("mosquitto_users")[-1]["users"].keys() == SERVICES
    assert credentials(tmp_path)["kitchen"] == "k"


def test_no_password_is_said_however_loudly(deployed: Deployed) -> None:
    assert "mosquitto_users" in deployed.said
    assert [name for name, one in credentials(deployed.root).items() if one in deployed.said] == []


def test_a_dry_run_says_who_would_be_added_and_draws_nothing(tmp_path: Path) -> None:
    known(tmp_path, kitchen="k")
    one = host(tmp_path)
    code, said = deploy(tmp_path, one, arguments=("--check",))
    assert code == 0, said
    assert credentials(tmp_path) == {"kitchen": "k"}
    assert one.given("mosquitto_users")[-1]["users"] == {"kitchen": "k", **dict.fromkeys(SERVICES, "")}


# --- Debian 12 and its backports

ON_12 = {"setup": [{"ansible_facts": FACTS}]}
SOURCES = "'http://mirror/debian/dists/bookworm/InRelease' mirror_InRelease 0\n"
OLD, NEW = {"stdout": "2.0.11-1.2+deb12u2", "rc": 0}, {"stdout": "2.0.21-1~bpo12+1", "rc": 0}
NO_PACKAGE = {"stdout": "", "rc": 1}


def installed(root: Path, *commands: dict[str, Any], **variables: Any) -> tuple[Host, str]:
    """Run what installs, with the answers of its commands; returns the host and what was said."""
    one = host(root, answers={**ON_12, "command": list(commands), "apt_packages": [{"done": True}]}, **variables)
    code, said = deploy(root, one, tasks_from="install")
    assert code == 0, said
    return one, said


def test_debian_12_takes_mosquitto_from_the_backports_of_its_own_mirror(tmp_path: Path) -> None:
    tried, missing = {"rc": 0}, {"stdout": "1 1"}
    one, said = installed(tmp_path, NO_PACKAGE, {"stdout": SOURCES}, tried, missing, NEW)
    (given,) = one.given("host_files")
    assert [file["path"] for file in given["files"]] == [
        "/etc/apt/preferences.d/raspi-kafka",
        "/etc/apt/sources.list.d/raspi-kafka.list",
    ]
    assert "deb http://mirror/debian/ bookworm-backports main\n" in given["files"][1]["content"]
    assert "Package: mosquitto libmosquitto1\n" in given["files"][0]["content"]
    assert [asked["name"] for asked in one.given("apt") if asked.get("name")] == [["mosquitto=2.*~bpo12*"]]
    assert 'warned: "' in said


def test_the_archive_of_raspberry_pi_is_not_taken_for_that_of_debian(tmp_path: Path) -> None:
    raspberry = "'http://raspberry/debian/dists/bookworm/InRelease' raspberry_InRelease 0\n"
    told = {"stdout": raspberry + SOURCES + SOURCES.replace("bookworm", "bookworm-updates")}
    one, _said = installed(tmp_path, NO_PACKAGE, told, {"rc": 0}, {"stdout": "1 1"}, NEW)
    assert "deb http://mirror/debian/ bookworm-backports main\n" in one.given("host_files")[0]["files"][1]["content"]


def test_backports_that_the_host_has_already_are_not_added_twice(tmp_path: Path) -> None:
    both = SOURCES + SOURCES.replace("bookworm", "bookworm-backports")
    one, _said = installed(tmp_path, NO_PACKAGE, {"stdout": both}, {"rc": 0}, {"stdout": "1 1"}, NEW)
    assert [file["path"] for file in one.given("host_files")[0]["files"]] == ["/etc/apt/preferences.d/raspi-kafka"]


def test_without_backports_it_is_the_old_one_with_a_warning(tmp_path: Path) -> None:
    failed = {"rc": 100, "stderr": "\nE: Failed to fetch it  404  Not Found\n"}
    one, said = installed(tmp_path, NO_PACKAGE, {"stdout": SOURCES}, failed, {"stdout": "1 1"}, OLD)
    assert one.given("host_files") == []
    assert [asked["name"] for asked in one.given("apt")] == [["mosquitto"]]
    assert "warned: Mosquitto 2.0.11-1.2+deb12u2 sends more than a subscriber asked for" in said
    assert "could not be had (E: Failed to fetch it  404  Not Found), and the next run tries again." in said


def test_one_from_the_backports_is_left_as_it_is(tmp_path: Path) -> None:
    one, said = installed(tmp_path, NEW, {"stdout": "0 0"}, NEW)
    assert one.given("host_files") + one.given("apt") == []
    assert 'warned: "' in said


def test_who_does_not_want_backports_gets_debians_own(tmp_path: Path) -> None:
    one, said = installed(tmp_path, {"stdout": "1 1"}, OLD, mosquitto_backports=False)
    assert one.given("host_files") == []
    assert [asked["name"] for asked in one.given("apt")] == [["mosquitto"]]
    assert "could not be had" not in said


# --- start, restart and reload

SAME, OTHER = {"rc": 0}, {"rc": 1}


def started(
    root: Path, config: dict[str, Any], users: dict[str, Any], written: tuple[str, ...] = (), **answers: Any
) -> tuple[Host, str]:
    """Run what starts, with what the sums of files say and what was written; returns the host and what was said."""
    one = host(root, answers={"command": [config, users], **answers}, __mosquitto_written={"changed_paths": written})
    return one, deploy(root, one, tasks_from="service")[1]


@pytest.mark.parametrize(("config", "restarted"), [(SAME, False), (OTHER, True)])
def test_a_changed_configuration_restarts(tmp_path: Path, config: dict[str, Any], restarted: bool) -> None:
    one, _said = started(tmp_path, config, SAME)
    assert [asked["restarted"] for asked in one.given("unit_started")] == [restarted]
    assert one.given("systemd_service") == []


@pytest.mark.parametrize(
    ("path", "reload"),
    [
        ("/etc/systemd/system/mosquitto.service.d/raspi-kafka.conf", True),
        ("/etc/raspi-kafka/mosquitto/mosquitto.conf", False),
    ],
)
def test_what_was_just_written_restarts_and_systemd_reads_a_unit_anew(tmp_path: Path, path: str, reload: bool) -> None:
    one, _said = started(tmp_path, SAME, SAME, written=(path,))
    assert [(asked["restarted"], asked["reload"]) for asked in one.given("unit_started")] == [(True, reload)]


def test_changed_users_only_reload(tmp_path: Path) -> None:
    one, _said = started(tmp_path, SAME, OTHER, systemd_service=[{"changed": True}])
    assert [asked["state"] for asked in one.given("systemd_service")] == ["reloaded"]
    assert [asked["restarted"] for asked in one.given("unit_started")] == [False]


def test_a_reload_that_the_unit_refuses_becomes_a_restart(tmp_path: Path) -> None:
    refusal = {"failed": True, "msg": "Unable to reload service mosquitto.service: Job failed."}
    one, said = started(tmp_path, SAME, OTHER, systemd_service=[refusal])
    assert [asked["restarted"] for asked in one.given("unit_started")] == [False, True]
    assert "failed=0" in said


def test_a_broker_that_does_not_start_is_a_failure_with_its_last_lines(tmp_path: Path) -> None:
    failed = {"failed": True, "msg": "mosquitto.service did not start"}
    journal = {"stdout": "Error: Address already in use\n\n", "rc": 0}
    _one, said = started(tmp_path, OTHER, journal, unit_started=[failed])
    _task, text = failures(said)["pi1"]
    assert "Mosquitto on pi1 does not serve devices. Its last lines were: Error: Address already in use. Mend" in text


# --- the playbook of devices


def device(root: Path, *arguments: str, hosts: tuple[Host, ...] = (), **answers: Any) -> tuple[Host, str]:
    """Run the playbook on a host that has a broker; returns the host and what was said, with its lines joined."""
    told = {
        "stat": [{"stat": {"exists": True}}],  # the passwords, so the broker
        "mosquitto_users": [{"users": ["raspi-kafka-bridge"]}],
        "command": [SAME],
    }
    one = host(root, answers={**told, **answers})
    said = run(root, inventory(one, *hosts), *arguments, book="playbooks/device.yml")[1]
    return one, said


def message(said: str) -> str:
    found = list(failures(said).values())
    assert len(found) == 1
    return found[0][1]


def test_a_device_gets_a_password_and_its_owner_what_it_needs(tmp_path: Path) -> None:
    one, said = device(tmp_path, "-e", "add=kitchen", command=[OTHER])
    secret = credentials(tmp_path)["kitchen"]
    assert one.given("mosquitto_users")[-1]["users"]["kitchen"] == secret
    assert [asked["state"] for asked in one.given("systemd_service")] == ["reloaded"]
    assert "kitchen may publish to pi1" in said
    assert f'in {tmp_path}/credentials/pi1.yml, behind "kitchen"' in said
    assert "broker    192.0.2.5:1883, " in said
    assert "-u kitchen -P PASSWORD -q 1 -t devices/kitchen/temperature -m 21.5" in said
    assert secret not in said


def test_a_device_that_is_there_changes_nothing_and_is_told_the_same(tmp_path: Path) -> None:
    known(tmp_path, kitchen="k", **dict.fromkeys(SERVICES, "s"))
    before = (tmp_path / "credentials" / "pi1.yml").read_text()
    one, said = device(tmp_path, "-e", "add=kitchen")
    assert (tmp_path / "credentials" / "pi1.yml").read_text() == before
    assert one.given("systemd_service") == []
    assert "changed=0" in said
    assert "kitchen may publish to pi1" in said


def test_a_board_gets_a_file_with_each_gateway_and_no_password_is_said(tmp_path: Path) -> None:
    path, wifi = tmp_path / "kitchen.json", tmp_path / "wifi.yml"
    wifi.write_text('{"esp32_wifi_ssid": "home", "esp32_wifi_password": "of-the-wifi"}')
    answers = {"stat": [{"stat": {"exists": True}}], "mosquitto_users": [{"users": []}], "command": [SAME]}
    answers["pi_host_check"] = [{**CHECKED, "machine_id": "b", "hostname": "b"}]
    second = host(tmp_path, "pi2", answers, kraft_broker_advertised_address="192.0.2.6")
    given = ("-e", "add=kitchen", "-e", f"esp32={path}", "-e", f"@{wifi}", "-vvv", "--diff")
    _one, said = device(tmp_path, *given, hosts=(second,))
    settings = json.loads(path.read_text())
    assert settings["password"] == credentials(tmp_path)["kitchen"]
    assert settings["brokers"] == ["192.0.2.5:1883", "192.0.2.6:1883"]
    assert (settings["wifi_ssid"], settings["wifi_password"]) == ("home", "of-the-wifi")
    assert [secret for secret in (settings["password"], "of-the-wifi") if secret in said] == []
    assert f"{path}" in said


def test_a_board_without_wifi_is_told_and_a_dry_run_writes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "kitchen.json"
    _one, said = device(tmp_path, "-e", "add=kitchen", "-e", f"esp32={path}", "--check")
    assert f"WARNING: {path} lacks wifi_ssid and wifi_password. Write that there" in said
    assert not path.exists()


def test_a_revoked_device_is_forgotten_here_first_and_then_on_the_host(tmp_path: Path) -> None:
    known(tmp_path, kitchen="k", bath="b")
    failed = {"failed": True, "msg": "no space left"}
    answers = {"mosquitto_users": [{"users": ["kitchen", "bath"]}, failed]}
    one, _said = device(tmp_path, "-e", "revoke=kitchen", **answers)
    asked = one.given("mosquitto_users")[-1]
    assert (asked["absent"], "kitchen" in asked["users"]) == (["kitchen"], False)
    # Had the host forgotten it first, the next run would have added it again.
    assert credentials(tmp_path)["bath"] == "b"
    assert "kitchen" not in credentials(tmp_path)


def test_a_dry_run_revokes_nobody(tmp_path: Path) -> None:
    known(tmp_path, kitchen="k")
    answers = {"mosquitto_users": [{"users": ["kitchen"]}, {"removed": ["kitchen"]}]}
    one, said = device(tmp_path, "-e", "revoke=kitchen", "--check", **answers)
    assert credentials(tmp_path) == {"kitchen": "k"}
    assert one.given("mosquitto_users")[-1]["absent"] == ["kitchen"]
    assert "kitchen would no longer publish to pi1" in said


def test_of_several_devices_that_this_control_node_lost_one_can_be_revoked(tmp_path: Path) -> None:
    """Nobody gets a password meanwhile: the bridge would lose the one that it has on the host."""
    answers = {"mosquitto_users": [{"users": ["kitchen", "bath"]}, {"removed": ["kitchen"]}]}
    one, said = device(tmp_path, "-e", "revoke=kitchen", **answers)
    assert failures(said) == {}
    assert "kitchen may no longer publish to pi1" in said
    asked = one.given("mosquitto_users")[-1]
    assert (asked["users"], asked["absent"]) == ({}, ["kitchen"])


@pytest.mark.parametrize("name", ["a/b", "-a", "x" * 65, "a b", "raspi-kafka-verify"])
def test_a_name_that_no_device_can_have_is_refused_with_the_rule(tmp_path: Path, name: str) -> None:
    one, said = device(tmp_path, "-e", json.dumps({"add": name}))
    assert f"{name} cannot be the name of a device: it has 1 to 64 letters, digits" in message(said)
    assert one.given("mosquitto_users") == []


@pytest.mark.parametrize("arguments", [["add=kitchen", "revoke=kitchen"], ["add="], ["revoke="], ["esp32=x"]])
def test_what_cannot_be_meant_is_refused_before_a_host_is_contacted(tmp_path: Path, arguments: list[str]) -> None:
    one, said = device(tmp_path, *(word for one in arguments for word in ("-e", one)))
    assert "Say one thing: -e add=kitchen adds the device kitchen" in message(said)
    assert one.given("setup") == []


def test_nobody_revokes_what_is_not_there(tmp_path: Path) -> None:
    known(tmp_path, kitchen="k")
    answers = {"mosquitto_users": [{"users": ["kitchen"]}]}
    text = message(device(tmp_path, "-e", "revoke=kichen", **answers)[1])
    assert "There is no device kichen, neither on pi1 nor here. There are kitchen." in text


def test_no_device_is_added_where_this_control_node_does_not_know_the_others(tmp_path: Path) -> None:
    one, said = device(tmp_path, "-e", "add=kitchen", mosquitto_users=[{"users": ["bath"]}])
    assert "pi1 has the MQTT users bath, and" in message(said)
    assert not (tmp_path / "credentials").exists()
    assert [asked["_ansible_check_mode"] for asked in one.given("mosquitto_users")] == [True]


def test_a_publisher_of_a_tree_is_not_revoked(tmp_path: Path) -> None:
    arguments = ("-e", "revoke=home", "-e", json.dumps({"mosquitto_trees": ZIGBEE}))
    assert "home is a publisher of mosquitto_trees. Take it out there" in message(device(tmp_path, *arguments)[1])


@pytest.mark.parametrize("word", ["add", "revoke"])
def test_the_device_that_a_host_of_the_inventory_is_is_neither_added_nor_revoked(tmp_path: Path, word: str) -> None:
    """Revoked, it would be back after the next run of site.yml; added, two clients would have one name."""
    text = message(device(tmp_path, "-e", f"{word}=pi1")[1])
    assert "pi1 is the device as which the host pi1 publishes what it measures of itself." in text
    assert "set telemetry_agent_enabled=false for that host, run raspi.kafka.site, and revoke it then" in text


def test_where_the_agent_is_off_its_device_can_be_revoked(tmp_path: Path) -> None:
    known(tmp_path, pi1="p")
    answers = {"mosquitto_users": [{"users": ["pi1"]}, {"removed": ["pi1"]}]}
    _one, said = device(tmp_path, "-e", "revoke=pi1", "-e", "telemetry_agent_enabled=false", **answers)
    assert "pi1 may no longer publish to pi1" in said


def test_a_host_without_a_broker_is_refused(tmp_path: Path) -> None:
    text = message(device(tmp_path, "-e", "add=kitchen", stat=[{"stat": {"exists": False}}])[1])
    assert "pi1 has no MQTT broker of this collection. Deploy it first" in text


def test_devices_are_listed_with_when_they_were_heard(tmp_path: Path) -> None:
    heard = {"timestamp": 1795694400123, "topic": "telemetry", "headers": {"mqtt.topic": "devices/kitchen/t"}}
    users = ["raspi-kafka-bridge", "kitchen", "bath"]
    answers = {
        "mosquitto_users": [{"users": users}],
        "last_records": [{"records": {"kitchen": heard}, "complete": True, "since": 1}],
    }
    one, said = device(tmp_path, **answers)
    assert re.search(r"pi1 has 2 devices; heard last\n  bath +never\n  kitchen +\S+ \S+ on devices/kitchen/t\n", said)
    assert one.given("last_records")[0]["topics"] == ["telemetry"]
    assert "changed=0" in said


def test_devices_are_listed_where_kafka_does_not_answer(tmp_path: Path) -> None:
    answers = {
        "mosquitto_users": [{"users": ["kitchen"]}],
        "last_records": [{"failed": True, "msg": "No Kafka broker can be reached."}],
    }
    said = device(tmp_path, **answers)[1]
    assert "pi1 has 1 device; heard last\n  kitchen  unknown\n" in said
    assert "WARNING: Kafka did not say when they were heard last: No Kafka broker can be reached." in said
