# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
name: cluster_plan
short_description: Plan how nodes become one cluster, step by step
version_added: 0.1.0
author: raspi.kafka contributors (@raspi-kafka)
description:
  - From what is on the disks of the hosts follows which steps are left. A run that was interrupted at any of them is
    resumed by the next run.
  - The steps, in this order. C(draw), the founder writes a new cluster id into its manifest. C(record), all others
    write the same id. C(extend), directories that were added to a node are formatted. C(found), the founder is
    formatted as a quorum of one voter. C(start), what is formatted is started. C(format), the others are formatted to
    join. C(join), they are started. C(admit), each further controller becomes a voter (KIP-853), one after the other.
  - The founder is the first controller of the inventory, as long as no node is formatted.
options:
  _input:
    description:
      - The members of the cluster by their names in the inventory, controllers first.
    type: list
    elements: str
    required: true
  controllers:
    description: Those that are controllers.
    type: list
    elements: str
    required: true
  identities:
    description:
      - Name -> what M(raspi.kafka.kraft_format) returned there in check mode, of those that take part in the run.
    type: dict
    required: true
  running:
    description: Those whose broker or controller runs.
    type: list
    elements: str
    required: true
  quorums:
    description: What M(raspi.kafka.cluster_health) said of the quorum on each host where it could be asked.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Say what is to be done
  ansible.builtin.debug:
    msg: "{{ (['pi1'] | raspi.kafka.cluster_plan(controllers=['pi1'], identities={'pi1': __found}, running=[],
      quorums=[])).steps | map(attribute='says') }}"
"""

RETURN = r"""
_value:
  description: >-
    A dictionary with C(refused), a sentence, empty if nothing stands against it; C(cluster_id), empty if it is to be
    drawn; and C(steps), each with its C(number), C(action), C(hosts) and C(says), the step in words.
  type: dict
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SAYS = {
    "draw": "draw the cluster's id on {}",
    "record": "write the cluster's id to {}",
    "extend": "format the new directories of {}",
    "found": "format {} as the first voter",
    "start": "start {}",
    "format": "format {} to join",
    "join": "start {}",
    "admit": "make {} a voter",
}


@dataclass(frozen=True)
class Member:
    """A node of the cluster, as this run finds it; of one that is not present, nothing more is known.

    ``recorded``: it has its manifest. ``fresh``: nothing of it is formatted. ``complete``: all of it is.
    ``directory_id``: the one by which the quorum knows its metadata (KIP-853), empty where that is not formatted.
    """

    host: str
    node_id: int
    controller: bool
    present: bool
    running: bool
    cluster_id: str
    recorded: bool
    fresh: bool
    complete: bool
    directory_id: str

    @property
    def formatted(self) -> bool:
        return self.present and not self.fresh


def names(members: Sequence[Member]) -> str:
    return ", ".join(one.host for one in members)


def refuse_ids(members: Sequence[Member]) -> str:
    """Nodes that know different clusters."""
    ids: dict[str, list[Member]] = {}
    for one in members:
        if one.cluster_id:
            ids.setdefault(one.cluster_id, []).append(one)
    if len(ids) < 2:
        return ""
    told = "; ".join(f"{names(same)}: {cluster_id}" for cluster_id, same in ids.items())
    return (
        f"These hosts belong to different clusters ({told}), and a node never changes its cluster. Take the stranger "
        "out of the inventory. Or, if what it has may go, remove it with the playbook uninstall and "
        "-e uninstall_data=true, limited to this host; then it joins like a new one."
    )


def refuse_founding(members: Sequence[Member]) -> str:
    """A node without identity, while nobody in this run knows for certain that there is no cluster, or which."""
    fresh = [one for one in members if one.present and one.fresh]
    absent = [one for one in members if not one.present]
    if not fresh or any(one.formatted and one.controller for one in members):
        return ""
    if absent:
        # Once an id is written down, the one that is absent may have founded the cluster already.
        other_way = "" if any(one.recorded for one in members) else ", or take it out of the inventory,"
        return (
            f"{names(fresh)} cannot get an identity while {names(absent)} takes no part in this run, being unreachable,"
            " failed before or left out by --limit: a cluster is founded by all its hosts, or joined beside one of its "
            f"controllers. Bring it back{other_way} and run the play for all."
        )
    if any(one.formatted for one in members):
        return (
            f"No controller of this cluster is left: only {names([one for one in members if one.formatted])} is "
            "formatted, and has no metadata. Restore a controller's log directory from a backup."
        )
    return ""


def refuse_split(quorums: Sequence[Mapping[str, Any]]) -> str:
    """Hosts that follow different quorums, though their disks have one id."""
    sets = {tuple(sorted((one["id"], str(one["directory_id"])) for one in quorum["voters"])) for quorum in led(quorums)}
    if len(sets) < 2:
        return ""
    told = " and ".join(", ".join(str(node_id) for node_id, _directory in voters) for voters in sorted(sets))
    return (
        f"These hosts follow different quorums of one cluster id, with the voters {told}: each has records that the "
        "other lacks. Decide which one stays; on the hosts of the other remove what is there with the playbook "
        "uninstall and -e uninstall_data=true, and let them join like new ones."
    )


def led(quorums: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The answers that name an active controller."""
    return [quorum for quorum in quorums if quorum.get("leader_id") is not None]


def refuse_joining_nobody(members: Sequence[Member], quorums: Sequence[Mapping[str, Any]]) -> str:
    """New nodes, while controllers that run find no leader among themselves: those that had a vote are gone."""
    fresh = [one for one in members if one.present and one.fresh]
    waiting = [one for one in members if one.controller and one.formatted and one.running]
    asked = [quorum for quorum in quorums if "leader_id" in quorum]  # where no broker runs, nobody can be asked
    if not (fresh and waiting and asked) or led(quorums):
        return ""
    return (
        f"{names(fresh)} cannot join: {names(waiting)} runs, and no controller leads the cluster{reason(quorums)}. "
        f"If {names(fresh)} had a vote before and its disk is lost, the majority is lost with it: restore a disk from "
        "a backup. Else look into the journal of kafka.service there."
    )


def reason(quorums: Sequence[Mapping[str, Any]]) -> str:
    """What was said in the place of an answer."""
    said = [quorum["msg"] for quorum in quorums if quorum.get("msg")]
    return f" ({said[0]})" if said else ""


def refuse_lost_majority(members: Sequence[Member], quorums: Sequence[Mapping[str, Any]]) -> str:
    """A cluster that no controller leads, and that cannot get a leader from the hosts of this run."""
    known = [one for one in members if one.controller and (one.formatted or not one.present)]
    here = [one for one in known if one.present]
    needed = len(known) // 2 + 1
    if led(quorums) or len(here) >= needed or not any(one.formatted for one in members):
        return ""
    gone = [one for one in known if not one.present]
    return (
        f"The cluster has lost its majority, as far as can be seen from here: no controller leads{reason(quorums)}, "
        f"and of its {len(known)} controllers {needed} are needed. {names(gone)} takes no part in this run, being "
        "unreachable, failed before or left out by --limit. Bring them back first, best with their disks as they are: "
        "Kafka then goes on by itself."
    )


def votes(quorum: Mapping[str, Any], member: Member) -> bool:
    """Whether a controller has its vote with the disk that it has now; in a static quorum a vote has no directory."""
    voters = {voter["id"]: voter["directory_id"] for voter in quorum.get("voters") or []}
    return member.node_id in voters and voters[member.node_id] in (None, member.directory_id)


def planned(members: Sequence[Member], quorum: Mapping[str, Any]) -> list[tuple[str, list[Member]]]:
    """The steps that are left, as (action, members)."""
    here = [one for one in members if one.present]
    fresh = [one for one in here if one.fresh]
    founder = [] if any(one.formatted for one in members) else fresh[:1]
    joining = [one for one in fresh if one not in founder]
    unrecorded = [one for one in here if not one.recorded]
    drawing = founder if not any(one.cluster_id for one in members) else []
    # Where nobody can be asked, the only controller with metadata has a vote for certain: a quorum never has none.
    known = [one for one in members if one.controller and (one.formatted or not one.present)]
    first = founder or (known if len(known) == 1 and quorum.get("leader_id") is None else [])
    admitted = [one for one in here if one.controller and one not in first and not votes(quorum, one)]
    return [
        ("draw", drawing),
        ("record", [one for one in unrecorded if one not in drawing]),
        ("extend", [one for one in here if one.formatted and not one.complete]),
        ("found", founder),
        ("start", [*(one for one in here if one.formatted and not one.running), *founder]),
        ("format", joining),
        ("join", joining),
        *(("admit", [one]) for one in admitted),
    ]


def cluster_plan(
    hosts: Sequence[str],
    controllers: Sequence[str],
    identities: Mapping[str, Mapping[str, Any]],
    running: Sequence[str],
    quorums: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """See DOCUMENTATION."""
    members = [
        Member(
            host=host,
            node_id=identities.get(host, {}).get("node_id", -1),
            controller=host in controllers,
            present=host in identities,
            running=host in running,
            cluster_id=identities.get(host, {}).get("cluster_id", ""),
            recorded=identities.get(host, {}).get("recorded", False),
            fresh=identities.get(host, {}).get("fresh", False),
            complete=not identities.get(host, {}).get("changed", False),
            directory_id=identities.get(host, {}).get("directory_id", ""),
        )
        for host in hosts
    ]
    refused = (
        refuse_ids(members)
        or refuse_split(quorums)
        or refuse_founding(members)
        or refuse_lost_majority(members, quorums)
        or refuse_joining_nobody(members, quorums)
    )
    quorum = next(iter(led(quorums)), {})
    steps = [] if refused else [(action, whom) for action, whom in planned(members, quorum) if whom]
    return {
        "refused": refused,
        "cluster_id": next((one.cluster_id for one in members if one.cluster_id), ""),
        "steps": [
            {
                "number": number,
                "action": action,
                "hosts": [one.host for one in whom],
                "says": _SAYS[action].format(names(whom)),
            }
            for number, (action, whom) in enumerate(steps, 1)
        ],
    }


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"cluster_plan": cluster_plan}
