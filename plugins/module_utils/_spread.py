# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: this module util may change at any time, its names are no promise to other collections.

"""Who takes what, evenly and at the least cost: a flow of minimal cost by successive shortest paths.

Each item flows to its takers through a node for its group at that taker, and one for the taker. What goes beyond an
even share costs more with each unit, so that no group and no taker has more than another if it can be helped; of all
such ways the cheapest is found. The numbers are whole, so the flow is too (Ahuja, Magnanti, Orlin, Network Flows, 9).
"""

from __future__ import annotations

import typing as t
from collections import deque
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence


@dataclass(frozen=True)
class Item:
    """What is to be taken by `take` of the takers that have a cost for it."""

    key: Hashable
    group: str
    take: int
    costs: Mapping[int, int]


@dataclass
class Edge:
    """One way of a pair; `back` is the other, over which a flow is taken back."""

    start: Hashable
    end: Hashable
    room: int
    cost: int
    back: Edge | None = None


@dataclass
class Network:
    edges: dict[Hashable, list[Edge]] = field(default_factory=dict)

    def add(self, start: Hashable, end: Hashable, room: int, cost: int = 0) -> None:
        there, back = Edge(start, end, room, cost), Edge(end, start, 0, -cost)
        there.back, back.back = back, there
        self.edges.setdefault(start, []).append(there)
        self.edges.setdefault(end, []).append(back)

    def add_rising(self, start: Hashable, end: Hashable, even: int, most: int, weight: int) -> None:
        """Room for an even share at no cost, and for each unit beyond at a cost that rises, up to `most` in all."""
        self.add(start, end, min(even, most))
        for beyond in range(1, most - even + 1):
            self.add(start, end, 1, beyond * weight)

    def cheapest(self, source: Hashable, sink: Hashable) -> list[Edge]:
        """The cheapest way that has room; empty if there is none. Ties go to what was added first."""
        cost: dict[Hashable, int] = {source: 0}
        came: dict[Hashable, Edge] = {}
        waiting, is_waiting = deque([source]), {source}
        while waiting:
            node = waiting.popleft()
            is_waiting.discard(node)
            for edge in self.edges[node]:
                if edge.room and (edge.end not in cost or cost[node] + edge.cost < cost[edge.end]):
                    cost[edge.end], came[edge.end] = cost[node] + edge.cost, edge
                    if edge.end not in is_waiting:
                        waiting.append(edge.end)
                        is_waiting.add(edge.end)
        way: list[Edge] = []
        while sink in came and sink != source:
            way.append(came[sink])
            sink = came[sink].start
        return way

    def fill(self, source: Hashable, sink: Hashable) -> None:
        """Send all that can be sent, one unit after another, each the cheapest way."""
        while way := self.cheapest(source, sink):
            for edge in way:
                edge.room -= 1
                t.cast("Edge", edge.back).room += 1


SOURCE, SINK = "source", "sink"


def spread(items: Sequence[Item], takers: Iterable[int]) -> dict[Hashable, list[int]]:
    """Key of an item -> its takers, in ascending order.

    First no taker has more than another, then no taker has more of a group than another, as far as the costs allow a
    taker at all; and then the costs are the least possible. Equal input gives equal output.
    """
    takers = sorted(takers)
    units = sum(item.take for item in items)
    dearest = 1 + sum(item.take * max(item.costs.values(), default=0) for item in items)
    network = Network({SOURCE: [], SINK: []})
    for item in items:
        network.add(SOURCE, ("item", item.key), item.take)
        for taker in takers:
            if taker in item.costs:
                network.add(("item", item.key), (item.group, taker), 1, item.costs[taker])
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.group, []).append(item)
    for group, its in groups.items():
        for taker in takers:
            even = sum(item.take for item in its) // len(takers)
            network.add_rising((group, taker), ("taker", taker), even, len(its), dearest)
    for taker in takers:
        network.add_rising(("taker", taker), SINK, units // len(takers), len(items), dearest * (1 + units) ** 2)
    network.fill(SOURCE, SINK)
    return {
        item.key: sorted(
            t.cast("tuple[str, int]", edge.end)[1]
            for edge in network.edges["item", item.key]
            if edge.end != SOURCE and not edge.room
        )
        for item in items
    }
