"""Summary events, and that a running proxy's reach the flag server."""

import asyncio
import contextlib
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st

from routing.evaluation_counts import EvaluationCounts, Given

USER = {"kind": "user", "key": "alice"}
LIVE = Given("publishing", 3, 7, "live")


def test_the_event() -> None:
    counts = EvaluationCounts(100.0)
    tally = counts.tally(LIVE, USER)
    tally.count += 2
    several = {"kind": "multi", "user": {"key": "a"}, "organization": {"key": "b"}}
    counts.tally(LIVE, several).count += 1
    counts.tally(Given("missing", None, None, "off"), USER).count += 1
    counts.tally(Given("never-asked", 0, 1, "off"), USER)
    assert counts.take(105.0) == {
        "kind": "summary",
        "startDate": 100_000,
        "endDate": 105_000,
        "features": {
            "publishing": {
                "default": "off",
                "contextKinds": ["organization", "user"],
                "counters": [{"value": "live", "count": 3, "version": 7, "variation": 3}],
            },
            "missing": {
                "default": "off",
                "contextKinds": ["user"],
                "counters": [{"value": "off", "count": 1, "unknown": True}],
            },
        },
    }
    assert counts.take(110.0) is None
    tally.count += 1
    event = counts.take(115.0)
    assert event is not None
    assert event["startDate"] == 110_000


GIVENS = st.builds(
    Given, st.sampled_from(["a", "b"]), st.integers(0, 2), st.integers(1, 2), st.just("off")
)
ACTIONS = st.lists(st.one_of(GIVENS, st.sampled_from(["retire", "take"])), max_size=40)


@given(ACTIONS)
def test_nothing_is_lost_or_counted_twice(actions: list[Given | str]) -> None:
    counts = EvaluationCounts(0.0)
    expected: Counter[Given] = Counter()
    found: Counter[Given] = Counter()

    def take() -> None:
        event = counts.take(1.0)
        for flag, feature in (event["features"] if event else {}).items():
            for one in feature["counters"]:
                key = Given(flag, one["variation"], one["version"], one["value"])
                found[key] += one["count"]

    for action in (*actions, "take"):
        if isinstance(action, Given):
            counts.tally(action, USER).count += 1
            expected[action] += 1
        elif action == "take":
            take()
        else:
            counts.retire()
    assert found == expected


Begin = Callable[[], AbstractAsyncContextManager[Any]]
Until = Callable[[Callable[[], Any]], Any]


def test_the_flag_server_counts_each_request_once(begin: Begin, wait_until: Until) -> None:
    async def run() -> None:
        async with begin() as world, httpx.AsyncClient(trust_env=False, timeout=20) as http:
            world.start_proxy()
            await world.ready(http)
            for _ in range(25):
                await http.get(f"{world.edge}/articles/1", headers={"X-User": "alice"})
            await http.get(f"{world.edge}/other")
            await asyncio.to_thread(world.end)

            async def counted() -> bool:
                with contextlib.closing(sqlite3.connect(world.folder / "flags.db")) as db:
                    query = "SELECT variation, SUM(count) FROM evaluations GROUP BY variation"
                    rows = db.execute(query).fetchall()
                assert rows in ([], [(0, 25)])
                return bool(rows)

            await wait_until(counted)

    asyncio.run(run())
