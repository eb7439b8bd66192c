# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: this module util may change at any time, its names are no promise to other collections.

"""AddRaftVoter and RemoveRaftVoter (KIP-853, API keys 80 and 81), which kafka-python 3.0 has no classes for.

Version 0, which every broker of a dynamic quorum takes and forwards to the active controller.
"""

from __future__ import annotations

import base64
import typing as t
import uuid

try:
    from kafka.protocol.api_message import ApiMessage
    from kafka.protocol.data_container import SlotsBuilder
    from kafka.protocol.schemas import StructField
except ImportError:  # _kafka.require_kafka_python() has the sentence for it
    ApiMessage, SlotsBuilder, StructField = object, type, dict

if t.TYPE_CHECKING:
    from collections.abc import Mapping

ADD, REMOVE = 80, 81  # API keys

Schema = dict[str, t.Any]


def field(name: str, kind: str, **more: t.Any) -> Schema:
    return {"name": name, "type": kind, "versions": "0+", **more}


def message(name: str, kind: str, key: int, *fields: Schema) -> Schema:
    versions = {"validVersions": "0", "flexibleVersions": "0+"}
    return {"name": name, "type": kind, "apiKey": key, **versions, "fields": list(fields)}


CLUSTER_ID = field("ClusterId", "string", nullableVersions="0+")
VOTER = (field("VoterId", "int32"), field("VoterDirectoryId", "uuid"))
LISTENER = (field("Name", "string"), field("Host", "string"), field("Port", "uint16"))
ANSWER = (
    field("ThrottleTimeMs", "int32"),
    field("ErrorCode", "int16"),
    field("ErrorMessage", "string", nullableVersions="0+"),
)


# pylint does not see that the class of kafka-python's messages is one of classes.
class FromSchema(type(ApiMessage)):  # type: ignore[misc]
    """Makes a message of its SCHEMA, where kafka-python itself reads a file of its own package."""

    def __new__(cls, name: str, bases: tuple[type, ...], attributes: dict[str, t.Any], **options: t.Any) -> FromSchema:
        # kafka-python makes a class for each version too, with the schema of the one for all.
        if "SCHEMA" in attributes:
            attributes.update(_json=attributes["SCHEMA"], _struct=StructField(attributes["SCHEMA"]))
        return SlotsBuilder.__new__(cls, name, bases, attributes, **options)


class AddRaftVoterRequest(ApiMessage, metaclass=FromSchema):  # pylint: disable=invalid-metaclass
    SCHEMA = message(
        "AddRaftVoterRequest",
        "request",
        ADD,
        *(CLUSTER_ID, field("TimeoutMs", "int32"), *VOTER),
        field("Listeners", "[]Listener", fields=list(LISTENER)),
    )


class AddRaftVoterResponse(ApiMessage, metaclass=FromSchema):  # pylint: disable=invalid-metaclass
    SCHEMA = message("AddRaftVoterResponse", "response", ADD, *ANSWER)


class RemoveRaftVoterRequest(ApiMessage, metaclass=FromSchema):  # pylint: disable=invalid-metaclass
    SCHEMA = message("RemoveRaftVoterRequest", "request", REMOVE, CLUSTER_ID, *VOTER)


class RemoveRaftVoterResponse(ApiMessage, metaclass=FromSchema):  # pylint: disable=invalid-metaclass
    SCHEMA = message("RemoveRaftVoterResponse", "response", REMOVE, *ANSWER)


def directory_uuid(directory_id: str) -> uuid.UUID:
    """The UUID of a directory id as Kafka writes it, in URL-safe base64: what _quorum.kafka_id() came from."""
    return uuid.UUID(bytes=base64.urlsafe_b64decode(directory_id + "=="))


def add_voter(
    cluster_id: str, node_id: int, directory_id: str, listener: Mapping[str, t.Any], timeout_ms: int
) -> AddRaftVoterRequest:
    """The request to make an observer a voter; the listener has a name, a host and a port."""
    return AddRaftVoterRequest(
        cluster_id=cluster_id,
        timeout_ms=timeout_ms,
        voter_id=node_id,
        voter_directory_id=directory_uuid(directory_id),
        listeners=[(listener["name"], listener["host"], listener["port"])],
    )


def remove_voter(cluster_id: str, node_id: int, directory_id: str) -> RemoveRaftVoterRequest:
    """The request to take the vote from a node; only from the one with that log directory."""
    return RemoveRaftVoterRequest(
        cluster_id=cluster_id, voter_id=node_id, voter_directory_id=directory_uuid(directory_id)
    )
