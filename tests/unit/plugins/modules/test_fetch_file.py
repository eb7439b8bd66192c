"""Downloads from a real server of this test's own, on loopback."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ansible_collections.raspi.kafka.plugins.modules.fetch_file import FetchError, run, total_of

CONTENT = bytes(range(256)) * 4000
SUM = hashlib.sha512(CONTENT).hexdigest()


class Server(BaseHTTPRequestHandler):
    """Serves CONTENT; with `ranges` also a part of it, with `cut` only so many bytes at a time."""

    ranges = True
    cut = len(CONTENT)
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.asked.append(wanted)
        if self.path != "/kafka.tgz":
            self.send_error(404)
            return
        offset = int(wanted[6:-1]) if wanted and self.ranges else 0
        if offset >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if offset else 200)
        self.send_header("Content-Length", str(len(CONTENT) - offset))
        self.end_headers()
        self.wfile.write(CONTENT[offset : offset + self.cut])

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[type[Server]]:
    kind: type[Server] = type("OwnServer", (Server,), {"asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
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


def test_a_download_that_broke_off_goes_on(server: type[Server], tmp_path: Path) -> None:
    dest = tmp_path / "kafka.tgz"
    server.cut = 300_000
    assert "is downloaded, 0 of 1 MB" in fetch(server, dest)["waits_for"]
    assert not dest.exists()
    server.cut = len(CONTENT)
    assert fetch(server, dest)["done"]
    assert dest.read_bytes() == CONTENT
    assert server.asked == ["", "bytes=300000-"]


def test_a_server_without_ranges_starts_anew(server: type[Server], tmp_path: Path) -> None:
    (tmp_path / "kafka.tgz.part").write_bytes(b"something else")
    server.ranges = False
    assert fetch(server, tmp_path / "kafka.tgz")["done"]
    assert (tmp_path / "kafka.tgz").read_bytes() == CONTENT


def test_a_part_that_is_all_of_it_is_taken(server: type[Server], tmp_path: Path) -> None:
    (tmp_path / "kafka.tgz.part").write_bytes(CONTENT)
    assert fetch(server, tmp_path / "kafka.tgz")["done"]


def test_a_wrong_sum_is_refused_and_nothing_of_it_is_kept(server: type[Server], tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=f"its sha512 is {SUM}, wanted is {'0' * 128}"):
        fetch(server, tmp_path / "kafka.tgz", sha512="0" * 128)
    assert list(tmp_path.iterdir()) == []


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
