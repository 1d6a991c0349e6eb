"""Copies of requests for the origin that does not answer: mirrored reads and second writes."""

from typing import Annotated

from pydantic import Field

from routing.config.base import Model, Seconds

_KIB = 1024
_MIB = 1024 * 1024


class Mirroring(Model):
    """Reads at `shadow` and `live`, for each worker. What finds no room is dropped and counted."""

    enabled: bool = True
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 64
    """Mirrored reads in flight."""
    body: Annotated[int, Field(ge=0, le=64 * _MIB)] = 64 * _KIB
    """Bytes of a read's request body; one that is longer is not mirrored."""
    memory: Annotated[int, Field(ge=0)] = 8 * _MIB
    """Bytes of request bodies of all mirrored reads together."""
    timeout: Seconds = 10.0
    """For the whole mirrored exchange."""


class SecondWrites(Model):
    """Writes at `dualwrite`, `shadow`, `live` and `rampdown`."""

    enabled: bool = True
    fsync: bool = True
    """Whether the journal survives a power failure. False: the death of a process only, and
    writes wait some milliseconds less."""
    body: Annotated[int, Field(ge=0, le=256 * _MIB)] = 8 * _MIB
    """Bytes of one body, with the framing of its chunks; beyond: 413, and no side gets it whole."""
    capture: Annotated[int, Field(ge=0)] = 512 * _MIB
    """Bytes of bodies that one worker holds at a time, in memory and on disk, before they are in
    the journal; beyond: 503, and no side gets the write whole."""
    memory: Annotated[int, Field(ge=_MIB)] = 32 * _MIB
    """Bytes of these that are in memory. Beyond half of it all bodies go to disk, not only those
    above 64 KiB; beyond it, while the disk takes none: 503."""
    concurrency: Annotated[int, Field(ge=1, le=1_000)] = 8
    """Second writes in flight, of all workers together."""
    timeout: Seconds = 30.0
    """For the whole exchange of one attempt."""
