"""Plainly broken or not: what a few readings of the counters show."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.analysis.pulse import (
    MIN_REFUSED,
    MIN_REQUESTS,
    MONOLITH,
    WINDOW,
    Pulse,
    Tallies,
    Tally,
    parse_endpoints,
)
from migrator.errors import Unavailable

EVERY = 0.25
Row = tuple[int, ...]
"""What a service did between two readings: asked, failed and, if it is not 0, unreached."""
GOOD, BAD, NONE = (10, 0), (10, 10), (0, 0)


def tally(row: Row) -> Tally:
    asked, failed, *unreached = row
    return Tally(asked=asked, failed=failed, unreached=sum(unreached))


class Counters:
    """Cumulative, as the proxy's are."""

    def __init__(self) -> None:
        self.now: dict[str | None, Tally] = {}

    def add(self, service: str | None, row: Row) -> None:
        self.now[service] = self.now.get(service, Tally()) + tally(row)


def read(rows: list[Row], old: Row = GOOD, *, every: float = EVERY) -> Pulse:
    """After those readings of the service `cart`, each beside `old` of the monolith."""
    counters, pulse = Counters(), Pulse.begin({}, at=0.0)
    for number, row in enumerate(rows, 1):
        counters.add("cart", row)
        counters.add(MONOLITH, old)
        pulse = pulse.read(dict(counters.now), at=number * every)
    return pulse


@pytest.mark.parametrize(
    ("rows", "old", "evidence"),
    [
        pytest.param([], GOOD, "", id="nothing was read"),
        pytest.param([NONE], GOOD, "", id="nothing was asked"),
        pytest.param([GOOD] * 8, GOOD, "", id="good"),
        pytest.param([BAD], GOOD, "", id="too few"),
        pytest.param([(20, 10)], GOOD, "10/20 requests failed in 0.2 s", id="half"),
        pytest.param([(20, 9)], GOOD, "", id="less than half"),
        pytest.param([BAD] * 2, GOOD, "20/20 requests failed in 0.5 s", id="in two readings"),
        pytest.param([GOOD] * 4 + [BAD] * 2, GOOD, "20/20 requests failed in 0.5 s", id="begins"),
        pytest.param([(12, 3), (12, 12)], GOOD, "15/24 requests failed in 0.5 s", id="midway"),
        pytest.param([(3, 3)] * 7, GOOD, "21/21 requests failed in 1.8 s", id="as few as may be"),
        pytest.param([(2, 2)] * 20, GOOD, "", id="too few in the window: for the statistics"),
        pytest.param([BAD] * 2 + [GOOD], GOOD, "", id="it is over"),
        pytest.param([BAD] * 2 + [NONE], GOOD, "", id="nothing new"),
        pytest.param([BAD] * 2, (10, 3), "", id="the monolith fails, too"),
        pytest.param([BAD] * 2, (10, 1), "20/20 requests failed in 0.5 s", id="far less often"),
        pytest.param([BAD] * 2, (9, 9), "20/20 requests failed in 0.5 s", id="it hardly says"),
        pytest.param(
            [(1, 1, 1)] * 3,
            GOOD,
            "3 connections refused, 3/3 requests failed in 0.8 s",
            id="refused",
        ),
        pytest.param(
            [(1, 1, 1), (4, 4)],
            GOOD,
            "1 connection refused, 5/5 requests failed in 0.5 s",
            id="rests",
        ),
        pytest.param(
            [(0, 0, 1), (0, 0, 2)],
            GOOD,
            "3 connections refused, 0/0 requests failed in 0.5 s",
            id="tried in vain, nobody was told yet",
        ),
        pytest.param([(1, 1, 1)] * 2, GOOD, "", id="refused twice"),
        pytest.param([(1, 1, 1), GOOD, (1, 1, 1), (1, 1, 1)], GOOD, "", id="answered in between"),
        pytest.param([(4, 2, 2)] * 3, GOOD, "", id="one of several endpoints"),
        pytest.param([(1, 1)] * 5, GOOD, "", id="failed, not refused"),
        pytest.param([(1, 1, 1)] * 3, BAD, "", id="nothing is reached"),
        pytest.param(
            [(1, 1, 1), *[NONE] * 400, (2, 2, 1)],
            GOOD,
            "2 connections refused, 3/3 requests failed in 100.5 s",
            id="however few users",
        ),
    ],
)
def test_broken(rows: list[Row], old: Row, evidence: str) -> None:
    assert read(rows, old).broken() == ({"cart": evidence} if evidence else {})


def test_only_the_broken_one_of_several() -> None:
    counters, pulse = Counters(), Pulse.begin({}, at=0.0)
    counters.add("cart", (40, 40))
    counters.add("stock", (40, 1))
    assert pulse.read(counters.now, at=EVERY).broken().keys() == {"cart"}


def test_the_monolith_has_no_switch() -> None:
    assert Pulse.begin({}, at=0.0).read({MONOLITH: tally((40, 40, 9))}, at=EVERY).broken() == {}


def test_what_was_before_the_first_reading_does_not_count() -> None:
    counters: Tallies = {"cart": tally((1000, 1000, 9))}
    assert Pulse.begin(counters, at=0.0).read(counters, at=EVERY).broken() == {}


def test_a_service_that_was_off_begins_anew() -> None:
    counters, pulse = Counters(), Pulse.begin({}, at=0.0)
    counters.add("cart", (9, 9, 2))
    pulse = pulse.read(dict(counters.now), at=EVERY)
    pulse = pulse.read(dict(counters.now), at=2 * EVERY, off=["cart"])
    counters.add("cart", (2, 2, 1))
    assert pulse.read(dict(counters.now), at=3 * EVERY).broken() == {}


def test_a_restarted_proxy_invents_nothing() -> None:
    pulse = Pulse.begin({"cart": tally((100, 0))}, at=0.0)
    pulse = pulse.read({"cart": tally((40, 40))}, at=EVERY)
    assert pulse.broken() == {}
    assert pulse.read({"cart": tally((80, 80))}, at=2 * EVERY).broken().keys() == {"cart"}


def test_a_clock_that_goes_back_lasts_no_time() -> None:
    pulse = Pulse.begin({}, at=100.0).read({"cart": tally((30, 30))}, at=5.0)
    assert pulse.broken() == {"cart": "30/30 requests failed in 0.0 s"}


@pytest.mark.parametrize(
    ("rows", "silent"),
    [
        pytest.param([GOOD], False, id="good"),
        pytest.param([GOOD, (1, 1, 1)], True, id="it fails everything"),
        pytest.param([GOOD, (2, 1, 1)], False, id="not everything"),
        pytest.param([(1, 1)] * (int(WINDOW / EVERY) + 1), False, id="for too long"),
    ],
)
def test_silent(rows: list[Row], silent: bool) -> None:
    assert read(rows).silent(["stock", "cart"]) is silent
    assert not read(rows).silent(["stock"])


ROWS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 3)).map(
        lambda row: (max(row[:2]), min(row[:2]), row[2])
    ),
    min_size=1,
    max_size=12,
)


@given(ROWS)
def test_never_without_grounds(rows: list[Row]) -> None:
    """Whatever is found fails in its newest reading, and has enough behind it."""
    if not read(rows).broken():
        return
    asked, failed, unreached = rows[-1]
    assert failed or unreached
    lately = rows[-int(WINDOW / EVERY) :]
    many = sum(row[0] for row in lately) >= MIN_REQUESTS
    refused = max(sum(row[1] for row in rows), sum(row[2] for row in rows)) >= MIN_REFUSED
    assert many or (refused and asked == failed)


@given(ROWS, st.integers(1, 4))
def test_what_fails_entirely_under_traffic_is_always_found(before: list[Row], beats: int) -> None:
    failing: list[Row] = [(-(-MIN_REQUESTS // beats),) * 2] * beats
    assert read([*before, *failing]).broken().keys() == {"cart"}


def test_the_document() -> None:
    origins: list[dict[str, Any]] = [
        {"service": None, "asked": 7, "failed": 0, "unreached": 0, "endpoints": [{}]},
        {"service": "cart", "asked": 3, "failed": 2, "unreached": 1, "retries": 9},
    ]
    expected: Tallies = {None: tally((7, 0)), "cart": tally((3, 2, 1))}
    assert parse_endpoints(json.dumps({"at": 1.5, "origins": origins}).encode()) == expected


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"origins": [{"service": "cart", "asked": -1}]}', id="negative"),
        pytest.param(b'{"origins": [{"service": "cart", "asked": 1}]}', id="incomplete"),
    ],
)
def test_no_document(document: bytes) -> None:
    with pytest.raises(Unavailable, match="the proxy's /endpoints: "):
        parse_endpoints(document)
