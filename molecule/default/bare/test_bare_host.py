"""Before anything is deployed."""

import subprocess

from tests.hosts import host
from tests.hosts.play import inventory, playbook
from tests.hosts.snapshot import difference, snapshot

SET = "default"


def test_a_dry_run_fails_nowhere_changes_nothing_and_says_what_it_cannot_plan() -> None:
    # The first contact of any Ansible leaves its scratch folder, and the first sudo a mark, in the user's home.
    ping = ["ansible", "pis", "-i", str(inventory(SET)), "-m", "ansible.builtin.ping", "--become"]
    ping += ["-e", "ansible_pipelining=false"]  # which would need no scratch folder
    subprocess.run(ping, check=True, timeout=60)
    container = host.find(SET)[0].container
    before = snapshot(container)
    run = playbook(SET, "--check", "--diff")
    assert run.code == 0
    assert run.count("pi1", "failed") == 0
    assert run.count("pi1", "changed") > 0
    assert "pi1 would be a Kafka gateway" in run.text
    assert "Not planned: start, topics and proof need a broker that runs with these settings" in run.text
    assert "+advertised.listeners=LOCAL://127.0.0.1:19092,LAN://" in run.text
    assert difference(before, snapshot(container)) == []
