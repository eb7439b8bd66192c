#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: device_settings
short_description: Write the settings of a device into a file on the control node
version_added: 0.1.0
description:
  - Writes the file that the firmware in C(examples/esp32) reads, readable by its owner alone. The password of the
    device comes from the files of M(raspi.kafka.mosquitto_credentials).
  - What the file has already and this module is not told stays as it is, such as a Wi-Fi password that its owner wrote
    there.
  - Passwords never appear in the result.
  - This is an action plugin; it runs on the control node.
author:
  - raspi.kafka contributors (@raspi-kafka)
options:
  path:
    description: The file. Its folder has to be there. One that has the settings of another device is refused.
    type: path
    required: true
  device:
    description: Name of the device.
    type: str
    required: true
  brokers:
    description: Where it connects, as C(host:port); it tries one after the other.
    type: list
    elements: str
    required: true
  credentials:
    description:
      - File of M(raspi.kafka.mosquitto_credentials) that has the password of the device. In check mode it may lack it.
    type: path
    required: true
  wifi_ssid:
    description: Name of the Wi-Fi. Left out, a new file gets an empty one.
    type: str
  wifi_password:
    description: Password of the Wi-Fi. Left out, a new file gets an empty one.
    type: str
extends_documentation_fragment:
  - raspi.kafka._attributes
attributes:
  diff_mode:
    support: full
    details:
      - Of passwords it shows whether they are there.
"""

EXAMPLES = r"""
- name: Write what the board in the kitchen needs
  raspi.kafka.device_settings:
    path: credentials/kitchen.json
    device: kitchen
    brokers: ["192.168.1.50:1883"]
    credentials: "{{ inventory_dir }}/credentials/pi1.yml"
"""

RETURN = r"""
path:
  description: The file.
  type: str
  returned: success
  sample: /home/me/gateway/credentials/kitchen.json
missing:
  description: Settings that its owner has to write into the file before it goes to the board.
  type: list
  elements: str
  returned: success
  sample: [wifi_ssid, wifi_password]
"""
