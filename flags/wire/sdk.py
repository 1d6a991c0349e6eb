"""Flags and segments as server-side SDKs keep them, and back.

Source: launchdarkly-server-sdk 9.18 (`ldclient/impl/model`).
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flags.model import (
    Clause,
    Config,
    Flag,
    Rollout,
    Segment,
    SegmentRule,
    SegmentTarget,
    Serve,
    Target,
    WeightedVariation,
)


def sdk_flag(flag: Flag, environment: str) -> dict[str, Any]:
    config = flag.config(environment)
    wire: dict[str, Any] = {
        "key": flag.key,
        "version": config.version,
        "on": config.on and not flag.archived,
        "salt": config.salt,
        "sel": config.salt,
        "variations": [v.value for v in flag.variations],
        "offVariation": config.off_variation,
        "fallthrough": _serve(config.fallthrough),
        **_targets(config.targets),
        "rules": [
            {
                "id": rule.id,
                "clauses": [_clause(c) for c in rule.clauses],
                **_serve(rule.serve),
                "trackEvents": rule.track_events,
            }
            for rule in config.rules
        ],
        "prerequisites": [p.model_dump() for p in config.prerequisites],
        "clientSide": flag.using_environment_id,
        "clientSideAvailability": {
            "usingMobileKey": flag.using_mobile_key,
            "usingEnvironmentId": flag.using_environment_id,
        },
        "trackEvents": config.track_events,
        "trackEventsFallthrough": config.track_events_fallthrough,
        "debugEventsUntilDate": config.debug_events_until,
        "deleted": False,
    }
    if flag.kind == "migration":
        wire["migration"] = {"checkRatio": config.check_ratio}
    if config.sampling_ratio != 1:
        wire["samplingRatio"] = config.sampling_ratio
    if config.exclude_from_summaries:
        wire["excludeFromSummaries"] = True
    return wire


def sdk_segment(segment: Segment) -> dict[str, Any]:
    included, included_contexts = _segment_targets(segment.included)
    excluded, excluded_contexts = _segment_targets(segment.excluded)
    return {
        "key": segment.key,
        "version": segment.version,
        "salt": segment.salt,
        "included": included,
        "excluded": excluded,
        "includedContexts": included_contexts,
        "excludedContexts": excluded_contexts,
        "rules": [_segment_rule(rule) for rule in segment.rules],
        "unbounded": False,
        "deleted": False,
    }


@contextmanager
def _readable() -> Iterator[None]:
    """What is missing or of another type becomes a `ValueError`."""
    try:
        yield
    except KeyError as error:
        raise ValueError(f"{error.args[0]} is missing") from None
    except (AttributeError, TypeError):
        raise ValueError("expected objects and lists as LaunchDarkly has them") from None


@_readable()
def read_config(wire: Mapping[str, Any], *, modified: int) -> Config:
    """The reverse of `sdk_flag`, for its environment's part. Raises `ValueError`.

    Names of clauses and rules that an SDK does not need, such as ids, may be missing.
    """
    targets = [
        _read_target(t, values)
        for t in wire.get("contextTargets") or []
        if (values := t.get("values") or _user_values(wire, t))
    ]
    if not wire.get("contextTargets"):
        targets = [_read_target(t, t.get("values") or []) for t in wire.get("targets") or []]
    return Config.model_validate(
        {
            "version": wire.get("version", 1),
            "salt": wire.get("salt", ""),
            "modified": modified,
            "on": wire.get("on", False),
            "off_variation": wire.get("offVariation"),
            "fallthrough": _read_serve(wire.get("fallthrough") or {"variation": 0}),
            "targets": targets,
            "rules": [
                {
                    "id": _id(rule, f"rule-{index}"),
                    "description": rule.get("description") or "",
                    "clauses": _read_clauses(rule, f"rule-{index}"),
                    "serve": _read_serve(rule),
                    "track_events": rule.get("trackEvents", False),
                }
                for index, rule in enumerate(wire.get("rules") or [])
            ],
            "prerequisites": [
                {"key": p["key"], "variation": p["variation"]}
                for p in wire.get("prerequisites") or []
            ],
            "track_events": wire.get("trackEvents", False),
            "track_events_fallthrough": wire.get("trackEventsFallthrough", False),
            "debug_events_until": wire.get("debugEventsUntilDate"),
            "check_ratio": (wire.get("migration") or {}).get("checkRatio", 1),
            "sampling_ratio": wire.get("samplingRatio", 1),
            "exclude_from_summaries": wire.get("excludeFromSummaries", False),
        }
    )


@_readable()
def read_segment(wire: Mapping[str, Any], *, modified: int) -> Segment:
    """The reverse of `sdk_segment`. Raises `ValueError`."""
    if wire.get("unbounded"):
        raise ValueError("big segments (unbounded) are not kept here")
    return Segment.model_validate(
        {
            "key": wire["key"],
            "name": wire["key"],
            "created": modified,
            "modified": modified,
            "version": wire.get("version", 1),
            "salt": wire.get("salt", ""),
            "included": _read_segment_targets(wire, "included"),
            "excluded": _read_segment_targets(wire, "excluded"),
            "rules": [
                {
                    "id": _id(rule, f"rule-{index}"),
                    "description": rule.get("description") or "",
                    "clauses": _read_clauses(rule, f"rule-{index}"),
                    "weight": rule.get("weight"),
                    "bucket_by": rule.get("bucketBy"),
                    "rollout_context_kind": rule.get("rolloutContextKind", "user"),
                }
                for index, rule in enumerate(wire.get("rules") or [])
            ],
        }
    )


def _serve(serve: Serve) -> dict[str, Any]:
    if serve.rollout is None:
        return {"variation": serve.variation}
    return {"rollout": _rollout(serve.rollout)}


def _rollout(rollout: Rollout) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "kind": rollout.kind,
        "contextKind": rollout.context_kind,
        "variations": [_weighted(v) for v in rollout.variations],
    }
    if rollout.bucket_by is not None:
        wire["bucketBy"] = rollout.bucket_by
    if rollout.seed is not None:
        wire["seed"] = rollout.seed
    return wire


def _weighted(share: WeightedVariation) -> dict[str, Any]:
    return share.model_dump(exclude_defaults=True)


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


def _clause(clause: Clause) -> dict[str, Any]:
    return {
        "contextKind": clause.context_kind,
        "attribute": clause.attribute,
        "op": clause.op,
        "values": list(clause.values),
        "negate": clause.negate,
    }


def _segment_targets(targets: Iterable[SegmentTarget]) -> tuple[list[str], list[dict[str, Any]]]:
    users: list[str] = []
    contexts: list[dict[str, Any]] = []
    for target in targets:
        if target.context_kind == "user":
            users += target.values
        else:
            contexts.append({"contextKind": target.context_kind, "values": list(target.values)})
    return users, contexts


def _segment_rule(rule: SegmentRule) -> dict[str, Any]:
    wire: dict[str, Any] = {"id": rule.id, "clauses": [_clause(c) for c in rule.clauses]}
    if rule.weight is not None:
        wire |= {"weight": rule.weight, "rolloutContextKind": rule.rollout_context_kind}
        if rule.bucket_by is not None:
            wire["bucketBy"] = rule.bucket_by
    return wire


def _user_values(wire: Mapping[str, Any], target: Mapping[str, Any]) -> list[str]:
    if target.get("contextKind", "user") != "user":
        return []
    return [
        value
        for users in wire.get("targets") or []
        if users["variation"] == target["variation"]
        for value in users.get("values") or []
    ]


def _read_target(target: Mapping[str, Any], values: list[str]) -> dict[str, Any]:
    return {
        "context_kind": target.get("contextKind", "user"),
        "variation": target["variation"],
        "values": values,
    }


def _read_serve(wire: Mapping[str, Any]) -> dict[str, Any]:
    rollout = wire.get("rollout")
    if rollout is None or wire.get("variation") is not None:
        return {"variation": wire.get("variation")}
    return {
        "rollout": {
            "kind": rollout.get("kind", "rollout"),
            "context_kind": rollout.get("contextKind", "user"),
            "bucket_by": rollout.get("bucketBy"),
            "seed": rollout.get("seed"),
            "variations": [
                {"variation": v["variation"], "weight": v["weight"]}
                | ({"untracked": True} if v.get("untracked") else {})
                for v in rollout["variations"]
            ],
        }
    }


def _read_clauses(rule: Mapping[str, Any], rule_id: str) -> list[dict[str, Any]]:
    return [
        {
            "id": _id(clause, f"{_id(rule, rule_id)}-{index}"),
            "context_kind": clause.get("contextKind", "user"),
            "attribute": clause.get("attribute", ""),
            "op": clause["op"],
            "values": clause["values"],
            "negate": clause.get("negate", False),
        }
        for index, clause in enumerate(rule.get("clauses") or [])
    ]


def _id(item: Mapping[str, Any], default: str) -> str:
    """`id` in an SDK's data, `_id` in the REST API, or none in an old file."""
    return str(item.get("id") or item.get("_id") or default)


def _read_segment_targets(wire: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    targets = [
        {"context_kind": t.get("contextKind", "user"), "values": t["values"]}
        for t in wire.get(f"{name}Contexts") or []
    ]
    if wire.get(name):
        targets.insert(0, {"context_kind": "user", "values": wire[name]})
    return targets
