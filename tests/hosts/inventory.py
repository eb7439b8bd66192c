"""An inventory for test hosts, made from the example that users copy: so the example itself is tested."""

import re

from . import cache
from .step import Failure

EXAMPLE = cache.REPOSITORY / "inventory" / "pis.example.ini"
CLUSTER = EXAMPLE.with_name("cluster.example.ini")
GROUP = "pis"
NODE_ID = "kraft_broker_node_id="
SECTION = re.compile(r"\[([^\]]+)\]")


def rewrite(example: str, hosts: dict[str, dict[str, str]], variables: dict[str, str]) -> str:
    """Put these hosts in the place of the example's, and add these variables to the group's."""
    sections = split(example)
    if GROUP not in sections and f"{GROUP}:children" not in sections:
        raise Failure("cannot make an inventory", f"the example has no group [{GROUP}]", "give it that group")
    place = GROUP if GROUP in sections else next(name for name in sections if name and ":" not in name)
    sections[place] = place_hosts(sections[place], hosts)
    group_vars = sections.setdefault(f"{GROUP}:vars", [f"[{GROUP}:vars]"])
    sections[f"{GROUP}:vars"] = place_variables(group_vars, variables)
    return "\n".join(line for lines in sections.values() for line in lines).rstrip() + "\n"


def split(text: str) -> dict[str, list[str]]:
    """Split an inventory by section; what stands before the first is under the empty name."""
    sections: dict[str, list[str]] = {"": []}
    current = ""
    for line in text.splitlines():
        header = SECTION.match(line)
        if header:
            current = header[1]
        sections.setdefault(current, []).append(line)
    return sections


def place_hosts(lines: list[str], hosts: dict[str, dict[str, str]]) -> list[str]:
    """Replace host lines; what a line says of its host beyond the way to reach it is kept."""
    said = {line.split()[0]: line.split()[1:] for line in lines[1:] if active(line)}
    rest = [line for line in lines[1:] if not active(line)]
    numbered = any(word.startswith(NODE_ID) for words in said.values() for word in words)
    unsaid = {name: [f"{NODE_ID}{number}"] if numbered else [] for number, name in enumerate(hosts, 1)}
    return [lines[0], *(host_line(name, reach, said.get(name, unsaid[name])) for name, reach in hosts.items()), *rest]


def host_line(name: str, reach: dict[str, str], said: list[str]) -> str:
    """Return one host's line."""
    kept = [word for word in said if not word.startswith("ansible_")]
    return " ".join([name, *(f"{key}={value}" for key, value in reach.items()), *kept])


def place_variables(lines: list[str], variables: dict[str, str]) -> list[str]:
    """Append variables; one that is set already is replaced, since the last one would win unseen."""
    kept = [line for line in lines if not (active(line) and line.split("=")[0].strip() in variables)]
    while kept and not kept[-1].strip():
        kept.pop()
    return [*kept, *(f"{key}={value}" for key, value in variables.items()), ""]


def active(line: str) -> bool:
    """Tell whether a line says something to Ansible."""
    return bool(line.strip()) and line.strip()[0] not in "#;["
