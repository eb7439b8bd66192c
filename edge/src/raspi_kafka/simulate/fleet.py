"""The devices of one process, and when each of them has its turn."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from .device import Device
from .planted import Planted, chosen
from .schedule import Schedule
from .telemetry import Telemetry
from .turns import Turns
from .values import Values, day_curve, traits

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from .options import Options

# One wake-up serves all devices whose turn has come since the last one: they are late by half of it on average.
TICK_S = 0.01
# In half the keep-alive a silent server is found, or has been pinged.
LOOK_S = 15
DRAIN_POLL_S = 0.05
SECONDS_TO_LEAVE = 2
SECONDS_TO_DISCONNECT = 2
# More would not be accepted any faster, and would keep the devices that are connected waiting for their turn.
CONNECTING = 200


class Snapshot(NamedTuple):
    """How far a fleet is.

    :ivar lag_ms: how late the latest message since the last snapshot was.
    """

    connected: int
    made: int
    acknowledged: int
    refused: int
    disconnects: int
    lag_ms: float


class Fleet:
    """Runs devices from the ramp to the last acknowledgement.

    :param began_s: when the run began, by time.monotonic().
    :ivar lags_ms: how late each message of the hold was made: when the device had its turn, against its schedule.
    :ivar cores: how much of a core the process has used in the hold.
    """

    def __init__(self, wanted: Options, numbers: range, began_s: float) -> None:
        self.address = wanted.address
        self.gate = asyncio.Semaphore(CONNECTING)
        self.faults: Counter[str] = Counter()
        self.ending = False
        self.lags_ms = array("f")
        self.cores = 0.0
        self._began_s = began_s
        self._drain_s = wanted.drain_s
        self._schedule = Schedule(wanted)
        self._stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._latest_ms = 0.0
        self.devices: list[Device] = []
        self._connect_at_s = [self._schedule.connects_at(number) for number in numbers]
        firsts: list[tuple[float, Device]] = []
        values = Values(wanted.seed)
        plants = chosen(wanted)
        for number, connects_at_s in zip(numbers, self._connect_at_s, strict=True):
            name = wanted.devices[number].device
            plant = plants.get(number)
            # By a clock that is minutes behind all values are late, which no threshold judges.
            own = traits(wanted.seed, name, 0.0 if plant else wanted.skew_s)
            telemetry = Telemetry(name, own, values, wanted.bad, wanted.run)
            device = (Planted if plant else Device)(wanted.devices[number], wanted.qos, telemetry, self)
            if isinstance(device, Planted):
                device.plant(plant, self._schedule.hold_from_s)
            self.devices.append(device)
            firsts.append((self._schedule.first(connects_at_s, own.phase), device))
        self._turns = Turns(self._schedule, firsts, lambda device: device.leave())

    def now_s(self) -> float:
        """Return the seconds since the run began."""
        return time.monotonic() - self._began_s

    async def run(self) -> bool:
        """Run; tell whether it came to its end, and was not stopped.

        :raises Exception: what a device or a turn has met that nobody has thought of.
        """
        pairs = zip(self.devices, self._connect_at_s, strict=True)
        tasks = [self._task(device.live(at_s)) for device, at_s in pairs]
        tasks += [self._task(self._take_turns()), self._task(self._look()), self._task(self._storms())]
        try:
            return await self._phases()
        finally:
            self.ending = True
            await ended(tasks)
            await self._leave()
            await self._disconnect()

    def stop(self) -> None:
        """End as soon as possible."""
        if not self._stopped.done():
            self._stopped.set_result(None)

    def snapshot(self) -> Snapshot:
        """Return how far it is."""
        latest_ms, self._latest_ms = self._latest_ms, 0.0
        counts = (
            (each.accepted, each.outbox.made, each.outbox.acknowledged, each.refused, each.disconnects)
            for each in self.devices
        )
        return Snapshot(*map(sum, zip(*counts, strict=True)), lag_ms=latest_ms)

    # --- how it is run

    async def _phases(self) -> bool:
        hold_from_s, until_s = self._schedule.hold_from_s, self._schedule.until_s
        if not await self._reached(hold_from_s):
            return False
        cpu_s, from_s = time.process_time(), self.now_s()
        reached = await self._reached(until_s)
        self.cores = (time.process_time() - cpu_s) / (self.now_s() - from_s)
        while reached and self.now_s() < until_s + self._drain_s and not self._drained():
            reached = await self._reached(self.now_s() + DRAIN_POLL_S)
        return reached

    async def _reached(self, at_s: float) -> bool:
        """Wait; tell whether it was not stopped before."""
        await asyncio.wait({self._stopped}, timeout=max(0.0, at_s - self.now_s()))
        if self._stopped.done():
            self._stopped.result()
        return not self._stopped.done()

    def _drained(self) -> bool:
        return self._turns.next_s() is None and all(each.outbox.is_empty for each in self.devices)

    async def _leave(self) -> None:
        """Let devices say that they leave whose last turn has not come: the run was stopped."""
        staying = [each for each in self.devices if each.accepted and not each.leaving]
        day = day_curve(time.time())
        for each in staying:
            each.leave()
            each.measure(self.now_s(), day)
        until_s = self.now_s() + SECONDS_TO_LEAVE
        while any(each.accepted and not each.outbox.is_empty for each in staying) and self.now_s() < until_s:
            await asyncio.sleep(DRAIN_POLL_S)

    async def _disconnect(self) -> None:
        for each in self.devices:
            each.disconnect()
        until_s = self.now_s() + SECONDS_TO_DISCONNECT
        while any(each.accepted for each in self.devices) and self.now_s() < until_s:
            await asyncio.sleep(DRAIN_POLL_S)
        for each in self.devices:
            each.drop("the MQTT server did not close the connection")

    def _task(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(coroutine)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() and not self._stopped.done():
            self._stopped.set_exception(task.exception())

    # --- what goes on at the same time

    async def _take_turns(self) -> None:
        while (next_s := self._turns.next_s()) is not None:
            await asyncio.sleep(max(TICK_S, next_s - self.now_s()))
            self._take_turn()

    def _take_turn(self) -> None:
        """Let all devices measure whose time has come."""
        hold_from_s, late = self._schedule.hold_from_s, self.lags_ms.append
        now_s = self.now_s()
        self._latest_ms = max(self._latest_ms, (now_s - (self._turns.next_s() or now_s)) * 1000)
        day = day_curve(time.time())
        for due_s, device in self._turns.until(now_s):
            now_s = self.now_s()
            device.measure(now_s, day)
            if due_s >= hold_from_s:
                late((now_s - due_s) * 1000)

    async def _look(self) -> None:
        at = 0
        while True:
            await asyncio.sleep(1)
            for each in self.devices[at::LOOK_S]:
                each.look()
            at = (at + 1) % LOOK_S

    async def _storms(self) -> None:
        for at_s in self._schedule.storms_s:
            await asyncio.sleep(at_s - self.now_s())
            for each in self.devices:
                each.drop("a storm was asked for")


async def ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until each has ended.

    asyncio.wait_for() loses a cancellation that comes as what it waits for ends (before Python 3.12, bpo-37658): a
    device would go on to connect, and the run would never end.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _over, left = await asyncio.wait(left, timeout=1.0)
