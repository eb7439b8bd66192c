"""What `make test` runs beyond what every change has to pass: the shard that the change touches most.

All shards together take more than an hour on two cores. `make test-all` runs them all, `make test SHARD=field` one.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch

from tests.hosts import cache
from tests.hosts.step import Failure

from . import pythons

# Where there is no branch to compare with, a change is what was committed within these hours before the last commit.
HOURS = 6
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git's name for a commit that has nothing


@dataclass(frozen=True)
class Shard:
    """Stages that run together, 15 minutes at most, and the files that they judge (an asterisk matches slashes too)."""

    stages: tuple[str, ...]
    files: tuple[str, ...]
    covers: tuple[str, ...] = ()  # what every change has to pass, and this shard does too


SHARDS = {
    "pi": Shard(
        ("molecule pi",),
        (
            *("molecule/pi/*", "molecule/default/*", "tests/hosts/deployed.py", "roles/kraft_broker/defaults/*"),
            *(
                "roles/kraft_broker/files/*",
                "roles/kraft_broker/meta/*",
                "roles/topics/*",
                "plugins/filter/misspelt.py",
            ),
        ),
    ),
    "field": Shard(
        ("molecule field",),
        (
            *("molecule/field/*", "roles/pi_host/*", "roles/kraft_broker/files/restart_guard.py", "docs/disk-full.md"),
            *("plugins/modules/pi_host_check.py", "plugins/modules/ballast.py", "plugins/modules/settings_in_force.py"),
            *("plugins/filter/retention.py", "plugins/filter/twins.py", "plugins/filter/unresolvable.py"),
        ),
    ),
    "gateway": Shard(
        ("molecule gateway",),
        (
            *(
                "molecule/gateway/*",
                "tests/hosts/mqtt.py",
                "roles/mosquitto/*",
                "roles/mqtt_bridge/*",
                "roles/alerting/*",
                "playbooks/*device*",
            ),
            *(
                "plugins/modules/mosquitto_*.py",
                "plugins/action/mosquitto_*.py",
                "plugins/plugin_utils/_credentials.py",
            ),
            *("plugins/modules/publish_consume.py", "plugins/modules/raise_resolve.py"),
            *("plugins/module_utils/_mqtt_proof.py", "plugins/module_utils/_mqtt_device.py"),
            *("plugins/modules/last_records.py", "plugins/filter/tree_faults.py", "plugins/filter/last_heard.py"),
        ),
    ),
    "bridge": Shard(("bridge",), ("tests/bridge/*", "edge/src/raspi_kafka/bridge/*")),
    "esp32": Shard(
        ("esp32",),
        (
            *("tests/esp32/*", "examples/esp32/*", "docs/esp32.md", "playbooks/tasks/esp32.yml"),
            *("plugins/modules/device_settings.py", "plugins/action/device_settings.py"),
        ),
    ),
    "load": Shard(
        ("load", "browser"),
        (
            *("tests/load/*", "tests/browser/*", "edge/src/raspi_kafka/simulate/*", "edge/src/raspi_kafka/report/*"),
            *("edge/src/raspi_kafka/load_test/*", "roles/load_test/*", "playbooks/load_test.yml"),
        ),
    ),
    "alerting": Shard(
        ("alerting",),
        ("tests/alerting/*", "edge/src/raspi_kafka/alert/*", "roles/alerting/*", "docs/alerting.md"),
    ),
    "telemetry": Shard(
        ("telemetry",),
        (
            *("tests/telemetry/*", "edge/src/raspi_kafka/telemetry/*", "edge/src/raspi_kafka/mqtt_*.py"),
            *("roles/telemetry_agent/*", "docs/telemetry.md"),
        ),
    ),
    "commands": Shard(
        ("commands",),
        (
            *("tests/commands/*", "edge/src/raspi_kafka/commands/*", "edge/src/raspi_kafka/mqtt_publisher.py"),
            *("roles/commands/*", "playbooks/command.yml", "docs/commands.md"),
        ),
    ),
    "cluster": Shard(
        ("molecule cluster",),
        (
            *("molecule/cluster/*", "tests/hosts/cluster.py", "tests/hosts/traffic.py", "tests/hosts/faults.py"),
            *("plugins/modules/cluster_health.py", "plugins/module_utils/_gate.py"),
            *("plugins/modules/kraft_voters.py", "plugins/module_utils/_raft_voter.py"),
        ),
        covers=("cluster in short",),
    ),
    "mutations": Shard(
        ("mutations",), ("tests/mutations/__*__.py", "tests/mutations/mutation.py"), covers=("mutations of the change",)
    ),
    "cluster_live": Shard(("molecule cluster_live",), ("molecule/cluster_live/*", "tests/hosts/flow.py")),
    "guard": Shard(("guard",), ("tests/guard/*", "tests/e2e/quorum.py")),
    "bootstrap": Shard(
        ("bootstrap",),
        ("tests/bootstrap/*", "plugins/filter/cluster_plan.py", "plugins/modules/kraft_format.py"),
    ),
    "growth": Shard(
        ("growth",),
        (
            *("tests/growth/*", "tests/hosts/growing.py", "roles/kraft_broker/tasks/cluster_defaults.yml"),
            *("plugins/modules/kafka_replicas.py", "plugins/module_utils/_growth.py"),
            *("plugins/module_utils/_replica_plan.py", "plugins/module_utils/_spread.py"),
        ),
    ),
    "regrowth": Shard(
        ("regrowth",),
        (
            *("tests/regrowth/*", "roles/kraft_broker/tasks/grow.yml", "plugins/action/kafka_replicas.py"),
            *("plugins/module_utils/_throttle.py", "plugins/module_utils/_replicas.py"),
        ),
    ),
    "shapes": Shard(
        ("shapes",),
        ("tests/shapes/*", "roles/kraft_broker/tasks/*", "roles/kraft_broker/templates/*", "roles/verify/*"),
    ),
    "faults": Shard(
        ("faults",),
        ("tests/faults/*", "plugins/filter/cluster_faults.py", "plugins/modules/cluster_names.py"),
    ),
    "roll": Shard(
        ("roll",),
        (
            *("tests/roll/*", "tests/hosts/roll.py", "playbooks/rolling_restart.yml", "playbooks/tasks/r*.yml"),
            *("plugins/filter/roll_order.py", "plugins/filter/failover_faults.py", "plugins/module_utils/_leaders.py"),
            *("plugins/modules/kafka_leaders.py", "plugins/modules/kafka_broker_config.py"),
            "roles/kraft_broker/files/unit_inputs.py",
        ),
    ),
    "bare": Shard(
        ("bare",),
        (
            *("tests/bare/*", "tests/hosts/computer.py", "playbooks/*", "plugins/action/*", "plugins/plugin_utils/*"),
            *("plugins/modules/apt_packages.py", "plugins/modules/fetch_file.py", "plugins/modules/push_file.py"),
            *("plugins/modules/unit_started.py", "plugins/modules/uninstall.py", "plugins/modules/host_files.py"),
        ),
    ),
    "arm64": Shard(
        ("molecule arm64",),
        (
            *("molecule/arm64/*", "tests/hosts/emulation.py", "tests/hosts/image.py", "tests/hosts/rootfs/*"),
            *("roles/java/*", "roles/python_venv/*"),
        ),
    ),
    "pages": Shard(
        ("pages", "galaxy", "docs"),
        (
            *("README.md", "docs/*", "examples/*", "inventory/*", "galaxy.yml", "changelogs/*", "meta/*"),
            *("roles/*/README.md", "roles/*/meta/*", "tests/pages/*", "tests/run/galaxy.py", "tests/run/docs.py"),
            *("tests/galaxy.*", "tests/run/collection.py"),
        ),
    ),
    "releases": Shard(
        tuple(pythons.CONTROL_NODES),
        ("tests/releases/*", "roles/kraft_broker/vars/*", "tests/hosts/archive.py", "tests/hosts/pom.xml"),
    ),
    "pythons": Shard(
        tuple(f"{part} on Python {version}" for version in pythons.OTHERS for part in ("unit", "modules")),
        (
            *("tests/run/pythons.py", "tests/unit/systems/*", "plugins/module_utils/*"),
            *("tests/requirements.*", "tests/module_args.py"),
        ),
    ),
}


def choose(shards: Mapping[str, Shard]) -> tuple[str, str]:
    """Return a shard's name, and why it is this one.

    :raises Failure: $SHARD names none.
    """
    wanted = os.environ.get("SHARD", "")
    if wanted:
        if wanted not in shards:
            raise Failure(f"there is no shard {wanted}", f"there are {', '.join(shards)}", "name one of them in SHARD")
        return wanted, "as SHARD says"
    since, what = base()
    lines = touched(shards, changed(since))
    # Of equals the first: max() keeps the order.
    name = max(shards, key=lambda each: lines[each])
    told = ", ".join(f"{each} {count}" for each, count in lines.items())
    return name, f"lines changed {what}, by shard: {told}"


def touched(shards: Mapping[str, Shard], lines: Mapping[str, int]) -> dict[str, int]:
    """Return for each shard how many changed lines its files have."""
    return {
        name: sum(count for path, count in lines.items() if any(fnmatch(path, pattern) for pattern in shard.files))
        for name, shard in shards.items()
    }


def base() -> tuple[str, str]:
    """Return the commit that the change is compared with, none where this is no git checkout, and what that means."""
    head = git("rev-parse", "HEAD")
    left = git("merge-base", "HEAD", "origin/main")
    if left and left != head:
        return left, "since origin/main"
    when = git("show", "--no-patch", "--format=%ct", "HEAD")
    before = when and git("rev-list", "--max-count=1", f"--before={int(when) - 3600 * HOURS}", "HEAD")
    if before:
        return before, f"in {HOURS} hours"
    return (EMPTY_TREE, "in all, for lack of history") if head else ("", "unknown, for lack of git")


def changed(since: str) -> dict[str, int]:
    """Return how many lines each file has changed, what is not committed yet included."""
    rows = [row.split("\t") for row in git("diff", "--numstat", "--no-renames", since).splitlines()] if since else []
    return {path: int(added) + int(removed) for added, removed, path in rows if added != "-"}  # "-": no text


def git(*arguments: str) -> str:
    """Return what git says about this checkout, nothing if it fails."""
    try:
        done = subprocess.run(["git", *arguments], cwd=cache.REPOSITORY, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
