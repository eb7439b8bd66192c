#!/usr/bin/python

# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kafka_cluster_info
short_description: Describe the brokers, the quorum, the topics and the log directories of a cluster
version_added: 0.1.0
description:
  - Reads in one task over the native protocol what else takes half a dozen calls of the tools of Kafka.
  - Changes nothing.
author: raspi.kafka contributors (@raspi-kafka)
extends_documentation_fragment:
  - raspi.kafka._kafka
  - raspi.kafka._attributes.INFO_MODULE
seealso:
  - module: raspi.kafka.produce_consume
"""

EXAMPLES = r"""
- name: Describe the cluster
  raspi.kafka.kafka_cluster_info:
    bootstrap_servers: ["192.168.1.20:9092"]
  register: cluster

- name: Go on only if every partition has all its replicas in sync
  ansible.builtin.assert:
    that: cluster.under_replicated_partitions == 0
    fail_msg: "{{ cluster.topics | selectattr('under_replicated') | map(attribute='name') | join(', ') }}"
"""

RETURN = r"""
cluster_id:
  description: Id of the cluster.
  returned: success
  type: str
  sample: SJfWeO2iSRWLV7Ro2fYLPQ
brokers:
  description: The registered brokers, by id.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Id of the broker.
      type: int
      returned: always
      sample: 1
    host:
      description: Host that the broker advertises on the listener that was asked.
      type: str
      returned: always
      sample: 192.168.1.20
    port:
      description: Port that the broker advertises on the listener that was asked.
      type: int
      returned: always
      sample: 9092
    rack:
      description: Rack of the broker, or null.
      type: str
      returned: always
      sample: null
    fenced:
      description: Whether the broker is fenced, so that it does not lead or serve any partition.
      type: bool
      returned: always
      sample: false
quorum:
  description: The metadata quorum. Null, with a warning, if there is no active controller to ask.
  returned: success
  type: dict
  contains:
    leader_id:
      description: Id of the active controller.
      type: int
      returned: always
      sample: 1
    leader_epoch:
      description: Epoch of the active controller.
      type: int
      returned: always
      sample: 4
    high_watermark:
      description: Offset up to which a majority of the voters has the metadata log.
      type: int
      returned: always
      sample: 369
    voters:
      description: The voters, by id.
      type: list
      elements: dict
      returned: always
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
        log_end_offset:
          description: Offset after the last record of the metadata log that it has.
          type: int
          returned: always
          sample: 369
        lag:
          description: Number of records that it lacks compared with the active controller.
          type: int
          returned: always
          sample: 0
        last_fetch_timestamp:
          description: When it fetched last, in milliseconds since the epoch; null if it never did.
          type: int
          returned: always
          sample: 1795383451715
        last_caught_up_timestamp:
          description: When it had the whole log last, in milliseconds since the epoch; null if it never had.
          type: int
          returned: always
          sample: 1795383451715
        caught_up_lag_ms:
          description: How long before the active controller it had the whole log last; null if it never had.
          type: int
          returned: always
          sample: 0
    observers:
      description: The observers, by id, with the same keys as the voters. A broker that is no voter is one.
      type: list
      elements: dict
      returned: always
      contains: *replica
    endpoints:
      description: Where the voters listen.
      type: list
      elements: dict
      returned: always
      sample: [{"id": 1, "listener": "CONTROLLER", "host": "127.0.0.1", "port": 9093}]
topics:
  description: The topics, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the topic.
      type: str
      returned: always
      sample: telemetry
    internal:
      description: Whether Kafka keeps its own state in it.
      type: bool
      returned: always
      sample: false
    replication_factor:
      description: Number of replicas of the partition that has the fewest.
      type: int
      returned: always
      sample: 1
    min_insync_replicas:
      description: The effective C(min.insync.replicas).
      type: int
      returned: always
      sample: 1
    under_replicated:
      description: Number of partitions of which a replica is not in sync.
      type: int
      returned: always
      sample: 0
    partitions:
      description: The partitions, by number.
      type: list
      elements: dict
      returned: always
      sample: [{"partition": 0, "leader": 1, "replicas": [1], "isr": [1], "offline": []}]
under_replicated_partitions:
  description: Number of partitions of the cluster of which a replica is not in sync.
  returned: success
  type: int
  sample: 0
leaderless_partitions:
  description: Number of partitions of the cluster that have no leader, so that nobody can use them.
  returned: success
  type: int
  sample: 0
log_dirs:
  description: The log directories of the brokers that are not fenced.
  returned: success
  type: list
  elements: dict
  contains:
    broker:
      description: Id of the broker.
      type: int
      returned: always
      sample: 1
    path:
      description: Path of the log directory on the host of the broker.
      type: str
      returned: always
      sample: /var/lib/kafka/data
    error:
      description: What is wrong with the directory, or null.
      type: str
      returned: always
      sample: null
    size_bytes:
      description: Size of all log segments in it, in bytes.
      type: int
      returned: always
      sample: 73512
    replicas:
      description: Number of replicas of partitions in it.
      type: int
      returned: always
      sample: 53
    total_bytes:
      description: Size of its file system, in bytes.
      type: int
      returned: always
      sample: 270553174016
    usable_bytes:
      description: What is free for the broker in its file system, in bytes.
      type: int
      returned: always
      sample: 84721385472
features:
  description: The finalized features of the cluster, by name.
  returned: success
  type: dict
  sample: {"metadata.version": {"level": 27, "supported_min": 7, "supported_max": 27}}
reason:
  description: Kind of the failure, for a play to decide on.
  returned: failure
  type: str
  sample: unreachable
"""

import typing as t
from collections import Counter

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import (
    CONNECTION_ARGSPEC,
    TOPIC,
    KafkaError,
    admin_client,
    describe_configs,
    explain,
    explain_code,
    join_server,
    run,
)
from ansible_collections.raspi.kafka.plugins.module_utils._quorum import quorum_info

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from kafka.admin import KafkaAdminClient

MIN_ISR = "min.insync.replicas"
Described = dict[str, t.Any]


def brokers_info(cluster: Mapping[str, t.Any]) -> list[Described]:
    return [
        {
            "id": broker["broker_id"],
            "host": broker["host"],
            "port": broker["port"],
            "rack": broker["rack"],
            "fenced": bool(broker.get("is_fenced")),
        }
        for broker in sorted(cluster["brokers"], key=lambda broker: broker["broker_id"])
    ]


def partition_info(partition: Mapping[str, t.Any]) -> Described:
    return {
        "partition": partition["partition_index"],
        "leader": partition["leader_id"] if partition["leader_id"] >= 0 else None,
        "replicas": partition["replica_nodes"],
        "isr": partition["isr_nodes"],
        "offline": partition["offline_replicas"],
    }


def topic_info(topic: Mapping[str, t.Any], min_isr: int) -> Described:
    partitions = [partition_info(partition) for partition in topic["partitions"]]
    partitions.sort(key=lambda partition: partition["partition"])
    return {
        "name": topic["name"],
        "internal": topic["is_internal"],
        "replication_factor": min((len(partition["replicas"]) for partition in partitions), default=0),
        "min_insync_replicas": min_isr,
        "under_replicated": sum(len(partition["isr"]) < len(partition["replicas"]) for partition in partitions),
        "partitions": partitions,
    }


def topics_info(admin: KafkaAdminClient) -> list[Described]:
    topics = sorted(admin.describe_topics(), key=lambda topic: topic["name"])
    configs = describe_configs(admin, TOPIC, [topic["name"] for topic in topics], keys=[MIN_ISR])
    return [topic_info(topic, int(configs[topic["name"]][MIN_ISR].value or 1)) for topic in topics]


def log_dir_info(broker: int, log_dir: Mapping[str, t.Any]) -> Described:
    sizes = [partition["partition_size"] for topic in log_dir["topics"] for partition in topic["partitions"]]
    return {
        "broker": broker,
        "path": log_dir["log_dir"],
        "error": explain_code(log_dir["error_code"], None) if log_dir["error_code"] else None,
        "size_bytes": sum(sizes),
        "replicas": len(sizes),
        "total_bytes": log_dir["total_bytes"],
        "usable_bytes": log_dir["usable_bytes"],
    }


def own_addresses(brokers: list[Described]) -> tuple[list[int], list[int]]:
    """The brokers that can be asked for themselves, and those that share an address: one would answer for all."""
    running = [broker for broker in brokers if not broker["fenced"]]
    uses = Counter((broker["host"], broker["port"]) for broker in running)
    alone = [broker["id"] for broker in running if uses[broker["host"], broker["port"]] == 1]
    return alone, [broker["id"] for broker in running if broker["id"] not in alone]


def log_dirs_info(module: AnsibleModule, admin: KafkaAdminClient, brokers: list[Described]) -> list[Described]:
    alone, shared = own_addresses(brokers)
    if shared:
        module.warn(
            f"Brokers {', '.join(map(str, shared))} share one address on the listener that was asked, so their log "
            "directories are left out. Name the LAN listener in bootstrap_servers."
        )
    result = []
    for broker in (broker for broker in brokers if broker["id"] in alone):
        try:
            answer = admin.describe_log_dirs(brokers=[broker["id"]])[0]
        except KafkaError as error:
            address = join_server(broker["host"], broker["port"])
            module.warn(f"The log directories of broker {broker['id']} at {address} are left out: {explain(error)}")
            continue
        result += [log_dir_info(broker["id"], log_dir) for log_dir in answer["log_dirs"]]
    return result


def features_info(features: Mapping[str, Mapping[str, t.Any]]) -> Described:
    return {
        name: {
            "level": feature["finalized"][1],
            "supported_min": feature["supported"][0] if "supported" in feature else None,
            "supported_max": feature["supported"][1] if "supported" in feature else None,
        }
        for name, feature in sorted(features.items())
        if "finalized" in feature
    }


def read_quorum(module: AnsibleModule, admin: KafkaAdminClient) -> Described | None:
    try:
        return quorum_info(admin.describe_metadata_quorum())
    except KafkaError as error:
        module.warn(f"The metadata quorum cannot be described: {explain(error)}")
        return None


def work(module: AnsibleModule) -> dict[str, t.Any]:
    with admin_client(module.params) as admin:
        cluster = admin.describe_cluster()
        brokers = brokers_info(cluster)
        topics = topics_info(admin)
        return {
            "changed": False,
            "cluster_id": cluster["cluster_id"],
            "brokers": brokers,
            "quorum": read_quorum(module, admin),
            "topics": topics,
            "under_replicated_partitions": sum(topic["under_replicated"] for topic in topics),
            "leaderless_partitions": sum(
                partition["leader"] is None for topic in topics for partition in topic["partitions"]
            ),
            "log_dirs": log_dirs_info(module, admin, brokers),
            "features": features_info(admin.describe_features()),
        }


def main() -> None:
    run(AnsibleModule(argument_spec={**CONNECTION_ARGSPEC}, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
