"""The plan becomes programs with their environments."""

import json
from pathlib import Path

import pytest

from migrator.compose import Composition, compose, substitute, wanted_ports
from migrator.errors import InvalidInput
from migrator.plan.load import parse
from migrator.secrets import Secrets
from migrator.state import StateDir
from routing.config import parse_config

PLAN = """
apiVersion: migrator.dev/v1alpha1
kind: Migration
metadata: {name: shop}
spec:
  flags: {project: shop}
  secrets: [SHARED]
  monolith: {workload: {command: [python, -m, shop], env: {PEER: "${services.cart.url}/x"}}}
  services:
    cart: {command: [python, -m, cart], cwd: code, env: {OLD: "${monolith.url}"}}
  capabilities:
    buying: {routes: [{path: "/cart/*", service: cart, second_writes: false}]}
"""


def composed(tmp_path: Path, text: str = PLAN, **environment: str) -> Composition:
    plan = parse(text, "plan.yaml")
    ports = {name: 20_000 + number for number, name in enumerate(wanted_ports(plan))}
    secrets = Secrets.make("alice", lambda size: "ab" * size).completed(
        "alice", ["SHARED"], lambda size: "cd" * size
    )
    return compose(
        plan,
        folder=tmp_path,
        ports=ports,
        secrets=secrets,
        state=StateDir(tmp_path / "state"),
        environment={
            "PATH": "/bin",
            "LAUNCHDARKLY_SDK_KEY": "mine",
            "MIGRATOR_STATE": "x",
            "A": "b",
            **environment,
        },
        python="/venv/bin/python",
    )


@pytest.fixture
def composition(tmp_path: Path) -> Composition:
    return composed(tmp_path)


def test_workloads_get_what_they_need(composition: Composition, tmp_path: Path) -> None:
    cart = next(spec for spec in composition.specs if spec.name == "cart")
    assert cart.cwd == (tmp_path / "code").resolve()
    assert cart.env["PORT"] == str(cart.port)
    assert cart.env["SHARED"] == "cd" * 32
    assert cart.env["OLD"] == composition.addresses.monolith
    assert cart.env["LAUNCHDARKLY_BASE_URI"] == composition.addresses.flags
    assert cart.env["LAUNCHDARKLY_SDK_KEY"].startswith("sdk-abab"), "never the key of our own shell"
    assert cart.env["PATH"] == "/venv/bin:/bin"
    assert (cart.env["A"], "MIGRATOR_STATE" in cart.env) == ("b", False)


def test_workloads_can_push_metrics_where_the_plan_wants_some(
    composition: Composition, tmp_path: Path
) -> None:
    assert not any(name.startswith("OTEL_") for spec in composition.specs for name in spec.env)
    otlp = "{name: a, max: 5, otlp: {value: queue, old: monolith, new: cart}}"
    wanted = PLAN.replace("second_writes: false}]", f"}}], analysis: {{metrics: [{otlp}]}}")
    for spec in composed(tmp_path, wanted).specs:
        pushing = {k: v for k, v in spec.env.items() if k.startswith("OTEL_")}
        assert bool(pushing) == (spec.name in ("cart", "monolith")), spec.name
        if pushing:
            assert pushing["OTEL_SERVICE_NAME"] == spec.name
            assert pushing["OTEL_RESOURCE_ATTRIBUTES"] == f"service.instance.id={spec.name}"
            url = f"{composition.addresses.controller}/v1/metrics"
            assert pushing["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"] == url
            token = pushing["OTEL_EXPORTER_OTLP_METRICS_HEADERS"].rpartition("%20")[2]
            assert token == "ab" * 24


def test_only_workloads_get_their_secrets(composition: Composition) -> None:
    for spec in composition.specs:
        given = "SHARED" in spec.env
        assert given == (spec.name in ("cart", "monolith")), spec.name
        assert "ab" * 16 not in " ".join(spec.command), "a secret in arguments can be read by all"


def test_flags_come_first_and_the_controller_last(composition: Composition) -> None:
    ordered = sorted(composition.specs, key=lambda spec: spec.level)
    assert ordered[0].name == "flag-server"
    assert [spec.name for spec in ordered[-2:]] == ["proxy", "controller"]


def test_launchdarkly_needs_no_flag_server(tmp_path: Path) -> None:
    text = PLAN.replace("{project: shop}", "{project: shop, server: launchdarkly}")
    with pytest.raises(InvalidInput, match=r"\$LAUNCHDARKLY_ACCESS_TOKEN is not set"):
        composed(tmp_path, text)
    theirs = composed(tmp_path, text, LAUNCHDARKLY_ACCESS_TOKEN="api-5511")
    given = {spec.name: spec.env for spec in theirs.specs}
    assert given.keys() == {"cart", "monolith", "proxy", "controller"}
    assert theirs.credentials is None
    assert theirs.addresses.flags == "https://app.launchdarkly.com"
    for name, env in given.items():
        ours = {k: v for k, v in env.items() if k.startswith("LAUNCHDARKLY_")}
        if name == "controller":
            assert ours == {"LAUNCHDARKLY_ACCESS_TOKEN": "api-5511"}
        else:
            assert ours == {
                "LAUNCHDARKLY_SDK_KEY": "mine",
                "LAUNCHDARKLY_BASE_URI": "https://sdk.launchdarkly.com",
                "LAUNCHDARKLY_STREAM_URI": "https://stream.launchdarkly.com",
                "LAUNCHDARKLY_EVENTS_URI": "https://events.launchdarkly.com",
            }


def test_the_proxys_document(composition: Composition) -> None:
    buying = composition.routes["capabilities"]["buying"]
    assert buying["flag"] == "buying"
    assert buying["routes"][0]["second_writes"] is False
    assert composition.routes["services"] == {"cart": composition.addresses.services["cart"]}
    read = parse_config(json.dumps(composition.routes), "routes.json")
    assert read.model_dump(mode="json") == composition.routes


def test_the_proxy_gets_the_secrets_of_the_plan(tmp_path: Path) -> None:
    text = PLAN.replace(
        "second_writes: false", "second_writes: false, request_headers: {set: {X-Key: abc}}"
    )
    (route,) = composed(tmp_path, text).routes["capabilities"]["buying"]["routes"]
    assert route["request_headers"]["set"] == {"X-Key": "abc"}


def test_replicas(tmp_path: Path) -> None:
    """They share their service's folder, and differ in their ports alone."""
    text = PLAN.replace("cwd: code,", "cwd: code, replicas: 3, port: 9000,")
    ports = wanted_ports(parse(text, "plan.yaml"))
    assert [ports[name] for name in ("cart", "cart.2", "cart.3")] == [9000, 0, 0]
    composition = composed(tmp_path, text)
    carts = [spec for spec in composition.specs if spec.service == "cart"]
    assert [spec.name for spec in carts] == ["cart", "cart.2", "cart.3"]
    assert len({spec.port for spec in carts}) == len({spec.ready for spec in carts}) == 3
    assert len({frozenset({**spec.env, "PORT": ""}.items()) for spec in carts}) == 1
    origins = [f"http://127.0.0.1:{spec.port}" for spec in carts]
    assert composition.routes["services"]["cart"]["endpoints"] == origins
    assert composition.addresses.services == {"cart": origins[0]}
    monolith = next(spec for spec in composition.specs if spec.name == "monolith")
    assert monolith.env["PEER"] == f"{origins[0]}/x"
    assert [spec.keep_probing for spec in (*carts, monolith)] == [True, True, True, False]
    assert monolith.service is None


def test_the_proxy_follows_the_controller(composition: Composition, tmp_path: Path) -> None:
    assert composition.routes["endpoints"] == {
        "url": f"{composition.addresses.controller}/v1/endpoints",
        "token_file": str(tmp_path / "state" / "endpoints-token"),
    }


def test_tls_shows_in_the_address(tmp_path: Path) -> None:
    tls = "proxy: {tls: {certificates: [{certificate: a.pem, key: a-key.pem}]}}"
    composition = composed(tmp_path, PLAN.replace("spec:\n", f"spec:\n  {tls}\n"))
    assert composition.addresses.proxy.startswith("https://127.0.0.1:")
    (files,) = composition.routes["listen"]["tls"]["certificates"]
    assert files["key"] == str((tmp_path / "a-key.pem").resolve())


@pytest.mark.parametrize(
    ("text", "expected"),
    [("${a.url}/x", "http://h/x"), ("${b.url}", "${b.url}"), ("$a", "$a"), ("", "")],
)
def test_substitute(text: str, expected: str) -> None:
    assert substitute(text, {"a.url": "http://h"}) == expected
