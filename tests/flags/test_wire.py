"""Flags as SDKs read them: the shape of the protocol, judged by the real SDK's own parser."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from ldclient.impl.model import FeatureFlag

from flags import wire
from flags.model import (
    Clause,
    Flag,
    Prerequisite,
    Rollout,
    Rule,
    Serve,
    Target,
    WeightedVariation,
)

ROLLOUT = Serve(
    rollout=Rollout(
        variations=(
            WeightedVariation(variation=2, weight=95_000),
            WeightedVariation(variation=3, weight=5_000),
        )
    )
)


def event(raw: bytes) -> tuple[str, Any]:
    name, data, end = raw.decode().split("\n", 2)
    assert end == "\n"
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_full_flag(staged: Flag) -> None:
    flag = staged.changed(
        version=7,
        on=True,
        fallthrough=ROLLOUT,
        targets=(
            Target(variation=3, values=("alice",)),
            Target(context_kind="organization", variation=5, values=("acme",)),
        ),
        rules=(
            Rule(
                id="r1",
                clauses=(Clause(id="c1", attribute="plan", op="in", values=("internal",)),),
                serve=Serve(variation=3),
            ),
        ),
        prerequisites=(Prerequisite(key="articles-service", variation=0),),
    )
    assert wire.sdk_flag(flag) == {
        "key": "publishing",
        "version": 7,
        "on": True,
        "salt": "a1b2c3",
        "variations": ["off", "dualwrite", "shadow", "live", "rampdown", "complete"],
        "offVariation": 0,
        "fallthrough": {
            "rollout": {
                "kind": "rollout",
                "contextKind": "user",
                "variations": [
                    {"variation": 2, "weight": 95000},
                    {"variation": 3, "weight": 5000},
                ],
            }
        },
        "targets": [{"values": ["alice"], "variation": 3}],
        "contextTargets": [
            {"contextKind": "user", "values": [], "variation": 3},
            {"contextKind": "organization", "values": ["acme"], "variation": 5},
        ],
        "rules": [
            {
                "id": "r1",
                "clauses": [
                    {
                        "contextKind": "user",
                        "attribute": "plan",
                        "op": "in",
                        "values": ["internal"],
                        "negate": False,
                    }
                ],
                "variation": 3,
                "trackEvents": False,
            }
        ],
        "prerequisites": [{"key": "articles-service", "variation": 0}],
        "clientSideAvailability": {"usingMobileKey": False, "usingEnvironmentId": False},
        "clientSide": False,
        "trackEvents": False,
        "trackEventsFallthrough": False,
        "debugEventsUntilDate": None,
        "migration": {"checkRatio": 1},
        "deleted": False,
    }


def test_only_migration_flags_have_migration_settings(boolean: Flag) -> None:
    assert "migration" not in wire.sdk_flag(boolean)


def test_an_archived_flag_is_off_for_sdks(boolean: Flag) -> None:
    assert wire.sdk_flag(boolean.changed(on=True))["on"] is True
    assert wire.sdk_flag(boolean.changed(on=True, archived=True))["on"] is False


def test_bucket_by_is_sent_only_when_given(staged: Flag) -> None:
    assert ROLLOUT.rollout is not None
    by = Serve(rollout=ROLLOUT.rollout.model_copy(update={"bucket_by": "country"}))
    flag = staged.changed(fallthrough=by)
    assert wire.sdk_flag(flag)["fallthrough"]["rollout"]["bucketBy"] == "country"


def test_events(boolean: Flag, staged: Flag) -> None:
    flags = {f.key: wire.sdk_flag(f) for f in (boolean, staged)}
    members = [wire.member(boolean), wire.member(staged)]
    everything = {"flags": flags, "segments": {}}
    assert json.loads(wire.all_data(members)) == everything
    assert json.loads(wire.all_data([])) == {"flags": {}, "segments": {}}
    assert event(wire.put_event(members)) == ("put", {"path": "/", "data": everything})
    assert event(wire.patch_event(staged)) == (
        "patch",
        {"path": "/flags/publishing", "data": flags["publishing"]},
    )
    assert event(wire.delete_event("publishing", 8)) == (
        "delete",
        {"path": "/flags/publishing", "version": 8},
    )


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_stays_in_one_line_of_data(staged: Flag, text: str) -> None:
    """A line break within an event's data would end it early."""
    flag = staged.changed(targets=(Target(variation=0, values=(text[:512],)),))
    _, data = event(wire.patch_event(flag))
    assert data["data"]["targets"][0]["values"] == [text[:512]]


def test_the_sdk_reads_it(staged: Flag) -> None:
    flag = FeatureFlag(wire.sdk_flag(staged.changed(on=True, version=3, fallthrough=ROLLOUT)))
    assert (flag.key, flag.version, flag.on, flag.off_variation) == ("publishing", 3, True, 0)
    assert flag.variations[3] == "live"
    assert flag.fallthrough.rollout is not None
    assert [v.weight for v in flag.fallthrough.rollout.variations] == [95_000, 5_000]
