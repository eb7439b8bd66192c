"""A reader types all that the pages say: on a fresh computer, pi2, beside a bare Pi, pi1.

They begin at the top of the README, go on with docs/ on the Pi that they have deployed, and come back to the README's
last commands, which remove it all. One terminal is used from the beginning to the end.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from tests.hosts import host
from tests.hosts.computer import CHECKOUT, CTRL_C, HOME, Answer, Terminal, furnish, push, write_address
from tests.hosts.deployed import send
from tests.hosts.host import as_root
from tests.hosts.play import Run

from .page import DOCS, PI, README, Block, blocks, command, shown

SET = "pages"
AT_LAST = "Remove it"
BLOCKS = sorted(
    (block for page in (README, *DOCS) for block in blocks(page)), key=lambda block: block.section == AT_LAST
)
# All that is typed otherwise than it is written.
ADDRESS = "192.168.1.50"
SECONDS = 900
MESSAGE = '{"device": "desk", "temperature": 19}'
BALLAST = "/var/lib/kafka/data/ballast"
LESS = "retention.bytes=104857600"


class Desk(NamedTuple):
    """The Pi, the computer beside it, and the terminal at which the reader sits."""

    pi: host.Host
    computer: host.Host
    terminal: Terminal

    def follow(self, block: Block) -> None:
        """Type the lines of a block, as they are written, where the page says."""
        if block.place != PI and block.in_checkout:
            self.type(f"cd {CHECKOUT}")
        for line in block.lines:
            here = line.replace(ADDRESS, self.pi.address)
            run = self.type(
                f"ssh -t pi@{self.pi.address} {shlex.quote(here)}" if block.place == PI else here,
                *ANSWERS.get(command(line), ()),
            )
            EFFECTS.get(command(line), done)(self, run)

    def type(self, line: str, *answers: Answer) -> Run:
        return self.terminal.type(line, *answers, seconds=SECONDS)


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """Return a bare Pi and a computer without Ansible that has the key that the Pi was flashed with."""
    with host.fresh(SET, count=2) as (pi, computer):
        as_root(computer, "apt-get update")
        furnish(computer, "ansible-core>=2.17")
        push(computer, host.key(), f"{HOME}/.ssh/id_ed25519")
        with Terminal(computer, HOME) as terminal:
            yield Desk(pi, computer, terminal)


# --- what a reader answers


def message_arrives() -> None:
    send(host.find(SET)[0], MESSAGE.encode(), "telemetry")


ANSWERS: dict[str, tuple[Answer, ...]] = {
    "sudo apt install python3-venv": (("[Y/n]", "y"),),
    "ssh pi@192.168.1.50": (("(yes/no", "yes"), ("$ ", "exit")),
    "ssh -t pi@192.168.1.50 kafka tail": (("no message", message_arrives), (MESSAGE, CTRL_C)),
    "ssh -t pi@192.168.1.50 kafka console-consumer --topic telemetry --from-beginning": ((MESSAGE, CTRL_C),),
    "python3 examples/consume.py 192.168.1.50:9092": (('"temperature": 20.9', CTRL_C),),
    "ansible-playbook playbooks/uninstall.yml -i pis.ini": (("anything else leaves it", "remove"),),
}

# --- what they see then


def done(_desk: Desk, run: Run) -> None:
    assert run.code == 0


def ended(_desk: Desk, run: Run) -> None:
    """It ended by Ctrl-C, and the shell tells how."""
    assert run.code in (0, 130)


def copied(desk: Desk, run: Run) -> None:
    """The reader writes the address, as the page says, and where the archive is that Apache's server would give."""
    done(desk, run)
    write_address(desk.computer, desk.pi)


def deployed(desk: Desk, run: Run) -> None:
    """The lines of the summary begin as the page shows them, and the ballast is made."""
    done(desk, run)
    assert (run.count("pi1", "failed"), run.count("localhost", "failed")) == (0, 0)
    begins = [re.split(r" {2,}|\[\.\.\.\]", line.strip())[0].strip() for line in shown(README, "pi1 is a Kafka")]
    assert [begin for begin in begins if begin not in run.text] == []
    assert as_root(desk.pi, f"stat --format %s {BALLAST}") == str(128 << 20)


def installed(desk: Desk, run: Run) -> None:
    """Outside the checkout the collection works by its name."""
    done(desk, run)
    assert "raspi.kafka" in desk.type("ansible-galaxy collection list").output
    assert desk.type(f"ansible-playbook raspi.kafka.verify -i {CHECKOUT}/pis.ini").code == 0


def stored_ten(desk: Desk, run: Run) -> None:
    done(desk, run)
    assert run.output.count("stored {") == 10


def ballast_is_gone(desk: Desk, run: Run) -> None:
    done(desk, run)
    assert as_root(desk.pi, f"ls {BALLAST} 2>/dev/null || true") == ""


def active(desk: Desk, run: Run) -> None:
    done(desk, run)
    assert "Active: active (running)" in run.output


def keeps_less(desk: Desk, run: Run) -> None:
    done(desk, run)
    assert LESS in as_root(desk.pi, "kafka configs --describe --topic telemetry")


def removed(desk: Desk, run: Run) -> None:
    done(desk, run)
    assert as_root(desk.pi, "ls -d /opt/kafka /usr/local/bin/kafka 2>/dev/null || true") == ""
    assert as_root(desk.pi, "ls /var/lib/kafka /etc/kafka") == "/etc/kafka:\nidentity.json\n\n/var/lib/kafka:\ndata"


EFFECTS: dict[str, Callable[[Desk, Run], None]] = {
    "ssh -t pi@192.168.1.50 kafka tail": ended,
    "ssh -t pi@192.168.1.50 kafka console-consumer --topic telemetry --from-beginning": ended,
    "python3 examples/consume.py 192.168.1.50:9092": ended,
    "cp inventory/pis.example.ini pis.ini": copied,
    "ansible-playbook site.yml -i pis.ini": deployed,
    "ansible-galaxy collection install --force raspi-kafka-*.tar.gz": installed,
    "python3 examples/produce.py 192.168.1.50:9092": stored_ten,
    f"sudo rm {BALLAST}": ballast_is_gone,
    "systemctl status kafka": active,
    f"kafka configs --alter --entity-type topics --entity-name telemetry --add-config {LESS}": keeps_less,
    "ansible-playbook playbooks/uninstall.yml -i pis.ini": removed,
}


def test_what_is_answered_or_looked_at_is_on_a_page() -> None:
    assert ANSWERS.keys() | EFFECTS.keys() <= {command(line) for block in BLOCKS for line in block.lines}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
def test_a_reader_types(desk: Desk, block: Block) -> None:
    if block.not_run:
        pytest.skip(f"{', '.join(map(command, block.lines))}: {block.not_run}")
    desk.follow(block)
