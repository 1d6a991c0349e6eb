"""Durations and shares as people write them in a plan, and back.

Pure. A duration is kept in seconds (float), a share in thousandths of a percent (int), the unit of
LaunchDarkly's rollout weights.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

FULL_SHARE: Final = 100_000
"""100 %, in thousandths of a percent."""

_UNITS: Final[Mapping[str, Decimal]] = MappingProxyType(
    {
        "ms": Decimal("0.001"),
        "s": Decimal(1),
        "m": Decimal(60),
        "h": Decimal(3600),
        "d": Decimal(86400),
    }
)
MAX_DURATION: Final = 366 * 86400.0
"""Seconds. A longer one is a slip."""
_DURATION: Final = re.compile(r"(?:\d{1,9}(?:\.\d{1,3})?(?:ms|s|m|h|d))+", re.ASCII)
_PART: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)", re.ASCII)
_PERCENT: Final = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)\s?%", re.ASCII)


def parse_duration(value: object) -> float:
    """Seconds in `value`: a string such as `250ms`, `30s`, `1h30m`, or seconds as a float.

    Raises `ValueError` for anything else, bare integers included: `hold: 5` does not say 5 what.
    """
    if isinstance(value, float):
        seconds = value
    elif isinstance(value, str) and _DURATION.fullmatch(value):
        seconds = float(sum(Decimal(n) * _UNITS[u] for n, u in _PART.findall(value)))
    else:
        raise ValueError("expected a duration such as 250ms, 30s, 5m or 1h30m")
    if not 0 <= seconds <= MAX_DURATION:
        raise ValueError("expected a duration from 0s to 366d")
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest exact text of `seconds`, to a microsecond: the inverse of `parse_duration`."""
    whole, micro = divmod(round(seconds * 1_000_000), 1000)
    parts: list[str] = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count}{unit}")
    if whole or micro:
        parts.append(f"{whole + Decimal(micro) / 1000}ms")
    return "".join(parts) or "0s"


def parse_share(value: object) -> int:
    """Thousandths of a percent in `value`: a string such as `5%` or `0.5%`.

    Raises `ValueError` for anything else and outside 0..100 %.
    """
    if isinstance(value, str) and (match := _PERCENT.fullmatch(value.strip())):
        weight = int(Decimal(match[1]) * 1000)
        if weight <= FULL_SHARE:
            return weight
    raise ValueError("expected a percentage from 0% to 100%, such as 5% or 0.5%")


def format_share(weight: int) -> str:
    """`5000` as `5%`: the inverse of `parse_share`."""
    return f"{(Decimal(weight) / 1000).normalize():f}%"


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration),
    WithJsonSchema({"type": "string", "pattern": rf"^{_DURATION.pattern}$"}),
]
Share = Annotated[
    int,
    BeforeValidator(parse_share),
    PlainSerializer(format_share),
    WithJsonSchema({"type": "string", "pattern": rf"^{_PERCENT.pattern}$"}),
]
