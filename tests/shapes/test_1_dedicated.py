"""A controller alone, and brokers alone; then all of it is removed."""

from __future__ import annotations

from pathlib import Path

from tests.hosts import play
from tests.hosts.cluster import Nodes
from tests.hosts.host import as_root
from tests.hosts.play import playbook

LINES = "grep -E '^(process.roles|listeners|default.replication.factor)=' /etc/kafka/server.properties"


def dedicated(nodes: Nodes, path: Path) -> Path:
    """The inventory with pi1 as the only controller, and the others as brokers, as a user would move the lines."""
    text = play.inventory(nodes.name).read_text().replace("[controllers:children]\nbrokers\n", "")
    (line,) = [line for line in text.splitlines() if line.startswith("pi1 ")]
    path.write_text(text.replace(f"{line}\n", "") + f"\n[controllers]\n{line}\n")
    return path


def test_a_controller_alone_and_brokers_alone_are_one_cluster(nodes: Nodes, tmp_path: Path) -> None:
    inventory = dedicated(nodes, tmp_path / "dedicated.ini")
    run = playbook(nodes.name, other=inventory)
    assert run.code == 0
    controller, *brokers = nodes.each(LINES)
    assert "process.roles=controller\n" in controller
    assert "LAN" not in controller
    assert all("process.roles=broker\n" in text for text in brokers)
    assert all("CONTROLLER" not in text for text in brokers)
    assert all("default.replication.factor=2" in text for text in brokers)
    assert run.text.count("200 sent, 200 read from the beginning, 200 found on disk") == 2
    assert run.text.count("proof on the Pi 200 sent, 200 read from the beginning; acknowledged") == 1
    status = as_root(nodes.of(1), "systemctl show kafka.service --property StatusText --value")
    assert status == "is one of the controllers"
    assert "telemetry" in as_root(nodes.of(1), "kafka topics --list")
    again = playbook(nodes.name, other=inventory)
    assert again.code == 0
    assert [again.count(f"pi{number}", "changed") for number in (1, 2, 3)] == [0, 0, 0]


def test_all_of_it_is_removed_with_its_records(nodes: Nodes) -> None:
    remove = "uninstall_confirmed=true uninstall_data=true"
    assert playbook(nodes.name, "-e", remove, book="playbooks/uninstall.yml").code == 0
    assert nodes.each("ls -d /etc/kafka /opt/kafka /var/lib/kafka 2>/dev/null || true") == ["", "", ""]
    assert [text.count("raspi.kafka") for text in nodes.each("cat /etc/hosts")] == [0, 0, 0]
