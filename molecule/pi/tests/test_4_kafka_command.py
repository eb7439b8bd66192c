"""The kafka command on the Pi, and the archives of classes that make it and the broker start quickly."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator

import pytest
from conftest import SET, OnPi, send, wait_until
from kafka import KafkaAdminClient

from tests.hosts import cache, host
from tests.hosts.jvms import executed, jvms
from tests.hosts.play import playbook

MAPPED = "grep -c /opt/kafka/cds/ /proc/$(systemctl show kafka --property MainPID --value)/maps"
OWN_CDS = "grep -c /classes.jsa /proc/$(systemctl show kafka --property MainPID --value)/maps"


def test_a_topic_that_nobody_declared_is_not_created(pi: host.Host, on: OnPi) -> None:
    producer = "timeout 60 kafka console-producer --topic mistyped --producer-property max.block.ms=3000"
    said = on(f"echo lost | {producer}", check=False)
    assert "Topic mistyped not present in metadata after 3000 ms" in said
    assert "UnknownTopicOrPartitionException" in said
    assert "mistyped" not in KafkaAdminClient(bootstrap_servers=f"{pi.address}:9092").list_topics()


def test_the_kafka_command_reads_from_the_beginning(pi: host.Host, on: OnPi) -> None:
    send(pi, b"hello from another host")
    read = on("kafka console-consumer --topic events --from-beginning --timeout-ms 5000", check=False)
    assert "hello from another host" in read


def as_pi(pi: host.Host, command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command as user pi, who is no root."""
    line = pi.ssh(cache.directory(SET), command)
    return subprocess.run(line, capture_output=True, text=True, timeout=120, check=check)


def test_whoever_logs_in_uses_the_tools_and_their_archive(pi: host.Host) -> None:
    assert "telemetry" in as_pi(pi, "kafka topics --list").stdout.split()
    shown = as_pi(pi, "JDK_JAVA_OPTIONS=-Xlog:class+load kafka topics --list").stdout
    assert "org.apache.kafka.tools.TopicCommand source: shared objects file (top)" in shown


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("cluster cluster-id", "Cluster ID: "),
        ("configs --describe --entity-type topics --entity-name events", "retention.bytes=134217728"),
        ("metadata-quorum describe --status", "LeaderId:               1"),
        ("get-offsets --topic events", "events:0:"),
        ("e2e-latency events 2 all 10", "Avg latency"),
        ("producer-perf-test --topic events --num-records 3 --throughput 100 --record-size 9", "3 records sent"),
        ("verifiable-producer --topic events --max-messages 2", '"acked":2'),
    ],
    ids=lambda text: text.partition(" ")[0],
)
def test_a_tool_needs_no_address_wherever_it_wants_it(pi: host.Host, command: str, said: str) -> None:
    assert said in as_pi(pi, f"kafka {command}").stdout


def test_a_tool_whose_broker_is_away_says_so_beside_the_records(pi: host.Host) -> None:
    told = as_pi(pi, "timeout 10 kafka console-consumer --topic events --bootstrap-server 127.0.0.1:9", check=False)
    assert "WARN" in told.stderr
    assert "Connection to node -1 (/127.0.0.1:9) could not be established" in told.stderr
    assert told.stdout == ""


def test_a_class_of_its_jars_can_be_run_with_another_heap(pi: host.Host) -> None:
    command = "KAFKA_HEAP_OPTS=-XX:+PrintFlagsFinal kafka run-class org.apache.kafka.tools.TopicCommand --version"
    shown = as_pi(pi, f"{command}; KAFKA_HEAP_OPTS='-Xmx64m -XX:+PrintFlagsFinal' {command.partition(' ')[2]}").stdout
    assert [int(size) >> 20 for size in re.findall(r" MaxHeapSize += (\d+)", shown)] == [256, 64]


def test_a_tool_that_fails_says_so_by_its_exit_code(pi: host.Host) -> None:
    assert as_pi(pi, "kafka topics --describe --topic nowhere", check=False).returncode == 1


# --- kafka tail


@pytest.fixture
def tail(pi: host.Host) -> Iterator[subprocess.Popen[str]]:
    """Return `kafka tail events`, as a person runs it; it ends after a minute at the latest."""
    line = pi.ssh(cache.directory(SET), "timeout 60 kafka tail events 2>&1")
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.terminate()


def await_line(process: subprocess.Popen[str], wanted: str) -> str:
    """Read until a line holds what is wanted."""
    seen = []
    for line in process.stdout:
        seen.append(line)
        if wanted in line:
            return line
    raise AssertionError(f"{wanted!r} is not in {seen}")


def test_tail_shows_what_was_sent_before_and_what_is_sent_meanwhile(
    pi: host.Host, request: pytest.FixtureRequest
) -> None:
    before, meanwhile = (json.dumps({"sent": f"{when} {time.time()}"}) for when in ("before", "meanwhile"))
    send(pi, before.encode())
    process = request.getfixturevalue("tail")
    assert f"  -  {before}\n" in await_line(process, before)
    send(pi, meanwhile.encode())
    await_line(process, meanwhile)


def test_tail_waits_for_a_broker_that_is_away(pi: host.Host, on: OnPi, request: pytest.FixtureRequest) -> None:
    send(pi, b"the broker goes away soon")
    process = request.getfixturevalue("tail")
    await_line(process, "the broker goes away soon")
    on("systemctl stop kafka")
    try:
        await_line(process, "The broker at 127.0.0.1:19092 does not answer; `systemctl status kafka` says why.")
    finally:
        on("systemctl start kafka")
    await_line(process, "is back")
    send(pi, b"the broker is back")
    await_line(process, "  -  the broker is back")


def test_tail_names_the_topics_where_it_has_none_of_that_name(pi: host.Host) -> None:
    told = as_pi(pi, "kafka tail nowhere", check=False)
    assert told.returncode == 1
    assert told.stderr.startswith("There is no topic nowhere at 127.0.0.1:19092; there are ")
    assert "events, " in told.stderr


def test_ctrl_c_ends_tail_without_a_word(on: OnPi) -> None:
    """On a full topic, of which nothing is shown."""
    told = on("timeout --signal INT --preserve-status 5 kafka tail events --last 0; echo ended with $?", check=False)
    assert re.fullmatch(r"ended with 130\nno message since [-: 0-9]+ \([0-9]+ (s|min)\)", told)


def test_tail_names_a_key_that_it_does_not_find(on: OnPi) -> None:
    told = on("timeout 5 kafka tail telemetry attic", check=False)
    assert told == "no message of attic among the last 1000 of each partition"


# --- archives of classes


def test_the_broker_runs_from_its_archive(on: OnPi) -> None:
    assert int(on(MAPPED)) > 0


@pytest.fixture
def _no_new_archives(on: OnPi) -> Iterator[None]:
    """Starts of the broker make no archives meanwhile. A mask below /run would not count beside the unit in /etc."""
    drop_in = "/run/systemd/system/raspi-kafka-cds.service.d"
    on(f"mkdir -p {drop_in} && printf '[Unit]\\nConditionPathExists=/nowhere\\n' > {drop_in}/test.conf")
    on("systemctl daemon-reload && systemctl stop raspi-kafka-cds")
    yield
    on(f"rm -r {drop_in} && systemctl daemon-reload")


@pytest.mark.usefixtures("_no_new_archives")
def test_a_broker_starts_without_an_archive_and_with_one_that_was_cut_short(on: OnPi) -> None:
    broker = on("ls /opt/kafka/cds/*/broker.jsa.*")
    on(f"cp -p {broker} /root/kept; truncate --size 1000000 {broker}")
    try:
        on("systemctl restart kafka")
        assert on(MAPPED, check=False) == "0"
        assert int(on(OWN_CDS)) > 0  # Java's own archive is still used
        on(f"rm {broker}; systemctl restart kafka")
        assert on(MAPPED, check=False) == "0"
        assert int(on(OWN_CDS)) > 0
    finally:
        on(f"mv /root/kept {broker}; systemctl restart kafka")
    assert int(on(MAPPED)) > 0


def test_an_archive_that_cannot_be_made_is_a_warning(on: OnPi) -> None:
    """As after an update of Java on a host whose disk is full: here nobody can write below /opt/kafka/cds."""
    on("mv /opt/kafka/cds /opt/kafka/kept; touch /opt/kafka/cds")
    try:
        run = playbook(SET)
    finally:
        on("rm /opt/kafka/cds; mv /opt/kafka/kept /opt/kafka/cds")
    assert (run.code, run.count("pi1", "changed")) == (0, 0)
    assert "WARNING: Starts of the broker and of its tools are slower than they could be: " in run.text


def test_new_archives_take_three_jvms_and_no_restart(pi: host.Host, on: OnPi) -> None:
    """As after an update of Java, of which only the archives are left."""
    before = on("systemctl show kafka --property MainPID")
    on("mkdir /opt/kafka/cds/of-an-older-java; rm /opt/kafka/cds/*/tools.jsa.*")
    with executed(pi.container) as programs:
        run = playbook(SET)
    assert (run.code, run.count("pi1", "changed")) == (0, 1)
    assert jvms(programs) == 3  # format, broker, tool
    assert on("systemctl show kafka --property MainPID") == before
    assert len(on("ls -A /opt/kafka/cds").split()) == 1
    assert len(on("ls /opt/kafka/cds/*").split()) == 2


def test_after_an_update_of_java_the_next_start_makes_archives_beside_the_broker(on: OnPi) -> None:
    """Without a play: of an update only the archives are left, which no longer fit."""
    on("mv /opt/kafka/cds/* /opt/kafka/cds/of-an-older-java")
    on("systemctl restart kafka")
    assert on("systemctl is-active kafka raspi-kafka-cds", check=False).split() == ["active", "activating"]
    making = "systemctl show raspi-kafka-cds --property ActiveState --value"
    wait_until(lambda: on(making) == "inactive", 240, "the archives are made")
    assert "made in" in on("journalctl --unit raspi-kafka-cds --output cat --lines 5 --no-pager")
    assert len(on("ls /opt/kafka/cds/*").split()) == 2
    assert playbook(SET).count("pi1", "changed") == 0
    on("systemctl restart kafka")
    assert int(on(MAPPED)) > 0


def test_an_interrupted_making_leaves_nothing_behind(on: OnPi) -> None:
    on("mv /opt/kafka/cds /opt/kafka/kept")
    make = "/opt/raspi-kafka/libexec/make_cds.py --java=/usr/bin/java --libs=/opt/kafka/current/libs"
    flags = "--broker-flags=-XX:+UseSerialGC --tool-flags=-XX:+UseSerialGC"
    try:
        told = on(f"timeout 4 /opt/raspi-kafka/venv/bin/python {make} {flags}", check=False)
        assert told == "the run was interrupted"
        assert on("ls -A /opt/kafka/cds") == ""
        assert on("pgrep -c java") == "1"
    finally:
        on("rm -r /opt/kafka/cds; mv /opt/kafka/kept /opt/kafka/cds")


def test_a_first_deployment_starts_five_jvms(pi: host.Host, on: OnPi) -> None:
    """On a host with neither records nor archives: two formats, a broker and a tool for the archives, the broker."""
    on("systemctl stop kafka; rm -r /opt/kafka/cds /var/lib/kafka/data /etc/kafka/identity.json")
    with executed(pi.container) as programs:
        run = playbook(SET)
    assert run.code == 0
    assert jvms(programs) == 5
    wait_until(lambda: int(on(MAPPED)) > 0, 10, "the broker runs from its archive")
