"""The same jars make the same archive, and a pinned sum is found."""

import os
import tarfile
from pathlib import Path

import pytest

from tests.hosts import archive
from tests.hosts.step import Failure

SUM = "0123456789abcdef" * 8
PINS = f'---\n_kraft_broker_releases:\n  "4.0.0": {"f" * 128}\n  "4.1.1": {SUM}\n'


def jars(directory: Path, names: list[str], seconds: int) -> Path:
    """Write jars in this order, with this date."""
    directory.mkdir()
    for name in names:
        (directory / name).write_bytes(name.encode() * 1000)
        os.utime(directory / name, (seconds, seconds))
    return directory


def test_dates_and_order_do_not_matter(tmp_path: Path) -> None:
    archive.pack(jars(tmp_path / "1", ["b.jar", "a.jar"], 1_000), tmp_path / "1.tgz", "kafka/libs")
    archive.pack(jars(tmp_path / "2", ["a.jar", "b.jar"], 2_000), tmp_path / "2.tgz", "kafka/libs")
    assert archive.sha512(tmp_path / "1.tgz") == archive.sha512(tmp_path / "2.tgz")


def test_content_matters_and_is_kept(tmp_path: Path) -> None:
    source = jars(tmp_path / "1", ["a.jar"], 1_000)
    archive.pack(source, tmp_path / "1.tgz", "kafka/libs")
    first = archive.sha512(tmp_path / "1.tgz")
    (source / "a.jar").write_bytes(b"other")
    archive.pack(source, tmp_path / "1.tgz", "kafka/libs")
    assert archive.sha512(tmp_path / "1.tgz") != first
    with tarfile.open(tmp_path / "1.tgz") as tar:
        assert tar.getnames() == ["kafka", "kafka/libs", "kafka/libs/a.jar"]
        assert tar.extractfile("kafka/libs/a.jar").read() == b"other"


@pytest.mark.parametrize("text", [PINS, PINS.replace('"', "'"), PINS.replace('"', ""), PINS.replace(SUM, f'"{SUM}"')])
def test_a_pin_is_found_however_it_is_quoted(text: str) -> None:
    assert archive.pin(text, "4.1.1") == SUM


def test_a_version_is_not_a_pattern() -> None:
    assert archive.pin(PINS.replace("4.1.1", "4x1.1"), "4.1.1") is None


def test_the_role_s_pins_are_readable() -> None:
    assert archive.pin(archive.PINS.read_text(), archive.VERSION)


def test_a_file_that_is_not_the_pinned_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pins, got = tmp_path / "releases.yml", tmp_path / "kafka.tgz"
    pins.write_text(PINS)
    got.write_bytes(b"other")
    monkeypatch.setattr(archive, "PINS", pins)
    with pytest.raises(Failure, match=r"kafka\.tgz is not Kafka 4\.1\.1"):
        archive.verify(got, "4.1.1")
