from __future__ import annotations

import struct
from pathlib import Path

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import ExpectedError
from ansible_collections.raspi.kafka.plugins.module_utils._log_segments import (
    Record,
    by_segment,
    is_log_dir_of,
    read_partition,
    read_segment,
)
from kafka.record.default_records import DefaultRecordBatchBuilder

META = "#comment\nversion=1\ncluster.id=abc\nnode.id=1\ndirectory.id=xyz\n"


def batch(base: int, count: int = 1) -> bytes:
    """A record batch as a broker stores it: it writes the base offset, which the CRC leaves out."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=False, producer_id=-1, producer_epoch=-1, base_sequence=-1,
        batch_size=10000,
    )  # fmt: skip
    for delta in range(count):
        builder.append(delta, 1000, f"k{base + delta}".encode(), f"v{base + delta}".encode(), [])
    return struct.pack(">q", base) + bytes(builder.build())[8:]


def expected(*offsets: int) -> dict[int, Record]:
    return {offset: Record(f"k{offset}".encode(), f"v{offset}".encode()) for offset in offsets}


def segment(directory: Path, base: int, content: bytes) -> Path:
    path = directory / f"{base:020}.log"
    path.write_bytes(content)
    return path


def test_an_offset_belongs_to_the_greatest_base_offset_not_above_it() -> None:
    assert by_segment([0, 100, 50], [0, 49, 50, 99, 100, 7000]) == {0: [0, 49], 50: [50, 99], 100: [100, 7000]}


def test_an_offset_below_every_segment_is_in_none() -> None:
    assert by_segment([50], [49]) == {}


def test_records_of_a_range_are_decoded(tmp_path: Path) -> None:
    path = segment(tmp_path, 0, batch(0, 3) + batch(3) + batch(4, 2) + batch(6))
    assert read_segment(path, 3, 4) == expected(3, 4, 5)


def test_a_record_in_the_middle_of_a_batch_is_found(tmp_path: Path) -> None:
    segment(tmp_path, 0, batch(0, 5))
    segment(tmp_path, 5, batch(5, 5))
    found, files = read_partition(tmp_path, [2, 7])
    assert found == expected(2, 7)
    assert [Path(file).name for file in files] == ["00000000000000000000.log", "00000000000000000005.log"]


def test_a_missing_record_is_not_found(tmp_path: Path) -> None:
    segment(tmp_path, 0, batch(0) + batch(2))
    assert read_partition(tmp_path, [0, 1, 2])[0] == expected(0, 2)


def test_a_file_that_only_exists_proves_nothing(tmp_path: Path) -> None:
    segment(tmp_path, 0, b"")
    assert read_partition(tmp_path, [0])[0] == {}


def test_the_text_of_a_record_alone_proves_nothing(tmp_path: Path) -> None:
    segment(tmp_path, 0, b"k0 v0 " * 40)
    with pytest.raises(ExpectedError, match="no record batch") as damaged:
        read_partition(tmp_path, [0])
    assert damaged.value.facts["reason"] == "corrupt"


def test_one_changed_bit_fails_the_crc(tmp_path: Path) -> None:
    content = bytearray(batch(0) + batch(1))
    content[-3] ^= 1
    path = segment(tmp_path, 0, bytes(content))
    with pytest.raises(ExpectedError, match="CRC") as damaged:
        read_segment(path, 0, 1)
    assert damaged.value.facts["reason"] == "corrupt"
    assert "base offset 1" in str(damaged.value)


def test_a_batch_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    path = segment(tmp_path, 0, batch(0) + batch(1)[:-5])
    assert read_segment(path, 0, 1) == expected(0)


def test_space_allocated_ahead_is_no_damage(tmp_path: Path) -> None:
    path = segment(tmp_path, 0, batch(0) + bytes(4096))
    assert read_segment(path, 0, 9) == expected(0)


def test_a_directory_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert read_partition(tmp_path / "gone", [0]) == ({}, [])


def test_a_log_directory_is_known_by_cluster_and_node(tmp_path: Path) -> None:
    (tmp_path / "meta.properties").write_text(META)
    assert is_log_dir_of(str(tmp_path), "abc", 1)
    assert not is_log_dir_of(str(tmp_path), "abc", 2)
    assert not is_log_dir_of(str(tmp_path), "abd", 1)
    assert not is_log_dir_of(str(tmp_path / "other"), "abc", 1)
