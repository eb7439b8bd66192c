"""A second run of site.yml."""

from __future__ import annotations

import json

from conftest import SET, OnPi, look

from tests.hosts import host
from tests.hosts.jvms import executed, jvms
from tests.hosts.play import playbook
from tests.hosts.snapshot import difference


def test_a_second_run_changes_nothing_and_starts_no_jvm(pi: host.Host) -> None:
    before = look(pi)
    with executed(pi.container) as programs:
        run = playbook(SET)
    assert run.code == 0
    assert run.count("pi1", "changed") == 0
    assert difference(before, look(pi)) == []
    assert jvms(programs) == 0
    assert sum(programs.values()) > 10  # the watch did see the run


def test_a_dry_run_on_a_deployed_pi_predicts_no_change(pi: host.Host) -> None:
    before = look(pi)
    run = playbook(SET, "--check", "--diff")
    assert run.code == 0
    assert run.count("pi1", "changed") == 0
    assert difference(before, look(pi)) == []


def test_the_proof_runs_alone() -> None:
    run = playbook(SET, book="playbooks/verify.yml")
    assert run.code == 0
    assert "proof on the Pi 100 sent, 100 read from the beginning, 100 found on disk" in run.text
    assert "proof from the control node 100 sent, 100 read from the beginning" in run.text


def test_a_changed_setting_restarts_the_broker_once(pi: host.Host) -> None:
    before = look(pi)["services"]["kafka.service"]
    # As -e gives them: a number and a list as texts.
    changed = playbook(SET, "-e", "kraft_broker_heap_mb=300 kraft_broker_log_dirs=/var/lib/kafka/data")
    assert changed.code == 0
    after = look(pi)["services"]["kafka.service"]
    assert before["MainPID"] != after["MainPID"]
    assert playbook(SET).code == 0


def test_all_ports_can_change_on_a_running_broker(pi: host.Host) -> None:
    ports = {"kraft_broker_port": 9192, "kraft_broker_local_port": 19192, "kraft_broker_controller_port": 9193}
    run = playbook(SET, "-e", json.dumps(ports))
    assert run.code == 0
    assert f"for clients {pi.address}:9192" in run.text
    assert playbook(SET).code == 0


def test_a_unit_that_was_written_but_never_loaded_is_loaded(on: OnPi) -> None:
    """As a run that ended between the two leaves it."""
    unit, loaded = "/etc/systemd/system/kafka.service", on("systemctl show kafka --property RestartUSec")
    on(f"cp -p {unit} /root/kafka.service && sed -i s/^RestartSec=.*/RestartSec=77/ {unit} && systemctl daemon-reload")
    assert playbook(SET, "--check").code == 0
    on(f"cat /root/kafka.service > {unit} && rm /root/kafka.service")
    assert playbook(SET).code == 0
    assert on("systemctl show kafka --property RestartUSec,NeedDaemonReload").split() == [
        loaded,
        "NeedDaemonReload=no",
    ]
