"""Differences of two HTML pages: what can be read, and of which elements they are made.

Pure. Elements are told apart by the names of those around them, so that one more row of a table
is one difference and not one for each row behind it. Attributes, scripts, styles and comments are
not looked at: addresses of assets and hidden tokens differ on every page.
"""

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Final

from routing.parity.difference import Difference, Kind, name_of
from routing.parity.documents import agree
from routing.parity.rules import Rules

PIECE: Final = 1024
"""Characters that are parsed at a time."""
MAX_DEPTH: Final = 60
MAX_PENDING: Final = 16 * PIECE
"""Characters of one unfinished tag: the parser looks at them again and again."""
_VOID: Final = frozenset(
    "area base br col embed hr img input link meta source track wbr".split(),
)
_ENDED_BY_THE_NEXT: Final = frozenset(("li", "dt", "dd", "p", "tr", "td", "th", "option"))
"""Whose end tag may be left out (HTML, 13.1.2.4)."""
_UNSEEN: Final = frozenset(("script", "style", "template", "noscript"))


class BrokenPage(Exception):
    """Not HTML that is worth reading."""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        self._paths = ["body"]
        self._text: list[str] = []
        self.texts: dict[str, list[str]] = {}
        """Runs of text by path."""
        self.elements: dict[str, int] = {}

    def read(self, page: str) -> Iterator[None]:
        """Take the whole page, with pauses. Raises BrokenPage."""
        try:
            for start in range(0, len(page), PIECE):
                self.feed(page[start : start + PIECE])
                if len(self.rawdata) > MAX_PENDING:
                    raise BrokenPage
                yield None
            self.close()
        except AssertionError:  # the parser's word for a declaration that is none
            raise BrokenPage from None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._end_text()
        if tag in _ENDED_BY_THE_NEXT and self._open and self._open[-1] == tag:
            self.handle_endtag(tag)
        if len(self._open) >= MAX_DEPTH:
            return
        path = f"{self._paths[-1]}.{name_of(tag)}"
        if not _UNSEEN.intersection((*self._open, tag)):
            self.elements[path] = self.elements.get(path, 0) + 1
        if tag not in _VOID:
            self._open.append(tag)
            self._paths.append(path)

    def handle_endtag(self, tag: str) -> None:
        self._end_text()
        if tag in self._open:
            while self._open.pop() != tag:
                self._paths.pop()
            self._paths.pop()

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def close(self) -> None:
        super().close()
        self._end_text()

    def _end_text(self) -> None:
        text = " ".join("".join(self._text).split())
        self._text = []
        if text and not _UNSEEN.intersection(self._open):
            self.texts.setdefault(self._paths[-1], []).append(text)


def page_differences(old: str, new: str, rules: Rules) -> Iterator[Difference | None]:
    """What differs; None is a pause. Raises BrokenPage."""
    a, b = readers = _Reader(), _Reader()
    yield from a.read(old)
    yield from b.read(new)
    for path in sorted(a.elements.keys() | b.elements.keys()):
        olds, news = a.elements.get(path, 0), b.elements.get(path, 0)
        if olds != news and not rules.ignores(path):
            yield Difference(path, Kind.LENGTH, olds, news)
    for path in sorted(a.texts.keys() | b.texts.keys()):
        yield None
        if rules.ignores(path):
            continue
        rule = rules.rule(path)
        left, right = (reader.texts.get(path, []) for reader in readers)
        if rule is not None and rule.kind == "unordered":
            left, right = sorted(left), sorted(right)
        pairs = zip(left, right, strict=False)
        differing = next((pair for pair in pairs if not agree(*pair, rules, path)), None)
        if differing is None and len(left) != len(right):
            differing = " ".join(left), " ".join(right)
        if differing is not None:
            yield Difference(path, Kind.VALUE, *differing)
