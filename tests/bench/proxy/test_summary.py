"""Rounds become medians, ratios and a table."""

from dataclasses import replace

import pytest

from bench.proxy.measure import Round
from bench.proxy.summary import GOALS, compared, matrix, middle, unmeasured, values

OURS = Round(
    cpu_small=70, cpu_large=200, cpu_post=300, rate=9000, p50=800, p99=900,
    added_p50=60, added_p99=90, memory=48,
)  # fmt: skip
HALF = Round(
    cpu_small=35, cpu_large=100, cpu_post=150, rate=18000, p50=400, p99=450,
    added_p50=30, added_p99=45, memory=24,
)  # fmt: skip


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
    rows = {"ours": OURS, "nginx": HALF, "envoy": HALF, "envoy lua": OURS}
    results = compared(rows, "ours")
    assert [(each.name, each.value, each.unit, each.goal, each.met) for each in results] == [
        ("ours / envoy: CPU, small GET", 2, "×", 0.7, False),
        ("ours / envoy lua: CPU, small GET", 1, "×", 0.55, False),
        ("ours / nginx: CPU, small GET", 2, "×", 1.8, False),
        ("ours / envoy: p99, 64 conn.", 2, "×", 1.0, False),
        ("ours / nginx: added p50, 1 conn.", 2, "×", 1.5, False),
        ("ours: memory", 48, "MB", 60, True),
        ("ours / nginx: CPU, 64 KiB GET", 2, "×", 2.0, True),
        ("ours / nginx: CPU, 64 KiB POST", 2, "×", 2.0, True),
    ]
    assert unmeasured(rows, "ours") == []


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
    lines = matrix({"ours": OURS, "nginx": HALF}, {"ours": 55.5}).splitlines()
    assert lines[0].split() == ["ours", "nginx"]
    assert lines[1].split() == ["CPU,", "small", "GET", "(µs)", "70", "35"]
    assert lines[-1].split()[-2:] == ["55.5", "-"]
    assert len({len(line) for line in lines}) == 1
