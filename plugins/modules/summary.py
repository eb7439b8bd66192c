#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: summary
short_description: Print what a play did, as plain lines
version_added: 0.1.0
description:
  - Prints the report of one host as lines that a person reads, under any callback, and writes it as JSON for machines.
  - This is an action plugin; it runs on the control node.
author:
  - raspi.kafka contributors (@raspi-kafka)
options:
  report:
    description: What is known of the host. A key that is missing or empty prints no line.
    type: dict
    required: true
    suboptions:
      title:
        description: The first line.
        type: str
        required: true
      facts:
        description: Lines of a label and a text.
        type: dict
        default: {}
      proofs:
        description:
          - Results of M(raspi.kafka.produce_consume), M(raspi.kafka.publish_consume) and M(raspi.kafka.raise_resolve)
            by what they prove.
        type: dict
        default: {}
      warnings:
        description: Sentences; empty ones are left out.
        type: list
        elements: str
        default: []
      next_commands:
        description: Commands that the reader may type next.
        type: list
        elements: str
        default: []
  path:
    description: File on the control node for the report as JSON.
    type: path
    required: true
extends_documentation_fragment:
  - raspi.kafka._attributes
attributes:
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: Say what was done
  raspi.kafka.summary:
    report:
      title: pi1 is a Kafka gateway
      facts:
        for clients: 192.168.1.50:9092
    path: /home/me/.cache/raspi-kafka/summary/pi1.json
"""

RETURN = r"""
path:
  description: The file that holds the report as JSON.
  type: str
  returned: success
  sample: /home/me/.cache/raspi-kafka/summary/pi1.json
"""
