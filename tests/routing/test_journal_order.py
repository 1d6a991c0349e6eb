"""Order, pauses and crashes of second writes, on a virtual clock."""

import contextlib
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.decision import Evaluation
from routing.journal_order import (
    CONFLICTS,
    LONGEST_PAUSE,
    Entry,
    Order,
    Verdict,
    is_owed,
    may_send,
    pause,
    verdict,
)
from routing.stages import Side, Stage

PATHS = ("/", "/a", "/a/1", "/a/1/x", "/a/2", "/b", "/b/", "/bc")


def entry(id: int, path: str = "/a", side: Side = Side.NEW, capability: str = "c") -> Entry:
    return Entry(id, capability, "articles", side, path, 0)


@pytest.mark.parametrize(
    ("status", "method", "attempts", "expected"),
    [
        pytest.param(None, "POST", 1, Verdict.AGAIN, id="no-answer"),
        pytest.param(500, "POST", 99, Verdict.AGAIN, id="server-error"),
        pytest.param(429, "POST", 99, Verdict.AGAIN, id="too-many"),
        pytest.param(201, "POST", 1, Verdict.DONE, id="created"),
        pytest.param(303, "POST", 1, Verdict.DONE, id="see-other"),
        pytest.param(400, "POST", 1, Verdict.REFUSED, id="bad"),
        pytest.param(404, "PUT", 1, Verdict.REFUSED, id="nothing-to-change"),
        pytest.param(404, "DELETE", 1, Verdict.DONE, id="nothing-to-delete"),
        pytest.param(410, "DELETE", 1, Verdict.DONE, id="gone-already"),
        pytest.param(409, "POST", 1, Verdict.AGAIN, id="being-worked-on"),
        pytest.param(409, "POST", CONFLICTS, Verdict.REFUSED, id="conflict-for-good"),
        pytest.param(422, "POST", 1, Verdict.REFUSED, id="key-of-another-request"),
    ],
)
def test_verdicts(status: int | None, method: str, attempts: int, expected: Verdict) -> None:
    assert verdict(status, method, attempts) is expected


@pytest.mark.parametrize("stage", Stage)
def test_an_off_flag_keeps_entries_from_the_service_alone(stage: Stage) -> None:
    assert may_send(Side.OLD, stage)
    assert may_send(Side.NEW, stage) == (stage is not Stage.OFF)


@pytest.mark.parametrize(
    ("stage", "reason", "owed"),
    [
        pytest.param("off", "PREREQUISITE_FAILED", True, id="still-switched-off"),
        pytest.param("off", "OFF", True, id="a-person-may-turn-the-flag-on-again"),
        pytest.param("off", "FALLTHROUGH", False, id="never-was-the-service's"),
        pytest.param("dualwrite", "FALLTHROUGH", True, id="was-the-service's"),
    ],
)
def test_what_is_owed(stage: str, reason: str, owed: bool) -> None:
    assert is_owed(stage, Evaluation(Stage.OFF, reason, 1)) == owed


def test_pauses_grow_to_a_limit() -> None:
    pauses = [pause(attempts) for attempts in range(1, 2000)]
    assert pauses == sorted(pauses)
    assert pauses[0] < 1
    assert pauses[-1] == LONGEST_PAUSE


def ids(entries: list[Entry]) -> list[int]:
    return [each.id for each in entries]


@pytest.mark.parametrize(
    ("entries", "due"),
    [
        pytest.param([entry(1), entry(2)], [1], id="one-of-a-path"),
        pytest.param([entry(1, "/a"), entry(2, "/b")], [1, 2], id="other-paths"),
        pytest.param([entry(1, "/a"), entry(2, "/a/1")], [1], id="below-it"),
        pytest.param([entry(1, "/a/1"), entry(2, "/a")], [1, 2], id="above-it"),
        pytest.param([entry(1, "/a"), entry(2, "/ab")], [1, 2], id="no-segment"),
        pytest.param([entry(1, "/"), entry(2, "/a/1")], [1], id="root"),
        pytest.param([entry(1), entry(2, side=Side.OLD)], [1, 2], id="other-side"),
        pytest.param([entry(1), entry(2, capability="d")], [1, 2], id="other-capability"),
    ],
)
def test_who_waits_for_whom(entries: list[Entry], due: list[int]) -> None:
    order = Order(8)
    order.sync(entries)
    assert ids(order.due(0.0)) == due
    assert ids(order.due(0.0)) == [], "in flight"


def test_after_a_failure_the_path_waits() -> None:
    order = Order(8)
    order.sync([entry(1), entry(2), entry(3, "/b")])
    assert ids(order.due(0.0)) == [1, 3]
    order.failed(1, 0.0)
    order.done(3)
    assert order.due(pause(1) - 0.01) == []
    assert ids(order.due(pause(1))) == [1]
    order.done(1)
    assert ids(order.due(pause(1))) == [2]


def test_held_back_until_released() -> None:
    order = Order(1)
    order.sync([entry(1), entry(2, "/b")])
    (first,) = order.due(0.0)
    order.hold(first.id)
    assert ids(order.due(0.0)) == [2], "what is held takes no place"
    order.done(2)
    assert order.due(1e9) == []
    order.release()
    assert ids(order.due(0.0)) == [1]


def test_what_an_operator_changes() -> None:
    order = Order(8)
    order.sync([entry(2), entry(3)])
    order.sync([entry(1), entry(3)])
    assert ids(order.due(0.0)) == [1], "2 was discarded, 1 is sent again"
    order.sync([entry(3)])
    assert len(order) == 2, "what is in flight stays until it has ended"
    order.done(1)
    assert ids(order.due(0.0)) == [3]


@dataclass
class Store:
    """The other side: knows which keys it has applied, and in which order."""

    honours_keys: bool
    applied: list[int] = field(default_factory=list)

    def write(self, key: int) -> None:
        if not (self.honours_keys and key in self.applied):
            self.applied.append(key)


class Crash(Exception):
    pass


@dataclass
class Process:
    """The steps of a worker around `Order`; dies when `budget` steps have been made."""

    journal: dict[int, str]
    paths: list[str]
    """By id: a number is never given twice."""
    acknowledged: list[int]
    store: Store
    budget: int

    def step(self) -> None:
        self.budget -= 1
        if self.budget < 0:
            raise Crash

    def live(self, writes: list[str], answers: list[bool]) -> None:
        """Accept `writes`, send what is in the journal; `answers`: False for a failed attempt."""
        order = Order(3)
        now = 0.0
        for path in [*writes, None]:
            if path is not None:
                self.step()  # the first side has done it, and answered
                id = len(self.paths)
                self.paths.append(path)
                self.journal[id] = path
                self.step()  # committed
                self.acknowledged.append(id)
                self.step()  # the client has its answer
            order.sync(entry(id, path) for id, path in self.journal.items())
            while (path is None and self.journal) or (path is not None and answers):
                now += LONGEST_PAUSE
                sent = order.due(now)
                assert sent or not self.journal, "something can always be sent"
                if not sent:
                    break
                for each in sent:
                    self.step()  # sent
                    if answers and not answers.pop():
                        order.failed(each.id, now)
                        continue
                    self.store.write(each.id)
                    self.step()  # applied, not yet known to be
                    order.done(each.id)
                    del self.journal[each.id]
                    self.step()  # removed


@given(
    writes=st.lists(st.sampled_from(PATHS), max_size=8),
    answers=st.lists(st.booleans(), max_size=8),
    crashes=st.lists(st.integers(0, 25), max_size=4),
    honours=st.booleans(),
)
def test_a_crash_between_any_two_steps(
    writes: list[str], answers: list[bool], crashes: list[int], honours: bool
) -> None:
    """Each acknowledged write reaches the other side, in order, and once where keys count."""
    journal: dict[int, str] = {}
    acknowledged: list[int] = []
    store = Store(honours)
    paths: list[str] = []
    for budget in [*crashes, 10_000]:
        with contextlib.suppress(Crash):
            process = Process(journal, paths, acknowledged, store, budget)
            process.live(list(writes), list(answers))
    applied = Counter(store.applied)
    assert set(acknowledged) <= set(applied), "lost"
    assert journal == {}
    if honours:
        assert set(applied.values()) <= {1}, "applied twice"
    first = {key: store.applied.index(key) for key in applied}
    for later in first:
        for earlier in first:
            if earlier < later and paths[earlier] == paths[later]:
                assert first[earlier] < first[later], "out of order"


@given(
    entries=st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from(Side)), max_size=20),
    outcomes=st.lists(st.sampled_from(["done", "failed", "hold"]), max_size=60),
    concurrency=st.integers(1, 4),
)
def test_nobody_overtakes(
    entries: list[tuple[str, Side]], outcomes: list[str], concurrency: int
) -> None:
    order = Order(concurrency)
    waiting = {id: entry(id, path, side) for id, (path, side) in enumerate(entries)}
    order.sync(waiting.values())
    flying: dict[int, Entry] = {}
    now = 0.0
    for outcome in outcomes:
        now += 1.0
        for each in order.due(now):
            assert each.id not in flying
            for other in waiting.values():
                same = other.side is each.side and other.id < each.id
                above = other.path == each.path or each.path.startswith(
                    other.path if other.path == "/" else other.path + "/"
                )
                assert not (same and above), f"{each} before {other}"
            flying[each.id] = each
        assert len(flying) == order.in_flight <= concurrency
        if not flying:
            order.release()
            continue
        id = min(flying)
        del flying[id]
        if outcome == "done":
            order.done(id)
            del waiting[id]
        elif outcome == "failed":
            order.failed(id, now)
        else:
            order.hold(id)
    assert len(order) == len(waiting)
