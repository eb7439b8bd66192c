"""What the playbooks refuse before they contact a host, and in which words; and what they give to modules."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from plays import REPOSITORY, SECONDS, Host, run

CACHE = Path(os.environ.get("RASPI_KAFKA_CACHE") or REPOSITORY / ".cache")
OLD_ANSIBLE = "2.16"
# An address of TEST-NET-1 (RFC 5737): if a play contacted it, it would wait, and the test would see `unreachable`.
PI = "pi1 ansible_host=192.0.2.1 ansible_ssh_common_args='-o ConnectTimeout=3'"


def play(
    tmp_path: Path,
    inventory: str,
    *arguments: str,
    python: str = sys.executable,
    book: str = "site.yml",
    fails: bool = True,
) -> str:
    """Run a playbook as its user does; returns what he reads, with its lines joined."""
    code, said = run(tmp_path, inventory, *arguments, book=book, python=python)
    assert (code != 0) == fails, said
    return re.sub(r"\s+", " ", said)


def refused(said: str, task: str) -> bool:
    """Whether this task failed, as the only one, and nothing was changed."""
    failed = re.search(rf"TASK \[{re.escape(task)}\] \*+ (\[ERROR\].*?)?fatal: ", said)
    return bool(failed) and said.count("fatal: ") == 1 and not re.search(r"changed=[1-9]", said)


@pytest.mark.parametrize(
    ("variable", "arguments"),
    [("\n[pis:vars]\nkraft_broker_prot=9093\n", []), ("", ["-e", "kraft_broker_prot=9093"])],
    ids=["inventory", "extra variable"],
)
@pytest.mark.parametrize("limit", [[], ["--limit", "pi1"]], ids=["all", "limited"])
def test_a_misspelt_variable_is_refused_and_the_right_one_suggested(
    tmp_path: Path, variable: str, arguments: list[str], limit: list[str]
) -> None:
    said = play(tmp_path, f"[pis]\n{PI}\n{variable}", *arguments, *limit)
    assert refused(said, "Refuse misspelt variables")
    assert "The variable kraft_broker_prot is not known; did you mean kraft_broker_port? Nothing was changed." in said


@pytest.mark.parametrize(
    "inventory", ["", f"[raspberries]\n{PI}\n", "[pis]\n"], ids=["empty", "other group", "no host"]
)
def test_an_inventory_without_pis_is_refused_and_says_how_to_get_one(tmp_path: Path, inventory: str) -> None:
    said = play(tmp_path, inventory)
    assert refused(said, "Refuse an inventory without Pis")
    assert "The inventory has no host in the group [pis]. Copy inventory/pis.example.ini to pis.ini" in said


def test_a_misspelt_variable_is_refused_once_however_many_pis_there_are(tmp_path: Path) -> None:
    inventory = f"[pis]\n{PI}\n{PI.replace('pi1', 'pi2')}\n{PI.replace('pi1', 'pi3')} kraft_broker_prot=9093\n"
    assert refused(play(tmp_path, inventory, "--limit", "pi1,pi2"), "Refuse misspelt variables")


NODES = "\n".join(f"{PI.replace('pi1', f'pi{number}')} kraft_broker_node_id={number}" for number in (1, 2, 3))
ALL_BOTH = "\n[controllers:children]\nbrokers\n[pis:children]\nbrokers\ncontrollers\n"
CLUSTER = f"[brokers]\n{NODES}\n{ALL_BOTH}"
NO_CLUSTER = {
    "a node id twice": (
        CLUSTER.replace("node_id=3", "node_id=2"),
        "pi2 and pi3 have the same kraft_broker_node_id=2, and each node of a cluster needs its own.",
    ),
    "node ids that are left out": (
        re.sub(r" kraft_broker_node_id=\d", "", CLUSTER),
        "pi1 and pi2 and pi3 have the same kraft_broker_node_id=1",
    ),
    "an advertised address of all": (
        f"{CLUSTER}[pis:vars]\nkraft_broker_advertised_address=kafka.lan\n",
        "pi1 and pi2 and pi3 have the same kraft_broker_advertised_address=kafka.lan.",
    ),
    "no controllers": (
        f"[brokers]\n{NODES}\n[pis:children]\nbrokers\n",
        "The cluster has no controller: the group [controllers] is empty and [brokers] is not.",
    ),
    "no brokers": (
        f"[controllers]\n{NODES}\n[pis:children]\ncontrollers\n",
        "The cluster has no broker: the group [brokers] is empty and [controllers] is not.",
    ),
    "members that are no pis": (
        f"[brokers]\n{NODES}\n[controllers]\npi1\n[pis]\npi1\n",
        "pi2, pi3 in [brokers] or [controllers] is missing in [pis].",
    ),
    "a name that nobody can look for": (
        CLUSTER.replace("pi3", "localhost"),
        "localhost cannot be the name of a node: the other nodes look for it under this name.",
    ),
}


@pytest.mark.parametrize(("inventory", "sentence"), NO_CLUSTER.values(), ids=NO_CLUSTER)
def test_what_cannot_be_one_cluster_is_refused_before_a_host_is_contacted(
    tmp_path: Path, inventory: str, sentence: str
) -> None:
    said = play(tmp_path, inventory)
    assert refused(said, "Refuse what cannot be one cluster")
    assert sentence in said
    assert "Nothing was changed." in said


def test_a_part_of_what_cannot_be_one_cluster_is_refused_too(tmp_path: Path) -> None:
    inventory, sentence = NO_CLUSTER["a node id twice"]
    said = play(tmp_path, inventory, "--limit", "pi1")
    assert refused(said, "Refuse what cannot be one cluster")
    assert sentence in said


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (["fast"] * 3, "kraft_broker_failover=fast of pi1, pi2, pi3 is not known; did you mean fast_failover?"),
        (
            ["wifi", "wifi", "default"],
            "The nodes of a cluster differ in kraft_broker_failover: wifi (pi1, pi2), default (pi3).",
        ),
    ],
    ids=["unknown", "unlike"],
)
@pytest.mark.parametrize("limit", [[], ["--limit", "pi1"]], ids=["all", "limited"])
def test_a_failover_that_cannot_be_is_refused_before_a_host_is_contacted(
    tmp_path: Path, values: list[str], sentence: str, limit: list[str]
) -> None:
    lines = [f"{line} kraft_broker_failover={value}" for line, value in zip(NODES.splitlines(), values, strict=True)]
    said = play(tmp_path, f"[brokers]\n{chr(10).join(lines)}\n{ALL_BOTH}", *limit)
    assert refused(said, "Refuse failovers that are not known or do not fit together")
    assert sentence in said
    assert "Nothing was changed." in said


@pytest.mark.parametrize("example", ["pis", "cluster"])
def test_the_examples_pass(tmp_path: Path, example: str) -> None:
    text = (REPOSITORY / "inventory" / f"{example}.example.ini").read_text()
    assert "failed=0" in play(tmp_path, text, book="playbooks/preflight.yml", fails=False)


def test_a_cluster_and_gateways_of_their_own_may_stand_in_one_inventory(tmp_path: Path) -> None:
    """A gateway has the node id 1 too, which is no node of the cluster."""
    text = f"{CLUSTER}gateways\n[gateways]\n{PI.replace('pi1', 'pi9')}\n"
    assert "pi9 : ok=" in play(tmp_path, text, book="playbooks/preflight.yml", fails=False)


def test_a_dry_run_of_the_proof_says_that_it_proves_nothing_and_contacts_nobody(tmp_path: Path) -> None:
    said = play(tmp_path, f"[pis]\n{PI}\n", "--check", book="playbooks/verify.yml", fails=False)
    assert "A proof needs real messages, and --check sends none. Run it without --check." in said
    assert "unreachable=0 failed=0" in said


@pytest.mark.parametrize(
    ("variable", "wanted"),
    [
        ("kraft_broker_port=many", "int"),
        ("kraft_broker_extra_config=[1]", "dict"),
        ("kraft_broker_heap_mb=lots", "int"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_before_anything_changes(
    tmp_path: Path, variable: str, wanted: str
) -> None:
    checked = {"warnings_found": [], "machine_id": "a", "hostname": "pi1", "disk_size": 30 << 30}
    host = Host(tmp_path, "pi1", {"pi_host_check": [checked]})
    said = play(tmp_path, f"[pis]\n{host.line()}\n[pis:vars]\n{variable}\n")
    name = variable.partition("=")[0]
    assert re.search(r"TASK \[(raspi\.kafka\.)?kraft_broker : Validating arguments against arg spec", said), said
    assert said.count("fatal: ") == 1
    assert not re.search(r"changed=[1-9]", said)
    assert re.search(rf"argument '{name}' is of type .{{1,40}} and we were unable to convert to {wanted}", said), said
    assert "Refuse a release" not in said, "the validation must be the first task of the role"


@pytest.fixture(scope="session")
def old_python() -> str:
    """The Python of an environment with an ansible-core that is too old, made once."""
    if sys.version_info > (3, 13):
        pytest.skip(f"ansible-core {OLD_ANSIBLE} does not run on Python {sys.version.split()[0]}")
    path = CACHE / f"_ansible-core-{OLD_ANSIBLE}" / f"py{sys.version_info.major}.{sys.version_info.minor}"
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (path / ".complete").exists():
            shutil.rmtree(path, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", str(path)], check=True, timeout=SECONDS)
            pip = [str(path / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, f"ansible-core=={OLD_ANSIBLE}.*"], check=True, timeout=600)
            (path / ".complete").touch()
    return str(path / "bin" / "python")


@pytest.mark.parametrize("limit", [[], ["--limit", "pi1"]], ids=["all", "limited"])
def test_an_ansible_that_is_too_old_is_refused_in_a_sentence(tmp_path: Path, old_python: str, limit: list[str]) -> None:
    said = play(tmp_path, f"[pis]\n{PI}\n", *limit, python=old_python)
    assert refused(said, "Refuse an ansible-core that is too old")
    assert re.search(rf"raspi\.kafka needs ansible-core 2\.17 or later, this is {re.escape(OLD_ANSIBLE)}\.\d+\.", said)
    assert said.count("TASK [") == 1, "it must be the first task"


@pytest.mark.parametrize("factor", [1, 5])
def test_one_variable_multiplies_the_time_outs_of_the_proof(tmp_path: Path, factor: int) -> None:
    pi = Host(tmp_path, "pi1", {}, pi_host_timeout_factor=factor, python_venv_control_python=sys.executable)
    run(tmp_path, f"[pis]\n{pi.line()}\n", book="playbooks/verify.yml")
    (topic,) = pi.given("kafka_topics")
    (proof,) = pi.given("produce_consume")
    assert [int(one["request_timeout_ms"]) for one in (topic, proof)] == [30000 * factor] * 2
    assert int(proof["timeout"]) == 120 * factor


SIMULATED, SERVICES = [f"sim-{number:05}" for number in range(1, 31)], ["raspi-kafka-gateway-pi1"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([*SIMULATED, *SERVICES, "pi1", "kitchen"], "kitchen, pi1, beside 30 simulated, within the last 5 minutes"),
        ([f"esp{number}" for number in range(7)], "esp0, esp1, esp2, esp3, esp4 and 2 more, within the last 5 minutes"),
        (SIMULATED, "no real device, beside 30 simulated, within the last 5 minutes"),
        (SERVICES, None),
    ],
)
def test_a_proof_tells_real_devices_from_simulated_ones(tmp_path: Path, names: list[str], told: str | None) -> None:
    now = int(time.time() * 1000)
    heard = {name: {"timestamp": now, "topic": "telemetry"} for name in names}
    long_ago = {"attic": {"timestamp": now - 600_000, "topic": "telemetry"}}
    path = tmp_path / "credentials" / "pi1.yml"
    path.parent.mkdir()
    path.write_text(json.dumps({"passwords": {"raspi-kafka-verify": "drawn"}}))
    path.chmod(0o600)
    brokers = [{"id": 1, "address": "192.0.2.1:9092", "ack_p50_ms": 1, "ack_p99_ms": 2}]
    answers = {
        "produce_consume": [{"brokers": brokers, "records_produced": 9, "records_consumed": 9}],
        "last_records": [{"records": heard | long_ago, "complete": True, "since": 1}],
    }
    pi = Host(tmp_path, "pi1", answers, python_venv_control_python=sys.executable)
    _code, said = run(tmp_path, f"[pis]\n{pi.line()}\n", book="playbooks/verify.yml")
    lines = re.findall(r"^ +publishing +(.+)$", said, re.MULTILINE)
    assert lines == ([told] if told else []), said


@pytest.mark.parametrize(("variables", "seconds"), [("", "50"), (" ansible_ssh_timeout=20", "100")])
def test_it_multiplies_what_ssh_and_sudo_have(tmp_path: Path, variables: str, seconds: str) -> None:
    inventory = f"[pis]\n{PI} pi_host_timeout_factor=5{variables}\n"
    said = play(tmp_path, inventory, "-v", book="playbooks/preflight.yml", fails=False)
    assert re.search(rf'"ansible_ssh_timeout": "?{seconds}\b', said)


def test_what_a_user_gives_ssh_is_left_alone(tmp_path: Path) -> None:
    inventory = f"[pis]\n{PI} ansible_ssh_timeout=20\n"
    assert "ansible_ssh_timeout" not in play(tmp_path, inventory, "-v", book="playbooks/preflight.yml", fails=False)
