# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: this module util may change at any time, its names are no promise to other collections.

"""What stands in the log directories of this host, without the broker and without kafka-python."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.raspi.kafka.plugins.module_utils._properties import properties

# The file that is there to be deleted when the disk is full.
BALLAST = "ballast"


def bytes_of(path: str) -> int:
    """What a file, or all files below a directory, take on the disk; a file that is deleted meanwhile takes nothing."""
    names = [os.path.join(folder, name) for folder, _folders, files in os.walk(path) for name in files]
    total = 0
    for name in names or [path]:
        try:
            total += os.lstat(name).st_blocks * 512
        except FileNotFoundError:
            continue
    return total


def meta_properties(log_dir: str) -> dict[str, str] | None:
    """meta.properties of a log directory; None if it is not formatted, or not on this host.

    :raises OSError: the file cannot be read.
    """
    try:
        text = (Path(log_dir) / "meta.properties").read_text(encoding="latin-1")  # as java.util.Properties reads it
    except (FileNotFoundError, NotADirectoryError):
        return None
    return properties(text)
