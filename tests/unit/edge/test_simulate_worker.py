"""A worker of `raspi-kafka simulate` without those whom it tells how far it is."""

from __future__ import annotations

import asyncio
import multiprocessing
from unittest.mock import Mock

import pytest
from raspi_kafka.simulate import worker


@pytest.mark.parametrize("alive", [False, True], ids=["gone", "gone since the look at it"])
def test_without_a_parent_the_run_ends(monkeypatch: pytest.MonkeyPatch, alive: bool) -> None:
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: Mock(is_alive=lambda: alive))
    reader, pipe = multiprocessing.Pipe(duplex=False)
    reader.close()
    fleet = Mock(snapshot=lambda: 1)
    asyncio.run(asyncio.wait_for(worker.tell(fleet, pipe), 5))
    fleet.stop.assert_called_once_with()
