"""Compare two answers to the same request.

Pure, and a generator: it pauses (yields None) now and then.
"""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from routing.parity.content import TooLarge, Unreadable, unpacked
from routing.parity.difference import ABSENT, Difference, Kind
from routing.parity.documents import agree, document_differences, parse
from routing.parity.pages import BrokenPage, page_differences
from routing.parity.rules import Rules

MAX_DIFFERENCES: Final = 50
"""Paths that are told apart in one comparison; the rest is one difference more."""


class NotCompared(StrEnum):
    """Why two answers were not compared."""

    BUSY = "busy"
    """More than may be compared in a second."""
    TOO_LARGE = "too_large"
    INCOMPLETE = "incomplete"
    """An answer broke off."""
    UNREADABLE = "unreadable"
    """Packed in a way that is not known, and not the same bytes."""
    CONDITIONAL = "conditional"
    """One side says 304: the client's validator is from the other side."""
    UNANSWERED = "unanswered"
    """A side did not answer at all, or the monolith failed."""
    OVERTAKEN = "overtaken"
    """Another write was under way to what was asked for after a write."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is compared of an answer. `fields`: of the head, by lower-case name."""

    status: int
    fields: Mapping[str, str]
    body: bytes
    complete: bool


Differences = Generator[None, None, "list[Difference] | NotCompared"]


def compare(
    old: Answer, new: Answer, rules: Rules, headers: tuple[str, ...], limit: int
) -> Differences:
    """Returns the differences, each path and kind once. `headers`: fields to compare, in lower
    case; `limit`: bytes of content that are looked at."""
    if old.status != new.status and 304 in (old.status, new.status):
        return NotCompared.CONDITIONAL
    found: dict[tuple[str, Kind], Difference] = {}
    if old.status != new.status and not rules.ignores("status"):
        found["status", Kind.VALUE] = Difference("status", Kind.VALUE, old.status, new.status)
    for name in headers:
        difference = _field(f"headers.{name}", old.fields.get(name), new.fields.get(name), rules)
        if difference is not None:
            found[difference.path, difference.kind] = difference
    if not rules.ignores("body"):
        try:
            problem = yield from _bodies(old, new, rules, limit, found)
        except TooLarge:
            problem = NotCompared.TOO_LARGE
        except Unreadable:
            problem = NotCompared.UNREADABLE
        # What is known to differ differs, whatever the rest is.
        if problem is not None and not found:
            return problem
    return list(found.values())


def _field(path: str, old: str | None, new: str | None, rules: Rules) -> Difference | None:
    if rules.ignores(path):
        return None
    if old is None or new is None:
        if old == new:
            return None
        kind = Kind.EXTRA if old is None else Kind.MISSING
        return Difference(path, kind, old or ABSENT, new or ABSENT)
    if path == "headers.content-type":
        # Neither case nor space count (RFC 9110, 8.3.1).
        old, new = ("".join(value.split()).lower() for value in (old, new))
    if agree(old, new, rules, path):
        return None
    return Difference(path, Kind.VALUE, old, new)


def _bodies(
    old: Answer,
    new: Answer,
    rules: Rules,
    limit: int,
    found: dict[tuple[str, Kind], Difference],
) -> Generator[None, None, NotCompared | None]:
    codings = [each.fields.get("content-encoding", "") for each in (old, new)]
    if not (old.complete and new.complete):
        large = max(len(old.body), len(new.body)) > limit
        return NotCompared.TOO_LARGE if large else NotCompared.INCOMPLETE
    if codings[0] == codings[1] and old.body == new.body and len(old.body) <= limit:
        return None
    if max(len(old.body), len(new.body)) > limit:
        return NotCompared.TOO_LARGE
    a, b = unpacked(old.body, codings[0], limit), unpacked(new.body, codings[1], limit)
    yield
    if a == b:
        return None
    types = {
        each.fields.get("content-type", "").partition(";")[0].strip().lower() for each in (old, new)
    }
    differences: Iterator[Difference | None] | None = None
    if all(map(_is_json, types)):
        differences = _of_documents(a, b, rules)
    if differences is None and types <= {"text/html", "application/xhtml+xml"}:
        differences = page_differences(_text(old.fields, a), _text(new.fields, b), rules)
    if differences is None:
        found["body", Kind.VALUE] = Difference("body", Kind.VALUE, a, b)
        return None
    try:
        for difference in differences:
            if difference is None:
                yield
            elif len(found) < MAX_DIFFERENCES:
                found.setdefault((difference.path, difference.kind), difference)
            else:
                found["body", Kind.OTHER] = Difference("body", Kind.OTHER)
                break
    except (BrokenPage, RecursionError):
        return NotCompared.UNREADABLE
    return None


def _of_documents(old: bytes, new: bytes, rules: Rules) -> Iterator[Difference | None] | None:
    """None: at least one is no JSON."""
    try:
        documents = parse(old), parse(new)
    except (ValueError, RecursionError):
        return None

    def differences() -> Iterator[Difference | None]:
        yield None
        yield from document_differences(*documents, rules)

    return differences()


def _is_json(media_type: str) -> bool:
    return media_type == "application/json" or media_type.endswith("+json")


def _text(fields: Mapping[str, str], body: bytes) -> str:
    charset = fields.get("content-type", "").lower().partition("charset=")[2].strip('"; ')
    latin = charset in ("iso-8859-1", "latin-1", "windows-1252")
    return body.decode("cp1252" if latin else "utf-8", "replace")
