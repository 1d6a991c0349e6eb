"""Flags and segments as SDKs read them: the shape of the protocol, and back."""

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldclient.impl.model import FeatureFlag
from ldclient.impl.model import Segment as SdkSegment

from flag_builders import (
    PRODUCTION,
    STAGES,
    a_boolean,
    a_choice,
    a_config,
    a_segment,
    a_staged,
    within,
)
from flags.model import FULL_WEIGHT, Config, Op, Segment
from flags.wire.encoding import compact
from flags.wire.sdk import read_config, read_segment, sdk_flag, sdk_segment
from instruction_strategies import patient

ROLLOUT = {
    "variations": [{"variation": 2, "weight": 95_000}, {"variation": 3, "weight": 5_000}],
}
CLAUSE = {"id": "r1-0", "attribute": "plan", "op": "in", "values": ["internal"]}
STAGED, BOOLEAN = a_staged(), a_boolean()


def wire(config: Config, **flag: Any) -> dict[str, Any]:
    return sdk_flag(STAGED.changed(**flag).with_config(PRODUCTION, config), PRODUCTION)


def test_full_flag() -> None:
    config = a_config(
        version=7,
        on=True,
        off_variation=0,
        fallthrough={"rollout": ROLLOUT},
        targets=[
            {"variation": 3, "values": ["alice"]},
            {"variation": 5, "values": ["acme"], "context_kind": "organization"},
        ],
        rules=[{"id": "r1", "clauses": [CLAUSE], "serve": {"variation": 3}}],
        prerequisites=[{"key": "articles-service", "variation": 0}],
    )
    assert wire(config, using_environment_id=True) == {
        "key": "publishing",
        "version": 7,
        "on": True,
        "salt": "a1b2c3",
        "sel": "a1b2c3",
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
        "clientSideAvailability": {"usingMobileKey": False, "usingEnvironmentId": True},
        "clientSide": True,
        "trackEvents": False,
        "trackEventsFallthrough": False,
        "debugEventsUntilDate": None,
        "migration": {"checkRatio": 1},
        "deleted": False,
    }


def test_an_untouched_environment() -> None:
    """Off, with the defaults; no two environments share their salt."""
    one, other = (sdk_flag(BOOLEAN, environment) for environment in (PRODUCTION, "staging"))
    assert (one["on"], one["offVariation"], one["fallthrough"]) == (False, 1, {"variation": 0})
    assert one["salt"] != other["salt"]
    del one["salt"], one["sel"], other["salt"], other["sel"]
    assert one == other


def test_only_migration_flags_have_migration_settings() -> None:
    assert "migration" not in sdk_flag(BOOLEAN, PRODUCTION)
    assert sdk_flag(within(STAGED, check_ratio=10), PRODUCTION)["migration"] == {"checkRatio": 10}


def test_an_archived_flag_is_off_for_sdks() -> None:
    on = within(BOOLEAN, on=True)
    assert sdk_flag(on, PRODUCTION)["on"] is True
    assert sdk_flag(on.changed(archived=True), PRODUCTION)["on"] is False


@pytest.mark.parametrize(
    ("rollout", "expected"),
    [
        pytest.param({"bucket_by": "country"}, {"bucketBy": "country"}, id="bucket-by"),
        pytest.param({"seed": 61}, {"seed": 61}, id="seed"),
        pytest.param({"seed": 0}, {"seed": 0}, id="seed-0"),
        pytest.param({"kind": "experiment"}, {"kind": "experiment"}, id="experiment"),
    ],
)
def test_parts_of_a_rollout_that_are_sent_when_given(
    rollout: dict[str, Any], expected: dict[str, Any]
) -> None:
    sent = wire(a_config(fallthrough={"rollout": {**ROLLOUT, **rollout}}))["fallthrough"]["rollout"]
    plain = wire(a_config(fallthrough={"rollout": ROLLOUT}))["fallthrough"]["rollout"]
    assert sent == {**plain, **expected}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param({"sampling_ratio": 5}, {"samplingRatio": 5}, id="sampling"),
        pytest.param({"sampling_ratio": 0}, {"samplingRatio": 0}, id="no-samples"),
        pytest.param(
            {"exclude_from_summaries": True}, {"excludeFromSummaries": True}, id="summary"
        ),
        pytest.param({"debug_events_until": 9}, {"debugEventsUntilDate": 9}, id="debug"),
        pytest.param({"track_events": True}, {"trackEvents": True}, id="track"),
        pytest.param({"off_variation": None}, {"offVariation": None}, id="no-off-variation"),
    ],
)
def test_settings_of_an_environment(config: dict[str, Any], expected: dict[str, Any]) -> None:
    assert wire(a_config(**config)) == {**wire(a_config()), **expected}


def test_segment() -> None:
    segment = a_segment(
        version=7,
        included=[{"values": ["a"]}, {"context_kind": "org", "values": ["acme"]}],
        excluded=[{"values": ["b"]}],
        rules=[
            {"id": "r1", "clauses": [CLAUSE]},
            {
                "id": "r2",
                "clauses": [CLAUSE],
                "weight": 50_000,
                "bucket_by": "country",
                "rollout_context_kind": "org",
            },
        ],
    )
    clause = {
        "contextKind": "user",
        "attribute": "plan",
        "op": "in",
        "values": ["internal"],
        "negate": False,
    }
    assert sdk_segment(segment) == {
        "key": "beta",
        "version": 7,
        "salt": "a1b2c3",
        "included": ["a"],
        "excluded": ["b"],
        "includedContexts": [{"contextKind": "org", "values": ["acme"]}],
        "excludedContexts": [],
        "rules": [
            {"id": "r1", "clauses": [clause]},
            {
                "id": "r2",
                "clauses": [clause],
                "weight": 50_000,
                "bucketBy": "country",
                "rolloutContextKind": "org",
            },
        ],
        "unbounded": False,
        "deleted": False,
    }


def test_the_sdk_reads_a_flag() -> None:
    config = a_config(on=True, version=3, off_variation=0, fallthrough={"rollout": ROLLOUT})
    flag: Any = FeatureFlag(wire(config))
    assert (flag.key, flag.version, flag.on, flag.off_variation) == ("publishing", 3, True, 0)
    assert list(flag.variations) == list(STAGES)
    assert flag.migrations.check_ratio == 1
    assert [v.weight for v in flag.fallthrough.rollout.variations] == [95_000, 5_000]


# Anything a config can hold.

_texts = st.text(st.characters(codec="utf-8"), max_size=5)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | _texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_texts, inner, max_size=2),
    max_leaves=4,
)  # fmt: skip
_kinds = st.sampled_from(["user", "org", "device"])
_indexes = st.integers(0, 3)
_ratios = st.sampled_from([0, 1, 2, 1000])


@st.composite
def _serves(draw: st.DrawFn) -> dict[str, Any]:
    if draw(st.booleans()):
        return {"variation": draw(_indexes)}
    cuts = sorted(draw(st.lists(st.integers(0, FULL_WEIGHT), max_size=3)))
    weights = [b - a for a, b in zip([0, *cuts], [*cuts, FULL_WEIGHT], strict=True)]
    return {
        "rollout": {
            "kind": draw(st.sampled_from(["rollout", "experiment"])),
            "context_kind": draw(_kinds),
            "bucket_by": draw(st.none() | st.just("key") | _texts),
            "seed": draw(st.none() | st.integers(-5, 2**40)),
            "variations": [
                {"variation": draw(_indexes), "weight": w, "untracked": draw(st.booleans())}
                for w in weights
            ],
        }
    }


@st.composite
def _clauses(draw: st.DrawFn, rule: str) -> list[dict[str, Any]]:
    """With the ids that reading gives, which the wire does not have."""
    return [
        {
            "id": f"{rule}-{index}",
            "context_kind": draw(_kinds),
            "attribute": draw(_texts),
            "op": draw(st.sampled_from(get_args(Op))),
            "values": draw(st.lists(_json, max_size=3)),
            "negate": draw(st.booleans()),
        }
        for index in range(draw(st.integers(1, 2)))
    ]


@st.composite
def _configs(draw: st.DrawFn) -> Config:
    """Such as instructions make: one target for each context kind and variation, none empty."""
    places = draw(st.lists(st.tuples(_kinds, _indexes), max_size=4, unique=True))
    return a_config(
        version=draw(st.integers(1, 2**31)),
        salt=draw(_texts),
        modified=0,
        on=draw(st.booleans()),
        off_variation=draw(st.none() | _indexes),
        fallthrough=draw(_serves()),
        targets=[
            {
                "context_kind": kind,
                "variation": at,
                "values": draw(st.lists(_texts, min_size=1, max_size=3, unique=True)),
            }
            for kind, at in places
        ],
        rules=[
            {
                "id": f"r{index}",
                "clauses": draw(_clauses(f"r{index}")),
                "serve": draw(_serves()),
                "track_events": draw(st.booleans()),
            }
            for index in range(draw(st.integers(0, 3)))
        ],
        prerequisites=[
            {"key": key, "variation": draw(_indexes)}
            for key in draw(st.lists(st.sampled_from(["a", "b-c", "D_e.9"]), max_size=2))
        ],
        track_events=draw(st.booleans()),
        track_events_fallthrough=draw(st.booleans()),
        debug_events_until=draw(st.none() | st.integers(0, 2**45)),
        check_ratio=draw(_ratios),
        sampling_ratio=draw(_ratios),
        exclude_from_summaries=draw(st.booleans()),
    )


@st.composite
def _segments(draw: st.DrawFn) -> Segment:
    def members() -> list[dict[str, Any]]:
        kinds = draw(st.lists(_kinds, max_size=3, unique=True))
        # Those of kind `user` have a list of their own, which is read first.
        return [
            {"context_kind": k, "values": draw(st.lists(_texts, min_size=1, max_size=3))}
            for k in sorted(kinds, key=lambda kind: kind != "user")
        ]

    def share() -> dict[str, Any]:
        if draw(st.booleans()):
            return {}
        return {
            "weight": draw(st.integers(0, FULL_WEIGHT)),
            "bucket_by": draw(st.none() | _texts),
            "rollout_context_kind": draw(_kinds),
        }

    return a_segment(
        key="beta",
        name="beta",
        created=0,
        modified=0,
        version=draw(st.integers(1, 2**31)),
        salt=draw(_texts),
        included=members(),
        excluded=members(),
        rules=[
            {"id": f"r{index}", "clauses": draw(_clauses(f"r{index}")), **share()}
            for index in range(draw(st.integers(0, 3)))
        ],
    )


@patient
@given(_configs())
def test_a_config_goes_there_and_back(config: Config) -> None:
    sent = compact(wire(config))
    read = read_config(json.loads(sent), modified=0)
    assert read.model_dump_json() == config.model_dump_json()
    assert compact(wire(read)) == sent


@patient
@given(_segments())
def test_a_segment_goes_there_and_back(segment: Segment) -> None:
    sent = compact(sdk_segment(segment))
    read = read_segment(json.loads(sent), modified=0)
    assert read.model_dump_json() == segment.model_dump_json()
    assert compact(sdk_segment(read)) == sent


@patient
@given(_configs())
def test_the_sdk_reads_any_flag(config: Config) -> None:
    """Its own classes check the types of what they get."""
    sent = json.loads(compact(wire(config)))
    flag: Any = FeatureFlag(sent)
    assert (flag.key, flag.version, flag.on) == ("publishing", config.version, config.on)
    assert len(flag.rules) == len(config.rules)
    assert len(flag.targets) == sum(1 for t in config.targets if t.context_kind == "user")
    assert len(flag.context_targets) == len(config.targets)
    assert flag.to_json_dict() == sent


@patient
@given(_segments())
def test_the_sdk_reads_any_segment(segment: Segment) -> None:
    sent = json.loads(compact(sdk_segment(segment)))
    read: Any = SdkSegment(sent)
    assert (read.key, read.version, len(read.rules)) == (
        "beta",
        segment.version,
        len(segment.rules),
    )
    users = {v for t in segment.included if t.context_kind == "user" for v in t.values}
    assert set(read.included) == users


class TestRead:
    """What others wrote: REST representations, old files, other servers."""

    def test_the_least(self) -> None:
        config = read_config({}, modified=5)
        assert (config.version, config.salt, config.on, config.off_variation) == (
            1,
            "",
            False,
            None,
        )
        assert (config.modified, config.fallthrough.variation) == (5, 0)
        segment = read_segment({"key": "beta"}, modified=5)
        assert (segment.name, segment.created, segment.modified) == ("beta", 5, 5)
        assert (segment.included, segment.rules) == ((), ())

    def test_nothing_instead_of_lists(self) -> None:
        lists = dict.fromkeys(["targets", "contextTargets", "rules", "prerequisites"])
        assert read_config({**lists, "migration": None}, modified=5) == read_config({}, modified=5)

    def test_targets_of_old(self) -> None:
        """Before there were contexts, there were only users."""
        config = read_config({"targets": [{"variation": 2, "values": ["a"]}]}, modified=0)
        assert [(t.context_kind, t.variation, t.values) for t in config.targets] == [
            ("user", 2, ("a",))
        ]

    def test_the_order_of_targets_is_that_of_context_targets(self) -> None:
        config = read_config(
            {
                "targets": [{"variation": 0, "values": ["a"]}, {"variation": 1, "values": ["b"]}],
                "contextTargets": [
                    {"variation": 1, "values": []},
                    {"variation": 2, "values": ["acme"], "contextKind": "org"},
                    {"variation": 3, "values": [], "contextKind": "org"},
                    {"variation": 0, "values": [], "contextKind": "user"},
                ],
            },
            modified=0,
        )
        assert [(t.context_kind, t.variation, t.values) for t in config.targets] == [
            ("user", 1, ("b",)), ("org", 2, ("acme",)), ("user", 0, ("a",)),
        ]  # fmt: skip

    def test_ids(self) -> None:
        rules = [
            {"variation": 0, "clauses": [CLAUSE | {"id": ""}]},
            {"_id": "mine", "variation": 0, "clauses": [CLAUSE | {"id": "", "_id": "c"}]},
            {"id": "theirs", "description": "D", "variation": 0, "clauses": [CLAUSE | {"id": ""}]},
        ]
        config = read_config({"rules": rules}, modified=0)
        assert [(r.id, r.clauses[0].id) for r in config.rules] == [
            ("rule-0", "rule-0-0"), ("mine", "c"), ("theirs", "theirs-0"),
        ]  # fmt: skip
        assert config.rules[2].description == "D"

    def test_a_variation_wins_over_a_rollout(self) -> None:
        config = read_config({"fallthrough": {"variation": 1, "rollout": {}}}, modified=0)
        assert config.fallthrough.variation == 1

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            pytest.param({"version": 0}, "version", id="version"),
            pytest.param({"on": "perhaps"}, "on", id="on"),
            pytest.param({"fallthrough": {"variation": "x"}}, "variation", id="fallthrough"),
            pytest.param({"fallthrough": {"rollout": {}}}, "variations", id="no-shares"),
            pytest.param(
                {"fallthrough": {"rollout": {"variations": [{"variation": 0, "weight": 5}]}}},
                "weights sum to 5",
                id="weights",
            ),
            pytest.param(
                {"fallthrough": {"rollout": {"variations": [{"variation": 0}]}}},
                "weight",
                id="no-weight",
            ),
            pytest.param({"rules": [{"variation": 0}]}, "clauses", id="no-clauses"),
            pytest.param({"rules": [{"clauses": [{"values": []}]}]}, "op", id="no-operator"),
            pytest.param({"rules": [7]}, "expected", id="rule-that-is-none"),
            pytest.param({"rules": 7}, "expected", id="no-list"),
            pytest.param({"prerequisites": [{"variation": 0}]}, "key", id="no-key"),
            pytest.param({"targets": [{"values": []}]}, "variation", id="target-of-nothing"),
        ],
    )
    def test_broken_config(self, document: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            read_config(document, modified=0)

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            pytest.param({}, "key", id="no-key"),
            pytest.param({"key": "a b"}, "key", id="key"),
            pytest.param({"key": "k", "unbounded": True}, "big segments", id="big"),
            pytest.param({"key": "k", "included": [7]}, "included", id="member"),
            pytest.param({"key": "k", "includedContexts": [{}]}, "values", id="context"),
            pytest.param({"key": "k", "rules": [{}]}, "clauses", id="rule"),
            pytest.param({"key": "k", "rules": ["r"]}, "expected", id="rule-that-is-none"),
        ],
    )
    def test_broken_segment(self, document: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            read_segment(document, modified=0)


def test_what_instructions_never_make_reads_the_same_to_sdks() -> None:
    """Two targets of one variation: both users get it either way."""
    config = a_config(
        targets=[{"variation": 1, "values": ["a"]}, {"variation": 1, "values": ["b"]}]
    )
    flag = a_choice().with_config(PRODUCTION, config)
    read = read_config(sdk_flag(flag, PRODUCTION), modified=1)
    assert {v for t in read.targets for v in t.values} == {"a", "b"}
