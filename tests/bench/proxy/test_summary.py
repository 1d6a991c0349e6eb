"""Rounds become medians, ratios and a table."""

from dataclasses import fields, replace

import pytest

from bench.proxy.__main__ import PEERS
from bench.proxy.measure import Round
from bench.proxy.peers import ours
from bench.proxy.peers.handmade import HANDMADE
from bench.proxy.summary import (
    GOALS,
    aligned,
    by_proxy,
    compared,
    matrix,
    middle,
    unmeasured,
    values,
)

OURS = Round(
    cpu_small=70, cpu_large=200, cpu_post=300, rate=9000, p50=800, p99=900,
    busy_added_p50=500, busy_added_p99=600, rate_large=4000, p50_large=1800, p99_large=1900,
    rate_post=3000, p50_post=2800, p99_post=2900, added_p50=60, added_p99=90, memory=48,
)  # fmt: skip
HALF = Round(**{each.name: getattr(OURS, each.name) / 2 for each in fields(Round)})
ALL = {"ours": OURS, "nginx": HALF, "Envoy": HALF, "Envoy + Lua": OURS}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param([70], 70, id="one"),
        pytest.param([60, 80], 70, id="two"),
        pytest.param([500, 60, 80], 80, id="an-outlier"),
    ],
)
def test_middle(seen: list[float], expected: float) -> None:
    median = middle([replace(OURS, cpu_small=value) for value in seen])
    assert median == replace(OURS, cpu_small=expected)


def test_goals_with_all_peers() -> None:
    results = compared(ALL, "ours")
    assert [(each.name, each.value, each.unit, each.goal, each.met) for each in results] == [
        ("CPU time of a small GET, by Envoy's", 2, "×", 0.7, False),
        (
            "CPU time of a small GET, by that of Envoy with Lua that picks the side",
            *(1, "×", 0.55, False),
        ),
        ("CPU time of a small GET, by nginx's", 2, "×", 1.8, False),
        ("p99 at 64 connections, by Envoy's", 2, "×", 1.0, False),
        ("added p50 at one connection, by nginx's", 2, "×", 1.5, False),
        ("CPU time of a 64 KiB GET, by nginx's", 2, "×", 2.0, True),
        ("CPU time of a 64 KiB POST, by nginx's", 2, "×", 2.0, True),
        ("memory of a worker", 48, "MB", 60, True),
    ]
    assert unmeasured(ALL, "ours") == []


@pytest.mark.parametrize(
    ("rows", "results"),
    [
        pytest.param({}, 0, id="nothing"),
        pytest.param({"nginx": HALF}, 0, id="ours-is-missing"),
        pytest.param({"ours": OURS}, 1, id="peers-are-missing"),
        pytest.param({"ours": OURS, "nginx": HALF}, 5, id="envoy-is-missing"),
        pytest.param({"ours": OURS, "nginx": replace(HALF, added_p50=0)}, 4, id="below-noise"),
    ],
)
def test_what_is_missing_is_not_invented(rows: dict[str, Round], results: int) -> None:
    assert len(compared(rows, "ours")) == results
    assert len(unmeasured(rows, "ours")) == len(GOALS) - results


def test_values() -> None:
    results = values({"ours": OURS}, {"ours": 55.5})
    assert ("ours: small GET", 9000, "/s") in [(r.name, r.value, r.unit) for r in results]
    assert ("ours: memory, 1,000 idle", 55.5, "MB") in [(r.name, r.value, r.unit) for r in results]
    assert {each.goal for each in results} == {None}


def test_matrix() -> None:
    results = values({"ours": OURS, "nginx": HALF}, {"ours": 55.5})
    lines = matrix(by_proxy([("x: else", 1.0), *((each.name, each.value) for each in results)]))
    assert lines[:2] == [["", "ours", "nginx"], ["CPU, small GET (µs)", "70", "35"]]
    assert lines[-1] == ["memory, 1,000 idle (MB)", "55.5", "-"]
    assert len(lines) == len(fields(Round)) + 2


def test_no_line_for_what_nobody_measured() -> None:
    lines = matrix(by_proxy([("ours: memory", 48.0)]))
    assert lines == [["", "ours"], ["memory (MB)", "48"]]


def test_the_table_fits_a_terminal() -> None:
    """With figures as long as they get."""
    slow = Round(**{each.name: 9_999_999.0 for each in fields(Round)})
    fast = Round(**{each.name: 99_999.0 for each in fields(Round)})
    names = [ours.NAME, *(peer.name for peer in PEERS)]
    rows = {name: slow if name == HANDMADE.name else fast for name in names}
    shown = by_proxy((each.name, each.value) for each in values(rows, dict.fromkeys(names, 84.2)))
    lines = aligned(matrix(shown)).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) <= 100
