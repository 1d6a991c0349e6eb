"""Noise, groups, samples, and the sum of many workers."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.config import ParityRules
from routing.parity.compare import NotCompared
from routing.parity.difference import Difference, Kind, name_of, shown
from routing.parity.metrics import parity_families
from routing.parity.noise import Class, classify, wilson
from routing.parity.report import counters, merge_parity, parity_report
from routing.parity.rules import Rules
from routing.parity.tally import FIRST, MAX_GROUPS, MAX_PATH, MAX_SAMPLES, Tally

RULES = Rules(ParityRules(show=("body.price",)))
REQUEST = {"method": "GET", "target": "/a", "at": 1.0, "status": [200, 200]}
PRICE = Difference("body.price", Kind.VALUE, 1, 2)
TIME = Difference("body.time", Kind.VALUE, 1, 2)


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        pytest.param(0, 0, 0.0, 1.0, id="nothing"),
        pytest.param(0, 10, 0.0, 0.278, id="none"),
        pytest.param(5, 10, 0.237, 0.763, id="half"),
        pytest.param(10, 10, 0.722, 1.0, id="all"),
        pytest.param(1, 100, 0.002, 0.054, id="few"),
    ],
)
def test_wilson(hits: int, trials: int, low: float, high: float) -> None:
    """Figures of Newcombe 1998 and of the formula by hand."""
    assert wilson(hits, trials) == pytest.approx((low, high), abs=0.001)


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_bounds_hold_what_was_seen(hits: int, misses: int) -> None:
    low, high = wilson(hits, hits + misses)
    assert 0 <= low <= high <= 1
    if hits + misses:
        assert low - 1e-9 <= hits / (hits + misses) <= high + 1e-9


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        pytest.param((4, 4, 0, 0), Class.OPEN, id="never-asked-twice"),
        pytest.param((FIRST, FIRST, 0, FIRST), Class.REAL, id="always-and-no-noise"),
        pytest.param((1000, 1000, 20, 20), Class.NOISE, id="a-clock"),
        pytest.param((300, 1000, 15, 50), Class.NOISE, id="noise-now-and-then"),
        pytest.param((900, 1000, 15, 50), Class.REAL, id="more-than-noise"),
        pytest.param((3, 1000, 0, 50), Class.OPEN, id="rare"),
        pytest.param((30, 1000, 0, 500), Class.REAL, id="rare-and-sure"),
    ],
)
def test_classes(figures: tuple[int, int, int, int], expected: Class) -> None:
    assert classify(*figures) is expected


def test_noise_is_told_from_what_is_real() -> None:
    tally = Tally()
    for _ in range(20):
        tally.repeat([TIME])
        tally.add([TIME], REQUEST, RULES)
    assert (tally.different, tally.noise) == (0, 20 - tally.open)
    before = tally.different
    for _ in range(20):
        tally.add([TIME, PRICE], REQUEST, RULES)
    assert tally.different > before + 10
    assert tally.compared == tally.equal + tally.different + tally.noise + tally.open


def test_without_asking_twice_every_difference_is_real() -> None:
    tally = Tally(noise=False)
    assert tally.noise_wanted == 0
    assert tally.add([], REQUEST, RULES) is True
    assert tally.add([PRICE], REQUEST, RULES) is False
    assert (tally.equal, tally.different) == (1, 1)


def test_the_monolith_is_asked_more_often_while_it_is_open() -> None:
    tally = Tally()
    assert tally.noise_wanted == 1.0
    for _ in range(FIRST):
        tally.repeat([])
        tally.add([], REQUEST, RULES)
    assert tally.noise_wanted == 0.0
    tally.add([PRICE], REQUEST, RULES)
    assert tally.open == 1
    assert tally.noise_wanted == 0.5
    for _ in range(300):
        tally.add([], REQUEST, RULES)
    assert tally.noise_wanted == 0.0


def test_groups_and_samples_are_bounded() -> None:
    tally = Tally(noise=False)
    for number in range(MAX_GROUPS * 2):
        for _ in range(MAX_SAMPLES + 1):
            tally.add([Difference(f"body.{number}", Kind.VALUE, 1, 2)], REQUEST, RULES)
    groups = tally.document("shop")["groups"]
    assert len(groups) == MAX_GROUPS + 1
    assert groups[-1]["kind"] == "other"
    assert groups[-1]["samples"] == []
    assert sum(group["count"] for group in groups) == tally.compared
    assert {len(group["samples"]) for group in groups[:-1]} == {MAX_SAMPLES}
    merged = merge_parity([tally.document("shop")] * 3)
    assert len(merged[0]["groups"]) == MAX_GROUPS + 1


def test_what_is_left_over_counts_each_pair_once() -> None:
    many = [Difference(f"body.{number}", Kind.VALUE, 1, 2) for number in range(50)]
    tallies = []
    for part in (many, many[::-1], many[25:] + many[:25]):
        tally = Tally(groups=20)
        for _ in range(9):
            tally.repeat(part)
            tally.add(part, REQUEST, RULES)
        assert {group.count for group in tally.groups.values()} == {9}
        tallies.append(tally.document("shop"))
    (shop,) = parity_report(merge_parity(tallies))
    assert {group["class"] for group in shop["groups"]} <= {"noise", "open"}


def test_paths_and_all_groups_are_bounded() -> None:
    tally = Tally(noise=False, groups=3)
    for number in range(9):
        path = "body" + ".abc" * 200 + f".{number}"
        tally.add([Difference(path, Kind.VALUE, 1, 2)], REQUEST, RULES)
    (group,) = tally.document("shop")["groups"]
    assert (len(group["path"]), group["count"]) == (MAX_PATH, 9)
    for number in range(9):
        tally.add([Difference(f"body.{number}", Kind.VALUE, 1, 2)], REQUEST, RULES)
    assert len(tally.document("shop")["groups"]) == 4


SECRET = "correct horse battery staple"


@pytest.mark.parametrize(
    ("path", "value", "seen", "expected"),
    [
        pytest.param("status", 404, False, "404", id="status"),
        pytest.param("body.name", None, False, "null", id="null"),
        pytest.param("body.name", [1, 2], False, "list of 2", id="list"),
        pytest.param("body.name", SECRET, True, f'"{SECRET}"', id="declared"),
        pytest.param("body.user.email", SECRET, True, "string", id="never"),
        pytest.param("body.accessToken", SECRET, True, "string", id="never-either"),
        pytest.param("headers.authorization", SECRET, True, "string", id="field"),
    ],
)
def test_what_a_sample_shows(path: str, value: object, seen: bool, expected: str) -> None:
    assert shown(path, value, seen=seen) == expected


def test_values_can_be_told_apart_and_not_guessed() -> None:
    first, second = (shown("body.name", value, seen=False) for value in ("anna", "otto"))
    assert first.startswith("string of 4 #")
    assert first != second
    tally = Tally()
    tally.add([Difference("body.name", Kind.VALUE, SECRET, {SECRET: 1})], REQUEST, RULES)
    assert SECRET not in json.dumps(tally.document("shop"))


@pytest.mark.parametrize("key", ["17", "a b", "anna@example.org", "3f2a9c1e88", "user20261128", ""])
def test_names_that_are_data(key: str) -> None:
    assert name_of(key) == "*"


@pytest.mark.parametrize("key", ["name", "createdAt", "line2", "x-y", "_id", "$ref", "face"])
def test_names_that_are_names(key: str) -> None:
    assert name_of(key) == key


def documents() -> list[dict[str, Any]]:
    first, second, other = Tally(), Tally(), Tally()
    for tally in (first, second):
        for _ in range(6):
            tally.repeat([TIME])
            tally.add([TIME], REQUEST, RULES)
            tally.add([TIME, PRICE], REQUEST, RULES)
        tally.skip(NotCompared.TOO_LARGE)
    other.add([], REQUEST, RULES)
    return [first.document("shop"), second.document("shop"), other.document("blog")]


def test_workers_are_added_up() -> None:
    first, second, other = documents()
    once = merge_parity([merge_parity([first]).pop(), second, other])
    assert once == merge_parity([first, second, other])
    blog, shop = once
    assert (blog["capability"], blog["compared"], shop["compared"]) == ("blog", 1, 24)
    assert shop["not_compared"] == {"too_large": 2}
    assert {group["path"]: group["count"] for group in shop["groups"]} == {
        "body.time": 24,
        "body.price": 12,
    }


def test_the_report_begins_with_what_is_real() -> None:
    _, shop = parity_report(merge_parity(documents()))
    real, noise = shop["groups"]
    assert (real["path"], real["class"]) == ("body.price", "real")
    assert (noise["path"], noise["class"]) == ("body.time", "noise")
    assert real["samples"][0]["old"] == "1", "declared to be shown"
    assert noise["samples"][0]["old"].startswith("number #")
    assert shop["agree_low"] <= shop["agree"] <= shop["agree_high"]
    assert len({group["id"] for group in shop["groups"]}) == 2


def test_the_gate_gets_counters_and_the_worst_group() -> None:
    blog, shop = counters(merge_parity(documents()))
    assert blog["most"] is None
    assert shop["most"]["path"] == "body.price"
    assert "groups" not in shop


def test_metrics() -> None:
    families = {each.name: each for each in parity_families(merge_parity(documents()))}
    compared = families["migrator_proxy_parity_compared"].samples
    assert [(each.labels["capability"], each.value) for each in compared] == [
        ("blog", 1),
        ("shop", 24),
    ]
    (skipped,) = families["migrator_proxy_parity_not_compared"].samples
    labels = {"capability": "shop", "access": "read", "why": "too_large"}
    assert (skipped.labels, skipped.value) == (labels, 2)
