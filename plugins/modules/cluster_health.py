#!/usr/bin/python

# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_health
short_description: Tell whether a node of a KRaft cluster may stop now
version_added: 0.1.0
description:
  - Answers, before a play restarts a broker or a controller, whether that takes anything away from the cluster that
    could be kept by waiting. It can wait for it.
  - A voter may stop if a majority of all voters is caught up with the metadata log without it. Caught up means that it
    had the whole log less than O(fetch_timeout_ms) before the active controller had it. Of one voter, and of two, no
    majority can be left; it may stop, which is named, but not while the other one of two is behind.
  - A broker may stop if every partition with a replica on it keeps C(min.insync.replicas) without it. A partition with
    no more replicas than that never does; it is named and does not stand in the way.
  - A broker that loads or recovers its log, which is one that is fenced but fetches metadata, may not stop, since it
    would begin anew. A node that does not run any more may.
  - Without an active controller no node may stop, since nothing is known of the cluster as it is now.
  - A replica that is still being copied to a broker, which has not been in sync before, counts for none.
  - Asks five questions over the native protocol, and starts no JVM. Every broker can answer each of them, so that it
    does not matter which one O(bootstrap_servers) leads to. Changes nothing.
author: raspi.kafka contributors (@raspi-kafka)
extends_documentation_fragment:
  - raspi.kafka._kafka
  - raspi.kafka._attributes.INFO_MODULE
options:
  node_id:
    description:
      - The node that is to stop. The task fails if it may not.
      - If left out, the task tells which nodes may stop, and neither waits nor fails for those that may not. If several
        may, they may not all at once.
    type: int
  fetch_timeout_ms:
    description:
      - C(controller.quorum.fetch.timeout.ms) of the cluster in milliseconds (1000 to 300000). A voter that lags behind
        the active controller by less counts as caught up, and a node that fetched within that time as one that runs,
        or within 5 s if that is more.
      - For so long it also waits for the active controller to answer, unless O(request_timeout_ms) is less.
    type: int
    default: 5000
  patience:
    description:
      - How long to wait for O(node_id) without any progress, in seconds. With V(0) the first look decides.
      - Progress is an ISR that grows, a broker that is no longer fenced, a voter that has caught up, a broker that
        still recovers its log, or any other change of the reasons. A replica that catches up over minutes shows none
        of these meanwhile.
    type: int
    default: 0
  limit:
    description: How long to wait in all, in seconds, whatever the progress.
    type: int
    default: 3600
seealso:
  - module: raspi.kafka.kafka_cluster_info
"""

EXAMPLES = r"""
- name: Go on when the cluster can spare this node
  raspi.kafka.cluster_health:
    bootstrap_servers: ["192.168.1.20:9092", "192.168.1.21:9092", "192.168.1.22:9092"]
    node_id: 3
    patience: 120

- name: Ask which nodes can be spared
  raspi.kafka.cluster_health:
    bootstrap_servers: ["192.168.1.20:9092"]
  register: health

- name: Show why the others can not
  ansible.builtin.debug:
    msg: "Node {{ item.id }}: {{ item.reasons | join('; ') }}"
  loop: "{{ health.verdicts | rejectattr('may_stop') }}"
"""

RETURN = r"""
may_stop:
  description: Whether O(node_id) may stop now.
  returned: if O(node_id) is given
  type: bool
  sample: true
verdicts:
  description: What is to be said of each registered broker and each voter, and of O(node_id), by id.
  returned: success, and failure with RV(reason=not_safe)
  type: list
  elements: dict
  contains:
    id:
      description: Id of the node.
      type: int
      returned: always
      sample: 1
    may_stop:
      description: Whether it may stop now.
      type: bool
      returned: always
      sample: false
    reasons:
      description: Why it may not.
      type: list
      elements: str
      returned: always
      sample: ["telemetry: 3 partitions would fall below min.insync.replicas=2 (ISR now 1,2): broker 3 is down"]
    named:
      description: What its stop means, although that does not stand in the way.
      type: list
      elements: str
      returned: always
      sample: ["scratch: 1 partition cannot be used at all while it is down"]
cluster_id:
  description: Id of the cluster.
  returned: success, and failure with RV(reason=not_safe)
  type: str
  sample: SJfWeO2iSRWLV7Ro2fYLPQ
leader_id:
  description: Id of the active controller; null if there is none.
  returned: success, and failure with RV(reason=not_safe)
  type: int
  sample: 1
voters:
  description: The voters, by id; none if there is no active controller.
  returned: success, and failure with RV(reason=not_safe)
  type: list
  elements: dict
  contains: &replica
    id:
      description: Id of the node.
      type: int
      returned: always
      sample: 1
    directory_id:
      description: Id of its metadata log directory, as C(directory.id) in C(meta.properties).
      type: str
      returned: always
      sample: PXv7w13gTeSWQcyOloW7bg
    caught_up_lag_ms:
      description: How long before the active controller it had the whole metadata log last; null if it never had.
      type: int
      returned: always
      sample: 0
    caught_up:
      description: Whether that is less than O(fetch_timeout_ms).
      type: bool
      returned: always
      sample: true
observers:
  description: The observers, by id, with the same keys as the voters. A broker that is no voter is one.
  returned: success, and failure with RV(reason=not_safe)
  type: list
  elements: dict
  contains: *replica
brokers:
  description: The registered brokers, by id.
  returned: success, and failure with RV(reason=not_safe)
  type: list
  elements: dict
  contains:
    id:
      description: Id of the broker.
      type: int
      returned: always
      sample: 1
    fenced:
      description: Whether the broker is fenced, so that it does not lead or serve any partition.
      type: bool
      returned: always
      sample: false
    out_of_sync:
      description: Number of partitions of which it has a replica that is not in sync.
      type: int
      returned: always
      sample: 0
cost:
  description: What the answer took.
  returned: success, and failure with RV(reason=not_safe)
  type: dict
  contains:
    requests:
      description:
        - Number of requests that were sent to brokers. They are counted where kafka-python encodes them, so those by
          which it connects are among them.
      type: int
      returned: always
      sample: 8
    ms:
      description: Time to connect and to get the answers, in milliseconds, without the pauses between two looks.
      type: int
      returned: always
      sample: 61
waited_s:
  description: Time from the first look to the last, in seconds.
  returned: success, and failure with RV(reason=not_safe)
  type: float
  sample: 0.0
reason:
  description:
    - Kind of the failure, for a play to decide on.
    - One of V(not_safe), V(unreachable), V(invalid), V(kafka_error), V(kafka_python_missing).
  returned: failure
  type: str
  sample: not_safe
"""

import time
import typing as t
from dataclasses import dataclass

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.raspi.kafka.plugins.module_utils._gate import (
    STALL_MS,
    State,
    Verdict,
    judge,
    progressed,
    state_of,
)
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import (
    ASK_AGAIN,
    CONNECTION_ARGSPEC,
    TOPIC,
    ExpectedError,
    KafkaError,
    admin_client,
    answered,
    counted_requests,
    describe_configs,
    describe_quorum,
    explain,
    run,
)
from ansible_collections.raspi.kafka.plugins.module_utils._replicas import being_added, without_copies

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ansible_collections.raspi.kafka.plugins.module_utils._gate import Replica
    from kafka.admin import KafkaAdminClient

MIN_ISR = "min.insync.replicas"
SECONDS_BETWEEN_LOOKS = 1.0
SHOWN = 5  # reasons in the sentence of a failure; all are in the verdict


@dataclass
class Wait:
    """How long it was waited for a node, in seconds."""

    in_all: float = 0.0
    idle: float = 0.0
    """Without progress, up to the end."""
    paused: float = 0.0
    """Between two looks."""


def no_quorum(error: KafkaError) -> str:
    """Why the quorum is not known; not for how long it was waited, which differs each time."""
    if error.retriable:
        return f"no active controller answers: a majority of the voters may be down ({type(error).__name__})"
    return f"the quorum cannot be described: {explain(error)}"


def ask_quorum(admin: KafkaAdminClient, timeout_ms: int) -> dict[str, t.Any]:
    """The part of the answers that depends on an active controller."""
    try:
        quorum = describe_quorum(admin, timeout_ms)
        return {"quorum": quorum, "no_quorum": None, "adding": being_added(admin, timeout_ms)}
    except ASK_AGAIN:
        raise
    except KafkaError as error:
        return {"quorum": None, "no_quorum": no_quorum(error), "adding": {}}


def ask(admin: KafkaAdminClient, params: Mapping[str, t.Any]) -> State:
    """The five questions, each of which any broker can answer.

    A replica that is being copied is none yet: a partition of one replica that gets two more would hold its broker for
    as long as that takes, and where the copies are to go on after its restart, for ever.

    :raises KafkaError: a broker does not answer, for one.
    """
    topics = admin.describe_topics()
    configs = describe_configs(admin, TOPIC, [topic["name"] for topic in topics], keys=[MIN_ISR])
    cluster = admin.describe_cluster()
    # The last question, since one that is not answered ends the connection: what is asked after it may meet a broker
    # that is down, and then all is asked anew.
    judged_by = ask_quorum(admin, min(max(params["fetch_timeout_ms"], STALL_MS), params["request_timeout_ms"]))
    answers = {
        "cluster": cluster,
        "topics": without_copies(topics, judged_by.pop("adding")),
        "min_isr": {name: int(entries[MIN_ISR].value or 1) for name, entries in configs.items()},
        **judged_by,
    }
    return state_of(answers, params["fetch_timeout_ms"])


def look(admin: KafkaAdminClient, params: Mapping[str, t.Any]) -> State:
    """ask(), of another broker where one has just ended, for up to request_timeout_ms."""
    return answered(lambda: ask(admin, params), params["request_timeout_ms"])


def wait_until_safe(look_again: Callable[[], State], params: Mapping[str, t.Any]) -> tuple[State, Wait]:
    """Look until the node may stop, for up to `patience` seconds without progress and `limit` seconds in all."""
    state, wait = look_again(), Wait()
    began = moved = time.monotonic()
    while not judge(state, params["node_id"]).may_stop:
        if wait.idle >= params["patience"] or wait.in_all >= params["limit"]:
            break
        time.sleep(SECONDS_BETWEEN_LOOKS)
        before, state = state, look_again()
        now = time.monotonic()
        moved = now if progressed(before, state, params["node_id"]) else moved
        wait = Wait(now - began, now - moved, wait.paused + SECONDS_BETWEEN_LOOKS)
    return state, wait


def verdicts_of(state: State, node: int | None) -> list[Verdict]:
    return [judge(state, each) for each in sorted({*state.nodes, *([] if node is None else [node])})]


def shown_replicas(state: State, replicas: Iterable[Replica]) -> list[dict[str, t.Any]]:
    return [
        {
            "id": replica.id,
            "directory_id": replica.directory_id,
            "caught_up_lag_ms": replica.caught_up_lag_ms,
            "caught_up": state.is_caught_up(replica),
        }
        for replica in replicas
    ]


def shown(state: State, verdicts: Iterable[Verdict]) -> dict[str, t.Any]:
    return {
        "verdicts": [
            {"id": one.id, "may_stop": one.may_stop, "reasons": one.reasons, "named": one.named} for one in verdicts
        ],
        "cluster_id": state.cluster_id,
        "leader_id": state.leader_id,
        "voters": shown_replicas(state, state.voters),
        "observers": shown_replicas(state, state.observers),
        "brokers": [
            {"id": broker, "fenced": fenced, "out_of_sync": state.out_of_sync(broker)}
            for broker, fenced in sorted(state.fenced.items())
        ],
    }


def not_safe(verdict: Verdict, wait: Wait, params: Mapping[str, t.Any]) -> str:
    """The sentence of a failure."""
    more = f"; and {len(verdict.reasons) - SHOWN} more reasons" if len(verdict.reasons) > SHOWN else ""
    why = "; ".join(verdict.reasons[:SHOWN]) + more
    waited = f"After {wait.in_all:.0f} s, the last {wait.idle:.0f} s of them without progress, it was given up"
    if not params["patience"]:
        waited = "With patience: 0 it was not waited for"
    return f"Node {verdict.id} may not stop now: {why}. {waited}. Bring back what is behind first, or wait longer."


def check_options(params: Mapping[str, t.Any]) -> None:
    for name, low, high in (("fetch_timeout_ms", 1000, 300000), ("patience", 0, 86400), ("limit", 1, 86400)):
        if not low <= params[name] <= high:
            raise ExpectedError(f"{name} is {params[name]}. Choose {low} to {high}.", reason="invalid")


def work(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    node = params["node_id"]
    check_options(params)
    began = time.monotonic()
    with counted_requests() as sent, admin_client(params) as admin:
        if node is None:
            state, wait = look(admin, params), Wait()
        else:
            state, wait = wait_until_safe(lambda: look(admin, params), params)
        seconds = time.monotonic() - began - wait.paused
    verdicts = verdicts_of(state, node)
    result = {
        **shown(state, verdicts),
        "cost": {"requests": sum(sent.values()), "ms": round(1000 * seconds)},
        "waited_s": round(wait.in_all, 1),
    }
    if node is None:
        return {"changed": False, **result}
    verdict = next(verdict for verdict in verdicts if verdict.id == node)
    if not verdict.may_stop:
        raise ExpectedError(not_safe(verdict, wait, params), reason="not_safe", may_stop=False, **result)
    return {"changed": False, "may_stop": True, **result}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_ARGSPEC,
            "node_id": {"type": "int"},
            "fetch_timeout_ms": {"type": "int", "default": 5000},
            "patience": {"type": "int", "default": 0},
            "limit": {"type": "int", "default": 3600},
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
