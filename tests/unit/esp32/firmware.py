"""Those files of the firmware that CPython can read too."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parents[3] / "examples" / "esp32"


def load(name: str) -> ModuleType:
    """Read a file under a name of its own: `settings` and `commands` are names that others have too."""
    spec = importlib.util.spec_from_file_location(f"esp32_{name}", FOLDER / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
