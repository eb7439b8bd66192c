"""Which Kafka topic and key a message gets, or why it is a dead letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import filters

if TYPE_CHECKING:
    from .config import Tree
    from .schema import Schema

# Each device has few topics; a device that invents them must not fill the memory.
REMEMBERED = 20_000


class Route(NamedTuple):
    """Where the messages of one MQTT topic go.

    :ivar target: a Kafka topic; "" if no filter matches.
    :ivar header: the MQTT topic as a record header.
    """

    target: str
    key: bytes
    header: tuple[str, bytes]
    schema: Schema | None


class Router:
    """Knows the trees of topics."""

    def __init__(self, trees: tuple[Tree, ...]) -> None:
        self._trees = trees
        self._routes: dict[bytes, Route] = {}

    def __getitem__(self, topic: bytes) -> Route:
        route = self._routes.get(topic)
        return route if route is not None else self._found(topic)

    def _found(self, topic: bytes) -> Route:
        if len(self._routes) >= REMEMBERED:
            self._routes.clear()
        self._routes[topic] = route = self._search(topic)
        return route

    def _search(self, topic: bytes) -> Route:
        header = ("mqtt.topic", topic)
        name = topic.decode()  # MQTT 5, 1.5.4: the server has refused what is not UTF-8
        for tree in self._trees:
            if filters.matches(tree.filter, name):
                device = topic.split(b"/")[tree.device_level - 1]
                return Route(tree.topic, device, header, tree.schema)
        return Route("", topic, header, None)
