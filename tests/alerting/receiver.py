"""A web server that takes alerts, or does not."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.e2e.conftest import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable


class Post(NamedTuple):
    """A request."""

    headers: dict[str, str]
    said: Any

    @property
    def what(self) -> tuple[str, str]:
        """The id of the alert, and its state."""
        return self.said["id"], self.said["state"]


class Receiver:
    """Can be stopped and started again on the same port.

    :ivar answers: the status of each next request, 0 to close the connection without one; 200 once there is none.
    :ivar before_answer: is called with each request.
    """

    def __init__(self) -> None:
        (self._port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self._port}/take"
        self.posts: list[Post] = []
        self.answers: list[int] = []
        self.before_answer: Callable[[], None] = lambda: None
        self._server: ThreadingHTTPServer | None = None

    @property
    def took(self) -> list[tuple[str, str]]:
        """What each request was about."""
        return [post.what for post in self.posts]

    def start(self) -> None:
        self._server = server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler())
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.posts.append(Post(dict(self.headers), json.loads(body)))
                receiver.before_answer()
                status = receiver.answers.pop(0) if receiver.answers else 200
                if status:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                self.close_connection = True

            def log_message(self, *_about: Any) -> None:
                pass

        return Handler
