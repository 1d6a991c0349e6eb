"""A plan says of the proxy what the proxy's own document can say, in people's units."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from migrator.plan.errors import PlanErrors
from migrator.plan.load import parse
from migrator.plan.model import EndpointRules, Proxy, Service, Spec, Workload
from migrator.plan.proxy import OF_THE_LISTENER, PASSED_ON, proxy_config
from routing.config import (
    CircuitBreaker,
    HealthCheck,
    Hedge,
    Listen,
    OutlierDetection,
    ProxyConfig,
    RetryBudget,
    Upstream,
    parse_config,
)

SAID_ELSEWHERE = {
    "capabilities",
    "context",
    "endpoints",
    "gateway",
    "listen",
    "migration",
    "monolith",
    "services",
}
PROXY = """
    tls: {certificates: [{certificate: shop.pem, key: /keys/shop.pem}], minimum: 1.3}
    proxy_protocol: true
    trusted: [10.0.0.0/8]
    forwarded: both
    origin_tls: {"https://10.0.0.5": {ca: inside.pem, server_name: old.inside}}
    limits: {body: 1048576}
    timeouts: {idle: 1m30s, total: 250ms}
"""
ROUTES = """
        - path: /articles/{id}
          service: articles
        - path: /articles/{id}
          service: articles
          host: "*.beta.example"
          headers: {x-plan: gold}
          query: {debug: true}
          rewrite: {path: "/v2/{id}"}
          request_headers: {set: {x-from: proxy}}
        - path: /old/*
          service: articles
          redirect: {location: "https://new.example/*", status: 308}
"""


def text(small: str, proxy: str = "", routes: str = "") -> str:
    if routes:
        small = small[: small.index("        - {path")] + routes.lstrip("\n")
    return small.replace("spec:\n", f"spec:\n  proxy:{proxy}\n") if proxy else small


def document(plan: str, folder: Path | None = None, *, replicas: int = 1) -> ProxyConfig:
    return proxy_config(
        parse(plan, "p"),
        edge=1,
        gateway=2,
        gateway_host="127.0.0.1",
        monolith="https://10.0.0.5",
        services=dict.fromkeys(("articles", "images"), ("http://a", "http://b")[:replicas]),
        folder=folder,
    )


def test_every_key_can_be_said() -> None:
    """A key that the proxy learns needs a line in `migrator.plan.model.Proxy`."""
    assert set(ProxyConfig.model_fields) - SAID_ELSEWHERE == set(PASSED_ON)
    assert set(Listen.model_fields) == set(OF_THE_LISTENER)
    assert "context" in Spec.model_fields
    here = {*PASSED_ON, *OF_THE_LISTENER, "gateway_port"}
    assert set(Proxy.model_fields) == here


def test_what_is_said_is_what_the_proxy_reads(small: str) -> None:
    config = document(text(small, PROXY, ROUTES), Path("/plans"))
    read = parse_config(config.model_dump_json(), "routes.json")
    assert read.model_dump() == config.model_dump(), "seconds are numbers there"
    assert (read.timeouts.idle, read.timeouts.total, read.timeouts.stall) == (90.0, 0.25, 60.0)
    assert read.listen.tls is not None
    certificate = read.listen.tls.certificates[0]
    assert (certificate.certificate, certificate.key) == (
        Path("/plans/shop.pem"), Path("/keys/shop.pem"),
    )  # fmt: skip
    assert read.origin_tls["https://10.0.0.5"].ca == Path("/plans/inside.pem")
    plain, beta, old = read.capabilities["publishing"].routes
    assert plain.rewrite is None
    assert beta.rewrite is not None
    assert (beta.host, beta.headers, beta.query) == (
        "*.beta.example",
        {"x-plan": "gold"},
        {"debug": True},
    )
    assert old.redirect is not None
    assert old.redirect.status == 308


def test_defaults_are_the_proxys_own(small: str) -> None:
    config = document(small)
    for name in PASSED_ON:
        default = ProxyConfig.model_fields[name].get_default()
        assert config.model_dump(include={name}) == {
            name: default.model_dump() if isinstance(default, BaseModel) else default
        }


def test_capabilities_say_who_switches_them_off(small: str) -> None:
    assert document(small).capabilities["publishing"].switches == ("articles-service",)


RULES = """
      replicas: 2
      health_check: {path: /readyz, interval: 250ms, timeout: 1m}
      outlier_detection: {base_ejection_time: 1m, max_ejection_time: 1h}
      healthy_panic_threshold: 50
      slow_start_window: 1m30s
      circuit_breaker: {max_connections: 8}
      retry_budget: {budget_percent: 5}
      hedge: {after: 20ms}
"""


def test_rules_for_endpoints(small: str) -> None:
    """Each key of the proxy's can be said of a service, and all but one of the monolith."""
    assert set(Upstream.model_fields) - set(Service.model_fields) == {"endpoints"}
    assert set(Service.model_fields) - set(EndpointRules.model_fields) - set(
        Workload.model_fields
    ) == {"replicas", "hedge", "restore"}
    after = "      command: [python, -m, articles]"
    rules = RULES.replace("      replicas: 2\n", "").replace("      hedge: {after: 20ms}\n", "")
    plan = small.replace(after, f"{after}{RULES.rstrip()}").replace(
        "  monolith:", f"  monolith:{rules.replace('      ', '    ').rstrip()}"
    )
    config = document(plan, replicas=2)
    read = parse_config(config.model_dump_json(), "routes.json")
    expected: dict[str, Any] = {
        "health_check": HealthCheck(path="/readyz", interval=0.25, timeout=60),
        "outlier_detection": OutlierDetection(base_ejection_time=60, max_ejection_time=3600),
        "healthy_panic_threshold": 50,
        "slow_start_window": 90,
        "circuit_breaker": CircuitBreaker(max_connections=8),
        "retry_budget": RetryBudget(budget_percent=5),
    }
    assert read.monolith == Upstream(endpoints=("https://10.0.0.5",), **expected)
    assert read.services["articles"] == Upstream(
        endpoints=("http://a", "http://b"), hedge=Hedge(after=0.02), **expected
    )
    assert read.services["images"] == Upstream(endpoints=("http://a", "http://b"))


def test_origins_of_which_nothing_is_said_cost_nothing(small: str) -> None:
    config = document(small)
    assert config.monolith.plain
    assert all(service.plain for service in config.services.values())
    assert config.model_dump(mode="json")["services"] == dict.fromkeys(
        ("articles", "images"), "http://a"
    )
    for name, field in EndpointRules.model_fields.items():
        default = Upstream.model_fields[name].default
        assert field.default == default or field.default.__dict__ == default.__dict__, name


@pytest.mark.parametrize(
    ("proxy", "problem"),
    [
        pytest.param(
            "timeouts: {idle: 5}",
            "5:22: spec.proxy.timeouts.idle: found 5, "
            "expected a duration such as 250ms, 30s, 5m or 1h30m",
            id="no-unit",
        ),
        pytest.param(
            "timeouts: {idle: 2d}",
            "5:22: spec.proxy.timeouts.idle: found '2d', expected a duration of at most 1d",
            id="too-long",
        ),
        pytest.param(
            "timeouts: {idel: 5s}",
            "5:22: spec.proxy.timeouts.idel: unknown key 'idel', expected one of header, idle, "
            "connect, response, stall, retry, drain, total. Did you mean 'idle'?",
            id="misspelt",
        ),
        pytest.param(
            "trusted: [10.0.0.1/8]",
            "5:21: spec.proxy.trusted[0]: found '10.0.0.1/8', '10.0.0.1/8' is not a network, "
            "expected an address or a prefix such as 10.0.0.0/8, with no bit set behind the prefix",
            id="network",
        ),
        pytest.param(
            "proxy_protocol: true",
            "5:3: spec.proxy: listen.proxy_protocol believes trusted peers alone, expected their "
            "networks in trusted",
            id="between-keys",
        ),
    ],
)
def test_problems_of_the_proxy(small: str, proxy: str, problem: str) -> None:
    assert problems(text(small, f" {{{proxy}}}")) == [f"p:{problem}"]


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        pytest.param(
            [{"host": "a.example"}, {"host": "b.example"}, {"headers": {"x-a": "1"}}],
            None,
            id="differ",
        ),
        pytest.param(
            [{"headers": {"x-a": "1"}}, {"headers": {"X-A": "1"}}],
            "routes[1]: /articles/{id} takes the same requests as "
            "spec.capabilities.publishing.routes[0], line 16",
            id="equal-conditions",
        ),
        pytest.param(
            [{"host": "a b"}],
            "routes[0]: publishing: * /articles/{id} host a b: 'a b' is not a host",
            id="host",
        ),
        pytest.param(
            [{"rewrite": {"path": "/{name}"}}],
            "routes[0]: publishing: /articles/{id}: rewrite.path '/{name}' has {name}, "
            "expected one of: {id}",
            id="template",
        ),
        pytest.param(
            [{"request_headers": {"remove": ["Host"]}}],
            "routes[0].request_headers.remove[0]: found 'Host', "
            "host belongs to the message itself, expected another field",
            id="field",
        ),
    ],
)
def test_routes(small: str, routes: list[dict[str, Any]], expected: str | None) -> None:
    same = {"path": "/articles/{id}", "service": "articles"}
    lines = [
        "        - " + yaml.safe_dump({**same, **route}, default_flow_style=True, width=500)
        for route in routes
    ]
    plan = text(small, routes="".join(lines))
    if expected is None:
        parse(plan, "p")
    else:
        (found,) = problems(plan)
        assert expected.lower() in found.lower()


def problems(plan: str) -> list[str]:
    with pytest.raises(PlanErrors) as caught:
        parse(plan, "p")
    return [str(problem) for problem in caught.value.problems]
