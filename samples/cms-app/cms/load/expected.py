"""What the site must say, whichever side answers: the contents of the first start, and what this
load writes. Pure.

A function for each kind of answer; each returns what is wrong with it, nothing if all is right. It
looks at what nobody may change: other people's names, titles that were never given, comments that
were there before. So an answer is judged without knowing which side gave it, or what the other one
would have said.
"""

import re
from collections.abc import Iterable, Mapping
from html import unescape
from typing import Any

from cms.seed import contents

PUBLIC = ("id", "name", "display_name", "bio")
NEWS = re.compile(r"News \d+")
"""Title of an article that the load writes."""
REMARK = re.compile(r"Seen by user-\d{3}, \d+\.")
"""A comment of the load's."""
_HEADING = re.compile(r"<h1>([^<]*)</h1>")
_LINK = re.compile(r'<a href="/articles/([^"/]+)">(?:<h2>)?([^<]*)<')

Json = Mapping[str, Any]


def corrected(number: int) -> str:
    """The title that an API client gives to a seeded article."""
    return f"Corrected {number}"


class Expected:
    """The contents of the first start, ready to be compared with."""

    def __init__(self) -> None:
        made = contents(0.0)
        self._users = {user["id"]: user for user in made.users}
        self._titles = {
            article["id"]: (article["title"], corrected(number))
            for number, article in enumerate(made.articles)
        }
        self._comments: dict[str, dict[str, str]] = {}
        for comment in made.comments:
            own = self._comments.setdefault(comment["article"], {})
            own[comment["id"]] = comment["text"]

    def user(self, id: str, answer: Json) -> str:
        """A person's public data."""
        known = self._users[id]
        return next(
            (
                f"{name} of {id} is {answer.get(name)!r}, not {known[name]!r}"
                for name in PUBLIC
                if answer.get(name) != known[name]
            ),
            "",
        )

    def comments(self, article: str, answer: Json) -> str:
        """All comments of an article: those of the start, and others by this load."""
        said = {comment["id"]: comment["text"] for comment in answer["comments"]}
        for id, text in self._comments.get(article, {}).items():
            if said.pop(id, None) != text:
                return f"{id} is missing or says something else"
        strange = [text for text in said.values() if not REMARK.fullmatch(text)]
        return f"nobody wrote {strange[0]!r}" if strange else ""

    def titles(self, answer: Iterable[Json]) -> str:
        """Articles in a list."""
        return self._first_wrong((each["id"], each["title"]) for each in answer)

    def links(self, page: str) -> str:
        """Links to articles in a page."""
        return self._first_wrong(_LINK.findall(page))

    def article(self, id: str, page: str) -> str:
        """An article's page."""
        found = _HEADING.search(page)
        return self._first_wrong([(id, found[1])]) if found else "the page has no heading"

    def _first_wrong(self, titles: Iterable[tuple[str, str]]) -> str:
        for id, title in titles:
            title = unescape(title)
            known = self._titles.get(id)
            right = NEWS.fullmatch(title) if known is None else title in known
            if not right:
                return f"nobody gave {id} the title {title!r}"
        return ""
