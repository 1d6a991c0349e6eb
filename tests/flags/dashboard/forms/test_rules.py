"""Rules of flags and of segments as forms."""

import pytest
from werkzeug.datastructures import MultiDict

from flags.changes.base import World
from flags.changes.patch import apply_to_flag, apply_to_segment
from flags.dashboard.forms.rules import RuleDraft, SegmentRuleDraft
from flags.errors import Rejected
from flags.model import Flag, Segment

IDS = iter(f"id-{n}" for n in range(1000))
SEGMENT = Segment(key="staff", name="Staff", created=1, modified=1, salt="salt")
WORLD = World(
    environment="production",
    flag=lambda _: None,
    segment=lambda key: SEGMENT.changed(key=key),
    needed_by=lambda _: (),
    new_id=lambda: next(IDS),
)
TRIAL = {
    "clause-0-op": "in",
    "clause-0-kind": "user",
    "clause-0-attribute": "plan",
    "clause-0-values": "trial",
}


def draft(flag: Flag, **fields: str) -> RuleDraft:
    return RuleDraft.read(MultiDict({**TRIAL, **fields}), flag)


def with_rule(flag: Flag, **fields: str) -> Flag:
    return apply_to_flag(flag, draft(flag, **fields).added(flag), WORLD)


def test_a_new_rule(staged: Flag) -> None:
    flag = with_rule(staged, serve="v-live", description=" Trials ")
    (rule,) = flag.config("production").rules
    assert (rule.description, rule.serve.variation) == ("Trials", 3)
    assert RuleDraft.of(rule, flag).changes(rule, flag) == []


@pytest.mark.parametrize(
    ("fields", "kinds"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"description": "x"}, ["updateRuleDescription"], id="description"),
        pytest.param({"serve": "v-off"}, ["updateRuleVariationOrRollout"], id="serve"),
        pytest.param(
            {"serve": "percentages", "share-2": "50", "share-3": "50"},
            ["updateRuleVariationOrRollout"],
            id="percentages",
        ),
        pytest.param(
            {"clause-0-values": "team", "description": "x"},
            ["updateClause", "updateRuleDescription"],
            id="clause",
        ),
    ],
)
def test_changes(staged: Flag, fields: dict[str, str], kinds: list[str]) -> None:
    flag = with_rule(staged, serve="v-live")
    (rule,) = flag.config("production").rules
    same = {"serve": "v-live", "clause-0-id": rule.clauses[0].id}
    changes = draft(flag, **{**same, **fields}).changes(rule, flag)
    assert [change["kind"] for change in changes] == kinds
    apply_to_flag(flag, changes, WORLD)


def segment_form(**fields: str) -> SegmentRuleDraft:
    return SegmentRuleDraft.read(MultiDict({**TRIAL, **fields}))


@pytest.mark.parametrize(
    ("fields", "weight", "kind", "by"),
    [
        pytest.param({}, None, "user", None, id="everyone"),
        pytest.param({"share": "100"}, None, "user", None, id="all"),
        pytest.param({"share": "12.5"}, 12_500, "user", None, id="share"),
        pytest.param({"share": "0"}, 0, "user", None, id="nobody"),
        pytest.param(
            {"share": "1", "context_kind": "org", "bucket_by": "country"},
            1000,
            "org",
            "country",
            id="of-organisations",
        ),
    ],
)
def test_a_segments_rule(
    fields: dict[str, str], weight: int | None, kind: str, by: str | None
) -> None:
    made = apply_to_segment(SEGMENT, segment_form(**fields).added(SEGMENT), WORLD)
    (rule,) = made.rules
    assert (rule.weight, rule.rollout_context_kind, rule.bucket_by) == (weight, kind, by)
    assert SegmentRuleDraft.of(rule).changes(rule) == []
    changed = segment_form(**{**fields, "clause-0-id": rule.clauses[0].id, "share": "7"})
    after = apply_to_segment(made, changed.changes(rule), WORLD)
    assert after.rules[0].weight == 7000


@pytest.mark.parametrize("share", ["x", "-1", "100.1", "0.0001", "NaN", "1e400"])
def test_no_share(share: str) -> None:
    with pytest.raises(Rejected, match=r"^share: expected 0 to 100 with up to 3 decimals"):
        segment_form(share=share).added(SEGMENT)
