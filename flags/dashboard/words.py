"""Flags in words and colours: what pages call things. Pure."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from flags.dashboard.forms.clauses import WORDS
from flags.dashboard.forms.serving import percent, shares
from flags.model import Clause, Flag, Serve

STAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "off": "The monolith answers. Nothing else is called.",
        "dualwrite": "The monolith answers. Writes also go to the service.",
        "shadow": "The monolith answers. The service is called too, and compared.",
        "live": "The service answers. The monolith is called too, and compared.",
        "rampdown": "The service answers. Writes also go to the monolith.",
        "complete": "The service answers alone.",
    }
)
"""What each stage of a migration means."""
_PLANNED: Final = MappingProxyType(
    {
        "turnFlagOn": "turn on",
        "turnFlagOff": "turn off",
        "updateFallthroughVariationOrRollout": "serve by default",
    }
)
_TONES: Final = 6
_MIGRATION_TONES: Final = MappingProxyType({stage: tone for tone, stage in enumerate(STAGES)})
_SHOWN: Final = 80


def label(value: Any) -> str:
    """A variation's value: texts as they are, the rest as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = text if text else '""'
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def variation(flag: Flag, index: int | None) -> str:
    """By its name if it has one, else its value; of no variation, the caller's default."""
    if index is None or not 0 <= index < len(flag.variations):
        return "the caller's default"
    found = flag.variations[index]
    return found.name or label(found.value)


def tone(flag: Flag, index: int | None) -> int | str:
    """Number of the colour that stands for a variation: a stage has the same one everywhere."""
    if index is None or not 0 <= index < len(flag.variations):
        return "none"
    value = flag.variations[index].value
    if flag.kind == "migration" and isinstance(value, str) and value in _MIGRATION_TONES:
        return _MIGRATION_TONES[value]
    if isinstance(value, bool):
        return _TONES - 1 if value else 0
    return (3, 2, 1, 4, 5, 0)[index % _TONES]


def served(flag: Flag, serve: Serve) -> str:
    """`live`, or `shadow 95 %, live 5 %`."""
    if serve.rollout is None:
        return variation(flag, serve.variation)
    parts = [
        f"{variation(flag, index)} {share:f} %"
        for index, share in enumerate(shares(serve, len(flag.variations)))
        if share
    ]
    of = f" of {serve.rollout.context_kind}s" if serve.rollout.context_kind != "user" else ""
    by = f" by {serve.rollout.bucket_by}" if serve.rollout.bucket_by else ""
    return ", ".join(parts) + of + by


def clause(one: Clause, limit: int = 5) -> str:
    """`user plan is one of trial, team`."""
    op = WORDS[f"{'!' if one.negate else ''}{one.op}"]
    values = ", ".join(label(value) for value in one.values[:limit])
    more = f" and {len(one.values) - limit:,} more" if len(one.values) > limit else ""
    subject = "" if one.op == "segmentMatch" else f"{one.context_kind} {one.attribute} "
    return f"{subject}{op} {values or 'nothing'}{more}"


def clauses(all_of: Iterable[Clause]) -> str:
    return " and ".join(map(clause, all_of))


def planned(instructions: Iterable[Mapping[str, Any]]) -> str:
    """What a scheduled change will do, as far as there are short words for it."""
    phrases = [_PLANNED.get(str(one.get("kind"))) for one in instructions]
    return ", ".join(filter(None, phrases)) if all(phrases) else ""


def without(title: str, key: str) -> str:
    """What an audit entry says, where its flag is clear."""
    return re.sub(rf"(?: (?:of|to|from))? {re.escape(key)}(?![\w.-])", "", title)


def about(count: int) -> str:
    """Rounded to two digits from a hundred on, with thousands apart: 3,187 is `3,200`."""
    return f"{count if count < 100 else int(float(f'{count:.1e}')):,}"


def moment(ms: int) -> str:
    """UTC, to the second."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(ms: int, now: int) -> str:
    """`4 min ago`; dates when it is long ago."""
    seconds = (now - ms) // 1000
    if seconds < 60:
        return "just now"
    for unit, length in (("min", 60), ("h", 3600)):
        if seconds < length * (60 if unit == "min" else 24):
            return f"{seconds // length} {unit} ago"
    return f"{seconds // 86400} d ago" if seconds < 30 * 86400 else moment(ms)[:10]


def duration(seconds: float) -> str:
    """`3 h 20 min`, at most two units; milliseconds below a second."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    left, parts = int(seconds), []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if left >= length:
            parts.append(f"{left // length} {unit}")
            left %= length
    return " ".join(parts[:2])


def share_text(weight: int) -> str:
    return f"{percent(weight):f} %"


def masked(secret: str) -> str:
    """Its kind and its last four characters."""
    prefix, dash, _ = secret.partition("-")
    return f"{prefix}{dash}••••{secret[-4:]}" if dash else f"••••{secret[-4:]}"
