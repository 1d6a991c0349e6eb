"""Windows: what counts, what was an outage, what goes on failing."""

from typing import TYPE_CHECKING

import pytest

from migrator.analysis.sample import Sample
from migrator.analysis.stats import Key, Origin
from migrator.analysis.watch import ROLL_AFTER, ROLL_REQUESTS, Run, Track, Watch
from migrator.plan.model import Analysis, Stage

if TYPE_CHECKING:
    from tests.migrator.analysis.conftest import HandProxy

Reading = tuple[Origin, int, int]
"""Half a second of one origin: requests and errors."""
GOOD: Reading = ("new", 10, 0)
BAD: Reading = ("new", 10, 10)
NONE: Reading = ("new", 0, 0)


RIDE_OUT = Analysis().ride_out


def watched(
    proxy: "HandProxy",
    readings: list[Reading],
    *,
    every: float = 0.5,
    ride_out: float = RIDE_OUT,
) -> Watch:
    watch = Watch.begin(proxy.read(), since=0.0, ride_out=ride_out)
    for number, (origin, requests, errors) in enumerate(readings, 1):
        proxy.serve(origin, requests, errors)
        watch = watch.read(proxy.read(), at=number * every)
    return watch


@pytest.mark.parametrize(
    ("readings", "outages", "settled", "errors", "running"),
    [
        pytest.param([GOOD, GOOD], 0, 20, 0, False, id="good"),
        pytest.param([], 0, 0, 0, False, id="nothing"),
        pytest.param([GOOD, BAD, GOOD], 1, 20, 0, False, id="short outage is left out"),
        pytest.param([GOOD, BAD, NONE, NONE, GOOD], 1, 20, 0, False, id="outage with silence"),
        pytest.param([GOOD, *[BAD] * 7, GOOD], 1, 20, 0, False, id="as long as can be ridden out"),
        pytest.param([GOOD, *[BAD] * 8, GOOD], 0, 100, 80, False, id="too long: it counts"),
        pytest.param([GOOD, ("new", 4, 4), GOOD], 0, 24, 4, False, id="too few for an outage"),
        pytest.param([BAD, GOOD, BAD, GOOD], 2, 20, 0, False, id="two outages"),
        pytest.param([GOOD, BAD], 0, 10, 0, True, id="still open"),
        pytest.param([("new", 10, 4)], 0, 10, 4, False, id="less than half is no outage"),
    ],
)
def test_outages(
    proxy: "HandProxy",
    readings: list[Reading],
    outages: int,
    settled: int,
    errors: int,
    running: bool,
) -> None:
    track = watched(proxy, readings).new
    assert (track.outages, track.settled.requests, track.settled.errors) == (
        outages,
        settled,
        errors,
    )
    assert (track.run is not None) is running


def test_an_open_run_is_shown_with_everything(proxy: "HandProxy") -> None:
    track = watched(proxy, [GOOD, BAD, BAD]).new
    assert track.run is not None
    assert track.run.since == 0.5
    assert (track.everything.requests, track.everything.errors) == (30, 20)


def test_origins_are_kept_apart(proxy: "HandProxy") -> None:
    watch = watched(proxy, [("old", 7, 1), ("new", 10, 10)])
    assert watch.old.settled.requests == 7
    assert watch.new.everything.requests == 10
    assert watch.asked == {Key(Stage.LIVE, "old"): 7, Key(Stage.LIVE, "new"): 10}


def test_what_was_before_the_window_does_not_count(proxy: "HandProxy") -> None:
    proxy.serve("new", 1000, 1000)
    assert watched(proxy, [GOOD]).new.everything.errors == 0


def test_a_restarted_proxy_loses_nothing_that_was_read(proxy: "HandProxy") -> None:
    watch = watched(proxy, [GOOD])
    proxy.restart("second")
    proxy.serve("new", 3)
    assert watch.read(proxy.read(), at=1.0).new.settled.requests == 13


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
    assert (after.new.settled.requests == 0) is rolled
    assert after.asked == watch.asked, "requests of the step are counted on"
    assert after.since == (seconds if rolled else 0.0)


@pytest.mark.parametrize(
    ("errors", "seconds", "counted"),
    [
        pytest.param(10, RIDE_OUT - 0.1, 20, id="may be a restart"),
        pytest.param(10, RIDE_OUT, 30, id="too long for a restart"),
        pytest.param(6, 0.5, 30, id="not everything fails: it is there"),
    ],
)
def test_an_open_run_counts_unless_it_may_be_a_restart(
    errors: int, seconds: float, counted: int
) -> None:
    run = Run(since=1.0, sample=Sample(requests=10, errors=errors))
    track = Track(settled=Sample(requests=20), run=run)
    assert track.counted(1.0 + seconds, RIDE_OUT).requests == counted


def test_without_time_to_ride_out_no_outage_is_left_out(proxy: "HandProxy") -> None:
    track = watched(proxy, [GOOD, BAD, GOOD], ride_out=0.0).new
    assert (track.outages, track.settled.errors) == (0, 10)


def test_a_restart_fits_the_default() -> None:
    assert RIDE_OUT >= 3
