"""All flags and segments of one environment at one moment: what an evaluation may look at."""

from collections.abc import Mapping
from dataclasses import dataclass

from flags.model.flag import Flag
from flags.model.segment import Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    environment: str
    flags: Mapping[str, Flag]
    segments: Mapping[str, Segment]
