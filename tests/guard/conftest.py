"""Three real nodes on this machine."""

from tests.e2e.conftest import class_path

__all__ = ["class_path"]
