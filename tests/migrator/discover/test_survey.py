"""Two passes over requests, and the plan that comes of it."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.discover.plan import starter
from migrator.discover.report import document
from migrator.discover.request import Request
from migrator.discover.survey import FEW, Findings, Templates
from migrator.discover.templates import Router
from migrator.errors import InvalidInput
from migrator.plan.load import load, parse
from migrator.plan.model import Migration
from routing.config import Capability, RouteRule
from routing.table import RouteTable


def survey(requests: Sequence[Request], declared: dict[str, str | None] | None = None) -> Findings:
    first = Templates(declared or {})
    for request in requests:
        first.add(request)
    second = first.survey()
    for request in requests:
        second.add(request)
    return second.findings()


def paths(findings: Findings) -> dict[str, int]:
    return {route.path: route.requests for group in findings.groups for route in group.routes}


def table(plan: Migration) -> RouteTable:
    return RouteTable(
        {
            name: Capability(
                flag=name,
                routes=tuple(RouteRule(path=r.path, service=r.service) for r in capability.routes),
            )
            for name, capability in plan.spec.capabilities.items()
        }
    )


def test_counts() -> None:
    findings = survey(
        [
            Request("GET", "/articles/1", 200),
            Request("GET", "/articles/2", 404),
            Request("PUT", "/articles/3", 503),
            Request("GET", "/static/a.css", 200),
            Request("GET", "/healthz", 200),
            Request("GET", "/wp-login.php", 404),
        ]
    )
    (group,) = findings.groups
    assert (group.name, group.facts.requests) == ("articles", 3)
    assert group.facts.errors == group.facts.writes == pytest.approx(1 / 3)
    assert group.routes[0].methods == {"GET": 2, "PUT": 1}
    assert (findings.requests, findings.aside, findings.unmatched) == (3, 2, 1)


def test_documented_templates_win() -> None:
    declared = {"/a/{key}": "Things", "/a/{key}/never": None}
    findings = survey([Request("GET", "/a/word", 200), Request("GET", "/b/7", 200)], declared)
    assert paths(findings) == {"/a/{key}": 1, "/a/{key}/never": 0, "/b/{id}": 1}
    assert {group.name for group in findings.groups} == {"things", "a", "b"}


@pytest.mark.parametrize(
    ("route", "template"),
    [
        pytest.param("/p/{slug}", "/p/{slug}", id="plan"),
        pytest.param("/p/<string:slug>", "/p/{slug}", id="flask"),
        pytest.param("/p/word", "/p/word", id="only-the-path"),
        pytest.param("/p/*", "/p/word", id="wildcard"),
        pytest.param("^p/(?P<slug>.*)$", "/p/word", id="regular-expression"),
        pytest.param("/slug/{slug}", "/p/word", id="of-a-part"),
    ],
)
def test_the_requests_own_route(route: str, template: str) -> None:
    assert paths(survey([Request("GET", "/p/word", 200, route=route)])) == {template: 1}


def test_users_names_are_no_words() -> None:
    findings = survey([Request("GET", "/blog/ann", 200), Request("GET", "/", 200, user="Ann")])
    assert "/blog/{name}" in paths(findings)


def test_order() -> None:
    reads = [Request("GET", "/reads/1", 200)] * FEW
    writes = [Request("POST", "/writes/1", 200)] * FEW
    findings = survey([*reads, *writes, Request("GET", "/hardly", 200)])
    assert [group.name for group in findings.groups] == ["reads", "writes", "hardly"]


def test_traces_beside_a_log_say_only_what_goes_together() -> None:
    first = Templates({})
    seen = [Request("GET", "/a/1", 200, trace=1), Request("GET", "/b/1", 200, trace=1)]
    for request in seen:
        first.add(request)
    second = first.survey()
    for request in seen:
        second.add(request, counts=False)
    findings = second.findings()
    assert findings.requests == 0
    assert {group.facts.coupling for group in findings.groups} == {1.0}


SEGMENTS = st.sampled_from(
    ["api", "v1", "articles", "articles-service", "comments", "users", "7", "ann", "a-b-c", "é",
     "*", "{x}", "a?", '"', "#", "\\", "..", "$(id)", "gateway"]
)  # fmt: skip
REQUESTS = st.lists(
    st.builds(
        Request,
        st.sampled_from(["GET", "POST"]),
        st.tuples(st.lists(SEGMENTS, max_size=4), st.sampled_from(["", "/"])).map(
            lambda parts: "/" + "/".join(parts[0]) + (parts[1] if parts[0] else "")
        ),
        st.sampled_from([200, 500]),
        who=st.sampled_from([None, 1, 2]),
        tables=st.frozensets(st.sampled_from(["orders", "notes"])),
    ),
    min_size=1,
    max_size=40,
)
DECLARED = st.sampled_from([{}, {"/api/{a}": "Articles service"}, {"/{x}/{y}": None}])


@settings(max_examples=60)
@given(REQUESTS, DECLARED)
def test_the_plan_is_valid_and_routes_every_request_to_its_group(
    requests: list[Request], declared: dict[str, str | None]
) -> None:
    findings = survey(requests, declared)
    plan = parse(starter(findings, "shop"), "p.yaml")
    assert set(plan.spec.capabilities) == {group.name for group in findings.groups}
    routes = table(plan)
    groups = {route.path: group.name for group in findings.groups for route in group.routes}
    for request in requests:
        template = Router(groups).match(request.path)
        assert template is not None
        route = routes.match(request.method.encode(), request.path.encode())
        if "/../" not in f"{request.path}/":  # the proxy resolves it
            assert route is not None
            assert route.capability == groups[template]
    assert findings.requests + findings.aside + findings.unmatched == len(requests)
    assert document(findings)["requests"] == findings.requests


def test_the_plan_says_what_was_seen(tmp_path: Path) -> None:
    requests = [
        Request("GET", "/articles/1/", 200, who=1, tables=frozenset({"views"})),
        Request("POST", "/comments", 500, who=1, tables=frozenset({"views"})),
    ]
    file = tmp_path / "p.yaml"
    file.write_text(starter(survey(requests), "shop"))
    text = file.read_text()
    plan = load(file)
    assert plan.metadata.name == "shop"
    assert [route.path for route in plan.spec.capabilities["articles"].routes] == [
        "/articles/{id}",
        "/articles/{id}/*",
    ]
    assert "# POST 1" in text
    assert "100.00% failed, 100% writes" in text
    assert "Writes tables that others write, too: views (comments)." in text
    assert "Crosses to comments (1, 1.0 times chance)" in text
    assert max(map(len, text.splitlines())) <= 100
    assert re.search(r"Risk \d+ of 100: coupling 25/25", text)


def test_nothing_to_plan() -> None:
    with pytest.raises(InvalidInput, match="no route"):
        starter(survey([]), "shop")
