"""JSON patch (RFC 6902) and JSON merge patch (RFC 7396) of what the REST API shows. Pure.

The document that is patched is the representation; what came of it is read back field by field.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, Final

import jsonpatch

from flags.changes.base import World
from flags.changes.settings import ArchiveFlag
from flags.errors import Outdated, Rejected, rejecting
from flags.model import Config, Flag, Segment
from flags.rest.limits import MAX_DEPTH, check_document
from flags.rest.representation import config_json, flag_json, segment_json
from flags.wire.sdk import read_segment
from flags.wire.shown import read_shown

MAX_COPIED: Final = 1024 * 1024
"""Bytes that the operations `copy` of one patch may add: each could double the document."""
_FLAG: Final = frozenset(
    {
        "name", "description", "tags", "temporary", "archived", "variations", "defaults",
        "environments", "clientSideAvailability", "includeInSnippet",
    }
)  # fmt: skip
_CONFIG: Final = {
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
_SEGMENT: Final = frozenset(
    {
        "name", "description", "tags", "included", "excluded", "includedContexts",
        "excludedContexts", "rules",
    }
)  # fmt: skip


def json_patched(document: Any, operations: Any) -> Any:
    """Raises `Rejected`, or `Outdated` when a `test` operation fails."""
    if not isinstance(operations, list) or not 1 <= len(operations) <= 100:
        raise Rejected("patch: expected an array of 1 to 100 operations")
    document, left = deepcopy(document), MAX_COPIED
    try:
        for operation in deepcopy(operations):  # the document takes their values in
            if operation["op"] == "copy":
                copied = jsonpatch.JsonPointer(operation["from"]).resolve(document)
                left -= len(json.dumps(copied))
                if left < 0:
                    raise Rejected(f"patch: copies more than {MAX_COPIED} bytes")
            document = jsonpatch.apply_patch(document, [operation], in_place=True)
    except jsonpatch.JsonPatchTestFailed as error:
        raise Outdated(f"patch: {error}"[:500]) from None
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
        raise Rejected(f"patch: {error}"[:500]) from None
    except (AttributeError, KeyError, IndexError, TypeError, ValueError):
        raise Rejected("patch: expected operations of op, path and value (RFC 6902)") from None
    return document


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
    world: World,
    *,
    now_ms: int,
) -> Flag:
    """`flag` as a patched representation of it says. Raises `Rejected` naming the field."""
    check_document(document, "patch", 2 * MAX_DEPTH)
    shown = flag_json(flag, project, environments)
    changed = _changed(document, shown, _FLAG)
    with _reading("the patched flag"):
        if "archived" in changed and document["archived"] is True:
            ArchiveFlag(kind="archiveFlag").apply(flag, world)
        fields = _shared(document, changed, flag, world)
        if "environments" in changed:
            configs = document["environments"]
            keys = _changed(configs, shown["environments"], environments, "/environments")
            fields["environments"] = flag.environments | {
                key: _config(configs[key], flag, project, key, now_ms) for key in keys
            }
        return flag.changed(**fields)


def segment_from(document: Any, segment: Segment, project: str, environment: str) -> Segment:
    """`segment` as a patched representation of it says. Raises `Rejected` naming the field."""
    check_document(document, "patch", 2 * MAX_DEPTH)
    changed = _changed(document, segment_json(segment, project, environment), _SEGMENT)
    with _reading("the patched segment"):
        read = read_segment(document, modified=segment.modified)
        for name in ("included", "excluded"):
            kinds = [target.context_kind for target in getattr(read, name)]
            if len(set(kinds)) < len(kinds):
                raise Rejected(f"/{name}Contexts: a context kind is given twice")
        return segment.changed(
            included=read.included,
            excluded=read.excluded,
            rules=read.rules,
            **{n: document[n] for n in changed if n in ("name", "description", "tags")},
        )


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Whatever cannot be read inside becomes `Rejected`."""
    try:
        with rejecting():
            yield
    except (KeyError, TypeError, AttributeError) as error:
        raise Rejected(f"{what} cannot be read: {type(error).__name__} {error}") from None


def _changed(
    document: Any, shown: Mapping[str, Any], allowed: Collection[str], place: str = ""
) -> list[str]:
    """Names of members that differ. Raises `Rejected` for those that may not."""
    if not isinstance(document, Mapping):
        raise Rejected(f"patch: {place or 'the whole document'} must stay an object")
    names = [
        name
        for name in {**shown, **document}
        if not (name in shown and name in document and _same(document[name], shown[name]))
    ]
    for name in names:
        if name not in allowed or name not in document or name not in shown:
            raise Rejected(f"{place}/{name[:100]}: cannot be changed by a patch")
        if isinstance(shown[name], bool) and not isinstance(document[name], bool):
            raise Rejected(f"{place}/{name}: expected true or false")
    return names


def _same(one: Any, other: Any) -> bool:
    """As JSON: to Python, true is 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _shared(
    document: Mapping[str, Any], changed: Collection[str], flag: Flag, world: World
) -> dict[str, Any]:
    """What changes for all environments, by the model's names."""
    fields = {
        name: document[name]
        for name in ("name", "description", "tags", "temporary", "archived")
        if name in changed
    }
    if "variations" in changed:
        fields["variations"] = _variations(document["variations"], flag, world)
    if "defaults" in changed:
        fields["defaults"] = {
            "on_variation": document["defaults"]["onVariation"],
            "off_variation": document["defaults"]["offVariation"],
        }
    if "includeInSnippet" in changed:
        fields["using_environment_id"] = document["includeInSnippet"]
    if "clientSideAvailability" in changed:
        fields["using_mobile_key"] = document["clientSideAvailability"]["usingMobileKey"]
        fields["using_environment_id"] = document["clientSideAvailability"]["usingEnvironmentId"]
    return fields


def _variations(given: Any, flag: Flag, world: World) -> list[dict[str, Any]]:
    """Known ones keep their order and kind; new ones follow them."""
    for index, variation in enumerate(flag.variations):
        if index >= len(given) or given[index].get("_id") != variation.id:
            raise Rejected(
                f"/variations/{index}: variations are removed or moved by the instruction "
                "removeVariation only"
            )
        if flag.kind != "multivariate" and not _same(given[index].get("value"), variation.value):
            raise Rejected(f"/variations/{index}/value: the values of a {flag.kind} flag are fixed")
    if flag.kind != "multivariate" and len(given) > len(flag.variations):
        raise Rejected(f"/variations: the variations of a {flag.kind} flag are fixed")
    return [
        {
            "id": flag.variations[index].id if index < len(flag.variations) else world.new_id(),
            "value": v["value"],
            "name": v.get("name", ""),
            "description": v.get("description", ""),
        }
        for index, v in enumerate(given)
    ]


def _config(document: Any, flag: Flag, project: str, environment: str, now_ms: int) -> Config:
    """What the flag says in one environment."""
    place = f"/environments/{environment}"
    changed = _changed(document, config_json(flag, project, environment), _CONFIG, place)
    _require_one(document["fallthrough"], f"{place}/fallthrough")
    for index, rule in enumerate(document.get("rules") or []):
        _require_one(rule, f"{place}/rules/{index}")
    read = read_shown(document, modified=now_ms)
    fields = {_CONFIG[name]: getattr(read, _CONFIG[name]) for name in changed}
    return flag.config(environment).changed(**fields)


def _require_one(given: Mapping[str, Any], place: str) -> None:
    """Raises `Rejected` unless a rule or the fallthrough serves a variation or a rollout."""
    if (given.get("variation") is None) == (given.get("rollout") is None):
        raise Rejected(f"{place}: expected a variation or a rollout, one of them")
