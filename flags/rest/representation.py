"""Flags, segments and the rest as LaunchDarkly's REST API shows them. Pure."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from flags.model import (
    Clause,
    Config,
    Entry,
    Environment,
    Flag,
    Project,
    Scheduled,
    Segment,
    SegmentTarget,
    Serve,
    Target,
    Token,
)
from flags.roles import Role

API: Final = "/api/v2"


def link(path: str, **others: str) -> dict[str, Any]:
    """`_links` with `self` and others."""
    return {
        name: {"href": f"{API}{href}", "type": "application/json"}
        for name, href in {"self": path, **others}.items()
    }


def page(items: Sequence[Any], path: str, total: int) -> dict[str, Any]:
    return {"items": list(items), "totalCount": total, "_links": link(path)}


def flag_json(
    flag: Flag, project: str, environments: Iterable[str], *, summary: bool = False
) -> dict[str, Any]:
    """`summary` leaves targets, rules and prerequisites out, as LaunchDarkly's lists do."""
    return {
        "key": flag.key,
        "name": flag.name,
        "description": flag.description,
        "kind": "boolean" if flag.kind == "boolean" else "multivariate",
        "_purpose": "migration" if flag.kind == "migration" else "",
        "variations": [
            {"_id": v.id, "value": v.value, "name": v.name, "description": v.description}
            for v in flag.variations
        ],
        "defaults": {
            "onVariation": flag.defaults.on_variation,
            "offVariation": flag.defaults.off_variation,
        },
        "tags": list(flag.tags),
        "temporary": flag.temporary,
        "archived": flag.archived,
        "deprecated": False,
        "_version": flag.version,
        "creationDate": flag.created,
        "includeInSnippet": flag.using_environment_id,
        "clientSideAvailability": {
            "usingMobileKey": flag.using_mobile_key,
            "usingEnvironmentId": flag.using_environment_id,
        },
        "customProperties": {},
        "experiments": {"baselineIdx": 0, "items": []},
        **(
            {
                "migrationSettings": {
                    "contextKind": flag.migration_context_kind or "user",
                    "stageCount": len(flag.variations),
                }
            }
            if flag.kind == "migration"
            else {}
        ),
        "_links": link(f"/flags/{project}/{flag.key}"),
        "environments": {
            key: config_json(flag, project, key, summary=summary) for key in environments
        },
    }


def config_json(
    flag: Flag, project: str, environment: str, *, summary: bool = False
) -> dict[str, Any]:
    config = flag.config(environment)
    shown: dict[str, Any] = {
        "on": config.on,
        "archived": flag.archived,
        "version": config.version,
        "salt": config.salt,
        "sel": config.salt,
        "lastModified": config.modified,
        "trackEvents": config.track_events,
        "trackEventsFallthrough": config.track_events_fallthrough,
        "_site": {
            "href": f"/p/{project}/{environment}/flags/{flag.key}",
            "type": "text/html",
        },
        "_environmentName": environment,
        "_summary": {
            "prerequisites": len(config.prerequisites),
            "variations": _variation_summary(flag, config),
        },
        **(
            {"migrationSettings": {"checkRatio": config.check_ratio}}
            if flag.kind == "migration"
            else {}
        ),
    }
    if summary:
        return shown
    return shown | {
        "targets": [target_json(t) for t in config.targets if t.context_kind == "user"],
        "contextTargets": [target_json(t) for t in config.targets if t.context_kind != "user"],
        "rules": [
            {
                "_id": rule.id,
                "description": rule.description,
                "trackEvents": rule.track_events,
                "clauses": [clause_json(c) for c in rule.clauses],
                **serve_json(rule.serve),
            }
            for rule in config.rules
        ],
        "fallthrough": serve_json(config.fallthrough),
        "offVariation": config.off_variation,
        "prerequisites": [p.model_dump() for p in config.prerequisites],
    }


def segment_json(segment: Segment, project: str, environment: str) -> dict[str, Any]:
    return {
        "key": segment.key,
        "name": segment.name,
        "description": segment.description,
        "tags": list(segment.tags),
        "creationDate": segment.created,
        "lastModifiedDate": segment.modified,
        "version": segment.version,
        "generation": 1,
        "deleted": False,
        "unbounded": False,
        "included": _users(segment.included),
        "excluded": _users(segment.excluded),
        "includedContexts": _contexts(segment.included),
        "excludedContexts": _contexts(segment.excluded),
        "rules": [
            {
                "_id": rule.id,
                "description": rule.description,
                "clauses": [clause_json(c) for c in rule.clauses],
                **(
                    {}
                    if rule.weight is None
                    else {
                        "weight": rule.weight,
                        "rolloutContextKind": rule.rollout_context_kind,
                        **({} if rule.bucket_by is None else {"bucketBy": rule.bucket_by}),
                    }
                ),
            }
            for rule in segment.rules
        ],
        "_links": link(f"/segments/{project}/{environment}/{segment.key}"),
    }


def project_json(
    project: Project, environments: Sequence[Environment], role: Role, *, changed: bool = False
) -> dict[str, Any]:
    """`changed`: as the answer to a change, in which environments are a list and no page."""
    path = f"/projects/{project.key}"
    shown = [environment_json(e, role) for e in environments]
    return {
        "_id": project.key,
        "key": project.key,
        "name": project.name,
        "tags": list(project.tags),
        "includeInSnippetByDefault": False,
        "defaultClientSideAvailability": {"usingMobileKey": False, "usingEnvironmentId": False},
        "environments": shown if changed else page(shown, f"{path}/environments", len(shown)),
        "_links": link(path, environments=f"{path}/environments"),
    }


def environment_json(environment: Environment, role: Role) -> dict[str, Any]:
    """The server-side and mobile keys are masked for viewers."""
    may_see = role.allows(Role.OPERATOR)
    return {
        "_id": environment.client_side_id,
        "key": environment.key,
        "name": environment.name,
        "apiKey": environment.sdk_key if may_see else masked(environment.sdk_key),
        "mobileKey": environment.mobile_key if may_see else masked(environment.mobile_key),
        "color": environment.color,
        "defaultTtl": 0,
        "secureMode": environment.secure_mode,
        "defaultTrackEvents": False,
        "requireComments": environment.require_comments,
        "confirmChanges": environment.confirm_changes,
        "tags": list(environment.tags),
        "critical": False,
        "_links": link(f"/projects/{environment.project}/environments/{environment.key}"),
    }


def token_json(token: Token, secret: str | None = None) -> dict[str, Any]:
    """`secret` is shown once, when the token is made; later only its end."""
    return {
        "_id": token.id,
        "ownerId": token.member,
        "memberId": token.member,
        "name": token.name,
        "role": str(token.role),
        "token": secret or f"…{token.ending}",
        "serviceToken": False,
        "creationDate": token.created,
        "lastModified": token.created,
        "_links": link(f"/tokens/{token.id}"),
    }


def scheduled_json(scheduled: Scheduled) -> dict[str, Any]:
    path = (
        f"/projects/{scheduled.project}/flags/{scheduled.flag}"
        f"/environments/{scheduled.environment}/scheduled-changes/{scheduled.id}"
    )
    return {
        "_id": scheduled.id,
        "_creationDate": scheduled.created,
        "_maintainerId": scheduled.member,
        "_version": scheduled.version,
        "executionDate": scheduled.due,
        "instructions": list(scheduled.instructions),
        "conflicts": [] if scheduled.problem is None else [{"reason": scheduled.problem}],
        "_links": link(path),
    }


def entry_json(entry: Entry, *, whole: bool = False) -> dict[str, Any]:
    """LaunchDarkly's audit entry; `via`, `instructions` and `version` are additions of ours.

    `whole` adds what was there before and after, as the reading of one entry does.
    """
    environment = entry.environment or "*"
    shown = {
        "_id": str(entry.id),
        "_accountId": entry.project,
        "date": entry.date,
        "kind": entry.kind,
        "name": entry.key,
        "title": f"{entry.member} {entry.title}",
        "titleVerb": entry.title,
        "description": "",
        "shortDescription": "",
        "comment": entry.comment,
        "accesses": [],
        "member": {
            "_id": entry.member,
            "email": entry.member,
            "firstName": entry.member,
            "lastName": "",
            "role": "",
            "_links": link("/caller-identity"),
        },
        "target": {
            "name": entry.key,
            "resources": [f"proj/{entry.project}:env/{environment}:{entry.kind}/{entry.key}"],
            "_links": {},
        },
        "via": entry.via,
        "version": entry.version,
        "instructions": entry.instructions,
        "_links": link(f"/auditlog/{entry.id}"),
    }
    if not whole:
        return shown
    return shown | {
        "previousVersion": None if entry.before is None else json.loads(entry.before),
        "currentVersion": None if entry.after is None else json.loads(entry.after),
    }


def serve_json(serve: Serve) -> dict[str, Any]:
    if serve.rollout is None:
        return {"variation": serve.variation}
    return {
        "rollout": {
            "contextKind": serve.rollout.context_kind,
            "variations": [
                {
                    "variation": share.variation,
                    "weight": share.weight,
                    **({"_untracked": True} if share.untracked else {}),
                }
                for share in serve.rollout.variations
            ],
            **({"bucketBy": serve.rollout.bucket_by} if serve.rollout.bucket_by else {}),
            **({"seed": serve.rollout.seed} if serve.rollout.seed is not None else {}),
            **({"kind": "experiment"} if serve.rollout.kind == "experiment" else {}),
        }
    }


def target_json(target: Target) -> dict[str, Any]:
    return {
        "contextKind": target.context_kind,
        "variation": target.variation,
        "values": list(target.values),
    }


def clause_json(clause: Clause) -> dict[str, Any]:
    return {
        "_id": clause.id,
        "contextKind": clause.context_kind,
        "attribute": clause.attribute,
        "op": clause.op,
        "values": list(clause.values),
        "negate": clause.negate,
    }


def masked(key: str) -> str:
    """Its kind and its end: `sdk-…a1b2`."""
    return f"{key.partition('-')[0]}-…{key[-4:]}"


def _variation_summary(flag: Flag, config: Config) -> dict[str, Any]:
    rollout = config.fallthrough.rollout
    weights = {share.variation: share.weight for share in rollout.variations} if rollout else {}

    def targets(index: int, *, users: bool) -> int:
        return sum(
            len(t.values)
            for t in config.targets
            if t.variation == index and (t.context_kind == "user") == users
        )

    return {
        str(index): {
            "rules": sum(index in rule.serve.variations() for rule in config.rules),
            "nullRules": 0,
            "targets": targets(index, users=True),
            "contextTargets": targets(index, users=False),
            **({"isFallthrough": True} if config.fallthrough.variation == index else {}),
            **({"isOff": True} if config.off_variation == index else {}),
            **({"rollout": weights[index]} if index in weights else {}),
        }
        for index in range(len(flag.variations))
    }


def _users(targets: Iterable[SegmentTarget]) -> list[str]:
    return [value for t in targets if t.context_kind == "user" for value in t.values]


def _contexts(targets: Iterable[SegmentTarget]) -> list[dict[str, Any]]:
    return [
        {"contextKind": t.context_kind, "values": list(t.values)}
        for t in targets
        if t.context_kind != "user"
    ]
