"""Flags and audit entries as LaunchDarkly's REST API shows them. Pure."""

from typing import Any

from flags.model import Flag, Serve, Target
from flags.store import Entry


def flag_json(flag: Flag, project: str, environment: str) -> dict[str, Any]:
    return {
        "key": flag.key,
        "name": flag.name,
        "description": flag.description,
        "kind": "boolean" if flag.kind == "boolean" else "multivariate",
        "purpose": "migration" if flag.kind == "migration" else "",
        "variations": [
            {"_id": v.id, "value": v.value, "name": v.name, "description": v.description}
            for v in flag.variations
        ],
        "tags": list(flag.tags),
        "temporary": flag.temporary,
        "archived": flag.archived,
        "_version": flag.version,
        "creationDate": flag.created,
        "includeInSnippet": False,
        "clientSideAvailability": {"usingMobileKey": False, "usingEnvironmentId": False},
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
        "_links": {
            "self": {"href": f"/api/v2/flags/{project}/{flag.key}", "type": "application/json"}
        },
        "environments": {environment: _environment(flag, project, environment)},
    }


def _environment(flag: Flag, project: str, environment: str) -> dict[str, Any]:
    return {
        "on": flag.on,
        "archived": flag.archived,
        "version": flag.version,
        "salt": flag.salt,
        "sel": flag.salt,
        "lastModified": flag.modified,
        "targets": [_target(t) for t in flag.targets if t.context_kind == "user"],
        "contextTargets": [_target(t) for t in flag.targets if t.context_kind != "user"],
        "rules": [
            {
                "_id": rule.id,
                "description": rule.description,
                "trackEvents": False,
                "clauses": [
                    {
                        "_id": c.id,
                        "contextKind": c.context_kind,
                        "attribute": c.attribute,
                        "op": c.op,
                        "values": list(c.values),
                        "negate": c.negate,
                    }
                    for c in rule.clauses
                ],
                **_serve(rule.serve),
            }
            for rule in flag.rules
        ],
        "fallthrough": _serve(flag.fallthrough),
        "offVariation": flag.off_variation,
        "prerequisites": [p.model_dump() for p in flag.prerequisites],
        "trackEvents": False,
        "trackEventsFallthrough": False,
        "_site": {"href": f"/flags/{flag.key}", "type": "text/html"},
        "_environmentName": environment,
        **(
            {"migrationSettings": {"checkRatio": flag.check_ratio}}
            if flag.kind == "migration"
            else {}
        ),
    }


def entry_json(entry: Entry, project: str, environment: str) -> dict[str, Any]:
    """LaunchDarkly's audit entry; `via`, `instructions` and `version` are additions of ours."""
    return {
        "_id": str(entry.id),
        "_accountId": project,
        "date": entry.date,
        "kind": "flag",
        "name": entry.flag,
        "title": f"{entry.member} {entry.title}",
        "titleVerb": entry.title,
        "description": "",
        "shortDescription": "",
        "comment": entry.comment,
        "accesses": [],
        "member": {"_id": entry.member, "email": entry.member, "firstName": entry.member},
        "target": {
            "name": entry.flag,
            "resources": [f"proj/{project}:env/{environment}:flag/{entry.flag}"],
        },
        "via": entry.via,
        "version": entry.version,
        "instructions": entry.instructions,
        "_links": {
            "self": {"href": f"/api/v2/auditlog/{entry.id}", "type": "application/json"},
        },
    }


def _serve(serve: Serve) -> dict[str, Any]:
    if serve.rollout is None:
        return {"variation": serve.variation}
    return {
        "rollout": {
            "contextKind": serve.rollout.context_kind,
            "variations": [v.model_dump() for v in serve.rollout.variations],
            **({"bucketBy": serve.rollout.bucket_by} if serve.rollout.bucket_by else {}),
        }
    }


def _target(target: Target) -> dict[str, Any]:
    return {
        "contextKind": target.context_kind,
        "variation": target.variation,
        "values": list(target.values),
    }
