"""What the role gives to the modules on the hosts of a cluster, and what it writes there, from real runs of plays.

The hosts answer as tests tell them to; see plays.Host.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from plays import REPOSITORY, UNFORMATTED, Host, bare, failures, run

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


def played(root: Path, text: str, parts: list[str], *arguments: str, say: str = "") -> tuple[int, str]:
    """Run parts of the role's tasks one after the other, on all hosts at once; `say` is a template that is told."""
    tasks = [{"ansible.builtin.import_role": {"name": ROLE, "tasks_from": part}} for part in parts]
    tasks += [{"ansible.builtin.debug": {"msg": say}}] if say else []
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
    hosts = [
        pi(root, f"pi{number}", number, {"kraft_format": [UNFORMATTED, DRAWN, {**DRAWN, "directory_id": f"d{number}"}]})
        for number in (1, 2, 3)
    ]
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


def test_a_controller_that_can_be_joined_is_reached_before_a_node_is_formatted(bootstrap: Bootstrap) -> None:
    first, *others = bootstrap.hosts
    assert first.given("wait_for") == []
    for one in others:
        assert [(call["host"], int(call["port"])) for call in one.given("wait_for")] == [("pi1", 9093)]
        assert called(one, "wait_for", 0) < called(one, "kraft_format", 2)


def test_the_first_node_is_not_admitted_and_the_others_are_one_after_the_other(bootstrap: Bootstrap) -> None:
    first, *others = bootstrap.hosts
    assert first.given("kraft_voters") == []
    given = [one.given("kraft_voters") for one in others]
    asked = [[(int(one["id"]), one["host"], one["directory_id"]) for one in call["voters"]] for (call,) in given]
    assert asked == [[(2, "pi2", "d2")], [(3, "pi3", "d3")]]
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


def test_the_first_is_left_alone_where_another_could_not_be_told_the_id(tmp_path: Path) -> None:
    """It would be a cluster of which the other knows nothing."""
    full = {"failed": True, "msg": "No space left on device"}
    first = pi(tmp_path, "pi1", 1, {"kraft_format": [UNFORMATTED, DRAWN]})
    second = pi(tmp_path, "pi2", 2, {"kraft_format": [UNFORMATTED, full]})
    hosts = [first, second]
    _code, said = played(tmp_path, inventory(brokers=hosts, controllers=hosts), ["main"])
    assert failures(said)["pi1"] == (
        "kraft_broker : Stop where not every node knows the id",
        "pi1 was not formatted, since pi2 failed before: see why above, mend it, and run the play again.",
    )
    assert len(first.given("kraft_format")) == 2


def test_a_node_that_was_refused_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    hosts = [pi(tmp_path, "pi1", 1, {}), pi(tmp_path, "pi2", 2, {"kraft_format": [{"failed": True, "msg": "no"}]})]
    _code, said = played(tmp_path, inventory(brokers=hosts, controllers=hosts), ["preflight"])
    task, text = failures(said)["pi1"]
    assert task == "kraft_broker : Stop where another node of the cluster was refused"
    assert text == (
        "pi1 is left as it is, since pi2 of the same cluster was refused: see why above. Nothing was changed."
    )


# --- the restart

COST = {"cost": {"requests": 8, "ms": 61}, "waited_s": 0.0}
HEALTH = {
    "leader_id": 1,
    "brokers": [{"id": number, "fenced": False, "out_of_sync": 0} for number in (1, 2, 3)],
    "voters": [{"id": number, "caught_up": True} for number in (1, 2, 3)],
    "observers": [],
    "verdicts": [{"id": number, "named": [f"scratch: {number} partitions cannot be used"]} for number in (1, 2, 3)],
    **COST,
}
UNREACHABLE = {"failed": True, "msg": "No Kafka broker can be reached"}
LED = {"moved": {"telemetry": [0, 3], "events": [0]}, "behind": {}, "waited_s": 0.4}


class Rolled(NamedTuple):
    """Three nodes and a gateway that were to be restarted, and what the user read."""

    hosts: list[Host]
    said: str

    @property
    def failed(self) -> dict[str, tuple[str, str]]:
        return failures(self.said)


def rolled(root: Path, of: str = "", health: tuple[dict[str, Any], ...] = (HEALTH,), **answers: Any) -> Rolled:
    """Roll a cluster of three and a gateway; `answers` are those of the host `of`, `health` those for the cluster."""
    told = {"unit_started": [{"done": True, "active": True}], "cluster_health": list(health)}
    told |= {"kafka_leaders": [LED]}
    names = ["pi1", "pi2", "pi3", "gateway"]
    hosts = [
        pi(root, name, number, {**told, **(answers if name == of else {})}) for number, name in enumerate(names, 1)
    ]
    text = inventory(brokers=hosts[:3], controllers=hosts[:3], gateways=hosts[3:])
    return Rolled(hosts, run(root, text, book="playbooks/rolling_restart.yml")[1])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Rolled:
    return rolled(tmp_path_factory.mktemp("rolled"))


def test_a_node_is_restarted_once_and_only_after_the_others_were_asked_whether_they_can_do_without_it(
    whole: Rolled,
) -> None:
    *nodes, gateway = whole.hosts
    assert whole.failed == {}
    assert [[call["restarted"] for call in one.given("unit_started")] for one in whole.hosts] == [[True]] * 4
    asked = [[int(call.get("node_id", 0)) for call in one.given("cluster_health")] for one in nodes]
    assert asked == [[0, 1], [0, 2], [0, 3]], "each asks for all before the order is planned"
    assert all(called(one, "cluster_health", -1) < called(one, "unit_started", 0) for one in nodes)
    assert gateway.given("cluster_health") == []


def test_no_two_nodes_of_a_cluster_are_restarted_at_once_and_the_active_controller_is_the_last(whole: Rolled) -> None:
    pi1, pi2, pi3, _gateway = whole.hosts
    modules = ("cluster_health", "unit_started", "kafka_leaders")
    times = [called(one, module, -1) for one in (pi2, pi3, pi1) for module in modules]
    assert times == sorted(times)
    assert "Restarting one after the other: 1. pi2, 2. pi3, 3. pi1 (active controller)" in whole.said


def test_what_nobody_can_use_meanwhile_is_named(whole: Rolled) -> None:
    for number in (1, 2, 3):
        assert f"While pi{number} is down: scratch: {number} partitions cannot be used." in whole.said
    assert "While gateway" not in whole.said


def test_a_node_leads_again_what_it_led_before_the_next_one_is_restarted(whole: Rolled) -> None:
    *nodes, gateway = whole.hosts
    assert [[int(call["node_id"]) for call in one.given("kafka_leaders")] for one in nodes] == [[1], [2], [3]]
    assert gateway.given("kafka_leaders") == []


def test_the_cost_of_the_gate_is_told_for_each_node(whole: Rolled) -> None:
    told = (
        "; the gate took 8 requests and 61 ms, its replicas were in sync after 0.4 s, and it leads 3 partitions again"
    )
    for name in ("pi1", "pi2", "pi3"):
        assert re.search(rf"{name} was restarted in \d+\.\d s{told}\.", whole.said)
    assert re.search(r"gateway was restarted in \d+\.\d s\.", whole.said)
    assert re.search(r"3 nodes were restarted in \d+\.\d s\.", whole.said)


def test_a_dry_run_tells_the_order_and_restarts_nothing(tmp_path: Path) -> None:
    hosts = [pi(tmp_path, f"pi{number}", number, {"cluster_health": [HEALTH]}) for number in (1, 2, 3)]
    text = inventory(brokers=hosts, controllers=hosts)
    code, said = run(tmp_path, text, "--check", book="playbooks/rolling_restart.yml")
    assert code == 0, said
    assert "Would restart one after the other: 1. pi2, 2. pi3, 3. pi1 (active controller)" in said
    assert [one.given("unit_started") for one in hosts] == [[], [], []]


def test_a_node_that_is_of_no_use_now_comes_first_and_is_not_asked_itself(tmp_path: Path) -> None:
    fenced = [{"id": number, "fenced": number == 3, "out_of_sync": 0} for number in (1, 2, 3)]
    done = rolled(tmp_path, health=({**HEALTH, "brokers": fenced},))
    assert "1. pi3 (its broker is fenced), 2. pi2, 3. pi1 (active controller)" in done.said
    servers = [one.given("cluster_health")[-1]["bootstrap_servers"] for one in done.hosts[:3]]
    own = ["127.0.0.1:9092", "127.0.0.1:19092"]
    assert servers == [own, own, ["pi1:9092", "pi2:9092"]]


def test_a_cluster_that_cannot_be_asked_is_rolled_in_the_order_of_the_inventory_if_the_gate_lets_it(
    tmp_path: Path,
) -> None:
    done = rolled(tmp_path, health=(UNREACHABLE, UNREACHABLE, HEALTH))
    unknown = "(the cluster could not be asked)"
    assert f"1. pi1 {unknown}, 2. pi2 {unknown}, 3. pi3 {unknown}" in done.said
    assert done.failed == {}


def test_where_no_node_that_is_to_be_restarted_answers_the_others_are_asked(tmp_path: Path) -> None:
    done = rolled(tmp_path, health=(UNREACHABLE, HEALTH))
    assert "1. pi2, 2. pi3, 3. pi1 (active controller)" in done.said
    own, others = (done.hosts[0].given("cluster_health")[number]["bootstrap_servers"] for number in (0, 1))
    assert "127.0.0.1:19092" in own
    assert others == ["pi2:9092", "pi3:9092"]


def test_a_node_that_does_not_answer_is_no_reason_not_to_know_the_cluster(tmp_path: Path) -> None:
    done = rolled(tmp_path, of="pi1", cluster_health=[UNREACHABLE, HEALTH])
    assert "1. pi2, 2. pi3, 3. pi1 (active controller)" in done.said
    assert done.failed == {}


@pytest.mark.parametrize(
    ("module", "answer"),
    [
        ("cluster_health", "pi3 is behind"),
        ("unit_started", "kafka.service did not start"),
        ("kafka_leaders", "not in sync"),
    ],
    ids=["cluster_health", "unit_started", "kafka_leaders"],
)
def test_the_first_node_that_could_not_be_restarted_stops_all_others_of_its_cluster(
    tmp_path: Path, module: str, answer: str
) -> None:
    asked = [HEALTH] if module == "cluster_health" else []
    done = rolled(tmp_path, of="pi2", **{module: [*asked, {"failed": True, "msg": answer}]})
    for name in ("pi1", "pi3"):
        task, text = done.failed[name]
        assert task == "Stop where an earlier node of the cluster did not come back"
        assert text.startswith(
            f"{name} was not restarted, since pi2 could not be restarted before: see why above, mend"
        )
    assert done.failed.keys() == {"pi1", "pi2", "pi3"}, "the gateway goes on"
    assert [len(one.given("unit_started")) for one in (done.hosts[0], *done.hosts[2:])] == [0, 0, 1]


def test_what_was_restarted_before_goes_no_further_where_a_later_one_fails(tmp_path: Path) -> None:
    """Of the last one too: after the roll site.yml goes on with all."""
    done = rolled(tmp_path, of="pi1", unit_started=[{"failed": True, "msg": "kafka.service did not start"}])
    for name in ("pi2", "pi3"):
        assert done.failed[name][1].startswith(f"{name} goes no further, since pi1 could not be restarted before")
    assert done.failed.keys() == {"pi1", "pi2", "pi3"}


@pytest.mark.parametrize("short", [False, True])
def test_a_node_that_needs_no_restart_goes_no_further_where_one_that_does_fails(tmp_path: Path, short: bool) -> None:
    """As site.yml has it: only those whose configuration has changed are restarted, before or after others join."""
    known = ("-e", json.dumps({"__kraft_broker_short": short}))
    needed = {"kraft_broker_restart_needed": ["/etc/kafka/log4j2.yaml"]}
    down = {"unit_started": [{"failed": True, "msg": "kafka.service did not start"}]}
    hosts = [
        pi(tmp_path, "pi1", 1, {"cluster_health": [HEALTH]}),
        pi(tmp_path, "pi2", 2, {"cluster_health": [HEALTH], **down}, **needed),
    ]
    tasks = yaml.safe_load((REPOSITORY / "playbooks" / "site.yml").read_text())[1]["tasks"]
    steps = [task for task in tasks if task["name"].startswith(("Restart what", "Join", "Grow"))]
    assert [step["name"][:7] for step in steps] == ["Restart", "Join", "Grow", "Restart"]
    role = {"ansible.builtin.import_role": {"name": ROLE, "tasks_from": "deployed"}}
    say = {"ansible.builtin.debug": {"msg": "others join"}}
    for restart in (steps[0], steps[-1]):
        included = "ansible.builtin.include_tasks"
        restart[included] = str(REPOSITORY / "playbooks" / restart[included])
    played = [role, steps[0], say, steps[-1]]
    (tmp_path / "book.yml").write_text(json.dumps([{"hosts": "pis", "gather_facts": True, "tasks": played}]))
    _code, said = run(tmp_path, inventory(brokers=hosts, controllers=hosts), *known, book=str(tmp_path / "book.yml"))
    assert failures(said)["pi1"][1].startswith("pi1 goes no further, since pi2 could not be restarted before")
    assert ("others join" in said) == short
    assert [len(one.given("unit_started")) for one in hosts] == [0, 1]


def test_a_host_without_a_node_is_refused_before_anything_is_restarted(tmp_path: Path) -> None:
    done = rolled(tmp_path, of="pi2", stat=[{"stat": {"exists": False}}])
    task, text = done.failed["pi2"]
    assert task == "kraft_broker : Refuse a host that has no node"
    assert text.startswith("pi2 has no Kafka of this collection: /etc/kafka/identity.json is not there. Run site.yml")
    assert done.hosts[1].given("unit_started") == []


# --- settings that a running broker takes


def served(
    root: Path, changed: list[str], *more: str, name: str = "pi1", written: tuple[str, ...] = (), **answer: Any
) -> tuple[Host, str]:
    """Start a node whose files differ from what it was started with; returns it and what was said."""
    told = {
        "command": [{"rc": 0, "stdout": json.dumps(changed), "stderr": ""}],
        "unit_started": [{"done": True, "active": True}],
        "kafka_broker_config": [{"actions": [], "restart": [], "overruled": {}, **answer}],
    }
    ready = {"__kraft_broker_written": {"changed_paths": list(written)}}
    one, other = pi(root, "pi1", 1, told, **ready), pi(root, "c2", 2, told, **ready)
    say = {"ansible.builtin.debug": {"msg": "needed: {{ kraft_broker_restart_needed | to_json }}"}}
    warn = {"ansible.builtin.debug": {"msg": "{{ kraft_broker_warnings | default([]) | join }}"}}
    role = {"ansible.builtin.import_role": {"name": ROLE, "tasks_from": "service"}}
    (root / "book.yml").write_text(json.dumps([{"hosts": name, "gather_facts": True, "tasks": [role, say, warn]}]))
    _code, said = run(root, inventory(brokers=[one], controllers=[one, other]), *more, book=str(root / "book.yml"))
    return {"pi1": one, "c2": other}[name], said.replace('\\"', '"')


FILE = "/etc/kafka/server.properties"


def test_what_a_running_broker_takes_needs_no_restart(tmp_path: Path) -> None:
    said_so = "set num.io.threads=3 without a restart (was 4)"
    one, said = served(tmp_path, [f"{FILE}:num.io.threads"], actions=[said_so])
    assert [call["changed"] for call in one.given("kafka_broker_config")] == [["num.io.threads"]]
    assert "needed: []" in said
    assert f"pi1: {said_so}" in said


def test_what_it_does_not_take_and_what_is_no_setting_need_one(tmp_path: Path) -> None:
    changed = [f"{FILE}:num.io.threads", f"{FILE}:queued.max.requests", "/etc/kafka/log4j2.yaml"]
    _one, said = served(tmp_path, changed, restart=["queued.max.requests"])
    assert 'needed: ["/etc/kafka/log4j2.yaml", "queued.max.requests"]' in said


def test_a_dry_run_tells_that_a_changed_file_needs_a_restart(tmp_path: Path) -> None:
    one, said = served(tmp_path, [], "--check", written=(FILE, "/etc/kafka/identity.json"))
    assert f'needed: ["{FILE}"]' in said
    assert one.given("kafka_broker_config") == []


def test_a_broker_that_has_other_listeners_now_is_not_asked_and_restarted(tmp_path: Path) -> None:
    one, said = served(tmp_path, [f"{FILE}:listeners", f"{FILE}:num.io.threads"])
    assert one.given("kafka_broker_config") == []
    assert 'needed: ["listeners", "num.io.threads"]' in said


def test_a_controller_alone_is_restarted_for_each_setting(tmp_path: Path) -> None:
    one, said = served(tmp_path, [f"{FILE}:num.io.threads"], name="c2")
    assert one.given("kafka_broker_config") == []
    assert 'needed: ["num.io.threads"]' in said


def test_a_setting_that_another_one_overrules_is_named(tmp_path: Path) -> None:
    _one, said = served(tmp_path, [f"{FILE}:log.retention.bytes"], overruled={"log.retention.bytes": "5"})
    assert "These settings of pi1 are not in force, since Kafka keeps another value" in said
    assert "log.retention.bytes=5" in said


# --- a part of the hosts


FORMATTED = {**UNFORMATTED, "cluster_id": OURS, "recorded": True, "fresh": False, "changed": False, "directory_id": "d"}


def limited(root: Path, name: str, running: bool, answer: dict[str, Any], say: str = "") -> tuple[Host, str]:
    """Check one node of a cluster whose others take no part; returns it and what was said."""
    told = {
        "kraft_format": [FORMATTED],
        "unit_started": [{"done": True, "active": running}],
        "cluster_health": [answer],
    }
    hosts = {one: pi(root, one, number, told) for number, one in enumerate(("c1", "c2", "b3", "b4"), 1)}
    text = inventory(brokers=[hosts["b3"], hosts["b4"]], controllers=[hosts["c1"], hosts["c2"]])
    return hosts[name], played(root, text, ["preflight"], "--limit", name, say=say)[1]


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


@pytest.mark.parametrize(
    ("may_stop", "short"),
    [({1: True, 2: True}, False), ({1: True, 2: False}, True), ({1: False}, False)],
    ids=["whole", "a node is lost", "an only node"],
)
def test_a_cluster_that_can_spare_nobody_is_joined_before_it_is_restarted(
    tmp_path: Path, may_stop: dict[int, bool], short: bool
) -> None:
    voters = [{"id": number, "directory_id": "d"} for number in may_stop]
    verdicts = [{"id": number, "may_stop": may} for number, may in may_stop.items()]
    answer = {"leader_id": 1, "voters": voters, "verdicts": verdicts}
    _one, said = limited(tmp_path, "b3", True, answer, say="short: {{ __kraft_broker_short }}")
    assert f"short: {short}" in said, said


@pytest.mark.parametrize("kind", ["voters", "brokers"])
def test_nodes_that_the_inventory_does_not_know_are_refused_by_their_ids(tmp_path: Path, kind: str) -> None:
    """As where an inventory of one host is run against a node of three."""
    nodes = [{"id": number, "directory_id": "d", "fenced": False} for number in (1, 8, 7)]
    _one, said = limited(tmp_path, "b3", True, {"leader_id": 1, "voters": nodes[:1], "brokers": [], kind: nodes})
    task, text = failures(said)["b3"]
    assert task == "kraft_broker : Refuse a cluster that has nodes of which the inventory does not know"
    assert text.startswith("b3 is in one cluster with the nodes 7, 8, and no host of this cluster in the inventory")


def test_a_cluster_that_nobody_can_be_asked_of_is_not_waited_for(tmp_path: Path) -> None:
    _one, said = limited(tmp_path, "c1", False, {"failed": True, "msg": "No Kafka broker can be reached"})
    task, text = failures(said)["c1"]
    assert task == "kraft_broker : Refuse what cannot become one cluster"
    assert "The cluster has lost its majority, as far as can be seen from here" in text
    assert text.endswith("Nothing was changed.")
