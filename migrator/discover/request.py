"""One request as a log or a trace tells of it. Pure."""

from typing import Final, NamedTuple

METHODS: Final = frozenset("GET HEAD OPTIONS TRACE POST PUT PATCH DELETE".split())
"""Those that a plan may name."""
SAFE: Final = frozenset("GET HEAD OPTIONS TRACE".split())
"""RFC 9110, 9.2.1: reads; all others are writes."""
MAX_PATH: Final = 2048
"""Characters; what is longer is not a route."""


class Malformed(ValueError):
    """A line that cannot be read. Says what was expected, never what was found."""


class Request(NamedTuple):
    """See the module. `who` and `trace` are for comparison only, and are never shown."""

    method: str
    path: str
    """Without query; one / at the front, none doubled."""
    status: int | None = None
    at: float | None = None
    """Seconds since 1970."""
    who: int | None = None
    """A hash of the session, else the user, else address and browser."""
    user: str | None = None
    """The name somebody has signed in with; segments that are equal to it are hidden."""
    route: str | None = None
    """The template, where the log or trace names it."""
    trace: int | None = None
    """A hash of the trace's id."""
    tables: frozenset[str] = frozenset()
    """Those that it wrote, as far as is known."""

    @property
    def is_write(self) -> bool:
        return self.method not in SAFE


def path_of(target: str) -> str | None:
    """The path of a request target (RFC 9112, 3.2) without its query; None: there is none."""
    path = target.partition("?")[0].partition("#")[0]
    if not path.startswith("/"):
        scheme, _, rest = path.partition("://")
        if not rest or scheme.lower() not in {"http", "https"}:
            return None
        path = "/" + rest.partition("/")[2]
    if len(path) > MAX_PATH:
        return None
    while "//" in path:
        path = path.replace("//", "/")
    return path
