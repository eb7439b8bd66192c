"""The image is a bare Pi: whatever a role installs must not be there before it."""

import json
import re

import pytest

from tests.hosts import engine, image

# What the roles bring. A name that is here and in the image would let a role pass that does nothing.
BROUGHT_BY_ROLES = re.compile(r"jre|jdk|java|venv|python3-pip|python3-kafka|kafka|mosquitto|chrony|prometheus|grafana")
LOOK = """
import glob, importlib.util, json, os, pwd, shutil, subprocess
packages = subprocess.run(["dpkg-query", "-W", "-f", "${Package}\\n"], capture_output=True, text=True, check=True)
print(json.dumps({
    "packages": packages.stdout.split(),
    "opt": os.listdir("/opt"),
    "paths": [path for path in ("/var/lib/kafka", "/etc/kafka", "/usr/lib/jvm", "/usr/local/bin/kafka")
              if os.path.exists(path)],
    "programs": [name for name in ("java", "pip3", "kafka-topics.sh", "mosquitto") if shutil.which(name)],
    "ensurepip": importlib.util.find_spec("ensurepip") is not None,
    "users": [user.pw_name for user in pwd.getpwall()],
    "machine id": open("/etc/machine-id").read(),
    "host keys": glob.glob("/etc/ssh/ssh_host_*"),
    "lists": os.listdir("/var/lib/apt/lists"),
    "policy": os.path.exists("/usr/sbin/policy-rc.d"),
}))
"""


@pytest.fixture(scope="module")
def bare() -> dict:
    """Look into the image without booting it."""
    engine.up()
    arguments = ("run", "--rm", "--network", "none", image.build(), "python3", "-c", LOOK)
    return json.loads(engine.docker(*arguments, what="cannot look into the image"))


def test_it_has_what_a_pi_has(bare: dict) -> None:
    assert {"systemd", "openssh-server", "python3", "sudo", "iproute2", "ca-certificates"} <= set(bare["packages"])
    assert "pi" in bare["users"]


def test_it_has_no_package_that_a_role_installs(bare: dict) -> None:
    assert [name for name in bare["packages"] if BROUGHT_BY_ROLES.search(name)] == []


def test_it_has_nothing_else_that_a_role_installs(bare: dict) -> None:
    assert bare["opt"] == []
    assert bare["paths"] == []
    assert bare["programs"] == []
    assert not bare["ensurepip"]
    assert not {"kafka", "mosquitto"} & set(bare["users"])


def test_it_has_no_identity(bare: dict) -> None:
    assert bare["machine id"] == ""
    assert bare["host keys"] == []


def test_roles_must_fetch_the_package_lists_and_may_start_services(bare: dict) -> None:
    assert bare["lists"] == []
    assert not bare["policy"]
