"""LaunchDarkly's data file: what its SDKs' file data source reads, `flags` and `segments`. Pure.

Source: LaunchDarkly documentation, "Reading flags from a file". A file has what SDKs need and
nothing else, so names, tags and the ids of variations are made up when one is imported.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from flags.errors import Rejected
from flags.exchange.bundle import Bundle, bundle
from flags.exchange.reading import reading
from flags.model import STAGES_BY_COUNT, Defaults, Flag, Segment, Variation
from flags.wire.sdk import read_config, read_segment, sdk_flag, sdk_segment


def to_datafile(
    environment: str, flags: Iterable[Flag], segments: Iterable[Segment]
) -> dict[str, Any]:
    return {
        "flags": {f.key: sdk_flag(f, environment) for f in flags},
        "segments": {s.key: sdk_segment(s) for s in segments},
    }


def is_datafile(document: Any) -> bool:
    return (
        isinstance(document, dict)
        and "apiVersion" not in document
        and bool(document.keys() & {"flags", "flagValues", "segments"})
    )


def from_datafile(
    document: Mapping[str, Any],
    project: str,
    environment: str,
    *,
    flags: Mapping[str, Flag],
    segments: Mapping[str, Segment],
    new_id: Callable[[], str],
    now_ms: int,
) -> Bundle:
    """`flags` and `segments` are those there already: they keep what a file does not have.

    Raises `Rejected` naming the flag or segment.
    """
    wires = dict(_members(document, "flags"))
    for key, value in _members(document, "flagValues").items():
        wires[key] = {"variations": [value], "on": True, "fallthrough": {"variation": 0}}
    new_flags = []
    for key, wire in wires.items():
        flag = _flag(key, wire, environment, new_id, now_ms)
        known = flags.get(key)
        if known is not None and _values(known) == _values(flag):
            flag = known.with_config(environment, flag.config(environment))
        new_flags.append(flag)
    new_segments = []
    for key, wire in _members(document, "segments").items():
        segment = _segment(key, wire, now_ms)
        if (there := segments.get(key)) is not None:
            segment = segment.changed(
                name=there.name, description=there.description, tags=there.tags
            )
        new_segments.append(segment)
    return bundle(project, environment, new_flags, new_segments)


def _values(flag: Flag) -> list[Any]:
    return [v.value for v in flag.variations]


def _members(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name, {})
    if not isinstance(found, Mapping):
        raise Rejected(f"{name}: expected an object by key")
    return found


def _flag(key: str, wire: Any, environment: str, new_id: Callable[[], str], now_ms: int) -> Flag:
    with reading(f"flags.{key}"):
        values = wire["variations"]
        config = read_config({"salt": key, **wire}, modified=now_ms)
        on = config.fallthrough.variation
        off = config.off_variation
        availability = wire.get("clientSideAvailability") or {}
        flag = Flag(
            key=key,
            name=key,
            kind=_kind(wire),
            variations=tuple(Variation(id=new_id(), value=value) for value in values),
            defaults=Defaults(
                on_variation=0 if on is None else on,
                off_variation=len(values) - 1 if off is None else off,
            ),
            using_mobile_key=bool(availability.get("usingMobileKey")),
            using_environment_id=bool(
                availability.get("usingEnvironmentId", wire.get("clientSide"))
            ),
            created=now_ms,
        )
    return flag.with_config(environment, config)


def _segment(key: str, wire: Any, now_ms: int) -> Segment:
    with reading(f"segments.{key}"):
        return read_segment({"key": key, "salt": key, **wire}, modified=now_ms)


def _kind(wire: Mapping[str, Any]) -> Literal["boolean", "multivariate", "migration"]:
    values = wire["variations"]
    if "migration" in wire and tuple(values) in STAGES_BY_COUNT.values():
        return "migration"
    return "boolean" if values in ([True, False], [False, True]) else "multivariate"
