"""Whether the clock of this computer is right."""

from __future__ import annotations

import sys

# <linux/timex.h>
TIME_ERROR = 5
STA_UNSYNC = 0x0040
LONGS_BEFORE_STATUS = 5  # modes (padded), offset, freq, maxerror, esterror
TIMEX_BYTES = 1024  # struct timex is 208 bytes on 64-bit Linux


def synchronised() -> bool:
    """Return whether the kernel says that its clock follows another one (adjtimex(2), which changes nothing here).

    systemd-timesyncd and ntpd tell it, and chronyd does with `rtcsync`, which Debian's configuration has.

    :raises OSError: it does not let itself be asked.
    :raises MemoryError: an old libffi, which ctypes is made of, wants memory that the sandbox of the unit forbids.
    """
    import ctypes  # noqa: PLC0415 - so that this costs nothing but the state of the clock

    timex = ctypes.create_string_buffer(TIMEX_BYTES)
    state = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
    if state < 0:
        raise OSError(ctypes.get_errno(), "adjtimex is refused")
    at = LONGS_BEFORE_STATUS * ctypes.sizeof(ctypes.c_long)
    status = int.from_bytes(timex.raw[at : at + 4], sys.byteorder)
    return state != TIME_ERROR and not status & STA_UNSYNC
