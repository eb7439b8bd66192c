"""What became of the messages of a stage: per device, and in sum."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .ledger import Device


@dataclass(frozen=True)
class Arrivals:
    """What came to one place of one device.

    :ivar first: sequence number -> when it came first, in the order of these.
    :ivar duplicated: how many came again.
    :ivar disordered: how many came first behind a later message of the device.
    """

    first: dict[int, float]
    duplicated: int
    disordered: int


@dataclass(frozen=True)
class GroupAccount:
    """Messages that a consumer group got, and sequence numbers of those that it did not.

    :ivar missing: in Kafka, and not consumed.
    :ivar stray: consumed, and not in Kafka: what was read back of one of the two is wrong.
    """

    consumed: int
    missing: tuple[int, ...]
    stray: tuple[int, ...]
    duplicated: int
    disordered: int


@dataclass(frozen=True)
class DeviceAccount:
    """Numbers of messages of a device; `lost` and `unknown` are their sequence numbers.

    :ivar made: what there was to send.
    :ivar unacked: sent, and never acknowledged; with QoS 0 nothing is.
    :ivar lost: acknowledged, and not in Kafka; with QoS 0 sent, and not in Kafka.
    :ivar unknown: in Kafka, and never sent in this stage.
    """

    made: int
    sent: int
    acked: int
    unacked: int
    stored: int
    lost: tuple[int, ...]
    unknown: tuple[int, ...]
    duplicated: int
    disordered: int
    disconnects: int
    refused: int
    resent: int
    groups: dict[str, GroupAccount]


class RealAccount(NamedTuple):
    """Numbers of messages of a real device, of which nothing but what is stored is known.

    :ivar unnumbered: stored without a number.
    :ivar missing: numbers between the first and the last that are not stored.
    """

    stored: int
    unnumbered: int
    missing: int
    duplicated: int
    disordered: int


@dataclass(frozen=True)
class GroupTotal:
    """The sum of GroupAccounts."""

    consumed: int
    missing: int
    stray: int
    duplicated: int
    disordered: int


@dataclass(frozen=True)
class Total:
    """The sum of DeviceAccounts.

    :ivar connected: devices that sent something.
    """

    connected: int
    made: int
    sent: int
    acked: int
    unacked: int
    stored: int
    lost: int
    unknown: int
    duplicated: int
    disordered: int
    disconnects: int
    refused: int
    resent: int
    groups: dict[str, GroupTotal]


def arrivals(pairs: Iterable[list[float]]) -> Arrivals:
    """Return what sequence numbers in the order of their coming say."""
    first: dict[int, float] = {}
    last, duplicated, disordered = -1, 0, 0
    for number, ms in pairs:
        if number in first:
            duplicated += 1
            continue
        first[int(number)] = ms
        disordered += number < last
        last = max(last, int(number))
    return Arrivals(first, duplicated, disordered)


def account(device: Device, groups: Iterable[str]) -> DeviceAccount:
    """Compare what a device sent with what Kafka and each group got."""
    stored = arrivals(device.stored)
    acked = {number for number, ms in enumerate(device.acked) if ms is not None}
    owed = acked if device.acked else set(range(len(device.sent)))
    return DeviceAccount(
        made=device.made,
        sent=len(device.sent),
        acked=len(acked),
        unacked=len(device.acked) - len(acked),
        stored=len(stored.first),
        lost=tuple(sorted(owed - stored.first.keys())),
        unknown=tuple(sorted(number for number in stored.first if number >= len(device.sent))),
        duplicated=stored.duplicated,
        disordered=stored.disordered,
        disconnects=device.disconnects,
        refused=device.refused,
        resent=device.resent,
        groups={name: group_account(device.groups.get(name, []), stored) for name in groups},
    )


def real_account(numbers: Sequence[int | None]) -> RealAccount:
    """Say what the numbers of a real device show, in the log's order."""
    found = arrivals([number, 0] for number in numbers if number is not None)
    missing = max(found.first) - min(found.first) + 1 - len(found.first) if found.first else 0
    return RealAccount(len(numbers), numbers.count(None), missing, found.duplicated, found.disordered)


def group_account(pairs: Iterable[list[float]], stored: Arrivals) -> GroupAccount:
    """Compare what a group got of a device with what Kafka has."""
    got = arrivals(pairs)
    missing = tuple(sorted(stored.first.keys() - got.first.keys()))
    stray = tuple(sorted(got.first.keys() - stored.first.keys()))
    return GroupAccount(len(got.first), missing, stray, got.duplicated, got.disordered)


def total(accounts: Iterable[DeviceAccount], groups: Iterable[str]) -> Total:
    """Add devices up."""
    every = list(accounts)
    sums = Counter[str]()
    for each in every:
        for name in ("made", "sent", "acked", "unacked", "stored", "duplicated", "disordered"):
            sums[name] += getattr(each, name)
        for name in ("disconnects", "refused", "resent"):
            sums[name] += getattr(each, name)
        sums["lost"] += len(each.lost)
        sums["unknown"] += len(each.unknown)
        sums["connected"] += each.sent > 0
    counts = {name: sums[name] for name in Total.__dataclass_fields__ if name != "groups"}
    return Total(**counts, groups={name: group_total(each.groups[name] for each in every) for name in groups})


def group_total(accounts: Iterable[GroupAccount]) -> GroupTotal:
    """Add up what a group got of each device."""
    every = list(accounts)
    return GroupTotal(
        consumed=sum(each.consumed for each in every),
        missing=sum(len(each.missing) for each in every),
        stray=sum(len(each.stray) for each in every),
        duplicated=sum(each.duplicated for each in every),
        disordered=sum(each.disordered for each in every),
    )
