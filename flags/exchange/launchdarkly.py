"""A project of LaunchDarkly, as its REST API shows it, becomes a bundle. Pure.

Source: LaunchDarkly API documentation, "List feature flags" with `summary=0` and "List segments".
What this server does not keep is left out and named: big segments, experiments, approvals.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from flags.exchange.bundle import Bundle, bundle
from flags.exchange.reading import reading
from flags.model import Defaults, Flag, Segment, Variation
from flags.wire.sdk import read_segment
from flags.wire.shown import read_shown


def from_launchdarkly(
    flags: Iterable[Mapping[str, Any]],
    segments: Iterable[Mapping[str, Any]],
    project: str,
    environment: str,
    *,
    now_ms: int,
) -> tuple[Bundle, list[str]]:
    """And what was left out, a line each. Raises `Rejected` naming the flag or segment."""
    left_out = []
    read_segments = []
    for document in segments:
        if document.get("unbounded"):
            left_out.append(f"segment {document.get('key')}: big segments are not kept here")
        else:
            read_segments.append(_segment(document, now_ms))
    read_flags = [_flag(document, environment, now_ms) for document in flags]
    return bundle(project, environment, read_flags, read_segments), left_out


def _flag(document: Mapping[str, Any], environment: str, now_ms: int) -> Flag:
    key = document.get("key")
    with reading(f"flag {key}"):
        config = read_shown(document["environments"][environment], modified=now_ms)
        defaults = document.get("defaults") or {}
        availability = document.get("clientSideAvailability") or {}
        is_migration = "migration" in (document.get("_purpose"), document.get("kind"))
        flag = Flag(
            key=document["key"],
            name=document.get("name", document["key"]),
            description=document.get("description") or "",
            kind="migration"
            if is_migration
            else "boolean"
            if document["kind"] == "boolean"
            else "multivariate",
            variations=tuple(
                Variation(
                    id=v["_id"],
                    value=v["value"],
                    name=v.get("name") or "",
                    description=v.get("description") or "",
                )
                for v in document["variations"]
            ),
            defaults=Defaults(
                on_variation=defaults.get("onVariation", 0),
                off_variation=defaults.get("offVariation", len(document["variations"]) - 1),
            ),
            tags=tuple(document.get("tags") or ()),
            temporary=document.get("temporary", True),
            archived=document.get("archived", False),
            using_mobile_key=bool(availability.get("usingMobileKey")),
            using_environment_id=bool(availability.get("usingEnvironmentId")),
            created=document.get("creationDate", now_ms),
            migration_context_kind=(document.get("migrationSettings") or {}).get("contextKind"),
        )
    return flag.with_config(environment, config)


def _segment(document: Mapping[str, Any], now_ms: int) -> Segment:
    key = document.get("key")
    with reading(f"segment {key}"):
        # The REST API shows no salt, so members of a percentage may change.
        read = read_segment({"salt": key, **document}, modified=now_ms)
        return read.changed(
            name=document.get("name", key),
            description=document.get("description") or "",
            tags=tuple(document.get("tags") or ()),
        )
