"""What unit tests share."""

from __future__ import annotations

import time
from typing import Any

import pytest


@pytest.fixture
def far_from_greenwich(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let local time be that of Nepal, 5:45 h ahead."""
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
