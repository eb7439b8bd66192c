"""Where programs of another processor cannot be run, that is said and is no failure."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.hosts import __main__ as command
from tests.hosts import emulation, engine
from tests.hosts.step import CANNOT_BE_HAD


def test_a_kernel_that_takes_no_interpreter_is_told_apart_from_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(emulation, "NATIVE", "amd64")
    monkeypatch.setattr(emulation, "REGISTRY", tmp_path / "binfmt_misc")
    monkeypatch.setattr(emulation, "ENTRY", tmp_path / "binfmt_misc" / "entry")
    monkeypatch.setattr(engine, "require", lambda: None)
    monkeypatch.setattr(sys, "argv", ["tests.hosts", "image", "--arch", "arm64"])
    assert command.main() == CANNOT_BE_HAD
    assert capsys.readouterr().err.startswith("arm64 cannot be emulated here: ")


def test_the_entry_is_what_the_kernel_reads() -> None:
    """The form is that of Documentation/admin-guide/binfmt-misc.rst in Linux."""
    _empty, name, kind, offset, magic, mask, interpreter, flags = emulation.entry().split(":")
    assert (name, kind, offset, flags) == ("raspi-kafka-aarch64", "M", "", "POCF")
    assert magic.count("\\x") == mask.count("\\x") == 20
    assert magic.startswith(r"\x7f\x45\x4c\x46\x02\x01\x01\x00")
    assert interpreter == emulation.INTERPRETER
