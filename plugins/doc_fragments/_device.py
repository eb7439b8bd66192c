# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: this fragment may change at any time, it is no promise to other collections.

from __future__ import annotations


class ModuleDocFragment:
    """The options of plugins/module_utils/_mqtt_device.py DEVICE_ARGSPEC."""

    DOCUMENTATION = r"""
options:
  mqtt_host:
    description: Where the MQTT broker is.
    type: str
    required: true
  mqtt_port:
    description: Its port.
    type: int
    default: 1883
  device:
    description: The device's user name at the MQTT broker, which is the key of its records too.
    type: str
    required: true
  password:
    description: The device's password.
    type: str
    required: true
  mqtt_topic:
    description: Where the device publishes.
    type: str
    required: true
  topic:
    description: The Kafka topic in which the messages have to arrive.
    type: str
    required: true
  timeout:
    description: Seconds in which all of it has to be done (5 to 3600).
    type: int
    default: 60
"""
