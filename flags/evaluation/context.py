"""Whom or what a flag is evaluated for: one context, or several of different kinds."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from flags.errors import Rejected
from flags.evaluation.legacy import from_user
from flags.evaluation.malformed import Malformed
from flags.evaluation.reference import Reference

MAX_BYTES: Final = 128 * 1024
MAX_DEPTH: Final = 32
"""Of lists and objects within each other."""
_SHOWN: Final = 64
"""Characters of a name in an error's message."""
_KIND: Final = re.compile(r"[-a-zA-Z0-9._]+")
_RESERVED_KINDS: Final = frozenset({"kind", "multi"})
_BUILT_IN: Final = frozenset({"kind", "key", "name", "anonymous", "_meta"})
_HINT: Final = 'a context looks like {"kind": "user", "key": "user-42", "plan": "trial"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Individual:
    """A context of one kind."""

    kind: str
    key: str
    name: str | None = None
    anonymous: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict)
    private: tuple[str, ...] = ()
    """References to attributes that events must not contain."""

    def value(self, reference: Reference) -> Any:
        """What the reference points to; None if there is nothing. Raises `Malformed`."""
        if reference.problem is not None:
            raise Malformed(reference.problem)
        first, *rest = reference.names
        value = self._top(first)
        for name in rest:
            if not isinstance(value, Mapping):
                return None
            value = value.get(name)
        return value

    def _top(self, name: str) -> Any:
        match name:
            case "key":
                return self.key
            case "kind":
                return self.kind
            case "name":
                return self.name
            case "anonymous":
                return self.anonymous
            case _:
                return self.attributes.get(name)

    def to_json(self) -> dict[str, Any]:
        """Without its kind, as within a multi-kind context."""
        return {
            "key": self.key,
            **({} if self.name is None else {"name": self.name}),
            **({"anonymous": True} if self.anonymous else {}),
            **self.attributes,
            **({"_meta": {"privateAttributes": list(self.private)}} if self.private else {}),
        }


@dataclass(frozen=True, slots=True)
class Context:
    """Made by `Context.parse` or `Context.loads`."""

    individuals: Mapping[str, Individual]
    """By kind, in the order of the kinds."""

    @classmethod
    def of(cls, *individuals: Individual) -> Self:
        ordered = sorted(individuals, key=lambda one: one.kind)
        return cls({one.kind: one for one in ordered})

    @classmethod
    def loads(cls, text: str | bytes) -> Self:
        """Raises `Rejected`, also for a text that is too long."""
        if len(text) > MAX_BYTES:
            raise _refuse(f"{len(text)} bytes, expected at most {MAX_BYTES}")
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            raise _refuse("expected JSON") from None
        return cls.parse(document)

    @classmethod
    def parse(cls, document: Any) -> Self:
        """`document` is decoded JSON: one kind, several, or a user as SDKs sent it before kinds.

        Raises `Rejected`.
        """
        _check_size(document)
        if not isinstance(document, dict):
            raise _refuse("expected an object")
        kind = document.get("kind")
        if kind is None:
            return cls.of(_individual("user", from_user(document), "", empty_key=True))
        if kind != "multi":
            return cls.of(_individual(kind, document, ""))
        kinds = {name: value for name, value in document.items() if name != "kind"}
        if not kinds:
            raise _refuse("a context of kind multi has at least one context in it")
        return cls.of(*(_individual(name, value, name) for name, value in kinds.items()))

    def get(self, kind: str) -> Individual | None:
        return self.individuals.get(kind)

    def key(self, kind: str) -> str | None:
        individual = self.individuals.get(kind)
        return None if individual is None else individual.key

    def __iter__(self) -> Iterator[Individual]:
        return iter(self.individuals.values())

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(self.individuals)

    @property
    def canonical_key(self) -> str:
        """LaunchDarkly's fully qualified key: differs where the contexts' keys or kinds differ."""
        if self.kinds == ("user",):
            return self.individuals["user"].key
        return ":".join(f"{one.kind}:{_escaped(one.key)}" for one in self)

    def to_json(self) -> dict[str, Any]:
        if len(self.individuals) > 1:
            return {"kind": "multi", **{one.kind: one.to_json() for one in self}}
        return {"kind": one.kind, **one.to_json()} if (one := next(iter(self), None)) else {}


def _individual(kind: Any, document: Any, place: str, *, empty_key: bool = False) -> Individual:
    if not isinstance(kind, str) or kind in _RESERVED_KINDS or not _KIND.fullmatch(kind):
        raise _refuse(
            "expected letters, digits, '.', '_' or '-', and neither kind nor multi", place, "kind"
        )
    if not isinstance(document, dict):
        raise _refuse("expected an object", place)
    if document.get("kind", kind) != kind:
        raise _refuse("differs from the name that the context has here", place, "kind")
    if "" in document:
        raise _refuse("an attribute has no name", place)
    key, name = document.get("key"), document.get("name")
    anonymous = document.get("anonymous", False)
    if not isinstance(key, str) or not (key or empty_key):
        raise _refuse("expected a text that is not empty", place, "key")
    if not isinstance(name, str | None):
        raise _refuse("expected a text", place, "name")
    if not isinstance(anonymous, bool):
        raise _refuse("expected true or false", place, "anonymous")
    return Individual(
        kind=kind,
        key=key,
        name=name,
        anonymous=anonymous,
        attributes={
            name: value
            for name, value in document.items()
            if name not in _BUILT_IN and value is not None
        },
        private=_private(document.get("_meta"), place),
    )


def _private(meta: Any, place: str) -> tuple[str, ...]:
    if meta is None:
        return ()
    if not isinstance(meta, dict):
        raise _refuse("expected an object", place, "_meta")
    private = meta.get("privateAttributes")
    if private is None:
        return ()
    if not isinstance(private, list) or not all(isinstance(one, str) for one in private):
        raise _refuse("expected a list of texts", place, "_meta", "privateAttributes")
    return tuple(private)


def _check_size(document: Any) -> None:
    """Also that it is JSON which every SDK could read: no infinities, no lone surrogates."""
    if _deeper(document, MAX_DEPTH):
        raise _refuse(f"lists and objects are more than {MAX_DEPTH} deep")
    try:
        size = len(json.dumps(document, allow_nan=False, ensure_ascii=False).encode())
    except (TypeError, ValueError):
        raise _refuse("has a value that is not portable JSON") from None
    if size > MAX_BYTES:
        raise _refuse(f"{size} bytes, expected at most {MAX_BYTES}")


def _deeper(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return False
    return levels == 0 or any(_deeper(item, levels - 1) for item in value)


def _escaped(key: str) -> str:
    return key.replace("%", "%25").replace(":", "%3A")


def _refuse(problem: str, *place: str) -> Rejected:
    path = ".".join(["context", *(part[:_SHOWN] for part in place if part)])
    return Rejected(f"{path}: {problem}", hint=_HINT)
