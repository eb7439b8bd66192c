# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
name: advertised_address
short_description: Choose the address that a broker tells its clients
version_added: 0.1.0
author: raspi.kafka contributors (@raspi-kafka)
description:
  - Kafka hands its advertised address to each client, which then connects to it. Loopback works only on the host
    itself.
  - "Takes, in this order: what the owner set; the host's IPv4 address of the SSH connection, which is the one on the
    route to the control node; the IPv4 address of the interface which has that connection's IPv6 address; the IPv4
    address of the default route."
options:
  _input:
    description: The host's facts; C(default_ipv4) and C(interfaces) are read.
    type: dict
    required: true
  override:
    description: What the owner set; empty for none.
    type: str
    default: ''
  ssh_connection:
    description: The host's E(SSH_CONNECTION); empty for a local connection.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Choose the address
  ansible.builtin.debug:
    msg: "{{ (ansible_facts | raspi.kafka.advertised_address(ssh_connection='10.0.0.9 5022 10.0.0.5 22')).address }}"
"""

RETURN = r"""
_value:
  description: A dictionary with C(address) and C(reason), the reason in words.
  type: dict
"""

import ipaddress
import re
from typing import Any

from ansible.errors import AnsibleFilterError

_KNOB = "kraft_broker_advertised_address"


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _routed(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether a packet to this address leaves the host and reaches one other."""
    broadcast = str(ip) == "255.255.255.255"
    return not (ip.is_loopback or ip.is_unspecified or ip.is_multicast or broadcast)


def _usable(text: str) -> bool:
    """Whether another host can connect to this IPv4 address."""
    ip = _ip(text)
    return ip is not None and ip.version == 4 and _routed(ip)


def _check_override(text: str) -> str:
    ip = _ip(text)
    if ip is None:  # RFC 1123 host name
        label = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
        named = bool(re.fullmatch(rf"{label}(\.{label})*\.?", text)) and not re.fullmatch(r"[0-9.]+", text)
        usable = named and not re.fullmatch(r"localhost(\.localdomain)?\.?", text.lower())
    else:  # a zone means something only on the host itself, and an IPv6 link-local address nothing without one
        usable = "%" not in text and _routed(ip) and not (ip.version == 6 and ip.is_link_local)
    if not usable:
        raise AnsibleFilterError(
            f"{_KNOB}={text} cannot be advertised: other hosts cannot connect to it. "
            "Set it to an address or a name of the Pi on your network, or leave it empty."
        )
    return text


def _interface_with(address: str, facts: dict[str, Any]) -> dict[str, Any] | None:
    """The facts of the interface that has this IPv6 address."""
    for name in facts.get("interfaces", []):
        interface = facts.get(name.replace("-", "_"), {})
        if any(one.get("address") == address for one in interface.get("ipv6", [])):
            return interface
    return None


def advertised_address(facts: dict[str, Any], override: str = "", ssh_connection: str = "") -> dict[str, str]:
    """See DOCUMENTATION.

    :param ssh_connection: ``"client address, client port, server address, server port"``, blank separated (sshd(8)).
    :raises AnsibleFilterError: there is no address that another host could connect to.
    """
    if override:
        return {"address": _check_override(override), "reason": f"set by {_KNOB}"}
    server = ssh_connection.split()[2].partition("%")[0] if len(ssh_connection.split()) == 4 else ""
    if _usable(server):
        return {"address": server, "reason": "on the route to the control node"}
    interface = _interface_with(server, facts) if server else None
    address = ((interface or {}).get("ipv4") or {}).get("address", "")
    if _usable(address):
        return {"address": address, "reason": "of the interface which the control node reaches by IPv6"}
    address = facts.get("default_ipv4", {}).get("address", "")
    if _usable(address):
        return {"address": address, "reason": "on the default route"}
    raise AnsibleFilterError(
        "This host has no IPv4 address that clients could connect to: "
        "no SSH connection over IPv4 and no default route. "
        f"Connect it to a network, or set {_KNOB} to the address it will have."
    )


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"advertised_address": advertised_address}
