"""Where partitions end, asked over a connection of its own: a consumer's own waits for records first."""

from __future__ import annotations

import concurrent.futures
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from .. import kafka_client

if TYPE_CHECKING:
    from collections.abc import Iterable

    Partition = tuple[str, int]
    # The offset of the next record; None of a partition that has no leader, or of a Kafka that does not answer.
    Ends = dict[Partition, int | None]

ANSWER_S = 5.0


class Question:
    """One question, for several partitions."""

    def __init__(self, admin: AdminClient, partitions: Iterable[Partition]) -> None:
        asked = {TopicPartition(*each): OffsetSpec.latest() for each in partitions}
        self._answers = admin.list_offsets(asked, request_timeout=ANSWER_S) if asked else {}

    @property
    def answered(self) -> bool:
        """Whether ends() does not wait any more."""
        return all(each.done() for each in self._answers.values())

    def ends(self) -> Ends:
        """Return the answers; this waits for them."""
        return {(each.topic, each.partition): end(future) for each, future in self._answers.items()}


def end(future: concurrent.futures.Future) -> int | None:
    """Return one answer."""
    try:
        return future.result(2 * ANSWER_S).offset
    except (KafkaException, concurrent.futures.TimeoutError):
        return None


def client(servers: tuple[str, ...]) -> AdminClient:
    """Return what questions are asked by."""
    return AdminClient(kafka_client.common(servers, "raspi-kafka-alerting-ends"), logger=kafka_client.logger())
