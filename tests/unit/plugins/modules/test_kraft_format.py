from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.modules import kraft_format
from ansible_collections.raspi.kafka.plugins.modules.kraft_format import (
    FormatError,
    Identity,
    Manifest,
    Plan,
    check_order,
    choose_identity,
    foreign_entries,
    is_cluster_id,
    new_cluster_id,
    plan,
    read_identity,
    read_manifest,
    reason,
    write_manifest,
)

from tests.module_args import patch_module_args

OURS = "4L6g3nShT-eMCtK--X86sw"
THEIRS = "MkU3OEVBNTcwNTJENDM2Qg"
MANIFEST = "/etc/kafka/identity.json"
# As StorageTool of Kafka 4.1.1 writes it.
DIRECTORY_ID = "8T4buhxxTUm3VJOVwQOvcw"
META_PROPERTIES = (
    f"#\n#Sun Nov 22 22:08:59 UTC 2026\nnode.id={{}}\ndirectory.id={DIRECTORY_ID}\nversion=1\ncluster.id={{}}\n"
)


def formatted(directory: Path, cluster_id: str = OURS, node_id: int = 1) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / "meta.properties").write_text(META_PROPERTIES.format(node_id, cluster_id))
    return directory


def everything_below(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Content and time of each file, so that a file that was written again shows."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


class Node:
    """A node whose only JVM is a stand-in that formats as StorageTool does, or fails as it does."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.capsys = root, capsys
        self.commands: list[list[str]] = []
        self.answer: tuple[int, str, str] = (0, "", "")
        self.seen_manifest: Manifest | None = None
        self.log_dirs = [root / "a"]
        self.log_dirs[0].mkdir()
        self.manifest = root / "identity.json"
        monkeypatch.setattr(kraft_format.AnsibleModule, "run_command", self.storage_tool)

    def storage_tool(self, command: list[str], **_options: Any) -> tuple[int, str, str]:
        self.commands.append(command)
        self.seen_manifest = read_manifest(str(self.manifest))
        cluster_id = next(word.partition("=")[2] for word in command if word.startswith("--cluster-id="))
        for path in self.log_dirs if self.answer[0] == 0 else []:
            if not (path / "meta.properties").exists():
                formatted(path, cluster_id)
        return self.answer

    def run(self, *, check: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {
            "log_dirs": [str(path) for path in self.log_dirs],
            "node_id": 1,
            "manifest": str(self.manifest),
            "config": "/etc/kafka/server.properties",
            "libs": "/opt/kafka/current/libs",
            "_ansible_check_mode": check,
            **options,
        }
        with patch_module_args(arguments), pytest.raises(SystemExit):
            kraft_format.main()
        return json.loads(self.capsys.readouterr().out)

    def refuses(self, **options: Any) -> str:
        """The sentence, after a proof that neither the real run nor check mode touched anything."""
        before = everything_below(self.root)
        checked, result = self.run(check=True, **options), self.run(**options)
        assert checked["failed"]
        assert result["failed"]
        assert checked["msg"] == result["msg"]
        assert everything_below(self.root) == before
        assert self.commands == []
        return result["msg"]


@pytest.fixture
def node(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    return Node(tmp_path, capsys, monkeypatch)


# --- the cluster id


def test_a_drawn_cluster_id_is_one_and_never_looks_like_an_option() -> None:
    drawn = {new_cluster_id() for _draw in range(2000)}
    assert len(drawn) == 2000
    assert all(is_cluster_id(one) and not one.startswith("-") for one in drawn)


@pytest.mark.parametrize("text", [OURS, "_" + OURS[1:], "-" + OURS[1:]])
def test_a_uuid_in_url_safe_base64_is_a_cluster_id(text: str) -> None:
    assert is_cluster_id(text)


@pytest.mark.parametrize(
    "text", ["", "None", OURS[:-1], OURS + "A", "+" + OURS[1:], "/" + OURS[1:], "ä" + OURS[1:], OURS + "\n"]
)
def test_another_text_is_no_cluster_id(text: str) -> None:
    assert not is_cluster_id(text)


# --- what is on disk


def test_the_identity_is_read_from_what_storage_tool_writes(tmp_path: Path) -> None:
    assert read_identity(str(formatted(tmp_path, OURS, 7))) == Identity(OURS, 7)


def test_an_empty_and_a_missing_directory_have_no_identity(tmp_path: Path) -> None:
    assert read_identity(str(tmp_path)) is None
    assert read_identity(str(tmp_path / "missing")) is None


def test_a_cluster_id_that_stands_in_a_comment_only_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "meta.properties").write_text(f"#cluster.id={OURS}\nnode.id=1\n")
    with pytest.raises(FormatError, match=r"cluster\.id"):
        read_identity(str(tmp_path))


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 100, b"cluster.id=x\nnode.id=one\n", b"node.id=1\n", b"\xff\xfe\x80=\xff"]
)
def test_a_damaged_meta_properties_is_refused_and_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "meta.properties").write_bytes(content)
    with pytest.raises(FormatError, match=f"{tmp_path}/meta.properties.*nothing was changed"):
        read_identity(str(tmp_path))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe\x80",
        b'{"node_id": 1}',
        b'{"cluster_id": null, "node_id": 1, "log_dirs": []}',
        b'{"cluster_id": "", "node_id": 1, "log_dirs": []}',
        b'{"cluster_id": "' + OURS.encode() + b'", "node_id": "one", "log_dirs": []}',
        b'{"cluster_id": "' + OURS.encode() + b'", "node_id": 1}',
    ],
)
def test_a_damaged_manifest_is_refused_and_named(tmp_path: Path, content: bytes) -> None:
    manifest = tmp_path / "identity.json"
    manifest.write_bytes(content)
    with pytest.raises(FormatError, match=f"{manifest}.*nothing was changed"):
        read_manifest(str(manifest))


def test_a_manifest_is_read_as_it_was_written_and_leaves_no_other_file(tmp_path: Path) -> None:
    manifest = tmp_path / "identity.json"
    write_manifest(str(manifest), Manifest(Identity(THEIRS, 1), []))
    write_manifest(str(manifest), Manifest(Identity(OURS, 3), ["/a"]))
    assert read_manifest(str(manifest)) == Manifest(Identity(OURS, 3), ["/a"])
    assert stat.S_IMODE(manifest.stat().st_mode) == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["identity.json"]


def test_what_a_killed_format_leaves_is_not_foreign(tmp_path: Path) -> None:
    metadata = tmp_path / "__cluster_metadata-0"
    metadata.mkdir()
    names = ["bootstrap.checkpoint.tmp", "bootstrap.checkpoint", "meta.properties.tmp", ".lock"]
    for path in [*(tmp_path / name for name in names), metadata / "00000000000000000000-0000000000.checkpoint"]:
        path.touch()
    assert foreign_entries(str(tmp_path)) == []


@pytest.mark.parametrize(
    "path", ["telemetry-0/00000000000000000000.log", "letter.txt", "__cluster_metadata-0/00000000000000000000.log"]
)
def test_records_and_other_files_are_foreign(tmp_path: Path, path: str) -> None:
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).touch()
    expected = path if path.startswith("__") else path.partition("/")[0]
    assert foreign_entries(str(tmp_path)) == [expected]


def test_all_that_is_foreign_is_named(tmp_path: Path) -> None:
    (tmp_path / "__cluster_metadata-0").mkdir()
    for name in ("letter.txt", "__cluster_metadata-0/00000000000000000000.log"):
        (tmp_path / name).touch()
    assert foreign_entries(str(tmp_path)) == ["__cluster_metadata-0/00000000000000000000.log", "letter.txt"]


def test_a_directory_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert foreign_entries(str(tmp_path / "missing")) == []


# --- the plan


def test_a_bare_node_gets_a_manifest_and_a_format() -> None:
    todo = plan(Identity("", 1), None, MANIFEST, {"/a": None, "/b": None}, {"/a": [], "/b": []})
    assert todo == Plan(Identity("", 1), write_manifest=True, unformatted=["/a", "/b"], fresh=True)


def test_a_node_that_has_its_identity_is_left_alone() -> None:
    ours = Identity(OURS, 1)
    todo = plan(Identity("", 1), Manifest(ours, ["/a"]), MANIFEST, {"/a": ours}, {})
    assert todo == Plan(ours, write_manifest=False, unformatted=[], fresh=False)


def test_an_interrupted_format_resumes_with_the_identity_of_the_manifest() -> None:
    ours = Identity(OURS, 1)
    todo = plan(Identity("", 1), Manifest(ours, []), MANIFEST, {"/a": None}, {"/a": []})
    assert todo == Plan(ours, write_manifest=True, unformatted=["/a"], fresh=True)


def test_a_directory_whose_disk_is_not_mounted_is_not_formatted() -> None:
    manifest = Manifest(Identity(OURS, 1), ["/a"])
    with pytest.raises(FormatError, match="/a was formatted for this node and is empty now"):
        plan(Identity("", 1), manifest, MANIFEST, {"/a": None}, {"/a": []})


def test_a_directory_that_others_replace_is_refused() -> None:
    manifest = Manifest(Identity(OURS, 1), ["/a"])
    with pytest.raises(FormatError, match="/a was formatted for this node and is no longer listed"):
        plan(Identity("", 1), manifest, MANIFEST, {"/b": None}, {"/b": []})


def test_a_directory_that_is_dropped_is_refused() -> None:
    ours = Identity(OURS, 1)
    with pytest.raises(FormatError, match="/b was formatted for this node and is no longer listed"):
        plan(Identity("", 1), Manifest(ours, ["/a", "/b"]), MANIFEST, {"/a": ours}, {})


def test_a_directory_that_was_moved_with_its_files_is_taken() -> None:
    ours = Identity(OURS, 1)
    todo = plan(Identity("", 1), Manifest(ours, ["/a"]), MANIFEST, {"/ssd": ours}, {})
    assert todo == Plan(ours, write_manifest=True, unformatted=[], fresh=False)


def test_a_chosen_cluster_id_is_formatted_with() -> None:
    todo = plan(Identity(OURS, 1), None, MANIFEST, {"/a": None}, {"/a": []})
    assert todo == Plan(Identity(OURS, 1), write_manifest=True, unformatted=["/a"], fresh=True)


def test_a_named_cluster_is_adopted_by_a_manifest_alone() -> None:
    todo = plan(Identity(THEIRS, 1), None, MANIFEST, {"/a": Identity(THEIRS, 1)}, {})
    assert todo == Plan(Identity(THEIRS, 1), write_manifest=True, unformatted=[], fresh=False)


def test_a_cluster_id_that_is_none_is_refused() -> None:
    with pytest.raises(FormatError, match="kraft_broker_cluster_id=mine is no cluster id"):
        plan(Identity("mine", 1), None, MANIFEST, {"/a": None}, {})


def test_a_formatted_directory_without_a_manifest_is_not_adopted_unasked() -> None:
    with pytest.raises(FormatError, match=f"/a/meta.properties.*set kraft_broker_cluster_id={THEIRS}"):
        choose_identity(Identity("", 1), None, MANIFEST, {"/a": Identity(THEIRS, 1)})


def test_two_directories_of_different_clusters_are_refused() -> None:
    found = {"/a": Identity(OURS, 1), "/b": Identity(THEIRS, 1)}
    with pytest.raises(FormatError, match=f"/b/meta.properties says {THEIRS}, {MANIFEST} says {OURS}"):
        choose_identity(Identity("", 1), Manifest(Identity(OURS, 1), []), MANIFEST, found)


def test_a_manifest_that_contradicts_the_inventory_is_refused_before_anything_is_formatted() -> None:
    with pytest.raises(FormatError, match=f"{MANIFEST} says {OURS}, the inventory says {THEIRS}"):
        choose_identity(Identity(THEIRS, 1), Manifest(Identity(OURS, 1), []), MANIFEST, {"/a": None})


def test_a_node_id_of_the_manifest_counts_too() -> None:
    with pytest.raises(FormatError, match=f"{MANIFEST} says 1, the inventory says 2"):
        choose_identity(Identity("", 2), Manifest(Identity(OURS, 1), []), MANIFEST, {"/a": None})


@pytest.mark.parametrize("holders", [["a"], []])
def test_metadata_in_the_first_directory_or_nowhere_is_in_order(tmp_path: Path, holders: list[str]) -> None:
    for name in holders:
        (tmp_path / name / "__cluster_metadata-0").mkdir(parents=True)
    check_order([str(tmp_path / "a"), str(tmp_path / "b")])


def test_metadata_in_two_directories_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "__cluster_metadata-0").mkdir(parents=True)
    with pytest.raises(FormatError, match="both hold a cluster's metadata"):
        check_order([str(tmp_path / "a"), str(tmp_path / "b")])


# --- the whole module


def test_a_bare_node_is_formatted_once_with_the_identity_of_its_manifest(node: Node) -> None:
    first = node.run()
    assert first["changed"]
    assert first["formatted"] == [str(node.log_dirs[0])]
    assert first["diff"]["before"] == {"manifest": None, "log_dirs": {str(node.log_dirs[0]): None}}
    identity = {"cluster_id": first["cluster_id"], "node_id": 1}
    manifest = {**identity, "log_dirs": [str(node.log_dirs[0])]}
    assert first["diff"]["after"] == {"manifest": manifest, "log_dirs": {str(node.log_dirs[0]): identity}}
    assert json.loads(node.manifest.read_text()) == manifest
    assert node.seen_manifest == Manifest(Identity(**identity), []), (
        "the manifest must be there before the format starts"
    )

    before = everything_below(node.root)
    second = node.run()
    assert not second["changed"]
    assert second["cluster_id"] == first["cluster_id"]
    assert second["diff"]["before"] == second["diff"]["after"]
    assert everything_below(node.root) == before
    assert len(node.commands) == 1


def test_check_mode_says_what_would_be_done_and_writes_nothing(node: Node) -> None:
    result = node.run(check=True)
    assert result["changed"]
    assert result["formatted"] == [str(node.log_dirs[0])]
    assert result["cluster_id"] == ""
    assert everything_below(node.root) == {}
    assert node.commands == []


def test_the_format_is_run_by_the_owner_of_the_directories(node: Node) -> None:
    node.run(user="someone")
    command = node.commands[0]
    assert command[: command.index("java")] == ["runuser", "-u", "someone", "--"]


def test_a_foreign_cluster_id_is_refused_with_both_values(node: Node) -> None:
    write_manifest(str(node.manifest), Manifest(Identity(OURS, 1), []))
    formatted(node.log_dirs[0], THEIRS)
    sentence = node.refuses()
    assert f"{node.log_dirs[0]}/meta.properties says {THEIRS}" in sentence
    assert f"{node.manifest} says {OURS}" in sentence


def test_a_foreign_node_id_is_refused_with_both_values(node: Node) -> None:
    write_manifest(str(node.manifest), Manifest(Identity(OURS, 1), []))
    formatted(node.log_dirs[0], OURS, node_id=7)
    assert f"{node.log_dirs[0]}/meta.properties says 7, the inventory says 1" in node.refuses()


def test_records_without_meta_properties_are_refused(node: Node) -> None:
    write_manifest(str(node.manifest), Manifest(Identity(OURS, 1), []))
    (node.log_dirs[0] / "telemetry-0").mkdir()
    (node.log_dirs[0] / "telemetry-0" / "00000000000000000000.log").write_bytes(b"record")
    assert "is not empty and has no meta.properties: it holds telemetry-0" in node.refuses()


def test_an_unreadable_manifest_is_refused(node: Node) -> None:
    node.manifest.write_text("{")
    formatted(node.log_dirs[0])
    assert f"Cannot read the identity of this node in {node.manifest}" in node.refuses()


def test_a_directory_in_the_place_of_the_manifest_is_refused_in_a_sentence(node: Node) -> None:
    node.manifest.mkdir()
    formatted(node.log_dirs[0])
    assert "Nothing was formatted." in node.refuses()


def test_a_directory_added_to_a_formatted_node_gets_the_same_identity(node: Node) -> None:
    cluster_id = node.run()["cluster_id"]
    (node.log_dirs[0] / "__cluster_metadata-0").mkdir()
    before = everything_below(node.log_dirs[0])
    node.log_dirs.append(node.root / "b")
    node.log_dirs[1].mkdir()
    result = node.run()
    assert result["changed"]
    assert result["formatted"] == [str(node.log_dirs[1])]
    assert read_identity(str(node.log_dirs[1])) == Identity(cluster_id, 1)
    assert everything_below(node.log_dirs[0]) == before
    assert "--ignore-formatted" in node.commands[-1]


def test_a_new_directory_before_the_one_with_the_metadata_is_refused(node: Node) -> None:
    write_manifest(str(node.manifest), Manifest(Identity(OURS, 1), []))
    formatted(node.log_dirs[0])
    (node.log_dirs[0] / "__cluster_metadata-0").mkdir()
    node.log_dirs.insert(0, node.root / "b")
    node.log_dirs[0].mkdir()
    assert f"Put {node.log_dirs[1]} first" in node.refuses()


def test_a_format_that_fails_says_why_and_keeps_the_identity_for_the_next_run(node: Node) -> None:
    node.answer = (1, "Formatting ...\n", 'Exception in thread "main" a.B: Invalid value abc\n\tat a.B.c(B.java:1)\n')
    failed = node.run()
    assert "(exit code 1): a.B: Invalid value abc " in failed["msg"]
    kept = read_manifest(str(node.manifest))
    assert kept is not None
    node.answer = (0, "", "")
    assert node.run()["cluster_id"] == kept.identity.cluster_id


def test_a_format_that_claims_success_and_did_nothing_is_a_failure(node: Node) -> None:
    elsewhere = node.log_dirs
    node.log_dirs = []
    assert "although StorageTool said so" in node.run(log_dirs=[str(path) for path in elsewhere])["msg"]


def test_a_node_is_recorded_before_it_is_formatted(node: Node) -> None:
    recorded = node.run(state="recorded", cluster_id=OURS)
    assert (recorded["changed"], recorded["recorded"], recorded["fresh"], recorded["formatted"]) == (
        True,
        False,
        True,
        [],
    )
    manifest = {"cluster_id": OURS, "node_id": 1, "log_dirs": []}
    assert recorded["diff"]["before"]["manifest"] is None
    assert recorded["diff"]["after"] == {"manifest": manifest, "log_dirs": {str(node.log_dirs[0]): None}}
    assert json.loads(node.manifest.read_text()) == manifest
    assert node.commands == []
    again = node.run(state="recorded")
    assert (again["changed"], again["recorded"], again["cluster_id"]) == (False, True, OURS)
    assert again["diff"]["before"] == again["diff"]["after"]
    assert node.run()["cluster_id"] == OURS
    assert json.loads(node.manifest.read_text())["log_dirs"] == [str(node.log_dirs[0])]


def test_the_directory_with_the_metadata_is_named_as_the_quorum_knows_it(node: Node) -> None:
    assert node.run(check=True)["directory_id"] == ""
    assert node.run()["directory_id"] == DIRECTORY_ID
    assert node.run(check=True)["directory_id"] == DIRECTORY_ID


def test_of_several_directories_the_first_has_the_metadata(node: Node) -> None:
    node.run()
    node.log_dirs.append(node.root / "b")
    node.log_dirs[1].mkdir()
    other = META_PROPERTIES.format(1, node.run()["cluster_id"]).replace(DIRECTORY_ID, "other")
    (node.log_dirs[1] / "meta.properties").write_text(other)
    assert node.run(check=True)["directory_id"] == DIRECTORY_ID


def test_recording_draws_an_id_where_none_is_given(node: Node) -> None:
    assert node.run(check=True, state="recorded")["changed"]
    assert not node.manifest.exists()
    assert is_cluster_id(node.run(state="recorded")["cluster_id"])


@pytest.mark.parametrize("state", ["recorded", "formatted"])
def test_a_node_that_joins_draws_no_id_of_its_own(node: Node, state: str) -> None:
    """It would be a stranger to its cluster for ever."""
    assert "was told no cluster id to join" in node.run(founds=False, state=state)["msg"]
    assert everything_below(node.root) == {}


def test_an_interrupted_format_of_two_directories_still_founds(node: Node) -> None:
    """The tool got to the second directory first; without the metadata in the first one there is no voter yet."""
    node.log_dirs.append(node.root / "b")
    node.log_dirs[1].mkdir()
    write_manifest(str(node.manifest), Manifest(Identity(OURS, 1), []))
    formatted(node.log_dirs[1])
    assert node.run()["fresh"]
    assert "--standalone" in node.commands[-1]


def test_a_formatted_node_that_is_recorded_again_stays_as_it_is(node: Node) -> None:
    node.run()
    before = everything_below(node.root)
    assert not node.run(state="recorded")["changed"]
    assert everything_below(node.root) == before


@pytest.mark.parametrize(
    ("founds", "option"), [(True, "--standalone"), (False, "--no-initial-controllers")], ids=["founds", "joins"]
)
def test_one_node_founds_the_quorum_and_the_others_join(node: Node, founds: bool, option: str) -> None:
    node.run(founds=founds, cluster_id=OURS)
    assert [word for word in node.commands[0] if word in ("--standalone", "--no-initial-controllers")] == [option]


def test_a_node_with_records_founds_nothing(node: Node) -> None:
    node.run()
    (node.log_dirs[0] / "__cluster_metadata-0").mkdir()
    node.log_dirs.append(node.root / "b")
    node.log_dirs[1].mkdir()
    node.run()
    assert "--no-initial-controllers" in node.commands[-1]


def test_what_an_interrupted_format_left_is_removed_before_the_next(node: Node) -> None:
    """A snapshot that names this node as the only voter would make it lead a quorum of its own."""
    metadata = node.log_dirs[0] / "__cluster_metadata-0"
    metadata.mkdir()
    (metadata / "00000000000000000000-0000000000.checkpoint").write_bytes(b"voters")
    (node.log_dirs[0] / "bootstrap.checkpoint").write_bytes(b"metadata")
    node.run(founds=False, cluster_id=OURS)
    assert sorted(path.name for path in node.log_dirs[0].iterdir()) == ["meta.properties"]


@pytest.mark.parametrize("missing", ["config", "libs"])
def test_a_format_without_the_options_it_needs_is_refused_before_a_manifest_is_written(
    node: Node, missing: str
) -> None:
    assert "config and libs are needed" in node.run(**{missing: None})["msg"]
    assert everything_below(node.root) == {}
    assert node.run(check=True, **{missing: None})["changed"], "comparing needs neither"


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (
            "Formatting /a\nError while writing meta.properties file /a: no space\n",
            "Error while writing meta.properties file /a: no space",
        ),
        ('Exception in thread "main" a.B: wrong\n\tat a.B.c(B.java:1)\n', "a.B: wrong"),
        ("a.B: outer\n\tat a.B.c(B.java:1)\nCaused by: a.D: inner\n\tat a.D.e(D.java)\n\t... 5 more\n\n", "a.D: inner"),
        ("\n", "no output"),
    ],
)
def test_the_reason_is_not_a_stack_frame(output: str, said: str) -> None:
    assert reason(output) == said
