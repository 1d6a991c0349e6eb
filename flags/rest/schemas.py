"""JSON schemas of what the REST API answers, and of the patches of documents. Pure data."""

from typing import Any, Final


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": required | (optional or {}),
    }


def _list(of: Any) -> dict[str, Any]:
    return {"type": "array", "items": of}


def _page(of: str) -> dict[str, Any]:
    return _object({"items": _list(ref(of)), "totalCount": _INTEGER, "_links": ref("Links")})


_TEXT: Final = {"type": "string"}
_INTEGER: Final = {"type": "integer"}
_BOOLEAN: Final = {"type": "boolean"}
_ANY: Final[dict[str, Any]] = {}
_SERVE: Final = {
    "variation": _INTEGER,
    "rollout": _object(
        {
            "contextKind": _TEXT,
            "variations": _list(
                _object({"variation": _INTEGER, "weight": _INTEGER}, {"_untracked": _BOOLEAN})
            ),
        },
        {"bucketBy": _TEXT, "seed": _INTEGER, "kind": _TEXT},
    ),
}
_TARGET: Final = _object({"contextKind": _TEXT, "variation": _INTEGER, "values": _list(_TEXT)})
_CONTEXTS: Final = _object({"contextKind": _TEXT, "values": _list(_TEXT)})
_POINTER: Final = {"type": "string", "pattern": "^(/.*)?$"}


def _operation(kinds: list[str], others: dict[str, Any]) -> dict[str, Any]:
    """Of a JSON patch."""
    return _object({"op": {"type": "string", "enum": kinds}, "path": _POINTER} | others)


_PROJECT: Final = {
    "_id": _TEXT,
    "key": _TEXT,
    "name": _TEXT,
    "tags": _list(_TEXT),
    "includeInSnippetByDefault": _BOOLEAN,
    "defaultClientSideAvailability": _object(
        {"usingMobileKey": _BOOLEAN, "usingEnvironmentId": _BOOLEAN}
    ),
    "_links": ref("Links"),
}

RESPONSES: Final[dict[str, Any]] = {
    "Error": _object({"code": _TEXT, "message": _TEXT}),
    "Links": {
        "type": "object",
        "additionalProperties": _object({"href": _TEXT, "type": _TEXT}),
    },
    "Clause": _object(
        {
            "_id": _TEXT,
            "contextKind": _TEXT,
            "attribute": _TEXT,
            "op": _TEXT,
            "values": _list(_ANY),
            "negate": _BOOLEAN,
        }
    ),
    "FlagConfig": _object(
        {
            "on": _BOOLEAN,
            "archived": _BOOLEAN,
            "version": _INTEGER,
            "salt": _TEXT,
            "sel": _TEXT,
            "lastModified": _INTEGER,
            "trackEvents": _BOOLEAN,
            "trackEventsFallthrough": _BOOLEAN,
            "_site": _object({"href": _TEXT, "type": _TEXT}),
            "_environmentName": _TEXT,
            "_summary": {"type": "object"},
        },
        {
            "targets": _list(_TARGET),
            "contextTargets": _list(_TARGET),
            "rules": _list(
                _object(
                    {
                        "_id": _TEXT,
                        "description": _TEXT,
                        "trackEvents": _BOOLEAN,
                        "clauses": _list(ref("Clause")),
                    },
                    _SERVE,
                )
            ),
            "fallthrough": _object({}, _SERVE),
            "offVariation": {"type": ["integer", "null"]},
            "prerequisites": _list(_object({"key": _TEXT, "variation": _INTEGER})),
            "migrationSettings": _object({"checkRatio": _INTEGER}),
        },
    ),
    "Flag": _object(
        {
            "key": _TEXT,
            "name": _TEXT,
            "kind": {"type": "string", "enum": ["boolean", "multivariate"]},
            "_version": _INTEGER,
            "creationDate": _INTEGER,
            "variations": _list(_object({"_id": _TEXT, "value": _ANY}, {"name": _TEXT})),
            "temporary": _BOOLEAN,
            "archived": _BOOLEAN,
            "tags": _list(_TEXT),
            "_links": ref("Links"),
            "experiments": {"type": "object"},
            "customProperties": {"type": "object"},
            "environments": {"type": "object", "additionalProperties": ref("FlagConfig")},
        },
        {
            "description": _TEXT,
            "_purpose": _TEXT,
            "defaults": _object({"onVariation": _INTEGER, "offVariation": _INTEGER}),
            "clientSideAvailability": _object(
                {"usingMobileKey": _BOOLEAN, "usingEnvironmentId": _BOOLEAN}
            ),
            "migrationSettings": _object({"contextKind": _TEXT, "stageCount": _INTEGER}),
        },
    ),
    "Flags": _page("Flag"),
    "FlagStatus": _object(
        {
            "name": {"type": "string", "enum": ["new", "active", "launched", "inactive"]},
            "_links": ref("Links"),
        },
        {"lastRequested": _TEXT},
    ),
    "FlagStatuses": _object({"items": _list(ref("FlagStatus")), "_links": ref("Links")}),
    "Segment": _object(
        {
            "key": _TEXT,
            "name": _TEXT,
            "tags": _list(_TEXT),
            "creationDate": _INTEGER,
            "lastModifiedDate": _INTEGER,
            "version": _INTEGER,
            "generation": _INTEGER,
            "deleted": _BOOLEAN,
            "included": _list(_TEXT),
            "excluded": _list(_TEXT),
            "includedContexts": _list(_CONTEXTS),
            "excludedContexts": _list(_CONTEXTS),
            "rules": _list(
                _object(
                    {"_id": _TEXT, "clauses": _list(ref("Clause"))},
                    {"weight": _INTEGER, "rolloutContextKind": _TEXT, "bucketBy": _TEXT},
                )
            ),
            "_links": ref("Links"),
        },
        {"description": _TEXT, "unbounded": _BOOLEAN},
    ),
    "Segments": _page("Segment"),
    "Environment": _object(
        {
            "_id": _TEXT,
            "key": _TEXT,
            "name": _TEXT,
            "apiKey": _TEXT,
            "mobileKey": _TEXT,
            "color": _TEXT,
            "defaultTtl": _INTEGER,
            "secureMode": _BOOLEAN,
            "defaultTrackEvents": _BOOLEAN,
            "requireComments": _BOOLEAN,
            "confirmChanges": _BOOLEAN,
            "tags": _list(_TEXT),
            "critical": _BOOLEAN,
            "_links": ref("Links"),
        }
    ),
    "Environments": _page("Environment"),
    "Project": _object(_PROJECT | {"environments": ref("Environments")}),
    "ChangedProject": _object(_PROJECT | {"environments": _list(ref("Environment"))}),
    "Projects": _page("Project"),
    "Token": _object(
        {
            "_id": _TEXT,
            "ownerId": _TEXT,
            "memberId": _TEXT,
            "name": _TEXT,
            "role": {"type": "string", "enum": ["reader", "writer", "admin"]},
            "token": _TEXT,
            "creationDate": _INTEGER,
            "lastModified": _INTEGER,
            "_links": ref("Links"),
        }
    ),
    "Tokens": _page("Token"),
    "ScheduledChange": _object(
        {
            "_id": _TEXT,
            "_creationDate": _INTEGER,
            "_maintainerId": _TEXT,
            "_version": _INTEGER,
            "executionDate": _INTEGER,
            "instructions": _list({"type": "object"}),
            "conflicts": _list(_object({"reason": _TEXT})),
            "_links": ref("Links"),
        }
    ),
    "ScheduledChanges": _object({"items": _list(ref("ScheduledChange")), "_links": ref("Links")}),
    "CustomEvents": _object(
        {
            "items": _list(
                _object(
                    {
                        "key": _TEXT,
                        "variation": _INTEGER,
                        "value": _ANY,
                        "count": _INTEGER,
                        "sum": {"type": "number"},
                    }
                )
            ),
            "_links": ref("Links"),
        }
    ),
    "AuditEntry": _object(
        {
            "_id": _TEXT,
            "_accountId": _TEXT,
            "date": _INTEGER,
            "kind": _TEXT,
            "name": _TEXT,
            "title": _TEXT,
            "titleVerb": _TEXT,
            "comment": _TEXT,
            "accesses": _list(_ANY),
            "member": {"type": "object"},
            "target": {"type": "object"},
            "via": _TEXT,
            "version": _INTEGER,
            "instructions": _list(_ANY),
            "_links": ref("Links"),
        },
        {
            "previousVersion": {"type": ["object", "null"]},
            "currentVersion": {"type": ["object", "null"]},
        },
    ),
    "AuditLog": _object({"items": _list(ref("AuditEntry")), "_links": ref("Links")}),
    "Reverted": {"anyOf": [ref("Flag"), ref("Segment")]},
    "Export": {"type": "object"},
    "Import": {
        "type": "object",
        "description": "Our own document (with `apiVersion`) or LaunchDarkly's data file.",
    },
    "Imported": _object(
        {"created": _list(_TEXT), "changed": _list(_TEXT), "unchanged": _list(_TEXT)}
    ),
    "CallerIdentity": _object({"memberId": _TEXT, "tokenName": _TEXT, "scopes": _list(_TEXT)}),
    "JsonPatch": {
        "anyOf": [
            ref("Operations"),
            _object({"patch": ref("Operations")}, {"comment": {"type": ["string", "null"]}}),
        ]
    },
    "MergePatch": {
        "type": "object",
        "description": "Members to change (RFC 7396), or `merge` with them beside a `comment`.",
    },
    "Operations": _list(
        {
            "anyOf": [
                _operation(["add", "replace", "test"], {"value": _ANY}),
                _operation(["copy", "move"], {"from": _POINTER}),
                _operation(["remove"], {}),
            ]
        }
    )
    | {"minItems": 1, "maxItems": 100},
}
