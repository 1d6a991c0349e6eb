"""Evaluated flags as browser and mobile SDKs keep them.

Source: LaunchDarkly's JavaScript client SDK (`@launchdarkly/js-client-sdk` 4.10) and the Relay
Proxy's endpoint documentation. `version` grows with every change in the environment, since the
value for a context may change with another flag; `flagVersion` is the flag's own.
"""

from collections.abc import Mapping
from typing import Any

from flags.evaluation.detail import Detail
from flags.model import Config, Flag
from flags.wire.encoding import compact, event


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


PING = event("ping", b"{}")
"""Asks an SDK to poll."""


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
