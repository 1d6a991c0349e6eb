"""JSON patch (RFC 6902) and JSON merge patch (RFC 7396) of what the REST API shows. Pure.

The document that is patched is the representation; what came of it is read back field by field.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import jsonpatch
from pydantic import ValidationError

from flags.errors import Outdated, Rejected, first_problem
from flags.model import Flag, Segment
from flags.rest.representation import config_json, flag_json, segment_json
from flags.wire.sdk import read_config, read_segment

_FLAG: Final = {
    "name": "name",
    "description": "description",
    "tags": "tags",
    "temporary": "temporary",
    "archived": "archived",
}
_CONFIG: Final = frozenset(
    {
        "on", "targets", "contextTargets", "rules", "fallthrough", "offVariation", "prerequisites",
        "trackEvents", "trackEventsFallthrough", "migrationSettings",
    }
)  # fmt: skip


def json_patched(document: Any, operations: Any) -> Any:
    """Raises `Rejected`, or `Outdated` when a `test` operation fails."""
    if not isinstance(operations, list) or not 1 <= len(operations) <= 100:
        raise Rejected("patch: expected an array of 1 to 100 operations")
    try:
        return jsonpatch.apply_patch(document, operations)
    except jsonpatch.JsonPatchTestFailed as error:
        raise Outdated(f"patch: {error}"[:500]) from None
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
        raise Rejected(f"patch: {error}"[:500]) from None
    except (AttributeError, KeyError, IndexError, TypeError, ValueError):
        raise Rejected("patch: expected operations of op, path and value (RFC 6902)") from None


def merged(document: Any, patch: Any) -> Any:
    """RFC 7396, section 2."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(document) if isinstance(document, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def flag_from(
    document: Any,
    flag: Flag,
    project: str,
    environments: Sequence[str],
    *,
    new_id: Callable[[], str],
    now_ms: int,
) -> Flag:
    """`flag` as a patched representation of it says. Raises `Rejected` naming the field."""
    shown = flag_json(flag, project, environments)
    changed = _changed(
        document,
        shown,
        {
            *_FLAG,
            "variations",
            "defaults",
            "environments",
            "clientSideAvailability",
            "includeInSnippet",
        },
    )
    try:
        fields: dict[str, Any] = {_FLAG[n]: document[n] for n in changed if n in _FLAG}
        if "variations" in changed:
            fields["variations"] = _variations(document["variations"], flag, new_id)
        if "defaults" in changed:
            fields["defaults"] = {
                "on_variation": document["defaults"]["onVariation"],
                "off_variation": document["defaults"]["offVariation"],
            }
        if "includeInSnippet" in changed:
            fields["using_environment_id"] = document["includeInSnippet"]
        if "clientSideAvailability" in changed:
            fields["using_mobile_key"] = document["clientSideAvailability"]["usingMobileKey"]
            fields["using_environment_id"] = document["clientSideAvailability"][
                "usingEnvironmentId"
            ]
        flag = flag.changed(**fields)
        if "environments" in changed:
            for key in _changed(document["environments"], shown["environments"], environments):
                flag = _with_config(document["environments"][key], flag, project, key, now_ms)
    except ValidationError as error:
        raise Rejected(first_problem(error)) from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Rejected(f"the patched flag cannot be read: {type(error).__name__} {error}") from None
    return flag


def segment_from(document: Any, segment: Segment, project: str, environment: str) -> Segment:
    """`segment` as a patched representation of it says. Raises `Rejected` naming the field."""
    shown = segment_json(segment, project, environment)
    allowed = {
        "name",
        "description",
        "tags",
        "included",
        "excluded",
        "includedContexts",
        "excludedContexts",
        "rules",
    }
    changed = _changed(document, shown, allowed)
    try:
        read = read_segment(document, modified=segment.modified)
        return segment.changed(
            included=read.included,
            excluded=read.excluded,
            rules=read.rules,
            **{n: document[n] for n in changed if n in ("name", "description", "tags")},
        )
    except ValidationError as error:
        raise Rejected(first_problem(error)) from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"the patched segment cannot be read: {type(error).__name__} {error}"
        raise Rejected(problem) from None


def _changed(document: Any, shown: Mapping[str, Any], allowed: Any) -> list[str]:
    """Names of members that differ. Raises `Rejected` for those that may not."""
    if not isinstance(document, Mapping):
        raise Rejected("patch: the whole document cannot be replaced")
    names = [n for n in {**shown, **document} if document.get(n) != shown.get(n)]
    for name in names:
        if name not in allowed or name not in document:
            raise Rejected(f"/{name[:100]}: cannot be changed by a patch")
    return names


def _variations(given: Any, flag: Flag, new_id: Callable[[], str]) -> list[dict[str, Any]]:
    """Known ones keep their order and kind; new ones follow them."""
    for index, variation in enumerate(flag.variations):
        if index >= len(given) or given[index].get("_id") != variation.id:
            raise Rejected(
                f"/variations/{index}: variations are removed or moved by the instruction "
                "removeVariation only"
            )
        if flag.kind != "multivariate" and given[index].get("value") != variation.value:
            raise Rejected(f"/variations/{index}/value: the values of a {flag.kind} flag are fixed")
    if flag.kind != "multivariate" and len(given) > len(flag.variations):
        raise Rejected(f"/variations: the variations of a {flag.kind} flag are fixed")
    return [
        {
            "id": v.get("_id") if index < len(flag.variations) else new_id(),
            "value": v["value"],
            "name": v.get("name", ""),
            "description": v.get("description", ""),
        }
        for index, v in enumerate(given)
    ]


def _with_config(document: Any, flag: Flag, project: str, environment: str, now_ms: int) -> Flag:
    shown = config_json(flag, project, environment)
    changed = _changed(document, shown, _CONFIG)
    old = flag.config(environment)
    users = [{**t, "contextKind": "user"} for t in document.get("targets") or []]
    wire = {**document, "contextTargets": users + (document.get("contextTargets") or [])}
    wire["migration"] = document.get("migrationSettings")
    read = read_config(wire, modified=now_ms)
    names = {
        "on": "on",
        "targets": "targets",
        "contextTargets": "targets",
        "rules": "rules",
        "fallthrough": "fallthrough",
        "offVariation": "off_variation",
        "prerequisites": "prerequisites",
        "trackEvents": "track_events",
        "trackEventsFallthrough": "track_events_fallthrough",
        "migrationSettings": "check_ratio",
    }
    fields = {names[n]: getattr(read, names[n]) for n in changed}
    return flag.with_config(environment, old.changed(**fields))
