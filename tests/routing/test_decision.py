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


@given(st.sampled_from(Failure), st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_what_may_have_been_seen_is_not_sent_again(
    failure: Failure, repeatable: bool, fallback: bool, writes: bool, in_time: bool
) -> None:
    move = next_move(
        failure, repeatable=repeatable, fallback=fallback, writes=writes, in_time=in_time
    )
    if not repeatable and failure is not Failure.UNREACHED:
        assert move is Move.GIVE_UP
    if move is Move.FALL_BACK:
        assert fallback
        assert repeatable or writes, "at complete a write never goes to the monolith"
    if move is Move.WAIT:
        assert in_time


@given(st.integers(0, 10_000))
def test_pauses_are_short(attempt: int) -> None:
    assert 0 < pause(attempt) <= pause(attempt + 1) <= 0.5
