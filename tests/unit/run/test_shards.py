"""A change gets the shard that it touches most, and no stage is left out of all."""

from __future__ import annotations

import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.hosts import cache
from tests.hosts.step import Failure
from tests.run import shards, targets
from tests.run.shards import Shard, changed, choose, touched

TWO = {"a": Shard(("stage a",), ("roles/a/*", "README.md")), "b": Shard(("stage b",), ("roles/b/*",))}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a checkout of its own with one commit, in which git knows nobody's settings."""
    monkeypatch.setattr(cache, "REPOSITORY", tmp_path)
    monkeypatch.delenv("SHARD", raising=False)
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "nobody")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "nobody@example.org")
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    commit(tmp_path, "2026-01-01T00:00:00Z", "roles/a/old.yml", 50, monkeypatch)
    return tmp_path


def git(place: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=place, check=True, capture_output=True, text=True).stdout.strip()


def commit(place: Path, when: str, name: str, lines: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """Commit a file with so many lines at a time."""
    monkeypatch.setenv("GIT_AUTHOR_DATE", when)
    monkeypatch.setenv("GIT_COMMITTER_DATE", when)
    (place / name).parent.mkdir(parents=True, exist_ok=True)
    (place / name).write_text("line\n" * lines)
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "--message", name)
    return git(place, "rev-parse", "HEAD")


def test_the_shard_with_most_changed_lines_is_chosen(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(repository, "2026-01-03T00:00:00Z", "roles/b/one.yml", 3, monkeypatch)
    commit(repository, "2026-01-03T01:00:00Z", "roles/a/two.yml", 2, monkeypatch)
    assert choose(TWO) == ("b", "lines changed in 6 hours, by shard: a 2, b 3")


def test_what_is_not_committed_yet_counts(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(repository, "2026-01-03T00:00:00Z", "roles/b/one.yml", 3, monkeypatch)
    (repository / "roles/a/old.yml").write_text("")
    assert choose(TWO)[0] == "a"


def test_a_branch_is_compared_with_main(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However old its commits are, and although the last ones of main are as young."""
    commit(repository, "2026-01-03T00:00:00Z", "roles/a/one.yml", 100, monkeypatch)
    git(repository, "update-ref", "refs/remotes/origin/main", "HEAD")
    commit(repository, "2026-01-03T01:00:00Z", "roles/b/one.yml", 1, monkeypatch)
    assert choose(TWO) == ("b", "lines changed since origin/main, by shard: a 0, b 1")


@pytest.mark.usefixtures("repository")
def test_of_a_history_without_a_beginning_all_counts() -> None:
    assert choose(TWO) == ("a", "lines changed in all, for lack of history, by shard: a 50, b 0")


@pytest.mark.usefixtures("repository")
def test_without_git_the_first_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert choose(TWO) == ("a", "lines changed unknown, for lack of git, by shard: a 0, b 0")


@pytest.mark.usefixtures("repository")
def test_one_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARD", "b")
    assert choose(TWO) == ("b", "as SHARD says")
    monkeypatch.setenv("SHARD", "c")
    with pytest.raises(Failure, match="there is no shard c: there are a, b"):
        choose(TWO)


def test_a_file_counts_for_each_shard_that_it_touches() -> None:
    shared = {"a": Shard((), ("x/*",)), "b": Shard((), ("x/y*", "z"))}
    assert touched(shared, {"x/yes": 2, "x/no": 3, "z": 4}) == {"a": 5, "b": 6}


def test_files_without_text_count_nothing(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = git(repository, "rev-parse", "HEAD")
    (repository / "picture").write_bytes(bytes(range(256)))
    commit(repository, "2026-01-03T00:00:00Z", "roles/b/one.yml", 3, monkeypatch)
    assert changed(first) == {"roles/b/one.yml": 3}


def test_what_the_shards_look_for_is_there() -> None:
    names = shards.git("ls-files").splitlines()
    if not names:
        pytest.skip("this is no git checkout")
    patterns = [pattern for shard in shards.SHARDS.values() for pattern in shard.files]
    assert [pattern for pattern in patterns if not any(fnmatch(name, pattern) for name in names)] == []


def test_each_stage_that_judges_is_run_by_test_all_and_told_by_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the others it is known what they are for."""
    others = {"bench", "image arm64", "engine down", *(stage.name for stage in targets.demo())}
    everything = [stage.name for stage in targets.stages("test-all")]
    known = [*targets.checks(), *targets.other_pythons(), *targets.releases()]
    assert {stage.name for stage in known} - others == set(everything) - others
    for shard in shards.SHARDS:
        monkeypatch.setenv("SHARD", shard)
        ran = [stage.name for stage in targets.stages("test")]
        assert sorted(targets.everything()) == sorted({*ran, *targets.left_out("test", ran)} & {*targets.everything()})
        assert not {*ran} & {*targets.left_out("test", ran)}


def test_every_scenario_is_a_stage() -> None:
    names = {f"molecule {path.parent.name}" for path in (cache.REPOSITORY / "molecule").glob("*/molecule.yml")}
    assert names == {name for name in targets.everything() if name.startswith("molecule ")}
