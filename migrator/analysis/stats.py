"""The proxy's `/stats` document, and the difference of two of them.

Owns the shape of the document (pydantic, checked at the border) and what a restart of the proxy
means for cumulative counters. Called by the controller's shell and the windows. Never fetches
anything.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, NamedTuple

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


class _Group(_Document):
    path: Annotated[str, Field(max_length=2000)]
    kind: Annotated[str, Field(max_length=40)]


class _Parity(_Document):
    capability: str
    access: Literal["read", "write"]
    compared: Count
    different: Count
    open: Count
    most: _Group | None = None


class _Stats(_Document):
    instance: str
    parity: Annotated[tuple[_Parity, ...], Field(max_length=10_000)] = ()
    cells: Annotated[tuple[_Cell, ...], Field(max_length=10_000)]


class Key(NamedTuple):
    """One cell of a capability: the stage that was evaluated, the origin that was asked."""

    stage: str
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Requests that both origins answered and whose answers were compared. `different`: beyond the
    old origin's own noise; `open`: it is not known yet whether beyond it."""

    compared: int = 0
    different: int = 0
    open: int = 0
    most: str = ""
    """Where most of them differ, in words."""

    def __add__(self, other: "Pairs") -> "Pairs":
        return Pairs(
            compared=self.compared + other.compared,
            different=self.different + other.different,
            open=self.open + other.open,
            most=other.most or self.most,
        )

    def minus(self, earlier: "Pairs") -> "Pairs":
        """What was compared after `earlier`; all of it if a counter fell, as after a restart."""
        names = ("compared", "different", "open")
        gone = {name: getattr(self, name) - getattr(earlier, name) for name in names}
        return self if min(gone.values()) < 0 else Pairs(**gone, most=self.most)

    def to_json(self) -> dict[str, int]:
        return {"compared": self.compared, "different": self.different, "open": self.open}


NO_PAIRS: Final = Pairs()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """One capability's cumulative cells since the proxy `instance` started."""

    instance: str
    cells: Mapping[Key, Sample]
    pairs: Pairs = NO_PAIRS
    """Of mirrored reads."""
    probes: Pairs = NO_PAIRS
    """Of reads that show what a write has left."""

    def since(self, earlier: "Counters") -> dict[Key, Sample]:
        """What was counted after `earlier`.

        Another instance, or a counter that fell, started from nothing after `earlier` was read, so
        all that it counted is new. What its predecessor counted in between is lost, never invented.
        """
        known = earlier.cells if earlier.instance == self.instance else {}
        return {key: cell.minus(known.get(key, NOTHING)) for key, cell in self.cells.items()}

    def pairs_since(self, earlier: "Counters") -> Pairs:
        """The same for compared reads."""
        return self.pairs.minus(earlier.pairs) if earlier.instance == self.instance else self.pairs

    def probes_since(self, earlier: "Counters") -> Pairs:
        """The same for what writes have left."""
        same = earlier.instance == self.instance
        return self.probes.minus(earlier.probes) if same else self.probes

    def to_json(self) -> dict[str, Any]:
        return {
            "instance": self.instance,
            "pairs": self.pairs.to_json(),
            "probes": self.probes.to_json(),
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
            # Logs of former versions have none.
            pairs=Pairs(**data.get("pairs", {})),
            probes=Pairs(**data.get("probes", {})),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """One reading of the proxy: its counters by capability."""

    instance: str
    capabilities: Mapping[str, Mapping[Key, Sample]]
    pairs: Mapping[str, Pairs] = field(default_factory=dict)
    probes: Mapping[str, Pairs] = field(default_factory=dict)

    def counters(self, capability: str) -> Counters:
        """The capability's cells; none if no request has reached it yet."""
        return Counters(
            instance=self.instance,
            cells=self.capabilities.get(capability, {}),
            pairs=self.pairs.get(capability, NO_PAIRS),
            probes=self.probes.get(capability, NO_PAIRS),
        )


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
    pairs, probes = (
        {each.capability: _pairs(each) for each in parsed.parity if each.access == access}
        for access in ("read", "write")
    )
    return Stats(instance=parsed.instance, capabilities=capabilities, pairs=pairs, probes=probes)


def _pairs(parity: _Parity) -> Pairs:
    most = parity.most
    return Pairs(
        compared=parity.compared,
        different=parity.different,
        open=parity.open,
        most="" if most is None else f"{most.path} ({most.kind})",
    )


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
