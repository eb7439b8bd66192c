"""A difference is said in lines that a person can act on."""

from tests.hosts.snapshot import difference

FILE = {"type": "file", "mode": "0644", "sha256": "aa"}


def test_equal_snapshots_do_not_differ() -> None:
    assert difference({"files": {"/a": FILE}}, {"files": {"/a": dict(FILE)}}) == []


def test_what_came_and_went_is_named() -> None:
    assert difference({"files": {"/a": FILE}}, {"files": {"/b": FILE}}) == ["files: - /a", "files: + /b"]


def test_only_what_changed_is_said() -> None:
    before, after = {"files": {"/a": FILE}}, {"files": {"/a": {**FILE, "mode": "0600", "sha256": "bb"}}}
    assert difference(before, after) == ["files: /a: mode 0644 -> 0600, sha256 aa -> bb"]


def test_a_property_that_came_is_said() -> None:
    before, after = {"files": {"/a": FILE}}, {"files": {"/a": {**FILE, "target": "b"}}}
    assert difference(before, after) == ["files: /a: target None -> b"]


def test_a_section_on_one_side_differs() -> None:
    assert difference({}, {"topics": {"telemetry": "x"}}) == ["topics: + telemetry"]
    assert difference({"topics": {"telemetry": "x"}}, {}) == ["topics: - telemetry"]


def test_plain_values_are_compared_too() -> None:
    assert difference({"topics": {"t": 1}}, {"topics": {"t": 2}}) == ["topics: t: 1 -> 2"]
