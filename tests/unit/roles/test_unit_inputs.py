from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "roles" / "kraft_broker" / "files" / "unit_inputs.py"
_SPEC = importlib.util.spec_from_file_location("unit_inputs", SCRIPT)
unit_inputs = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(unit_inputs)
fingerprint, changed, fingerprints = unit_inputs.fingerprint, unit_inputs.changed, unit_inputs.fingerprints


def run(verb: str, file: Path, *inputs: Path) -> list[str]:
    """The script as the unit and the role run it."""
    then = ["--", "/bin/echo", "the broker"] if verb == "record" else []
    command = [sys.executable, str(SCRIPT), verb, str(file), *map(str, inputs), *then]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    if verb == "changed":
        return json.loads(done.stdout)
    assert done.stdout == "the broker\n"
    return []


@pytest.fixture
def java(tmp_path: Path) -> Path:
    """/usr/bin/java as Debian links it: over an alternative to the home of a JVM."""
    home = tmp_path / "jvm" / "java-17"
    for path in (home / "bin" / "java", home / "lib" / "server" / "libjvm.so"):
        path.parent.mkdir(parents=True)
        path.write_text("17.0.1")
    (tmp_path / "alternatives").symlink_to(home / "bin" / "java")
    (tmp_path / "java").symlink_to(tmp_path / "alternatives")
    return tmp_path / "java"


def test_a_file_counts_by_its_content_not_by_its_time(tmp_path: Path) -> None:
    file = tmp_path / "log4j2.yaml"
    file.write_text("level: info\n")
    before = fingerprint(file)
    os.utime(file, (1, 1))
    assert fingerprint(file) == before
    file.write_text("level: warn\n")
    assert fingerprint(file) != before


def since(file: Path, before: str, now: str) -> list[str]:
    """Keys of a file of properties that differ between two texts of it."""
    notes = []
    for text in (before, now):
        file.write_text(text, encoding="latin-1")
        notes.append(fingerprints([str(file)]))
    return [name.removeprefix(f"{file}:") for name in changed(*notes)]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "server.properties"


def test_of_properties_each_key_counts_for_itself(config: Path) -> None:
    assert since(config, "node.id=1\na=1\nb=1\ngone=1\n", "a=2\nnode.id=1\nb=1\nnew=1\n") == ["a", "gone", "new"]


def test_of_a_key_that_stands_twice_the_last_one_counts(config: Path) -> None:
    """As with kraft_broker_extra_config, which comes last."""
    assert since(config, "a=1\n", "a=1\na=2\n") == ["a"]
    assert since(config, "a=2\n", "a=1\na=2\n") == []


def test_comments_and_blanks_do_not_count(config: Path) -> None:
    assert since(config, "# one\n! two\na=1\n", "\n a = 1 \n# \u00fc\n") == []
    assert since(config, "a=1\n", "# a=1\n") == ["a"]


def test_a_value_may_have_the_sign_that_ends_a_key(config: Path) -> None:
    assert since(config, "a=b=1\n", "a=b=2\n") == ["a"]


def test_controllers_that_are_asked_only_at_the_start_do_not_count(config: Path) -> None:
    """A cluster that grows gets another line on each node, and a restart of each would be for nothing."""
    key = "controller.quorum.bootstrap.servers"
    assert since(config, f"a=1\n{key}=127.0.0.1:9093\n", f"a=1\n{key}=pi1:9093,pi2:9093\n") == []
    assert since(config, f"a=1\n{key}=127.0.0.1:9093\n", "a=1\n") == []


def test_a_key_that_only_resembles_it_counts(config: Path) -> None:
    assert since(config, "a=1\n", "a=1\ncontroller.quorum.voters=1@pi1:9093\n") == ["controller.quorum.voters"]


def test_a_file_that_comes_or_goes_counts(tmp_path: Path) -> None:
    file = tmp_path / "log4j2.yaml"
    before = fingerprint(file)
    file.write_text("")
    assert fingerprint(file) != before


def test_a_link_to_a_release_counts_by_where_it_leads(tmp_path: Path) -> None:
    current = tmp_path / "current"
    for name in ("4.1.1", "4.1.2"):
        (tmp_path / name).mkdir()
    current.symlink_to(tmp_path / "4.1.1")
    before = fingerprint(current)
    (tmp_path / "4.1.1" / "new").touch()
    assert fingerprint(current) == before
    current.unlink()
    current.symlink_to(tmp_path / "4.1.2")
    assert fingerprint(current) != before


def test_a_security_update_of_java_counts_although_no_path_changes(java: Path) -> None:
    before = fingerprint(java)
    assert fingerprint(java) == before
    library = java.resolve().parents[1] / "lib" / "server" / "libjvm.so"
    times = library.stat()
    library.write_text("17.0.2")
    os.utime(library, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    assert fingerprint(java) != before


def test_a_java_library_of_another_size_counts_although_its_time_is_the_same(java: Path) -> None:
    library = java.resolve().parents[1] / "lib" / "server" / "libjvm.so"
    before, times = fingerprint(java), library.stat()
    library.write_text("17.0.10")
    os.utime(library, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert fingerprint(java) != before


def test_another_java_home_counts(java: Path) -> None:
    before = fingerprint(java)
    (java.resolve().parents[1]).rename(java.parent / "jvm" / "java-21")
    (java.parent / "alternatives").unlink()
    (java.parent / "alternatives").symlink_to(java.parent / "jvm" / "java-21" / "bin" / "java")
    assert fingerprint(java) != before


def test_the_java_of_this_machine_counts_by_its_library() -> None:
    if not Path("/usr/bin/java").exists():
        pytest.skip("there is no /usr/bin/java here")
    assert "libjvm.so" in fingerprint(Path("/usr/bin/java"))


def test_what_differs_and_what_only_one_side_has_is_changed() -> None:
    assert changed({"a": "1", "b": "1", "gone": "1"}, {"a": "1", "b": "2", "new": "1"}) == ["b", "gone", "new"]
    assert changed({"a": "1"}, {"a": "1"}) == []


def test_a_broker_that_was_started_with_what_is_there_needs_no_restart(tmp_path: Path, java: Path) -> None:
    config = tmp_path / "server.properties"
    config.write_text("node.id=1\n")
    started = tmp_path / "started.json"
    run("record", started, config, java)
    assert run("changed", started, config, java) == []


def test_inputs_that_changed_after_the_start_are_named(tmp_path: Path, java: Path) -> None:
    config, unit, started = tmp_path / "server.properties", tmp_path / "kafka.service", tmp_path / "started.json"
    config.write_text("a=1\n")
    unit.write_text("1\n")
    run("record", started, config, unit, java)
    config.write_text("a=2\n")
    unit.write_text("2\n")
    assert run("changed", started, config, unit, java) == [str(unit), f"{config}:a"]
    run("record", started, config, unit, java)
    assert run("changed", started, config, unit, java) == []


def test_a_broker_that_recorded_nothing_needs_a_restart_for_every_input(tmp_path: Path, java: Path) -> None:
    assert run("changed", tmp_path / "started.json", java) == [str(java)]


def test_a_note_that_cannot_be_written_does_not_stop_the_broker(tmp_path: Path, java: Path) -> None:
    run("record", tmp_path / "no" / "started.json", java)
    assert run("changed", tmp_path / "no" / "started.json", java) == [str(java)]


def test_half_a_note_is_none(tmp_path: Path, java: Path) -> None:
    (tmp_path / "started.json").write_text('{"half')
    assert run("changed", tmp_path / "started.json", java) == [str(java)]
