"""What a look at the pipeline has shown, by the gateway through which devices speak."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Seen(NamedTuple):
    """All that was sent from one time to the other is known.

    :ivar sent_before: gives the time up to which all was known when a record was appended. A message that was kept on
        its way was sent long before that, so its append time ends no silence.
    """

    since_ms: int
    until_ms: int
    sent_before: Callable[[int], int]


NOTHING = Seen(0, 0, lambda _append_ms: 0)


class Sight(NamedTuple):
    """One look.

    :ivar gateways: what is known of each, by its name.
    :ivar others: what is known of a gateway that is not among them.
    """

    gateways: Mapping[str, Seen]
    others: Seen = NOTHING

    @property
    def newest(self) -> Seen:
        """What is known of the gateway of which most is: of what only Kafka has to do with."""
        return max(self.gateways.values(), key=lambda seen: seen.until_ms, default=self.others)

    @property
    def through_all(self) -> Seen:
        """What is known of all gateways."""
        each = self.gateways.values() or [self.others]
        return Seen(
            max(seen.since_ms for seen in each),
            min(seen.until_ms for seen in each),
            lambda append_ms: min(seen.sent_before(append_ms) for seen in each),
        )

    def through(self, gateway: str) -> Seen:
        """Return what is known of devices that speak through a gateway; "" if they don't, but to Kafka itself."""
        return self.gateways.get(gateway, self.others) if gateway else self.newest

    def since(self, before: Sight) -> Sight:
        """Return what is known if nothing was up to an earlier look."""

        def later(name: str, seen: Seen) -> Seen:
            return seen._replace(since_ms=max(seen.since_ms, before.gateways.get(name, seen).until_ms))

        return Sight({name: later(name, seen) for name, seen in self.gateways.items()}, self.others)
