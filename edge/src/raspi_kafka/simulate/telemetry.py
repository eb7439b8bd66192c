"""What a device says.

{"device": NAME, "seq": NUMBER, "run": RUN, "ts_ns": UNIX TIME, "temperature": DEGREES CELSIUS, "cpu": PERCENT,
"bye": true}

`run` is there if the run has a name, and `bye` in the last message alone.
"""

from __future__ import annotations

import copy
import functools
import json
from typing import TYPE_CHECKING

from .values import MASK

if TYPE_CHECKING:
    from .values import Traits, Values

NUMBERED = b'{"device":%b,"seq":%d'
MEASURED = b',"ts_ns":%d,"temperature":%.1f,"cpu":%.1f'
BYE = b',"bye":true'
# Degrees by which a planted spike is above what the device measures: no value of its own comes near (values.py).
SPIKE = 100.0
# Its multiples are spread evenly over 32 bits however many there are (Knuth, TAOCP 3, 6.4), so that a share of them is
# the same share of the messages of any run.
GOLDEN = 0x9E3779B1
BITS_32 = 0xFFFFFFFF


class Telemetry:
    """Makes the payloads of a device.

    :param bad: share of payloads that are cut, from 0 to 1; they still name the device, the number and the run.
    :param run: letters, digits, hyphens and points; if it is empty, payloads don't name the run.
    """

    __slots__ = ("_bad_below", "_device", "_form", "_mean", "_place", "_run", "_skew_ns", "_values")

    def __init__(self, device: str, traits: Traits, values: Values, bad: float, run: str = "") -> None:
        self._device = json.dumps(device).encode()
        self._run = run
        self._form = form(run, b"")
        self._place = traits.place
        self._mean = traits.mean
        self._skew_ns = traits.skew_ns
        self._values = values
        self._bad_below = round(bad * (BITS_32 + 1))

    def payload(self, number: int, unix_ns: int, day: float) -> bytes:
        """Return the payload of a message.

        :param unix_ns: the right time.
        :param day: values.day_curve() of it.
        """
        at = (self._place + number) & MASK
        values = self._values
        temperature = self._mean + day + values.warmth[at]
        whole = self._form % (self._device, number, unix_ns + self._skew_ns, temperature, values.load[at])
        if self._bad_below and ((self._place << 20) + number * GOLDEN) & BITS_32 < self._bad_below:
            return whole[: whole.rindex(b'ature"')]
        return whole

    def spiking(self) -> Telemetry:
        """Return what makes the payloads of a planted spike; none of them is cut, since all are to be found."""
        made = self._whole()
        made._mean += SPIKE
        return made

    def last(self) -> Telemetry:
        """Return what makes the last payload; it is not cut, or the device would be silent without a word."""
        made = self._whole()
        made._form = form(self._run, BYE)
        return made

    def _whole(self) -> Telemetry:
        made = copy.copy(self)
        made._bad_below = 0
        return made


@functools.cache
def form(run: str, end: bytes) -> bytes:
    """Return how a payload is made of its values; the run is in it, so that no message takes longer for it."""
    return NUMBERED + (b',"run":"%b"' % run.encode() if run else b"") + MEASURED + end + b"}"
