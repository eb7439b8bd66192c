"""The options of a module where it reads them: ansible-core's own way, which 2.17 does not have yet."""

from __future__ import annotations

try:
    from ansible.module_utils.testing import patch_module_args
except ModuleNotFoundError:
    import contextlib
    import json
    from collections.abc import Iterator
    from typing import Any
    from unittest.mock import patch

    @contextlib.contextmanager
    def patch_module_args(module_args: dict[str, Any]) -> Iterator[None]:
        """Give options to the next module that is made."""
        options = json.dumps({"ANSIBLE_MODULE_ARGS": module_args}).encode()
        with patch("ansible.module_utils.basic._ANSIBLE_ARGS", options):
            yield


__all__ = ["patch_module_args"]
