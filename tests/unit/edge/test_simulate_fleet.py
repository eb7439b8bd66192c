"""The end of a fleet of simulated devices."""

from __future__ import annotations

import asyncio

from raspi_kafka.simulate.fleet import ended


def test_a_task_that_loses_a_cancellation_is_ended_all_the_same() -> None:
    """As asyncio.wait_for() may lose one."""
    lost = 0

    async def goes_on() -> None:
        nonlocal lost
        while lost < 1:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost += 1
        await asyncio.sleep(60)

    async def run() -> None:
        task = asyncio.ensure_future(goes_on())
        await asyncio.sleep(0)
        await asyncio.wait_for(ended([task]), 30)
        assert task.cancelled()

    asyncio.run(run())
    assert lost == 1
