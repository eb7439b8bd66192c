# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: this fragment may change at any time, it is no promise to other collections.

from __future__ import annotations


class ModuleDocFragment:
    """The options of plugins/module_utils/_kafka.py CONNECTION_ARGSPEC."""

    DOCUMENTATION = r"""
options:
  bootstrap_servers:
    description:
      - Brokers to ask first, each as C(host:port). One that answers is enough; name several so that one may be down.
      - The listener that answers decides which addresses of the other brokers are used. In a cluster of several
        brokers name the listener for the LAN, not the loopback one.
    type: list
    elements: str
    required: true
  client_id:
    description: Name of this client in the request log and in the metrics of the brokers.
    type: str
    default: raspi-kafka
  request_timeout_ms:
    description:
      - How long to wait for the first connection, for the answer to each request, and for all brokers to show what was
        changed, in milliseconds (1000 to 300000).
    type: int
    default: 30000
requirements:
  - kafka-python >= 3.0.12 for the interpreter that runs the module, or else in C(/opt/raspi-kafka/venv) on the same
    host, which is looked up without any option
"""
