# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: this module util may change at any time, its names are no promise to other collections.

"""The first replica of a partition is its preferred leader, and leads again after an election (KIP-460)."""

from __future__ import annotations

import typing as t
from contextlib import suppress

from ansible_collections.raspi.kafka.plugins.module_utils._kafka import explain_code, send

with suppress(ImportError):  # _kafka.require_kafka_python() has the sentence for it
    from kafka.protocol.admin import ElectionType, ElectLeadersRequest

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kafka.admin import KafkaAdminClient

ELECTION_NOT_NEEDED = 84  # error code: it leads already


def led_by_others(topics: Iterable[Mapping[str, t.Any]]) -> dict[str, list[int]]:
    """Topic -> numbers of its partitions whose preferred leader is in sync and does not lead.

    :param topics: as KafkaAdminClient.describe_topics() returns them.
    """
    found = {
        topic["name"]: sorted(
            one["partition_index"]
            for one in topic["partitions"]
            if one["replica_nodes"]
            and one["leader_id"] != one["replica_nodes"][0]
            and one["replica_nodes"][0] in one["isr_nodes"]
        )
        for topic in topics
    }
    return {name: found[name] for name in sorted(found) if found[name]}


def elect_preferred(
    admin: KafkaAdminClient, partitions: Mapping[str, Iterable[int]], timeout_ms: int
) -> dict[tuple[str, int], str]:
    """Let the preferred leaders of some partitions lead; moves no data, and clients follow by themselves.

    :param partitions: topic -> numbers, as led_by_others() returns them; nothing is asked for if there are none.
    :param timeout_ms: how long the active controller may take.
    :returns: (topic, number) -> why it was not done, such as a preferred leader that is down. The brokers show the new
        leaders some moments later.
    :raises KafkaError: there is no answer.
    """
    if not partitions:
        return {}
    wanted = [(topic, list(numbers)) for topic, numbers in partitions.items()]
    request = ElectLeadersRequest(
        election_type=ElectionType.PREFERRED, topic_partitions=wanted, timeout_ms=timeout_ms, min_version=1
    )
    response = send(admin, request, timeout_ms=timeout_ms)
    return judge(response, wanted)


def judge(response: t.Any, wanted: Iterable[tuple[str, list[int]]]) -> dict[tuple[str, int], str]:
    """What an answer refuses: all of it, or some partitions."""
    if response.error_code:
        why = explain_code(response.error_code, None)
        return {(topic, number): why for topic, numbers in wanted for number in numbers}
    return {
        (result.topic, one.partition_id): explain_code(one.error_code, one.error_message)
        for result in response.replica_election_results
        for one in result.partition_result
        if one.error_code not in (0, ELECTION_NOT_NEEDED)
    }
