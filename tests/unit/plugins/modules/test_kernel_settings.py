"""Numbers below a directory that stands for /proc/sys."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.raspi.kafka.plugins.modules import kernel_settings
from ansible_collections.raspi.kafka.plugins.modules.kernel_settings import apply, differing, in_force


@pytest.fixture
def sysctls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "vm").mkdir()
    (tmp_path / "vm" / "swappiness").write_text("60\n")
    monkeypatch.setattr(kernel_settings, "_ROOT", tmp_path)
    return tmp_path


def test_only_what_differs_is_set(sysctls: Path) -> None:
    found = in_force(["vm.swappiness", "vm.not_in_this_kernel"])
    assert found == {"vm.swappiness": 60}
    assert differing(found, {"vm.swappiness": 1, "vm.not_in_this_kernel": 2}) == {"vm.swappiness": 1}
    assert differing(found, {"vm.swappiness": 60}) == {}
    assert apply("vm.swappiness", 1)
    assert (sysctls / "vm" / "swappiness").read_text() == "1"


def test_what_the_kernel_refuses_is_no_failure(sysctls: Path) -> None:
    (sysctls / "vm" / "swappiness").unlink()
    (sysctls / "vm" / "swappiness").mkdir()
    assert not apply("vm.swappiness", 1)
