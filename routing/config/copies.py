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
    """Bytes of a body that are kept; a longer write is served, and an operator has to repeat it.
    `limits.body` refuses it instead."""
    capture: Annotated[int, Field(ge=0)] = 64 * _MIB
    """Bytes of bodies that one worker holds at a time, in memory or in temporary files, before
    they are in the journal. What finds no room is handled like a longer body."""
    concurrency: Annotated[int, Field(ge=1, le=1_000)] = 8
    """Second writes in flight, of all workers together."""
    timeout: Seconds = 30.0
    """For the whole exchange of one attempt."""
