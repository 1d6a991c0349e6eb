"""Flags as server-side SDKs read them: JSON objects and first-generation stream events. Pure.

Source: launchdarkly-server-sdk 9.18 (`ldclient/impl/model`, `ldclient/impl/datasource`).
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from flags.model import Flag, Rule, Serve, Target


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def sdk_flag(flag: Flag) -> dict[str, Any]:
    """`flag` as an SDK's data store keeps it."""
    wire: dict[str, Any] = {
        "key": flag.key,
        "version": flag.version,
        "on": flag.on and not flag.archived,
        "salt": flag.salt,
        "variations": [v.value for v in flag.variations],
        "offVariation": flag.off_variation,
        "fallthrough": _serve(flag.fallthrough),
        **_targets(flag.targets),
        "rules": [_rule(rule) for rule in flag.rules],
        "prerequisites": [p.model_dump() for p in flag.prerequisites],
        "clientSide": False,
        "clientSideAvailability": {"usingMobileKey": False, "usingEnvironmentId": False},
        "trackEvents": False,
        "trackEventsFallthrough": False,
        "debugEventsUntilDate": None,
        "deleted": False,
    }
    if flag.kind == "migration":
        wire["migration"] = {"checkRatio": flag.check_ratio}
    return wire


def put_event(flags: Iterable[bytes]) -> bytes:
    """The whole state; `flags` are `"key":{…}` members, encoded."""
    return b'event: put\ndata: {"path":"/","data":' + all_data(flags) + b"}\n\n"


def all_data(flags: Iterable[bytes]) -> bytes:
    """The body of a poll, `{"flags":{…},"segments":{}}`."""
    return b'{"flags":{' + b",".join(flags) + b'},"segments":{}}'


def member(flag: Flag) -> bytes:
    """`flag` as one encoded member of the flags object: `"key":{…}`."""
    return compact(flag.key) + b":" + compact(sdk_flag(flag))


def patch_event(flag: Flag) -> bytes:
    return _event("patch", {"path": f"/flags/{flag.key}", "data": sdk_flag(flag)})


def delete_event(key: str, version: int) -> bytes:
    return _event("delete", {"path": f"/flags/{key}", "version": version})


def _event(name: str, data: Mapping[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + compact(data) + b"\n\n"


def _serve(serve: Serve) -> dict[str, Any]:
    if serve.rollout is None:
        return {"variation": serve.variation}
    rollout: dict[str, Any] = {
        "kind": "rollout",
        "contextKind": serve.rollout.context_kind,
        "variations": [v.model_dump() for v in serve.rollout.variations],
    }
    if serve.rollout.bucket_by is not None:
        rollout["bucketBy"] = serve.rollout.bucket_by
    return {"rollout": rollout}


def _targets(targets: Iterable[Target]) -> dict[str, Any]:
    """Targets of kind `user` have a list of their own, which an empty entry points to."""
    users, contexts = [], []
    for target in targets:
        is_user = target.context_kind == "user"
        entry = {"variation": target.variation, "values": list(target.values)}
        if is_user:
            users.append(entry)
        contexts.append(
            {**entry, "contextKind": target.context_kind, **({"values": []} if is_user else {})}
        )
    return {"targets": users, "contextTargets": contexts}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "trackEvents": False,
        "clauses": [
            {
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
