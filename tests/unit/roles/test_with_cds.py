"""Which archive a JVM is given, and when none. In the place of Java stands a program that prints its arguments."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "roles" / "kraft_broker" / "files" / "with_cds.sh"


class Host:
    """The paths of a host below a directory of the test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.script = root / "with_cds.sh"
        text = SCRIPT.read_text().replace("/opt/kafka", str(root / "kafka"))
        self.script.write_text(text.replace("/run/kafka", str(root / "run")))
        self.home = root / "jvm" / "java-17"
        for name, text in {"bin/java": '#!/bin/sh\nprintf "%s\\n" "$@"\n', "lib/server/libjvm.so": "17"}.items():
            path = self.home / name
            path.parent.mkdir(parents=True)
            path.write_text(text)
        (self.home / "bin" / "java").chmod(0o755)
        (self.home / "lib" / "server" / "classes.jsa").write_text("base")
        self.java = root / "java"
        self.java.symlink_to(self.home / "bin" / "java")
        self.release("4.1.1")

    def release(self, version: str) -> None:
        (self.root / "kafka" / version).mkdir(parents=True)
        current = self.root / "kafka" / "current"
        current.unlink(missing_ok=True)
        current.symlink_to(self.root / "kafka" / version)

    def run(self, *arguments: str) -> list[str]:
        command = ["/bin/sh", str(self.script), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.splitlines()

    def directory(self) -> Path:
        return Path(self.run(str(self.java))[0])

    def archive(self, content: str = "classes", size: int | None = None) -> Path:
        """An archive that fits, with the size that its name tells, or another."""
        self.directory().mkdir(parents=True)
        path = self.directory() / f"broker.jsa.{len(content) if size is None else size}"
        path.write_text(content)
        return path

    def given(self, name: str = "broker") -> list[str]:
        """The arguments of the JVM."""
        return self.run(name, str(self.java), "-cp", "libs/*", "kafka.Kafka", "a b")


OWN = ["-cp", "libs/*", "kafka.Kafka", "a b"]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_without_an_archive_a_jvm_is_started_as_always(host: Host) -> None:
    assert host.given() == OWN


def test_an_archive_that_fits_is_used_and_a_stale_one_would_not_warn(host: Host) -> None:
    archive = host.archive()
    assert host.given() == [f"-XX:SharedArchiveFile={archive}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off", *OWN]


def test_after_failures_in_a_row_the_broker_is_given_no_archive_and_tools_still_are(host: Host) -> None:
    archive = host.archive()
    archive.rename(archive.with_name("tools.jsa.7"))
    archive.write_text("classes")
    (host.root / "run").mkdir()
    (host.root / "run" / "without-cds").touch()
    assert host.given() == OWN
    assert host.given("tools")[0].startswith("-XX:SharedArchiveFile=")


def test_an_archive_of_another_program_is_not_used(host: Host) -> None:
    host.archive()
    assert host.given("tools") == OWN


def test_an_archive_that_was_cut_short_is_not_used(host: Host) -> None:
    host.archive("clas", size=7)
    assert host.given() == OWN


@pytest.mark.parametrize("file", ["libjvm.so", "classes.jsa"])
def test_an_update_of_java_leaves_out_the_archive_of_the_former_one(host: Host, file: str) -> None:
    host.archive()
    (host.home / "lib" / "server" / file).write_text("17.0.2, longer")
    assert host.given() == OWN


def test_another_java_leaves_out_the_archive(host: Host) -> None:
    host.archive()
    host.home.rename(host.home.with_name("java-21"))
    host.java.unlink()
    host.java.symlink_to(host.home.with_name("java-21") / "bin" / "java")
    assert host.given() == OWN


def test_another_release_leaves_out_the_archive(host: Host) -> None:
    host.archive()
    host.release("4.1.2")
    assert host.given() == OWN


def test_a_java_without_an_archive_of_its_own_is_started_all_the_same(host: Host) -> None:
    (host.home / "lib" / "server" / "classes.jsa").unlink()
    assert host.given() == OWN


def test_a_java_without_an_archive_of_its_own_has_no_directory_for_more(host: Host) -> None:
    (host.home / "lib" / "server" / "classes.jsa").unlink()
    with pytest.raises(subprocess.CalledProcessError):
        host.directory()
    assert host.given() == OWN
