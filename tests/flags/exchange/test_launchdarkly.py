"""A project as LaunchDarkly's REST API shows it; our own API shows the same, so it stands in."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from evaluation_worlds import World, worlds
from flag_builders import PRODUCTION, a_segment, a_staged, within
from flags.errors import Rejected
from flags.exchange.launchdarkly import from_launchdarkly
from flags.rest.representation import flag_json, segment_json

NOW = 1_800_000_000_000


def lasting(shown: Any) -> Any:
    """Without versions and dates, and without ids, which are made up where there is none."""
    if isinstance(shown, list):
        return [lasting(item) for item in shown]
    if not isinstance(shown, dict):
        return shown
    passing = ("_id", "version", "_version", "creationDate", "lastModified", "lastModifiedDate")
    return {k: lasting(v) for k, v in shown.items() if k not in passing}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(contexts=1))
def test_everything_that_it_shows_is_carried_over(world: World) -> None:
    environment = world.snapshot.environment
    flags, segments = world.snapshot.flags.values(), world.snapshot.segments.values()
    made, left_out = from_launchdarkly(
        [flag_json(f, "shop", [environment]) for f in flags],
        [segment_json(s, "shop", environment) for s in segments],
        "cms",
        environment,
        now_ms=NOW,
    )
    assert left_out == []
    for old, new in zip(flags, made.read_flags(NOW), strict=True):
        assert new.variations == old.variations
        shown = [lasting(flag_json(f, "shop", [environment])) for f in (old, new)]
        assert shown[1] == shown[0]
    for segment, again in zip(segments, made.read_segments(NOW), strict=True):
        before, after = (lasting(segment_json(s, "shop", environment)) for s in (segment, again))
        assert after == before


def test_big_segments_are_left_out_and_named() -> None:
    segment = segment_json(a_segment(), "shop", PRODUCTION) | {"unbounded": True}
    made, left_out = from_launchdarkly([], [segment], "shop", PRODUCTION, now_ms=NOW)
    assert made.segments == ()
    assert left_out == ["segment beta: big segments are not kept here"]


def without(document: dict[str, Any], name: str) -> dict[str, Any]:
    return {k: v for k, v in document.items() if k != name}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param("variations", "flag publishing: cannot be read: KeyError", id="variations"),
        pytest.param("environments", "flag publishing: cannot be read: KeyError", id="environment"),
    ],
)
def test_what_cannot_be_read_is_named(change: str, problem: str) -> None:
    flag = without(flag_json(within(a_staged()), "shop", [PRODUCTION]), change)
    with pytest.raises(Rejected) as caught:
        from_launchdarkly([flag], [], "shop", PRODUCTION, now_ms=NOW)
    assert str(caught.value).startswith(problem)
