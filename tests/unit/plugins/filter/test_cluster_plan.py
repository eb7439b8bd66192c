"""The way of bare hosts to one cluster: what is left of it after each interruption, and what is refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.filter.cluster_plan import FilterModule, cluster_plan

OURS, THEIRS = "4L6g3nShT-eMCtK--X86sw", "SJfWeO2iSRWLV7Ro2fYLPQ"
THREE = ["pi1", "pi2", "pi3"]


@dataclass
class Node:
    """A host as kraft_format and systemd see it; `directory` is the id of its formatted log directory."""

    node_id: int
    cluster_id: str = ""
    directory: str = ""
    running: bool = False

    def found(self) -> dict[str, Any]:
        return {
            "node_id": self.node_id,
            "cluster_id": self.cluster_id,
            "recorded": bool(self.cluster_id),
            "fresh": not self.directory,
            "changed": not (self.cluster_id and self.directory),
            "directory_id": self.directory,
        }


@dataclass
class World:
    """Hosts on which steps have the effects that they have in reality, and fail where they would fail there."""

    controllers: list[str]
    brokers: list[str]
    absent: list[str] = field(default_factory=list)
    nodes: dict[str, Node] = field(default_factory=dict)
    voters: dict[str, str] = field(default_factory=dict)
    directories: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def hosts(self) -> list[str]:
        return list(dict.fromkeys(self.controllers + self.brokers))

    def node(self, host: str) -> Node:
        return self.nodes.setdefault(host, Node(self.hosts.index(host) + 1))

    def replace_card(self, host: str) -> None:
        self.nodes[host] = Node(self.node(host).node_id)

    def cut_power(self) -> None:
        for node in self.nodes.values():
            node.running = False

    @property
    def led(self) -> bool:
        votes = [self.node(host).running and self.node(host).directory == one for host, one in self.voters.items()]
        return sum(votes) > len(votes) // 2

    @property
    def present(self) -> list[str]:
        return [host for host in self.hosts if host not in self.absent]

    def quorums(self) -> list[dict[str, Any]]:
        """What cluster_health says on each host of the run that has what it takes to ask."""
        voters = [{"id": self.node(host).node_id, "directory_id": one} for host, one in self.voters.items()]
        answer: dict[str, Any] = {"leader_id": 1, "voters": voters}
        if not self.led:
            answer = {"leader_id": None, "voters": [], "failed": True, "msg": "No controller is active."}
        if not any(self.node(host).running for host in self.brokers):
            answer = {"failed": True, "msg": "No Kafka broker can be reached."}
        return [answer for host in self.present if self.node(host).directory]

    @property
    def tells_its_voters(self) -> bool:
        return any("leader_id" in one for one in self.quorums())

    def plan(self) -> dict[str, Any]:
        return cluster_plan(
            self.hosts,
            self.controllers,
            {host: self.node(host).found() for host in self.present},
            [host for host in self.present if self.node(host).running],
            self.quorums(),
        )

    def steps(self) -> list[tuple[str, str]]:
        """The plan as (action, host), each host by itself."""
        plan = self.plan()
        assert plan["refused"] == ""
        return [(step["action"], host) for step in plan["steps"] for host in step["hosts"]]

    def take(self, action: str, host: str) -> None:
        getattr(self, f"_{action}")(host, self.node(host))

    def _draw(self, _host: str, node: Node) -> None:
        assert not any(one.cluster_id for one in self.nodes.values()), "a second id for one cluster"
        node.cluster_id = OURS

    def _record(self, _host: str, node: Node) -> None:
        assert not node.cluster_id
        (node.cluster_id,) = {one.cluster_id for one in self.nodes.values() if one.cluster_id}

    def _found(self, host: str, node: Node) -> None:
        assert not self.voters, "a second quorum of one voter"
        assert all(self.node(one).cluster_id for one in self.hosts), "what if this host dies before the others know?"
        self._get_directory(node)
        self.voters[host] = node.directory

    def _start(self, _host: str, node: Node) -> None:
        assert node.directory
        assert not node.running
        node.running = True

    def _format(self, _host: str, node: Node) -> None:
        assert self.led, "nobody can be joined"
        self._get_directory(node)

    def _join(self, host: str, node: Node) -> None:
        assert self.led, "nobody can be joined"
        self._start(host, node)

    def _admit(self, host: str, node: Node) -> None:
        assert self.led
        assert node.running
        assert host in self.controllers
        self.voters[host] = node.directory

    def _get_directory(self, node: Node) -> None:
        assert node.cluster_id, "an identity that a second run would not know"
        assert not node.directory, "records would be gone"
        node.directory = f"directory-{next(self.directories)}"


def run(world: World) -> World:
    """Take all steps; nothing is left then."""
    for step in world.steps():
        world.take(*step)
    assert world.plan()["steps"] == []
    assert world.led
    assert world.voters == {host: world.node(host).directory for host in world.controllers}
    return world


def three() -> World:
    return World(THREE, THREE)


def grown() -> World:
    world = run(World(["pi1"], ["pi1"]))
    world.controllers = world.brokers = THREE
    return world


def with_a_new_card(host: str) -> World:
    world = run(three())
    world.replace_card(host)
    return world


def with_another_broker() -> World:
    world = run(three())
    world.brokers = [*THREE, "pi4"]
    return world


def without_power() -> World:
    world = run(three())
    world.cut_power()
    return world


WAYS: dict[str, tuple[Callable[[], World], list[str]]] = {
    "one bare host": (
        lambda: World(["pi1"], ["pi1"]),
        ["draw the cluster's id on pi1", "format pi1 as the first voter", "start pi1"],
    ),
    "three bare hosts": (
        three,
        [
            "draw the cluster's id on pi1",
            "write the cluster's id to pi2, pi3",
            "format pi1 as the first voter",
            "start pi1",
            "format pi2, pi3 to join",
            "start pi2, pi3",
            "make pi2 a voter",
            "make pi3 a voter",
        ],
    ),
    "three controllers and two brokers": (
        lambda: World(["c1", "c2", "c3"], ["b4", "b5"]),
        [
            "draw the cluster's id on c1",
            "write the cluster's id to c2, c3, b4, b5",
            "format c1 as the first voter",
            "start c1",
            "format c2, c3, b4, b5 to join",
            "start c2, c3, b4, b5",
            "make c2 a voter",
            "make c3 a voter",
        ],
    ),
    "one grows to three": (
        grown,
        [
            "write the cluster's id to pi2, pi3",
            "format pi2, pi3 to join",
            "start pi2, pi3",
            "make pi2 a voter",
            "make pi3 a voter",
        ],
    ),
    "a broker more": (
        with_another_broker,
        ["write the cluster's id to pi4", "format pi4 to join", "start pi4"],
    ),
    "a new card": (
        lambda: with_a_new_card("pi2"),
        ["write the cluster's id to pi2", "format pi2 to join", "start pi2", "make pi2 a voter"],
    ),
    # The first of the inventory, but of a cluster that is there: it founds nothing.
    "a new card of the founder": (
        lambda: with_a_new_card("pi1"),
        ["write the cluster's id to pi1", "format pi1 to join", "start pi1", "make pi1 a voter"],
    ),
}


@pytest.mark.parametrize(("world", "says"), WAYS.values(), ids=WAYS)
def test_the_steps_are_listed_in_their_order_and_lead_to_one_cluster(
    world: Callable[[], World], says: list[str]
) -> None:
    plan = world().plan()
    assert [step["says"] for step in plan["steps"]] == says
    assert [step["number"] for step in plan["steps"]] == list(range(1, len(says) + 1))
    run(world())


def interruptions() -> list[Any]:
    """Each way, interrupted after each host of each step."""
    return [
        pytest.param(world, taken, id=f"{name}, {taken} taken")
        for name, (world, _says) in WAYS.items()
        for taken in range(len(world().steps()) + 1)
    ]


def interrupted(made: Callable[[], World], taken: int) -> tuple[World, list[tuple[str, str]]]:
    """A world in which so many steps were taken, and those that were not."""
    world = made()
    steps = world.steps()
    for step in steps[:taken]:
        world.take(*step)
    return world, steps[taken:]


def unordered(steps: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """A node that was formatted and not started is started with the others, whichever half it belonged to."""
    return sorted(("start" if action == "join" else action, host) for action, host in steps)


@pytest.mark.parametrize(("made", "taken"), interruptions())
def test_after_an_interruption_exactly_the_rest_is_left(made: Callable[[], World], taken: int) -> None:
    world, rest = interrupted(made, taken)
    left = world.steps()
    if not world.tells_its_voters:
        # Nobody can be asked who has a vote; kraft_voters leaves alone what has one.
        voters = [("admit", host) for host in world.voters]
        left = [step for step in left if step in rest or step not in voters]
    assert unordered(left) == unordered(rest)


@pytest.mark.parametrize(("made", "taken"), interruptions())
def test_the_next_run_ends_where_the_interrupted_one_would_have(made: Callable[[], World], taken: int) -> None:
    world, _rest = interrupted(made, taken)
    kept = {host: node.directory for host, node in world.nodes.items() if node.directory}
    run(world)
    assert kept.items() <= {host: node.directory for host, node in world.nodes.items()}.items()


@pytest.mark.parametrize(("made", "taken"), interruptions())
def test_a_power_cut_for_all_leaves_a_start_and_then_the_rest(made: Callable[[], World], taken: int) -> None:
    world, _rest = interrupted(made, taken)
    world.cut_power()
    formatted = [host for host in world.hosts if world.node(host).directory]
    steps = world.steps()
    assert [host for action, host in steps if action == "start" and world.node(host).directory] == formatted
    run(world)


def test_a_second_run_of_a_healthy_cluster_does_nothing() -> None:
    assert run(three()).plan() == {"refused": "", "cluster_id": OURS, "steps": []}


def test_a_cluster_that_was_stopped_is_started_at_once_and_asked_for_its_voters() -> None:
    steps = without_power().plan()["steps"]
    assert [(step["action"], step["hosts"]) for step in steps] == [
        ("start", THREE),
        ("admit", ["pi1"]),
        ("admit", ["pi2"]),
        ("admit", ["pi3"]),
    ]


def test_a_single_node_that_was_stopped_is_only_started() -> None:
    world = run(World(["pi1"], ["pi1"]))
    world.cut_power()
    assert world.steps() == [("start", "pi1")]


def test_a_lone_founder_that_was_stopped_has_its_vote_already() -> None:
    """Before the others have joined there is nobody to ask."""
    world, rest = interrupted(three, taken=4)
    assert rest[0] == ("start", "pi1")
    assert ("admit", "pi1") not in world.steps()


def test_a_controller_that_is_known_to_have_no_vote_is_admitted_though_it_is_the_only_one() -> None:
    """As where the inventory made another node the controller; the former one still leads."""
    found = {"pi2": Node(2, OURS, "d2", running=True).found(), "pi1": Node(1, OURS, "d1", running=True).found()}
    quorum = {"leader_id": 1, "voters": [{"id": 1, "directory_id": "d1"}]}
    steps = cluster_plan(["pi2", "pi1"], ["pi2"], found, ["pi1", "pi2"], [quorum])["steps"]
    assert [(step["action"], step["hosts"]) for step in steps] == [("admit", ["pi2"])]


def test_a_vote_of_a_static_quorum_has_no_directory() -> None:
    quorum = {"leader_id": 1, "voters": [{"id": number, "directory_id": None} for number in (1, 2)]}
    found = {f"pi{number}": Node(number, OURS, "d", running=True).found() for number in (1, 2)}
    assert cluster_plan(["pi1", "pi2"], ["pi1", "pi2"], found, ["pi1", "pi2"], [quorum])["steps"] == []


def test_directories_that_were_added_are_formatted_before_the_node_is_started() -> None:
    world = run(three())
    world.node("pi2").running = False
    found = {host: world.node(host).found() for host in THREE}
    found["pi2"]["changed"] = True
    steps = cluster_plan(THREE, THREE, found, ["pi1", "pi3"], world.quorums())["steps"]
    assert [step["says"] for step in steps] == ["format the new directories of pi2", "start pi2"]


def test_an_id_of_the_inventory_is_not_drawn_but_recorded() -> None:
    """kraft_format says it of each node, also of one that has no manifest."""
    found = {host: {**Node(number).found(), "cluster_id": OURS} for number, host in enumerate(THREE, 1)}
    plan = cluster_plan(THREE, THREE, found, [], [])
    assert plan["cluster_id"] == OURS
    assert [(step["action"], step["hosts"]) for step in plan["steps"][:2]] == [("record", THREE), ("found", ["pi1"])]


# --- a part of the hosts


@pytest.mark.parametrize("limit", [["pi1"], ["pi2"], ["pi2", "pi3"]], ids=", ".join)
def test_a_part_of_a_healthy_cluster_is_left_alone(limit: list[str]) -> None:
    world = run(three())
    world.absent = [host for host in THREE if host not in limit]
    assert world.steps() == []


def test_a_controller_alone_of_a_healthy_cluster_is_left_alone() -> None:
    world = run(World(["c1", "c2", "c3"], ["b4", "b5"]))
    world.absent = ["c2", "c3", "b4", "b5"]
    assert world.steps() == []


def test_a_node_that_was_stopped_is_started_beside_a_cluster_that_takes_no_part() -> None:
    world = run(three())
    world.node("pi3").running = False
    world.absent = ["pi1", "pi2"]
    assert world.steps() == [("start", "pi3")]


def test_a_node_joins_beside_one_controller_that_is_led() -> None:
    world = with_another_broker()
    world.absent = ["pi2", "pi3"]
    assert world.steps() == [("record", "pi4"), ("format", "pi4"), ("join", "pi4")]


def test_a_cluster_gets_its_leader_from_a_majority_that_is_here() -> None:
    world = without_power()
    world.absent = ["pi1"]
    assert world.steps()[:2] == [("start", "pi2"), ("start", "pi3")]


# --- what is refused


def refusal(world: World) -> str:
    plan = world.plan()
    assert plan["steps"] == []
    return str(plan["refused"])


def test_nodes_of_different_clusters_are_refused_with_their_ids() -> None:
    world = run(three())
    world.node("pi3").cluster_id = THEIRS
    sentence = refusal(world)
    assert f"different clusters (pi1, pi2: {OURS}; pi3: {THEIRS})" in sentence
    assert "-e uninstall_data=true" in sentence


def test_a_recorded_id_of_another_cluster_is_refused_before_the_node_is_formatted() -> None:
    world = with_a_new_card("pi2")
    world.node("pi2").cluster_id = THEIRS
    assert f"(pi1, pi3: {OURS}; pi2: {THEIRS})" in refusal(world)


def test_a_cluster_is_not_founded_by_a_part_of_its_hosts() -> None:
    world = three()
    world.absent = ["pi2"]
    assert "pi1, pi3 cannot get an identity while pi2 takes no part in this run" in refusal(world)


@pytest.mark.parametrize("recorded", [False, True])
def test_a_new_node_alone_cannot_know_whether_there_is_a_cluster(recorded: bool) -> None:
    world = with_a_new_card("pi2")
    world.absent = ["pi1", "pi3"]
    world.node("pi2").cluster_id = OURS if recorded else ""
    assert "pi2 cannot get an identity while pi1, pi3 takes no part" in refusal(world)


def test_a_broker_cannot_say_that_no_controller_has_metadata() -> None:
    world = run(World(["c1"], ["b2", "b3"]))
    world.replace_card("b3")
    world.absent = ["c1"]
    assert "b3 cannot get an identity while c1 takes no part" in refusal(world)


def test_brokers_whose_controllers_have_all_lost_their_metadata_get_no_new_cluster() -> None:
    world = run(World(["c1"], ["b2", "b3"]))
    world.replace_card("c1")
    sentence = refusal(world)
    assert "No controller of this cluster is left: only b2, b3 is formatted" in sentence
    assert "Restore a controller's log directory from a backup" in sentence


def test_a_majority_that_is_lost_is_named_before_anything_waits_for_it() -> None:
    world = without_power()
    world.absent = ["pi1", "pi2"]
    sentence = refusal(world)
    assert "as far as can be seen from here: no controller leads (No Kafka broker can be reached.), and of" in sentence
    assert "of its 3 controllers 2 are needed. pi1, pi2 takes no part" in sentence


def test_nothing_joins_a_cluster_that_has_lost_its_majority() -> None:
    world = without_power()
    world.replace_card("pi2")
    world.absent = ["pi1"]
    assert "of its 2 controllers 2 are needed. pi1 takes no part" in refusal(world)


def test_a_quorum_that_several_hosts_were_told_of_is_one() -> None:
    world = run(three())
    answers = world.quorums()
    answers[1] = {**answers[1], "voters": answers[1]["voters"][::-1]}
    assert (
        cluster_plan(THREE, THREE, {host: world.node(host).found() for host in THREE}, THREE, answers)["refused"] == ""
    )


def test_a_new_node_does_not_join_controllers_that_have_lost_their_majority() -> None:
    """As where the disks of a majority were lost; to wait for them would be in vain."""
    world = run(three())
    for host in ("pi2", "pi3"):
        world.replace_card(host)
    sentence = refusal(world)
    assert sentence.startswith(
        "pi2, pi3 cannot join: pi1 runs, and no controller leads the cluster (No controller is active.). If pi2, pi3 "
        "had a vote before and its disk is lost, the majority is lost with it"
    )


def test_controllers_that_find_no_leader_are_no_reason_to_leave_the_others_stopped() -> None:
    world = run(three())
    for host in ("pi2", "pi3"):
        world.node(host).running = False
    assert world.steps()[:2] == [("start", "pi2"), ("start", "pi3")]


def test_a_majority_that_others_have_is_none_of_this_run_s_business() -> None:
    world = run(three())
    world.absent = ["pi1", "pi2"]
    assert world.plan()["refused"] == ""


def test_bare_hosts_have_lost_no_majority() -> None:
    assert three().plan()["refused"] == ""


def test_the_filter_has_the_name_that_roles_use() -> None:
    assert FilterModule().filters() == {"cluster_plan": cluster_plan}


def answer(leader: int | None, *voters: tuple[int, str]) -> dict[str, Any]:
    return {"leader_id": leader, "voters": [{"id": number, "directory_id": one} for number, one in voters]}


def test_two_quorums_of_one_cluster_id_are_refused() -> None:
    """A founder that was taken out of the inventory, and is put back after another one has founded."""
    world = run(World(THREE, THREE))
    identities = {host: world.node(host).found() for host in THREE}
    quorums = [answer(1, (1, "d1")), answer(2, (2, "d2"), (3, "d3"))]
    refused = cluster_plan(THREE, THREE, identities, THREE, quorums)["refused"]
    assert "follow different quorums of one cluster id, with the voters 1 and 2, 3" in refused
    assert cluster_plan(THREE, THREE, identities, THREE, [quorums[1], quorums[1]])["refused"] == ""


def test_a_controller_alone_that_no_broker_can_be_asked_about_is_joined() -> None:
    """A bootstrap that was interrupted before the first broker was formatted."""
    world = World(["pi1"], ["pi2", "pi3"])
    for action, host in world.steps()[:5]:
        world.take(action, host)
    assert world.node("pi1").running
    found = {host: world.node(host).found() for host in THREE}
    plan = cluster_plan(["pi1", "pi2", "pi3"], ["pi1"], found, ["pi1"], [{"msg": "No Kafka broker can be reached"}])
    assert plan["refused"] == ""
    assert [step["action"] for step in plan["steps"]] == ["format", "join"]


def test_an_absent_host_that_may_have_founded_is_not_to_be_taken_out() -> None:
    world = World(THREE, THREE)
    assert "or take it out of the inventory" in absent(world, "pi1").plan()["refused"]
    world.absent.clear()
    for action, host in world.steps()[:3]:
        world.take(action, host)
    refused = absent(world, "pi1").plan()["refused"]
    assert "Bring it back and run the play for all" in refused
    assert "inventory" not in refused


def test_what_was_said_in_the_place_of_an_answer_is_told() -> None:
    world = absent(run(World(THREE, THREE)), "pi2", "pi3")
    found = {"pi1": world.node("pi1").found()}
    refused = cluster_plan(THREE, THREE, found, ["pi1"], [{"msg": "timed out"}])["refused"]
    assert "no controller leads (timed out)" in refused


def absent(world: World, *hosts: str) -> World:
    world.absent.extend(hosts)
    return world
