"""playbooks/load_test.yml against a gateway on a stand-in, as its owner runs it."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts import cache, host
from tests.hosts.deployed import OnPi, extra, on, pi, refused, wait_until
from tests.hosts.inventory import GROUP, split
from tests.hosts.play import clean_environment, inventory, playbook

__all__ = ["on", "pi"]
SET = "load"
BOOK = "playbooks/load_test.yml"
PASSWORDS = "/etc/raspi-kafka/mosquitto/passwords"


@pytest.fixture(scope="module", autouse=True)
def gateway() -> Iterator[None]:
    """Deploy a gateway beside two hosts that are none, and remove all in the end."""
    with host.fresh(SET, 3):
        leave_out(inventory(SET), "pi2", "pi3")
        assert playbook(SET).code == 0
        yield


def leave_out(path: Path, *names: str) -> None:
    """Take hosts out of the group of gateways, and make all of them generators in another inventory beside it."""
    sections = split(path.read_text())
    hosts = [line for line in sections[GROUP] if line.startswith("pi")]
    sections[GROUP] = [line for line in sections[GROUP] if line.split(" ")[0] not in names]
    path.write_text("\n".join(line for lines in sections.values() for line in lines) + "\n")
    path.with_name("generators.ini").write_text("\n".join(["[load_generators]", *hosts, ""]))


@pytest.fixture
def set_name() -> str:
    """Return the name by which tests.hosts knows the hosts."""
    return SET


def runs() -> list[Path]:
    """The folders of all runs, the latest last."""
    return sorted((cache.directory(SET) / "load-tests").iterdir(), key=lambda each: each.stat().st_mtime)


def test_every_message_of_every_stage_is_counted_and_the_users_are_gone(on: OnPi) -> None:
    run = playbook(SET, *extra(load_test_stages=[5, 20], load_test_seconds=6), book=BOOK)
    assert run.code == 0
    folder = runs()[-1]
    ledger = json.loads((folder / "ledger.json").read_text())
    assert [len(stage["devices"]) for stage in ledger["stages"]] == [5, 20]
    for stage in ledger["stages"]:
        for device in stage["devices"].values():
            numbers = list(range(len(device["sent"])))
            assert numbers
            assert [number for number, _ms in device["stored"]] == numbers
            assert [[number for number, _ms in came] for came in device["groups"].values()] == [numbers, numbers]
        planted = sorted(device for device, _kind, *_times in stage["planted"])
        assert len(planted) == max(1, len(stage["devices"]) // 10)
        for state in ("FIRING", "RESOLVED"):
            assert sorted(device for _id, _rule, device, said, *_times in stage["alerts"] if said == state) == planted
    page = (folder / "report.html").read_text()
    assert {"pi1 kafka", "pi1 mosquitto", "pi1 bridge", "pi1 alerting"} <= set(
        json.loads((folder / "services.json").read_text())["processes"]
    )
    assert "pi1 bridge" in page
    assert "20 devices, 1 message/s each, QoS 1, 6 s: passed" in run.text
    assert not (folder / "credentials.json").exists()
    assert "sim-" not in on(f"cat {PASSWORDS}")
    assert on("systemctl list-units --plain --no-legend 'raspi-kafka-load-test*'") == ""


def test_hosts_share_the_devices_of_a_stage_and_the_gateway_among_them_is_told(on: OnPi) -> None:
    generators = ("-i", str(inventory(SET).with_name("generators.ini")))
    run = playbook(SET, *generators, *extra(load_test_stages=[7], load_test_seconds=10), book=BOOK)
    assert run.code == 0
    ledger = json.loads((runs()[-1] / "ledger.json").read_text())
    assert [(each["host"], each["on_test_host"]) for each in ledger["generators"]] == [
        ("pi1", True),
        ("pi2", False),
        ("pi3", False),
    ]
    (stage,) = ledger["stages"]
    own = [json.loads((runs()[-1] / f"ledger-{name}.json").read_text())["stages"][0] for name in ("pi1", "pi2", "pi3")]
    assert [len(each["devices"]) for each in own] == [3, 2, 2]
    assert sorted(stage["devices"]) == [f"sim-{number:05}" for number in range(1, 8)]
    for device in stage["devices"].values():
        numbers = list(range(len(device["sent"])))
        assert numbers
        assert [number for number, _ms in device["stored"]] == numbers
        assert [[number for number, _ms in came] for came in device["groups"].values()] == [numbers, numbers]
    # All of them send at some moment: the last began before the first ended.
    sent = [device["sent"] for device in stage["devices"].values()]
    assert max(each[0] for each in sent) < min(each[-1] for each in sent)
    assert {"pi1 generator", "pi2 consumer a", "pi3 consumer b"} <= set(stage["processes"])
    assert "7 devices, 1 message/s each, QoS 1, " in run.text
    assert "sim-" not in on(f"cat {PASSWORDS}")
    for each in host.find(SET):
        assert host.as_root(each, "find / -xdev -name credentials.json -path '*load-test*'") == ""


def test_site_after_a_load_test_changes_nothing() -> None:
    assert playbook(SET).count("pi1", "changed") == 0


def test_after_ctrl_c_the_host_itself_takes_the_users_out(on: OnPi) -> None:
    more = extra(load_test_stages=[5], load_test_seconds=300, _load_test_lease=30)
    command = ["ansible-playbook", BOOK, "-i", str(inventory(SET)), *more]
    with (cache.directory(SET) / "ctrl-c.log").open("w") as log:
        play = subprocess.Popen(
            command, cwd=cache.REPOSITORY, env=clean_environment(), stdout=log, stderr=log, start_new_session=True
        )
        wait_until(lambda: "sim-00005:" in on(f"cat {PASSWORDS}"), 120, "the users are there")
        time.sleep(5)
        play.send_signal(signal.SIGINT)
        assert play.wait(60) != 0
    wait_until(lambda: "sim-" not in on(f"cat {PASSWORDS}"), 90, "the users are gone")


def test_what_cannot_be_is_refused_before_anything_changes(pi: host.Host) -> None:
    for wrong, why in (
        ({"load_test_stages": []}, "load_test_stages are numbers of devices"),
        ({"load_test_qos": 3}, "load_test_qos 0, 1 or 2"),
    ):
        assert why in refused(SET, pi, *extra(**wrong), book=BOOK)
