"""LaunchDarkly's own client, unmodified, does the whole life of a flag.

The package `launchdarkly-api` is made from LaunchDarkly's description of its API: every answer is
read by its strict models.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from launchdarkly_api import ApiClient, Configuration
from launchdarkly_api.api.access_tokens_api import AccessTokensApi
from launchdarkly_api.api.audit_log_api import AuditLogApi
from launchdarkly_api.api.environments_api import EnvironmentsApi
from launchdarkly_api.api.feature_flags_api import FeatureFlagsApi
from launchdarkly_api.api.other_api import OtherApi
from launchdarkly_api.api.projects_api import ProjectsApi
from launchdarkly_api.api.scheduled_changes_api import ScheduledChangesApi
from launchdarkly_api.api.segments_api import SegmentsApi
from launchdarkly_api.exceptions import (
    ApiException,
    BadRequestException,
    ConflictException,
    ForbiddenException,
    NotFoundException,
    UnauthorizedException,
)
from launchdarkly_api.models.access_token_post import AccessTokenPost
from launchdarkly_api.models.client_side_availability_post import ClientSideAvailabilityPost
from launchdarkly_api.models.defaults import Defaults
from launchdarkly_api.models.environment_post import EnvironmentPost
from launchdarkly_api.models.feature_flag import FeatureFlag
from launchdarkly_api.models.feature_flag_body import FeatureFlagBody
from launchdarkly_api.models.feature_flag_config import FeatureFlagConfig
from launchdarkly_api.models.migration_settings_post import MigrationSettingsPost
from launchdarkly_api.models.patch_operation import PatchOperation
from launchdarkly_api.models.patch_with_comment import PatchWithComment
from launchdarkly_api.models.post_flag_scheduled_changes_input import PostFlagScheduledChangesInput
from launchdarkly_api.models.project_post import ProjectPost
from launchdarkly_api.models.segment_body import SegmentBody
from launchdarkly_api.models.user_segment import UserSegment
from launchdarkly_api.models.variation import Variation

from rest_api import SEMANTIC, Api

WHERE: Final = "/environments/production"
CLAUSE: Final = {"contextKind": "user", "attribute": "plan", "op": "in", "values": ["internal"]}


class Account:
    """What a program of a LaunchDarkly customer has: a client with a token, and a project."""

    def __init__(self, origin: str, token: str, project: str) -> None:
        configuration = Configuration(host=origin, api_key={"ApiKey": token})
        self.client = ApiClient(configuration)
        self.project = project
        self.flags = FeatureFlagsApi(self.client)

    def create(self, key: str, **fields: Any) -> FeatureFlag:
        body = FeatureFlagBody(key=key, name=key.title(), **fields)
        return self.flags.post_feature_flag(self.project, body)

    def get(self, key: str) -> FeatureFlag:
        return self.flags.get_feature_flag(self.project, key)

    def config(self, key: str) -> FeatureFlagConfig:
        return production(self.get(key))

    def patch(self, key: str, path: str, value: Any, comment: str | None = None) -> FeatureFlag:
        operation = PatchOperation(op="replace", path=path, value=value)
        patch = PatchWithComment(patch=[operation], comment=comment)
        return self.flags.patch_feature_flag(self.project, key, patch)

    def semantic(self, path: str, answer: str, *instructions: Any, **fields: Any) -> Any:
        """The client has no method for semantic patches; this is how its methods ask."""
        asked = self.client.param_serialize(
            method="PATCH",
            resource_path=path,
            header_params={"Accept": "application/json", "Content-Type": SEMANTIC},
            body={"instructions": list(instructions), **fields},
            auth_settings=["ApiKey"],
        )
        response = self.client.call_api(*asked)
        response.read()  # type: ignore[no-untyped-call]
        return self.client.response_deserialize(response, {"200": answer}).data

    def semantic_flag(self, key: str, *instructions: Any, **fields: Any) -> FeatureFlag:
        path = f"/api/v2/flags/{self.project}/{key}"
        fields = {"environmentKey": "production", **fields}
        changed = self.semantic(path, "FeatureFlag", *instructions, **fields)
        assert isinstance(changed, FeatureFlag)
        return changed


def production(flag: FeatureFlag) -> FeatureFlagConfig:
    assert flag.environments is not None
    return flag.environments["production"]


@pytest.fixture
def connected(api: Api) -> Iterator[Callable[[str], Account]]:
    """Makes an account with this token."""
    made: list[Account] = []

    def connect(token: str) -> Account:
        made.append(Account(str(api.http.base_url).rstrip("/"), token, api.project))
        return made[-1]

    yield connect
    for account in made:
        account.client.rest_client.pool_manager.clear()


@pytest.fixture
def account(api: Api, connected: Callable[[str], Account]) -> Account:
    return connected(api.http.headers["Authorization"])


def test_projects_and_environments(account: Account) -> None:
    projects, environments = ProjectsApi(account.client), EnvironmentsApi(account.client)
    key = f"{account.project}-shop"
    first = EnvironmentPost(key="production", name="Production", color="417505")
    made = projects.post_project(ProjectPost(key=key, name="Shop", environments=[first]))
    assert [e.key for e in made.environments] == ["production"]
    found = projects.get_project(key)
    assert found.environments is not None
    assert [e.key for e in found.environments.items] == ["production"]
    assert key in [p.key for p in projects.get_projects(limit=1000).items]
    renamed = projects.patch_project(
        key, [PatchOperation(op="replace", path="/name", value="The shop")]
    )
    assert renamed.name == "The shop"

    body = EnvironmentPost(key="test", name="Test", color="f5a623", requireComments=True)
    test = environments.post_environment(key, body)
    assert (test.key, test.color, test.require_comments) == ("test", "f5a623", True)
    listed = environments.get_environments_by_project(key)
    assert (listed.total_count, [e.key for e in listed.items]) == (2, ["production", "test"])
    relaxed = environments.patch_environment(
        key, "test", [PatchOperation(op="replace", path="/requireComments", value=False)]
    )
    assert relaxed.require_comments is False
    reset = environments.reset_environment_sdk_key(key, "test")
    assert reset.api_key not in {"", test.api_key}
    assert environments.reset_environment_mobile_key(key, "test").mobile_key != test.mobile_key
    assert environments.get_environment(key, "test").api_key == reset.api_key
    environments.delete_environment(key, "test")
    with pytest.raises(NotFoundException):
        environments.get_environment(key, "test")


def test_create(account: Account) -> None:
    boolean = account.create("articles", tags=["ops"], description="D", temporary=False)
    assert (boolean.kind, boolean.tags, boolean.temporary) == ("boolean", ["ops"], False)
    assert [v.value for v in boolean.variations] == [True, False]

    multivariate = account.create(
        "home-page",
        variations=[
            Variation(value="old", name="Old"),
            Variation(value={"layout": [1, 2]}, description="New"),
        ],
        defaults=Defaults(onVariation=1, offVariation=0),
        client_side_availability=ClientSideAvailabilityPost(
            usingEnvironmentId=True, usingMobileKey=False
        ),
    )
    assert (multivariate.kind, production(multivariate).off_variation) == ("multivariate", 0)
    assert [v.value for v in multivariate.variations] == ["old", {"layout": [1, 2]}]
    available = multivariate.client_side_availability
    assert available is not None
    assert (available.using_environment_id, available.using_mobile_key) == (True, False)

    migration = account.create(
        "publishing",
        purpose="migration",
        migration_settings=MigrationSettingsPost(stageCount=6, contextKind="account"),
    )
    assert [v.value for v in migration.variations] == [
        "off", "dualwrite", "shadow", "live", "rampdown", "complete",
    ]  # fmt: skip
    assert migration.purpose == "migration"
    settings = migration.migration_settings
    assert settings is not None
    assert (settings.stage_count, settings.context_kind) == (6, "account")
    ratio = production(migration).migration_settings
    assert ratio is not None
    assert ratio.check_ratio == 1
    for flag in (boolean, multivariate, migration):
        assert account.get(flag.key) == flag


def test_list(account: Account) -> None:
    for key, tags in (("a", ["ops"]), ("b", []), ("c", ["ops"])):
        account.create(key, tags=tags)
    listed = account.flags.get_feature_flags(account.project, tag="ops", env="staging")
    assert [f.key for f in listed.items] == ["a", "c"]
    assert {name for f in listed.items for name in f.environments or {}} == {"staging"}
    page = account.flags.get_feature_flags(account.project, limit=1, offset=1, sort="-key")
    assert ([f.key for f in page.items], page.total_count) == (["b"], 3)
    short = account.flags.get_feature_flags(account.project, summary=True)
    assert production(short.items[0]).rules is None
    found = account.flags.get_feature_flags(account.project, filter="query:B")
    assert [f.key for f in found.items] == ["b"]


def test_json_patch_with_comment(account: Account) -> None:
    account.create("a")
    on = account.patch("a", f"{WHERE}/on", True, "we begin")
    assert (production(on).on, on.version) == (True, 2)
    weights = [{"variation": 0, "weight": 5_000}, {"variation": 1, "weight": 95_000}]
    fallthrough = {"rollout": {"contextKind": "user", "variations": weights}}
    account.patch("a", f"{WHERE}/fallthrough", fallthrough)
    rollout = account.config("a").fallthrough
    assert rollout is not None
    assert rollout.rollout is not None
    assert [(v.variation, v.weight) for v in rollout.rollout.variations] == [
        (0, 5_000), (1, 95_000),
    ]  # fmt: skip
    assert account.patch("a", "/tags", ["x", "y"]).tags == ["x", "y"]
    assert account.get("a").version == 4


def test_semantic_patch(account: Account) -> None:
    ids = [v.id for v in account.create("a").variations]
    changed = account.semantic_flag(
        "a",
        {"kind": "turnFlagOn"},
        {
            "kind": "updateFallthroughVariationOrRollout",
            "rolloutWeights": {ids[0]: 5_000, ids[1]: 95_000},
        },
        {"kind": "addTargets", "contextKind": "user", "variationId": ids[0], "values": ["alice"]},
        {
            "kind": "addTargets",
            "contextKind": "organization",
            "variationId": ids[1],
            "values": ["acme"],
        },
        {"kind": "addRule", "variationId": ids[0], "clauses": [CLAUSE]},
        comment="all at once",
    )
    assert changed == account.get("a")
    config = production(changed)
    assert config.on is True
    assert [t.values for t in config.targets or []] == [["alice"]]
    (organization,) = config.context_targets or []
    assert (organization.context_kind, organization.values) == ("organization", ["acme"])
    (rule,) = config.rules or []
    assert (rule.variation, rule.clauses[0].values) == (0, ["internal"])
    summary = config.summary
    assert summary is not None
    first, second = summary.variations["0"], summary.variations["1"]
    assert (first.rules, first.targets, first.rollout) == (1, 1, 5_000)
    assert (second.rules, second.context_targets, second.is_off) == (0, 1, True)


def test_segments(account: Account) -> None:
    segments = SegmentsApi(account.client)
    at = (account.project, "production")
    made = segments.post_segment(*at, SegmentBody(key="beta", name="Beta", tags=["x"]))
    assert (made.key, made.tags, made.version) == ("beta", ["x"], 1)
    operation = PatchOperation(op="add", path="/included/-", value="ann")
    patch = PatchWithComment(patch=[operation], comment="ann asked")
    assert segments.patch_segment(*at, "beta", patch).included == ["ann"]
    changed = account.semantic(
        f"/api/v2/segments/{account.project}/production/beta",
        "UserSegment",
        {"kind": "addRule", "clauses": [CLAUSE], "weight": 50_000},
        {"kind": "addExcludedTargets", "contextKind": "organization", "values": ["acme"]},
    )
    assert isinstance(changed, UserSegment)
    assert changed == segments.get_segment(*at, "beta")
    assert changed.rules[0].weight == 50_000
    assert [t.values for t in changed.excluded_contexts or []] == [["acme"]]
    assert [s.key for s in segments.get_segments(*at, filter="tags:x").items] == ["beta"]
    segments.delete_segment(*at, "beta")
    assert segments.get_segments(*at).items == []


def test_statuses(account: Account) -> None:
    account.create("a")
    at = (account.project, "production")
    (listed,) = account.flags.get_feature_flag_statuses(*at).items or []
    assert (listed.name, listed.last_requested) == ("new", None)
    assert account.flags.get_feature_flag_status(*at, "a") == listed


def test_audit_log(account: Account) -> None:
    account.create("a")
    account.patch("a", f"{WHERE}/on", True, "we begin")
    log = AuditLogApi(account.client)
    newest, oldest = log.get_audit_log_entries(
        spec=f"proj/{account.project}:env/*:flag/a", limit=10
    ).items
    assert (newest.title_verb, newest.comment, oldest.title_verb) == (
        "patched a", "we begin", "created a",
    )  # fmt: skip
    assert newest.member is not None
    assert (newest.member.email, newest.kind) == ("alice", "flag")
    whole = log.get_audit_log_entry(newest.id)
    assert whole.previous_version is not None
    assert whole.current_version is not None
    assert (whole.previous_version["version"], whole.current_version["version"]) == (1, 2)
    assert log.get_audit_log_entries(q="nothing has these words").items == []


def test_scheduled_changes(account: Account) -> None:
    account.create("a")
    changes = ScheduledChangesApi(account.client)
    at = (account.project, "a", "production")
    due = int(time.time() * 1000) + 3_600_000
    body = PostFlagScheduledChangesInput(
        executionDate=due, instructions=[{"kind": "turnFlagOn"}], comment="tonight"
    )
    made = changes.post_flag_config_scheduled_changes(*at, body)
    assert (made.execution_date, made.instructions) == (due, [{"kind": "turnFlagOn"}])
    assert changes.get_flag_config_scheduled_changes(*at).items == [made]
    assert changes.get_feature_flag_scheduled_change(*at, made.id) == made
    changes.delete_flag_config_scheduled_changes(*at, made.id)
    assert changes.get_flag_config_scheduled_changes(*at).items == []


def test_access_tokens(account: Account, connected: Callable[[str], Account]) -> None:
    account.create("a")
    tokens = AccessTokensApi(account.client)
    made = tokens.post_token(AccessTokenPost(name="Reader", role="reader"))
    assert made.token is not None
    reader = connected(made.token)
    assert reader.get("a").key == "a"
    assert OtherApi(reader.client).get_caller_identity().token_name == "Reader"
    with pytest.raises(ForbiddenException):
        reader.patch("a", f"{WHERE}/on", True)
    promoted = tokens.patch_token(
        made.id, [PatchOperation(op="replace", path="/role", value="writer")]
    )
    assert (promoted.role, tokens.get_token(made.id).role) == ("writer", "writer")
    assert production(reader.patch("a", f"{WHERE}/on", True)).on is True
    assert made.id in [t.id for t in tokens.get_tokens(limit=1000).items or []]
    tokens.delete_token(made.id)
    with pytest.raises(UnauthorizedException):
        reader.get("a")


@pytest.mark.parametrize(
    ("act", "error", "code"),
    [
        pytest.param(lambda a: a.create("a"), ConflictException, "conflict", id="conflict"),
        pytest.param(lambda a: a.get("nope"), NotFoundException, "not_found", id="not-found"),
        pytest.param(
            lambda a: a.patch("a", "/name", 5), BadRequestException, "invalid_request", id="type"
        ),
        pytest.param(
            lambda a: a.flags.patch_feature_flag(
                a.project,
                "a",
                PatchWithComment(patch=[PatchOperation(op="test", path="/name", value="other")]),
            ),
            ConflictException,
            "optimistic_locking_error",
            id="test-failed",
        ),
        pytest.param(
            lambda a: a.semantic_flag("a", {"kind": "turnOn"}),
            BadRequestException,
            "invalid_request",
            id="instruction",
        ),
        pytest.param(
            lambda a: a.flags.patch_feature_flag(
                a.project,
                "a",
                PatchWithComment(patch=[PatchOperation(op="replace", path="/name", value="B")]),
                dry_run=True,
            ),
            BadRequestException,
            "invalid_request",
            id="trial",
        ),
    ],
)
def test_errors(
    account: Account, act: Callable[[Account], object], error: type[ApiException], code: str
) -> None:
    made = account.create("a")
    with pytest.raises(error) as caught:
        act(account)
    assert f'"code":"{code}"' in str(caught.value.body)
    assert account.get("a") == made


def test_delete(account: Account) -> None:
    account.create("a")
    account.flags.delete_feature_flag(account.project, "a")
    with pytest.raises(NotFoundException):
        account.get("a")
