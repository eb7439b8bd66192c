"""What happens to a Pi in the field: its broker is killed, its power is cut, its network is gone or another."""

from __future__ import annotations

import time

from conftest import SET, OnPi, look, send, stored, wait_until

from tests.hosts import engine, host
from tests.hosts.host import as_root
from tests.hosts.play import inventory, playbook
from tests.hosts.snapshot import difference


def proven() -> bool:
    return playbook(SET, book="playbooks/verify.yml").code == 0


def test_a_killed_broker_comes_back_with_its_records(pi: host.Host, on: OnPi) -> None:
    send(pi, b"before the kill")
    before = on("systemctl show kafka --property MainPID --value")
    on(f"kill -KILL {before}")
    wait_until(lambda: on("systemctl is-active kafka", check=False) == "active", 90, "the broker came back")
    assert on("systemctl show kafka --property MainPID --value") != before
    assert b"before the kill" in stored(pi)
    assert proven()


def test_after_a_power_cut_all_comes_up_and_site_changes_nothing(pi: host.Host, on: OnPi) -> None:
    send(pi, b"before the power cut")
    host.kill(pi.container)
    host.start(pi.container)
    wait_until(lambda: on("systemctl is-active kafka", check=False) == "active", 90, "the broker came up")
    assert on("systemctl show kafka --property NRestarts --value") == "0"
    assert {b"before the kill", b"before the power cut"} <= set(stored(pi))
    assert proven()
    before = look(pi)
    run = playbook(SET)
    assert (run.code, run.count("pi1", "changed")) == (0, 0)
    assert difference(before, look(pi)) == []


def test_without_a_network_the_pi_serves_itself_and_a_new_address_is_corrected(pi: host.Host) -> None:
    """Looks by `docker exec`, since nothing else reaches a Pi without a network."""
    network = host.network_name(SET)
    engine.docker("network", "disconnect", network, pi.container, what="cannot cut the network")
    host.kill(pi.container)
    engine.docker("start", pi.container, what="cannot start without a network")
    wait_until(lambda: as_root(pi, "systemctl is-active kafka || true") == "active", 90, "the broker came up")
    assert "events" in as_root(pi, "kafka topics --list")

    moved = pi.address.rsplit(".", 1)[0] + ".77"
    engine.docker("network", "connect", "--ip", moved, network, pi.container, what="cannot give a new address")
    assert "events" in as_root(pi, "kafka topics --list")
    path = inventory(SET)
    path.write_text(path.read_text().replace(pi.address, moved))
    run = playbook(SET)
    assert run.code == 0
    assert f"advertised {pi.address}:9092 until now; clients will be told {moved}:9092" in run.text
    assert f"for clients {moved}:9092" in run.text
    assert playbook(SET).count("pi1", "changed") == 0


def test_a_start_may_take_longer_than_its_time_out_and_fails_without_progress(on: OnPi) -> None:
    """The JVM is stopped by SIGSTOP as soon as it runs, so that it cannot make progress."""
    drop_in = "/run/systemd/system/kafka.service.d/test.conf"
    post = on("systemctl cat kafka | grep ^ExecStartPost=").replace("--patience 120", "--patience 15")
    assert "--patience 15" in post
    on(f"mkdir -p {drop_in.rsplit('/', 1)[0]}")
    on(f"printf '[Service]\\nTimeoutStartSec=6\\nExecStartPost=\\n{post}\\n' > {drop_in}; systemctl daemon-reload")
    try:
        on("systemctl stop kafka; systemctl start --no-block kafka")
        on("timeout 30 sh -c 'until pkill -STOP --uid kafka java; do sleep 0.1; done'")
        invocation = on("systemctl show kafka --property InvocationID --value")
        time.sleep(10)  # longer than TimeoutStartSec
        assert on("systemctl show kafka --property ActiveState --value") == "activating"
        said = f"journalctl _SYSTEMD_INVOCATION_ID={invocation} --priority err --output cat --no-pager"
        wait_until(lambda: "no progress for 15 s" in on(said), 60, "the start was given up")
    finally:
        on(f"rm {drop_in}; systemctl daemon-reload; pkill -CONT -u kafka java; systemctl restart kafka", check=False)
    assert on("systemctl is-active kafka") == "active"
