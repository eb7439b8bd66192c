# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: this module util may change at any time, its names are no promise to other collections.

"""What proves a gateway: what a device publishes, and what of it Kafka must have. Nothing here talks to a server."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ansible_collections.raspi.kafka.plugins.module_utils._kafka import ExpectedError
from ansible_collections.raspi.kafka.plugins.module_utils._proof import percentile, some

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


@dataclass(frozen=True)
class Published:
    """A message that Mosquitto has acknowledged: sent in seconds since the epoch, its PUBACK milliseconds later."""

    payload: bytes
    sent: float
    puback_ms: float


@dataclass(frozen=True)
class Stored:
    """A record as a consumer read it: times in seconds since the epoch, the consumer's by its own clock."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]
    appended: float
    read: float


def payload_of(run_id: str, number: int, count: int) -> bytes:
    """A message as devices send them; `run` tells it from those of other runs."""
    return json.dumps({"run": run_id, "message": number, "of": count}).encode()


def judge(published: Sequence[Published], stored: Collection[Stored], device: str, mqtt_topic: str) -> list[Stored]:
    """Every message is in Kafka as it was sent, under its device and in order; returns the first record of each.

    A record that is there twice is no fault: the bridge promises at least once.

    :raises ExpectedError: something is lost, different, or out of order.
    """
    first: dict[bytes, Stored] = {}
    for record in sorted(stored, key=lambda one: (one.partition, one.offset)):
        first.setdefault(record.value or b"", record)
    lost = [one.payload.decode() for one in published if one.payload not in first]
    if lost:
        raise ExpectedError(
            f"{len(lost)} of {len(published)} messages that Mosquitto acknowledged are not in Kafka: {some(lost)}.",
            reason="lost",
            missing=len(lost),
        )
    records = [first[one.payload] for one in published]
    for record in records:
        told = record.headers.get("mqtt.topic", b"")
        if record.key != device.encode() or told != mqtt_topic.encode():
            raise ExpectedError(
                f"A record has the key {record.key!r} and the MQTT topic {told!r} instead of {device!r} and "
                f"{mqtt_topic!r}: look at the topic trees in the bridge's configuration.",
                reason="different",
            )
    places = [(record.partition, record.offset) for record in records]
    if len({partition for partition, _offset in places}) > 1 or places != sorted(places):
        raise ExpectedError(
            f"The messages of {device} are not in the order in which it sent them: they are at {places}.",
            reason="order",
        )
    return records


def hops(published: Sequence[Published], records: Sequence[Stored], one_clock: bool) -> dict[str, list[float]]:
    """Milliseconds of each hop, a value for each message; of the bridge only where its clock is this machine's."""
    pairs = list(zip(published, records, strict=True))
    result = {
        "puback": [one.puback_ms for one in published],
        "consumer": [(record.read - one.sent) * 1000 for one, record in pairs],
    }
    if one_clock:
        received = [int(record.headers["mqtt.received"]) / 1000 for record in records]
        result["bridge"] = [(at - one.sent) * 1000 for one, at in zip(published, received, strict=True)]
        result["append"] = [(record.appended - at) * 1000 for record, at in zip(records, received, strict=True)]
    return result


def shown(values: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """Median and 99th percentile of each hop in ms, none below 0: the times of records have whole milliseconds."""
    return {
        hop: {f"p{percent}_ms": round(max(0.0, percentile(each, percent)), 2) for percent in (50, 99)}
        for hop, each in values.items()
    }
