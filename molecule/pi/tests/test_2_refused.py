"""Wrong input and a host that is not as it should be: each is a sentence, and nothing is changed or lost."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator

import pytest
from conftest import SET, OnPi, look, send, stored

from tests.hosts import deployed, host
from tests.hosts.deployed import extra, fails
from tests.hosts.play import playbook

OTHER_CLUSTER = "MkU3OEVBNTcwNTJENDM2Qk"
refused = functools.partial(deployed.refused, SET)


def test_a_wrong_sha512(pi: host.Host) -> None:
    text = refused(pi, *extra(kraft_broker_archive_sha512="0" * 128))
    assert "its sha512 is" in text
    assert "0" * 128 in text


def test_a_checksum_that_is_none(pi: host.Host) -> None:
    assert "No sha512 is known for Kafka 9.9.9" in refused(
        pi, *extra(kraft_broker_version="9.9.9", kraft_broker_archive_sha512="")
    )


@pytest.mark.parametrize("archive", ["http://127.0.0.1:1/kafka.tgz", "/nowhere/kafka.tgz"])
def test_an_archive_that_cannot_be_had(pi: host.Host, archive: str) -> None:
    text = refused(pi, *extra(kraft_broker_archive=archive, kraft_broker_archive_sha512="a" * 128))
    assert f"Kafka's archive {archive} cannot be used" in text
    assert "Set kraft_broker_archive" in text


def test_a_value_of_the_wrong_type(pi: host.Host) -> None:
    text = refused(pi, *extra(kraft_broker_port="nine thousand"))
    wrong = r"argument 'kraft_broker_port' is of type .{1,40} and we were unable to convert to int"
    assert re.search(wrong, text)


def test_a_misspelt_variable(pi: host.Host) -> None:
    text = refused(pi, *extra(kraft_broker_heap_md=512))
    assert "The variable kraft_broker_heap_md is not known; did you mean kraft_broker_heap_mb?" in text


def test_two_listeners_on_one_port(pi: host.Host) -> None:
    assert "the ports must differ" in refused(pi, *extra(kraft_broker_local_port=9092))


@pytest.mark.parametrize("address", ["127.0.1.1", "localhost", "0.0.0.0"])
def test_an_address_that_nobody_else_can_connect_to(pi: host.Host, address: str) -> None:
    text = refused(pi, *extra(kraft_broker_advertised_address=address))
    assert f"kraft_broker_advertised_address={address} cannot be advertised" in text


def test_a_port_that_another_program_has(pi: host.Host, on: OnPi) -> None:
    on("systemd-run --unit squatter python3 -m http.server 9192")
    try:
        text = refused(pi, *extra(kraft_broker_port=9192))
    finally:
        on("systemctl stop squatter")
    assert "Port 9192 is taken by python3" in text
    assert "kraft_broker_port" in text


@pytest.fixture
def meta(on: OnPi) -> Iterator[str]:
    """Return the path of meta.properties and restore the file afterwards."""
    path = "/var/lib/kafka/data/meta.properties"
    on(f"cp -p {path} /root/meta.properties")
    yield path
    on(f"cp -p /root/meta.properties {path} && rm /root/meta.properties")


def test_a_disk_of_another_cluster(pi: host.Host, on: OnPi, meta: str) -> None:
    own = json.loads(on("cat /etc/kafka/identity.json"))["cluster_id"]
    on(f"sed -i s/^cluster.id=.*/cluster.id={OTHER_CLUSTER}/ {meta}")
    text = refused(pi)
    assert f"{meta} says {OTHER_CLUSTER}" in text
    assert own in text


def test_a_disk_of_another_node(pi: host.Host, on: OnPi, meta: str) -> None:
    on(f"sed -i s/^node.id=.*/node.id=7/ {meta}")
    text = refused(pi)
    assert f"{meta} says 7" in text
    assert "the inventory says 1" in text


def test_a_disk_that_lost_its_identity(pi: host.Host, on: OnPi, meta: str) -> None:
    on(f"rm {meta}")
    assert "is not empty and has no meta.properties" in refused(pi)


def test_a_disk_that_is_not_mounted(on: OnPi) -> None:
    """Its mount point is empty; nothing may be formatted there."""
    on("systemctl stop kafka && mv /var/lib/kafka/data /var/lib/kafka/data.away && mkdir /var/lib/kafka/data")
    try:
        run = playbook(SET)
        left = on("ls /var/lib/kafka/data")
    finally:
        on("rmdir /var/lib/kafka/data && mv /var/lib/kafka/data.away /var/lib/kafka/data")
        # Both, so that nothing of this start is still under way when the next test looks.
        on("systemctl start kafka raspi-kafka-cds")
    fails(run)
    assert "/var/lib/kafka/data was formatted for this node and is empty now. Is its disk mounted?" in run.text
    assert left == ""


def test_another_directory_in_place_of_the_formatted_one(pi: host.Host) -> None:
    text = refused(pi, *extra(kraft_broker_log_dirs=["/var/lib/kafka/other"]))
    assert "/var/lib/kafka/data was formatted for this node and is no longer listed" in text


def test_a_key_that_has_a_variable(pi: host.Host) -> None:
    text = refused(pi, *extra(kraft_broker_extra_config={"log.dirs": "/elsewhere"}))
    assert "without the keys process.roles, node.id, log.dirs" in text


def test_a_dry_run_while_the_broker_is_down(on: OnPi) -> None:
    on("systemctl stop kafka")
    try:
        run = playbook(SET, "--check")
    finally:
        on("systemctl start kafka")
    assert (run.code, run.count("pi1", "failed")) == (0, 0)
    assert "start, topics and proof need a broker that runs" in run.text


def test_fewer_partitions_than_exist(pi: host.Host) -> None:
    topics = [{"name": "telemetry", "partitions": 2}, {"name": "brand-new", "partitions": 1}]
    text = refused(pi, *extra(topics_declared=topics))
    assert "Topic telemetry has 4 partitions, not the declared 2. Kafka cannot remove partitions" in text
    assert "brand-new" not in look(pi)["topics"]


def test_an_address_that_only_the_pi_can_reach(on: OnPi) -> None:
    on("ip address add 198.51.100.7/32 dev lo")
    try:
        run = playbook(SET, *extra(kraft_broker_advertised_address="198.51.100.7", verify_timeout=20))
    finally:
        on("ip address del 198.51.100.7/32 dev lo")
    fails(run)
    assert "It works on pi1, but the broker cannot be reached from this control node" in run.text
    assert playbook(SET).code == 0


def test_a_broker_that_does_not_come_up_says_why_and_recovers(pi: host.Host) -> None:
    send(pi, b"before the wrong setting")
    run = playbook(SET, *extra(kraft_broker_extra_config={"log.segment.bytes": 1}))
    fails(run)
    assert "Kafka on pi1 does not serve clients. Its last lines were" in run.text
    assert "log.segment.bytes" in run.text
    assert playbook(SET).code == 0
    assert b"before the wrong setting" in stored(pi)


def test_a_broker_that_is_down(on: OnPi) -> None:
    on("systemctl stop kafka")
    try:
        run = playbook(SET, *extra(verify_timeout=20), book="playbooks/verify.yml")
    finally:
        on("systemctl start kafka")
    fails(run)
    assert "127.0.0.1:9092" in run.text


def test_a_host_without_kafka_python(on: OnPi) -> None:
    on("mv /opt/raspi-kafka/venv /opt/raspi-kafka/venv.away")
    try:
        run = playbook(SET, book="playbooks/verify.yml")
    finally:
        on("mv /opt/raspi-kafka/venv.away /opt/raspi-kafka/venv")
    fails(run)
    assert "kafka-python" in run.text
