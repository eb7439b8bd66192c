"""What the kafka command runs for each tool. In the place of the JVM stands a program that prints its arguments."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import jinja2
import pytest

ROLE = Path(__file__).parents[3] / "roles" / "kraft_broker"
ADDRESS = "127.0.0.1:19092"
CLIENT = "/etc/kafka/client.properties"
TOOLS = re.findall(
    r"^([a-z][a-z0-9-]+) +((?:kafka\.|[a-z])[\w.]*\.[A-Z]\w+) +(\S+) +(\S+) +\S",
    (ROLE / "templates" / "kafka.j2").read_text(),
    re.MULTILINE,
)


def installed(tmp_path: Path, *servers: str) -> Path:
    """The command as it is installed, but with another program to run."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True, keep_trailing_newline=True)
    environment.filters["comment"] = lambda text: f"# {text}"
    text = environment.from_string((ROLE / "templates" / "kafka.j2").read_text()).render(
        ansible_managed="by Ansible",
        _kraft_broker_bootstrap_servers=servers,
        _kraft_broker_python="/bin/sh",
        _kraft_broker_libexec=tmp_path,
        _kraft_broker_java="/usr/bin/java",
        _kraft_broker_tool_flags="-Xmx1m",
        _kraft_broker_current="/opt/kafka/current",
    )
    for name in ("with_cds.sh", "tail.py"):
        (tmp_path / name).write_text('printf "%s\\n" "$@"\n')
    command = tmp_path / "kafka"
    command.write_text(text)
    command.chmod(0o755)
    return command


@pytest.fixture
def kafka(tmp_path: Path) -> Path:
    return installed(tmp_path, ADDRESS)


def run(command: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(command), *arguments], capture_output=True, text=True, timeout=20, check=False)


def given(command: Path, *arguments: str) -> list[str]:
    """What a tool is given after its class."""
    lines = run(command, *arguments).stdout.splitlines()
    assert lines[:5] == ["tools", "/usr/bin/java", "-Xmx1m", "-cp", "/opt/kafka/current/libs/*"]
    return lines[6:]


def test_the_table_was_found() -> None:
    assert len(TOOLS) == 35
    assert len({name for name, *_rest in TOOLS}) == len(TOOLS)


@pytest.mark.parametrize(("name", "tool", "address", "configuration"), TOOLS, ids=[one[0] for one in TOOLS])
def test_each_tool_runs_its_class_with_the_options_that_it_knows(
    kafka: Path, name: str, tool: str, address: str, configuration: str
) -> None:
    lines = run(kafka, name, "x").stdout.splitlines()
    assert lines[5] == (tool if tool.startswith("kafka.") else f"org.apache.kafka.{tool}")
    told = {
        "first": [ADDRESS, "x", CLIENT],
        "-": [configuration, CLIENT, "x"] if configuration != "-" else ["x"],
    }.get(address, [address, ADDRESS, *([configuration, CLIENT] if configuration != "-" else []), "x"])
    if name == "cluster":  # its options belong to a subcommand
        told = ["x", address, ADDRESS, configuration, CLIENT]
    assert lines[6:] == told


@pytest.mark.parametrize(
    "own",
    [
        ["--bootstrap-server", "pi2:9092"],
        ["--bootstrap-server=pi2:9092"],
        ["--bootstrap-controller", "127.0.0.1:9093"],
    ],
)
@pytest.mark.parametrize("tool", ["topics", "cluster"])
def test_an_address_that_is_given_is_taken(kafka: Path, tool: str, own: list[str]) -> None:
    assert ADDRESS not in given(kafka, tool, "--list", *own)


def test_a_node_without_a_broker_asks_those_of_its_cluster(tmp_path: Path) -> None:
    command = installed(tmp_path, "pi1:9094", "pi2:9094")
    assert given(command, "topics", "--list")[:2] == ["--bootstrap-server", "pi1:9094,pi2:9094"]
    assert run(command, "tail", "events").stdout.splitlines() == ["--bootstrap", "pi1:9094", "events"]


@pytest.mark.parametrize(
    ("tool", "own"),
    [("topics", "--command-config"), ("console-consumer", "--consumer.config"), ("cluster", "--config")],
)
def test_a_configuration_that_is_given_is_taken(kafka: Path, tool: str, own: str) -> None:
    assert CLIENT not in given(kafka, tool, "--list", own, "/tmp/mine")
    assert CLIENT not in given(kafka, tool, "--list", f"{own}=/tmp/mine")


def test_a_configuration_may_be_given_by_its_short_name(kafka: Path) -> None:
    assert given(kafka, "cluster", "cluster-id", "-c", "/tmp/mine")[-4:] == [
        "-c",
        "/tmp/mine",
        "--bootstrap-server",
        ADDRESS,
    ]


def test_any_class_can_be_run(kafka: Path) -> None:
    lines = run(kafka, "run-class", "kafka.docker.KafkaDockerWrapper", "a b").stdout.splitlines()
    assert lines[-2:] == ["kafka.docker.KafkaDockerWrapper", "a b"]
    told = run(kafka, "run-class")
    assert (told.returncode, told.stderr) == (2, "kafka: run-class needs the full name of a class.\n")


def test_options_of_the_environment_come_after_ours(kafka: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_HEAP_OPTS", "-Xms1g -Xmx1g")
    monkeypatch.setenv("KAFKA_OPTS", "-Da=b")
    lines = run(kafka, "topics", "--list").stdout.splitlines()
    assert lines[2:6] == ["-Xmx1m", "-Xms1g", "-Xmx1g", "-Da=b"]


def test_a_value_that_looks_like_an_option_is_none(kafka: Path) -> None:
    assert ADDRESS in given(kafka, "configs", "--add-config", "x= --bootstrap-server y")


def test_places_that_are_given_are_taken(kafka: Path) -> None:
    places = ["pi2:9092", "events", "10", "all", "100"]
    assert given(kafka, "e2e-latency", *places) == places


def test_arguments_arrive_as_they_were_typed(kafka: Path) -> None:
    assert given(kafka, "dump-log", "a b", "*", "$HOME", "") == ["a b", "*", "$HOME", ""]


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_without_a_tool_it_names_all_of_them(kafka: Path, words: list[str]) -> None:
    told = run(kafka, *words)
    assert told.returncode == 0
    assert {"tail", *(name for name, *_rest in TOOLS)} <= set(re.findall(r"^  ([a-z0-9-]+)  ", told.stdout, re.M))
    assert "kafka consumer-groups --describe --all-groups" in told.stdout


@pytest.mark.parametrize("name", ["nope", "-x", "", "topic[s]", "class"])
def test_an_unknown_tool_is_refused_in_a_sentence(kafka: Path, name: str) -> None:
    told = run(kafka, name)
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr == f"kafka: there is no tool {name}; kafka --help lists them.\n"


def test_tail_starts_no_jvm(kafka: Path) -> None:
    assert run(kafka, "tail", "events", "a b").stdout.splitlines() == ["--bootstrap", ADDRESS, "events", "a b"]


def test_the_exit_code_of_a_tool_is_that_of_the_command(kafka: Path) -> None:
    (kafka.parent / "with_cds.sh").write_text("exit 7\n")
    assert run(kafka, "topics", "--list").returncode == 7
