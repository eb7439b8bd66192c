#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: mosquitto_credentials
short_description: Keep the passwords of MQTT users in a file on the control node
version_added: 0.1.0
description:
  - Draws a password for each user that has none yet, and keeps them in one file for each gateway. All files of its
    folder belong together.
  - A file that C(ansible-vault) encrypted as a whole is read with the secret of the run and written back with the same.
    A new file is encrypted as the others of its folder are.
  - Passwords never appear in the result. Read them with P(ansible.builtin.file#lookup), which decrypts too.
  - This is an action plugin; it runs on the control node.
author:
  - raspi.kafka contributors (@raspi-kafka)
options:
  path:
    description: The file of this gateway, with the ending C(.yml). Its folder is made for its owner alone.
    type: path
    required: true
  users:
    description: Names that get a password for this gateway alone.
    type: list
    elements: str
    default: []
  devices:
    description: Names that have the same password on each gateway. It is taken over from another file of the folder.
    type: list
    elements: str
    default: []
  absent:
    description: Names that shall not be in the file.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - raspi.kafka._attributes
attributes:
  diff_mode:
    support: full
    details:
      - It shows names, never passwords.
"""

EXAMPLES = r"""
- name: Give a device its password
  raspi.kafka.mosquitto_credentials:
    path: "{{ inventory_dir }}/credentials/{{ inventory_hostname }}.yml"
    devices: [kitchen]
"""

RETURN = r"""
path:
  description: The file.
  type: str
  returned: success
  sample: /home/me/gateway/credentials/pi1.yml
names:
  description: Names that are in the file at the end of the task, or in check mode would be.
  type: list
  elements: str
  returned: success
  sample: [raspi-kafka-bridge, kitchen]
added:
  description: Names that are new in it.
  type: list
  elements: str
  returned: success
  sample: [kitchen]
removed:
  description: Names that are gone.
  type: list
  elements: str
  returned: success
  sample: []
"""
