"""The steps of an installation, in their order; what the host answers is given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.action.apt_packages import ActionModule

FREE = {"done": True, "changed": False}
INSTALLED = {"changed": True}


class Apt(ActionModule):
    """Notes what would run on the host."""

    def __init__(self, answers: list[dict[str, Any]], check_mode: bool = False) -> None:
        args = {"name": ["openjdk", "python3-venv"]}
        self._task = SimpleNamespace(args=args, check_mode=check_mode, async_val=0, timeout=0)
        self._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/nowhere"))
        self.answers, self.ran = answers, []

    def _execute_module(self, module_args: dict[str, Any], module_name: str = "own", **_more: Any) -> dict[str, Any]:
        words = module_args.get("argv", module_args.get("name", []))
        self.ran.append((module_name.rpartition(".")[2], " ".join(words)))
        return self.answers.pop(0)


def steps(*answers: dict[str, Any], check_mode: bool = False) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    action = Apt(list(answers), check_mode)
    return action.run(task_vars={"inventory_hostname": "pi1"}), action.ran


CONFIGURE = (
    "command",
    "env DEBIAN_FRONTEND=noninteractive dpkg --force-confdef --force-confold --configure --pending",
)
FIX = (
    "command",
    "env DEBIAN_FRONTEND=noninteractive apt-get --yes --option=Dpkg::Options::=--force-confdef "
    "--option=Dpkg::Options::=--force-confold --fix-broken install",
)
INSTALL = ("apt", "openjdk python3-venv")


def test_packages_are_installed_after_the_wait_and_the_repair() -> None:
    result, ran = steps(FREE, {"rc": 0, "stdout": ""}, INSTALLED)
    assert ran == [("own", ""), CONFIGURE, INSTALL]
    assert result["changed"]


def test_what_dpkg_cannot_finish_apt_completes_and_neither_is_fatal() -> None:
    refused = {"failed": True, "rc": 1, "stdout": ""}
    result, ran = steps(FREE, refused, {**refused, "rc": 100}, INSTALLED)
    assert ran == [("own", ""), CONFIGURE, FIX, INSTALL]
    assert "failed" not in result


@pytest.mark.parametrize(("said", "changed"), [("", False), ("Setting up openjdk ...", True)])
def test_a_repair_is_a_change(said: str, changed: bool) -> None:
    result, _ran = steps(FREE, {"rc": 0, "stdout": said}, {"changed": False})
    assert result["changed"] is changed


def test_a_dry_run_repairs_nothing() -> None:
    _result, ran = steps(FREE, INSTALLED, check_mode=True)
    assert ran == [("own", ""), INSTALL]


def test_an_apt_that_stays_locked_is_left_alone() -> None:
    result, ran = steps({"failed": True, "msg": "locked"})
    assert (result["msg"], ran) == ("locked", [("own", "")])
