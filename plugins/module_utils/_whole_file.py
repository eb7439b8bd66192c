# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: this module util may change at any time, its names are no promise to other collections.

"""A file that is there as a whole or not at all."""

from __future__ import annotations

import os
import tempfile


def write_whole(path: str, content: bytes, mode: int, ids: tuple[int, int] | None = None) -> None:
    """Write a file beside its place, then give it its name; what was begun is removed where it fails.

    :param ids: user and group that own it; those of this process where they are left out.
    :raises OSError: it cannot be written, or not be given.
    """
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".", suffix=".new")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            if ids:
                os.fchown(file.fileno(), *ids)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
