"""What a worker writes of its devices: JSON lines, the worker's own first, then one of each device.

{"worker": 0, "host": "name", "pid": 1, "began_ns": UNIX TIME, "qos": 1, "lag_ms": {"p50": 2.6, "p99": 5.3, "max": 9.1},
"cpu_s": 8.1, "rss_mib": 36.2, "aborted": false}
{"device": "sim-00001", "made": 9, "sent": [MS...], "acked": [MS or null...], "disconnects": 0, "refused": 0,
"resent": 0, "planted": [["spike", 3, 7]]}

`sent` and `acked` are by number of the message, in milliseconds after `began_ns`: when it was handed to the socket
first, and when PUBACK or PUBCOMP came. `acked` is empty with QoS 0. `made` is how many messages there were; one that
was never sent is in neither list. A latency counts from the moment a message was sent first: what it waited in the
device before that, for a connection or because the server's Receive Maximum was reached, is no part of it. `refused`
are connections (CONNACK) and messages (PUBACK, PUBREC) together. `lag_ms` is how late the generator made the messages
of the hold; `rss_mib` is the most that there was. `planted` has the kind of what was planted, and by number the message
with which it began (of a silence the last one before it) and the first one after it.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .device import Device


def write(directory: Path, head: dict[str, Any], devices: Iterable[Device]) -> None:
    """Write the journal of the worker of `head`; it is there whole or not at all.

    :raises OSError: it can't be written.
    """
    path = directory / f"journal-{head['worker']}.jsonl"
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as out:
        for line in (head, *map(line_of, devices)):
            out.write(json.dumps(line, separators=(",", ":")) + "\n")
    part.replace(path)


def line_of(device: Device) -> dict[str, Any]:
    """Return what is written of a device."""
    outbox = device.outbox
    return {
        "device": device.name,
        "made": outbox.made,
        "sent": [round(ms, 3) for ms in outbox.sent],
        "acked": [None if math.isnan(ms) else round(ms, 3) for ms in outbox.acked],
        "disconnects": device.disconnects,
        "refused": device.refused,
        "resent": outbox.resent,
        "planted": list(device.planted),
    }
