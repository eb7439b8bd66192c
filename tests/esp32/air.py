"""What is between a device and its gateway: a TCP proxy whose far side can go out of reach."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading


class Air:
    """Carries bytes until it is cut; then they vanish without a word, as those of a device that left the Wi-Fi.

    :ivar port: on loopback, the same over cuts.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._cut = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Carry nothing any more."""
        self._cut.set()

    def mend(self) -> None:
        """Carry again; what was open before is reset."""
        self._cut.clear()

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def _carry(self) -> None:
        was_cut = False
        while not self._over.is_set():
            ready = self._selector.select(0.05)
            if self._cut.is_set():
                was_cut = True
                self._over.wait(0.05)
                continue
            if was_cut:
                was_cut = False
                for each in list(self._pairs):
                    self._drop(each)
                continue
            for key, _events in ready:
                with contextlib.suppress(OSError, KeyError):
                    self._serve(key.fileobj)  # type: ignore[arg-type]
        for each in [*self._pairs, self._listener]:
            each.close()

    def _serve(self, ready: socket.socket) -> None:
        if ready is self._listener:
            near = self._listener.accept()[0]
            try:
                far = socket.create_connection(("127.0.0.1", self._target), 5)
            except OSError:
                near.close()
                return
            self._pairs |= {near: far, far: near}
            for each in (near, far):
                self._selector.register(each, selectors.EVENT_READ)
            return
        data = b""
        with contextlib.suppress(OSError):
            data = ready.recv(65536)
        if data:
            self._pairs[ready].sendall(data)
        else:
            self._drop(ready)

    def _drop(self, one: socket.socket) -> None:
        if one in self._pairs:
            for each in (one, self._pairs[one]):
                self._selector.unregister(each)
                del self._pairs[each]
                each.close()
