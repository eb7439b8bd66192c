"""What is said in two places is said alike: specs and defaults, inventory and defaults, groups and modules."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import module_loader

REPOSITORY = Path(__file__).parents[2]
ROLES = sorted(path.name for path in (REPOSITORY / "roles").iterdir() if path.is_dir())
MODULES = sorted(path.stem for path in (REPOSITORY / "plugins" / "modules").glob("*.py"))
FILTERS = sorted(path.stem for path in (REPOSITORY / "plugins" / "filter").glob("*.py"))
EXAMPLE = REPOSITORY / "inventory" / "pis.example.ini"
KNOB = re.compile(r"^# ([a-z_0-9]+)=(.*)$", re.MULTILINE)
IN_THE_INVENTORY = (
    *(
        "alerting",
        "commands",
        "kraft_broker",
        "load_test",
        "mosquitto",
        "mqtt_bridge",
        "pi_host",
        "telemetry_agent",
        "topics",
        "verify",
    ),
)
NOT_IN_THE_INVENTORY = {
    "topics_bootstrap_servers": "follows kraft_broker_local_port",
    "verify_bootstrap_servers": "follows kraft_broker_port",
    "pi_host_packages": "other roles give it to their tasks",
    "verify_timeout": "pi_host_timeout_factor multiplies it",
}
# Named like the variables of a role.
PROGRAMS = {"mosquitto_pub"}
RESERVED = {
    *("name", "when", "loop", "loop_control", "register", "vars", "block", "rescue", "always", "become", "delegate_to"),
    *("run_once", "changed_when", "failed_when", "check_mode", "diff", "until", "retries", "delay", "throttle", "tags"),
    *("notify", "environment", "no_log", "ignore_errors", "with_items", "async", "poll", "args", "listen"),
}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def defaults(role: str) -> dict[str, Any]:
    return load(REPOSITORY / "roles" / role / "defaults" / "main.yml")


def entry_points(role: str) -> dict[str, Any]:
    return load(REPOSITORY / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]


def files(role: str) -> list[Path]:
    return sorted((REPOSITORY / "roles" / role / "tasks").glob("*.yml"))


def tasks(text: Any) -> list[dict[str, Any]]:
    """All tasks of a file, those of its blocks too."""
    found = []
    for task in text or []:
        found.append(task)
        for part in ("block", "rescue", "always", "tasks"):
            found += tasks(task.get(part))
    return found


def actions() -> list[tuple[str, str, dict[str, Any]]]:
    """Each action of the collection: where it stands, its name, its options."""
    sources = [path for role in ROLES for path in files(role)]
    sources += (REPOSITORY / "playbooks").rglob("*.yml")
    found = []
    for path in sources:
        for task in tasks(load(path)):
            for key in task.keys() - RESERVED:
                if "." in key:
                    found.append((str(path.relative_to(REPOSITORY)), key, task[key] or {}))
    return found


def documented(kind: str, names: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "ansible", "doc", "--json", "-t", kind, *(f"raspi.kafka.{name}" for name in names)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# --- roles


@pytest.mark.parametrize(("role", "entry"), [(role, entry) for role in ROLES for entry in entry_points(role)])
def test_the_spec_of_a_role_has_the_names_and_values_of_its_defaults(role: str, entry: str) -> None:
    """An entry point that other roles include has what they must give it, and no variable of the inventory."""
    options = entry_points(role)[entry].get("options", {})
    spec = {name: option.get("default") for name, option in options.items() if not option.get("required")}
    assert spec == ({} if spec.keys() < options.keys() else defaults(role))


@pytest.mark.parametrize(("role", "entry"), [(role, entry) for role in ROLES for entry in entry_points(role)])
def test_a_default_is_of_the_type_that_the_spec_wants(role: str, entry: str) -> None:
    """As it stands, not after a conversion; a template has no type before it is rendered."""
    options = entry_points(role)[entry].get("options", {})
    values = {name: one["default"] for name, one in options.items() if "{{" not in str(one.get("default", "{{"))}
    checked = ArgumentSpecValidator({name: options[name] for name in values}).validate(values)
    assert checked.error_messages == []
    parts = {name: typed(value) for name, value in values.items()}
    assert {name: typed(checked.validated_parameters[name]) for name in values} == parts


def typed(value: Any) -> Any:
    """What a value is, down to its parts; options that are not given count as absent."""
    if isinstance(value, dict):
        return {key: typed(part) for key, part in value.items() if part is not None}
    if isinstance(value, list):
        return [typed(part) for part in value]
    return type(value), value


@pytest.mark.parametrize("role", ROLES)
def test_galaxy_describes_a_role_as_its_spec_does(role: str) -> None:
    about = load(REPOSITORY / "roles" / role / "meta" / "main.yml")["galaxy_info"]["description"]
    assert about == entry_points(role)["main"]["short_description"]


@pytest.mark.parametrize("role", ROLES)
def test_the_variables_of_a_role_carry_its_name(role: str) -> None:
    assert [name for name in defaults(role) if not name.startswith(f"{role}_")] == []


@pytest.mark.parametrize("role", ROLES)
def test_every_entry_point_of_a_role_has_a_task_file(role: str) -> None:
    assert "main" in entry_points(role)
    assert entry_points(role).keys() <= {path.stem for path in files(role)}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_a_page_with_a_play_and_the_way_to_its_options(role: str) -> None:
    text = (REPOSITORY / "roles" / role / "README.md").read_text(encoding="utf-8")
    assert text.startswith(f"# raspi.kafka.{role}\n")
    assert f"`ansible-doc -t role raspi.kafka.{role}`" in text
    (play,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    named = [one["role"] for one in yaml.safe_load(play)[0]["roles"]]
    assert named[-1] == f"raspi.kafka.{role}"
    assert [name for name in named if name.removeprefix("raspi.kafka.") not in ROLES] == []
    used = {name for one in yaml.safe_load(play)[0]["roles"] for name in one if name != "role"}
    assert used <= defaults(role).keys()


def named(*patterns: str) -> dict[str, set[str]]:
    """Which files name which variables that carry the name of a role."""
    variable = re.compile(rf"(?<![\w/.-])(?:{'|'.join(ROLES)})_[a-z0-9_]*[a-z0-9]\b(?![.(/]\w)")
    found: dict[str, set[str]] = {}
    for path in (path for pattern in patterns for path in REPOSITORY.glob(pattern) if path.is_file()):
        for name in variable.findall(path.read_text(encoding="utf-8")):
            found.setdefault(name, set()).add(str(path.relative_to(REPOSITORY)))
    return found


CODE = ("roles/*/[ftv]*/*", "playbooks/**/*.yml")
PAGES = (
    "README.md",
    "docs/*.md",
    "roles/*/README.md",
    "roles/*/meta/*.yml",
    "roles/*/defaults/*.yml",
    "inventory/*.ini",
)


def test_only_variables_that_exist_are_named() -> None:
    """Those of the specs, and those that tasks hand to other roles."""
    known = {name for role in ROLES for entry in entry_points(role).values() for name in entry.get("options", {})}
    known.update(MODULES, PROGRAMS)
    for path in (path for role in ROLES for path in files(role)):
        for task in tasks(load(path)):
            known |= {task.get("register", ""), *task.get("ansible.builtin.set_fact", {})}
    assert {name: places for name, places in named(*CODE, *PAGES).items() if name not in known} == {}


def test_every_variable_is_read() -> None:
    values = {name: value for role in ROLES for name, value in defaults(role).items()}
    by_others = " ".join(map(str, values.values()))
    assert [name for name in values if name not in named(*CODE) and name not in by_others] == []


def test_roles_and_playbooks_use_only_what_exists() -> None:
    missing = []
    for place, name, options in actions():
        collection, _dot, module = name.rpartition(".")
        own = collection == "raspi.kafka" and module in MODULES
        if not own and not (collection == "ansible.builtin" and module_loader.has_plugin(module)):
            missing.append(f"{place}: module {name}")
        if name.endswith(("_role", "_tasks", "_playbook")) and isinstance(options, dict) and "name" in options:
            role = options["name"].removeprefix("raspi.kafka.")
            file = REPOSITORY / "roles" / role / "tasks" / f"{options.get('tasks_from', 'main')}.yml"
            missing += [] if file.exists() else [f"{place}: {file.relative_to(REPOSITORY)}"]
    assert missing == []
    assert len(actions()) > 50, "the tasks were not found"


def test_every_action_is_named_in_full() -> None:
    bare = []
    for path in (path for role in ROLES for path in files(role)):
        for task in tasks(load(path)):
            if "block" not in task and not any("." in key for key in task.keys() - RESERVED):
                bare.append(f"{path.relative_to(REPOSITORY)}: {task.get('name')}")
    assert bare == []


# --- modules and filters


def test_the_action_group_is_the_modules_that_connect_to_a_broker() -> None:
    connected = [
        name
        for name in MODULES
        if re.search(r"^ +- raspi\.kafka\._kafka$", (REPOSITORY / "plugins/modules" / f"{name}.py").read_text(), re.M)
    ]
    assert connected
    assert load(REPOSITORY / "meta" / "runtime.yml")["action_groups"] == {"kafka": connected}


@pytest.mark.parametrize(("kind", "names"), [("module", MODULES), ("filter", FILTERS)])
def test_every_plugin_is_documented_with_an_example_and_what_it_returns(kind: str, names: list[str]) -> None:
    docs = documented(kind, names)
    assert sorted(docs) == [f"raspi.kafka.{name}" for name in names]
    for name, text in docs.items():
        assert text["doc"]["short_description"], name
        assert all(option.get("description") for option in text["doc"]["options"].values()), name
        assert text["return"], name
        example = yaml.safe_load(text["examples"])
        assert example, name
        if kind == "module":
            assert any(name in task for task in example), name


def test_every_role_is_documented() -> None:
    docs = documented("role", ROLES)
    assert sorted(docs) == [f"raspi.kafka.{role}" for role in ROLES]
    for role in ROLES:
        for entry, text in docs[f"raspi.kafka.{role}"]["entry_points"].items():
            assert text["short_description"], f"{role}, {entry}"
            assert all(option.get("description") for option in text.get("options", {}).values()), f"{role}, {entry}"


# --- the sample inventory


def knobs() -> dict[str, str]:
    return dict(KNOB.findall(EXAMPLE.read_text(encoding="utf-8")))


def rendered_defaults() -> dict[str, Any]:
    """The defaults of the roles; a template shows what it yields when nothing is set."""
    values = {name: value for role in IN_THE_INVENTORY for name, value in defaults(role).items()}
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True)
    for name in knobs().keys() & values.keys():
        if isinstance(values[name], str):
            values[name] = environment.from_string(values[name]).render(values)
    return values


def test_every_commented_knob_shows_the_default(tmp_path: Path) -> None:
    inventory = tmp_path / "pis.ini"
    inventory.write_text(KNOB.sub(r"\1=\2", EXAMPLE.read_text(encoding="utf-8")), encoding="utf-8")
    group = InventoryManager(DataLoader(), str(inventory)).groups["pis"]
    known = rendered_defaults()
    assert {name: known.get(name, "unknown") for name in group.vars} == group.vars
    assert {name: type(known.get(name)).__mro__[0] for name in group.vars} == {
        name: next(kind for kind in type(value).__mro__ if kind.__module__ == "builtins")
        for name, value in group.vars.items()
    }
    assert group.vars.keys() == knobs().keys()


def test_every_public_variable_is_a_knob_or_has_a_reason_not_to_be() -> None:
    specs = [entry for role in IN_THE_INVENTORY for entry in entry_points(role).values()]
    public = {name for entry in specs for name in entry.get("options", {})}
    assert public - knobs().keys() == NOT_IN_THE_INVENTORY.keys()


def test_a_knob_stands_once() -> None:
    assert Counter(name for name, _value in KNOB.findall(EXAMPLE.read_text())).most_common(1)[0][1] == 1


# --- files


def test_every_known_release_has_a_sha512_of_its_own() -> None:
    sums = load(REPOSITORY / "roles/kraft_broker/vars/releases.yml")["_kraft_broker_releases"]
    assert [version for version, digits in sums.items() if not re.fullmatch("[0-9a-f]{128}", str(digits))] == []
    assert len(set(sums.values())) == len(sums)
    assert defaults("kraft_broker")["kraft_broker_version"] in sums


def test_every_package_of_python_is_bound_to_its_hash() -> None:
    """But for the wheel of this repository, which is built from it, and is installed alone."""
    calls = [
        str(options)
        for path in files("python_venv")
        for task in tasks(load(path))
        for action, options in task.items()
        if action == "ansible.builtin.pip" or (action.endswith(".command") and "-m pip " in str(options))
    ]
    assert len(calls) == 6, "the calls of pip were not found"
    own = [call for call in calls if "--require-hashes" not in call]
    assert [call for call in own if "--no-deps" not in call] == []
    assert [" wheel " in call or "--no-index" in call for call in own] == [True] * 3


def test_a_key_of_server_properties_stands_once() -> None:
    text = (REPOSITORY / "roles/kraft_broker/templates/server.properties.j2").read_text(encoding="utf-8")
    keys = Counter(re.findall(r"^([a-z][a-z.]+)=", text, re.MULTILINE))
    assert len(keys) > 20, "the keys were not found"
    assert [key for key, times in keys.items() if times > 1] == []


def test_no_file_names_the_place_of_this_checkout() -> None:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is no git checkout")
    place = re.compile(rf"(?<![\w./-]){re.escape(str(REPOSITORY))}(?![\w.-])".encode())
    paths = [REPOSITORY / name for name in done.stdout.split("\0") if name]
    assert [str(path) for path in paths if path.is_file() and place.search(path.read_bytes())] == []
