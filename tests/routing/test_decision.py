"""The stage table, spelled out once more, and what follows from it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.decision import decide
from routing.recovery import Failure, Move, next_move, pause
from routing.stages import TABLE, Access, Side, Stage, access_of, parse_stage
from routing.table import Route

OLD, NEW = Side.OLD, Side.NEW
ROUTE = Route("publishing", "publishing", "articles", "/x", None, None)


@pytest.mark.parametrize(
    ("stage", "read", "write", "read_also", "write_also"),
    [
        ("off", OLD, OLD, None, None),
        ("dualwrite", OLD, OLD, None, NEW),
        ("shadow", OLD, OLD, NEW, NEW),
        ("live", NEW, NEW, OLD, OLD),
        ("rampdown", NEW, NEW, None, OLD),
        ("complete", NEW, NEW, None, None),
    ],
)
def test_stage_table(
    stage: str, read: Side, write: Side, read_also: Side | None, write_also: Side | None
) -> None:
    for access, origin, also in ((Access.READ, read, read_also), (Access.WRITE, write, write_also)):
        decision = decide(ROUTE, access, Stage(stage))
        assert (decision.origin, decision.also) == (origin, also)


def test_routes_that_opt_out() -> None:
    alone = replace(ROUTE, mirror_reads=False, second_writes=False)
    for stage in Stage:
        for access in Access:
            decision = decide(alone, access, stage)
            assert decision == replace(decide(ROUTE, access, stage), also=None)


def test_writes_are_owed_to_a_service_that_is_switched_off() -> None:
    for access, also in ((Access.READ, None), (Access.WRITE, NEW)):
        decision = decide(ROUTE, access, Stage.OFF, switched_off=True)
        assert (decision.origin, decision.also) == (OLD, also)
    alone = replace(ROUTE, second_writes=False)
    assert decide(alone, Access.WRITE, Stage.OFF, switched_off=True).also is None


def test_no_route_means_the_monolith() -> None:
    for stage in Stage:
        decision = decide(None, Access.WRITE, stage)
        assert (decision.origin, decision.capability, decision.stage) == (OLD, None, None)


def test_the_table_is_whole() -> None:
    assert set(TABLE) == {(stage, access) for stage in Stage for access in Access}


@given(st.one_of(st.text(), st.integers(), st.none(), st.booleans()))
def test_an_unknown_value_is_off(value: object) -> None:
    assert parse_stage(value) in Stage
    if value not in list(Stage):
        assert parse_stage(value) is Stage.OFF


@pytest.mark.parametrize(
    ("method", "override", "access"),
    [
        (b"GET", None, Access.READ),
        (b"HEAD", None, Access.READ),
        (b"OPTIONS", None, Access.READ),
        (b"POST", None, Access.WRITE),
        (b"DELETE", None, Access.WRITE),
        (b"BREW", None, Access.WRITE),
        (b"POST", Access.READ, Access.READ),
        (b"GET", Access.WRITE, Access.WRITE),
    ],
)
def test_access(method: bytes, override: Access | None, access: Access) -> None:
    assert access_of(method, override) is access


BOTH = st.booleans()


@given(st.sampled_from(Failure), BOTH, BOTH, BOTH, BOTH, BOTH, BOTH)
def test_what_may_have_been_seen_is_not_sent_again(
    failure: Failure,
    repeatable: bool,
    fallback: bool,
    writes: bool,
    in_time: bool,
    another: bool,
    budget: bool,
) -> None:
    spent = 0

    def spend() -> bool:
        nonlocal spent
        spent += budget
        return budget

    move = next_move(
        failure,
        repeatable=repeatable,
        fallback=fallback,
        writes=writes,
        in_time=in_time,
        another=another,
        spend=spend,
    )
    if not repeatable and failure not in (Failure.UNREACHED, Failure.OVERFLOW):
        assert move is Move.GIVE_UP
    if move is Move.ANOTHER:
        assert another
        assert spent == 1, "each repetition at the origin is paid for"
    if move is Move.WAIT and failure is Failure.RESET:
        assert spent == 1
    if move in (Move.FALL_BACK, Move.GIVE_UP, Move.AGAIN):
        assert not spent, "what is not repeated at the origin costs nothing"
    if failure is Failure.OVERFLOW:
        assert move in (Move.FALL_BACK, Move.GIVE_UP), "no more load on what is full"
    if move is Move.FALL_BACK:
        assert fallback
        assert repeatable or writes, "at complete a write never goes to the monolith"
    if move is Move.WAIT:
        assert in_time


@pytest.mark.parametrize(
    ("failure", "can", "move"),
    [
        pytest.param("UNREACHED", "another budget fallback writes in_time", "ANOTHER", id="write"),
        pytest.param("UNREACHED", "another fallback writes in_time", "FALL_BACK", id="no-budget"),
        pytest.param("UNREACHED", "another budget in_time", "ANOTHER", id="write-at-complete"),
        pytest.param("UNREACHED", "in_time", "WAIT", id="wait-for-free"),
        pytest.param("SLOW", "another budget repeatable fallback in_time", "ANOTHER", id="slow"),
        pytest.param("SLOW", "another budget repeatable fallback", "FALL_BACK", id="too-late"),
        pytest.param("SERVER_ERROR", "another budget in_time", "GIVE_UP", id="seen-write"),
        pytest.param("SERVER_ERROR", "another repeatable fallback in_time", "FALL_BACK", id="read"),
        pytest.param("RESET", "repeatable in_time", "GIVE_UP", id="reset-no-budget"),
        pytest.param("RESET", "budget repeatable in_time", "WAIT", id="reset"),
        pytest.param("OVERFLOW", "another budget repeatable in_time", "GIVE_UP", id="full"),
        pytest.param("OVERFLOW", "writes fallback", "FALL_BACK", id="full-write"),
    ],
)
def test_another_endpoint_comes_first_if_the_budget_allows(
    failure: str, can: str, move: str
) -> None:
    conditions = ("repeatable", "fallback", "writes", "in_time", "another")
    given = {each: each in can.split() for each in conditions}
    assert next_move(Failure[failure], **given, spend=lambda: "budget" in can) is Move[move]


@given(st.integers(0, 10_000))
def test_pauses_are_short(attempt: int) -> None:
    assert 0 < pause(attempt) <= pause(attempt + 1) <= 0.5
