"""All that a stage shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .account import DeviceAccount, RealAccount, Total, account, real_account, total
from .alerting import Alerting, alerting
from .latency import Latency, latency, taken, ways
from .usage import Usage, usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .ledger import Stage


class Lag(NamedTuple):
    """Records that a consumer group had not yet consumed."""

    max: int
    end: int


@dataclass(frozen=True)
class Findings:
    """Of one stage.

    :ivar real: of real devices that sent beside.
    :ivar latencies: by the names of latency.ways(); None if no message went this way.
    :ivar device_p99_ms: per device, likewise.
    :ivar lag: None if a group was never looked at.
    :ivar usage: None if a process was not seen twice.
    :ivar alerting: None if it was not there, or had nothing to find.
    """

    total: Total
    devices: dict[str, DeviceAccount]
    real: dict[str, RealAccount]
    latencies: dict[str, Latency | None]
    device_p99_ms: dict[str, dict[str, float]]
    lag: dict[str, Lag | None]
    usage: dict[str, Usage | None]
    alerting: Alerting | None


def find(stage: Stage) -> Findings:
    """Return what a stage shows."""
    devices = {name: account(device, stage.groups) for name, device in stage.devices.items()}
    values: dict[str, list[float]] = {way: [] for way in ways(stage)}
    p99: dict[str, dict[str, float]] = {}
    for name, device in stage.devices.items():
        p99[name] = {}
        for way, each in taken(device, stage).items():
            own = [one.ms for one in each]
            values[way] += own
            found = latency(own)
            if found:
                p99[name][way] = found.p99
    return Findings(
        total=total(devices.values(), stage.groups),
        devices=devices,
        real={name: real_account(numbers) for name, numbers in stage.real.items()},
        latencies={way: latency(each) for way, each in values.items()},
        device_p99_ms=p99,
        lag={name: lag(stage.group_lag[name]) for name in stage.groups},
        usage={name: usage(samples) for name, samples in stage.processes.items()},
        alerting=alerting(stage),
    )


def lag(samples: Sequence[Sequence[float]]) -> Lag | None:
    """Return what samples of a group's lag say."""
    return Lag(int(max(records for _ms, records in samples)), int(samples[-1][1])) if samples else None


def worst(findings: Findings, most: int) -> list[str]:
    """Return the names of the devices that fared worst, the worst first."""

    def badness(name: str) -> tuple[float, ...]:
        each = findings.devices[name]
        missing = sum(len(group.missing) for group in each.groups.values())
        wrong = each.disordered + sum(group.disordered for group in each.groups.values())
        slowest = max(findings.device_p99_ms[name].values(), default=0)
        open_ = each.unacked + each.made - each.sent
        return (len(each.lost) + missing, open_, wrong, each.disconnects, each.refused, each.duplicated, slowest)

    return sorted(findings.devices, key=badness, reverse=True)[:most]
