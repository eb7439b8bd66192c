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


class Sight(NamedTuple):
    """One look.

    :ivar together: what is known of all gateways.
    :ivar gateways: what is known of each, by its name.
    """

    together: Seen
    gateways: Mapping[str, Seen]

    def through(self, gateway: str) -> Seen:
        """Return what is known of devices that speak through a gateway; "" or one that is none could be any."""
        return self.gateways.get(gateway, self.together)

    def since(self, before: Sight) -> Sight:
        """Return what is known if nothing was up to an earlier look at the same gateways."""
        return together(
            {
                name: seen._replace(since_ms=max(seen.since_ms, before.gateways[name].until_ms))
                for name, seen in self.gateways.items()
            }
        )


def together(gateways: Mapping[str, Seen]) -> Sight:
    """Return a look at some gateways, one at least."""
    each = gateways.values()
    return Sight(
        Seen(
            max(seen.since_ms for seen in each),
            min(seen.until_ms for seen in each),
            lambda append_ms: min(seen.sent_before(append_ms) for seen in each),
        ),
        gateways,
    )
