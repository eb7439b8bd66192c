"""A way to a server on which what the server says can be held back."""

from __future__ import annotations

import contextlib
import socket
import threading


class Gate:
    """Lets all through until it is told otherwise.

    :ivar port: on loopback, for whom it stands between.
    """

    def __init__(self, server: int) -> None:
        self._server = server
        self._last = b""
        self._open = threading.Event()
        self._open.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def hold_after(self, last: bytes) -> None:
        """Let nothing more through from the server after what has this in it."""
        self._last = last

    def release(self) -> None:
        """Let all through again."""
        self._last = b""
        self._open.set()

    def close(self) -> None:
        self.release()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the end of the test
            while True:
                client = self._listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", self._server))
                for pump in (self._up, self._down):
                    threading.Thread(target=pump, args=(client, server), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError), server:
            while data := client.recv(65536):
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)

    def _down(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            while data := server.recv(65536):
                self._open.wait()
                if self._last and self._last in data:
                    self._open.clear()
                client.sendall(data)
