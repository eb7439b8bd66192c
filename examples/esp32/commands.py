"""Commands to the device: what each is answered, once, however often it comes."""

import json

# The gateway hands over 16 that are not answered, and may hand them over again behind 16 others.
LATELY = 32
# What fits beside the topic of the longest name (mqtt.py).
FITS_BYTES = 440
SHORTEST_S, LONGEST_S = 0.1, 3600


class Commands:
    """Judges commands.

    :param state: {"interval_s": seconds, "answered": [[id, answer], ...]}, changed in place.
    :param save: called when the state has to outlast a restart.
    """

    def __init__(self, device: str, state: dict, save: object) -> None:
        self._device = device
        self._state = state
        self._save = save

    def answer(self, payload: bytes, now_ns: "int | None") -> "str | None":
        """Do a command; return its answer as JSON, None if it is none that could be answered."""
        try:
            said = json.loads(payload)
            command_id, command = said["id"], said["command"]
        except (ValueError, KeyError, TypeError):
            return None
        if not isinstance(command_id, str):
            return None
        for known, answer in self._state["answered"]:
            if known == command_id:
                return answer
        told = {"id": command_id, "device": self._device, "command": command}
        told.update(self._judge(said, now_ns))
        if now_ns is not None:
            told["ts_ns"] = now_ns
        answer = json.dumps(told)
        self._state["answered"] = self._state["answered"][1 - LATELY :] + [[command_id, answer]]
        # Done twice over a restart a ping does no harm, and the flash is spared.
        if told["status"] == "done" and command != "ping":
            self._save()
        return answer

    def too_long(self, cut: bytes, now_ns: "int | None") -> "str | None":
        """Refuse a command of which only the beginning fits into memory; return None if that has no id.

        It is not remembered: it is refused however often it comes.
        """
        command_id = id_of(cut)
        if command_id is None:
            return None
        told = {"id": command_id, "device": self._device}
        told.update(refused(f"it is too long: {FITS_BYTES} bytes fit on this device"))
        if now_ns is not None:
            told["ts_ns"] = now_ns
        return json.dumps(told)

    def _judge(self, said: dict, now_ns: "int | None") -> dict:
        """Return status and reason."""
        expires_ms = said.get("expires_ms")
        if expires_ms is not None:
            if not isinstance(expires_ms, (int, float)):
                return refused("expires_ms is no number")
            # Without the time it relies on the gateway, which gives out nothing that has expired.
            if now_ns is not None and now_ns // 1000000 > expires_ms:
                return {"status": "expired"}
        if said["command"] == "ping":
            return {"status": "done"}
        if said["command"] == "interval":
            return self._interval(said.get("args"))
        return refused("there is no such command; there are ping and interval")

    def _interval(self, args: object) -> dict:
        seconds = args.get("seconds") if isinstance(args, dict) else None
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not SHORTEST_S <= seconds <= LONGEST_S:
            return refused(f"seconds must be a number from {SHORTEST_S} to {LONGEST_S}")
        self._state["interval_s"] = seconds
        return {"status": "done", "seconds": seconds}


def id_of(cut: bytes) -> "str | None":
    """Return the id of a command of which the end is missing; None unless it stands first, as a gateway writes it."""
    start = cut.find(b'"', 6)
    if not cut.startswith(b'{"id":') or cut[6:start].strip():
        return None
    end = cut.find(b'"', start + 1)
    while end > 0:
        try:
            return json.loads(cut[start : end + 1]) or None
        except ValueError:  # this quote is a part of the id
            end = cut.find(b'"', end + 1)
    return None


def refused(reason: str) -> dict:
    """Return a refusal."""
    return {"status": "refused", "reason": reason}
