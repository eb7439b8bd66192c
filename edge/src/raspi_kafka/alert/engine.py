"""Judges records by rules. It knows no time but that of records, so that the same records always end the same."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .alert import FLEET, State
from .device import Device
from .event import Event, payload_of, said_ms
from .fleet import Fleet
from .record import Record
from .rule import alert
from .stored import Stored, device_key, encoded, reading, rule_key
from .watch import Change, episode_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from .alert import Alert
    from .rule import Rule
    from .rules import Rules
    from .sight import Seen, Sight
    from .watch import Episode, Watch

BYE = b'"bye"'
CHANGED = "the rules were changed"
FORGOTTEN = "the device was not heard for so long that it is forgotten"


class Topic:
    """What is known of a topic.

    :ivar rules: those for which each device has a watch of its own.
    :ivar windows: watches that are for all devices at once.
    """

    def __init__(self, rules: Sequence[Rule], windows: Sequence[Watch]) -> None:
        self.rules = rules
        self.windows = windows
        self.devices: dict[str, Device] = {}


class Engine:
    """All rules, and all that is known of devices.

    :ivar firing: open episodes by rule and severity.
    :ivar late: events that came too late to be judged, by rule.
    """

    def __init__(self, rules: Rules) -> None:
        self._late_ms = rules.late_ms
        self._forget_ms = rules.forget_ms
        self._time_fields = rules.time_fields
        self._rules = {rule.name: rule for rule in rules.rules}
        self._fleets = {rule.name: Fleet(rule) for rule in rules.rules if rule.at_least}
        self._windows = {rule.name: rule.kind.watch(rule) for rule in rules.rules if rule.at_once}
        self._shared: dict[str, Watch] = {**self._fleets, **self._windows}
        self._topics = {topic: self._topic(topic) for topic in rules.topics}
        self._dirty: set[Device] = set()
        self._dirty_rules = set(self._rules)
        self._gone: set[str] = set()
        self._stored = Stored({}, {})
        self.firing: Counter[tuple[str, str]] = Counter({(rule.name, rule.severity): 0 for rule in rules.rules})
        self.late: Counter[str] = Counter()

    def _topic(self, name: str) -> Topic:
        rules = [rule for rule in self._rules.values() if name in rule.topics]
        windows = [self._windows[rule.name] for rule in rules if rule.at_once]
        return Topic([rule for rule in rules if not rule.at_once], windows)

    # --- records, and time

    def take(self, record: Record) -> list[Alert]:
        """Return what a record begins and ends; those of a partition come in their order, each once."""
        topic = self._topics.get(record.topic)
        if topic is None:
            return []
        alerts = self._counted(topic, record) if topic.windows else []
        device = topic.devices.get(record.key) or self._met(topic, record)
        return alerts + self._heard(device, record) if device.watches else alerts

    def known(self, topic: str, partition: int, sight: Sight) -> list[Alert]:
        """Return what begins and ends because time has passed.

        :param sight: all that devices of the partition have sent in its time has been taken, so they were silent if
            nothing was.
        """
        place = self._topics.get(topic)
        if place is None:
            return []
        alerts: list[Alert] = []
        for window in place.windows:
            if changes := window.look(None, sight):
                alerts += self._of_window(window, changes, sight.together.until_ms)
        devices = [each for each in place.devices.values() if each.partition == partition]
        for device, watch, changes in looked(devices, sight):
            alerts += self._alerts(device, watch.rule, changes, sight.through(device.gateway).until_ms)
        quiet = [each for each in devices if forgotten(each, sight.through(each.gateway))]
        for device in sorted(quiet, key=heard_last):
            alerts += self._forget(place, device, sight.through(device.gateway).until_ms)
        return alerts

    def _met(self, topic: Topic, record: Record) -> Device:
        """Return a device that was not known."""
        # A record without a key is of no device.
        rules = [rule for rule in topic.rules if rule.concerns(record.key)] if record.key else []
        forget_ms = min((rule.forget_ms for rule in rules), default=self._forget_ms)
        device = Device(record, [rule.kind.watch(rule) for rule in rules], forget_ms)
        topic.devices[record.key] = device
        return device

    def _heard(self, device: Device, record: Record) -> list[Alert]:
        """Let the watches of a device judge its record."""
        payload: dict[str, Any] = {}
        said: int | None = None
        if device.reads:
            payload = payload_of(record.value)
            said = said_ms(payload, record.headers, self._time_fields)
        elif BYE in record.value:
            payload = payload_of(record.value)
        at_ms = device.at_ms(said, record.append_ms, self._late_ms)
        event = Event(record, device, payload, said, at_ms)
        alerts: list[Alert] = []
        for watch in device.watches if at_ms is not None else device.punctual:
            if changes := watch.take(event):
                alerts += self._alerts(device, watch.rule, changes, record.append_ms)
        if at_ms is None:
            self.late.update(watch.rule.name for watch in device.watches if watch.by_device_time)
        device.note(record, payload)
        self._dirty.add(device)
        return alerts

    def _counted(self, topic: Topic, record: Record) -> list[Alert]:
        """Let the watches judge a record that are for all devices at once."""
        event = Event(record, None, {}, None, record.append_ms)
        alerts: list[Alert] = []
        for window in topic.windows:
            if window.rule.concerns(record.key):
                alerts += self._of_window(window, window.take(event), record.append_ms)
        return alerts

    def _forget(self, topic: Topic, device: Device, until_ms: int) -> list[Alert]:
        """Forget a device."""
        alerts: list[Alert] = []
        for watch in device.watches:
            alerts += self._alerts(device, watch.rule, watch.end(FORGOTTEN), until_ms)
        del topic.devices[device.key]
        self._dirty.discard(device)
        if device.watches:
            self._gone.add(device_key(device.topic, device.key))
        return alerts

    # --- alerts

    def _alerts(self, device: Device, rule: Rule, changes: Iterable[Change], decided_ms: int) -> list[Alert]:
        """Return the alerts of changes at a device: its own, or those of the fleet."""
        self._dirty.add(device)
        fleet = self._fleets.get(rule.name)
        if fleet is None:
            return [self._alert(rule, device.key, each, decided_ms) for each in changes]
        alerts = []
        for change in changes:
            alerts += self._of_fleet(fleet, fleet.join(device.key, change), decided_ms)
        return alerts

    def _of_fleet(self, fleet: Fleet, changes: Iterable[Change], decided_ms: int) -> list[Alert]:
        self._dirty_rules.add(fleet.rule.name)
        return [self._alert(fleet.rule, FLEET, each, decided_ms, fleet.tell()) for each in changes]

    def _of_window(self, window: Watch, changes: Iterable[Change], decided_ms: int) -> list[Alert]:
        self._dirty_rules.add(window.rule.name)
        return [self._alert(window.rule, FLEET, each, decided_ms) for each in changes]

    def _alert(self, rule: Rule, device: str, change: Change, decided_ms: int, said: str = "") -> Alert:
        self._count(rule.name, change)
        return rule.alert(device, change, said or rule.kind.tell(change.state, change.value), decided_ms)

    def _count(self, rule: str, change: Change) -> None:
        self.firing[rule, change.episode.severity] += 1 if change.state is State.FIRING else -1

    # --- state

    def take_changed(self) -> dict[str, bytes | None]:
        """Return the state that has changed since the last call, by key; None for what is gone."""
        changed: dict[str, bytes | None] = dict.fromkeys(self._gone)
        for device in self._dirty:
            changed[device_key(device.topic, device.key)] = encoded(device.dump())
        for name in self._dirty_rules:
            changed[rule_key(name)] = self._of_rule(self._rules[name])
        self._gone.clear()
        self._dirty.clear()
        self._dirty_rules.clear()
        return changed

    def load(self, key: str, value: bytes) -> None:
        """Take what was stored, before the first record.

        :raises StateError: it is none.
        """
        self._stored.take(key, value)

    def loaded(self) -> list[Alert]:
        """Go on from what was stored; return the ends of episodes of rules that were changed or are there no more.

        :raises StateError: what was stored is none.
        """
        before, self._stored = self._stored, Stored({}, {})
        kept = {name for name, rule in self._rules.items() if before.about(name) == rule.about}
        self._dirty_rules -= kept
        self._gone.update(rule_key(name) for name in before.rules.keys() - self._rules.keys())
        alerts: list[Alert] = []
        for (topic, key), said in before.devices.items():
            with reading(device_key(topic, key)):
                alerts += self._device_goes_on(self._restored(topic, key, said), said["rules"], before, kept)
        for name, said in before.rules.items():
            with reading(rule_key(name)):
                alerts += self._rule_goes_on(name, said, before.newest_ms, name in kept)
        for fleet in self._fleets.values():
            if changes := fleet.leave():
                alerts += self._of_fleet(fleet, changes, before.newest_ms)
        return alerts

    def _of_rule(self, rule: Rule) -> bytes:
        """Return what is stored of a rule."""
        shared = self._shared.get(rule.name)
        return encoded({"about": rule.about, "fleet": rule.fleet, **(shared.dump() if shared else {})})

    def _restored(self, topic: str, key: str, said: dict[str, Any]) -> Device:
        """Return a device that was stored, without its episodes."""
        partition, offset, last_ms = said["last"]
        record = Record(topic, partition, offset, last_ms, key, b"")
        device = self._met(self._topics.get(topic) or Topic((), ()), record)
        device.bye = said.get("bye", False)
        device.gateway = said.get("gateway", "")
        if "behind" in said:
            device.behind = tuple(said["behind"])
        if not device.watches:
            self._gone.add(device_key(topic, key))
        return device

    def _device_goes_on(self, device: Device, parts: dict[str, Any], before: Stored, kept: set[str]) -> list[Alert]:
        """Go on with the episodes of a device, and return the ends of those whose rule is not what it was."""
        watches = {watch.rule.name: watch for watch in device.watches if watch.rule.name in kept}
        alerts: list[Alert] = []
        for name, part in parts.items():
            if name in watches:
                self._watch_goes_on(watches[name], device.key, part)
            elif (episode := episode_of(part)) and not before.rules[name]["fleet"]:
                alerts.append(ended(name, device.key, episode, device.last_ms))
        if device.watches and parts.keys() - watches.keys():
            self._dirty.add(device)
        return alerts

    def _watch_goes_on(self, watch: Watch, device: str, part: dict[str, Any]) -> None:
        watch.load(part)
        if watch.episode and watch.rule.name in self._fleets:
            self._fleets[watch.rule.name].members[device] += 1
        elif watch.episode:
            self.firing[watch.rule.name, watch.episode.severity] += 1

    def _rule_goes_on(self, name: str, said: dict[str, Any], newest_ms: int, kept: bool) -> list[Alert]:
        """Go on with the episode of a rule that is for all devices at once."""
        episode = episode_of(said) if said["fleet"] else None
        if not kept:
            return [ended(name, FLEET, episode, newest_ms)] if episode else []
        if name in self._shared:
            self._shared[name].load(said)
        if episode:
            self.firing[name, episode.severity] += 1
        return []


def looked(devices: Iterable[Device], sight: Sight) -> list[tuple[Device, Watch, Sequence[Change]]]:
    """Return what changes at which device and watch because time has passed, in order."""
    found = [
        (device, watch, changes)
        for device in devices
        for watch in device.looking
        if (changes := watch.look(device, sight))
    ]
    return sorted(found, key=lambda each: heard_last(each[0]))


def forgotten(device: Device, seen: Seen) -> bool:
    """Tell whether a device was silent for so long that it is forgotten."""
    return seen.until_ms - max(device.last_ms, seen.since_ms) > device.forget_ms


def heard_last(device: Device) -> tuple[int, int]:
    """Return what devices of a partition are to be sorted by.

    Which of them makes a number full must not depend on the order in which this process has met them.
    """
    return device.last_ms, device.offset


def ended(rule: str, device: str, episode: Episode, decided_ms: int) -> Alert:
    """Return the end of an episode whose rule is not what it was."""
    return alert(rule, device, Change(State.RESOLVED, episode), decided_ms, f"{device}: {rule} ends, {CHANGED}")
