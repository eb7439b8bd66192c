# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: this module util may change at any time, its names are no promise to other collections.

"""Reads records out of the log segments of a broker, without the broker."""

from __future__ import annotations

import bisect
import os
import typing as t
from contextlib import suppress
from pathlib import Path

from ansible_collections.raspi.kafka.plugins.module_utils._kafka import ExpectedError, KafkaError, explain, this_host
from ansible_collections.raspi.kafka.plugins.module_utils._log_dirs import meta_properties

with suppress(ImportError):  # _kafka.require_kafka_python() has the sentence for it
    from kafka.record.default_records import DefaultRecordBatch

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import BinaryIO

MAGIC = 2  # the only format that Kafka 4 writes
LOG_OVERHEAD = 12  # base offset and length, which the length does not count


class Record(t.NamedTuple):
    """What is compared of a record, wherever it was found."""

    key: bytes | None
    value: bytes | None


def is_log_dir_of(log_dir: str, cluster_id: str, broker: int) -> bool:
    """Whether this path on this host belongs to that broker, not just to one that calls its directory the same."""
    try:
        meta = meta_properties(log_dir)
    except OSError as error:
        raise cannot_read(error) from error
    return meta is not None and meta.get("cluster.id") == cluster_id and meta.get("node.id") == str(broker)


def cannot_read(error: OSError) -> ExpectedError:
    return ExpectedError(
        f"Cannot read {error.filename} on {this_host()} as user id {os.geteuid()}: {error.strerror}. "
        "Run the task as root or as the user of the broker (become: true).",
        reason="not_readable",
    )


def segments(directory: Path) -> dict[int, Path]:
    """The log segments of a partition by base offset, which is their name."""
    try:
        return {int(path.stem): path for path in sorted(directory.glob("*.log")) if path.stem.isdigit()}
    except OSError as error:
        raise cannot_read(error) from error


def by_segment(bases: Collection[int], offsets: Collection[int]) -> dict[int, list[int]]:
    """Which segment holds which offset: the one with the greatest base offset that is not above it.

    An offset below every segment is in none of them, and left out.
    """
    ordered = sorted(bases)
    result: dict[int, list[int]] = {}
    for offset in sorted(offsets):
        index = bisect.bisect_right(ordered, offset) - 1
        if index >= 0:
            result.setdefault(ordered[index], []).append(offset)
    return result


def batches(file: BinaryIO, first: int, last: int) -> Iterator[DefaultRecordBatch]:
    """The record batches that hold offsets from `first` to `last`; others are passed over by their header."""
    header = DefaultRecordBatch.HEADER_STRUCT
    while len(head := file.read(header.size)) == header.size:
        batch = DefaultRecordBatch(head)
        rest = batch.size_in_bytes - header.size
        if batch.size_in_bytes == LOG_OVERHEAD:
            return  # space that the broker allocated ahead, or recovery has yet to cut off
        if rest < 0 or batch.magic != MAGIC:
            raise damaged(file, batch, f"length {batch.size_in_bytes} and magic {batch.magic} are no record batch")
        if batch.base_offset > last:
            return
        if batch.last_offset < first:
            file.seek(rest, os.SEEK_CUR)
            continue
        body = file.read(rest)
        if len(body) < rest:
            return  # the broker is still writing it
        yield DefaultRecordBatch(head + body)


def damaged(file: BinaryIO, batch: DefaultRecordBatch, why: str) -> ExpectedError:
    return ExpectedError(
        f"Segment {file.name} on {this_host()} is damaged at base offset {batch.base_offset}: {why}. "
        "Check the disk (dmesg, SMART or the card) before this broker is trusted.",
        reason="corrupt",
    )


def read_segment(path: Path, first: int, last: int) -> dict[int, Record]:
    """The records from offset `first` to `last` of a segment file, each batch proven by its CRC."""
    found = {}
    try:
        with path.open("rb") as file:
            for batch in batches(file, first, last):
                if not batch.validate_crc():
                    raise damaged(file, batch, "the CRC of the record batch does not match")
                found.update(decode(file, batch))
    except FileNotFoundError:
        return {}  # deleted by retention since it was listed
    except OSError as error:
        raise cannot_read(error) from error
    return found


def decode(file: BinaryIO, batch: DefaultRecordBatch) -> dict[int, Record]:
    try:
        return {record.offset: Record(record.key, record.value) for record in batch}
    except KafkaError as error:
        raise damaged(file, batch, explain(error)) from error


def read_partition(directory: Path, offsets: Collection[int]) -> tuple[dict[int, Record], list[str]]:
    """The records at `offsets` of a partition, decoded from its directory, and the segment files they were in."""
    paths = segments(directory)
    found: dict[int, Record] = {}
    files = []
    for base, held in by_segment(paths, offsets).items():
        files.append(str(paths[base]))
        records = read_segment(paths[base], held[0], held[-1])
        found.update({offset: records[offset] for offset in held if offset in records})
    return found, files
