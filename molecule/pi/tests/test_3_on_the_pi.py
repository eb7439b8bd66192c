"""The Pi as its own control node: ansible-core in a venv of user pi, the collection as built for Galaxy, no checkout.

This machine stands in for the registries, which the Pi may not reach: their files are pushed. pip on the Pi is told so
by its own variables, and the archive is named in the inventory, as an owner without internet would do.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import SET, OnPi

from tests.hosts import archive, cache, host
from tests.hosts.computer import wheels
from tests.hosts.play import Run, inventory
from tests.hosts.snapshot import difference, snapshot
from tests.run import collection

HOME = "/home/pi/control"
SOURCE = inventory(SET).parent
LEFT_OUT = {"/home/pi": "the control node's own files: the cache of python_venv, the summary"}
PIP = f"PIP_NO_INDEX=1 PIP_FIND_LINKS={HOME}/wheels"


@pytest.fixture(scope="module")
def control() -> Iterator[host.Host]:
    """Make the Pi a control node, and return it; nothing of it is left afterwards."""
    pi = host.find(SET)[0]
    with tempfile.TemporaryDirectory() as scratch:
        push(pi, pack(Path(scratch), wheels(pi, "ansible-core")))
    as_pi(pi, f"python3 -m venv {HOME}/venv && {PIP} {HOME}/venv/bin/pip install --quiet ansible-core")
    as_pi(pi, f"{HOME}/venv/bin/ansible-galaxy collection install --offline {HOME}/raspi-kafka-*.tar.gz")
    yield pi
    as_pi(pi, f"rm -rf {HOME} ~/.ansible ~/.cache/raspi-kafka")


def as_pi(pi: host.Host, command: str, check: bool = True) -> Run:
    """Run a command as user pi, from a folder of their own."""
    line = pi.ssh(SOURCE, f"mkdir -p {HOME} && cd {HOME} && {command}")
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    print(done.stdout, done.stderr)
    assert not check or done.returncode == 0, f"{command}: {done.stderr}"
    return Run(done.returncode, done.stdout + done.stderr)


def pack(folder: Path, lent: Path) -> Path:
    """Collect what the Pi would have fetched itself, and an inventory with the Pi's own line of the example."""
    with tempfile.TemporaryDirectory() as scratch:
        tree = collection.copy(Path(scratch) / "tree")
        collection.add_wheel(tree)
        collection.build(tree, folder)
    shutil.copytree(SOURCE / "credentials", folder / "credentials")
    kafka = archive.build()
    (folder / "wheels").symlink_to(lent)
    (folder / kafka.path.name).symlink_to(kafka.path)
    example = (cache.REPOSITORY / "inventory" / "pis.example.ini").read_text()
    (own,) = (line.removeprefix("# ") for line in example.splitlines() if "ansible_connection=local" in line)
    variables = [
        f"kraft_broker_archive={HOME}/{kafka.path.name}",
        f"kraft_broker_archive_sha512={kafka.sha512}",
        "pi_host_clock_wait=3",  # as in the inventory that the Pi was deployed with
    ]
    (folder / "pis.ini").write_text("\n".join(["[pis]", own, "", "[pis:vars]", *variables, ""]))
    return folder


def push(pi: host.Host, folder: Path) -> None:
    """Copy a folder's content to the Pi, what its links lead to instead of the links."""
    unpack = pi.ssh(SOURCE, f"mkdir -p {HOME} && tar -xf - -C {HOME}")
    pack = ["tar", "-chf", "-", "-C", str(folder), "."]
    with subprocess.Popen(pack, stdout=subprocess.PIPE) as packing:
        subprocess.run(unpack, stdin=packing.stdout, check=True, timeout=120)
    assert packing.returncode == 0


def test_the_pi_deploys_itself_and_finds_nothing_to_change(control: host.Host, on: OnPi) -> None:
    before = snapshot(control.container, left_out=LEFT_OUT)
    run = as_pi(control, f"{PIP} venv/bin/ansible-playbook raspi.kafka.site -i pis.ini", check=False)
    assert run.code == 0
    assert run.count("pi1", "changed") == 0
    assert difference(before, snapshot(control.container, left_out=LEFT_OUT)) == []

    # What other hosts connect to is not "localhost", by which the inventory names the Pi.
    (address,) = on("ip -4 -o route get 192.0.2.1 | sed -n 's/.* src \\([0-9.]*\\).*/\\1/p'").split()
    assert f"for clients {address}:9092 (on the default route" in run.text
    assert f"LAN://{address}:9092" in on("grep ^advertised.listeners= /etc/kafka/server.properties")

    assert "proof on the Pi 100 sent, 100 read from the beginning, 100 found on disk" in run.text
    assert "proof of a device on the Pi 20 published over MQTT, 20 in Kafka in their order" in run.text
    # The same machine twice would prove nothing more.
    assert "proof from the control node" not in run.text
    assert "proof of a device here" not in run.text
    # Nobody needs ssh for the next step.
    assert "next: kafka topics --describe" in run.text


def test_the_commands_of_the_summary_work_there(control: host.Host) -> None:
    assert "Topic: telemetry" in as_pi(control, "kafka topics --describe").output
    run = as_pi(control, f"{PIP} venv/bin/ansible-playbook raspi.kafka.verify -i pis.ini", check=False)
    assert run.code == 0
    assert "pi1 stores what it is sent" in run.text
