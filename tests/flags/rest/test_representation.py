"""What LaunchDarkly's REST API shows of flags, segments and the rest."""

import json
from typing import Any

import pytest
from launchdarkly_api.models.audit_log_entry_rep import AuditLogEntryRep
from launchdarkly_api.models.environment import Environment as LaunchDarklyEnvironment
from launchdarkly_api.models.feature_flag import FeatureFlag
from launchdarkly_api.models.feature_flag_scheduled_change import FeatureFlagScheduledChange
from launchdarkly_api.models.project import Project as LaunchDarklyProject
from launchdarkly_api.models.project_rep import ProjectRep
from launchdarkly_api.models.token import Token as LaunchDarklyToken
from launchdarkly_api.models.user_segment import UserSegment

from flag_builders import (
    CMS,
    PRODUCTION,
    a_boolean,
    a_choice,
    a_segment,
    a_staged,
    an_environment,
    segment_rule,
    within,
)
from flags.model import Entry, Flag, Scheduled, SegmentTarget, Serve, Target, Token
from flags.rest.representation import (
    config_json,
    entry_json,
    environment_json,
    flag_json,
    masked,
    page,
    project_json,
    scheduled_json,
    segment_json,
    serve_json,
    token_json,
)
from flags.roles import Role

CLAUSE = {"id": "c", "attribute": "plan", "op": "in", "values": ["internal"]}
SHARES = {"variations": [{"variation": 0, "weight": 40_000}, {"variation": 2, "weight": 60_000}]}
RICH = within(
    a_choice(tags=("x",), description="D", using_mobile_key=True),
    on=True,
    off_variation=1,
    fallthrough={"rollout": SHARES},
    targets=(
        Target(variation=2, values=("ann", "bob")),
        Target(context_kind="organization", variation=0, values=("acme",)),
    ),
    rules=({"id": "r", "description": "R", "clauses": [CLAUSE], "serve": {"variation": 2}},),
    prerequisites=({"key": "other", "variation": 1},),
    track_events=True,
)


def shown(flag: Flag, **options: bool) -> dict[str, Any]:
    return flag_json(flag, "cms", [PRODUCTION, "staging"], **options)


@pytest.mark.parametrize("flag", [a_boolean(), a_staged(), RICH], ids=lambda f: f.kind)
@pytest.mark.parametrize("summary", [False, True], ids=["whole", "summary"])
def test_launchdarklys_models_read_flags(flag: Flag, summary: bool) -> None:
    """Nothing is lost on the way but what is ours."""
    document = shown(flag, summary=summary)
    read = FeatureFlag.from_json(json.dumps(document))
    assert read is not None
    back = json.loads(read.to_json())
    assert {k: v for k, v in document.items() if k != "environments"} == {
        k: v for k, v in back.items() if k != "environments"
    }
    for key, config in document["environments"].items():
        assert back["environments"][key] == config


def test_flag() -> None:
    document = shown(RICH)
    assert (document["kind"], document["_purpose"]) == ("multivariate", "")
    assert document["variations"][0] == {
        "_id": "v-a", "value": "a", "name": "", "description": "",
    }  # fmt: skip
    assert document["defaults"] == {"onVariation": 0, "offVariation": 0}
    assert document["clientSideAvailability"] == {
        "usingMobileKey": True, "usingEnvironmentId": False,
    }  # fmt: skip
    assert document["_links"]["self"]["href"] == "/api/v2/flags/cms/home-page"
    assert list(document["environments"]) == [PRODUCTION, "staging"]


def test_config() -> None:
    config = config_json(RICH, "cms", PRODUCTION)
    assert config["targets"] == [{"contextKind": "user", "variation": 2, "values": ["ann", "bob"]}]
    assert config["contextTargets"] == [
        {"contextKind": "organization", "variation": 0, "values": ["acme"]}
    ]
    assert config["fallthrough"] == {"rollout": {"contextKind": "user", **SHARES}}
    (rule,) = config["rules"]
    assert (rule["_id"], rule["variation"], rule["clauses"][0]["_id"]) == ("r", 2, "c")
    assert config["prerequisites"] == [{"key": "other", "variation": 1}]
    assert (config["on"], config["offVariation"], config["trackEvents"]) == (True, 1, True)
    assert config["_site"]["href"] == "/p/cms/production/flags/home-page"


def test_summary_counts_uses() -> None:
    summary = config_json(RICH, "cms", PRODUCTION)["_summary"]
    assert summary["prerequisites"] == 1
    assert summary["variations"] == {
        "0": {
            "rules": 0, "nullRules": 0, "targets": 0, "contextTargets": 1, "rollout": 40_000,
        },
        "1": {"rules": 0, "nullRules": 0, "targets": 0, "contextTargets": 0, "isOff": True},
        "2": {
            "rules": 1, "nullRules": 0, "targets": 2, "contextTargets": 0, "rollout": 60_000,
        },
        "3": {"rules": 0, "nullRules": 0, "targets": 0, "contextTargets": 0},
    }  # fmt: skip
    untouched = config_json(a_boolean(), "cms", PRODUCTION)["_summary"]["variations"]
    assert untouched["0"]["isFallthrough"] is True
    assert untouched["1"]["isOff"] is True


@pytest.mark.parametrize(
    ("serve", "document"),
    [
        pytest.param(Serve(variation=3), {"variation": 3}, id="variation"),
        pytest.param(
            Serve.model_validate({"rollout": SHARES}),
            {"rollout": {"contextKind": "user", **SHARES}},
            id="rollout",
        ),
        pytest.param(
            Serve.model_validate(
                {"rollout": SHARES | {"context_kind": "org", "bucket_by": "plan", "seed": 0}}
            ),
            {"rollout": {"contextKind": "org", "bucketBy": "plan", "seed": 0, **SHARES}},
            id="buckets",
        ),
        pytest.param(
            Serve.model_validate(
                {
                    "rollout": {
                        "kind": "experiment",
                        "variations": [{"variation": 0, "weight": 100_000, "untracked": True}],
                    }
                }
            ),
            {
                "rollout": {
                    "kind": "experiment",
                    "contextKind": "user",
                    "variations": [{"variation": 0, "weight": 100_000, "_untracked": True}],
                }
            },
            id="experiment",
        ),
    ],
)
def test_serve(serve: Serve, document: dict[str, Any]) -> None:
    assert serve_json(serve) == document


def test_segment() -> None:
    segment = a_segment(
        tags=("x",),
        included=(
            SegmentTarget(values=("ann",)),
            SegmentTarget(context_kind="organization", values=("acme",)),
        ),
        excluded=(SegmentTarget(values=("eve",)),),
        rules=(
            segment_rule("other"),
            {"id": "s", "clauses": [CLAUSE], "weight": 5000, "bucket_by": "plan"},
        ),
    )
    document = segment_json(segment, "cms", PRODUCTION)
    read = UserSegment.from_json(json.dumps(document))
    assert read is not None
    assert json.loads(read.to_json()) == document
    assert (document["included"], document["excluded"]) == (["ann"], ["eve"])
    assert document["includedContexts"] == [{"contextKind": "organization", "values": ["acme"]}]
    assert "weight" not in document["rules"][0]
    assert (document["rules"][1]["weight"], document["rules"][1]["bucketBy"]) == (5000, "plan")


@pytest.mark.parametrize(
    ("role", "key"),
    [
        pytest.param(Role.VIEWER, "sdk-…6789", id="viewer"),
        pytest.param(Role.OPERATOR, "sdk-production-0123456789", id="operator"),
        pytest.param(Role.ADMIN, "sdk-production-0123456789", id="administrator"),
    ],
)
def test_environment(role: Role, key: str) -> None:
    document = environment_json(an_environment(), role)
    read = LaunchDarklyEnvironment.from_json(json.dumps(document))
    assert read is not None
    assert json.loads(read.to_json()) == document
    assert read.api_key == key


def test_masked() -> None:
    assert masked("mob-5f1c0a9e-2b7d-4c63") == "mob-…4c63"


def test_project() -> None:
    """A read shows a page of environments, a change a list of them."""
    environments = [an_environment(), an_environment("staging")]
    read = project_json(CMS, environments, Role.ADMIN)
    assert LaunchDarklyProject.from_json(json.dumps(read)) is not None
    assert read["environments"]["totalCount"] == 2
    changed = project_json(CMS, environments, Role.ADMIN, changed=True)
    assert ProjectRep.from_json(json.dumps(changed)) is not None
    assert changed["environments"] == read["environments"]["items"]


def test_token() -> None:
    token = Token(
        id="t", name="N", member="ann", role=Role.OPERATOR, ending="9f3a", created=5,
        configured=False,
    )  # fmt: skip
    document = token_json(token)
    assert LaunchDarklyToken.from_json(json.dumps(document)) is not None
    assert (document["token"], document["role"], document["memberId"]) == ("…9f3a", "writer", "ann")
    assert token_json(token, "api-secret")["token"] == "api-secret"


@pytest.mark.parametrize(
    ("problem", "conflicts"),
    [
        pytest.param(None, [], id="waits"),
        pytest.param("gone", [{"reason": "gone"}], id="failed"),
    ],
)
def test_scheduled(problem: str | None, conflicts: list[Any]) -> None:
    scheduled = Scheduled(
        id="s", project="cms", environment=PRODUCTION, flag="a", due=9, problem=problem,
        instructions=({"kind": "turnFlagOn"},), member="ann", created=5,
    )  # fmt: skip
    document = scheduled_json(scheduled)
    assert FeatureFlagScheduledChange.from_json(json.dumps(document)) is not None
    assert (document["executionDate"], document["conflicts"]) == (9, conflicts)
    assert document["_links"]["self"]["href"] == (
        "/api/v2/projects/cms/flags/a/environments/production/scheduled-changes/s"
    )


def test_audit_entry() -> None:
    entry = Entry(
        id=7, date=5, project="cms", environment=None, kind="flag", key="a", version=2,
        member="ann", via="cli", title="tagged a", comment="why",
        instructions=[{"kind": "addTags"}],
        before='{"tags":[]}', after='{"tags":["x"]}',
    )  # fmt: skip
    document = entry_json(entry)
    assert (document["_id"], document["title"]) == ("7", "ann tagged a")
    assert document["target"]["resources"] == ["proj/cms:env/*:flag/a"]
    assert (document["via"], document["version"]) == ("cli", 2)
    assert "currentVersion" not in document
    whole = entry_json(entry, whole=True)
    read = AuditLogEntryRep.from_json(json.dumps(whole))
    assert read is not None
    assert (read.previous_version, read.current_version) == ({"tags": []}, {"tags": ["x"]})


def test_page() -> None:
    assert page([1, 2], "/x", 7) == {
        "items": [1, 2],
        "totalCount": 7,
        "_links": {"self": {"href": "/api/v2/x", "type": "application/json"}},
    }
