#!/usr/bin/python

# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kraft_voters
short_description: Admit controllers as voters of the metadata quorum
version_added: 0.1.0
description:
  - Makes voters of the declared controllers of a dynamic quorum (KIP-853), one after another in the declared order,
    over the native protocol and without starting a JVM.
  - A controller that was formatted to join a quorum follows it as an observer, without a vote. It is admitted when it
    has the whole metadata log, so that the quorum never counts on a vote that cannot be had yet.
  - A voter whose log directory was lost, as with a new disk, comes back as an observer with another directory id. The
    lost directory loses its vote and the new one is admitted, if a majority of the other voters has the whole log.
  - Voters that are not declared stay, and are returned as RV(foreign_voters).
author: raspi.kafka contributors (@raspi-kafka)
extends_documentation_fragment:
  - raspi.kafka._kafka
  - raspi.kafka._attributes
  - raspi.kafka._attributes.kafka
options:
  voters:
    description: The declared voters, in the order in which they are admitted. An id can stand here only once.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: The C(node.id) of the controller.
        type: int
        required: true
      host:
        description: Host under which the other controllers reach it.
        type: str
        required: true
      port:
        description: Port of its listener for the other controllers.
        type: int
        required: true
      directory_id:
        description:
          - The C(directory.id) of its first log directory. With it, a vote of the same node by another directory does
            not count as its own, whichever the quorum has heard of last.
        type: str
  listener:
    description: Name of the listener for the other controllers, the first of C(controller.listener.names).
    type: str
    default: CONTROLLER
  patience:
    description:
      - How long a declared controller may make no progress on its way to the whole metadata log before the task gives
        up, in seconds (1 to 3600). One that goes on is waited for, however long it takes.
    type: int
    default: 60
notes:
  - Run it on one host at a time, for example with C(run_once) or C(throttle).
  - The host and the port are used to admit a voter. One that is a voter already tells the others itself when its
    address changes.
  - A task that was interrupted is resumed by the same task.
seealso:
  - module: raspi.kafka.kafka_cluster_info
  - module: raspi.kafka.kraft_format
"""

EXAMPLES = r"""
- name: Three controllers that vote
  raspi.kafka.kraft_voters:
    bootstrap_servers: ["192.168.1.20:9092"]
    voters:
      - {id: 1, host: 192.168.1.20, port: 9093}
      - {id: 2, host: 192.168.1.21, port: 9093}
      - {id: 3, host: 192.168.1.22, port: 9093}
  run_once: true
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done, one sentence for each change.
  returned: success
  type: list
  elements: str
  sample: ["admit node 2 at 192.168.1.21:9093 as a voter"]
voters:
  description: The voters at the end of the task, or in check mode those that there would be, by id.
  returned: success
  type: list
  elements: dict
  contains: &voter
    id:
      description: Id of the node.
      type: int
      returned: always
      sample: 1
    directory_id:
      description:
        - Id of its metadata log directory, as C(directory.id) in C(meta.properties). Null in check mode for a
          controller that the quorum does not know yet, and in a static quorum.
      type: str
      returned: always
      sample: PXv7w13gTeSWQcyOloW7bg
foreign_voters:
  description: Voters that are not declared, and keep their vote.
  returned: success
  type: list
  elements: dict
  contains: *voter
refused:
  description: Every reason why the declared voters cannot be had. Nothing was changed.
  returned: when a declaration is refused
  type: list
  elements: str
  sample: ["Voter 3 is declared more than once: keep one."]
reason:
  description: Kind of the failure, for a play to decide on.
  returned: failure
  type: str
  sample: no_progress
"""

import time
import typing as t
from contextlib import suppress
from dataclasses import dataclass

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import (
    CONNECTION_ARGSPEC,
    ExpectedError,
    KafkaError,
    admin_client,
    explain,
    explain_code,
    join_server,
    refuse,
    retry,
    run,
    send,
)
from ansible_collections.raspi.kafka.plugins.module_utils._quorum import quorum_info
from ansible_collections.raspi.kafka.plugins.module_utils._raft_voter import add_voter, remove_voter

with suppress(ImportError):  # _kafka.require_kafka_python() has the sentence for it
    from kafka.errors import NotControllerError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kafka.admin import KafkaAdminClient

VOTER_ARGSPEC = {
    "id": {"type": "int", "required": True},
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "directory_id": {"type": "str"},
}
# A controller that runs fetches every 500 ms or oftener, also where nothing is written (measured with Kafka 4.1).
ALIVE_MS = 5000
PAUSE = 0.2  # s between two looks at the quorum

# Error codes after which the quorum itself shows what became of a request: not the leader, timed out (also: the change
# before is not committed yet), not the controller, a voter already, no voter.
UNDECIDED = (6, 7, 41, 126, 127)
REMEDIES = {
    42: "Look whether listener is the first name in controller.listener.names.",
    104: "bootstrap_servers names brokers of two clusters: name those of one.",
}
Described = dict[str, t.Any]


@dataclass(frozen=True)
class Wanted:
    """A declared voter."""

    id: int
    host: str
    port: int
    directory_id: str | None = None

    @property
    def address(self) -> str:
        return join_server(self.host, self.port)


@dataclass(frozen=True)
class Replica:
    """A voter or an observer as the active controller sees it; an age is in ms, None if it never fetched from it."""

    id: int
    directory_id: str
    log_end_offset: int = 0
    lag: int = 0
    fetch_age_ms: int | None = None
    caught_up_age_ms: int | None = None

    @property
    def alive(self) -> bool:
        return self.fetch_age_ms is not None and self.fetch_age_ms <= ALIVE_MS

    @property
    def caught_up(self) -> bool:
        return self.caught_up_age_ms is not None and self.caught_up_age_ms <= ALIVE_MS


@dataclass(frozen=True)
class Quorum:
    """What DescribeQuorum says."""

    leader_id: int
    voters: tuple[Replica, ...]
    observers: tuple[Replica, ...] = ()
    leader_address: str = ""

    def voter(self, node: int) -> Replica | None:
        return next((voter for voter in self.voters if voter.id == node), None)

    def observer(self, wanted: Wanted) -> Replica | None:
        """The observer that fetched last: one whose disk was replaced stays listed for five minutes (Kafka 4.1)."""
        known = [observer for observer in self.observers if observer.id == wanted.id]
        known = [observer for observer in known if wanted.directory_id in (None, observer.directory_id)]
        return min(known, key=last_fetch, default=None)

    def has_vote(self, node: int, directory_id: str) -> bool:
        return any((voter.id, voter.directory_id) == (node, directory_id) for voter in self.voters)


@dataclass(frozen=True)
class Step:
    """Admit a controller; `lost` is the directory id of the voter that it replaces, None if it replaces none."""

    wanted: Wanted
    directory_id: str | None = None
    lost: str | None = None

    def __str__(self) -> str:
        if self.lost is None:
            return f"admit node {self.wanted.id} at {self.wanted.address} as a voter"
        return f"replace log directory {self.lost} of voter {self.wanted.id} by {self.directory_id}"


@dataclass(frozen=True)
class Obstacle:
    """Why a step cannot be taken yet; it is on the way as long as `progress` grows."""

    sentence: str
    progress: tuple[int, int]
    reason: str = "no_progress"


def last_fetch(replica: Replica) -> float:
    return float("inf") if replica.fetch_age_ms is None else replica.fetch_age_ms


def parse_replica(replica: Mapping[str, t.Any], now: int) -> Replica:
    fetched = replica["last_fetch_timestamp"]
    return Replica(
        id=replica["id"],
        directory_id=replica["directory_id"],
        log_end_offset=replica["log_end_offset"],
        lag=replica["lag"],
        fetch_age_ms=None if fetched is None else max(0, now - fetched),
        caught_up_age_ms=replica["caught_up_lag_ms"],
    )


def parse_quorum(info: Mapping[str, t.Any]) -> Quorum:
    """The quorum out of quorum_info(); the active controller is caught up with itself, which tells its time."""
    leader = info["leader_id"]
    now = next(voter["last_caught_up_timestamp"] for voter in info["voters"] if voter["id"] == leader)
    addresses = {one["id"]: join_server(one["host"], one["port"]) for one in info["endpoints"]}
    return Quorum(
        leader_id=leader,
        voters=tuple(parse_replica(voter, now) for voter in info["voters"]),
        observers=tuple(parse_replica(observer, now) for observer in info["observers"]),
        leader_address=addresses.get(leader, ""),
    )


def check(wanted: list[Wanted], patience: int) -> list[str]:
    """What is wrong with the declaration itself."""
    ids = [voter.id for voter in wanted]
    refused = [
        f"Voter {node} is declared more than once: keep one." for node in sorted(set(ids)) if ids.count(node) > 1
    ]
    refused += [
        f"Voter {voter.id} declares {voter.address}. Declare a host and a port of 1 to 65535."
        for voter in wanted
        if not voter.host or not 0 < voter.port < 65536
    ]
    if not 1 <= patience <= 3600:
        refused.append(f"patience is {patience}. Choose 1 to 3600 s.")
    return refused


def check_majority(quorum: Quorum, node: int) -> str | None:
    """Why a voter cannot be removed: what is left has to be able to commit its removal and to go on."""
    others = [voter for voter in quorum.voters if voter.id != node]
    caught_up = [voter for voter in others if voter.caught_up]
    needed = len(others) // 2 + 1
    if len(caught_up) >= needed:
        return None
    behind = ", ".join(str(voter.id) for voter in others if not voter.caught_up) or "none"
    return (
        f"Voter {node} came back without its log directory, and the lost one cannot be taken out of the quorum now: of "
        f"the other voters {needed} have to have the whole metadata log, and {len(caught_up)} have it (not: {behind}). "
        "Look whether kafka.service runs there, and run the play again."
    )


def plan_voter(quorum: Quorum, wanted: Wanted) -> Step | None:
    """What makes one declared controller a voter; None if it is one."""
    voter, observer = quorum.voter(wanted.id), quorum.observer(wanted)
    directory_id = wanted.directory_id or (observer.directory_id if observer else None)
    if voter is None:
        return Step(wanted, directory_id)
    if wanted.directory_id and voter.directory_id:  # in a static quorum a vote has no directory
        return None if voter.directory_id == directory_id else Step(wanted, directory_id, lost=voter.directory_id)
    # The directory that fetched last is the one in use: a former one stays listed, and must not push it out.
    if observer is None or last_fetch(voter) <= last_fetch(observer):
        return None
    return Step(wanted, observer.directory_id, lost=voter.directory_id)


def plan(current: Quorum, wanted: Iterable[Wanted]) -> list[Step]:
    """The steps that lead from `current` to `wanted`, in its order; raises ExpectedError with every refusal."""
    steps = [step for voter in wanted if (step := plan_voter(current, voter))]
    replaced = [step.wanted.id for step in steps if step.lost]
    refuse([sentence for node in replaced if (sentence := check_majority(current, node))])
    return steps


def check_dynamic(kraft_version: int) -> None:
    """Refuse what a static quorum cannot do, before its controllers are waited for.

    :raises ExpectedError: kraft.version, a feature of the cluster, is 0.
    """
    if kraft_version < 1:
        refuse(
            [
                "The quorum of this cluster is static (kraft.version 0), and its voters stand in "
                "controller.quorum.voters. Make it dynamic with "
                "kafka-features.sh upgrade --feature kraft.version=1 (Kafka 4.1), and put "
                "controller.quorum.bootstrap.servers in the place of controller.quorum.voters."
            ]
        )


def is_done(quorum: Quorum, step: Step) -> bool:
    """Whether the controller votes already, as where another task was faster."""
    voter = quorum.voter(step.wanted.id)
    return voter is not None and voter.directory_id != step.lost


def obstacle(quorum: Quorum, step: Step, patience: int) -> Obstacle | None:
    """What a step has to wait for; None if nothing."""
    node, observer = step.wanted.id, quorum.observer(step.wanted)
    leader = f"node {quorum.leader_id}{' at ' * bool(quorum.leader_address)}{quorum.leader_address}"
    if observer is None:
        return Obstacle(
            f"Node {node} does not follow the quorum: it asked the active controller, {leader}, for nothing within "
            f"{patience} s. Look whether its kafka.service runs, whether it was formatted with the id of this cluster, "
            "and whether it reaches that address.",
            (0, 0),
        )
    if not observer.caught_up:
        return Obstacle(
            f"Node {node} lacks {observer.lag} records of the metadata log and got none within {patience} s from the "
            f"active controller, {leader}. Look whether its kafka.service runs, and at the network between.",
            (1, observer.log_end_offset),
        )
    return obstacle_to_removal(quorum, step) if step.lost else None


def obstacle_to_removal(quorum: Quorum, step: Step) -> Obstacle | None:
    voter = quorum.voter(step.wanted.id)
    if voter is None:
        return None
    if voter.alive:
        return Obstacle(
            f"Two controllers run with node id {voter.id}, with the log directories {voter.directory_id} and "
            f"{step.directory_id}. Stop one of them, or give it an id of its own.",
            (2, 0),
            "refused",
        )
    refused = check_majority(quorum, voter.id)
    return Obstacle(refused, (3, 0), "refused") if refused else None


def await_step(look: Callable[[], Quorum], step: Step, patience: int) -> Quorum:
    """Look until a step can be taken or is done.

    :raises ExpectedError: it did not come nearer for `patience` seconds.
    """
    best, deadline = (-1, 0), 0.0
    while not is_done(quorum := look(), step) and (left := obstacle(quorum, step, patience)):
        if left.progress > best:
            best, deadline = left.progress, time.monotonic() + patience
        elif time.monotonic() > deadline:
            raise ExpectedError(left.sentence, reason=left.reason)
        time.sleep(PAUSE)
    return quorum


def describe_quorum(admin: KafkaAdminClient) -> Quorum:
    response = admin.describe_metadata_quorum()
    if error := response["topics"][0]["partitions"][0]["error"]:
        raise NotControllerError(error)
    return parse_quorum(quorum_info(response))


def read(admin: KafkaAdminClient, timeout_ms: int) -> Quorum:
    """The quorum as its active controller sees it.

    :raises ExpectedError: there is none for longer than `timeout_ms`.
    """
    try:
        return retry(lambda: describe_quorum(admin), timeout_ms)
    except KafkaError as error:
        if not error.retriable:
            raise
        raise ExpectedError(
            f"No active controller answers, which all changes of voters need: {explain(error)} "
            "Look whether kafka.service runs on a majority of the voters.",
            reason="no_leader",
        ) from error


def request_change(admin: KafkaAdminClient, request: t.Any, subject: str) -> str:
    """The only writer. Returns why the change may not have been made; the quorum itself shows whether it was.

    :raises ExpectedError: the active controller does not take it.
    """
    try:
        answer = send(admin, request)
    except KafkaError as error:
        if not error.retriable:
            raise
        return explain(error)
    return judge(answer.error_code, answer.error_message, subject)


def judge(code: int, message: str | None, subject: str) -> str:
    """What an answer of the active controller says; see request_change()."""
    if code == 0:
        return "the quorum does not show it yet."
    why = explain_code(code, message)
    if code not in UNDECIDED:
        raise ExpectedError(f"Cannot {subject}: {why} {REMEDIES.get(code, '')}".rstrip(), reason="refused")
    return why


def settle(
    look: Callable[[], Quorum], done: Callable[[Quorum], bool], change: Callable[[], str], subject: str, timeout_ms: int
) -> None:
    """Ask for a change until the quorum shows it: an answer can be lost, and a controller can be busy.

    :raises ExpectedError: the quorum does not show it within `timeout_ms`.
    """
    deadline, why = time.monotonic() + timeout_ms / 1000, ""
    while not done(look()):
        if why and time.monotonic() > deadline:
            raise ExpectedError(
                f"Cannot {subject} within {timeout_ms // 1000} s: {why} "
                "Look whether the controllers run, and whether each reaches the others.",
                reason="timeout",
            )
        why = change()
        time.sleep(PAUSE)


@dataclass(frozen=True)
class Voting:
    """Takes steps in one cluster, each from wherever an interrupted task has left it."""

    admin: KafkaAdminClient
    cluster_id: str
    listener: str
    patience: int
    timeout_ms: int

    def look(self) -> Quorum:
        return read(self.admin, self.timeout_ms)

    def take(self, step: Step) -> None:
        """Wait until a step can be taken, and take it.

        :raises ExpectedError: the controller makes no progress, or the quorum does not take the step.
        """
        quorum = await_step(self.look, step, self.patience)
        observer = quorum.observer(step.wanted)
        if observer is None or is_done(quorum, step):
            return
        if step.lost:
            self.remove(step.wanted.id, step.lost)
        self.admit(step.wanted, observer.directory_id)

    def remove(self, node: int, directory_id: str) -> None:
        subject = f"take the vote from node {node} with the lost log directory {directory_id}"
        request = remove_voter(self.cluster_id, node, directory_id)
        self.settle(request, lambda quorum: not quorum.has_vote(node, directory_id), subject)

    def admit(self, wanted: Wanted, directory_id: str) -> None:
        subject = f"admit node {wanted.id} at {wanted.address} as a voter"
        listener = {"name": self.listener, "host": wanted.host, "port": wanted.port}
        request = add_voter(self.cluster_id, wanted.id, directory_id, listener, self.timeout_ms)
        self.settle(request, lambda quorum: quorum.has_vote(wanted.id, directory_id), subject)

    def settle(self, request: t.Any, done: Callable[[Quorum], bool], subject: str) -> None:
        settle(self.look, done, lambda: request_change(self.admin, request, subject), subject, self.timeout_ms)


def describe(quorum: Quorum) -> list[Described]:
    return [{"id": voter.id, "directory_id": voter.directory_id} for voter in quorum.voters]


def predict(quorum: Quorum, steps: Iterable[Step]) -> list[Described]:
    """The voters that there are after all steps."""
    voters = {voter["id"]: voter for voter in describe(quorum)}
    voters |= {step.wanted.id: {"id": step.wanted.id, "directory_id": step.directory_id} for step in steps}
    return [voters[node] for node in sorted(voters)]


def kraft_version_of(features: Mapping[str, Mapping[str, t.Any]]) -> int:
    """The level of kraft.version; 0 where the cluster does not have the feature at all."""
    return features.get("kraft.version", {}).get("finalized", (0, 0))[1]


def vote(admin: KafkaAdminClient, params: Mapping[str, t.Any], steps: Iterable[Step]) -> list[Described]:
    """Take all steps; returns the voters that there are then."""
    timeout_ms = params["request_timeout_ms"]
    cluster_id = retry(admin.describe_cluster, timeout_ms)["cluster_id"]
    voting = Voting(admin, cluster_id, params["listener"], params["patience"], timeout_ms)
    for step in steps:
        voting.take(step)
    return describe(voting.look())


def work(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    wanted = [Wanted(**voter) for voter in params["voters"]]
    refuse(check(wanted, params["patience"]))
    with admin_client(params) as admin:
        current = read(admin, params["request_timeout_ms"])
        steps = plan(current, wanted)
        if steps:
            check_dynamic(kraft_version_of(retry(admin.describe_features, params["request_timeout_ms"])))
        after = predict(current, steps)
        if steps and not module.check_mode:
            after = vote(admin, params, steps)
    declared = {voter.id for voter in wanted}
    return {
        "changed": bool(steps),
        "actions": [str(step) for step in steps],
        "voters": after,
        "foreign_voters": [voter for voter in after if voter["id"] not in declared],
        "diff": {"before": {"voters": describe(current)}, "after": {"voters": after}},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_ARGSPEC,
            "voters": {"type": "list", "elements": "dict", "required": True, "options": VOTER_ARGSPEC},
            "listener": {"type": "str", "default": "CONTROLLER"},
            "patience": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
