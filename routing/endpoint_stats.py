"""What the workers say of the origins' endpoints, added up.

Pure. A document has one entry for each origin, `service` None being the monolith; the shape is that
of `Group.document` and `Endpoint.document`.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from routing.config import ProxyConfig

COUNTERS: Final = ("requests", "failures", "ejections", "overflows")
"""Of an endpoint; they only grow."""
GAUGES: Final = ("active", "idle", "connecting", "pending")
ORIGIN_COUNTERS: Final = (
    "asked",
    "failed",
    "unreached",
    "retries",
    "retries_over_budget",
    "hedges",
)

Document = list[dict[str, Any]]


def merge(documents: Iterable[Iterable[Mapping[str, Any]]]) -> Document:
    """The sum of the documents. An endpoint is healthy if no worker says otherwise, and ejected
    until the last worker takes it back."""
    origins: dict[str | None, dict[str, Any]] = {}
    nothing = dict.fromkeys(ORIGIN_COUNTERS, 0)
    for origin in (origin for document in documents for origin in document):
        name = origin["service"]
        total = origins.setdefault(name, {"service": name, **nothing, "endpoints": {}})
        for counter in ORIGIN_COUNTERS:
            total[counter] += origin[counter]
        for endpoint in origin["endpoints"]:
            address = endpoint["address"]
            have = total["endpoints"].get(address)
            total["endpoints"][address] = dict(endpoint) if have is None else _sum(have, endpoint)
    return [{**each, "endpoints": list(each["endpoints"].values())} for each in origins.values()]


def retired(document: Iterable[Mapping[str, Any]]) -> Document:
    """What stays of a worker that has ended: its counters."""
    nothing = {"healthy": True, "ejected_until": None, **dict.fromkeys(GAUGES, 0)}
    return [
        {**origin, "endpoints": [{**endpoint, **nothing} for endpoint in origin["endpoints"]]}
        for origin in document
    ]


def configured(document: Document, config: ProxyConfig) -> Document:
    """`document` without what `config` no longer has."""
    found = []
    for origin in document:
        name = origin["service"]
        upstream = config.monolith if name is None else config.services.get(name)
        if upstream is not None:
            endpoints = [
                each for each in origin["endpoints"] if each["address"] in upstream.endpoints
            ]
            found.append({**origin, "endpoints": endpoints})
    return found


def _sum(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    ejected = [each for each in (one["ejected_until"], other["ejected_until"]) if each is not None]
    return {
        "address": one["address"],
        "healthy": one["healthy"] and other["healthy"],
        "ejected_until": max(ejected, default=None),
        **{name: one[name] + other[name] for name in (*GAUGES, *COUNTERS)},
    }
