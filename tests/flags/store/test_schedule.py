"""Scheduled changes: checked when they are made, applied once when they are due."""

import threading
from collections.abc import Callable
from typing import Any, Protocol

import pytest
from sqlalchemy import func, select

from flag_builders import (
    ALICE,
    CMS,
    OFF,
    ON,
    PRODUCTION,
    a_boolean,
    an_environment,
)
from flags.errors import NotFound, Rejected, Unavailable
from flags.model import Scheduled
from flags.store import Store, now_ms, schedule
from flags.store.schema import SCHEDULED

KEY = a_boolean().key
HOUR = 3_600_000


class Clock(Protocol):
    def __call__(self, hours: float) -> None: ...


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Lets the schedule believe that so many hours have gone by."""

    def later(hours: float) -> None:
        monkeypatch.setattr(schedule, "now_ms", lambda: now_ms() + int(hours * HOUR))

    return later


@pytest.fixture
def flag(store: Store) -> str:
    return store.flags.create("cms", a_boolean(), ALICE).key


def add(store: Store, *instructions: Any, hours: float = 1, **fields: Any) -> Scheduled:
    return store.schedule.add(
        "cms",
        fields.pop("environment", PRODUCTION),
        fields.pop("flag", KEY),
        due=fields.pop("due", now_ms() + int(hours * HOUR)),
        instructions=list(instructions),
        comment=fields.pop("comment", ""),
        actor=ALICE,
    )


def waiting(store: Store) -> list[Scheduled]:
    return store.schedule.of("cms", PRODUCTION, KEY)


def is_on(store: Store) -> bool:
    return store.flags.get("cms", KEY).config(PRODUCTION).on


@pytest.mark.usefixtures("flag")
class TestRun:
    def test_when_it_is_due(self, store: Store, later: Clock) -> None:
        scheduled = add(store, ON, hours=2, comment="as agreed")
        assert waiting(store) == [scheduled]
        later(1.9)
        assert store.schedule.run_due() == 0
        assert not is_on(store)
        later(2.1)
        assert store.schedule.run_due() == 1
        assert is_on(store)
        assert waiting(store) == []
        entry = store.audit()[0]
        assert (entry.member, entry.via, entry.comment) == ("alice", "schedule", "as agreed")
        assert store.schedule.run_due() == 0
        assert store.flags.get("cms", KEY).version == 2

    def test_earliest_first(self, store: Store, later: Clock) -> None:
        late, early = add(store, ON, hours=3), add(store, OFF, hours=2)
        assert waiting(store) == [early, late]
        later(4)
        assert store.schedule.run_due() == 2
        assert is_on(store)

    def test_what_no_longer_fits_is_kept_with_the_reason(self, store: Store, later: Clock) -> None:
        rule = {"kind": "addRule", "variationId": "yes", "clauses": [PLAN]}
        store.flags.patch("cms", KEY, [rule], ALICE, environment=PRODUCTION)
        (added,) = store.flags.get("cms", KEY).config(PRODUCTION).rules
        remove = {"kind": "removeRule", "ruleId": added.id}
        add(store, ON, remove)
        fine = add(store, ON, hours=2)
        store.flags.patch("cms", KEY, [remove], ALICE, environment=PRODUCTION)
        later(1.5)
        assert store.schedule.run_due() == 0
        failed, left = waiting(store)
        assert failed.problem == (
            f"instructions[1] (removeRule): there is no rule {added.id!r}; known: none"
        )
        assert left == fine
        assert not is_on(store), "none of it is applied"
        later(3)
        assert store.schedule.run_due() == 1, "the other one is"
        assert [s.id for s in waiting(store)] == [failed.id], "it is not tried again"

    def test_a_comment_where_one_is_required(self, store: Store, later: Clock) -> None:
        store.environments.save(an_environment(require_comments=True), ALICE)
        add(store, ON)
        later(2)
        assert store.schedule.run_due() == 1
        assert store.audit()[0].comment == "scheduled change"

    def test_a_crash_leaves_it_waiting(
        self, store: Store, later: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scheduled = add(store, ON)
        later(2)

        def crash(*_: object, **__: object) -> None:
            raise RuntimeError("a crash")

        with monkeypatch.context() as patch:
            patch.setattr(store.flags, "patch_in", crash)
            with pytest.raises(RuntimeError, match="a crash"):
                store.schedule.run_due()
        assert waiting(store) == [scheduled]
        assert store.schedule.run_due() == 1

    def test_a_database_out_of_reach_is_no_reason_to_give_up(
        self, store: Store, later: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scheduled = add(store, ON)
        later(2)

        def lost(*_: object, **__: object) -> None:
            raise Unavailable("the database cannot be used now")

        with monkeypatch.context() as patch:
            patch.setattr(store.flags, "patch_in", lost)
            with pytest.raises(Unavailable):
                store.schedule.run_due()
        assert waiting(store) == [scheduled]
        assert store.schedule.run_due() == 1

    def test_a_new_flag_of_the_key_is_left_alone(self, store: Store, later: Clock) -> None:
        add(store, ON)
        store.flags.delete("cms", KEY, ALICE)
        store.flags.create("cms", a_boolean(), ALICE)
        later(2)
        assert store.schedule.run_due() == 0
        assert not is_on(store)


@pytest.mark.usefixtures("flag")
class TestAdd:
    @pytest.mark.parametrize(
        ("fields", "error", "message"),
        [
            pytest.param({"due": 1}, Rejected, "executionDate: 1 is not in the future", id="past"),
            pytest.param(
                {"flag": "nope"}, NotFound, "flag 'nope' does not exist", id="unknown-flag"
            ),
            pytest.param(
                {"environment": "nope"},
                NotFound,
                "environment 'nope' does not exist",
                id="unknown-environment",
            ),
        ],
    )
    def test_refused(
        self, store: Store, fields: dict[str, Any], error: type[Exception], message: str
    ) -> None:
        with pytest.raises(error, match=message):
            add(store, ON, **fields)
        assert waiting(store) == []

    def test_instructions_are_tried(self, store: Store) -> None:
        with pytest.raises(Rejected, match=r"^instructions\[0\].kind: unknown instruction 'nope'"):
            add(store, {"kind": "nope"})
        assert store.flags.get("cms", KEY) == a_boolean()

    def test_there_is_a_limit(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(schedule, "MAX_SCHEDULED", 2)
        for _ in range(2):
            add(store, ON)
        with pytest.raises(Rejected, match="there are 2 scheduled changes of 'articles-service'"):
            add(store, ON)
        add(store, ON, environment="staging")


@pytest.mark.usefixtures("flag")
class TestCancel:
    def test_one(self, store: Store, later: Clock) -> None:
        one, other = add(store, ON), add(store, ON, hours=2)
        assert store.schedule.get("cms", PRODUCTION, KEY, one.id) == one
        store.schedule.cancel("cms", PRODUCTION, KEY, one.id)
        assert waiting(store) == [other]
        later(1.5)
        assert store.schedule.run_due() == 0

    def test_unknown(self, store: Store) -> None:
        scheduled = add(store, ON)
        for where in (("cms", "staging", KEY, scheduled.id), ("cms", PRODUCTION, KEY, "nope")):
            with pytest.raises(NotFound, match=r"scheduled change '.*' of flag 'articles-"):
                store.schedule.cancel(*where)
        assert waiting(store) == [scheduled]


def test_two_replicas_apply_each_once(
    postgres: str, opened: Callable[[str], Store], later: Clock
) -> None:
    stores = [opened(postgres) for _ in range(2)]
    stores[0].environments.ensure(CMS, an_environment(), ALICE)
    stores[0].flags.create("cms", a_boolean(), ALICE)
    changes = 12
    for number in range(changes):
        # What is applied twice would count twice.
        on = ON if number % 2 == 0 else OFF
        add(stores[number % 2], on, hours=1 + number / 1000)
    later(2)
    start, applied = threading.Barrier(4), list[int]()

    def run(store: Store) -> None:
        start.wait(60)
        applied.append(store.schedule.run_due())

    threads = [threading.Thread(target=run, args=(s,)) for s in stores * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(applied) == changes
    assert len(applied) == 4
    with stores[0].core.reading() as db:
        assert db.scalar(select(func.count()).select_from(SCHEDULED)) == 0


PLAN = {"attribute": "plan", "op": "in", "values": ["internal"]}
