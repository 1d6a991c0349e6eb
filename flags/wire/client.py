"""Evaluated flags as browser and mobile SDKs keep them.

Source: LaunchDarkly's JavaScript client SDK (`@launchdarkly/js-client-sdk` 4.10) and the Relay
Proxy's endpoint documentation. `version` grows with every change in the environment, since the
value for a context may change with another flag; `flagVersion` is the flag's own.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from flags.evaluation.detail import Detail
from flags.model import Config, Flag
from flags.wire import v2
from flags.wire.encoding import compact, event

Changed = Mapping[str, Mapping[str, Any] | None]
"""Evaluated flags by key; None for one that is gone."""
_KIND: Final = "flag-eval"


def client_flag(
    flag: Flag, environment: str, detail: Detail, *, version: int, with_reasons: bool
) -> dict[str, Any]:
    config = flag.config(environment)
    tracked = _is_tracked_by_reason(config, detail)
    wire: dict[str, Any] = {
        "value": detail.value,
        "variation": detail.variation_index,
        "version": version,
        "flagVersion": config.version,
        "trackEvents": config.track_events or tracked,
    }
    if tracked:
        wire["trackReason"] = True
    if tracked or with_reasons:
        wire["reason"] = detail.reason
    if detail.prerequisites:
        wire["prerequisites"] = list(detail.prerequisites)
    if config.debug_events_until is not None:
        wire["debugEventsUntilDate"] = config.debug_events_until
    if config.sampling_ratio != 1:
        wire["samplingRatio"] = config.sampling_ratio
    if config.exclude_from_summaries:
        wire["excludeFromSummaries"] = True
    return wire


def put(flags: Mapping[str, Any]) -> bytes:
    return event("put", compact(flags))


def patch(key: str, flag: Mapping[str, Any]) -> bytes:
    return event("patch", compact({"key": key, **flag}))


def delete(key: str, version: int) -> bytes:
    return event("delete", compact({"key": key, "version": version}))


def changes(changed: Changed, version: int) -> bytes:
    """For the first generation."""
    return b"".join(
        delete(key, version) if flag is None else patch(key, flag) for key, flag in changed.items()
    )


def transfer(flags: Mapping[str, Any], epoch: str, sequence: int) -> tuple[v2.Event, ...]:
    """Everything, for the second generation."""
    return (
        v2.intent("xfer-full", epoch, sequence),
        *_objects(flags, sequence),
        v2.transferred(epoch, sequence),
    )


def transferred_changes(changed: Changed, epoch: str, sequence: int) -> bytes:
    return v2.stream((*_objects(changed, sequence), v2.transferred(epoch, sequence)))


PING = event("ping", b"{}")
"""Asks an SDK to poll."""


def _objects(changed: Changed, version: int) -> Iterator[v2.Event]:
    for key, flag in changed.items():
        if flag is None:
            yield v2.delete_object(_KIND, key, version)
        else:
            yield v2.put_object(_KIND, key, version, compact(flag))


def _is_tracked_by_reason(config: Config, detail: Detail) -> bool:
    """Whether an evaluation for this reason is to be reported in full, as in an experiment."""
    reason = detail.reason
    if reason.get("inExperiment"):
        return True
    if reason["kind"] == "FALLTHROUGH":
        return config.track_events_fallthrough
    if reason["kind"] == "RULE_MATCH":
        return config.rules[reason["ruleIndex"]].track_events
    return False
