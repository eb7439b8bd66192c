#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: cluster_names
short_description: Let the nodes of a cluster find each other by name where DNS does not serve
version_added: 0.1.0
description:
  - Asks the host's own resolver for each name, and keeps a block of C(/etc/hosts) with those that it does not resolve
    to the address wanted. What DNS tells right is left to DNS.
  - A name whose address is not known in this run keeps what the block says of it.
  - Lines outside the block are never touched.
author:
  - raspi.kafka contributors (@raspi-kafka)
options:
  names:
    description: Name of a node -> its IPv4 address; empty where it is not known in this run.
    type: dict
    required: true
  own:
    description:
      - The name among them that is this host. Only where the resolver knows nothing of it, it gets C(127.0.1.1), as
        Debian does.
    type: str
    required: true
  paths:
    description:
      - The files that get the block. The first one must exist. The others are templates from which cloud-init writes
        the first at each boot.
    type: list
    elements: path
    default: [/etc/hosts, /etc/cloud/templates/hosts.debian.tmpl]
  state:
    description: With V(absent) the block is removed.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - raspi.kafka._attributes
"""

EXAMPLES = r"""
- name: Make three Pis known to each other
  raspi.kafka.cluster_names:
    names: {pi1: 192.168.1.51, pi2: 192.168.1.52, pi3: 192.168.1.53}
    own: pi1
"""

RETURN = r"""
entries:
  description: Name -> address, as the block has them.
  type: dict
  returned: success
  sample: {"pi2": "192.168.1.52"}
unknown:
  description: Names that this host cannot resolve, and whose address is not known.
  type: list
  elements: str
  returned: success
  sample: []
"""

import os
import re
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass

from ansible.module_utils.basic import AnsibleModule

_BEGIN = "# BEGIN raspi.kafka, the nodes of the cluster"
_END = "# END raspi.kafka"
# Where a person has removed an end, what follows is not ours up to the next begin.
_BLOCK = re.compile(rf"^{_BEGIN}\n((?:(?!{_BEGIN}).*\n)*?){_END}(?:\n|\Z)", re.MULTILINE)
_OWN_ADDRESS = "127.0.1.1"


@dataclass(frozen=True)
class Plan:
    """The entries that the block shall have, and the names that nobody knows."""

    entries: dict[str, str]
    unknown: list[str]


def plan(names: Mapping[str, str], own: str, resolved: Mapping[str, list[str]], block: Mapping[str, str]) -> Plan:
    """Compare the addresses wanted with what the host resolves; pure.

    :param resolved: name -> the addresses that the host's resolver gives now, the block included.
    :param block: name -> address, as the block has them now.
    """
    entries, unknown = {}, []
    for name, address in names.items():
        if name == own:
            if name in block or not resolved[name]:
                entries[name] = _OWN_ADDRESS
        elif address and (name in block or address not in resolved[name]):
            entries[name] = address
        elif name in block:
            entries[name] = block[name]
        elif not address and not resolved[name]:
            unknown.append(name)
    return Plan({name: address for name, address in entries.items() if name != address}, unknown)


def entries_of(text: str) -> dict[str, str]:
    """Name -> address of the block in a file; empty where it has none."""
    found = _BLOCK.search(text)
    lines = [line.split() for line in found[1].splitlines()] if found else []
    return {words[1]: words[0] for words in lines if len(words) == 2}


def with_entries(text: str, entries: Mapping[str, str]) -> str:
    """The file with this block in the place of the old one, or at its end; without entries it has none."""
    lines = "".join(f"{address}\t{name}\n" for name, address in entries.items())
    block = f"{_BEGIN}\n{lines}{_END}\n" if entries else ""
    if _BLOCK.search(text):
        return _BLOCK.sub(lambda _found: block, text)
    return text + ("\n" if text and block and not text.endswith("\n") else "") + block


def resolve(name: str) -> list[str]:
    """The IPv4 addresses that this host finds for a name."""
    try:
        return [str(info[4][0]) for info in socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return []


def read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(module: AnsibleModule, path: str, text: str) -> None:
    """Replace a file at once, with the mode and owner that it has."""
    with tempfile.NamedTemporaryFile("w", dir=module.tmpdir, delete=False, encoding="utf-8") as file:
        file.write(text)
    module.atomic_move(file.name, path)


def run(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    paths = [path for number, path in enumerate(params["paths"]) if number == 0 or os.path.exists(path)]
    before = {path: read(path) for path in paths}
    todo = Plan({}, [])
    if params["state"] == "present":
        resolved = {name: resolve(name) for name in params["names"]}
        todo = plan(params["names"], params["own"], resolved, entries_of(before[paths[0]]))
    after = {path: with_entries(text, todo.entries) for path, text in before.items()}
    changed = [path for path in paths if after[path] != before[path]]
    for path in changed:
        if not module.check_mode:
            write(module, path, after[path])
    return {
        "changed": bool(changed),
        "entries": todo.entries,
        "unknown": todo.unknown,
        "diff": [
            {"before_header": path, "after_header": path, "before": before[path], "after": after[path]}
            for path in changed
        ],
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "dict", "required": True},
            "own": {"type": "str", "required": True},
            "paths": {
                "type": "list",
                "elements": "path",
                "default": ["/etc/hosts", "/etc/cloud/templates/hosts.debian.tmpl"],
            },
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except (OSError, UnicodeError) as error:
        module.fail_json(
            msg=f"Cannot keep the names of the cluster in {' and '.join(module.params['paths'])}: {error}. "
            "Mend the file; nothing else was changed."
        )


if __name__ == "__main__":
    main()
