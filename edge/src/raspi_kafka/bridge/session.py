"""What the former run left: whether there was a session, and which filters it had."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from .. import durable, systemd

if TYPE_CHECKING:
    from pathlib import Path


class Known(NamedTuple):
    """A session that existed.

    :ivar filters: what it may be subscribed to; MQTT offers no way to ask (MQTT 5, 3.8).
    :ivar subscribed: what the server has granted.
    """

    client_id: str
    filters: frozenset[str]
    subscribed: frozenset[str] = frozenset()


class SessionFile:
    """Keeps a Known in the state directory of the service.

    :param directory: None keeps nothing beyond the process.
    """

    def __init__(self, directory: Path | None) -> None:
        self._path = directory / "session.json" if directory else None
        self._known: Known | None = None

    @classmethod
    def of_service(cls) -> SessionFile:
        """Return the file in the directory that systemd names."""
        return cls(systemd.directory("STATE_DIRECTORY"))

    def read(self) -> Known | None:
        """Return what is known; None if there was no session, or the file is none of ours."""
        if self._path is None:
            return self._known
        try:
            said = json.loads(self._path.read_text(encoding="utf-8"))
            return Known(said["client_id"], frozenset(said["filters"]), frozenset(said.get("subscribed", [])))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, known: Known) -> None:
        """Keep what is known by now; a power cut leaves the old or the new content.

        :raises OSError: the directory can't be written.
        """
        if known == self.read():
            return
        if self._path is None:
            self._known = known
            return
        filters = {"filters": sorted(known.filters), "subscribed": sorted(known.subscribed)}
        durable.write(self._path, json.dumps({"client_id": known.client_id, **filters}).encode())
