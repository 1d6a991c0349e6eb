"""Whether a whole flag or segment fits the world."""

from typing import Any

import pytest

from flag_builders import (
    PRODUCTION,
    Known,
    a_boolean,
    a_choice,
    a_segment,
    a_staged,
    segment_rule,
    within,
)
from flags.changes.integrity import (
    check_flag,
    check_segment,
    check_segments_exist,
    check_users,
)
from flags.model import Clause, Flag, Prerequisite, Segment

FLAG = a_choice("abc")
CLAUSE = {"id": "c", "attribute": "a", "op": "in", "values": []}
SHARES = {"variations": [{"variation": 0, "weight": 60_000}, {"variation": 3, "weight": 40_000}]}


def check(flag: Flag, *others: Flag, environments: tuple[str, ...] = (PRODUCTION,)) -> None:
    check_flag(flag, Known(flag, *others).world(None), environments)


def test_what_fits() -> None:
    check(FLAG)
    check(
        within(
            FLAG,
            off_variation=None,
            fallthrough={"variation": 2},
            targets=[{"variation": 2, "values": ["u"]}],
            rules=[{"id": "r", "clauses": [CLAUSE], "serve": {"variation": 2}}],
            prerequisites=[Prerequisite(key="publishing", variation=5)],
        ),
        a_staged(),
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"off_variation": 3}, "offVariation: 3", id="off"),
        pytest.param({"fallthrough": {"variation": 3}}, "fallthrough: 3", id="fallthrough"),
        pytest.param({"fallthrough": {"rollout": SHARES}}, "fallthrough: 3", id="share"),
        pytest.param(
            {"targets": [{"variation": 0, "values": ["a"]}, {"variation": 3, "values": ["b"]}]},
            "targets.1: 3",
            id="target",
        ),
        pytest.param(
            {
                "rules": [
                    {"id": "r", "clauses": [CLAUSE], "serve": {"variation": 0}},
                    {"id": "s", "clauses": [CLAUSE], "serve": {"rollout": SHARES}},
                ]
            },
            "rules.1: 3",
            id="rule",
        ),
    ],
)
def test_indexes(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="index") as caught:
        check(within(FLAG, **fields))
    assert str(caught.value) == (
        f"environments.production.{message} is not an index of the 3 variations"
    )


@pytest.mark.parametrize("name", ["on_variation", "off_variation"])
def test_defaults(name: str) -> None:
    flag = FLAG.changed(defaults={"on_variation": 0, "off_variation": 0, name: 3})
    with pytest.raises(ValueError, match=f"^defaults.{name}: 3 is not an index of the 3"):
        check(flag)


@pytest.mark.parametrize(
    ("prerequisite", "message"),
    [
        pytest.param(("nope", 0), "(nope): there is no such flag", id="unknown"),
        pytest.param(
            ("articles-service", 2),
            "(articles-service): 2 is not an index of the 2 variations",
            id="index",
        ),
        pytest.param(
            ("home-page", 0), "(home-page): would make a cycle with 'home-page'", id="itself"
        ),
        pytest.param(
            ("publishing", 0), "(publishing): would make a cycle with 'home-page'", id="cycle"
        ),
    ],
)
def test_prerequisites(prerequisite: tuple[str, int], message: str) -> None:
    key, variation = prerequisite
    needs_it = (Prerequisite(key="home-page", variation=0),)
    others = [a_boolean(), within(a_staged(), prerequisites=needs_it)]
    flag = within(FLAG, prerequisites=[Prerequisite(key=key, variation=variation)])
    with pytest.raises(ValueError, match="prerequisites") as caught:
        check(flag, *others)
    assert str(caught.value) == f"environments.production.prerequisites {message}"


def test_only_environments_that_there_are() -> None:
    flag = within(FLAG, "gone", off_variation=9)
    check(flag)
    with pytest.raises(ValueError, match=r"^environments.gone.offVariation: 9"):
        check(flag, environments=(PRODUCTION, "gone"))


@pytest.mark.parametrize(
    ("needed", "values", "fits"),
    [
        pytest.param(1, "abcd", True, id="one-more"),
        pytest.param(1, "ab", True, id="a-later-one-less"),
        pytest.param(1, "a", False, id="gone"),
        pytest.param(1, "bca", False, id="moved"),
        pytest.param(0, "acb", True, id="others-moved"),
    ],
)
def test_what_other_flags_need(needed: int, values: str, fits: bool) -> None:
    other = within(a_staged(), prerequisites=(Prerequisite(key=FLAG.key, variation=needed),))
    world = Known(FLAG, other).world(None)
    if fits:
        check_users(FLAG, a_choice(values), world)
    else:
        with pytest.raises(ValueError, match=r"^flag 'publishing' needs variation 'b' in 'prod"):
            check_users(FLAG, a_choice(values), world)


def test_a_variation_that_others_need_may_change_its_value() -> None:
    """The one that it is, by id, stays."""
    other = within(a_staged(), prerequisites=(Prerequisite(key=FLAG.key, variation=1),))
    a, b, c = FLAG.variations
    changed = FLAG.changed(variations=(a, b.changed(value="z"), c))
    check_users(FLAG, changed, Known(FLAG, other).world(None))


def test_segments_exist() -> None:
    world = Known(a_segment()).world()

    def clause(op: str, *values: Any) -> Clause:
        return Clause.model_validate({"id": "c", "attribute": "a", "op": op, "values": values})

    check_segments_exist([clause("segmentMatch", "beta"), clause("in", "nope")], world)
    for missing in ("nope", 7, None):
        with pytest.raises(ValueError, match=f"^segment {missing!r} does not exist"):
            check_segments_exist([clause("segmentMatch", "beta", missing)], world)


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        pytest.param(
            a_segment(rules=[segment_rule("beta")]),
            "the segment would contain itself: 'beta'",
            id="itself",
        ),
        pytest.param(
            a_segment(rules=[segment_rule("all")]),
            "the segment would contain itself: 'beta'",
            id="through-another",
        ),
        pytest.param(
            a_segment(rules=[segment_rule("nope")]), "segment 'nope' does not exist", id="unknown"
        ),
    ],
)
def test_segment(segment: Segment, message: str) -> None:
    world = Known(a_segment("all", rules=[segment_rule("beta")]), a_segment("other")).world()
    check_segment(a_segment(rules=[segment_rule("other")]), world)
    with pytest.raises(ValueError, match="segment") as caught:
        check_segment(segment, world)
    assert str(caught.value) == message
