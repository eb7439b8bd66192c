"""What the service of commands counts, as plain numbers: nothing is formatted before somebody asks."""

from __future__ import annotations

from collections import Counter


class Counters:
    """All that is counted from the start of the process on.

    :ivar handed_over: given to the MQTT server for a session; again ones too.
    :ivar no_session: tries that found nobody who gets it.
    :ivar answered: commands that an answer has finished.
    :ivar refused: commands of which this gateway has told that too many wait for their device.
    :ivar answers: by status, of all gateways; without those from before the start.
    :ivar dead_lettered: by error.
    :ivar errors: by code of Kafka.
    """

    def __init__(self) -> None:
        self.taken = 0
        self.handed_over = 0
        self.no_session = 0
        self.answered = 0
        self.expired = 0
        self.refused = 0
        self.unreadable = 0
        self.answers: Counter[str] = Counter()
        self.dead_lettered: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
