# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: this fragment may change at any time, it is no promise to other collections.

from __future__ import annotations


class ModuleDocFragment:
    """What the modules of this collection promise about check mode, diff and a second run."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description:
      - Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
    support: full
"""

    KAFKA = r"""
attributes:
  action_group:
    description: Use C(group/raspi.kafka.kafka) in C(module_defaults) to set the connection options of all modules once.
    support: full
    membership:
      - raspi.kafka.kafka
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: full
"""

    INFO_MODULE = r"""
attributes:
  action_group:
    description: Use C(group/raspi.kafka.kafka) in C(module_defaults) to set the connection options of all modules once.
    support: full
    membership:
      - raspi.kafka.kafka
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
    support: full
    details:
      - This module changes nothing.
  diff_mode:
    description:
      - Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
    support: N/A
    details:
      - This module changes nothing.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: full
    details:
      - This module changes nothing.
"""
