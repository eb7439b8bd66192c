#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: kraft_format
short_description: Give the log directories of a KRaft node their identity, once
version_added: 0.1.0
description:
  - Formats the log directories of an Apache Kafka node in KRaft mode, as the first node of a dynamic quorum (KIP-853)
    or as one that joins.
  - The cluster id and the node id are written to a manifest before anything is formatted, so that a format which
    was interrupted is resumed with the same identity.
  - Compares the manifest with the C(meta.properties) of every log directory. A difference is an error that says both
    values. What is formatted is never formatted again, and a directory with records but without C(meta.properties)
    is never touched.
  - The manifest also keeps which directories were formatted, so that a disk which is not mounted is not taken for a
    new one.
  - Refuses log directories in an order that would make Kafka begin its metadata anew, and with it the cluster.
author:
  - raspi.kafka contributors (@raspi-kafka)
options:
  log_dirs:
    description:
      - The node's C(log.dirs). Each directory must exist when something is to be formatted.
      - Kafka keeps the cluster's metadata in the first one, so a new directory stands after those that are in use.
    type: list
    elements: path
    required: true
  node_id:
    description: The node's C(node.id).
    type: int
    required: true
  manifest:
    description: File that records the identity of this node, as JSON.
    type: path
    required: true
  cluster_id:
    description:
      - The cluster id to format with, or that of the directories to adopt.
      - Empty means the one of the manifest, and where there is none, a new random one.
    type: str
    default: ''
  state:
    description:
      - With V(formatted) the node has its manifest and all its directories are formatted.
      - With V(recorded) only the manifest is written, so that all nodes of a cluster know who they are before the first
        one is formatted.
    type: str
    choices: [formatted, recorded]
    default: formatted
  founds:
    description:
      - Whether this node is the first of its cluster, a quorum of one voter. Exactly one node of a cluster is.
      - All others are formatted to join, as a broker or as a controller that others admit as a voter.
      - A node whose first directory is formatted founds nothing any more.
      - Only this node may draw the cluster id.
    type: bool
    default: true
  config:
    description: The C(server.properties) of the node. Needed to format, not to check.
    type: path
  libs:
    description: Directory with Kafka's jars. Needed to format, not to check.
    type: path
  user:
    description: System user that runs Kafka and owns the log directories.
    type: str
    default: kafka
extends_documentation_fragment:
  - raspi.kafka._attributes
notes:
  - Formatting starts one JVM. Comparing starts none.
seealso:
  - name: KIP-853, KRaft controller membership changes
    description: What a dynamic quorum is.
    link: https://cwiki.apache.org/confluence/display/KAFKA/KIP-853%3A+KRaft+Controller+Membership+Changes
"""

EXAMPLES = r"""
- name: Format the node's log directory
  raspi.kafka.kraft_format:
    log_dirs: [/var/lib/kafka/data]
    node_id: 1
    manifest: /etc/kafka/identity.json
    config: /etc/kafka/server.properties
    libs: /opt/kafka/current/libs
"""

RETURN = r"""
cluster_id:
  description: The cluster id. In check mode, on a node without identity, it is empty, since it is not yet drawn.
  type: str
  returned: success
  sample: 4L6g3nShT-eMCtK--X86sw
node_id:
  description: The node id.
  type: int
  returned: success
  sample: 1
recorded:
  description: Whether the manifest was there before.
  type: bool
  returned: success
  sample: true
fresh:
  description: Whether the first directory, which holds the metadata, was not formatted before.
  type: bool
  returned: success
  sample: false
directory_id:
  description:
    - The C(directory.id) of the first directory, which holds the metadata; empty if that is not formatted.
    - The quorum knows a voter by it, so a node with a new disk is told from the one that had the vote.
  type: str
  returned: success
  sample: PXv7w13gTeSWQcyOloW7bg
formatted:
  description: The directories that were formatted now, or would be.
  type: list
  elements: str
  returned: success
  sample: [/var/lib/kafka/data]
"""

import base64
import json
import os
import re
import shutil
import tempfile
import uuid
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# What `StorageTool format` leaves behind if it is killed: it writes meta.properties last
# (org.apache.kafka.metadata.storage.Formatter, Kafka 4.1), after these.
_FORMAT_LEFTOVERS = ("bootstrap.checkpoint", "__cluster_metadata-0", "meta.properties.tmp", ".lock")


class FormatError(Exception):
    """A sentence for the user: what is wrong in which directory, and what to do."""


@dataclass(frozen=True)
class Identity:
    """Who a node is: ``cluster_id`` is 16 bytes in URL-safe base64 (22 characters)."""

    cluster_id: str
    node_id: int


@dataclass(frozen=True)
class Manifest:
    """What a node keeps of itself beside its log directories: who it is, and which of them were formatted."""

    identity: Identity
    log_dirs: list[str]


@dataclass(frozen=True)
class Plan:
    """What to do: ``identity`` for the manifest, and the directories that have none.

    ``fresh``: the directory of the metadata is one of them.
    """

    identity: Identity
    write_manifest: bool
    unformatted: list[str]
    fresh: bool


def new_cluster_id() -> str:
    """Draw a cluster id as Kafka does: a random UUID whose text does not begin with a dash (KAFKA-18028)."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def is_cluster_id(text: str) -> bool:
    """Whether ``text`` is a UUID in URL-safe base64."""
    return re.fullmatch(r"[A-Za-z0-9_-]{22}", text) is not None


def read_properties(log_dir: str) -> dict[str, str]:
    """Read ``meta.properties`` of a log directory; empty where it is not formatted."""
    path = os.path.join(log_dir, "meta.properties")
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return dict(line.strip().split("=", 1) for line in file if "=" in line and not line.startswith("#"))


def read_identity(log_dir: str) -> Identity | None:
    """Read who the node of a log directory is; None where it is not formatted.

    :raises FormatError: the file cannot be understood.
    """
    path = os.path.join(log_dir, "meta.properties")
    if not os.path.exists(path):
        return None
    try:
        pairs = read_properties(log_dir)
        return Identity(pairs["cluster.id"], int(pairs["node.id"]))
    except (KeyError, ValueError) as error:
        raise FormatError(
            f"Cannot read the identity in {path}: {error!r}. Restore the file from a backup; nothing was changed."
        ) from error


def read_manifest(path: str) -> Manifest | None:
    """Read the manifest; None where there is none.

    :raises FormatError: the file cannot be understood.
    """
    if not os.path.exists(path):
        return None
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        if not is_cluster_id(str(data["cluster_id"])):
            raise ValueError(f"{data['cluster_id']!r} is no cluster id")
        return Manifest(Identity(data["cluster_id"], int(data["node_id"])), list(data["log_dirs"]))
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(
            f"Cannot read the identity of this node in {path}: {error!r}. "
            "Restore the file from a backup; nothing was changed."
        ) from error


def foreign_entries(log_dir: str) -> list[str]:
    """Names in an unformatted directory that an interrupted format cannot have left there."""
    if not os.path.isdir(log_dir):
        return []
    names = [name for name in os.listdir(log_dir) if not name.startswith(_FORMAT_LEFTOVERS)]
    # A metadata log with records is a node that ran, not a format that was interrupted.
    metadata = os.path.join(log_dir, "__cluster_metadata-0")
    if os.path.isdir(metadata):
        names += [f"__cluster_metadata-0/{name}" for name in os.listdir(metadata) if name.endswith(".log")]
    return sorted(names)


def check_order(log_dirs: list[str]) -> None:
    """Refuse an order in which Kafka, whose metadata is in the first directory, would begin an empty cluster.

    :raises FormatError: a later directory holds the cluster's metadata.
    """
    holders = [path for path in log_dirs if os.path.isdir(os.path.join(path, "__cluster_metadata-0"))]
    if len(holders) > 1:
        raise FormatError(
            f"{' and '.join(holders)} both hold a cluster's metadata; Kafka would go by the first and remove from the "
            "other what it does not know. List only the one that has your records. Nothing was changed."
        )
    if holders and log_dirs[0] not in holders:
        raise FormatError(
            f"{holders[0]} holds the cluster's metadata, but {log_dirs[0]} comes first in the log directories: there "
            "Kafka would begin anew, and remove the records of topics that it does not know. "
            f"Put {holders[0]} first. Nothing was changed."
        )


def check_formatted(recorded: list[str], found: dict[str, Identity | None]) -> None:
    """Refuse to take a directory for new in place of one that was formatted before.

    :param recorded: directories that the manifest says were formatted.
    :param found: log directory -> its identity, None where it is not formatted.
    :raises FormatError: records would be out of view.
    """
    for path in recorded:
        if path in found and found[path] is None:
            raise FormatError(
                f"{path} was formatted for this node and is empty now. Is its disk mounted? Mount it and run the play "
                "again. Nothing was changed."
            )
    gone = [path for path in recorded if path not in found]
    # A directory that was moved has its identity at the new place.
    if gone and (None in found.values() or len(found) < len(recorded)):
        raise FormatError(
            f"{', '.join(gone)} was formatted for this node and is no longer listed; its records would be out of "
            "view. List it again; or, to move it, stop kafka.service and copy it with all its files to the new place "
            "first. Nothing was changed."
        )


def choose_identity(
    wanted: Identity, manifest: Manifest | None, manifest_path: str, found: dict[str, Identity | None]
) -> Identity:
    """Say which identity the node has; an empty ``wanted.cluster_id`` means whatever is known.

    :param found: log directory -> its identity, None where it is not formatted.
    :raises FormatError: two sources contradict each other. Both values are named.
    """
    known = {manifest_path: manifest.identity} if manifest else {}
    known.update({os.path.join(path, "meta.properties"): one for path, one in found.items() if one})
    for path, identity in known.items():
        if identity.node_id != wanted.node_id:
            raise FormatError(
                f"The node id differs: {path} says {identity.node_id}, the inventory says {wanted.node_id}. "
                f"Set kraft_broker_node_id={identity.node_id}, or give this node another log directory. "
                "Nothing was changed."
            )
    cluster_id = wanted.cluster_id or (manifest.identity.cluster_id if manifest else "")
    if not cluster_id and known:
        path, identity = next(iter(known.items()))
        raise FormatError(
            f"{path} belongs to cluster {identity.cluster_id}, which this collection did not make: {manifest_path} "
            f"is missing. To adopt its records set kraft_broker_cluster_id={identity.cluster_id}, or choose another "
            "directory. Nothing was changed."
        )
    source = "the inventory" if wanted.cluster_id else manifest_path
    for path, identity in known.items():
        if identity.cluster_id != cluster_id:
            raise FormatError(
                f"The cluster id differs: {path} says {identity.cluster_id}, {source} says {cluster_id}. "
                "This directory belongs to another cluster; choose another one, or the inventory that made it. "
                "Nothing was changed."
            )
    return Identity(cluster_id, wanted.node_id)


def plan(
    wanted: Identity,
    manifest: Manifest | None,
    manifest_path: str,
    found: dict[str, Identity | None],
    foreign: dict[str, list[str]],
) -> Plan:
    """Compare what is wanted with what is on disk; pure.

    :param found: log directory -> identity or None.
    :param foreign: unformatted log directory -> names that a format did not leave there.
    :raises FormatError: formatting would lose or mix records.
    """
    if wanted.cluster_id and not is_cluster_id(wanted.cluster_id):
        raise FormatError(
            f"kraft_broker_cluster_id={wanted.cluster_id} is no cluster id: it has 22 characters, a UUID in URL-safe "
            "base64. Nothing was changed."
        )
    for path, names in foreign.items():
        if names:
            raise FormatError(
                f"{path} is not empty and has no meta.properties: it holds {', '.join(names[:5])}. "
                "Move its contents away or choose another directory, on a disk of its own a subdirectory. "
                "Nothing was changed."
            )
    identity = choose_identity(wanted, manifest, manifest_path, found)
    recorded = manifest.log_dirs if manifest else []
    check_formatted(recorded, found)
    unformatted = [path for path, one in found.items() if one is None]
    # The first directory holds the metadata: an interrupted format may have got to another one before it.
    return Plan(identity, recorded != list(found), unformatted, fresh=next(iter(found.values()), None) is None)


def write_manifest(path: str, manifest: Manifest) -> None:
    """Write the manifest so that a power cut leaves either the old file or the whole new one."""
    folder = os.path.dirname(path)
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as file:
        json.dump({**vars(manifest.identity), "log_dirs": manifest.log_dirs}, file)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def reason(output: str) -> str:
    """The line of a Java program's output that says why it failed: the last one that is no frame of a stack trace."""
    lines = [line for line in output.splitlines() if line.strip() and not re.match(r"\s+(at |\.\.\. \d)", line)]
    return re.sub(r'^(Exception in thread "[^"]*"|Caused by:) ', "", lines[-1].strip()) if lines else "no output"


def remove_leftovers(log_dirs: list[str]) -> None:
    """Remove what an interrupted format left in directories that have no identity.

    The snapshot with the first voter (bootstrap.checkpoint) must not stay where a node joins: it would lead a quorum of
    its own, in a cluster of the same id. `foreign_entries` has refused whatever else may be there.
    """
    for path in log_dirs:
        for name in os.listdir(path):
            entry = os.path.join(path, name)
            if os.path.isdir(entry) and name.startswith(_FORMAT_LEFTOVERS):
                shutil.rmtree(entry)
            elif name.startswith(_FORMAT_LEFTOVERS):
                os.remove(entry)


def format_storage(module: AnsibleModule, identity: Identity, quorum: str) -> None:
    """Run Kafka's StorageTool; directories that are formatted already are left alone by it.

    :param quorum: ``--standalone`` or ``--no-initial-controllers`` (KIP-853).
    :raises FormatError: the tool failed.
    """
    command = [
        "runuser", "-u", module.params["user"], "--",
        "java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:+PerfDisableSharedMem", "-Xmx128m",
        "-cp", os.path.join(module.params["libs"], "*"), "kafka.tools.StorageTool",
        "format", quorum, "--ignore-formatted",
        f"--cluster-id={identity.cluster_id}", f"--config={module.params['config']}",
    ]  # fmt: skip
    code, out, err = module.run_command(command, cwd="/")
    if code != 0:
        names = ", ".join(module.params["log_dirs"])
        raise FormatError(
            f"StorageTool could not format {names} (exit code {code}): {reason(out + err)} "
            "(Mend the cause and run the play again: it resumes with the same cluster id.)"
        )


def record(module: AnsibleModule, identity: Identity, manifest: Manifest | None) -> Identity:
    """Write the manifest of a node that has none; the first node of a cluster draws its id.

    :raises FormatError: a node that joins was told no id: one of its own would make it a stranger for ever.
    """
    if manifest:
        return identity
    if not identity.cluster_id and not module.params["founds"]:
        raise FormatError(
            f"Node {identity.node_id} was told no cluster id to join, since the first node of the cluster has none yet."
            " See why above, mend it, and run the play again. Nothing was changed."
        )
    identity = Identity(identity.cluster_id or new_cluster_id(), identity.node_id)
    write_manifest(module.params["manifest"], Manifest(identity, []))
    return identity


def apply(module: AnsibleModule, todo: Plan, manifest: Manifest | None) -> Identity:
    """Write what the plan says, the manifest first."""
    if module.params["state"] == "recorded":
        return record(module, todo.identity, manifest)
    if todo.unformatted and not (module.params["config"] and module.params["libs"]):
        names = ", ".join(todo.unformatted)
        raise FormatError(f"The options config and libs are needed to format {names}. Nothing was changed.")
    identity = record(module, todo.identity, manifest)
    if todo.unformatted:
        remove_leftovers(todo.unformatted)
        founds = module.params["founds"] and todo.fresh
        format_storage(module, identity, "--standalone" if founds else "--no-initial-controllers")
    for path in todo.unformatted:
        if read_identity(path) != identity:
            raise FormatError(
                f"{path} is not formatted for cluster {identity.cluster_id} although StorageTool said so."
            )
    write_manifest(module.params["manifest"], Manifest(identity, module.params["log_dirs"]))
    return identity


def describe(manifest: Manifest | None, found: dict[str, Identity | None]) -> dict[str, Any]:
    """The state for ``--diff``."""
    return {
        "manifest": None if manifest is None else {**vars(manifest.identity), "log_dirs": manifest.log_dirs},
        "log_dirs": {path: None if one is None else vars(one) for path, one in found.items()},
    }


def run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    wanted = Identity(params["cluster_id"], params["node_id"])
    found = {path: read_identity(path) for path in params["log_dirs"]}
    foreign = {path: foreign_entries(path) for path, one in found.items() if one is None}
    manifest = read_manifest(params["manifest"])
    todo = plan(wanted, manifest, params["manifest"], found, foreign)
    check_order(params["log_dirs"])
    only_record = params["state"] == "recorded"
    changed = manifest is None if only_record else todo.write_manifest or bool(todo.unformatted)
    identity = todo.identity if module.check_mode or not changed else apply(module, todo, manifest)
    after = (manifest or Manifest(identity, []), found)
    if not only_record:
        after = (Manifest(identity, params["log_dirs"]), dict.fromkeys(found, identity))
    return {
        "changed": changed,
        "cluster_id": identity.cluster_id,
        "node_id": identity.node_id,
        "recorded": manifest is not None,
        "fresh": todo.fresh,
        "directory_id": read_properties(params["log_dirs"][0]).get("directory.id", ""),
        "formatted": [] if only_record else todo.unformatted,
        "diff": {"before": describe(manifest, found), "after": describe(*after)},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "log_dirs": {"type": "list", "elements": "path", "required": True},
            "node_id": {"type": "int", "required": True},
            "manifest": {"type": "path", "required": True},
            "cluster_id": {"type": "str", "default": ""},
            "state": {"type": "str", "choices": ["formatted", "recorded"], "default": "formatted"},
            "founds": {"type": "bool", "default": True},
            "config": {"type": "path"},
            "libs": {"type": "path"},
            "user": {"type": "str", "default": "kafka"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except FormatError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"Cannot compare the log directories with the manifest: {error}. Nothing was formatted.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
