"""The OpenAPI document of the REST API: its operations as a table, its schemas beside them. Pure.

Paths and shapes are those of LaunchDarkly's API documentation, version 20240415.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from flags.changes.patch import FLAG_INSTRUCTIONS, SEGMENT_INSTRUCTIONS, Patch
from flags.rest.bodies import NewEnvironment, NewProject, NewScheduled, NewToken
from flags.rest.creation import NewFlag, NewSegment
from flags.rest.schemas import RESPONSES, ref

_KEY: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_NUMBER: Final = {"type": "integer", "minimum": 0, "maximum": 999_999_999_999_999}
_TEXT: Final = {"type": "string", "maxLength": 200}
_COMMENT: Final = {"type": "string", "maxLength": 2000}
_FILTERS: Final = r"((tags|query|filterEnv):[^,]*|state:(live|archived)(\+(live|archived))*)"
QUERY: Final[dict[str, dict[str, Any]]] = {
    "env": {"type": "string", "description": "Only this environment."},
    "tag": {"type": "string", "description": "Only with this tag."},
    "archived": {"type": "string", "enum": ["true", "false"]},
    "summary": {"type": "string", "enum": ["0", "false", "1", "true"]},
    "sort": {
        "type": "string",
        "enum": ["name", "-name", "key", "-key", "creationDate", "-creationDate"],
    },
    "filter": {
        "type": "string",
        "pattern": rf"^({_FILTERS}(,{_FILTERS})*)?$",
        "description": "`tags:a+b`, `query:words`, `state:live+archived`, `filterEnv:production`.",
    },
    "segment filter": {
        "type": "string",
        "pattern": r"^((tags|query):[^,]*(,(tags|query):[^,]*)*)?$",
        "description": "`tags:a+b`, `query:words`.",
    },
    "limit": {**_NUMBER, "description": "At most 1,000."},
    "offset": _NUMBER,
    "spec": {
        **_TEXT,
        "pattern": r"^proj/[^:;/]+(:env/[^:;/]+)?(:(flag|segment)/[^:;/]+)?$",
        "description": "`proj/KEY:env/KEY:flag/KEY`, `*` for any.",
    },
    "before": {**_NUMBER, "description": "Epoch milliseconds."},
    "after": {**_NUMBER, "description": "Epoch milliseconds."},
    "format": {"type": "string", "enum": ["json", "yaml", "datafile"]},
    "dryRun": {"type": "string", "enum": ["true", "false"]},
    "q": {**_TEXT, "description": "Words in title, comment, key or member."},
    "comment": {**_COMMENT, "description": "Why; kept in the audit log."},
}


_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of a read: refused if something has changed since.",
    "schema": {"type": "string"},
}
_SEMANTIC: Final = {
    "FlagPatch": FLAG_INSTRUCTIONS.items(),
    "SegmentPatch": SEGMENT_INSTRUCTIONS.items(),
}
_DELETE_FLAG: Final = {
    "type": "object",
    "description": "The only instruction of its patch.",
    "required": ["kind"],
    "properties": {"kind": {}},
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    method: str
    path: str
    name: str
    summary: str
    answer: str | None
    """Name of the schema of a success; None has no body."""
    status: int = 200
    query: tuple[str, ...] = ()
    body: str | None = None


def _op(
    line: str, answer: str | None, *query: str, body: str | None = None, status: int | None = None
) -> Operation:
    """`line`: method, path, operation id, summary."""
    method, path, name, summary = line.split(" ", 3)
    usual = 204 if answer is None else 201 if method == "POST" and body else 200
    return Operation(
        method=method.lower(), path=path, name=name, summary=summary, answer=answer,
        status=status or usual, query=query, body=body,
    )  # fmt: skip


_SCHEDULED: Final = "/projects/{project}/flags/{key}/environments/{environment}/scheduled-changes"
_LIST: Final = ("limit", "offset")
OPERATIONS: Final = (
    _op("GET /flags/{project} getFeatureFlags List feature flags", "Flags",
        "env", "tag", "archived", "summary", "sort", "filter", *_LIST),
    _op("POST /flags/{project} postFeatureFlag Create a feature flag", "Flag", "env",
        body="NewFlag"),
    _op("GET /flags/{project}/{key} getFeatureFlag Get feature flag", "Flag", "env"),
    _op("PATCH /flags/{project}/{key} patchFeatureFlag Update feature flag", "Flag", "env",
        body="FlagPatch"),
    _op("DELETE /flags/{project}/{key} deleteFeatureFlag Delete feature flag", None, "comment"),
    _op("GET /flag-statuses/{project}/{environment} getFeatureFlagStatuses List flag statuses",
        "FlagStatuses"),
    _op("GET /flag-statuses/{project}/{environment}/{key} getFeatureFlagStatus Get flag status",
        "FlagStatus"),
    _op("GET /segments/{project}/{environment} getSegments List segments", "Segments",
        "segment filter", *_LIST),
    _op("POST /segments/{project}/{environment} postSegment Create segment", "Segment", "comment",
        body="NewSegment"),
    _op("GET /segments/{project}/{environment}/{key} getSegment Get segment", "Segment"),
    _op("PATCH /segments/{project}/{environment}/{key} patchSegment Patch segment", "Segment",
        body="SegmentPatch"),
    _op("DELETE /segments/{project}/{environment}/{key} deleteSegment Delete segment", None,
        "comment"),
    _op("GET /projects getProjects List projects", "Projects", *_LIST),
    _op("POST /projects postProject Create project", "ChangedProject", body="NewProject"),
    _op("GET /projects/{project} getProject Get project", "Project"),
    _op("PATCH /projects/{project} patchProject Update project", "ChangedProject",
        body="JsonPatch"),
    _op("GET /projects/{project}/environments getEnvironments List environments", "Environments",
        *_LIST),
    _op("POST /projects/{project}/environments postEnvironment Create environment", "Environment",
        body="NewEnvironment"),
    _op("GET /projects/{project}/environments/{key} getEnvironment Get environment", "Environment"),
    _op("PATCH /projects/{project}/environments/{key} patchEnvironment Update environment",
        "Environment", body="JsonPatch"),
    _op("DELETE /projects/{project}/environments/{key} deleteEnvironment Delete environment", None),
    _op("POST /projects/{project}/environments/{key}/apiKey resetEnvironmentSDKKey Reset SDK key",
        "Environment"),
    _op("POST /projects/{project}/environments/{key}/mobileKey resetEnvironmentMobileKey "
        "Reset mobile key", "Environment"),
    _op(f"GET {_SCHEDULED} getFlagConfigScheduledChanges List scheduled changes",
        "ScheduledChanges"),
    _op(f"POST {_SCHEDULED} postFlagConfigScheduledChanges Schedule a change", "ScheduledChange",
        body="NewScheduled"),
    _op(f"GET {_SCHEDULED}/{{id}} getFeatureFlagScheduledChange Get a scheduled change",
        "ScheduledChange"),
    _op(f"DELETE {_SCHEDULED}/{{id}} deleteFlagConfigScheduledChanges Cancel a scheduled change",
        None),
    _op("GET /projects/{project}/flags/{key}/environments/{environment}/custom-events "
        "getCustomEvents Count custom events by variation", "CustomEvents", "after"),
    _op("GET /projects/{project}/environments/{key}/export exportEnvironment Export everything",
        "Export", "format"),
    _op("POST /projects/{project}/environments/{key}/import importEnvironment Import a document",
        "Imported", "comment", "dryRun", body="Import", status=200),
    _op("GET /tokens getTokens List access tokens", "Tokens", *_LIST),
    _op("POST /tokens postToken Create access token", "Token", body="NewToken"),
    _op("GET /tokens/{id} getToken Get access token", "Token"),
    _op("PATCH /tokens/{id} patchToken Change name or role of an access token", "Token",
        body="JsonPatch"),
    _op("DELETE /tokens/{id} deleteToken Revoke access token", None),
    _op("GET /auditlog getAuditLogEntries List audit log entries", "AuditLog",
        "spec", "before", "after", "q", *_LIST),
    _op("GET /auditlog/{entry} getAuditLogEntry Get audit log entry", "AuditEntry"),
    _op("POST /auditlog/{entry}/revert revertAuditLogEntry Undo what one entry did", "Reverted",
        "comment"),
    _op("GET /caller-identity getCallerIdentity Identify the caller", "CallerIdentity"),
)  # fmt: skip


@cache
def document() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        path = paths.setdefault(f"/api/v2{operation.path}", {})
        path[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Flag server",
            "version": "2",
            "description": "LaunchDarkly's REST API, as far as flags, segments, projects, "
            "environments, tokens and the audit log go.",
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "An API token, without a scheme word.",
                }
            },
            "schemas": RESPONSES | _bodies(),
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done."}
    if operation.answer is not None:
        success["content"] = {"application/json": {"schema": ref(operation.answer)}}
    if operation.answer == "Export":
        success["content"]["application/yaml"] = {"schema": ref(operation.answer)}
    problems = ("400", "401", "403", "404", "405", "409", "413", "415", "503")
    error = {
        "description": "Refused; nothing was changed.",
        "content": {"application/json": {"schema": ref("Error")}},
    }
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [*_path_parameters(operation.path), *_query_parameters(operation.query)],
        "responses": {str(operation.status): success, **dict.fromkeys(problems, error)},
    }
    if operation.body is not None:
        content = {"application/json": {"schema": ref(operation.body)}}
        if operation.body in _SEMANTIC:
            described["parameters"].append(_IF_MATCH)
            content = {
                "application/json": {"schema": ref("JsonPatch")},
                "application/json; domain-model=launchdarkly.semanticpatch": {
                    "schema": ref(operation.body)
                },
                "application/merge-patch+json": {"schema": ref("MergePatch")},
            }
        if operation.body == "FlagPatch":
            described["responses"]["204"] = {"description": "Deleted, by `deleteFlag`."}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
            if name == "entry"
            else {"type": "string", "pattern": _KEY, "maxLength": 256},
        }
        for name in _PARAMETER.findall(path)
    ]


def _query_parameters(names: tuple[str, ...]) -> list[dict[str, Any]]:
    """The last word is a parameter's name, what stands before it says of what."""
    return [
        {"name": name.split()[-1], "in": "query", "required": False, "schema": QUERY[name]}
        for name in names
    ]


def _bodies() -> dict[str, Any]:
    """JSON schemas of what requests bring, from the models that read them."""
    bodies: dict[str, Any] = {}
    for model in (NewFlag, NewSegment, NewProject, NewEnvironment, NewScheduled, NewToken):
        bodies[model.__name__] = _flat(model.model_json_schema(), bodies)
    for name, known in _SEMANTIC.items():
        schema = _flat(Patch.model_json_schema(), bodies)
        kinds = [_instruction(kind, _flat(i.model_json_schema(), bodies)) for kind, i in known]
        if name == "FlagPatch":
            kinds.append(_instruction("deleteFlag", _DELETE_FLAG))
        bodies[name.replace("Patch", "Instruction")] = {"anyOf": kinds}
        schema["properties"]["instructions"]["items"] = ref(name.replace("Patch", "Instruction"))
        bodies[name] = schema | {"title": name}
    bodies["NewScheduled"]["properties"]["instructions"]["items"] = ref("FlagInstruction")
    return bodies


def _instruction(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of one kind, of a class that may have several."""
    properties = schema["properties"] | {"kind": {"const": kind}}
    return schema | {"title": kind, "properties": properties}


def _flat(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    """Definitions inside a model's schema become components."""
    for name, definition in schema.pop("$defs", {}).items():
        components[name.removeprefix("_")] = _moved(definition)
    moved: dict[str, Any] = _moved(schema)
    return moved


def _moved(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            k: ref(v.removeprefix("#/$defs/").removeprefix("_"))["$ref"]
            if k == "$ref" and isinstance(v, str)
            else _moved(v)
            for k, v in value.items()
        }
    return [_moved(v) for v in value] if isinstance(value, list) else value
