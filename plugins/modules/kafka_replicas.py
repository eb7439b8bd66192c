#!/usr/bin/python

# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kafka_replicas
short_description: Give topics the replicas that a grown cluster can have
version_added: 0.1.0
description:
  - Raises the number of replicas of topics, spreads them evenly over the brokers and each topic's too, and lets each
    broker lead its share. Of all ways to do that it takes one that copies the fewest bytes.
  - Nothing is placed anew without a reason, which is that a partition has too few replicas, or that a broker has no
    replica at all. So a second run changes nothing, although topics that were made meanwhile may be uneven.
  - A topic never has fewer replicas afterwards than before, and no broker is emptied.
  - The topics in which Kafka keeps its own state are among them. Others that do not stand in O(topics) are left alone,
    and are returned as RV(left_alone).
  - Copies are throttled to O(throttle), so that clients are served meanwhile. A topic on which all of that is not done
    yet has a mark among its throttled replicas, by which a later run finds what an interrupted one has left, goes on
    with it, and takes throttles and marks away in the end. What others have throttled is left alone.
  - While copies are made, C(min.insync.replicas) of a topic is lowered where it would otherwise refuse what it has
    taken before, for a partition counts a replica from the moment that it is to be copied.
author: raspi.kafka contributors (@raspi-kafka)
extends_documentation_fragment:
  - raspi.kafka._kafka
  - raspi.kafka._attributes
  - raspi.kafka._attributes.kafka
options:
  topics:
    description: The topics that may be placed anew. One that does not exist yet gets its replicas when it is made.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the topic.
        type: str
        required: true
      replication_factor:
        description: How many replicas it shall have, and O(replication_factor) if left out.
        type: int
  replication_factor:
    description: How many replicas all other topics of O(topics) shall have, and Kafka's own.
    type: int
    required: true
  brokers:
    description:
      - The ids of the brokers that shall have replicas. If left out, all that are registered.
      - A topic for which too few of them serve waits, and is returned in RV(waiting). In check mode one that is not
        registered yet counts as one that will be.
    type: list
    elements: int
    default: []
  throttle:
    description:
      - How many bytes of copies a broker sends in a second at most, and takes (from 1024). It must be more than what
        clients write meanwhile, or the copies never catch up.
    type: int
    default: 5242880
  patience:
    description: How long copies may make no progress before the task gives up, in seconds (1 to 86400).
    type: int
    default: 600
  limit:
    description: How long the task may take in all, in seconds. What it has begun goes on in the cluster.
    type: int
    default: 86400
notes:
  - Run it once for a cluster, for example with C(run_once), not once for each broker.
  - Have it run before C(min.insync.replicas) is raised for the larger cluster, and before that of topics is.
  - A task that was interrupted is resumed by the same task.
seealso:
  - module: raspi.kafka.kafka_topics
  - module: raspi.kafka.kafka_cluster_config
"""

EXAMPLES = r"""
- name: Three replicas of all that are declared, and of Kafka's own topics
  raspi.kafka.kafka_replicas:
    bootstrap_servers: ["192.168.1.20:9092"]
    replication_factor: 3
    topics:
      - name: telemetry
      - name: scratch
        replication_factor: 1
  run_once: true
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done, one sentence for each topic and kind of change.
  returned: success
  type: list
  elements: str
  sample:
    - give 4 partitions of topic telemetry 3 replicas in place of 1 (96.0 MiB to copy)
    - let another replica lead 2 partitions of topic alerts
waiting:
  description: Sentences on topics that have too few replicas and cannot get more now, since brokers do not serve.
  returned: success
  type: list
  elements: str
  sample: ["Topic telemetry waits with fewer than 3 replicas: broker 3 does not serve."]
waiting_topics:
  description: The topics of RV(waiting), by name. They do not have the replicas that are declared.
  returned: success
  type: list
  elements: str
  sample: [telemetry]
complete:
  description: Whether no topic waits, so that C(min.insync.replicas) can be raised.
  returned: success
  type: bool
  sample: true
left_alone:
  description: Topics that are not declared and have fewer replicas than O(replication_factor), by name.
  returned: success
  type: list
  elements: str
  sample: [scratch]
own_min_insync_replicas:
  description: Topics in which Kafka keeps its own state that have a C(min.insync.replicas) of their own, with it.
  returned: success
  type: dict
  sample: {"__transaction_state": 1}
bytes:
  description: What this growth copies, also what an interrupted run has copied of it.
  returned: success
  type: dict
  contains:
    copied:
      description: Size of the copies, in bytes.
      type: int
      returned: always
      sample: 201326592
    least:
      description: Size of what had to be copied, in bytes; in check mode of what would have to be.
      type: int
      returned: always
      sample: 201326592
    ratio:
      description: The one divided by the other.
      type: float
      returned: always
      sample: 1.0
shares:
  description: Of how many partitions each broker has a replica, and how many it leads; in check mode afterwards.
  returned: success
  type: dict
  sample: {"1": {"replicas": 14, "leaders": 5}}
done:
  description: Whether it is all done, and not only this slice of the wait.
  returned: success
  type: bool
waits_for:
  description: How far the copies are, for the action plugin to say.
  returned: success
  type: str
  sample: 12.3 of 96.0 MiB copied, 5 of 14 partitions are left
idle:
  description: Whether nothing came nearer in this slice of the wait.
  returned: success
  type: bool
blocked:
  description: Brokers that do not serve, if nothing is left to do without them.
  returned: success
  type: list
  elements: int
  sample: [3]
blocked_topics:
  description: The topics of which copies wait for RV(blocked), by name. Their C(min.insync.replicas) may be lowered.
  returned: where RV(blocked) names brokers
  type: list
  elements: str
  sample: [telemetry]
idle_limit:
  description: As O(patience); a fifth of it where RV(blocked) names brokers.
  returned: success
  type: int
limit:
  description: As O(limit).
  returned: success
  type: int
remedy:
  description: What to do where the wait was in vain.
  returned: success
  type: str
refused:
  description: Every reason why the topics cannot have such replicas. Nothing was changed.
  returned: when a declaration is refused
  type: list
  elements: str
  sample: ["Topic telemetry shall have 5 replicas, and there are 3 brokers: declare 3 at most, or add brokers."]
reason:
  description: Kind of the failure, for a play to decide on.
  returned: failure
  type: str
  sample: refused
"""

import time
import typing as t
from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.raspi.kafka.plugins.module_utils._growth import (
    Growth,
    Progress,
    Wish,
    counted,
    describe,
    known,
    listed,
    mib,
    plan,
    progress,
    replicas_by_topic,
    replicas_of,
    throttled_brokers,
)
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import (
    CONNECTION_ARGSPEC,
    admin_client,
    converge,
    refuse,
    retry,
    run,
)
from ansible_collections.raspi.kafka.plugins.module_utils._leaders import elect_preferred, led_by_others
from ansible_collections.raspi.kafka.plugins.module_utils._replica_plan import copies, shares
from ansible_collections.raspi.kafka.plugins.module_utils._replicas import (
    Cluster,
    look,
    move,
    set_rates,
    set_topics,
)
from ansible_collections.raspi.kafka.plugins.module_utils._throttle import INHERITED, RATES, released

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from kafka.admin import KafkaAdminClient

TOPIC_ARGSPEC = {"name": {"type": "str", "required": True}, "replication_factor": {"type": "int"}}
SLICE_SECONDS = 15
SECONDS_BETWEEN_LOOKS = 1.0
FILLED = 0.9  # of what a disk has left, by copies
LIMITS = {"throttle": (1024, 2**40), "patience": (1, 86400), "limit": (1, 604800), "replication_factor": (1, 32767)}
REMEDY = (
    "What was begun goes on in the cluster, throttled as it is. Look whether all brokers run, whether they reach each "
    "other, and whether clients write faster than the throttle lets copies be made; then run the play again."
)

Described = dict[str, t.Any]


def check(params: Mapping[str, t.Any]) -> list[str]:
    """What is wrong with the options themselves."""
    refused = [
        f"{name} is {params[name]}. Choose {low} to {high}."
        for name, (low, high) in LIMITS.items()
        if not low <= params[name] <= high
    ]
    names = [topic["name"] for topic in params["topics"]]
    refused += [
        f"Topic {name} is declared more than once: keep one." for name in sorted(set(names)) if names.count(name) > 1
    ]
    return refused


def check_factors(params: Mapping[str, t.Any], brokers: tuple[int, ...]) -> list[str]:
    """Which declarations no number of replicas on these brokers can meet."""
    factors = {topic["name"]: topic["replication_factor"] for topic in params["topics"]}
    refused = [
        f"Topic {name} declares replication_factor: {factor}. Declare at least 1, or leave it out."
        for name, factor in factors.items()
        if factor is not None and factor < 1
    ]
    most = len(brokers)
    wanted = {f"Topic {name}": factor for name, factor in factors.items() if factor is not None}
    wanted["Each other topic"] = params["replication_factor"]
    return refused + [
        f"{subject} shall have {factor} replicas, and there {'is' if most == 1 else 'are'} {counted(most, 'broker')}: "
        f"declare {most} at most, or add brokers."
        for subject, factor in wanted.items()
        if factor > most
    ]


def check_growth(growth: Growth, cluster: Cluster) -> list[str]:
    """What stands in the way of copies: throttles of others, and disks."""
    copied = {key: new for key, new in growth.placed.items() if copies(growth.by_key[key], new)}
    refused = [
        f"Topic {name} is throttled by somebody else: end that first (kafka reassign-partitions --verify)."
        for name in sorted({topic for topic, _number in growth.placed})
        if cluster.topics[name].is_foreign
    ]
    if copied and not any(topic.mark and topic.mark.copies for topic in cluster.topics.values()):
        refused += [
            f"Broker {broker} is throttled by somebody else ({', '.join(sorted(rates))}): end that first."
            for broker, rates in sorted(cluster.rates.items())
            if rates
        ]
    return refused + check_disks(growth, cluster)


def check_disks(growth: Growth, cluster: Cluster) -> list[str]:
    """Which disks have too little room for copies: clients write meanwhile, and a full disk stops its broker."""
    by_key = growth.by_key
    added = [(each, by_key[key].size) for key, new in growth.placed.items() for each in copies(by_key[key], new)]
    needed: dict[int, int] = {}
    for broker, size in added + missing_copies(cluster):
        needed[broker] = needed.get(broker, 0) + size
    return [
        f"Broker {broker} would copy {mib(number)}, and its disk has {mib(cluster.free[broker])} left, of which a "
        "tenth has to stay free."
        for broker, number in sorted(needed.items())
        if broker in cluster.free.keys() & dict(added) and number > cluster.free[broker] * FILLED
    ]


def missing_copies(cluster: Cluster) -> list[tuple[int, int]]:
    """Of each copy that is under way the broker, and the bytes that it lacks."""
    return [
        (broker, max(0, cluster.size(name, number) - cluster.sizes.get((broker, name, number), 0)))
        for name, topic in cluster.topics.items()
        for number, placed in topic.partitions.items()
        for broker in placed.adding
    ]


def wish_of(params: Mapping[str, t.Any], cluster: Cluster) -> Wish:
    aims = {name: params["replication_factor"] for name, topic in cluster.topics.items() if topic.internal}
    aims |= {topic["name"]: topic["replication_factor"] or params["replication_factor"] for topic in params["topics"]}
    return Wish(aims, tuple(sorted(params["brokers"] or cluster.fenced)), named=bool(params["brokers"]))


def foreseen(cluster: Cluster, wish: Wish) -> Cluster:
    """The cluster in which the brokers that are still to come are there."""
    return replace(cluster, fenced={**dict.fromkeys(wish.brokers, False), **cluster.fenced})


def begin(admin: KafkaAdminClient, cluster: Cluster, growth: Growth, params: Mapping[str, t.Any]) -> None:
    """Mark and throttle first, so that whatever interrupts it is found by a later run; then let replicas move."""
    set_topics(admin, growth.noted)
    rate = str(params["throttle"])
    if growth.placed or progress(cluster, growth.marks).left:
        brokers = throttled_brokers(growth, cluster)
        slower = [broker for broker in brokers if cluster.rates[broker] != dict.fromkeys(RATES, rate)]
        set_rates(admin, slower, params["throttle"])
    move(admin, growth.placed, params["request_timeout_ms"])


def finish(admin: KafkaAdminClient, growth: Growth, params: Mapping[str, t.Any]) -> bool:
    """Let the preferred leaders lead, and take throttles away; the marks last, by which they are known as ours.

    Returns whether that was all: of a broker that has just ended the throttle stays, and so do the marks.
    """
    timeout_ms = params["request_timeout_ms"]
    elect(admin, growth, params)
    cluster = retry(lambda: look(admin), timeout_ms)
    set_rates(admin, [broker for broker in throttled_brokers(growth, cluster) if cluster.rates[broker]], None)
    if progress(cluster, growth.marks).away:
        return False
    marked = {name: topic.mark for name, topic in cluster.topics.items() if topic.mark}
    set_topics(admin, {name: released(mark) for name, mark in marked.items()})
    converge(lambda: retry(lambda: look(admin), timeout_ms), leftovers, params)
    return True


def leftovers(cluster: Cluster) -> list[str]:
    return [f"release topic {name}" for name, topic in cluster.topics.items() if topic.mark]


def elect(admin: KafkaAdminClient, growth: Growth, params: Mapping[str, t.Any]) -> None:
    """Until all lead that can: one that is gone meanwhile leads when it is back and somebody asks for it."""
    timeout_ms = params["request_timeout_ms"]

    def asked() -> list[tuple[str, int]]:
        topics = admin.describe_topics()
        others = led_by_others([topic for topic in topics if topic["name"] in growth.marks])
        refused = elect_preferred(admin, others, timeout_ms)
        return [(name, number) for name, its in others.items() for number in its if (name, number) not in refused]

    converge(
        lambda: retry(asked, timeout_ms),
        lambda left: [f"let the preferred leader lead partition {number} of topic {name}" for name, number in left],
        params,
    )


def attend(admin: KafkaAdminClient, growth: Growth, params: Mapping[str, t.Any]) -> tuple[Progress, bool]:
    """Look for a slice of time until nothing is left to do; also returns whether nothing came nearer."""
    deadline = time.monotonic() + SLICE_SECONDS
    first = now = progress(retry(lambda: look(admin), params["request_timeout_ms"]), growth.marks)
    while not now.is_done and time.monotonic() < deadline:
        time.sleep(SECONDS_BETWEEN_LOOKS)
        now = progress(retry(lambda: look(admin), params["request_timeout_ms"]), growth.marks)
    return now, not now.moved_since(first)


def grow(admin: KafkaAdminClient, cluster: Cluster, growth: Growth, params: Mapping[str, t.Any]) -> Described:
    """Begin, wait for a slice of time, and finish if all is copied."""
    begin(admin, cluster, growth, params)
    reached, idle = attend(admin, growth, params)
    waits_for = (
        f"{mib(reached.copied)} of {mib(reached.least)} copied, {reached.left} of "
        f"{counted(reached.partitions, 'partition')} left"
        f"{', and the throttle of broker ' * bool(reached.away)}{listed(reached.away)}"
    )
    return {
        "done": reached.is_done and finish(admin, growth, params),
        "waits_for": waits_for,
        "idle": idle,
        "bytes": {"copied": reached.copied, "least": reached.least, "ratio": reached.ratio},
        **(told_of_blocked(growth, reached, waits_for) if reached.blocked else {}),
    }


def told_of_blocked(growth: Growth, reached: Progress, waits_for: str) -> Described:
    """What is true if brokers that do not serve do not come back soon."""
    sentence = (
        f"The copies wait for broker {listed(reached.blocked)}, which does not serve: {waits_for}. Until they are "
        f"there, min.insync.replicas stays as low as it was before for topics {', '.join(sorted(growth.marks))}."
    )
    return {
        "blocked": list(reached.blocked),
        "complete": False,
        "waiting": [*growth.waiting.values(), sentence],
        "blocked_topics": sorted(growth.marks),
    }


def own_min_isr(cluster: Cluster) -> dict[str, int]:
    """Kafka's own topics that have one; not where it is there only until the copies are made."""
    return {
        name: max(topic.min_isr, topic.mark.min_isr if topic.mark else 0)
        for name, topic in sorted(cluster.topics.items())
        if topic.internal and topic.has_min_isr and not (topic.mark and topic.mark.min_isr == INHERITED)
    }


def told(cluster: Cluster, growth: Growth, wish: Wish, params: Mapping[str, t.Any]) -> Described:
    """The plan, as it is returned."""
    now = {one.key: one.replicas for one in growth.partitions}
    return {
        "changed": bool(growth.marks),
        "actions": describe(growth, cluster),
        "waiting": list(growth.waiting.values()),
        "waiting_topics": list(growth.waiting),
        "complete": not growth.waiting,
        "left_alone": sorted(
            name
            for name, topic in cluster.topics.items()
            if name not in wish.aims
            and any(
                len(known(one.replicas, cluster, wish)) < params["replication_factor"]
                for one in topic.partitions.values()
            )
        ),
        "own_min_insync_replicas": own_min_isr(cluster),
        "shares": shares({**now, **growth.placed}.values(), wish.brokers),
        "diff": {
            "before": replicas_by_topic((key, replicas_of(cluster, growth.by_key[key])) for key in growth.placed),
            "after": replicas_by_topic(growth.placed.items()),
        },
    }


def work(module: AnsibleModule) -> Described:
    params = module.params
    refuse(check(params))
    with admin_client(params) as admin:
        cluster = retry(lambda: look(admin), params["request_timeout_ms"])
        wish = wish_of(params, cluster)
        refuse(check_factors(params, wish.brokers))
        if module.check_mode:
            cluster = foreseen(cluster, wish)
        growth = plan(cluster, wish)
        refuse(check_growth(growth, cluster))
        result: Described = {
            **told(cluster, growth, wish, params),
            "done": True,
            "waits_for": "",
            "idle": False,
            "blocked": [],
            "bytes": {"copied": 0, "least": growth.bytes_to_copy, "ratio": 1.0},
        }
        if growth.marks and not module.check_mode:
            result |= grow(admin, cluster, growth, params)
    # A broker that is being started is back by then; for one without power nobody waits so long as for a slow copy.
    idle_limit = params["patience"] // 5 if result["blocked"] else params["patience"]
    return {**result, "idle_limit": idle_limit, "limit": params["limit"], "remedy": REMEDY}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_ARGSPEC,
            "topics": {"type": "list", "elements": "dict", "required": True, "options": TOPIC_ARGSPEC},
            "replication_factor": {"type": "int", "required": True},
            "brokers": {"type": "list", "elements": "int", "default": []},
            "throttle": {"type": "int", "default": 5242880},
            "patience": {"type": "int", "default": 600},
            "limit": {"type": "int", "default": 86400},
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
