"""Path templates of the concrete paths that were seen, and which template a path belongs to. Pure.

A tree of segments. A segment that looks like a value (see `shapes`) is a parameter at once. Words
become one when there are very many side by side, slugs when there are some. All rules only ever
turn words into parameters, so the order of the paths makes no difference, and templates are their
own templates.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from migrator.discover.shapes import PARAMETER, Shape, is_common, shape

MAX_WORDS: Final = 40
"""Different words at one place; more are values."""
MAX_SLUGS: Final = 4
"""The same for slugs."""
MAX_DEPTH: Final = 10
"""Segments; what is below is one `*`."""
MAX_NODES: Final = 4000
"""Of the tree; paths for which there would have to be more are not learned."""


class _Node:
    __slots__ = ("ends", "names", "parameter", "rest", "slugs", "slugs_vary", "words", "words_vary")

    def __init__(self) -> None:
        self.words: dict[str, _Node] = {}
        self.slugs: dict[str, _Node] = {}
        self.words_vary = False
        self.slugs_vary = False
        self.parameter: _Node | None = None
        self.names: set[str] = set()
        """Of the parameter."""
        self.ends = False
        self.rest = False
        """Whether a path went on beyond the depth."""


class PathTree:
    """Learns from paths. Bounded, however many there are."""

    def __init__(self) -> None:
        self._root = _Node()
        self._nodes = 1

    def add(self, path: str) -> bool:
        """Learn from a path without query. False: the tree is full, nothing was learned."""
        segments = split(path)
        node = self._root
        before = ""
        for segment in segments[:MAX_DEPTH]:
            if self._nodes > MAX_NODES:
                return False
            node = self._child(node, segment, before)
            before = segment
        if len(segments) > MAX_DEPTH:
            node.rest = True
        else:
            node.ends = True
        return True

    def hide(self, users: Collection[str]) -> None:
        """Turn words that are names of users into parameters."""
        folded = {name.lower() for name in users}
        waiting = [self._root]
        while waiting:
            node = waiting.pop()
            for word in [*node.words, *node.slugs]:
                if word.lower() in folded and not is_common(word):
                    child = node.words.pop(word, None) or node.slugs.pop(word)
                    self._into_parameter(node, child, "name")
            waiting += _children(node)

    def templates(self) -> tuple[str, ...]:
        """Sorted; no two take the same requests."""
        return tuple(sorted(_templates(self._root, ())))

    def _child(self, node: _Node, segment: str, before: str) -> _Node:
        kind, name = shape(segment, before)
        if (
            kind is Shape.VALUE
            or (kind is Shape.WORD and node.words_vary)
            or (kind is Shape.SLUG and node.slugs_vary)
        ):
            return self._parameter(node, name)
        known = node.slugs if kind is Shape.SLUG else node.words
        if segment not in known:
            self._nodes += 1
            known[segment] = _Node()
            self._settle(node)
            return self._child(node, segment, before)
        return known[segment]

    def _parameter(self, node: _Node, name: str) -> _Node:
        if node.parameter is None:
            self._nodes += 1
            node.parameter = _Node()
        node.names.add(name)
        return node.parameter

    def _settle(self, node: _Node) -> None:
        """Apply the limits to the words and slugs of `node`."""
        words = [word for word in node.words if shape(word, "")[0] is not Shape.FIXED]
        if node.words_vary or len(words) > MAX_WORDS:
            node.words_vary = node.slugs_vary = True
            for word in words:
                self._into_parameter(node, node.words.pop(word), "name")
        if node.slugs_vary or len(node.slugs) > MAX_SLUGS:
            node.slugs_vary = True
            for slug in list(node.slugs):
                self._into_parameter(node, node.slugs.pop(slug), "slug")

    def _into_parameter(self, node: _Node, child: _Node, name: str) -> None:
        self._merge(self._parameter(node, name), child)

    def _merge(self, into: _Node, other: _Node) -> None:
        into.ends |= other.ends
        into.rest |= other.rest
        into.words_vary |= other.words_vary
        into.slugs_vary |= other.slugs_vary
        self._nodes -= 1
        for mine, theirs in ((into.words, other.words), (into.slugs, other.slugs)):
            for word, child in theirs.items():
                if word in mine:
                    self._merge(mine[word], child)
                else:
                    mine[word] = child
        if other.parameter is not None:
            into.names |= other.names
            if into.parameter is None:
                into.parameter = other.parameter
            else:
                self._merge(into.parameter, other.parameter)
        self._settle(into)


class Router:
    """Finds the template of a path, as the proxy's table would: from the left, a literal before
    `{name}` before `*`."""

    def __init__(self, templates: Iterable[str]) -> None:
        """Of templates that differ only in the names of their parameters the first one counts."""
        self._root = _Way()
        for template in templates:
            way = self._root
            for segment in split(template):
                key = "{}" if PARAMETER.fullmatch(segment) else segment
                way = way.ways.setdefault(key, _Way())
            way.template = way.template or template

    def match(self, path: str) -> str | None:
        """The template, None if there is none."""
        return _match(self._root, split(path), 0)


class _Way:
    __slots__ = ("template", "ways")

    def __init__(self) -> None:
        self.ways: dict[str, _Way] = {}
        self.template: str | None = None


def _match(way: _Way, segments: list[str], at: int) -> str | None:
    if at == len(segments):
        return way.template
    for key in (segments[at], "{}"):
        if key in way.ways:
            found = _match(way.ways[key], segments, at + 1)
            if found is not None:
                return found
    rest = way.ways.get("*")
    return None if rest is None else rest.template


def split(path: str) -> list[str]:
    """The segments; one / at the end does not count."""
    return [segment for segment in path.split("/") if segment]


def canonical(segments: Iterable[str]) -> str:
    """The template of the segments, parameters numbered where two have the same name."""
    counts: dict[str, int] = {}
    parts = []
    for segment in segments:
        given = PARAMETER.fullmatch(segment)
        if given:
            count = counts[given[1]] = counts.get(given[1], 0) + 1
            segment = f"{{{given[1]}{count if count > 1 else ''}}}"
        parts.append(segment)
    return "/" + "/".join(parts)


def _children(node: _Node) -> list[_Node]:
    found = [*node.words.values(), *node.slugs.values()]
    return found if node.parameter is None else [*found, node.parameter]


def _templates(node: _Node, before: tuple[str, ...]) -> Iterator[str]:
    if node.ends:
        yield canonical(before)
    if node.rest:
        yield canonical((*before, "*"))
    for word, child in (node.words | node.slugs).items():
        yield from _templates(child, (*before, word))
    if node.parameter is not None:
        name = next(iter(node.names)) if len(node.names) == 1 else "id"
        yield from _templates(node.parameter, (*before, f"{{{name}}}"))
