"""Whether, and after how long, a refused or unanswered request is sent again. Pure.

LaunchDarkly does not publish its limits; its headers are the contract: `Retry-After`,
`X-Ratelimit-Reset` (Unix milliseconds), and any `X-Ratelimit-…-Remaining` that is there.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

RATE_LIMITED: Final = 429
CONFLICT: Final = 409
_FAILED: Final = frozenset({500, 502, 503, 504})
_SAME_CLOCK: Final = 2.0
"""Seconds."""
_SPREAD: Final = 0.25
"""Of the back-off: at most so much is added, so that many clients do not come back together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Bounds of one request with all of its repetitions."""

    limited: int = 8
    """Most requests when the server limits the rate or sees a conflict."""
    failed: int = 3
    """Most requests when it fails or does not answer."""
    total: float = 30.0
    """Most seconds in all that are spent waiting; a longer wait that is asked for ends it."""
    first: float = 0.1
    """Seconds before the second request where no header says; then doubled each time."""
    longest: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one request ended. `status` None: no answer."""

    status: int | None
    headers: Mapping[str, str]
    repeatable_conflict: bool = False
    """A 409 says that somebody else was first, so that the same request can succeed now."""


def next_wait(
    policy: RetryPolicy, outcome: Outcome, *, attempt: int, waited: float, now: float, jitter: float
) -> float | None:
    """Seconds to wait before the next request; None: give up.

    `attempt` counts requests so far, from 1; `waited` is what was waited before; `now` is Unix
    seconds; `jitter` is in [0, 1).
    """
    most = _most(policy, outcome)
    if attempt >= most:
        return None
    backoff = min(policy.longest, policy.first * 2.0 ** min(attempt - 1, 30))
    wait = max(backoff, asked_wait(outcome.headers, now) or 0.0) + _SPREAD * jitter * backoff
    return wait if waited + wait <= policy.total else None


def _most(policy: RetryPolicy, outcome: Outcome) -> int:
    if outcome.status is None or outcome.status in _FAILED:
        return policy.failed
    conflict = outcome.status == CONFLICT and outcome.repeatable_conflict
    return policy.limited if outcome.status == RATE_LIMITED or conflict else 1


def asked_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that the headers of a refusal ask to wait; None if they say nothing usable.

    `headers` has lower-case names. If the server's clock differs, it is the one that counts.
    """
    waits = [w for w in (_retry_after(headers, now), _until_reset(headers, now)) if w is not None]
    return max(waits) if waits else None


def poll_pause(headers: Mapping[str, str], now: float) -> float:
    """Seconds to leave before the same question is asked again for no special reason.

    Spreads what is left of the limit over the time until it is renewed and leaves half of it to
    others; 0 where no header says.
    """
    left = [
        number
        for name, value in headers.items()
        if name.startswith("x-ratelimit-") and name.endswith("-remaining")
        if (number := _number(value)) is not None
    ]
    reset = _until_reset(headers, now)
    if not left or reset is None:
        return 0.0
    return reset / max(1.0, min(left) // 2)


def _retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds or a date (RFC 9110, 10.2.3)."""
    text = headers.get("retry-after", "")
    seconds = _number(text)
    if seconds is not None:
        return seconds
    at = _date(text)
    return None if at is None else max(0.0, at - _server_time(headers, now))


def _until_reset(headers: Mapping[str, str], now: float) -> float | None:
    at = _number(headers.get("x-ratelimit-reset", ""))
    return None if at is None else max(0.0, at / 1000 - _server_time(headers, now))


def _server_time(headers: Mapping[str, str], now: float) -> float:
    """`now`, unless the clocks differ by more than a `Date`, in whole seconds, can be wrong."""
    at = _date(headers.get("date", ""))
    return now if at is None or abs(at - now) <= _SAME_CLOCK else at


def _number(text: str) -> float | None:
    """A number of at least 0."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
