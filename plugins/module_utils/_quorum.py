# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: this module util may change at any time, its names are no promise to other collections.

"""The metadata quorum as DescribeQuorum (KIP-595, KIP-853) tells it."""

from __future__ import annotations

import base64
import typing as t
import uuid

if t.TYPE_CHECKING:
    from collections.abc import Mapping

Described = dict[str, t.Any]


def kafka_id(value: str | uuid.UUID | None) -> str | None:
    """An id as Kafka writes it into meta.properties: base64, not the hexadecimal form of a UUID."""
    if value is None:
        return None
    return base64.urlsafe_b64encode(uuid.UUID(str(value)).bytes).rstrip(b"=").decode()


def quorum_replica(replica: Mapping[str, t.Any], leader: Mapping[str, t.Any]) -> Described:
    caught_up, leaders = replica["last_caught_up_timestamp"], leader["last_caught_up_timestamp"]
    return {
        "id": replica["replica_id"],
        "directory_id": kafka_id(replica.get("replica_directory_id")),
        "log_end_offset": replica["log_end_offset"],
        "lag": max(0, leader["log_end_offset"] - replica["log_end_offset"]),
        "last_fetch_timestamp": replica["last_fetch_timestamp"] if replica["last_fetch_timestamp"] >= 0 else None,
        "last_caught_up_timestamp": caught_up if caught_up >= 0 else None,
        "caught_up_lag_ms": max(0, leaders - caught_up) if caught_up >= 0 else None,
    }


def quorum_info(response: Mapping[str, t.Any]) -> Described:
    quorum = response["topics"][0]["partitions"][0]
    voters = sorted(quorum["current_voters"], key=lambda voter: voter["replica_id"])
    observers = sorted(quorum["observers"], key=lambda observer: observer["replica_id"])
    leader = next(voter for voter in voters if voter["replica_id"] == quorum["leader_id"])
    return {
        "leader_id": quorum["leader_id"],
        "leader_epoch": quorum["leader_epoch"],
        "high_watermark": quorum["high_watermark"],
        "voters": [quorum_replica(voter, leader) for voter in voters],
        "observers": [quorum_replica(observer, leader) for observer in observers],
        "endpoints": [
            {"id": node["node_id"], "listener": listener["name"], "host": listener["host"], "port": listener["port"]}
            for node in sorted(response.get("nodes") or [], key=lambda node: node["node_id"])
            for listener in node["listeners"]
        ],
    }
