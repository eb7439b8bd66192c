"""What the play refuses of a host and of its settings: the whole play, on hosts that answer as a Raspberry Pi does."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from plays import CHECKED, FACTS, REPOSITORY, Host, bare, failures, run

MIB = 1 << 20
ARCHIVE = b"no archive, but with the right sum"
SUM = hashlib.sha512(ARCHIVE).hexdigest()
NOT_REFUSED = "this is the first change of the host"
WARNINGS = "pi_host_warnings | default([]) + kraft_broker_warnings | default([])"
LISTENER = 'LISTEN 0 5 0.0.0.0:9092 0.0.0.0:* users:(("python3",pid=7,fd=3)) ino:1 cgroup:/x.service <->'


class Case(NamedTuple):
    """One thing that is wrong with a host, the task that refuses it, and a part of the message."""

    task: str
    text: str
    variables: dict[str, Any]
    facts: dict[str, Any]
    answers: dict[str, list[dict[str, Any]]]


def case(task: str, text: str, answers: dict[str, Any] | None = None, facts: dict[str, Any] | None = None) -> Any:
    """Leave the settings to what follows: case(...)(name=value)."""
    return lambda **variables: Case(task, text, variables, facts or {}, answers or {})


def host(root: Path, name: str, answers: dict[str, Any], facts: dict[str, Any], **variables: Any) -> Host:
    """A Raspberry Pi that has the release already; the play ends at its first change."""
    told = {**bare(name, facts), "host_files": [{"failed": True, "msg": NOT_REFUSED}], **answers}
    return Host(root, name, told, **{"python_venv_cache": str(cache(root)), **variables})


def cache(root: Path) -> Path:
    """A control node's cache with a finished Python environment, so that none is made."""
    lock = (REPOSITORY / "roles" / "python_venv" / "files" / "requirements.txt").read_text().rstrip()
    python = Path(sys.executable).resolve().name
    environment = root / "cache" / f"venv-{hashlib.sha256(lock.encode()).hexdigest()[:8]}-{python}"
    environment.mkdir(parents=True, exist_ok=True)
    (environment / ".complete").touch()
    return root / "cache"


def inventory(*hosts: Host) -> str:
    return "\n".join(["[pis]", *(one.line() for one in hosts), ""])


def played(tmp_path: Path, one: Host, name: str, **more: str) -> tuple[int, str]:
    """Run a role, or one file of its tasks; returns the exit code and what was said, at the end the warnings."""
    tasks = [
        {"ansible.builtin.import_role": {"name": f"raspi.kafka.{name}", **more}},
        {"ansible.builtin.debug": {"msg": f"{{{{ ({WARNINGS}) | join(' ') }}}}"}},
    ]
    (tmp_path / "role.yml").write_text(json.dumps([{"hosts": "pis", "gather_facts": True, "tasks": tasks}]))
    return run(tmp_path, inventory(one), book=str(tmp_path / "role.yml"))


def role(tmp_path: Path, one: Host, name: str, **more: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """Run a role as played() does; returns the exit code, and task and message of a failure."""
    code, said = played(tmp_path, one, name, **more)
    return code, failures(said)


URL = "http://pi2:9093"
UNBOUNDED = {"name": "t", "partitions": 1, "configs": {"retention.bytes": -1}}
ARCHIVED = case(
    "kraft_broker : Say why there is no archive", "there is no such file", {"stat": [{"stat": {"exists": False}}]}
)
RELEASE = case("kraft_broker : Refuse a release without a known checksum", "No sha512 is known for Kafka")
SETTINGS = case("kraft_broker : Refuse contradictory settings", "do not fit: kraft_broker_log_dirs needs")
KEYS = case("kraft_broker : Refuse keys that have a variable of their own", "without the keys process.roles, node.id")
WRONG_HOST = "kraft_broker : Refuse a host that cannot run it"
PORTS = "kraft_broker : Refuse ports that another program has"
BRIDGE = case("mqtt_bridge : Refuse contradictory settings", "do not fit: mqtt_bridge_linger_ms must be from 0 to 1000")
ALERTING = case(
    "alerting : Refuse a port that something else of this collection has", "from 1024 to 65535 and no other's"
)

COMMANDS = case("commands : Refuse contradictory settings", "commands_default_expiry must be a time such as 90s, 30m")


def unfollowed(text: str, **variables: Any) -> Case:
    """What the program itself refuses, on the control node."""
    return case("alerting : Refuse what cannot be followed", text)(**variables)


SCHEMA = case(
    "mqtt_bridge : Refuse schemas that are no JSON",
    "of mqtt_bridge_schemas cannot be read on the control node, or is no JSON object",
)
TREE = case(
    "mqtt_bridge : Refuse topic trees that go to a Kafka topic that nobody has declared",
    "The MQTT topics tele/+/# go to the Kafka topics tasmota, which topics_declared does not have",
)


def otherwise(what: str) -> Any:
    """A declaration that the bridge's role would undo with each run."""
    task = "mqtt_bridge : Refuse topics that are declared otherwise than the bridge needs them"
    return case(task, f"topics_declared says otherwise of {what} than the bridge")


CASES = {
    "nothing": case("pi_host : Write what spares the card and guards the clock", NOT_REFUSED)(),
    "a topic that only time bounds": case(
        "pi_host : Refuse topics that are malformed, or that nothing but time bounds",
        "Topic t declares retention.bytes -1",
    )(topics_declared=[UNBOUNDED]),
    "topics that are no list": case(
        "pi_host : Refuse topics that are malformed, or that nothing but time bounds", "topics_declared is no list"
    )(topics_declared={"name": "t"}),
    "a password that has run out": case(
        "Say what to do",
        "wants a new password for its user before anything else. Log in, set one, and run the play again: ssh pi",
        {"setup": [{"failed": True, "msg": "no JSON", "module_stderr": "Password change required but no TTY"}]},
    )(),
    "a sudo that asks for a password": case(
        "Say what stands against the work",
        "asks for the password of its user. Run the play again with --ask-become-pass",
        {"setup": [{"failed": True, "msg": "Missing sudo password"}]},
    )(),
    "a host that cannot be asked": case(
        "Say what stands against the work",
        "It has no Python. Nothing was changed.",
        {"setup": [{"failed": True, "msg": "It has no Python."}]},
    )(),
    "what the host's own check refuses": case(
        "pi_host : Refuse a host that cannot be a gateway",
        "32-bit",
        {"pi_host_check": [{"failed": True, "msg": "32-bit"}]},
    )(),
    "an unknown release": RELEASE(kraft_broker_version="9.9.9"),
    "a sum that is none": RELEASE(kraft_broker_archive_sha512="abc"),
    "a 32-bit userland": case(WRONG_HOST, "with a 32-bit userland", facts={"userspace_bits": "32"})(),
    "no apt": case(WRONG_HOST, "userland, dnf5", facts={"pkg_mgr": "dnf5"})(),
    "no systemd": case(WRONG_HOST, "openrc and Python", facts={"service_mgr": "openrc"})(),
    "an old Python": case(WRONG_HOST, "Python 3.9.2", facts={"python_version": "3.9.2"})(),
    "no log directory": SETTINGS(kraft_broker_log_dirs=[]),
    "a relative log directory": SETTINGS(kraft_broker_log_dirs=["data"]),
    "a log directory with a blank": SETTINGS(kraft_broker_log_dirs=["/mnt/my ssd"]),
    "a log directory that the unit hides": SETTINGS(kraft_broker_log_dirs=["/mnt/ssd", "/home/pi/kafka"]),
    "one port twice": SETTINGS(kraft_broker_local_port=9092),
    "a low port": SETTINGS(kraft_broker_port=80),
    "a port that is none": SETTINGS(kraft_broker_port=65536),
    "a negative node id": SETTINGS(kraft_broker_node_id=-1),
    "a ballast that is too small": SETTINGS(kraft_broker_ballast_mb=64),
    "a key with a variable": KEYS(kraft_broker_extra_config={"log.dirs": "/x"}),
    "keys that are no dictionary": KEYS(kraft_broker_extra_config="log.cleaner.threads=2"),
    "a missing archive": ARCHIVED(kraft_broker_archive="/nowhere/kafka.tgz"),
    "a wrong archive": ARCHIVED(kraft_broker_archive="{archive}", kraft_broker_archive_sha512="0" * 128)._replace(
        text=f"its sha512 is {SUM}, wanted is {'0' * 128}"
    ),
    "an address of loopback": case(
        "kraft_broker : Choose the address that clients are told, and the one by which other nodes find this one",
        "kraft_broker_advertised_address=127.0.0.1 cannot be",
    )(kraft_broker_advertised_address="127.0.0.1"),
    "a port of another program": case(PORTS, "taken by python3 (pid 7)", {"command": [{"stdout": LISTENER}]})(),
    "directories of another cluster": case(
        "kraft_broker : Refuse log directories that belong to another cluster or node",
        "another cluster",
        {"kraft_format": [{"failed": True, "msg": "another cluster"}]},
    )(),
    "a linger that is too long": BRIDGE(mqtt_bridge_linger_ms=1001),
    "a linger before the message": BRIDGE(mqtt_bridge_linger_ms=-1),
    "a low port for metrics": BRIDGE(mqtt_bridge_metrics_port=80),
    "a port for metrics that is none": BRIDGE(mqtt_bridge_metrics_port=65536),
    "metrics on the port of devices": BRIDGE(mqtt_bridge_metrics_port=1883),
    "metrics on a port of Kafka": BRIDGE(mqtt_bridge_metrics_port=19092),
    "two schemas of one name": BRIDGE(
        mosquitto_trees=[{"filter": "tele/+/#"}],
        mqtt_bridge_schemas={"devices/+/#": "/a/schema.json", "tele/+/#": "/b/schema.json"},
    ),
    "a topic of devices with their own time": otherwise("message.timestamp.type")(
        topics_declared=[{"name": "telemetry", "configs": {"message.timestamp.type": "CreateTime"}}]
    ),
    "the topic of dead letters": otherwise("dead-letters")(
        topics_declared=[{"name": "telemetry"}, {"name": "dead-letters"}]
    ),
    "a schema for a filter that no tree has": BRIDGE(mqtt_bridge_schemas={"devices/+": "/schema.json"}),
    "a schema that is not there": SCHEMA(mqtt_bridge_schemas={"devices/+/#": "/nowhere.json"})._replace(
        text="/nowhere.json of mqtt_bridge_schemas cannot be read"
    ),
    "a schema that is no JSON": SCHEMA(mqtt_bridge_schemas={"devices/+/#": __file__}),
    "a tree for a Kafka topic that nobody declared": TREE(mosquitto_trees=[{"filter": "tele/+/#", "topic": "tasmota"}]),
    "a tree for a Kafka topic that is declared absent": TREE(
        topics_declared=[{"name": "telemetry", "partitions": 1}, {"name": "tasmota", "state": "absent"}],
        mosquitto_trees=[{"filter": "tele/+/#", "topic": "tasmota"}],
    ),
    "a low port for metrics of alerting": ALERTING(alerting_metrics_port=80),
    "metrics of alerting on the port of the bridge's": ALERTING(alerting_metrics_port=9465),
    "a port for metrics of alerting that is none": unfollowed("(metrics.port: 65536", alerting_metrics_port=65536),
    "a pipeline that stalls at once": unfollowed("(stalled_after: 4.0 is out of", alerting_stalled_after="4s"),
    "a time that is none": unfollowed("stalled_after: 15 is not a duration", alerting_stalled_after=15),
    "Alertmanagers as a text": unfollowed("alertmanager.urls: 'http://pi2:9093' is", alerting_alertmanager_urls=URL),
    "an Alertmanager without a scheme": unfollowed("alertmanager.urls[0]: ", alerting_alertmanager_urls=["pi2:9093"]),
    "a webhook with a password": unfollowed(
        "webhook.url: it has a pass", alerting_webhook_url="https://me:secret@pi2/"
    ),
    "topics of alerting": case(
        "alerting : Refuse topics that are declared otherwise than alerting needs them",
        "topics_declared has alerts, alerting-state, which the role of alerting makes",
    )(topics_declared=[{"name": "telemetry"}, {"name": "alerts"}, {"name": "alerting-state"}]),
    "rules with a misspelt key": unfollowed(
        "/rules.yml:3: rules[0].treshold: there is no such key; did you mean `threshold`?). Correct that",
        alerting_rules="{root}/rules.yml",
    ),
    "rules that are not there": unfollowed("/nowhere.yml: it can't be read: No", alerting_rules="/nowhere.yml"),
    "rules with the name of one of the proof's": unfollowed(
        "/roles/alerting/files/proof-rules.yml:5: rules[0].name: a rule of /",
        alerting_rules="{root}/proof.yml",
    ),
    "the metrics' port of alerting's of another program": case(
        "mqtt_bridge : Refuse a metrics port that another program has",
        "give the metrics of raspi-kafka-alerting another port with alerting_metrics_port",
        {"command": [{"stdout": LISTENER.replace(":9092", ":9466")}]},
    )(),
    "no time for commands": COMMANDS(commands_default_expiry=90),
    "half a minute for commands": COMMANDS(commands_default_expiry="0.5m"),
    "two days for commands": COMMANDS(commands_default_expiry="2d"),
    "a low port for metrics of commands": COMMANDS(commands_metrics_port=80),
    "metrics of commands on the port of alerting's": COMMANDS(commands_metrics_port=9466),
    "a topic of commands": case(
        "mqtt_bridge : Refuse topics that are declared otherwise than the bridge needs them",
        "topics_declared says otherwise of commands than the bridge",
    )(topics_declared=[{"name": "telemetry"}, {"name": "commands"}]),
    "the metrics' port of commands of another program": case(
        "mqtt_bridge : Refuse a metrics port that another program has",
        "give the metrics of raspi-kafka-commands another port with commands_metrics_port",
        {"command": [{"stdout": LISTENER.replace(":9092", ":9467")}]},
    )(),
    "the metrics' port of another program": case(
        "mqtt_bridge : Refuse a metrics port that another program has",
        "taken by python3 (pid 7)",
        {"command": [{"stdout": LISTENER.replace(":9092", ":9465")}]},
    )(),
}


@pytest.fixture(scope="module")
def refused(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """Case -> task and message, from one run of the play over all cases that are asked for."""
    root = tmp_path_factory.mktemp("refusals")
    (root / "kafka.tgz").write_bytes(ARCHIVE)
    (root / "rules.yml").write_text("rules:\n  - name: hot\n    treshold: {field: temperature, above: 80}\n")
    (root / "proof.yml").write_text("rules:\n  - name: raspi-kafka-verify\n    silence: {after: 1m}\n")
    asked = {item.callspec.params.get("name") for item in request.session.items if hasattr(item, "callspec")}
    hosts = {}
    for number, name in enumerate(name for name in CASES if name in asked):
        one = CASES[name]
        variables = {
            key: value.format(archive=root / "kafka.tgz", root=root) if isinstance(value, str) else value
            for key, value in one.variables.items()
        }
        hosts[name] = host(root, f"pi{number}", one.answers, one.facts, **variables)
    code, said = run(root, inventory(*hosts.values()), book="site.yml")
    assert code == 2, said
    assert not re.search(r"changed=[1-9]", said)
    found = failures(said)
    return {name: found.get(one.name, ("none", said)) for name, one in hosts.items()}


@pytest.mark.parametrize("name", CASES)
def test_a_host_is_refused_for(refused: dict[str, tuple[str, str]], name: str) -> None:
    task, text = refused[name]
    assert task == CASES[name].task, text
    assert CASES[name].text in text


# --- several hosts


class Pair(NamedTuple):
    """Two hosts of one play, and in which task and why each was refused."""

    hosts: tuple[Host, Host]
    failed: dict[str, tuple[str, str]]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Two copies of one card, one of which has a name that nobody knows."""
    root = tmp_path_factory.mktemp("pair")
    topic = {"name": "t", "partitions": 3, "configs": {"retention.bytes": 100 * MIB, "segment.bytes": MIB}}
    unlimited = {"name": "u", "partitions": 2}
    copies = {"pi_host_check": [{**CHECKED, "machine_id": "same"}]}
    variables = {"topics_declared": [topic, unlimited], "kraft_broker_log_dirs": ["/mnt/ssd"]}
    first = host(root, "pi1", copies, {}, **variables)
    second = host(root, "pi2", copies, {}, **variables, kraft_broker_advertised_address="no-such-host.invalid")
    _code, said = run(root, inventory(first, second), book="site.yml")
    return Pair((first, second), failures(said))


APART = "pi_host : Refuse hosts that cannot be told apart or found"


def test_copies_of_a_card_are_refused(pair: Pair) -> None:
    assert {task for task, _text in pair.failed.values()} == {APART}
    assert "pi1 and pi2 have the same machine-id same" in pair.failed["pi1"][1]


def test_a_name_that_the_control_node_cannot_resolve_is_refused(pair: Pair) -> None:
    assert pair.failed["pi2"][0] == APART
    assert "The control node cannot resolve no-such-host.invalid, which clients are told" in pair.failed["pi2"][1]


def test_each_host_is_asked_for_the_names_of_all(pair: Pair) -> None:
    assert [one.given("pi_host_check")[0]["resolve"] for one in pair.hosts] == [["no-such-host.invalid"]] * 2


def test_a_host_must_have_room_for_its_topics_and_for_what_kafka_keeps_itself(pair: Pair) -> None:
    asked = pair.hosts[0].given("pi_host_check")[0]
    assert asked["log_dirs"] == ["/mnt/ssd"]
    # A text for ansible-core 2.17, a number for later ones; the module takes both.
    assert int(asked["keeps"]) == 3 * (100 + 1) * MIB + 2 * 64 * MIB + (460 + 144 + 60 + 77) * MIB
    assert (int(asked["unlimited"]), int(asked["ballast_mb"])) == (2, 128)
    assert asked["topics"][:2] == ["t", "u"]


def test_nothing_is_formatted_before_all_is_checked(tmp_path: Path) -> None:
    one = host(tmp_path, "pi1", {"kraft_format": [{"failed": True, "msg": "not this one"}]}, {})
    _code, said = run(tmp_path, inventory(one), book="site.yml")
    assert failures(said)["pi1"][1] == "not this one"
    assert [asked["_ansible_check_mode"] for asked in one.given("kraft_format")] == [True]


# --- what fails later


def without_venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the control node's Python be as Debian's is without the package python3-venv."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "venv.py").write_text("import sys\nsys.exit('ensurepip is not available.')\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'lib'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")


def test_a_control_node_without_venv_is_refused_before_the_host_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_venv(tmp_path, monkeypatch)
    one = host(tmp_path, "pi1", {}, {}, python_venv_cache=str(tmp_path / "empty"))
    task, text = failures(run(tmp_path, inventory(one), book="site.yml")[1])["pi1"]
    assert task == "python_venv : Say what the control node lacks"
    assert (
        "has no ensurepip. Install it there: sudo apt install python3-venv. Nothing was changed on the hosts." in text
    )
    assert one.given("host_files") == []


def test_an_environment_that_another_python_of_the_control_node_left_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (finished,) = cache(tmp_path).iterdir()
    name = finished.name.removesuffix(f"-{Path(sys.executable).resolve().name}")
    for left in (name, f"{name}-python3.9"):
        shutil.copytree(finished, finished.with_name(left))
    shutil.rmtree(finished)
    without_venv(tmp_path, monkeypatch)
    one = host(tmp_path / "hosts", "pi1", {}, {}, python_venv_cache=str(tmp_path / "cache"))
    said = run(tmp_path, inventory(one), book="site.yml")[1]
    assert failures(said)["pi1"][0] == "python_venv : Say what the control node lacks"


@pytest.mark.parametrize(
    "said",
    [[{"stdout": "1 0"}, {"stdout": ""}, {"stdout": "11"}], [{"stdout": "0 0"}, {"stdout": "11"}]],
    ids=["just installed", "there before"],
)
def test_a_java_that_is_too_old_is_refused(tmp_path: Path, said: list[dict[str, Any]]) -> None:
    answers = {"setup": [{"ansible_facts": FACTS}], "command": said, "apt_packages": [{"done": True}]}
    one = Host(tmp_path, "pi1", answers)
    assert role(tmp_path, one, "java")[1]["pi1"] == (
        "java : Refuse a Java that is too old for Kafka",
        "/usr/bin/java on pi1 is 11, Kafka needs 17 or later (KIP-1013). Set java_package to a newer one, or choose "
        "with sudo update-alternatives --config java.",
    )


def test_apt_is_waited_for_before_something_is_installed(tmp_path: Path) -> None:
    locked = {"failed": True, "msg": "apt is locked"}
    one = Host(tmp_path, "pi1", {"command": [{"stdout": "1 0"}], "apt_packages": [locked]}, pi_host_packages=["x"])
    assert role(tmp_path, one, "pi_host", tasks_from="packages")[1]["pi1"][1] == "apt is locked"
    assert (len(one.given("command")), one.given("apt")) == (1, [])


def test_settings_that_are_not_in_force_are_a_warning(tmp_path: Path) -> None:
    answer = {"not_applied": {"vm.swappiness": 60}, "overruled": {"vm.dirty_bytes": "7 in /etc/sysctl.d/99-x.conf"}}
    said = played(tmp_path, Host(tmp_path, "pi1", {"settings_in_force": [answer]}), "pi_host", tasks_from="card")[1]
    assert "this kernel does not let it be set here: vm.swappiness is 60." in said
    assert "overrules /etc/sysctl.d/60-raspi-kafka.conf: vm.dirty_bytes is 7 in /etc/sysctl.d/99-x.conf. Remove" in said


def test_a_topic_that_nothing_bounds_is_a_warning(tmp_path: Path) -> None:
    variables = {
        "topics_declared": [{"name": "devices", "configs": {"cleanup.policy": "compact"}}],
        "kraft_broker_ballast_mb": 128,
        "_kraft_broker_log_dirs": ["/data"],
        "_kraft_broker_extra_config": {},
        "_kraft_broker_segment_bytes": 64 * MIB,
        "_kraft_broker_internal_bytes": 0,
        "_verify_topic": "proof",
        "_verify_topic_names": ["proof", "brokers-proof"],
    }
    one = Host(tmp_path, "pi1", {"pi_host_check": [CHECKED]}, **variables)
    said = played(tmp_path, one, "pi_host", tasks_from="preflight")[1]
    assert "Nothing bounds what is compacted and never deleted: devices. Each key is kept" in said


def test_starts_that_stay_slow_are_a_warning(tmp_path: Path) -> None:
    failed = {"rc": 1, "stdout": "", "stderr": "300 MiB of memory are available\n"}
    one = Host(tmp_path, "pi1", {"setup": [{"ansible_facts": FACTS}], "command": [failed]})
    said = played(tmp_path, one, "kraft_broker", tasks_from="cds")[1]
    assert "are slower than they could be: 300 MiB of memory are available. The next start" in said


def test_a_broker_that_does_not_start_is_a_failure_with_its_last_lines(tmp_path: Path) -> None:
    journal = [{"stdout": "Caused by: a.B: no such file\n\tat a.B.c(B.java:1)\n"}]
    answers = {"unit_started": [{"failed": True, "msg": "kafka.service did not start"}], "command": journal}
    one = Host(tmp_path, "pi1", answers, __kraft_broker_written={"changed_paths": []})
    _task, text = role(tmp_path, one, "kraft_broker", tasks_from="start")[1]["pi1"]
    assert "Kafka on pi1 does not serve clients. Its last lines were: Caused by: a.B: no such file. Mend" in text


def test_a_clock_that_may_be_wrong_is_a_warning(tmp_path: Path) -> None:
    said = [{"stdout": json.dumps({"right": False, "why": "it follows nobody"})}]
    one = Host(
        tmp_path, "pi1", {"command": said, "unit_started": [{"done": True}]}, __pi_host_files={"changed_paths": []}
    )
    assert (
        "The clock of pi1 may be wrong: it follows nobody. Kafka"
        in played(tmp_path, one, "pi_host", tasks_from="clock")[1]
    )


def keep_password(folder: Path) -> None:
    """Write what an owner has beside the inventory since the first run of site.yml."""
    (folder / "credentials").mkdir()
    (folder / "credentials" / "pi1.yml").write_text("passwords:\n  raspi-kafka-verify: secret\n")


def verified(tmp_path: Path, answer: dict[str, Any], **mqtt: Any) -> tuple[int, Host]:
    """Run the role of the proof over a local connection; returns the exit code and the host."""
    keep_password(tmp_path)
    told = {"produce_consume": [answer], "publish_consume": [mqtt]}
    one = Host(tmp_path, "pi1", told, python_venv_control_python="/nowhere")
    return role(tmp_path, one, "verify")[0], one


def proven_from_here(tmp_path: Path, answer: dict[str, Any], **mqtt: Any) -> tuple[dict[str, tuple[str, str]], Host]:
    """Run the role of the proof, with answers for the control node; returns what failed and the control node."""
    keep_password(tmp_path)
    here = Host(tmp_path, "control-node", {"produce_consume": [answer], "publish_consume": [mqtt]})
    told = {"produce_consume": [{"brokers": [{"id": 1, "address": "192.0.2.5:9092"}]}]}
    # By its full name the connection is another one than the local connection that proves nothing more.
    variables = {"ansible_connection": "ansible.builtin.local"}
    one = Host(tmp_path, "pi1", told, python_venv_control_python=str(here.folder / "python"), **variables)
    return role(tmp_path, one, "verify")[1], here


def test_a_proof_goes_through_the_advertised_address_from_here_too(tmp_path: Path) -> None:
    failed, here = proven_from_here(tmp_path, {"brokers": []})
    assert failed == {}
    assert [asked["bootstrap_servers"] for asked in here.given("produce_consume")] == [["192.0.2.5:9092"]]


def test_a_broker_that_only_the_pi_reaches_is_a_failure(tmp_path: Path) -> None:
    answer = {"failed": True, "reason": "unreachable", "msg": "Broker 1 advertises 192.0.2.5:9092."}
    _task, text = proven_from_here(tmp_path, answer)[0]["pi1"]
    assert text.startswith("It works on pi1, but the broker cannot be reached from this control node: Broker 1")
    assert "Open port 9092" in text


def test_a_device_is_proven_at_the_address_of_the_pi_from_here_too(tmp_path: Path) -> None:
    failed, here = proven_from_here(tmp_path, {"brokers": []})
    assert failed == {}
    asked = [(one["mqtt_host"], one["device"], one.get("one_clock", False)) for one in here.given("publish_consume")]
    assert asked == [("192.0.2.5", "raspi-kafka-verify", False)]


def test_a_mosquitto_that_only_the_pi_reaches_is_a_failure(tmp_path: Path) -> None:
    answer = {"failed": True, "reason": "unreachable", "msg": "Mosquitto cannot be reached at pi1:1883 from here."}
    _task, text = proven_from_here(tmp_path, {"brokers": []}, **answer)[0]["pi1"]
    assert text.startswith("It works on pi1, but not from this control node: Mosquitto cannot be reached")
    assert "Open port 1883" in text


def test_without_the_password_of_its_device_a_proof_says_where_it_should_be(tmp_path: Path) -> None:
    one = Host(tmp_path, "pi1", {"produce_consume": [{"brokers": []}]}, python_venv_control_python="/nowhere")
    _task, text = role(tmp_path, one, "verify")[1]["pi1"]
    assert f"{tmp_path}/credentials/pi1.yml has no password of raspi-kafka-verify" in text


def test_a_proof_without_mqtt_asks_no_device(tmp_path: Path) -> None:
    told = {"produce_consume": [{"brokers": []}]}
    one = Host(tmp_path, "pi1", told, python_venv_control_python="/nowhere", mqtt_bridge_enabled=False)
    assert role(tmp_path, one, "verify")[0] == 0
    assert one.given("publish_consume") == []


def test_a_proof_that_fails_fails_the_play(tmp_path: Path) -> None:
    assert verified(tmp_path, {"failed": True, "msg": "1 of 100 acknowledged records were not read"})[0] == 2


def test_a_device_whose_messages_do_not_arrive_fails_the_play(tmp_path: Path) -> None:
    lost = {"failed": True, "reason": "lost", "msg": "1 of 20 messages that Mosquitto acknowledged are not in Kafka"}
    assert verified(tmp_path, {"brokers": []}, **lost)[0] == 2


def test_a_proof_looks_at_the_disk(tmp_path: Path) -> None:
    code, one = verified(tmp_path, {"brokers": []})
    assert code == 0
    assert [asked["on_disk"] for asked in one.given("produce_consume")] == [True]


# --- the way back


def uninstalled(tmp_path: Path, *arguments: str) -> tuple[int, str, list[tuple[bool, bool]]]:
    """Run the playbook without a terminal; returns its exit code, what it said, and of each call: dry? with records?"""
    one = Host(tmp_path, "pi1", {"uninstall": [{"removes": ["/opt/kafka"], "keeps": ["/data (records)"]}]})
    code, said = run(tmp_path, inventory(one), *arguments, book="playbooks/uninstall.yml")
    return code, said, [(asked["_ansible_check_mode"], asked["data"]) for asked in one.given("uninstall")]


def test_nothing_is_removed_that_was_not_confirmed(tmp_path: Path) -> None:
    code, said, calls = uninstalled(tmp_path)
    assert (code, calls) == (2, [(True, False)])
    assert failures(said)["pi1"][0] == "Stop unless it was confirmed"


def test_what_was_confirmed_is_listed_and_removed_and_records_are_kept(tmp_path: Path) -> None:
    code, said, calls = uninstalled(tmp_path, "-e", "uninstall_confirmed=true")
    assert (code, calls) == (0, [(True, False), (False, False)])
    assert said.index("/opt/kafka") < said.index("TASK [Remove it]")


def test_records_are_removed_where_that_is_said(tmp_path: Path) -> None:
    _code, _said, calls = uninstalled(tmp_path, "-e", "uninstall_confirmed=true", "-e", "uninstall_data=true")
    assert calls == [(True, True), (False, True)]


def test_a_dry_run_asks_and_removes_nothing(tmp_path: Path) -> None:
    code, _said, calls = uninstalled(tmp_path, "--check")
    assert (code, calls) == (0, [(True, False), (True, False)])
