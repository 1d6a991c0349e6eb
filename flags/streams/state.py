"""Everything that SDKs of one environment may ask for, encoded once and shared by all of them."""

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Literal

from flags.model import Environment, Flag, Segment, Snapshot
from flags.store.changes import Change, Deleted
from flags.wire import v1, v2
from flags.wire.encoding import chunk, compact, etag
from flags.wire.sdk import sdk_flag, sdk_segment

Kind = Literal["flag", "segment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A flag or segment as of the change `sequence`; `encoded` is None when it is deleted."""

    sequence: int
    kind: Kind
    key: str
    version: int
    encoded: bytes | None

    def v1(self) -> bytes:
        """The event that tells of it."""
        kind = f"{self.kind}s"
        if self.encoded is None:
            return v1.delete(kind, self.key, self.version)
        return v1.patch(kind, self.key, self.encoded)

    def v2(self) -> v2.Event:
        if self.encoded is None:
            return v2.delete_object(self.kind, self.key, self.version)
        return v2.put_object(self.kind, self.key, self.version, self.encoded)


class Encoded:
    """All of one moment; each form is made when it is first asked for."""

    def __init__(self, objects: Mapping[tuple[Kind, str], Stored], epoch: str, sequence: int):
        self._objects = objects
        self.epoch = epoch
        self.sequence = sequence

    @cached_property
    def body(self) -> bytes:
        """Of a first-generation poll."""
        return v1.everything(self._members("flag"), self._members("segment"))

    @cached_property
    def flags(self) -> bytes:
        return b"{" + b",".join(self._members("flag")) + b"}"

    @cached_property
    def gzipped(self) -> bytes:
        return gzip.compress(self.body, 5, mtime=0)

    @cached_property
    def etag(self) -> str:
        return etag(self.body)

    @cached_property
    def put(self) -> bytes:
        """The first event of a stream, as a chunk."""
        return chunk(v1.put(self.body))

    @cached_property
    def full(self) -> tuple[v2.Event, ...]:
        """A whole second-generation transfer."""
        live = (o.v2() for o in self._objects.values() if o.encoded is not None)
        return (
            v2.intent("xfer-full", self.epoch, self.sequence),
            *live,
            v2.transferred(self.epoch, self.sequence),
        )

    @cached_property
    def full_stream(self) -> bytes:
        """As a chunk."""
        return chunk(v2.stream(self.full))

    def one(self, kind: Kind, key: str) -> bytes | None:
        stored = self._objects.get((kind, key))
        return None if stored is None else stored.encoded

    def since(self, basis: str | None) -> tuple[v2.Event, ...]:
        """What leads from the state `basis` to this one: everything if it is not known."""
        known = None if basis is None else v2.read_state(basis)
        if known is None or known[0] != self.epoch or known[1] > self.sequence:
            return self.full
        if known[1] == self.sequence:
            return (v2.intent("none", self.epoch, self.sequence),)
        newer = sorted(
            (o for o in self._objects.values() if o.sequence > known[1]), key=lambda o: o.sequence
        )
        return (
            v2.intent("xfer-changes", self.epoch, self.sequence),
            *(stored.v2() for stored in newer),
            v2.transferred(self.epoch, self.sequence),
        )

    def _members(self, kind: Kind) -> Iterator[bytes]:
        for stored in self._objects.values():
            if stored.kind == kind and stored.encoded is not None:
                yield v1.member(stored.key, stored.encoded)


class State:
    """Of one environment. Changed on the event loop only; what it gives out is immutable."""

    def __init__(self, environment: Environment, epoch: str, sequence: int) -> None:
        self.environment = environment
        self.epoch = epoch
        self._objects: dict[tuple[Kind, str], Stored] = {}
        self.sequence = sequence
        self._flags: dict[str, Flag] = {}
        self._segments: dict[str, Segment] = {}
        self._encoded: Encoded | None = None
        self._snapshot: Snapshot | None = None

    @property
    def encoded(self) -> Encoded:
        if self._encoded is None:
            self._encoded = Encoded(dict(self._objects), self.epoch, self.sequence)
        return self._encoded

    @property
    def snapshot(self) -> Snapshot:
        """Of this moment, made when it is first asked for: a start applies thousands of changes."""
        if self._snapshot is None:
            self._snapshot = Snapshot(
                environment=self.environment.key,
                flags=MappingProxyType(dict(self._flags)),
                segments=MappingProxyType(dict(self._segments)),
            )
        return self._snapshot

    def apply(self, change: Change) -> Stored | None:
        """What became of the change here; None if SDKs of this environment need not hear of it."""
        item = change.item
        if isinstance(item, Environment):
            return None
        stored = self._stored(change.sequence, item)
        known = self._objects.get((stored.kind, stored.key))
        if known is not None and stored.sequence <= known.sequence:
            return None
        self._remember(stored, item)
        if known is not None and (known.version, known.encoded) == (stored.version, stored.encoded):
            return None
        return stored

    def _stored(self, sequence: int, item: Flag | Segment | Deleted) -> Stored:
        encoded: bytes | None
        if isinstance(item, Flag):
            kind: Kind = "flag"
            version = item.config(self.environment.key).version
            encoded = compact(sdk_flag(item, self.environment.key))
        elif isinstance(item, Segment):
            kind, version, encoded = "segment", item.version, compact(sdk_segment(item))
        else:
            kind = "flag" if item.kind == "flag" else "segment"
            version, encoded = item.version, None
        return Stored(sequence=sequence, kind=kind, key=item.key, version=version, encoded=encoded)

    def _remember(self, stored: Stored, item: Flag | Segment | Deleted) -> None:
        self._objects[stored.kind, stored.key] = stored
        self.sequence = max(self.sequence, stored.sequence)
        self._encoded = self._snapshot = None
        if isinstance(item, Flag):
            self._flags[item.key] = item
        elif isinstance(item, Segment):
            self._segments[item.key] = item
        elif stored.kind == "flag":
            self._flags.pop(stored.key, None)
        else:
            self._segments.pop(stored.key, None)
