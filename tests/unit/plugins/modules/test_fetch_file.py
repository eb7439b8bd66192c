"""Downloads from a real server of this test's own, on loopback."""

from __future__ import annotations

import fcntl
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ansible_collections.raspi.kafka.plugins.action.fetch_file import far
from ansible_collections.raspi.kafka.plugins.modules import fetch_file
from ansible_collections.raspi.kafka.plugins.modules.fetch_file import FetchError, run, total_of

CONTENT = bytes(range(256)) * 4000
SUM = hashlib.sha512(CONTENT).hexdigest()


class Server(BaseHTTPRequestHandler):
    """Serves `content`; with `ranges` also a part of it, and one answer after the other cut off by `cuts`."""

    ranges = True
    content = CONTENT
    cuts: ClassVar[list[int]] = []
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.asked.append(wanted)
        if self.path != "/kafka.tgz":
            self.send_error(404)
            return
        offset = int(wanted[6:-1]) if wanted and self.ranges else 0
        if offset >= len(self.content):
            self.send_error(416)
            return
        self.send_response(206 if offset else 200)
        self.send_header("Content-Length", str(len(self.content) - offset))
        self.end_headers()
        cut = self.cuts.pop(0) if self.cuts else len(self.content)
        self.wfile.write(self.content[offset : offset + cut])

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the module would sleep."""
    slept: list[float] = []
    monkeypatch.setattr(fetch_file.time, "sleep", slept.append)
    return slept


@pytest.fixture
def server() -> Iterator[type[Server]]:
    kind: type[Server] = type("OwnServer", (Server,), {"asked": [], "cuts": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        kind.url = f"http://127.0.0.1:{http.server_port}/kafka.tgz"
        yield kind
        http.shutdown()


def fetch(server: type[Server], dest: Path, **more: Any) -> dict[str, Any]:
    params = {"url": server.url, "dest": str(dest), "sha512": SUM, "limit": 60, "again": False, **more}
    return run(params, check_mode=False)


def test_a_file_is_there_whole_and_is_not_fetched_again(server: type[Server], tmp_path: Path) -> None:
    dest = tmp_path / "kafka.tgz"
    assert fetch(server, dest)["done"]
    assert dest.read_bytes() == CONTENT
    assert not fetch(server, dest)["changed"]
    assert server.asked == [""]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_download_that_breaks_off_goes_on_in_the_same_run(
    server: type[Server], tmp_path: Path, pauses: list[float]
) -> None:
    server.cuts = [300_000, 200_000]
    assert fetch(server, tmp_path / "kafka.tgz")["done"]
    assert (tmp_path / "kafka.tgz").read_bytes() == CONTENT
    assert server.asked == ["", "bytes=300000-", "bytes=500000-"]
    assert pauses == [1, 1]


def test_a_download_that_was_cut_off_goes_on_in_the_next_run(server: type[Server], tmp_path: Path) -> None:
    (tmp_path / "kafka.tgz.part").write_bytes(CONTENT[:300_000])
    assert fetch(server, tmp_path / "kafka.tgz")["done"]
    assert (tmp_path / "kafka.tgz").read_bytes() == CONTENT
    assert server.asked == ["bytes=300000-"]


def test_a_server_that_brings_nothing_more_is_given_up_and_what_came_is_kept(
    server: type[Server], tmp_path: Path, pauses: list[float]
) -> None:
    server.cuts = [300_000, *[0] * 9]
    with pytest.raises(FetchError, match="the connection broke off"):
        fetch(server, tmp_path / "kafka.tgz")
    assert pauses == [1, 2, 4, 8, 16]
    assert (tmp_path / "kafka.tgz.part").read_bytes() == CONTENT[:300_000]


def test_a_server_that_closes_before_the_first_byte_is_asked_once(server: type[Server], tmp_path: Path) -> None:
    server.cuts = [0] * 9
    with pytest.raises(FetchError, match="the connection broke off"):
        fetch(server, tmp_path / "kafka.tgz")
    assert server.asked == [""]


def test_a_download_has_a_limit(server: type[Server], tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="-1 s were not enough; run the play again, it goes on"):
        fetch(server, tmp_path / "kafka.tgz", limit=-1)
    assert 0 < (tmp_path / "kafka.tgz.part").stat().st_size < len(CONTENT)


def test_a_server_without_ranges_starts_anew_and_ends_however_long_it_takes(
    server: type[Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A download was cut into slices of time once, each a request of its own: it never ended here."""
    seconds = iter(range(0, 10_000, 10))
    monkeypatch.setattr(fetch_file.time, "monotonic", lambda: next(seconds))
    (tmp_path / "kafka.tgz.part").write_bytes(b"something else")
    server.ranges = False
    result = fetch(server, tmp_path / "kafka.tgz", limit=7200)
    assert result["done"]
    assert result["notes"] == ["The server cannot go on where a download stopped: it came from the beginning."]
    assert (tmp_path / "kafka.tgz").read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_server_without_ranges_that_always_cuts_at_one_place_is_given_up(
    server: type[Server], tmp_path: Path
) -> None:
    server.ranges, server.cuts = False, [300_000] * 9
    with pytest.raises(FetchError, match=r"broke off\. The server cannot go on where a download stopped"):
        fetch(server, tmp_path / "kafka.tgz")
    assert len(server.asked) == 6


def test_a_part_that_is_all_of_it_is_taken(server: type[Server], tmp_path: Path) -> None:
    (tmp_path / "kafka.tgz.part").write_bytes(CONTENT)
    assert fetch(server, tmp_path / "kafka.tgz")["done"]
    assert server.asked == [f"bytes={len(CONTENT)}-"]


@pytest.mark.parametrize("left", [b"x" * 1000, b"x" * (len(CONTENT) + 1)], ids=["another", "too long"])
def test_what_was_left_of_another_file_is_thrown_away_and_the_download_starts_over(
    server: type[Server], tmp_path: Path, left: bytes
) -> None:
    (tmp_path / "kafka.tgz.part").write_bytes(left)
    result = fetch(server, tmp_path / "kafka.tgz")
    assert result["notes"] == ["What was left of an earlier download is no part of kafka.tgz: it started over."]
    assert (tmp_path / "kafka.tgz").read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(left)}-", ""]


def test_a_file_that_changes_between_two_tries_is_fetched_anew(
    server: type[Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.content, server.cuts = b"old" * len(CONTENT), [300_000]
    monkeypatch.setattr(fetch_file.time, "sleep", lambda _seconds: setattr(server, "content", CONTENT))
    assert fetch(server, tmp_path / "kafka.tgz")["done"]
    assert (tmp_path / "kafka.tgz").read_bytes() == CONTENT
    assert server.asked == ["", "bytes=300000-", ""]


def test_a_wrong_sum_is_refused_and_nothing_of_it_is_kept(server: type[Server], tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=f"its sha512 is {SUM}, wanted is {'0' * 128}"):
        fetch(server, tmp_path / "kafka.tgz", sha512="0" * 128)
    assert names(tmp_path) == ["kafka.tgz.part.lock"]
    assert server.asked == [""]


def test_a_second_download_waits_for_the_first(
    server: type[Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_file, "_LOCK_SECONDS", 0)
    with (tmp_path / "kafka.tgz.part.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = fetch(server, tmp_path / "kafka.tgz")
        assert (waiting["done"], waiting["waits_for"]) == (False, "another run downloads kafka.tgz")
        assert server.asked == []
    assert fetch(server, tmp_path / "kafka.tgz")["done"]


def test_a_file_of_this_machine_is_one_too(server: type[Server], tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(CONTENT)
    assert fetch(server, tmp_path / "kafka.tgz", url=f"file://{tmp_path}/source")["done"]


def test_a_dry_run_fetches_and_writes_nothing(server: type[Server], tmp_path: Path) -> None:
    params = {"url": server.url, "dest": str(tmp_path / "kafka.tgz"), "sha512": SUM, "limit": 60, "again": False}
    assert run(params, check_mode=True)["changed"]
    assert (server.asked, names(tmp_path)) == ([], [])


def test_how_far_a_download_is_can_be_seen_from_outside(server: type[Server], tmp_path: Path) -> None:
    assert far(tmp_path / "kafka.tgz") == "kafka.tgz is downloaded"
    server.cuts = [0, 0]
    (tmp_path / "kafka.tgz.part").write_bytes(CONTENT[:600_000])
    with pytest.raises(FetchError):
        fetch(server, tmp_path / "kafka.tgz")
    assert far(tmp_path / "kafka.tgz") == "kafka.tgz is downloaded, 1 of 1 MB"


def test_a_folder_that_is_not_there_is_a_sentence(server: type[Server], tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"cannot write .*/no/kafka.tgz.part.lock on the control node: No such file"):
        fetch(server, tmp_path / "no" / "kafka.tgz")


def test_what_cannot_be_had_is_a_sentence(server: type[Server], tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="the server says 404"):
        fetch(server, tmp_path / "x", url=server.url + "x")
    with pytest.raises(FetchError, match="refused"):
        fetch(server, tmp_path / "x", url="http://127.0.0.1:1/kafka.tgz")


def test_a_damaged_file_in_the_cache_is_replaced(server: type[Server], tmp_path: Path) -> None:
    (tmp_path / "kafka.tgz").write_bytes(b"half")
    assert fetch(server, tmp_path / "kafka.tgz")["changed"]
    assert (tmp_path / "kafka.tgz").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("status", "length", "offset", "total"), [(200, "100", 0, 100), (206, "60", 40, 100), (200, None, 0, 0)]
)
def test_the_size_follows_from_the_headers(status: int, length: str | None, offset: int, total: int) -> None:
    assert total_of(status, {"Content-Length": length}, offset) == total
