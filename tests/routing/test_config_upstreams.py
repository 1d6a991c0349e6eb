"""Origins in the configuration document: a URL, or endpoints with options."""

import json
from typing import Any

import pytest

from routing.config import CircuitBreaker, ProxyConfig, Upstream, parse_config
from routing.errors import InvalidConfig

ONE, TWO = "http://127.0.0.1:1", "http://127.0.0.1:2"


def parsed(service: object, **changes: object) -> ProxyConfig:
    document = {
        "migration": "test",
        "listen": {"port": 0},
        "gateway": {"port": 0},
        "monolith": ONE,
        "services": {"articles": service},
        **changes,
    }
    return parse_config(json.dumps(document), "routes.json")


def test_a_url_is_one_endpoint_and_no_options() -> None:
    config = parsed(TWO)
    assert config.monolith == Upstream(endpoints=(ONE,))
    assert config.services["articles"].plain
    assert str(config.services["articles"]) == TWO
    dumped = config.model_dump(mode="json")
    assert (dumped["monolith"], dumped["services"]) == (ONE, {"articles": TWO})


@pytest.mark.parametrize(
    "service",
    [
        pytest.param({"endpoints": [ONE, TWO]}, id="two"),
        pytest.param({"endpoints": [ONE], "health_check": {"path": "/readyz?a=b"}}, id="check"),
        pytest.param({"endpoints": [ONE], "circuit_breaker": {"max_connections": 8}}, id="limit"),
        pytest.param({"endpoints": [ONE, TWO], "hedge": {"after": 0.2}}, id="hedge"),
    ],
)
def test_options(service: dict[str, Any]) -> None:
    """A worker reads the same from what its parent sends as the parent read from the file."""
    config = parsed(service)
    upstream = config.services["articles"]
    assert not upstream.plain
    assert upstream.endpoints == tuple(service["endpoints"])
    assert ProxyConfig.model_validate(config.model_dump(mode="json")) == config


def test_defaults() -> None:
    upstream = parsed({"endpoints": [ONE, TWO], "circuit_breaker": {}}).services["articles"]
    outlier = upstream.outlier_detection
    assert upstream.circuit_breaker == CircuitBreaker(
        max_connections=1024, max_pending_requests=1024
    )
    assert (outlier.consecutive_5xx, outlier.max_ejection_percent) == (5, 50)
    assert (outlier.base_ejection_time, outlier.max_ejection_time) == (30, 300)
    budget = upstream.retry_budget
    assert (budget.budget_percent, budget.min_retries_per_second) == (20, 10)
    assert (upstream.health_check, upstream.hedge, upstream.slow_start_window) == (None, None, 0)


@pytest.mark.parametrize(
    ("service", "words"),
    [
        pytest.param("ftp://a", r"articles\.endpoints\.0: .*pattern", id="not-http"),
        pytest.param("http://a:65536", "expected a port from 1 to 65535", id="port"),
        pytest.param({"endpoints": []}, r"articles\.endpoints: ", id="none"),
        pytest.param({"endpoints": [ONE, ONE]}, f"{ONE} is named twice", id="twice"),
        pytest.param({"endpoints": [ONE], "hedge": {"after": 1}}, "second endpoint", id="hedge"),
        pytest.param(
            {"endpoints": [ONE], "health_check": {"path": "/a b"}},
            r"articles\.health_check\.path: ",
            id="path",
        ),
        pytest.param(
            {"endpoints": [ONE], "health_check": {"path": "/\r\nX: y"}},
            r"articles\.health_check\.path: ",
            id="path-with-a-line-end",
        ),
        pytest.param(
            {"endpoints": [ONE], "outlier_detection": {"max_ejection_time": 1}},
            r"max_ejection_time \(1\) must not be less than base_ejection_time \(30\)",
            id="times",
        ),
        pytest.param(
            {"endpoints": [ONE], "retry_budget": {"budget_percent": 101}},
            r"articles\.retry_budget\.budget_percent: ",
            id="percent",
        ),
        pytest.param({"endpoint": [ONE]}, r"articles\.endpoint: ", id="unknown"),
        pytest.param(7, r"services\.articles: ", id="a-number"),
    ],
)
def test_refused(service: object, words: str) -> None:
    with pytest.raises(InvalidConfig, match=words):
        parsed(service)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("https://controller:8443/v1/endpoints", None, id="https"),
        pytest.param("http://[::1]:1/x", None, id="loopback"),
        pytest.param("http://10.0.0.1/x", "https address, or http on loopback", id="readable"),
        pytest.param("/var/endpoints", r"endpoints\.url: ", id="file"),
        pytest.param("https://a/x y", r"endpoints\.url: ", id="space"),
        pytest.param("https://me@a/x", r"endpoints\.url: ", id="credentials"),
    ],
)
def test_the_stream(url: str, words: str | None) -> None:
    stream = {"url": url, "token_file": "/run/token"}
    if words is None:
        config = parsed(TWO, endpoints=stream)
        assert config.model_dump(mode="json")["endpoints"] == stream
    else:
        with pytest.raises(InvalidConfig, match=words):
            parsed(TWO, endpoints=stream)
