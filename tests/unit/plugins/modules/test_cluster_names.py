"""Names that DNS does not know get a line of /etc/hosts, and no other line is touched."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.modules import cluster_names
from ansible_collections.raspi.kafka.plugins.modules.cluster_names import Plan, entries_of, plan, resolve, with_entries

from tests.module_args import patch_module_args

ADDRESSES = {"pi1": "192.0.2.1", "pi2": "192.0.2.2", "pi3": "192.0.2.3"}
NOBODY: dict[str, list[str]] = {name: [] for name in ADDRESSES}
DNS = {name: [address] for name, address in ADDRESSES.items()}
# As Raspberry Pi OS has it.
HOSTS = "127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\n\n127.0.1.1\tpi1\n"
BLOCK = "# BEGIN raspi.kafka, the nodes of the cluster\n192.0.2.2\tpi2\n192.0.2.3\tpi3\n# END raspi.kafka\n"
ENTRIES = {"pi2": "192.0.2.2", "pi3": "192.0.2.3"}


# --- which names get a line


def test_what_dns_tells_right_is_left_to_dns() -> None:
    assert plan(ADDRESSES, "pi1", DNS, {}) == Plan({}, [])


@pytest.mark.parametrize("resolved", [[], ["192.0.2.9"]], ids=["unknown", "elsewhere"])
def test_a_name_that_does_not_lead_to_its_address_gets_an_entry(resolved: list[str]) -> None:
    assert plan(ADDRESSES, "pi1", {**DNS, "pi2": resolved}, {}) == Plan({"pi2": "192.0.2.2"}, [])


def test_an_address_among_several_is_right() -> None:
    assert plan(ADDRESSES, "pi1", {**DNS, "pi2": ["198.51.100.7", "192.0.2.2"]}, {}) == Plan({}, [])


def test_an_entry_stays_though_the_resolver_reads_it_back() -> None:
    assert plan(ADDRESSES, "pi1", DNS, ENTRIES) == Plan(ENTRIES, [])


def test_an_entry_follows_its_address() -> None:
    """The resolver still says what the entry says."""
    names = {**ADDRESSES, "pi2": "192.0.2.22"}
    assert plan(names, "pi1", DNS, ENTRIES) == Plan({**ENTRIES, "pi2": "192.0.2.22"}, [])


def test_an_entry_follows_its_address_also_where_dns_is_asked_first() -> None:
    names = {**ADDRESSES, "pi2": "192.0.2.22"}
    assert plan(names, "pi1", {**DNS, "pi2": ["192.0.2.22"]}, ENTRIES).entries["pi2"] == "192.0.2.22"


def test_an_entry_whose_address_is_not_known_in_this_run_stays() -> None:
    assert plan({**ADDRESSES, "pi2": ""}, "pi1", NOBODY, {"pi2": "192.0.2.2"}).entries["pi2"] == "192.0.2.2"


def test_a_name_that_nobody_knows_is_named() -> None:
    assert plan({**ADDRESSES, "pi2": ""}, "pi1", {**DNS, "pi2": []}, {}) == Plan({}, ["pi2"])


def test_a_name_that_dns_knows_needs_no_address() -> None:
    assert plan({**ADDRESSES, "pi2": ""}, "pi1", DNS, {}) == Plan({}, [])


@pytest.mark.parametrize("resolved", [["127.0.1.1"], ["192.0.2.1"], ["192.0.2.9"]])
def test_the_own_name_is_left_as_the_host_has_it(resolved: list[str]) -> None:
    assert plan(ADDRESSES, "pi1", {**DNS, "pi1": resolved}, {}) == Plan({}, [])


def test_the_own_name_gets_the_address_of_debian_where_the_host_does_not_know_it() -> None:
    assert plan(ADDRESSES, "pi1", {**DNS, "pi1": []}, {}) == Plan({"pi1": "127.0.1.1"}, [])
    assert plan(ADDRESSES, "pi1", {**DNS, "pi1": ["127.0.1.1"]}, {"pi1": "127.0.1.1"}).entries == {"pi1": "127.0.1.1"}


def test_a_node_that_left_the_cluster_leaves_the_block() -> None:
    assert plan({"pi1": "192.0.2.1", "pi2": "192.0.2.2"}, "pi1", DNS, ENTRIES).entries == {"pi2": "192.0.2.2"}


def test_a_node_that_is_named_by_its_address_needs_no_entry() -> None:
    assert plan({"pi1": "", "192.0.2.2": "192.0.2.2"}, "pi1", {"pi1": ["x"], "192.0.2.2": []}, {}) == Plan({}, [])


# --- the block


@pytest.mark.parametrize(
    "before", [HOSTS, "", HOSTS.rstrip("\n"), "192.0.2.7\tpi2\n"], ids=["usual", "empty", "no end", "own line"]
)
def test_the_block_comes_after_all_that_is_there_and_goes_without_a_trace(before: str) -> None:
    text = with_entries(before, ENTRIES)
    assert text == (f"{before.rstrip()}\n" if before else "") + BLOCK
    assert entries_of(text) == ENTRIES
    assert with_entries(text, {}).rstrip("\n") == before.rstrip("\n")


def test_a_block_is_replaced_where_it_stands() -> None:
    text = with_entries(f"{HOSTS}{BLOCK}192.0.2.9\tprinter\n", {"pi2": "192.0.2.22"})
    assert text == (
        f"{HOSTS}# BEGIN raspi.kafka, the nodes of the cluster\n192.0.2.22\tpi2\n# END raspi.kafka\n"
        "192.0.2.9\tprinter\n"
    )


def test_the_same_entries_are_the_same_file() -> None:
    assert with_entries(HOSTS + BLOCK, ENTRIES) == HOSTS + BLOCK
    assert with_entries(HOSTS, {}) == HOSTS


def test_the_block_of_another_tool_is_not_ours() -> None:
    theirs = "# BEGIN ANSIBLE MANAGED BLOCK\n192.0.2.2\tpi2\n# END ANSIBLE MANAGED BLOCK\n"
    assert entries_of(theirs) == {}
    assert with_entries(theirs, ENTRIES) == theirs + BLOCK


def test_what_a_person_wrote_into_the_block_is_no_entry() -> None:
    by_hand = BLOCK.replace("192.0.2.3\t", "\n# the third\n192.0.2.3 pi3 kitchen\n192.0.2.3\t")
    assert entries_of(by_hand) == ENTRIES
    assert with_entries(by_hand, ENTRIES) == BLOCK


def test_lines_after_a_block_whose_end_was_removed_are_not_taken_for_its_own() -> None:
    broken = BLOCK.replace("# END raspi.kafka\n", "192.0.2.9\tprinter\n")
    assert entries_of(broken) == {}
    once = with_entries(broken, ENTRIES)
    assert once == broken + BLOCK
    assert with_entries(once, {"pi2": "192.0.2.22"}).startswith(broken)


def test_a_block_at_the_end_of_a_file_without_its_last_newline_is_found() -> None:
    assert with_entries(HOSTS + BLOCK.rstrip("\n"), ENTRIES) == HOSTS + BLOCK


def test_an_address_with_a_backslash_of_a_pattern_is_text() -> None:
    assert with_entries(BLOCK, {"pi2": r"\1"}).splitlines()[1] == "\\1\tpi2"


# --- the resolver


def test_the_resolver_is_the_host_s_own() -> None:
    assert resolve("localhost") == ["127.0.0.1"]
    assert resolve("no-such-host.invalid") == []
    assert resolve("x" * 64) == []


# --- the whole module


@dataclass
class Host:
    """A host with two files; DNS says what a test makes it say, and the first file is asked before it."""

    root: Path
    capsys: pytest.CaptureFixture[str]
    dns: dict[str, list[str]] = field(default_factory=dict)

    @property
    def hosts(self) -> Path:
        return self.root / "hosts"

    @property
    def template(self) -> Path:
        return self.root / "hosts.debian.tmpl"

    def addresses(self, name: str) -> list[str]:
        lines = [line.split() for line in self.hosts.read_text().splitlines() if not line.startswith("#")]
        return [words[0] for words in lines if name in words[1:]] or self.dns.get(name, [])

    def run(self, names: dict[str, str] | None = None, *, check: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {
            "names": ADDRESSES if names is None else names,
            "own": "pi1",
            "paths": [str(self.hosts), str(self.template)],
            "_ansible_check_mode": check,
            "_ansible_remote_tmp": str(self.root / "tmp"),
            **options,
        }
        with patch_module_args(arguments), pytest.raises(SystemExit):
            cluster_names.main()
        return json.loads(self.capsys.readouterr().out)


@pytest.fixture
def host(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Host:
    one = Host(tmp_path, capsys)
    one.hosts.write_text(HOSTS)

    def getaddrinfo(name: str, *_how: object) -> list[Any]:
        found = one.addresses(name)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in found]

    monkeypatch.setattr(cluster_names.socket, "getaddrinfo", getaddrinfo)
    return one


def test_a_file_is_not_touched_where_dns_serves(host: Host) -> None:
    host.dns = DNS
    before = host.hosts.stat()
    result = host.run()
    assert (result["changed"], result["entries"], result["unknown"], result["diff"]) == (False, {}, [], [])
    assert (host.hosts.stat().st_mtime_ns, host.hosts.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_names_are_written_once_and_the_second_run_changes_nothing(host: Host) -> None:
    first = host.run()
    assert (first["changed"], first["entries"]) == (True, ENTRIES)
    assert host.hosts.read_text() == HOSTS + BLOCK
    (diff,) = first["diff"]
    assert (diff["before_header"], diff["before"], diff["after"]) == (str(host.hosts), HOSTS, HOSTS + BLOCK)
    second = host.run()
    assert (second["changed"], second["entries"], second["diff"]) == (False, ENTRIES, [])


def test_check_mode_shows_what_would_be_written_and_writes_nothing(host: Host) -> None:
    result = host.run(check=True)
    assert (result["changed"], result["diff"][0]["after"]) == (True, HOSTS + BLOCK)
    assert host.hosts.read_text() == HOSTS


def test_an_address_that_changed_is_written(host: Host) -> None:
    host.run()
    assert host.run({**ADDRESSES, "pi3": "192.0.2.33"})["entries"] == {**ENTRIES, "pi3": "192.0.2.33"}
    assert host.addresses("pi3") == ["192.0.2.33"]


def test_a_run_of_this_host_alone_keeps_the_others(host: Host) -> None:
    host.run()
    result = host.run({"pi1": "192.0.2.1", "pi2": "", "pi3": ""})
    assert (result["changed"], result["unknown"]) == (False, [])


def test_names_that_this_host_cannot_find_are_returned(host: Host) -> None:
    assert host.run({"pi1": "192.0.2.1", "pi2": "192.0.2.2", "pi3": ""})["unknown"] == ["pi3"]


def test_lines_outside_the_block_are_never_touched(host: Host) -> None:
    own = f"192.0.2.9\tprinter   # mine\n\n# BEGIN of my own lines\n192.0.2.8 nas\n{HOSTS}"
    host.hosts.write_text(own + BLOCK + own)
    host.run({**ADDRESSES, "pi2": "192.0.2.22"})
    assert host.hosts.read_text() == own + BLOCK.replace("192.0.2.2\t", "192.0.2.22\t") + own
    host.run(state="absent")
    assert host.hosts.read_text() == own + own


def test_the_template_of_cloud_init_gets_the_same_block(host: Host) -> None:
    """Or the names would be gone after the next boot."""
    template = "## template:jinja\n127.0.1.1 {{fqdn}} {{hostname}}\n"
    host.template.write_text(template)
    assert len(host.run()["diff"]) == 2
    assert host.template.read_text() == template + BLOCK
    host.template.write_text(template)
    assert [diff["before_header"] for diff in host.run()["diff"]] == [str(host.template)]
    assert host.template.read_text() == template + BLOCK


def test_a_template_that_is_not_there_is_not_made(host: Host) -> None:
    assert host.run()["changed"]
    assert not host.template.exists()


def test_the_block_is_removed_and_asked_for_by_nobody_else(host: Host) -> None:
    host.run()
    result = host.run(state="absent")
    assert (result["changed"], result["entries"], host.hosts.read_text()) == (True, {}, HOSTS)
    assert not host.run(state="absent")["changed"]


def test_a_file_keeps_its_mode(host: Host) -> None:
    host.hosts.chmod(0o664)
    host.run()
    assert host.hosts.stat().st_mode & 0o7777 == 0o664


@pytest.mark.parametrize(
    "damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"\xff")], ids=["missing", "no text"]
)
def test_a_file_that_cannot_be_kept_is_a_sentence(host: Host, damage: Callable[[Path], Any]) -> None:
    damage(host.hosts)
    result = host.run()
    assert result["failed"]
    assert result["msg"].startswith(f"Cannot keep the names of the cluster in {host.hosts} and")
    assert result["msg"].endswith("Mend the file; nothing else was changed.")
