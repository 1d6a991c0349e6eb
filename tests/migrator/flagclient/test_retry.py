"""When a request is sent again, and after how long."""

import math
from collections.abc import Mapping
from email.utils import formatdate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.flagclient.retry import Outcome, RetryPolicy, asked_wait, next_wait, poll_pause

NOW = 1_700_000_000.0
POLICY = RetryPolicy(limited=5, failed=3, total=20.0, first=0.1, longest=2.0)


def reset_in(seconds: float) -> dict[str, str]:
    return {"x-ratelimit-reset": str(round((NOW + seconds) * 1000))}


def ask(
    status: int | None,
    headers: Mapping[str, str] | None = None,
    *,
    conflict: bool = False,
    attempt: int = 1,
    waited: float = 0.0,
    jitter: float = 0.0,
) -> float | None:
    outcome = Outcome(status=status, headers=headers or {}, repeatable_conflict=conflict)
    return next_wait(POLICY, outcome, attempt=attempt, waited=waited, now=NOW, jitter=jitter)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param({"retry-after": "3"}, 3.0, id="seconds"),
        pytest.param({"retry-after": formatdate(NOW + 7, usegmt=True)}, 7.0, id="date"),
        pytest.param({"retry-after": formatdate(NOW - 7, usegmt=True)}, 0.0, id="past-date"),
        pytest.param(reset_in(4.5), 4.5, id="reset"),
        pytest.param(reset_in(-4.5), 0.0, id="past-reset"),
        pytest.param({**reset_in(4), "retry-after": "9"}, 9.0, id="the-longer-one"),
        pytest.param({**reset_in(9), "retry-after": "4"}, 9.0, id="the-longer-one-again"),
        pytest.param({"retry-after": "soon"}, None, id="words"),
        pytest.param({"retry-after": "-3"}, None, id="negative"),
        pytest.param({"retry-after": "nan"}, None, id="not-a-number"),
        pytest.param({"retry-after": "inf"}, None, id="for-ever"),
        pytest.param({"x-ratelimit-reset": "tomorrow"}, None, id="reset-in-words"),
        pytest.param(
            {**reset_in(4), "date": formatdate(NOW - 1, usegmt=True)}, 4.0, id="date-is-rounded"
        ),
        pytest.param(
            {**reset_in(4), "date": formatdate(NOW - 60, usegmt=True)},
            64.0,
            id="our-clock-is-a-minute-ahead",
        ),
    ],
)
def test_what_the_headers_ask(headers: Mapping[str, str], expected: float | None) -> None:
    assert asked_wait(headers, NOW) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("status", "conflict", "requests"),
    [
        pytest.param(429, False, 5, id="limited"),
        pytest.param(409, True, 5, id="conflict-of-a-patch"),
        pytest.param(409, False, 1, id="conflict-of-anything-else"),
        pytest.param(None, False, 3, id="no-answer"),
        pytest.param(500, False, 3, id="500"),
        pytest.param(502, False, 3, id="502"),
        pytest.param(503, False, 3, id="503"),
        pytest.param(504, False, 3, id="504"),
        pytest.param(501, False, 1, id="501"),
        *(pytest.param(s, False, 1, id=str(s)) for s in (400, 401, 403, 404, 405, 415, 422)),
    ],
)
def test_how_many_requests(status: int | None, conflict: bool, requests: int) -> None:
    attempts = range(1, requests)
    assert all(ask(status, conflict=conflict, attempt=n) is not None for n in attempts)
    assert ask(status, conflict=conflict, attempt=requests) is None


def test_the_backoff_doubles_up_to_its_limit() -> None:
    waits = [
        next_wait(
            RetryPolicy(limited=99, total=1000, first=0.1, longest=2.0),
            Outcome(status=429, headers={}),
            attempt=attempt,
            waited=0.0,
            now=NOW,
            jitter=0.0,
        )
        for attempt in range(1, 8)
    ]
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0])


def test_a_wait_beyond_the_bound_ends_it_at_once() -> None:
    assert ask(429, {"retry-after": "19"}) == 19.0
    assert ask(429, {"retry-after": "21"}) is None
    assert ask(429, {"retry-after": "19"}, attempt=2, waited=5.0) is None


HEADERS = st.dictionaries(
    st.sampled_from(
        ["retry-after", "x-ratelimit-reset", "date", "x-ratelimit-route-remaining",
         "x-ratelimit-global-remaining", "x-ratelimit-auth-token-remaining"]
    ),
    st.one_of(
        st.text(max_size=30),
        st.integers(-10, 10**14).map(str),
        st.floats().map(str),
        st.floats(0, 2**37).map(lambda at: formatdate(at, usegmt=True)),
    ),
)  # fmt: skip
POLICIES = st.builds(
    RetryPolicy,
    limited=st.integers(1, 12),
    failed=st.integers(1, 12),
    total=st.floats(0, 300),
    first=st.floats(0.001, 5),
    longest=st.floats(0.001, 60),
)


@settings(max_examples=40, deadline=None)
@given(
    policy=POLICIES,
    answers=st.lists(
        st.tuples(st.sampled_from([None, 200, 400, 403, 409, 429, 500, 503]), HEADERS), min_size=40
    ),
    jitter=st.floats(0, 1, exclude_max=True),
    conflict=st.booleans(),
)
def test_it_always_ends_within_its_bounds(
    policy: RetryPolicy,
    answers: list[tuple[int | None, dict[str, str]]],
    jitter: float,
    conflict: bool,
) -> None:
    """Whatever the server says, in whatever order: finitely many requests, bounded seconds."""
    waited = 0.0
    for attempt, (status, headers) in enumerate(answers, start=1):
        wait = next_wait(
            policy,
            Outcome(status=status, headers=headers, repeatable_conflict=conflict),
            attempt=attempt,
            waited=waited,
            now=NOW + waited,
            jitter=jitter,
        )
        if wait is None:
            break
        assert wait > 0
        waited += wait
    else:
        pytest.fail("it never gives up")
    assert attempt <= max(policy.limited, policy.failed)
    assert waited <= policy.total


@given(headers=HEADERS, attempt=st.integers(1, 4), jitter=st.floats(0, 1, exclude_max=True))
def test_it_never_comes_back_before_the_time_asked(
    headers: dict[str, str], attempt: int, jitter: float
) -> None:
    wait = ask(429, headers, attempt=attempt, jitter=jitter)
    if wait is not None:
        assert wait >= (asked_wait(headers, NOW) or 0.0)


@given(headers=HEADERS)
def test_any_headers_are_understood_or_ignored(headers: dict[str, str]) -> None:
    asked = asked_wait(headers, NOW)
    assert asked is None or (asked >= 0 and math.isfinite(asked))
    assert poll_pause(headers, NOW) >= 0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({}, 0.0, id="no-limit-told"),
        pytest.param({"x-ratelimit-route-remaining": "5"}, 0.0, id="no-time-told"),
        pytest.param(reset_in(10), 0.0, id="no-number-told"),
        pytest.param({**reset_in(10), "x-ratelimit-route-remaining": "20"}, 1.0, id="half-of-it"),
        pytest.param({**reset_in(10), "x-ratelimit-route-remaining": "0"}, 10.0, id="used-up"),
        pytest.param({**reset_in(10), "x-ratelimit-route-remaining": "1"}, 10.0, id="the-last"),
        pytest.param(
            {
                **reset_in(10),
                "x-ratelimit-global-remaining": "4",
                "x-ratelimit-route-remaining": "100",
            },
            5.0,
            id="the-scarcest-counts",
        ),
        pytest.param({**reset_in(-1), "x-ratelimit-route-remaining": "0"}, 0.0, id="over"),
    ],
)
def test_how_often_to_look(headers: Mapping[str, str], expected: float) -> None:
    assert poll_pause(headers, NOW) == pytest.approx(expected)
