"""Windows: what counts, and when one is left behind."""

from typing import TYPE_CHECKING

import pytest

from migrator.analysis.stats import Key, Origin
from migrator.analysis.watch import ROLL_AFTER, ROLL_REQUESTS, Watch
from migrator.plan.model import Stage

if TYPE_CHECKING:
    from tests.migrator.analysis.conftest import HandProxy

Reading = tuple[Origin, int, int]
"""Half a second of one origin: requests and errors."""
GOOD: Reading = ("new", 10, 0)


def watched(
    proxy: "HandProxy",
    readings: list[Reading],
    *,
    every: float = 0.5,
) -> Watch:
    watch = Watch.begin(proxy.read(), since=0.0)
    for number, (origin, requests, errors) in enumerate(readings, 1):
        proxy.serve(origin, requests, errors)
        watch = watch.read(proxy.read(), at=number * every)
    return watch


def test_origins_are_kept_apart(proxy: "HandProxy") -> None:
    watch = watched(proxy, [("old", 7, 1), ("new", 10, 10)])
    assert watch.old.requests == 7
    assert watch.new.requests == 10
    assert watch.asked == {Key(Stage.LIVE, "old"): 7, Key(Stage.LIVE, "new"): 10}


def test_what_was_before_the_window_does_not_count(proxy: "HandProxy") -> None:
    proxy.serve("new", 1000, 1000)
    assert watched(proxy, [GOOD]).new.errors == 0


def test_a_restarted_proxy_loses_nothing_that_was_read(proxy: "HandProxy") -> None:
    watch = watched(proxy, [GOOD])
    proxy.restart("second")
    proxy.serve("new", 3)
    assert watch.read(proxy.read(), at=1.0).new.requests == 13


def test_a_clock_that_goes_back_lasts_no_time(proxy: "HandProxy") -> None:
    watch = watched(proxy, [GOOD, GOOD])
    assert watch.read(proxy.read(), at=-100.0).at == 1.0


@pytest.mark.parametrize(
    ("seconds", "requests", "rolled"),
    [
        pytest.param(ROLL_AFTER, ROLL_REQUESTS, True, id="long and full"),
        pytest.param(ROLL_AFTER - 1, ROLL_REQUESTS, False, id="too short"),
        pytest.param(ROLL_AFTER, ROLL_REQUESTS - 1, False, id="too empty"),
    ],
)
def test_rolling(proxy: "HandProxy", seconds: float, requests: int, rolled: bool) -> None:
    watch = watched(proxy, [("new", requests, 0)], every=seconds)
    after = watch.rolled()
    assert (after.new.requests == 0) is rolled
    assert after.asked == watch.asked, "requests of the step are counted on"
    assert after.since == (seconds if rolled else 0.0)
