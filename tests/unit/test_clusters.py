"""What the role gives to the modules on the hosts of a cluster, and what it writes there, from real runs of plays.

The hosts answer as tests tell them to; see plays.Host.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from plays import UNFORMATTED, Host, bare, failures, run

OURS = "4L6g3nShT-eMCtK--X86sw"
ROLE = "raspi.kafka.kraft_broker"


def pi(root: Path, name: str, node_id: int, answers: dict[str, Any], **variables: Any) -> Host:
    """A Raspberry Pi whose address ends with its node id."""
    told = {
        **bare(name, {"default_ipv4": {"address": f"192.0.2.{node_id}"}}),
        "host_files": [{"changed_paths": [], "before": {}}],
        "ballast": [{"skipped_dirs": []}],
        **answers,
    }
    return Host(root, name, told, **{"kraft_broker_node_id": node_id, **variables})


def inventory(**groups: list[Host]) -> str:
    """Hosts by group; all of them are pis."""
    hosts = {one.name: one for group in groups.values() for one in group}
    lines = [one.line() for one in hosts.values()]
    for name, group in groups.items():
        lines += [f"[{name}]", *(one.name for one in group)]
    return "\n".join([*lines, "[pis]", *hosts, ""])


def played(root: Path, text: str, parts: list[str], *arguments: str) -> tuple[int, str]:
    """Run parts of the role's tasks one after the other, on all hosts at once."""
    tasks = [{"ansible.builtin.import_role": {"name": ROLE, "tasks_from": part}} for part in parts]
    (root / "book.yml").write_text(json.dumps([{"hosts": "pis", "gather_facts": True, "tasks": tasks}]))
    return run(root, text, *arguments, book=str(root / "book.yml"))


# --- what is written


def written(one: Host, path: str = "/etc/kafka/server.properties") -> str:
    """The text of a file that the role writes on a host."""
    return next(
        file["content"] for call in one.given("host_files") for file in call.get("files") or [] if file["path"] == path
    )


def keys(one: Host) -> dict[str, str]:
    """What server.properties says, each key once."""
    lines = [line for line in written(one).splitlines() if line and not line.startswith("#")]
    found = dict(line.split("=", 1) for line in lines)
    assert len(found) == len(lines), "a key stands there twice"
    return found


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Host]:
    """Name -> host, of two inventories: three combined nodes beside a gateway, and five nodes with one role each."""
    root = tmp_path_factory.mktemp("configured")
    three = [pi(root, f"pi{number}", number, {}) for number in (1, 2, 3)]
    three[2].variables["kraft_broker_controller_port"] = 9193
    alone = pi(root, "gateway", 1, {}, kraft_broker_advertised_address="kafka.lan")
    controllers = [pi(root, f"c{number}", number, {}) for number in (1, 2, 3)]
    brokers = [pi(root, f"b{number}", number, {}) for number in (4, 5)]
    new = {"kraft_broker_version": "4.2.0", "kraft_broker_min_insync_replicas": 2}
    for one in brokers:
        one.variables |= new
    for text in (
        inventory(brokers=three, controllers=three, gateways=[alone]),
        inventory(brokers=brokers, controllers=controllers),
    ):
        code, said = played(root, text, ["preflight", "configure"])
        assert code == 0, said
    return {one.name: one for one in (*three, alone, *controllers, *brokers)}


CONTROLLERS_OF_THREE = "pi1:9093,pi2:9093,pi3:9193"
CONTROLLERS_OF_FIVE = "c1:9093,c2:9093,c3:9093"
REPLICATED = (
    "default.replication.factor",
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "share.coordinator.state.topic.replication.factor",
)
IN_SYNC = ("transaction.state.log.min.isr", "share.coordinator.state.topic.min.isr")
CHECKPOINT = "replica.high.watermark.checkpoint.interval.ms"
NONE = None
# Host -> the keys that differ between nodes; None: it is not there.
EXPECTED: dict[str, dict[str, str | None]] = {
    "gateway": {
        "process.roles": "broker,controller",
        "node.id": "1",
        "listeners": "CONTROLLER://127.0.0.1:9093,LOCAL://127.0.0.1:19092,LAN://0.0.0.0:9092",
        "advertised.listeners": "LOCAL://127.0.0.1:19092,LAN://kafka.lan:9092",
        "inter.broker.listener.name": "LOCAL",
        "controller.quorum.bootstrap.servers": "127.0.0.1:9093",
        "controller.quorum.auto.join.enable": NONE,
        CHECKPOINT: "60000",
        **dict.fromkeys(REPLICATED, "1"),
        **dict.fromkeys(IN_SYNC, "1"),
    },
    "pi2": {
        "process.roles": "broker,controller",
        "node.id": "2",
        "listeners": (
            "CONTROLLER://0.0.0.0:9093,LOCAL://127.0.0.1:19092,LAN://0.0.0.0:9092,REPLICATION://0.0.0.0:9094"
        ),
        "advertised.listeners": (
            "CONTROLLER://pi2:9093,LOCAL://127.0.0.1:19092,LAN://192.0.2.2:9092,REPLICATION://pi2:9094"
        ),
        "inter.broker.listener.name": "REPLICATION",
        "controller.quorum.bootstrap.servers": CONTROLLERS_OF_THREE,
        "controller.quorum.auto.join.enable": NONE,
        CHECKPOINT: NONE,
        **dict.fromkeys(REPLICATED, "3"),
        **dict.fromkeys(IN_SYNC, "2"),
    },
    "pi3": {
        "node.id": "3",
        "listeners": (
            "CONTROLLER://0.0.0.0:9193,LOCAL://127.0.0.1:19092,LAN://0.0.0.0:9092,REPLICATION://0.0.0.0:9094"
        ),
        "controller.quorum.bootstrap.servers": CONTROLLERS_OF_THREE,
    },
    "c2": {
        "process.roles": "controller",
        "node.id": "2",
        "listeners": "CONTROLLER://0.0.0.0:9093",
        "advertised.listeners": "CONTROLLER://c2:9093",
        "inter.broker.listener.name": NONE,
        "controller.quorum.bootstrap.servers": CONTROLLERS_OF_FIVE,
        "controller.quorum.auto.join.enable": NONE,
        CHECKPOINT: NONE,
        **dict.fromkeys(REPLICATED, "2"),
        **dict.fromkeys(IN_SYNC, "1"),
    },
    "b5": {
        "process.roles": "broker",
        "node.id": "5",
        "listeners": "LOCAL://127.0.0.1:19092,LAN://0.0.0.0:9092,REPLICATION://0.0.0.0:9094",
        "advertised.listeners": "LOCAL://127.0.0.1:19092,LAN://192.0.2.5:9092,REPLICATION://b5:9094",
        "inter.broker.listener.name": "REPLICATION",
        "controller.quorum.bootstrap.servers": CONTROLLERS_OF_FIVE,
        "controller.quorum.auto.join.enable": "false",
        CHECKPOINT: NONE,
        **dict.fromkeys(REPLICATED, "2"),
        **dict.fromkeys(IN_SYNC, "2"),
    },
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_node_is_configured_as_its_groups_say(configured: dict[str, Host], name: str) -> None:
    found = keys(configured[name])
    assert {key: found.get(key) for key in EXPECTED[name]} == EXPECTED[name]


def test_the_nodes_of_a_cluster_agree_on_all_but_themselves(configured: dict[str, Host]) -> None:
    first, second = keys(configured["pi1"]), keys(configured["pi2"])
    assert {key for key in first.keys() | second.keys() if first.get(key) != second.get(key)} == {
        "node.id",
        "advertised.listeners",
    }


def test_no_key_of_the_file_is_one_that_only_the_cluster_has(configured: dict[str, Host]) -> None:
    """Kafka 4.1 takes min.insync.replicas from the file at the first format only (KIP-966)."""
    assert [name for name, one in configured.items() if "min.insync.replicas" in keys(one)] == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gateway", "one Raspberry Pi"),
        ("pi1", "one of 3 Raspberry Pis"),
        ("c1", "one of 5 Raspberry Pis"),
    ],
)
def test_the_file_says_of_how_many_nodes_it_is(configured: dict[str, Host], name: str, text: str) -> None:
    assert f" on {text}. Where a value differs" in written(configured[name])


def test_nodes_are_named_to_each_other_and_a_gateway_to_nobody(configured: dict[str, Host]) -> None:
    (given,) = configured["b4"].given("cluster_names")
    assert given["own"] == "b4"
    names = ["c1", "c2", "c3", "b4", "b5"]
    assert given["names"] == {name: f"192.0.2.{number}" for number, name in enumerate(names, 1)}
    assert configured["gateway"].given("cluster_names") == []


def test_a_bare_node_is_not_asked_for_a_quorum(configured: dict[str, Host]) -> None:
    assert [name for name, one in configured.items() if one.given("cluster_health")] == []


# --- what is done in which order

DRAWN = {**UNFORMATTED, "cluster_id": OURS}


class Bootstrap(NamedTuple):
    """Three bare hosts on which the role was run, and what its user read."""

    hosts: list[Host]
    said: str


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Bootstrap:
    root = tmp_path_factory.mktemp("bootstrap")
    hosts = [pi(root, f"pi{number}", number, {"kraft_format": [UNFORMATTED, DRAWN]}) for number in (1, 2, 3)]
    code, said = played(root, inventory(brokers=hosts, controllers=hosts), ["main", "join"])
    assert code == 0, said
    return Bootstrap(hosts, said)


def test_the_steps_are_said_once(bootstrap: Bootstrap) -> None:
    assert bootstrap.said.count("Steps that are left for pi1, pi2, pi3") == 1
    assert '"4. start pi1"' in bootstrap.said


def test_each_node_gets_its_id_its_manifest_and_one_format(bootstrap: Bootstrap) -> None:
    asked = [
        [(call.get("state"), call["cluster_id"], call.get("founds")) for call in one.given("kraft_format")[1:]]
        for one in bootstrap.hosts
    ]
    joins = [("recorded", OURS, False), (None, OURS, False)]
    assert asked == [[("recorded", "", None), (None, OURS, True)], joins, joins]


def called(one: Host, module: str, number: int) -> int:
    """When a host was called, in ns."""
    return sorted((one.folder / module).iterdir())[number].stat().st_mtime_ns


def test_nobody_is_formatted_before_all_know_who_they_are_nor_joins_before_the_first_runs(bootstrap: Bootstrap) -> None:
    first, *others = bootstrap.hosts
    founded, started = called(first, "kraft_format", 2), called(first, "unit_started", -1)
    assert max(called(one, "kraft_format", 1) for one in others) < founded < started
    assert started < min(called(one, "kraft_format", 2) for one in others)


def test_the_first_node_is_not_admitted_and_the_others_are_one_after_the_other(bootstrap: Bootstrap) -> None:
    first, *others = bootstrap.hosts
    assert first.given("kraft_voters") == []
    given = [one.given("kraft_voters") for one in others]
    assert [[(int(voter["id"]), voter["host"]) for voter in call["voters"]] for (call,) in given] == [
        [(2, "pi2")],
        [(3, "pi3")],
    ]
    assert called(others[0], "kraft_voters", 0) < called(others[1], "kraft_voters", 0)


def test_the_others_are_left_alone_where_the_first_does_not_start(tmp_path: Path) -> None:
    begun = {"done": True, "active": False}
    fails = {"unit_started": [begun, begun, {"failed": True, "msg": "kafka.service did not start"}]}
    drawn = {"kraft_format": [UNFORMATTED, DRAWN]}
    hosts = [pi(tmp_path, "pi1", 1, {**drawn, **fails}), pi(tmp_path, "pi2", 2, drawn)]
    code, said = played(tmp_path, inventory(brokers=hosts, controllers=hosts), ["main", "join"])
    assert code == 2
    failed = failures(said)
    assert "Kafka on pi1 does not serve clients" in failed["pi1"][1]
    assert failed["pi2"][0] == "kraft_broker : Stop where no node is left that could be joined"
    assert "pi2 was not formatted, since no controller of its cluster serves" in failed["pi2"][1]
    assert len(hosts[1].given("kraft_format")) == 2


# --- a part of the hosts


FORMATTED = {**UNFORMATTED, "cluster_id": OURS, "recorded": True, "fresh": False, "changed": False, "directory_id": "d"}


def limited(root: Path, name: str, running: bool, answer: dict[str, Any]) -> tuple[Host, str]:
    """Check one node of a cluster whose others take no part; returns it and what was said."""
    told = {
        "kraft_format": [FORMATTED],
        "unit_started": [{"done": True, "active": running}],
        "cluster_health": [answer],
    }
    hosts = {one: pi(root, one, number, told) for number, one in enumerate(("c1", "c2", "b3", "b4"), 1)}
    text = inventory(brokers=[hosts["b3"], hosts["b4"]], controllers=[hosts["c1"], hosts["c2"]])
    return hosts[name], played(root, text, ["preflight"], "--limit", name)[1]


@pytest.mark.parametrize(
    ("name", "running", "servers"),
    [
        ("b3", True, ["127.0.0.1:9092"]),
        ("b3", False, ["b3:9092", "b4:9092"]),
        ("c1", True, ["b3:9092", "b4:9092"]),
    ],
)
def test_a_node_asks_its_own_broker_and_one_without_asks_those_of_its_cluster(
    tmp_path: Path, name: str, running: bool, servers: list[str]
) -> None:
    voters = [{"id": number, "directory_id": "d"} for number in (1, 2)]
    one, said = limited(tmp_path, name, running, {"leader_id": 1, "voters": voters})
    assert [call["bootstrap_servers"] for call in one.given("cluster_health")] == [servers]
    assert failures(said) == {}


def test_a_cluster_that_nobody_can_be_asked_of_is_not_waited_for(tmp_path: Path) -> None:
    _one, said = limited(tmp_path, "c1", False, {"failed": True, "msg": "No Kafka broker can be reached"})
    task, text = failures(said)["c1"]
    assert task == "kraft_broker : Refuse what cannot become one cluster"
    assert "The cluster has lost its majority, as far as can be seen from here" in text
    assert text.endswith("Nothing was changed.")
