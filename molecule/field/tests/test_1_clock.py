"""Kafka is held back until the clock is right: synchronised, never, and late.

pi1 follows pi2's chronyd. Both run with -x, which leaves the clock of the machine alone; what chrony says is real.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from conftest import SET, OnPi, wait_until

from tests.hosts import host
from tests.hosts.host import as_root
from tests.hosts.play import playbook

CLOCK = "raspi-kafka-clock"
LIMIT = "/etc/systemd/system/raspi-kafka-clock.service.d/limit.conf"
# As the package's, without its conditions on capabilities that a container lacks.
UNIT = """[Service]
ExecStartPre=+mkdir -p /run/chrony
ExecStart=/usr/sbin/chronyd -x -d -u root -f /etc/chrony/test.conf
[Install]
WantedBy=multi-user.target
"""


def install(pi: host.Host, configuration: str) -> None:
    as_root(pi, "apt-get update -q && apt-get install -qy --no-install-recommends chrony && systemctl disable chrony")
    as_root(pi, "cat > /etc/systemd/system/chrony.service", UNIT)
    as_root(pi, "cat > /etc/chrony/test.conf && systemctl daemon-reload", configuration)


@pytest.fixture(scope="module")
def server() -> Iterator[Callable[[bool], None]]:
    """Give pi1 a chronyd that follows pi2's; return what starts and stops pi2's."""
    pi1, pi2 = host.find(SET)
    install(pi2, "local stratum 8\nallow\n")
    install(pi1, f"server {pi2.address} iburst minpoll 0 maxpoll 0\n")

    def serve(wanted: bool) -> None:
        as_root(pi2, f"systemctl {'restart' if wanted else 'stop'} chrony")
        as_root(pi1, "systemctl enable --quiet chrony && systemctl restart chrony")

    yield serve
    as_root(pi1, f"rm -rf {LIMIT.rsplit('/', 1)[0]} /etc/systemd/system/chrony.service && apt-get purge -qy chrony")
    as_root(pi1, f"systemctl daemon-reload && systemctl restart {CLOCK} kafka")
    assert playbook(SET, "--limit", "pi1").code == 0  # the unit as the inventory wants it


def shown(on: OnPi, unit: str) -> str:
    return on(f"systemctl show {unit} --property ActiveState,SubState --value").replace("\n", " ")


def begin(on: OnPi, limit: int) -> str:
    """Start Kafka as a boot does, with another limit; returns the time, for the journal."""
    on(f"systemctl stop kafka {CLOCK}; mkdir -p {LIMIT.rsplit('/', 1)[0]}")
    start = f"/usr/bin/python3 /opt/raspi-kafka/libexec/wait_clock.py --limit {limit}"
    text = f"[Service]\\nExecStart=\\nExecStart={start}\\nTimeoutStartSec=300\\n"
    on(f"printf '{text}' > {LIMIT}; systemctl daemon-reload")
    now = on("date +@%s")
    on("systemctl start --no-block kafka")
    return now


def status(on: OnPi) -> str:
    return on(f"systemctl show {CLOCK} --property StatusText --value")


def said(on: OnPi, since: str) -> str:
    return on(f"journalctl --unit {CLOCK} --since {since} --output cat --no-pager")


def test_synchronised_kafka_starts_and_nothing_is_said(server: Callable[[bool], None], on: OnPi) -> None:
    server(True)
    wait_until(lambda: "Normal" in on("chronyc -n tracking"), 60, "chrony follows pi2")
    since = begin(on, 120)
    wait_until(lambda: shown(on, "kafka") == "active running", 60, "Kafka started")
    assert shown(on, CLOCK) == "active exited"
    assert "the clock is right: chrony follows" in said(on, since)
    assert "may be wrong" not in said(on, since)
    run = playbook(SET, "--limit", "pi1")
    assert (run.code, run.count("pi1", "changed")) == (0, 0)
    assert "The clock of pi1 may be wrong" not in run.text


def test_late_kafka_is_held_back_until_the_clock_is_right(server: Callable[[bool], None], on: OnPi) -> None:
    server(False)
    since = begin(on, 240)
    wait_until(
        lambda: "chrony has no time source that answers" in on(f"systemctl status {CLOCK}", check=False), 30, "it waits"
    )
    assert shown(on, CLOCK) == "activating start"
    assert shown(on, "kafka") == "inactive dead"
    server(True)
    wait_until(lambda: shown(on, "kafka") == "active running", 120, "Kafka started")
    assert shown(on, CLOCK) == "active exited"
    assert "may be wrong" not in said(on, since)


def test_never_kafka_starts_after_the_limit_with_an_alarm_that_ends_with_its_cause(
    server: Callable[[bool], None], pi: host.Host, on: OnPi
) -> None:
    server(False)
    begin(on, 8)
    # A boot: nothing is left of what was known.
    host.kill(pi.container)
    host.start(pi.container)
    wait_until(lambda: shown(on, "kafka") == "active running", 120, "Kafka started all the same")
    alarm = on(f"journalctl --boot --unit {CLOCK} --priority alert --output cat --no-pager")
    assert "Kafka starts with a clock that may be wrong, after 8 s: chrony has no time source that answers" in alarm
    assert "ALARM" in status(on)
    run = playbook(SET, "--limit", "pi1")
    assert (run.code, run.count("pi1", "changed")) == (0, 0)
    assert "WARNING: The clock of pi1 may be wrong: chrony has no time source that answers" in run.text

    server(True)
    wait_until(lambda: shown(on, CLOCK) == "active exited", 60, "the alarm is over")
    assert "the clock is right: chrony follows" in said(on, "-5min")


def test_a_first_start_prints_what_it_waits_for(server: Callable[[bool], None], on: OnPi) -> None:
    server(False)
    on(f"systemctl stop kafka {CLOCK} && rm -r {LIMIT.rsplit('/', 1)[0]} && systemctl daemon-reload")
    run = playbook(SET, "--limit", "pi1", "-e", "pi_host_clock_wait=20")
    assert run.code == 0
    held = "the clock is not right yet, Kafka starts after 20 s all the same: chrony has no time source that answers"
    assert f"pi1: raspi-kafka-clock.service starts: {held}" in run.text
    assert "s of at most 80 s" in run.text


def test_who_does_not_wait_gets_no_alarm(server: Callable[[bool], None], on: OnPi) -> None:
    server(False)
    since = begin(on, 0)
    wait_until(lambda: shown(on, "kafka") == "active running", 60, "Kafka started")
    assert "Kafka does not wait for the clock, as pi_host_clock_wait=0 says: chrony has no time" in said(on, since)
    assert "ALARM" not in status(on)
    run = playbook(SET, "--limit", "pi1", "-e", "pi_host_clock_wait=0")
    assert run.code == 0
    assert "The clock of pi1 may be wrong" not in run.text


def test_a_chrony_that_follows_itself_is_not_right(server: Callable[[bool], None], on: OnPi) -> None:
    server(False)
    on("echo local stratum 10 >> /etc/chrony/test.conf && systemctl restart chrony")
    wait_until(lambda: "Normal" in on("chronyc -n tracking"), 60, "chrony follows itself")
    assert "chrony follows nobody but itself" in on("/usr/bin/python3 /opt/raspi-kafka/libexec/wait_clock.py --now")
    on("sed -i /^local/d /etc/chrony/test.conf")
