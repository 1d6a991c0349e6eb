"""Testers' overrides: stages that one request asks for, signed by who runs the proxy.

Pure; the clock comes in. The token (see `signing`) has a JSON object: `exp`, the time of its end in
seconds since 1970, `who` asked for it, and `capabilities` with a stage each. It is a field or a
cookie, counts at the edge alone, and origins never see it: they see the decision.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from routing.config import CookieSource
from routing.decision import Evaluation
from routing.decisions import OVERRIDE
from routing.signing import MAX_TOKEN, Keyring
from routing.sources import reader_of
from routing.stages import Stage, parse_stage

HEADER = b"x-migrator-override"
COOKIE = "migrator_override"

_PAIR = COOKIE.encode() + b"="
_cookie = reader_of(CookieSource(cookie=COOKIE), MAX_TOKEN)
_cookie_line = re.compile(rb"(?im)^cookie:[ \t]*+([^\r]*+)\r\n")


@dataclass(frozen=True, slots=True)
class Override:
    until: float
    """Seconds since 1970."""
    who: str
    stages: Mapping[str, Stage]
    """By capability."""

    @property
    def evaluations(self) -> dict[str, Evaluation]:
        """Of no flag version: an override is no evaluation."""
        return {name: Evaluation(stage, OVERRIDE, None) for name, stage in self.stages.items()}


def write_override(override: Override, keyring: Keyring) -> bytes:
    """Its token."""
    document = {
        "exp": int(override.until),
        "who": override.who,
        "capabilities": dict(override.stages),
    }
    return keyring.sign(json.dumps(document, separators=(",", ":")).encode())


def read_override(token: bytes, keyring: Keyring) -> Override | None:
    """What the token says; None unless one of the keys has signed it."""
    content = keyring.open(token)
    if content is None:
        return None
    document = json.loads(content)  # Signed, so it is what `write_override` wrote.
    stages = {name: parse_stage(stage) for name, stage in document["capabilities"].items()}
    return Override(document["exp"], document["who"], stages)


def find_token(fields: Mapping[bytes, bytes]) -> bytes | None:
    """The token that a request brings along: its field, else its cookie."""
    return fields.get(HEADER) or _cookie(fields)


def without_cookie(forward: bytes) -> bytes:
    """The block of a request head without the override's cookie. Its field is gone already."""

    def rest(line: re.Match[bytes]) -> bytes:
        pairs = (pair.strip(b" \t") for pair in line[1].split(b";"))
        kept = [pair for pair in pairs if not pair.startswith(_PAIR)]
        return b"Cookie: %b\r\n" % b"; ".join(kept) if kept else b""

    return _cookie_line.sub(rest, forward) if _PAIR in forward else forward
