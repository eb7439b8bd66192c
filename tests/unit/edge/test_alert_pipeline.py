"""Beats that come back, late or not at all, and what a look at the pipeline shows."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from raspi_kafka.alert import state
from raspi_kafka.alert.alert import FLEET, Alert, Place, State
from raspi_kafka.alert.heartbeat import Beat
from raspi_kafka.alert.looks import GIVE_UP_S, Looks
from raspi_kafka.alert.pipeline import APART_MS, RULE, SETTLE_S, Pipeline
from raspi_kafka.alert.pipelines import Pipelines
from raspi_kafka.alert.sight import Seen, Sight, together
from raspi_kafka.alert.topics import HEARTBEAT

LIMIT_S = 15
START_MS = 1_790_000_000_000


@dataclass
class Beats:
    """A pipeline and its beats; times are seconds from a start."""

    pipeline: Pipeline = field(default_factory=lambda: Pipeline("pi", 0, LIMIT_S))
    offset: int = 0

    def come(self, sent: float, appended: float) -> list[tuple[State, int]]:
        """Let a beat come back; return states and offsets of alerts."""
        beat = Beat("pi", self.offset, START_MS + int(1000 * sent))
        append_ms = START_MS + int(1000 * appended)
        alerts = self.pipeline.take(beat, Place(HEARTBEAT, 0, self.offset), append_ms, appended)
        self.offset += 1
        assert all((each.rule, each.device, each.severity) == (RULE, FLEET, "critical") for each in alerts)
        return [(each.state, each.place.offset) for each in alerts]

    def again(self) -> Beats:
        """The next process, on this host or another one."""
        pipeline = Pipeline("pi", 0, LIMIT_S)
        pipeline.load(self.pipeline.dump())
        return Beats(pipeline, self.offset)


def test_beats_in_time_say_nothing() -> None:
    beats = Beats()
    assert [beats.come(at, at + LIMIT_S) for at in (0, 2, 4)] == [[], [], []]


def test_a_late_beat_is_an_episode_that_began_with_the_last_one_in_time() -> None:
    beats = Beats()
    beats.come(0, 0.1)
    assert beats.come(2, 2 + LIMIT_S + 0.001) == [(State.FIRING, 0)]
    assert beats.come(4, 20) == []
    assert beats.come(19, 20) == [(State.RESOLVED, 0)]
    assert beats.come(21, 21) == []


def test_a_beat_that_is_missing_finds_the_same_episode() -> None:
    beats = Beats()
    beats.come(0, 0.1)
    assert not beats.pipeline.suspect(0.1 + LIMIT_S, -100)
    assert beats.pipeline.suspect(0.2 + LIMIT_S, -100)
    (alert,) = beats.pipeline.stall(START_MS + 16_000)
    assert (alert.state, alert.place.offset) == (State.FIRING, 0)
    assert not beats.pipeline.suspect(60, -100)
    assert beats.come(2, 30) == []
    assert beats.come(29, 30) == [(State.RESOLVED, 0)]


def test_no_beat_is_missed_before_it_is_due() -> None:
    beats = Beats()
    beats.come(0, 0.1)
    assert not beats.pipeline.suspect(60, 50)
    assert beats.pipeline.suspect(66, 50)


def test_beats_that_never_come_back_are_missed_too() -> None:
    beats = Beats()
    assert not beats.pipeline.suspect(LIMIT_S, 0)
    assert beats.pipeline.suspect(LIMIT_S + 1, 0)
    (alert,) = beats.pipeline.stall(START_MS)
    assert (alert.place, alert.since_ms) == (Place(HEARTBEAT, 0, -1), START_MS)
    assert Alert.from_json(alert.to_json()) == alert


def test_the_next_process_goes_on() -> None:
    beats = Beats()
    beats.come(0, 0.1)
    beats.come(2, 2.1)
    beats = beats.again()
    assert (beats.pipeline.since_ms, beats.pipeline.until_ms) == (START_MS, START_MS + 2000)
    assert beats.come(4, 30) == [(State.FIRING, 1)]
    beats = beats.again()
    assert beats.pipeline.stalled
    assert beats.come(29, 30) == [(State.RESOLVED, 1)]


def test_beats_that_are_far_apart_begin_anew() -> None:
    beats = Beats()
    beats.come(0, 0)
    beats.come(APART_MS / 1000, 10)
    assert beats.pipeline.since_ms == START_MS
    beats.come(20.001, 20.001)
    assert beats.pipeline.since_ms == START_MS + 20_001


def test_what_was_appended_was_sent_after_the_beat_that_had_landed_before() -> None:
    beats = Beats()
    for sent, appended in ((0, 0.1), (2, 30), (4, 30.1)):
        beats.come(sent, appended)
    assert beats.pipeline.sent_before(START_MS + 29_000) == START_MS
    assert beats.pipeline.sent_before(START_MS + 30_999) == START_MS
    assert beats.pipeline.sent_before(START_MS + 31_000) == START_MS + 2000
    assert beats.pipeline.sent_before(START_MS + 60_000) == START_MS + 4000
    assert beats.pipeline.sent_before(START_MS) == 0


# --- several gateways


def beat(pipelines: Pipelines, gateway: str, sent: float, appended: float = 0.0) -> list[Alert]:
    """Let a beat come back; times are seconds from a start."""
    appended = appended or sent
    sent_ms, append_ms = (START_MS + int(1000 * at) for at in (sent, appended))
    return pipelines.take(Beat(gateway, 0, sent_ms), Place(HEARTBEAT, 0, int(sent)), append_ms, appended)


def test_each_gateway_stalls_for_itself() -> None:
    pipelines = Pipelines(["one", "other"], LIMIT_S)
    beat(pipelines, "one", 0)
    beat(pipelines, "other", 0)
    beat(pipelines, "one", 2)
    (stalled,) = pipelines.suspects(LIMIT_S + 1, 0)
    (alert,) = stalled.stall(START_MS)
    assert "what devices send to other does not come" in alert.summary
    assert pipelines.stalled() == {"one": False, "other": True}
    assert beat(pipelines, "one", 20) == []
    (end,) = beat(pipelines, "other", 21)
    assert (end.state, end.id) == (State.RESOLVED, alert.id)


def test_gateways_that_were_never_heard_have_episodes_of_their_own() -> None:
    alerts = [each.stall(START_MS)[0] for each in Pipelines(["one", "other"], LIMIT_S).suspects(LIMIT_S + 1, 0)]
    assert len({alert.id for alert in alerts}) == 2


def test_beats_of_a_host_that_is_no_gateway_mean_nothing() -> None:
    pipelines = Pipelines(["one"], LIMIT_S)
    assert beat(pipelines, "stranger", 0, 60) == []
    assert pipelines.sight().together.until_ms == 0


def test_what_is_known_of_each_gateway_and_of_all() -> None:
    pipelines = Pipelines(["one", "other"], LIMIT_S)
    for gateway, sent in (("one", 0), ("other", 1), ("one", 2), ("one", 4)):
        beat(pipelines, gateway, sent)
    sight = pipelines.sight()
    spans = {name: (seen.since_ms - START_MS, seen.until_ms - START_MS) for name, seen in sight.gateways.items()}
    assert spans == {"one": (0, 4000), "other": (1000, 1000)}
    assert sight.through("one") is sight.gateways["one"]
    for gateway in ("", "stranger"):
        seen = sight.through(gateway)
        assert (seen.since_ms, seen.until_ms) == (START_MS + 1000, START_MS + 1000)
        assert seen.sent_before(START_MS + 9000) == START_MS + 1000


def test_the_next_process_goes_on_with_all_gateways() -> None:
    pipelines = Pipelines(["one", "other"], LIMIT_S)
    beat(pipelines, "one", 0)
    (firing,) = beat(pipelines, "other", 1, 60)
    after = Pipelines(["other", "third"], LIMIT_S)
    assert after.load(pipelines.dump()) == []
    assert after.stalled() == {"other": True, "third": False}
    assert after.sight().gateways["other"].until_ms == START_MS + 1000
    after = Pipelines(["third"], LIMIT_S)
    (end,) = after.load(pipelines.dump())
    assert (end.state, end.id, end.summary) == (State.RESOLVED, firing.id, "other is no gateway any more")


# --- looks


class Answers:
    """Answers with the ends that it is given."""

    def __init__(self) -> None:
        self.asked: list[list[tuple[str, int]]] = []
        self.given: dict[tuple[str, int], int | None] = {}
        self.answered = True

    def __call__(self, partitions: list[tuple[str, int]]) -> Answers:
        self.asked.append(partitions)
        return self

    def ends(self) -> dict[tuple[str, int], int | None]:
        return self.given


ONE, OTHER = ("telemetry", 0), ("telemetry", 1)


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def looks(answers: Answers) -> Looks:
    return Looks(answers)  # type: ignore[arg-type]


def sight(since_ms: int, until_ms: int) -> Sight:
    return together({"pi": Seen(since_ms, until_ms, int)})


def known(looks: Looks, now: float, **positions: int) -> list[tuple[int, int, int]]:
    """Return partition, and from when to when, of what is known."""
    places = {("telemetry", int(name[1:])): offset for name, offset in positions.items()}
    found = [(each[1], *sight) for each, sight in looks.advance(now, places)]
    assert all((seen.since_ms, seen.until_ms) == gateways["pi"][:2] for _partition, seen, gateways in found)
    return [(partition, seen.since_ms, seen.until_ms) for partition, seen, _gateways in found]


def test_a_look_waits_for_what_is_on_its_way_and_for_what_is_not_read(looks: Looks, answers: Answers) -> None:
    answers.given = {ONE: 10, OTHER: 20}
    looks.begin([ONE, OTHER], sight(5, 100), 0)
    assert known(looks, SETTLE_S - 0.01, p0=10, p1=20) == []
    assert answers.asked == []
    answers.answered = False
    assert known(looks, SETTLE_S, p0=10, p1=20) == []
    answers.answered = True
    assert known(looks, 2, p0=10, p1=19) == [(0, 5, 100)]
    assert known(looks, 3, p0=10, p1=20) == [(1, 5, 100)]


def test_there_is_one_look_at_a_time(looks: Looks, answers: Answers) -> None:
    answers.given = {ONE: 10}
    looks.begin([ONE], sight(5, 100), 0)
    looks.begin([ONE], sight(5, 200), 0)
    assert known(looks, 2, p0=0) == []
    looks.begin([ONE], sight(5, 300), 2)
    assert known(looks, 3, p0=10) == [(0, 5, 100)]
    looks.begin([ONE], sight(5, 400), 3)
    assert known(looks, 4, p0=10) == [(0, 5, 400)]


def test_what_is_not_read_for_long_does_not_keep_others_from_being_looked_at(looks: Looks, answers: Answers) -> None:
    answers.given = {ONE: 10, OTHER: 20}
    looks.begin([ONE, OTHER], sight(5, 100), 0)
    assert known(looks, 2, p0=10, p1=19) == [(0, 5, 100)]
    looks.begin([ONE, OTHER], sight(5, 200), GIVE_UP_S - 1)
    assert known(looks, GIVE_UP_S + 1, p0=10, p1=19) == []
    looks.begin([ONE, OTHER], sight(5, 300), GIVE_UP_S)
    assert known(looks, GIVE_UP_S + 2, p0=10, p1=20) == [(0, 5, 300), (1, 300, 300)]


def test_a_partition_that_did_not_answer_counts_from_the_beat_after_which_it_does(
    looks: Looks, answers: Answers
) -> None:
    for until, end in ((100, 10), (200, None), (300, 10), (400, 10)):
        answers.given = {ONE: end}
        looks.begin([ONE], sight(5, until), until)
        expected = {100: [(0, 5, 100)], 200: [], 300: [(0, 300, 300)], 400: [(0, 300, 400)]}
        assert known(looks, until + 1, p0=10) == expected[until]


def test_positions_are_stored_as_they_were() -> None:
    positions = {("telemetry", 1): 7, ("dead-letters", 0): 0}
    assert state.positions_from_json(state.positions_to_json(positions)) == positions
