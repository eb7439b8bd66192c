# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.raspi.kafka.plugins.plugin_utils._repeat import RepeatingAction


class ActionModule(RepeatingAction):
    """Repeats the module of the same name, where the documentation stands."""
