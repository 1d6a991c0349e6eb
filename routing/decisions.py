"""Decisions that travel with a request, so that one user action sees one version of the flags.

Pure; the clock comes in. The token (see `signing`) has a JSON object: `iat`, the time of issue in
seconds since 1970, and `capabilities`, a list for each: stage, flag version, variation. An override
has its stage alone. The token is bound to the context it was made for: it tells nothing of others.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from routing.decision import Evaluation
from routing.signing import MAX_TOKEN, Keyring
from routing.stages import parse_stage

MAX_AGE = 30.0
"""Seconds after its issue that a decision is honoured."""
MAX_SKEW = 5.0
"""Seconds that the clock of another proxy may be ahead."""

DECISIONS_HEADER = b"x-migrator-decisions"
CARRIED = "CARRIED"
OVERRIDE = "OVERRIDE"
"""Reasons, beside those of LaunchDarkly."""

_encode = json.JSONEncoder(separators=(",", ":")).encode

SERVED = frozenset({"FALLTHROUGH", "RULE_MATCH", "TARGET_MATCH"})
"""Reasons of a flag that is on. Only then does a decision that was made elsewhere count: a flag
that is off, lacks a prerequisite or is not known means the same for everybody, at once."""


@dataclass(frozen=True, slots=True)
class Propagated:
    """What an origin gets along with a request."""

    lines: bytes
    """Whole field lines."""
    members: bytes
    """Our part of `baggage`; empty: none."""
    evaluations: Mapping[str, Evaluation]
    """By capability, those that count beside our own."""
    carried: bool
    """They came along with the request."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """What a token says. `issued`: seconds since 1970."""

    issued: float
    evaluations: Mapping[str, Evaluation]
    """By capability."""

    def honoured(self, now: float) -> bool:
        return -MAX_SKEW <= now - self.issued <= MAX_AGE


def settle(own: Evaluation, told: Evaluation) -> Evaluation:
    """What counts: `told`, which was made elsewhere, unless our own says that the flag serves
    nobody right now."""
    return told if own.reason in SERVED else own


def write(decisions: Decisions, keyring: Keyring, context: bytes) -> bytes | None:
    """The token for the context header `context`; None if it would be too long, or say nothing."""
    if not decisions.evaluations:
        return None
    capabilities = {
        name: [told.stage]
        if told.reason == OVERRIDE
        else [told.stage, told.version, told.variation]
        for name, told in decisions.evaluations.items()
    }
    document = {"iat": int(decisions.issued), "capabilities": capabilities}
    token = keyring.sign(_encode(document).encode(), context)
    return token if len(token) <= MAX_TOKEN else None


def read(token: bytes, keyring: Keyring, context: bytes) -> Decisions | None:
    """What the token says of `context`; None unless we wrote it for that one."""
    content = keyring.open(token, context)
    if content is None:
        return None
    document = json.loads(content)  # Signed, so it is what `write` wrote.
    return Decisions(
        document["iat"],
        {name: _evaluation(*told) for name, told in document["capabilities"].items()},
    )


def _evaluation(stage: str, version: int | None = None, variation: int | None = None) -> Evaluation:
    reason = OVERRIDE if version is None else CARRIED
    return Evaluation(parse_stage(stage), reason, version, variation)
