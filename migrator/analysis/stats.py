"""The proxy's `/stats` document, and the difference of two of them.

Owns the shape of the document (pydantic, checked at the border) and what a restart of the proxy
means for cumulative counters. Called by the controller's shell and the windows. Never fetches
anything.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from migrator.analysis.sample import NOTHING, Histogram, Sample
from migrator.errors import Unavailable

Count = Annotated[int, Field(ge=0)]
Origin = Literal["old", "new"]


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Latency(_Document):
    bounds_ms: Annotated[tuple[float, ...], Field(max_length=1000)] = ()
    counts: Annotated[tuple[Count, ...], Field(max_length=1001)] = ()

    @model_validator(mode="after")
    def _same_length(self) -> "_Latency":
        if len(self.counts) - len(self.bounds_ms) not in (0, 1):
            raise ValueError("expected one count for each bound, and at most one more")
        if list(self.bounds_ms) != sorted(self.bounds_ms):
            raise ValueError("expected ascending bounds")
        return self


class _Cell(_Document):
    capability: str
    stage: str
    origin: Origin
    requests: Count
    errors: Count
    fallbacks: Count = 0
    latency: _Latency = _Latency()
    last_decided_at: float | None = None


class _Stats(_Document):
    instance: str
    cells: Annotated[tuple[_Cell, ...], Field(max_length=10_000)]


class Key(NamedTuple):
    """One cell of a capability: the stage that was evaluated, the origin that was asked."""

    stage: str
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """One capability's cumulative cells since the proxy `instance` started."""

    instance: str
    cells: Mapping[Key, Sample]

    def since(self, earlier: "Counters") -> dict[Key, Sample]:
        """What was counted after `earlier`.

        Another instance, or a counter that fell, started from nothing after `earlier` was read, so
        all that it counted is new. What its predecessor counted in between is lost, never invented.
        """
        known = earlier.cells if earlier.instance == self.instance else {}
        return {key: cell.minus(known.get(key, NOTHING)) for key, cell in self.cells.items()}

    def to_json(self) -> dict[str, Any]:
        return {
            "instance": self.instance,
            "cells": [
                {"stage": key.stage, "origin": key.origin, **cell.to_json()}
                for key, cell in self.cells.items()
            ],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Counters":
        """The inverse of `to_json`. Raises KeyError or TypeError for anything else."""
        return cls(
            instance=data["instance"],
            cells={Key(c["stage"], c["origin"]): Sample.from_json(c) for c in data["cells"]},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """One reading of the proxy: its counters by capability."""

    instance: str
    capabilities: Mapping[str, Mapping[Key, Sample]]

    def counters(self, capability: str) -> Counters:
        """The capability's cells; none if no request has reached it yet."""
        return Counters(instance=self.instance, cells=self.capabilities.get(capability, {}))


def parse_stats(document: bytes | str) -> Stats:
    """Read the `/stats` document. Raises Unavailable when it is not one."""
    try:
        parsed = _Stats.model_validate_json(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "document"
        raise Unavailable(
            f"the proxy's /stats: {place}: {first['msg']}",
            hint="is something else listening on the proxy's admin port?",
        ) from error
    capabilities: dict[str, dict[Key, Sample]] = {}
    for capability, key, sample in _cells(parsed):
        cells = capabilities.setdefault(capability, {})
        cells[key] = cells.get(key, NOTHING) + sample
    return Stats(instance=parsed.instance, capabilities=capabilities)


def _cells(stats: _Stats) -> Iterator[tuple[str, Key, Sample]]:
    for cell in stats.cells:
        histogram = Histogram(bounds_ms=cell.latency.bounds_ms, counts=cell.latency.counts)
        yield (
            cell.capability,
            Key(cell.stage, cell.origin),
            Sample(
                requests=cell.requests,
                errors=cell.errors,
                fallbacks=cell.fallbacks,
                latency=histogram,
            ),
        )
