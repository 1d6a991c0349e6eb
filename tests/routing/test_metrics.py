"""What Prometheus reads, read back by its own parser."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from routing.metrics import WorkerState, exposition
from routing.outcomes import Outcomes, merge_outcomes
from routing.stats import Stats, merge

WORKER = WorkerState(id=0, accepting=True, flags="cached", connections=3)


def samples(cells: list[dict[str, Any]]) -> dict[tuple[str, frozenset[str]], float]:
    """Value by name and label values."""
    families = text_string_to_metric_families(exposition(cells, {}, [WORKER]).decode())
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def cells(latencies: list[float], errors: int = 0) -> list[dict[str, Any]]:
    stats = Stats()
    cell = stats.cell(("publishing", "live", "new"))
    for latency in latencies:
        cell.requests += 1
        cell.record(latency)
    cell.errors = errors
    return stats.document()


def test_counters_and_workers() -> None:
    read = samples(merge((*cells([1.0, 3.0], errors=1), *cells([5.0]))))
    labels = frozenset(("publishing", "live", "new"))
    assert read["migrator_proxy_requests_total", labels] == 3
    assert read["migrator_proxy_errors_total", labels] == 1
    assert read["migrator_proxy_fallbacks_total", labels] == 0
    assert read["migrator_proxy_response_seconds_count", labels] == 3
    assert read["migrator_proxy_response_seconds_sum", labels] == pytest.approx(0.009)
    assert read["migrator_proxy_client_connections", frozenset("0")] == 3
    assert read["migrator_proxy_worker_accepting", frozenset("0")] == 1
    states = {
        state: read["migrator_proxy_flags", frozenset(("0", state))]
        for state in ("streaming", "cached")
    }
    assert states == {"streaming": 0, "cached": 1}


def test_what_no_route_matched() -> None:
    stats = Stats()
    stats.cell((None, None, "old")).requests = 1
    assert samples(stats.document())["migrator_proxy_requests_total", frozenset(("", "old"))] == 1


@given(st.lists(st.floats(0.01, 100_000), max_size=30))
def test_buckets(latencies: list[float]) -> None:
    """Each bucket counts what is not above its bound; the last one counts everything."""
    document = exposition(cells([*latencies, 1.0]), {}, []).decode()
    (family,) = (
        family
        for family in text_string_to_metric_families(document)
        if family.name == "migrator_proxy_response_seconds"
    )
    buckets = [sample for sample in family.samples if sample.name.endswith("_bucket")]
    assert float(buckets[-1].labels["le"]) == float("inf")
    for sample in buckets:
        bound = float(sample.labels["le"]) * 1000
        assert sample.value == sum(1 for each in (*latencies, 1.0) if each <= bound)


def test_outcomes_of_all_workers() -> None:
    outcomes = Outcomes()
    outcomes.count("carried_decisions", "late")
    merged = merge_outcomes((outcomes.document(), outcomes.document(), {}))
    text = exposition([], merged, []).decode()
    assert 'migrator_proxy_carried_decisions_total{outcome="late"} 2.0' in text
    assert 'migrator_proxy_carried_decisions_total{outcome="forged"} 0.0' in text
