"""Addresses of others whose word decides, or who are sent a secret."""

import re
from ipaddress import ip_address
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, PlainSerializer, SerializationInfo

from routing.config.secret import HIDING, hiding_of
from routing.hiding import Hiding

_CHARACTERS: Final = re.compile(r"[!-\[\]-~]+")
"""Of a URL, without the backslash, which some parsers take for a slash."""
_NO_PLACE: Final = "expected a URL with a host (RFC 3986)"
_HOST: Final = re.compile(r"[0-9A-Za-z._-]+|[0-9A-Fa-f:.]+")


def is_url(place: str) -> bool:
    """Otherwise it is a file."""
    return "://" in place


def check_url(url: str) -> str:
    """`url` if nobody on the way can read it or answer in its place: it is of https, or of http on
    this machine. Raises ValueError, without what may be a password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(_NO_PLACE) from None
    if "@" in parts.netloc:
        raise ValueError("expected an address without user and password")
    if not _CHARACTERS.fullmatch(url) or not _names_a_place(parts):
        raise ValueError(_NO_PLACE if "@" in url else f"{shown_url(url)!r}: {_NO_PLACE}")
    if parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.hostname or "")):
        return url
    raise ValueError(f"{shown_url(url)!r}: expected an https address, or http on loopback")


def shown_url(url: str, hiding: Hiding = HIDING) -> str:
    """`url` as it may be logged: without values of parameters that are secret by their name."""
    before, mark, query = url.partition("?")
    return before + mark + hiding.query(query.encode()).decode()


def _names_a_place(parts: SplitResult) -> bool:
    try:
        return parts.port != 0 and _HOST.fullmatch(parts.hostname or "") is not None
    except ValueError:
        return False


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _dump(url: str, info: SerializationInfo) -> str:
    hiding = hiding_of(info)
    return url if hiding is None else shown_url(url, hiding)


ShownUrl = Annotated[str, PlainSerializer(_dump)]
"""Its secret parameters are hidden in a dump unless its context is REVEAL."""
SafeUrl = Annotated[ShownUrl, AfterValidator(check_url)]
"""See `check_url`."""
