"""What many workers say, added up, and as metrics."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from routing.config import ProxyConfig
from routing.endpoint_stats import COUNTERS, GAUGES, ORIGIN_COUNTERS, configured, merge, retired
from routing.metrics import exposition

ADDRESS = "http://127.0.0.1:1"


def endpoint(**changes: object) -> dict[str, Any]:
    numbers = dict.fromkeys((*GAUGES, *COUNTERS), 0)
    return {"address": ADDRESS, "healthy": True, "ejected_until": None, **numbers, **changes}


def origin(*endpoints: dict[str, Any], **changes: object) -> dict[str, Any]:
    numbers = dict.fromkeys(ORIGIN_COUNTERS, 0)
    return {"service": "articles", **numbers, **changes, "endpoints": list(endpoints)}


def test_two_workers() -> None:
    one = [origin(endpoint(active=1, requests=5, healthy=False, ejected_until=7.0), retries=2)]
    other = [origin(endpoint(active=2, requests=6, ejected_until=9.0), retries=3)]
    before = json.dumps((one, other))
    assert merge((one, other)) == [
        origin(endpoint(active=3, requests=11, healthy=False, ejected_until=9.0), retries=5)
    ]
    assert json.dumps((one, other)) == before, "reports are not changed"


def test_a_worker_that_has_ended_leaves_its_counters() -> None:
    ended = retired([origin(endpoint(active=1, requests=5, healthy=False, ejected_until=7.0))])
    assert ended == [origin(endpoint(requests=5))]


def test_what_is_configured_no_more() -> None:
    config = ProxyConfig.model_validate(
        {
            "migration": "test",
            "listen": {"port": 0},
            "gateway": {"port": 0},
            "monolith": "http://127.0.0.1:9",
            "services": {"articles": ADDRESS},
        }
    )
    gone = endpoint(address="http://127.0.0.1:2")
    document = [origin(endpoint(), gone), origin(endpoint(), service="gone")]
    assert configured(document, config) == [origin(endpoint())]


@given(st.lists(st.sets(st.integers(0, 3)), max_size=5))
def test_nothing_is_lost(workers: list[set[int]]) -> None:
    documents = [
        [origin(*(endpoint(address=f"http://a:{each + 1}", requests=1) for each in worker))]
        for worker in workers
    ]
    merged = merge(documents)
    total = sum(each["requests"] for one in merged for each in one["endpoints"])
    assert total == sum(len(worker) for worker in workers)
    assert merge([merged]) == merged


def test_metrics() -> None:
    document = [
        origin(endpoint(requests=5, active=2, ejected_until=7.0), retries=3),
        origin(endpoint(healthy=False), service=None),
    ]
    read = {
        (sample.name, sample.labels["service"]): sample.value
        for family in text_string_to_metric_families(
            exposition([], {}, [], origins=document).decode()
        )
        for sample in family.samples
        if "service" in sample.labels
    }
    assert read["migrator_proxy_retries_total", "articles"] == 3
    assert read["migrator_proxy_endpoint_requests_total", "articles"] == 5
    assert read["migrator_proxy_endpoint_active", "articles"] == 2
    assert read["migrator_proxy_endpoint_ejected", "articles"] == 1
    assert read["migrator_proxy_endpoint_healthy", "articles"] == 1
    assert read["migrator_proxy_endpoint_healthy", ""] == 0
