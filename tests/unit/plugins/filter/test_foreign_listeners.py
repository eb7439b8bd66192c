from __future__ import annotations

import pytest
from ansible_collections.raspi.kafka.plugins.filter.foreign_listeners import FilterModule

foreign_listeners = FilterModule().filters()["foreign_listeners"]

# `ss -Hltnpe` of iproute2 6.1, recorded on a machine without systemd and in a container with it.
MACHINE = """\
LISTEN 0      128               0.0.0.0:2024  0.0.0.0:* ino:1598 sk:7 cgroup:/ <->
LISTEN 0      50                      *:37903    *:* users:(("java",pid=18521,fd=159)) ino:108489 cgroup:/ v6only:0 <->
LISTEN 0      50     [::ffff:127.0.0.1]:29302       *:* users:(("java",pid=4977,fd=167)) ino:89669 cgroup:/ v6only:0 <->
""".splitlines()
DOCKER = "cgroup:/docker/ed27f8b6f32779354b747ddc37e67cd284475132f717cf3717328182955f0e9d/system.slice"
CONTAINER = f"""\
LISTEN 0      50      127.0.0.1:19092 0.0.0.0:* uid:999 ino:71935 sk:4 {DOCKER}/kafka.service <->
LISTEN 0      50        0.0.0.0:9092  0.0.0.0:* uid:999 ino:71936 sk:5 {DOCKER}/kafka.service <->
LISTEN 0      50      127.0.0.1:9093  0.0.0.0:* uid:999 ino:72796 sk:6 {DOCKER}/kafka.service <->
LISTEN 0      4096   127.0.0.11:42325 0.0.0.0:* ino:34421 sk:1 cgroup:/ <->
LISTEN 0      128          [::]:22       [::]:* ino:35892 sk:3 {DOCKER}/ssh.service v6only:1 <->
""".splitlines()
SSHD = (
    f'LISTEN 0      128  0.0.0.0:22  0.0.0.0:* users:(("sshd",pid=75,fd=3)) ino:35890 sk:2 {DOCKER}/ssh.service <->   '
)
SEVERAL_PROCESSES = (
    'LISTEN 0      511          0.0.0.0:80    0.0.0.0:* users:(("nginx",pid=812,fd=6),("nginx",pid=811,fd=6)) '
    "ino:20771 sk:1001 cgroup:/system.slice/nginx.service <->"
)


# iproute2 6.1 on arm64 that qemu emulates: "Cannot open netlink socket: Protocol not supported".
EMULATED = """\
LISTEN 0      0         0.0.0.0:22    0.0.0.0:* users:(("sshd",pid=201,fd=3)) ino:1048868 sk:b584d8f6
LISTEN 0      0         0.0.0.0:9092  0.0.0.0:* uid:999 ino:1065475 sk:9570bd74
""".splitlines()


def taken(lines: list[str], *ports: int, user: str = "") -> list[str]:
    return foreign_listeners(lines, ports, own_unit="kafka.service", own_user_id=user)


def test_without_control_groups_the_user_tells_whose_a_listener_is() -> None:
    assert taken(EMULATED, 9092, user="999") == []
    for other in ("", "99", "1000"):
        assert taken(EMULATED, 9092, user=other) == ["Port 9092 is taken by a process that cannot be named."]


def test_where_there_are_control_groups_the_user_tells_nothing() -> None:
    other = [line.replace("kafka.service", "other.service") for line in CONTAINER]
    assert taken(other, 9092, user="999") == ["Port 9092 is taken by a process in other.service."]


def test_free_ports_are_free() -> None:
    assert taken(MACHINE + CONTAINER, 1, 10) == []
    assert taken([], 9092) == []


def test_the_own_unit_may_have_its_ports() -> None:
    assert taken(CONTAINER, 9092, 19092, 9093) == []


def test_the_ports_of_another_unit_s_kafka_are_taken() -> None:
    assert foreign_listeners(CONTAINER, [9092, 9093], own_unit="other.service") == [
        "Port 9092 is taken by a process in kafka.service.",
        "Port 9093 is taken by a process in kafka.service.",
    ]


def test_a_program_is_named_with_its_process_and_unit() -> None:
    assert taken([SSHD], 22) == ["Port 22 is taken by sshd (pid 75) in ssh.service."]


def test_a_program_without_a_unit_is_named_alone() -> None:
    assert taken(MACHINE, 29302) == ["Port 29302 is taken by java (pid 4977)."]


def test_a_listener_on_all_addresses_of_ipv6_counts() -> None:
    assert taken(MACHINE, 37903) == ["Port 37903 is taken by java (pid 18521)."]


def test_a_hidden_process_is_named_by_its_unit() -> None:
    assert taken(CONTAINER, 22) == ["Port 22 is taken by a process in ssh.service."]


def test_a_hidden_process_without_a_unit_counts() -> None:
    assert taken(MACHINE, 2024) == ["Port 2024 is taken by a process that cannot be named."]
    assert taken(CONTAINER, 42325) == ["Port 42325 is taken by a process that cannot be named."]


def test_a_program_with_several_processes_and_addresses_gets_one_sentence() -> None:
    both = [SEVERAL_PROCESSES, SEVERAL_PROCESSES.replace("0.0.0.0:80 ", "[::]:80 ")]
    assert taken(both, 80) == ["Port 80 is taken by nginx (pid 812) in nginx.service."]


def test_a_port_that_is_only_part_of_another_is_free() -> None:
    assert taken(CONTAINER, 909, 92, 2, 232) == []


@pytest.mark.parametrize("ports", [["22"], [22]])
def test_ports_count_whatever_type_a_template_gave_them(ports: list[int | str]) -> None:
    assert len(foreign_listeners([SSHD], ports, own_unit="kafka.service")) == 1


def test_a_line_without_any_detail_counts() -> None:
    assert taken(["LISTEN 0      128               0.0.0.0:9092  0.0.0.0:*"], 9092) == [
        "Port 9092 is taken by a process that cannot be named."
    ]
