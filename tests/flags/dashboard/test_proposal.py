"""Which flags a change touches, and whom it moves there."""

from dataclasses import replace

import pytest

from flags.dashboard.proposal import of_flag, of_segment
from flags.evaluation import Context
from flags.model import (
    Clause,
    Flag,
    Prerequisite,
    Rule,
    Segment,
    SegmentRule,
    SegmentTarget,
    Serve,
    Snapshot,
)

USERS = [Context.parse({"kind": "user", "key": key}) for key in ("alice", "bob", "carol")]


def member_of(segment: str) -> Clause:
    return Clause(id="c", attribute="", op="segmentMatch", values=(segment,))


@pytest.fixture
def world(boolean: Flag) -> Snapshot:
    """`c` needs `b`, which needs `a`; `a` looks at the segment `inner`, by way of `outer`."""

    def flag(key: str, needs: str | None, segment: str | None) -> Flag:
        config = boolean.config("production").changed(
            on=True,
            fallthrough=Serve(variation=1 if segment else 0),
            prerequisites=[Prerequisite(key=needs, variation=0)] if needs else [],
            rules=[Rule(id="r", clauses=(member_of(segment),), serve=Serve(variation=0))]
            if segment
            else [],
        )
        return boolean.changed(key=key).with_config("production", config)

    inner = Segment(key="inner", name="Inner", created=1, modified=1, salt="s")
    outer = inner.changed(key="outer", rules=[SegmentRule(id="r", clauses=(member_of("inner"),))])
    flags = (
        flag("a", None, "outer"),
        flag("b", "a", None),
        flag("c", "b", None),
        flag("d", None, None),
    )
    return Snapshot(
        environment="production",
        flags={f.key: f for f in flags},
        segments={"inner": inner, "outer": outer},
    )


def test_a_flag_and_those_that_need_it(world: Snapshot) -> None:
    before = world.flags["a"]
    config = before.config("production").changed(fallthrough=Serve(variation=0))
    proposal = of_flag(world, before, before.with_config("production", config))
    assert proposal.flags == ("a", "b", "c")
    assert [(e.flag.key, e.preview.moved) for e in proposal.effects(USERS)] == [
        ("a", 3),
        ("b", 3),
        ("c", 3),
    ]
    assert [d.subject for d in proposal.differences] == ["production: default rule"]


def test_a_segment_and_the_flags_that_look_at_it(world: Snapshot) -> None:
    before = world.segments["inner"]
    proposal = of_segment(
        world, before, before.changed(included=(SegmentTarget(values=("alice",)),))
    )
    assert proposal.flags == ("a", "b", "c")
    effects = proposal.effects(USERS)
    assert [(e.flag.key, e.preview.moved) for e in effects] == [("a", 1), ("b", 1), ("c", 1)]
    assert effects[0].preview.by_variation == {(1, 0): 1, (1, 1): 2}


def test_others_are_named_only_where_somebody_moves(world: Snapshot) -> None:
    before = world.flags["a"]
    config = before.config("production").changed(off_variation=0)
    proposal = of_flag(world, before, before.with_config("production", config))
    assert [(e.flag.key, e.preview.moved) for e in proposal.effects(USERS)] == [("a", 0)]


def test_a_segment_that_nobody_uses(world: Snapshot) -> None:
    alone = replace(world, flags={"d": world.flags["d"]})
    before = world.segments["inner"]
    proposal = of_segment(alone, before, before.changed(name="Other"))
    assert proposal.effects(USERS) == []


def test_cycles_end(world: Snapshot) -> None:
    needs = (Prerequisite(key="c", variation=0),)
    config = world.flags["a"].config("production").changed(prerequisites=needs)
    cyclic = world.flags["a"].with_config("production", config)
    proposal = of_flag(replace(world, flags={**world.flags, "a": cyclic}), cyclic, cyclic)
    assert proposal.flags == ("a", "b", "c")
