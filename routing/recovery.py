"""What to do when an origin has failed a request: the rules of repeating.

Pure. A request is *repeatable* if its method is safe (RFC 9110, 9.2.1) and it has no body: sending
it twice cannot harm. Any other request is sent again only if the origin provably never saw it.

Another endpoint of the same origin comes first, if the origin's retry budget allows that. Asking
the monolith instead takes nothing from the budget: it is no load on the service that has failed.
"""

from collections.abc import Callable
from enum import Enum, auto


class Failure(Enum):
    """How an origin failed, all before any byte of a final answer reached the client."""

    UNREACHED = auto()
    """No connection: refused, timed out, no route. The origin saw nothing."""
    OVERFLOW = auto()
    """The endpoint's circuit breaker is open. The origin saw nothing."""
    STALE = auto()
    """A reused connection was closed before any byte of the answer."""
    RESET = auto()
    """A fresh connection was closed before the answer's head was complete."""
    SLOW = auto()
    """No answer in time."""
    GARBLED = auto()
    """The answer was not acceptable HTTP/1.1."""
    SERVER_ERROR = auto()
    """The answer was 500, 502, 503 or 504."""


UNSEEN = frozenset({Failure.UNREACHED, Failure.OVERFLOW})


class Move(Enum):
    """What to do next."""

    ANOTHER = auto()
    """Send the request to another endpoint of the same origin."""
    FALL_BACK = auto()
    """Send the request to the monolith."""
    AGAIN = auto()
    """Send it to the same endpoint on a fresh connection, at once."""
    WAIT = auto()
    """Send it to the same origin after a pause."""
    GIVE_UP = auto()
    """Answer with an error, or with what the origin said."""


SERVER_ERRORS = frozenset({500, 502, 503, 504})
MAX_OTHERS = 2
"""Other endpoints that are tried for one request before the origin counts as failed."""
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 0.5


def next_move(
    failure: Failure,
    *,
    repeatable: bool,
    fallback: bool,
    writes: bool,
    in_time: bool,
    another: bool,
    spend: Callable[[], bool],
) -> Move:
    """The move after `failure`.

    `fallback`: the monolith can be asked instead. `writes`: it may also take a write that never
    reached the service. `in_time`: the time for repeating at the same origin is not over.
    `another`: the origin has an endpoint that has not been tried. `spend` takes one repetition from
    the origin's budget, or returns False.
    """
    if failure is Failure.STALE:
        return Move.AGAIN if repeatable else Move.GIVE_UP
    if not repeatable and failure not in UNSEEN:
        return Move.GIVE_UP
    if another and in_time and failure is not Failure.OVERFLOW and spend():
        return Move.ANOTHER
    if fallback and (repeatable or writes):
        return Move.FALL_BACK
    if failure is Failure.UNREACHED and in_time:
        # No load on an origin that nobody reaches, so the budget is not asked.
        return Move.WAIT
    if failure is Failure.RESET and in_time and spend():
        return Move.WAIT
    return Move.GIVE_UP


STATUS_OF = {
    Failure.UNREACHED: 503,
    Failure.OVERFLOW: 503,
    Failure.STALE: 502,
    Failure.RESET: 502,
    Failure.SLOW: 504,
    Failure.GARBLED: 502,
}
"""What the client gets after GIVE_UP; a server error is passed on as it is."""


def pause(attempt: int) -> float:
    """Seconds before repetition number `attempt`, counted from 0."""
    return min(FIRST_PAUSE * 2.0 ** min(attempt, 10), LONGEST_PAUSE)
