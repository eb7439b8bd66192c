# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: this module util may change at any time, its names are no promise to other collections.

"""Files as java.util.Properties reads them; the encoding is latin-1."""

from __future__ import annotations


def properties(text: str) -> dict[str, str]:
    """The keys and values of a file that has one a line, without escapes; the last one of a key wins."""
    lines = (line.strip().partition("=") for line in text.splitlines())
    return {key.strip(): value.strip() for key, equals, value in lines if equals and not key.startswith(("#", "!"))}
