"""What a device does with a command: the side that docs/commands.md describes, without any connection."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from .answer import DONE, EXPIRED, REFUSED

# The service hands 16 over that are not answered, and may hand them over again.
REMEMBERED = 32
LEAST_INTERVAL_S, MOST_INTERVAL_S = 0.1, 3600.0
# 2024-01-01: a clock that is before it was never set, and says nothing about an expiry.
NO_CLOCK_BEFORE_NS = 1_704_067_200_000_000_000


class Reply(NamedTuple):
    """What comes of a message.

    :ivar answer: the payload for `answers/<device>`, QoS 1; b"" if the message has no id to answer to.
    :ivar interval_s: how often to publish from now on; None if that does not change.
    """

    answer: bytes
    interval_s: float | None = None


class RefusedCommandError(Exception):
    """A command that the device does not follow. The text says why."""


class Commands:
    """Does each command once, and answers it as often as it comes.

    :param device: its name.
    :param remembered: how many commands it knows again; the service needs 32.
    """

    def __init__(self, device: str, remembered: int = REMEMBERED) -> None:
        self._device = device
        self._remembered = remembered
        self._answers: dict[str, bytes] = {}

    def take(self, payload: bytes, now_ns: int) -> Reply:
        """Return what comes of a message.

        :param now_ns: nanoseconds since 1970.
        """
        try:
            said = json.loads(payload)
            number = said["id"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return Reply(b"")
        if not isinstance(number, str):
            return Reply(b"")
        if number in self._answers:
            return Reply(self._answers[number])
        told, interval_s = self._do(said, now_ns)
        reply = {"id": number, "device": self._device, "command": said.get("command"), **told, "ts_ns": now_ns}
        return Reply(self._remember(number, json.dumps(reply, separators=(",", ":")).encode()), interval_s)

    def _remember(self, number: str, answer: bytes) -> bytes:
        self._answers[number] = answer
        if len(self._answers) > self._remembered:
            del self._answers[next(iter(self._answers))]
        return answer

    def _do(self, said: dict[str, Any], now_ns: int) -> tuple[dict[str, Any], float | None]:
        expires_ms = said.get("expires_ms")
        if isinstance(expires_ms, int) and now_ns > NO_CLOCK_BEFORE_NS and now_ns >= expires_ms * 1_000_000:
            return {"status": EXPIRED}, None
        try:
            if said.get("command") == "ping":
                return {"status": DONE}, None
            if said.get("command") == "interval":
                interval_s = interval(said.get("args"))
                return {"status": DONE, "seconds": interval_s}, interval_s
            raise RefusedCommandError(f"this device knows no command {said.get('command')!r}")
        except RefusedCommandError as refused:
            return {"status": REFUSED, "reason": str(refused)}, None


def interval(args: Any) -> float:
    """Return the seconds of the arguments of `interval`.

    :raises RefusedCommandError: they have none.
    """
    seconds = args.get("seconds") if isinstance(args, dict) else None
    known = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not known or not LEAST_INTERVAL_S <= seconds <= MOST_INTERVAL_S:
        raise RefusedCommandError(
            f'args are {json.dumps(args)}; give {{"seconds": S}}, S from {LEAST_INTERVAL_S} to {MOST_INTERVAL_S:.0f}'
        )
    return seconds
