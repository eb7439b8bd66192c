"""Bare hosts, deployed by other releases of ansible-core and of Python than the other tests use, to other Debians.

The Python that runs this decides by which: tests/requirements.txt locks an ansible-core for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.hosts import archive, cache, host
from tests.hosts.deployed import extra, wait_until
from tests.hosts.play import Run, playbook
from tests.run import pythons


class Release(NamedTuple):
    """Of what which release is used, and the set of hosts."""

    name: str
    core: str
    suite: str
    debian: str
    java: str
    kafka: str


USED = {
    "3.10": Release("core217", "2.17", "bookworm", "12", "17", "4.1.2"),
    "3.13": Release("core221", "2.21", "trixie", "13", "21", archive.VERSION),
}[pythons.OWN]


@pytest.fixture(scope="module")
def pi() -> Iterator[host.Host]:
    """Return a bare Pi of this module's own."""
    with host.fresh(USED.name, suite=USED.suite) as (pi,):
        yield pi


def broker(pi: host.Host) -> str:
    """The process of a broker that is ready; empty if there is none."""
    ask = "systemctl --quiet is-active kafka && systemctl show --property MainPID --value kafka || true"
    return host.as_root(pi, ask).strip()


def played(book: str) -> Run:
    """Run a playbook with this Kafka, and with nothing on the control node that another Python has made."""
    kafka = archive.build(USED.kafka)
    variables = {
        "kraft_broker_version": USED.kafka,
        "kraft_broker_archive": str(kafka.path),
        "kraft_broker_archive_sha512": kafka.sha512,
        "python_venv_cache": str(cache.directory(USED.name, "control-node")),
    }
    return playbook(USED.name, *extra(**variables), book=book)


def test_a_bare_host_becomes_a_proven_gateway(pi: host.Host, capsys: pytest.CaptureFixture[str]) -> None:
    run = played("tests/releases/seen.yml")
    assert run.code == 0
    proof = "100 sent, 100 read from the beginning"
    assert f"proof on the Pi {proof}, 100 found on disk" in run.text
    assert f"proof from the control node {proof}" in run.text
    (seen,) = re.findall(r"ran with (ansible-core \S+ on Python \S+ for \S+ \S+ with Python \S+);", run.text)
    java = host.as_root(pi, "java -version 2>&1 | head -1")
    started = host.as_root(pi, "journalctl --unit kafka --output cat")
    (kafka,) = set(re.findall(r"\bKafka version: ([\d.]+)", started))
    with capsys.disabled():
        print(f"\n{USED.name}: {seen}, {java}, Kafka {kafka}")
    assert re.fullmatch(
        rf"ansible-core {USED.core}\.\d+ on Python {pythons.OWN}\.\d+ for Debian {USED.debian}\S* with Python 3\.\S+",
        seen,
    )
    assert f'"{USED.java}.' in java
    assert kafka == USED.kafka
    assert ("CVE-2026-35554" in run.text) == (kafka == "4.1.1"), "only the releases that have it are warned of"


def test_a_second_run_changes_nothing(pi: host.Host) -> None:
    run = played("site.yml")
    assert (run.code, run.count(pi.name, "changed")) == (0, 0)


@pytest.mark.usefixtures("pi")
def test_the_proof_alone_succeeds() -> None:
    assert played("playbooks/verify.yml").code == 0


def test_a_broker_that_is_killed_comes_back(pi: host.Host) -> None:
    killed = broker(pi)
    host.as_root(pi, f"kill -9 {killed}")
    wait_until(lambda: broker(pi) not in ("", killed), 120, "the broker is back")
    assert played("playbooks/verify.yml").code == 0
