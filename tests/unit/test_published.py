"""What a published collection says of itself: its playbooks, its version, and its changelog."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.raspi.kafka.plugins.filter.misspelt import role_variables
from plays import REPOSITORY

PLAYBOOKS = sorted(path.stem for path in (REPOSITORY / "playbooks").glob("*.yml"))
ROLES = sorted(path.name for path in (REPOSITORY / "roles").iterdir())


def load(name: str) -> Any:
    return yaml.safe_load((REPOSITORY / name).read_text(encoding="utf-8"))


# --- playbooks, which ansible-doc does not know


def sections() -> dict[str, str]:
    """What docs/playbooks.md says of each."""
    _start, *parts = re.split(r"^## raspi\.kafka\.", (REPOSITORY / "docs/playbooks.md").read_text(), flags=re.MULTILINE)
    return {name: text for name, _newline, text in (part.partition("\n") for part in parts)}


def test_every_playbook_is_described_with_its_variables() -> None:
    assert sorted(sections()) == PLAYBOOKS
    assert [
        name for name, text in sections().items() if len(text.split()) < 20 or "- **Variables**: " not in text
    ] == []


def test_a_variable_of_a_playbook_is_described_there() -> None:
    """Those that are of no role; the name of their playbook tells them apart."""
    own = rf"(?<!\w)(?:{'|'.join(PLAYBOOKS)})_[a-z_]+"
    roles = {name for name in role_variables() if name.startswith(tuple(f"{role}_" for role in ROLES))}
    for name, text in sections().items():
        read = set(re.findall(own, (REPOSITORY / f"playbooks/{name}.yml").read_text())) - roles
        assert set(re.findall(own, text)) - roles == read
        assert read <= role_variables(), "a misspelt one would not be refused"


def test_the_page_names_only_variables_that_exist() -> None:
    named = re.findall(rf"`((?:{'|'.join([*ROLES, *PLAYBOOKS])})_[a-z_]+)", " ".join(sections().values()))
    assert len(named) > 5, "the names were not found"
    assert [name for name in named if not name.endswith("_") and name not in role_variables()] == []


# --- the site


def test_the_site_leads_to_every_page_and_to_none_that_is_not_there() -> None:
    repository = load("galaxy.yml")["repository"]
    links = {one["url"].removeprefix(repository) for one in load("docs/docsite/links.yml")["extra_links"]}
    pages = {f"/blob/main/docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md")}
    headings = re.findall(r"^## (.*)", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert links - {f"#{heading.lower().replace(' ', '-')}" for heading in headings} == pages


# --- versions


def test_the_oldest_ansible_is_the_same_everywhere() -> None:
    oldest = load("meta/runtime.yml")["requires_ansible"].removeprefix(">=").removesuffix(".0")
    for name in ("README.md", "playbooks/preflight.yml"):
        text = (REPOSITORY / name).read_text(encoding="utf-8")
        found = re.findall(
            r"(?:ansible-core(?: |>=)|ansible_version\.full is version\(')(\d+\.\d+)(?= or later|')", text
        )
        assert found, name
        assert set(found) == {oldest}, name


def test_nothing_was_added_in_a_version_that_is_still_to_come() -> None:
    """Else it would be missing from the list of what a release adds."""
    version = as_numbers(load("galaxy.yml")["version"])
    later = []
    for path in [*REPOSITORY.glob("plugins/**/*.py"), *REPOSITORY.glob("roles/*/meta/argument_specs.yml")]:
        added = re.findall(r"version_added: ['\"]?([\d.]+)", path.read_text(encoding="utf-8"))
        later += [str(path.relative_to(REPOSITORY)) for one in added if as_numbers(one) > version]
    assert later == []


def as_numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


# --- the changelog


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what the changelog is made of."""
    copy = tmp_path / "ansible_collections" / "raspi" / "kafka"
    copy.mkdir(parents=True)
    shutil.copy(REPOSITORY / "galaxy.yml", copy)
    for name in ("changelogs", "meta", "plugins", "roles"):
        shutil.copytree(REPOSITORY / name, copy / name)
    return copy


def changelog(copy: Path, command: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "antsibull_changelog", command], cwd=copy, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_a_release_tells_what_every_fragment_says_and_lists_what_is_new(copy: Path) -> None:
    fragments = [yaml.safe_load(path.read_text()) for path in (copy / "changelogs/fragments").glob("*.yml")]
    if not fragments:
        pytest.skip("nothing has changed since the last release")
    code, said = changelog(copy, "release")
    assert code == 0, said
    text = re.sub(r"\\(.)", r"\1", (copy / "CHANGELOG.md").read_text(encoding="utf-8"))
    version = load("galaxy.yml")["version"]
    assert f"## v{version}\n" in text
    entries = [entry for fragment in fragments for section in fragment.values() for entry in listed(section)]
    assert [entry for entry in entries if re.sub("``(.+?)``", r"<code>\1</code>", entry) not in text] == []
    assert [name for name in added(copy, version) if f"* raspi.kafka.{name} - " not in text] == []


def added(copy: Path, version: str) -> list[str]:
    """The plugins and roles that came with a version."""
    line = f"version_added: {version}\n"
    plugins = [path.stem for path in copy.glob("plugins/*/[!_]*.py") if f"\n{line}" in path.read_text()]
    specs = [path for path in copy.glob("roles/*/meta/argument_specs.yml") if f"\n    {line}" in path.read_text()]
    return plugins + [path.parents[1].name for path in specs]


def listed(section: str | list[str]) -> list[str]:
    return [section] if isinstance(section, str) else section


@pytest.mark.parametrize("fragment", ["no_such_section:\n  - A change.\n", "minor_changes: A change.\n"])
def test_a_fragment_that_no_release_can_take_is_refused(copy: Path, fragment: str) -> None:
    assert changelog(copy, "lint") == (0, "")
    (copy / "changelogs/fragments/wrong.yml").write_text(fragment)
    code, said = changelog(copy, "lint")
    assert code != 0
    assert "wrong.yml" in said
