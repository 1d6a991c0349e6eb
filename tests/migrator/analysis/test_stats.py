"""The proxy's /stats document: what is taken, what is refused, what a restart means."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.analysis.sample import NOTHING, Histogram, Sample
from migrator.analysis.stats import Counters, Key, parse_stats
from migrator.errors import Unavailable

CELL = {
    "capability": "shop",
    "stage": "live",
    "origin": "new",
    "requests": 3,
    "errors": 1,
    "fallbacks": 1,
    "latency": {"bounds_ms": [1, 2], "counts": [1, 1, 1]},
    "last_decided_at": 12.5,
}
keys = st.builds(Key, st.sampled_from(["off", "live"]), st.sampled_from(["old", "new"]))
sizes = st.integers(0, 1000)
cells = st.dictionaries(
    keys, st.builds(Sample, requests=sizes, errors=sizes, fallbacks=sizes), max_size=4
)


def document(**changes: Any) -> dict[str, Any]:
    return {"instance": "a", "cells": [{**CELL, **changes}]}


def test_reads_a_document() -> None:
    stats = parse_stats(json.dumps({**document(), "workers": [], "unrouted": {}}))
    assert stats.counters("shop") == Counters(
        instance="a",
        cells={
            Key("live", "new"): Sample(
                requests=3,
                errors=1,
                fallbacks=1,
                latency=Histogram(bounds_ms=(1, 2), counts=(1, 1, 1)),
            )
        },
    )
    assert stats.counters("unknown") == Counters(instance="a", cells={})


def test_adds_cells_of_the_same_key() -> None:
    text = json.dumps({"instance": "a", "cells": [CELL, CELL]})
    assert parse_stats(text).counters("shop").cells[Key("live", "new")].requests == 6


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param("", "document", id="empty"),
        pytest.param("<html>", "document", id="html"),
        pytest.param("[]", "document", id="list"),
        pytest.param("{}", "instance", id="no instance"),
        pytest.param('{"instance": "a"}', "cells", id="no cells"),
        pytest.param(json.dumps(document(requests=-1)), "cells.0.requests", id="negative"),
        pytest.param(json.dumps(document(requests="many")), "cells.0.requests", id="text"),
        pytest.param(json.dumps(document(origin="newer")), "cells.0.origin", id="origin"),
        pytest.param(json.dumps(document(capability=None)), "cells.0.capability", id="no name"),
        pytest.param(
            json.dumps(document(latency={"bounds_ms": [1, 2], "counts": [1]})),
            "cells.0.latency",
            id="counts too few",
        ),
        pytest.param(
            json.dumps(document(latency={"bounds_ms": [], "counts": [1, 2]})),
            "cells.0.latency",
            id="counts too many",
        ),
        pytest.param(
            json.dumps(document(latency={"bounds_ms": [2, 1], "counts": [1, 1]})),
            "cells.0.latency",
            id="bounds descend",
        ),
    ],
)
def test_refuses_what_is_no_such_document(text: str, place: str) -> None:
    with pytest.raises(Unavailable, match=r"/stats") as refused:
        parse_stats(text)
    assert f": {place}: " in str(refused.value)
    assert refused.value.hint is not None


@given(st.text() | st.binary())
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    with pytest.raises(Unavailable):
        parse_stats(text)


@given(cells)
def test_json_round_trip(known: dict[Key, Sample]) -> None:
    counters = Counters(instance="a", cells=known)
    assert Counters.from_json(json.loads(json.dumps(counters.to_json()))) == counters


@given(cells, cells)
def test_since_gives_what_was_added(before: dict[Key, Sample], more: dict[Key, Sample]) -> None:
    after = {k: before.get(k, NOTHING) + more.get(k, NOTHING) for k in before.keys() | more.keys()}
    news = Counters(instance="a", cells=after).since(Counters(instance="a", cells=before))
    assert news == {k: more.get(k, NOTHING) for k in after}


@given(cells, cells)
def test_a_restarted_proxy_began_at_nothing(
    before: dict[Key, Sample], after: dict[Key, Sample]
) -> None:
    """Nothing is invented, nothing is negative, whatever the former instance had counted."""
    now = Counters(instance="b", cells=after)
    assert now.since(Counters(instance="a", cells=before)) == after


def test_a_counter_that_fell_began_at_nothing() -> None:
    key = Key("live", "new")
    before = Counters(instance="a", cells={key: Sample(requests=9, errors=1)})
    after = Counters(instance="a", cells={key: Sample(requests=2, errors=1)})
    assert after.since(before) == {key: Sample(requests=2, errors=1)}
