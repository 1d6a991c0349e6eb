"""Counts of evaluations add up, by minute, and are forgotten after a week."""

import threading
from collections.abc import Callable

from flags.model import Counter, Measure, Sum
from flags.store import Store
from flags.store.evaluations import KEPT_MINUTES

NOW = 30_000_000


def count(variation: int, minute: int = NOW, flag: str = "f", environment: str = "e") -> Counter:
    return Counter("cms", environment, flag, minute, variation)


def measure(name: str, minute: int = NOW, flag: str = "f") -> Measure:
    return Measure("cms", "e", flag, minute, name)


def test_nothing(store: Store) -> None:
    store.evaluations.add({}, {}, NOW)
    assert store.evaluations.by_minute("cms", "e", "f", 0) == {}
    assert store.evaluations.measured("cms", "e", "f", 0) == {}
    assert store.evaluations.last_minutes("cms", "e") == {}


def test_counts_add_up(store: Store) -> None:
    store.evaluations.add({count(0): 3, count(1): 4, count(-1): 1}, {}, NOW)
    store.evaluations.add({count(1): 10, count(1, NOW + 1): 5}, {}, NOW + 1)
    assert store.evaluations.by_minute("cms", "e", "f", 0) == {
        NOW: {-1: 1, 0: 3, 1: 14},
        NOW + 1: {1: 5},
    }
    assert store.evaluations.by_minute("cms", "e", "f", NOW + 1) == {NOW + 1: {1: 5}}


def test_flags_and_environments_are_apart(store: Store) -> None:
    counts = {count(0): 1, count(0, flag="g"): 2, count(0, environment="d"): 3}
    store.evaluations.add(counts, {}, NOW)
    assert store.evaluations.by_minute("cms", "e", "f", 0) == {NOW: {0: 1}}
    assert store.evaluations.by_minute("cms", "e", "g", 0) == {NOW: {0: 2}}
    assert store.evaluations.by_minute("cms", "d", "f", 0) == {NOW: {0: 3}}
    assert store.evaluations.by_minute("shop", "e", "f", 0) == {}


def test_measures_add_up(store: Store) -> None:
    slow, broken = measure("latency_ms.new"), measure("error.new")
    store.evaluations.add({}, {slow: Sum(2, 10.5), broken: Sum(1, 1.0)}, NOW)
    more = {slow: Sum(1, 2.0), measure("latency_ms.new", NOW + 1): Sum(4, 1.25)}
    store.evaluations.add({}, {**more, measure("other", flag=""): Sum(1, 9.0)}, NOW + 1)
    assert store.evaluations.measured("cms", "e", "f", 0) == {
        "latency_ms.new": Sum(7, 13.75),
        "error.new": Sum(1, 1.0),
    }
    assert store.evaluations.measured("cms", "e", "f", NOW + 1) == {"latency_ms.new": Sum(4, 1.25)}
    assert store.evaluations.measured("cms", "e", "", 0) == {"other": Sum(1, 9.0)}


def test_large_counts(store: Store) -> None:
    """More than 32 bits hold."""
    for _ in range(2):
        store.evaluations.add({count(0): 2**40}, {}, NOW)
    assert store.evaluations.by_minute("cms", "e", "f", 0) == {NOW: {0: 2**41}}


def test_the_last_minute(store: Store) -> None:
    counts = {count(0): 1, count(1, NOW - 5): 1, count(0, NOW - 7, flag="g"): 1}
    store.evaluations.add(counts, {}, NOW)
    assert store.evaluations.last_minutes("cms", "e") == {"f": NOW, "g": NOW - 7}


def test_a_week_is_kept(store: Store) -> None:
    old = NOW - KEPT_MINUTES - 1
    counts = {count(0, old): 1, count(0, old + 1): 2, count(0): 3}
    measures = {measure("m", minute): Sum(1, 1.0) for minute in (old, NOW)}
    store.evaluations.add(counts, measures, old)
    assert store.evaluations.by_minute("cms", "e", "f", 0).keys() == {old, old + 1, NOW}
    store.evaluations.add({}, {}, NOW)
    assert store.evaluations.by_minute("cms", "e", "f", 0).keys() == {old + 1, NOW}
    assert store.evaluations.measured("cms", "e", "f", 0) == {"m": Sum(1, 1.0)}


def test_replicas_count_together(postgres: str, opened: Callable[[str], Store]) -> None:
    """In whatever order each has its counters: none waits for what the other holds."""
    stores = [opened(postgres) for _ in range(2)]
    rounds, start, problems = 20, threading.Barrier(2), list[BaseException]()
    counters = [count(variation, NOW + minute) for minute in range(10) for variation in range(5)]
    measures = [measure(f"m{number}") for number in range(10)]

    def report(store: Store, step: int) -> None:
        try:
            for _ in range(rounds):
                start.wait(60)
                counts = dict.fromkeys(counters[::step], 1)
                sums = dict.fromkeys(measures[::step], Sum(1, 0.5))
                store.evaluations.add(counts, sums, NOW)
        except BaseException as error:
            problems.append(error)
            start.abort()

    threads = [
        threading.Thread(target=report, args=(store, step))
        for store, step in zip(stores, (1, -1), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert problems == []
    found = stores[0].evaluations.by_minute("cms", "e", "f", 0)
    assert {c for counts in found.values() for c in counts.values()} == {2 * rounds}
    assert stores[1].evaluations.measured("cms", "e", "f", 0)["m3"] == Sum(2 * rounds, 1.0 * rounds)


def test_counting_tells_nobody(store: Store) -> None:
    heard: list[object] = []
    store.core.follow(heard.append)
    heard.clear()
    store.evaluations.add({count(0): 1}, {}, NOW)
    assert heard == []
