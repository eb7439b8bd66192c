"""The rules of alerting by which planted spikes and silences are found: those that the gateway ships.

They stand in the role's proof-rules.yml.
"""

from __future__ import annotations

from ..simulate.options import SILENCE, SPIKE

RULES = {SPIKE: "load-test-spike", SILENCE: "load-test-silent"}
SILENT_AFTER_S = 10.0
# An alert of a silence comes so much later at most: its look waits for a beat of the heartbeat, and for all partitions.
LOOK_S = 4.0
