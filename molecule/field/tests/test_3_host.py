"""A host that cannot be a gateway is refused, and what wears a card or a Pi is named."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator

import pytest
from conftest import SET, OnPi, wait_until

from tests.hosts import deployed, host
from tests.hosts.deployed import extra
from tests.hosts.host import as_root
from tests.hosts.play import playbook

refused = functools.partial(deployed.refused, SET)
ONLY_PI1 = ("--limit", "pi1")
WITH_MQTT = ("-e", "mqtt_bridge_enabled=true")


# --- refused


def test_records_in_memory(pi: host.Host, on: OnPi) -> None:
    on("mkdir /srv/records && mount -t tmpfs records /srv/records")
    try:
        text = refused(pi, *ONLY_PI1, *extra(kraft_broker_log_dirs=["/var/lib/kafka/data", "/srv/records/data"]))
    finally:
        on("umount /srv/records && rmdir /srv/records")
    assert "/srv/records/data is in memory (tmpfs), which a reboot empties" in text


def test_topics_that_the_disk_cannot_hold(pi: host.Host) -> None:
    topics = [{"name": "video", "partitions": 4, "configs": {"retention.bytes": 1 << 40}}]
    text = refused(pi, *ONLY_PI1, *extra(topics_declared=topics))
    assert "may keep 4096." in text
    assert "Declare a smaller retention.bytes or fewer partitions in topics_declared" in text


def test_a_topic_that_only_time_bounds(pi: host.Host) -> None:
    topics = [{"name": "video", "configs": {"retention.bytes": -1}}]
    assert "Topic video declares retention.bytes -1" in refused(pi, *ONLY_PI1, *extra(topics_declared=topics))


def test_a_broker_whose_topics_only_time_bounds(pi: host.Host) -> None:
    more = {"kraft_broker_extra_config": {"log.retention.bytes": -1}, "topics_declared": [{"name": "video"}]}
    text = refused(pi, *ONLY_PI1, *extra(**more))
    assert "kraft_broker_extra_config has log.retention.bytes -1, and topic video has no retention.bytes" in text


def test_topics_that_are_a_text_or_malformed(pi: host.Host) -> None:
    text = refused(pi, *ONLY_PI1, "-e", 'topics_declared=\'[{"name": "video"}]\'')
    assert "topics_declared is a text" in text
    assert "Give a list, on the command line as JSON: -e '{" in text
    assert "which is no topic with a name" in refused(pi, *ONLY_PI1, *extra(topics_declared=["video"]))


def test_too_little_memory(pi: host.Host, on: OnPi) -> None:
    """The file of a Pi with 1 GB lies over the kernel's own."""
    on("sed 's/^MemTotal: .*/MemTotal:         944264 kB/' /proc/meminfo > /run/meminfo")
    on("mount --bind /run/meminfo /proc/meminfo")
    try:
        text = refused(pi, *ONLY_PI1)
    finally:
        on("umount /proc/meminfo && rm /run/meminfo")
    assert "It has 922 MiB of memory; Kafka needs a Pi with 2 GB or more" in text


@pytest.fixture
def mosquitto(on: OnPi) -> Iterator[None]:
    """Debian's own Mosquitto, as somebody who tried it has it."""
    on("apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends mosquitto")
    yield
    on("apt-get purge -qy mosquitto && apt-get autoremove -qy --purge")


@pytest.mark.usefixtures("mosquitto")
def test_a_mosquitto_of_somebody_else(pi: host.Host) -> None:
    text = refused(pi, *ONLY_PI1, *WITH_MQTT)
    assert (
        "The package mosquitto is installed, and not by this collection. Remove it (sudo apt purge mosquitto)" in text
    )


def test_a_kafka_of_somebody_else(pi: host.Host, on: OnPi) -> None:
    unit = "/etc/systemd/system/broker.service"
    on(f"printf '[Service]\\nExecStart=/srv/kafka/bin/kafka-server-start.sh /srv/kafka/a.properties\\n' > {unit}")
    try:
        text = refused(pi, *ONLY_PI1)
    finally:
        on(f"rm {unit}")
    assert f"{unit} is a unit that this collection did not write" in text
    assert "sudo systemctl disable --now broker.service" in text


def test_a_kafka_of_somebody_else_where_ours_would_be(pi: host.Host, on: OnPi) -> None:
    unit = "/etc/systemd/system/kafka.service"
    start = "java -cp /opt/kafka/current/libs/* kafka.Kafka a.properties"
    on(f"cp {unit} /run/ours && printf '[Service]\\nExecStart={start}\\n' > {unit}")
    try:
        text = refused(pi, *ONLY_PI1)
    finally:
        on(f"cat /run/ours > {unit} && rm /run/ours && systemctl daemon-reload")
    assert f"{unit} is a unit that this collection did not write" in text


def test_a_mosquitto_of_a_container(pi: host.Host, on: OnPi) -> None:
    on("ln -s /bin/sleep /run/mosquitto && systemd-run --unit other /run/mosquitto 600")
    try:
        text = refused(pi, *ONLY_PI1, *WITH_MQTT)
    finally:
        on("systemctl stop other && rm /run/mosquitto")
    assert "is a Mosquitto that this collection did not start" in text


def test_a_name_that_cannot_be_one(pi: host.Host) -> None:
    text = refused(pi, *ONLY_PI1, *extra(kraft_broker_advertised_address="pi1..lan"))
    assert "It cannot resolve pi1..lan, which clients and other hosts are told" in text


def test_a_name_that_nobody_can_resolve(pi: host.Host) -> None:
    text = refused(pi, *ONLY_PI1, *extra(kraft_broker_advertised_address="pi1.nowhere.invalid"))
    assert "It cannot resolve pi1.nowhere.invalid, which clients and other hosts are told" in text


def test_a_copied_card(pi: host.Host, on: OnPi) -> None:
    pi2 = host.find(SET)[1]
    own = as_root(pi2, "cat /etc/machine-id")
    theirs = on("cat /etc/machine-id")
    as_root(pi2, f"echo {theirs} > /etc/machine-id && hostname pi1")
    try:
        text = refused(pi)
    finally:
        as_root(pi2, f"echo {own} > /etc/machine-id && hostname pi2")
    assert f"pi1 and pi2 have the same machine-id {theirs}. Is it one Pi, listed twice? Or a copied card" in text
    assert "pi1 and pi2 have the same hostname pi1. Give each its own: sudo hostnamectl hostname NAME" in text


# --- named


@pytest.fixture
def weak_supply(on: OnPi) -> Iterator[None]:
    """What a Pi answered whose supply was too weak; a stand-in has no such firmware."""
    program = "/usr/local/bin/vcgencmd"
    on(f"printf '#!/bin/sh\\n[ \"$1\" = get_throttled ] && echo throttled=0x50005\\n' > {program}; chmod 755 {program}")
    yield
    on(f"rm {program}")


@pytest.mark.usefixtures("weak_supply")
def test_power_access_times_and_the_kernel_are_in_the_summary(on: OnPi) -> None:
    run = playbook(SET, *ONLY_PI1)
    assert (run.code, run.count("pi1", "changed")) == (0, 0)
    assert "WARNING: The voltage is or was too low (now; vcgencmd get_throttled says 0x50005)" in run.text
    assert "WARNING: The processor is or was slowed down (now; vcgencmd get_throttled says 0x50005)" in run.text
    # /proc/sys cannot be written in a container; on a Pi nothing is said.
    assert "vm.swappiness = 1" in on("cat /etc/sysctl.d/60-raspi-kafka.conf")
    assert (
        "WARNING: Written to /etc/sysctl.d/60-raspi-kafka.conf, but this kernel does not let it be set here" in run.text
    )


def test_a_file_that_overrules_ours_and_a_topic_without_bounds_are_in_the_summary(on: OnPi) -> None:
    on("echo vm.swappiness = 10 > /etc/sysctl.d/98-mine.conf")
    topics = [{"name": "state", "configs": {"cleanup.policy": "compact"}}]
    try:
        run = playbook(SET, *ONLY_PI1, "--check", *extra(topics_declared=topics))
    finally:
        on("rm /etc/sysctl.d/98-mine.conf")
    assert run.code == 0
    ours = "/etc/sysctl.d/60-raspi-kafka.conf"
    assert f"another file overrules {ours}: vm.swappiness is 10 in /etc/sysctl.d/98-mine.conf" in run.text
    assert "WARNING: Nothing bounds what is compacted and never deleted: state." in run.text


def test_a_run_that_ended_before_the_journal_was_told_is_made_good(on: OnPi) -> None:
    began = "systemctl show systemd-journald --property ExecMainStartTimestampMonotonic --value"
    on("touch /etc/systemd/journald.conf.d/raspi-kafka.conf")
    before = int(on(began))
    run = playbook(SET, *ONLY_PI1)
    assert (run.code, run.count("pi1", "changed")) == (0, 1)
    assert int(on(began)) > before
    assert on("ls /run/log/journal") == "", "all of it was flushed to the disk"
    again = playbook(SET, *ONLY_PI1)
    assert (again.code, again.count("pi1", "changed")) == (0, 0)


def test_a_reason_outlives_a_power_cut(pi: host.Host, on: OnPi) -> None:
    on("kill -KILL $(systemctl show kafka --property MainPID --value)")
    reasons = "journalctl --unit kafka --priority crit --output cat --lines 1 --no-pager"
    reason = "Kafka ended because it was ended by signal KILL."
    wait_until(lambda: on(reasons, check=False) == reason, 30, "the reason is said")
    host.kill(pi.container)
    host.start(pi.container)
    assert on(reasons) == reason
    wait_until(lambda: on("systemctl is-active kafka", check=False) == "active", 90, "the broker came up")


def test_the_second_pi_is_a_gateway_of_its_own() -> None:
    clusters = {json.loads(as_root(one, "cat /etc/kafka/identity.json"))["cluster_id"] for one in host.find(SET)}
    assert len(clusters) == 2
    assert as_root(host.find(SET)[1], "systemctl is-active kafka") == "active"
