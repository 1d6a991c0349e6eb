"""Rules between parts of a plan: each can fail, with its place, and the small plan keeps all."""

from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrator.plan.check import RESERVED
from migrator.plan.errors import PlanErrors
from migrator.plan.load import parse

PUB = "spec.capabilities.publishing"


def problems(text: str) -> list[str]:
    with pytest.raises(PlanErrors) as caught:
        parse(text, "p")
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("addition", "problem"),
    [
        pytest.param(
            "context: {kind: multi}",
            "5:13: spec.context.kind: found 'multi', "
            "expected a name that LaunchDarkly does not reserve",
            id="reserved-kind",
        ),
        pytest.param(
            "context: {attributes: {key: {cookie: a}}}",
            "5:26: spec.context.attributes.key: found 'key', "
            "expected a name that LaunchDarkly does not reserve",
            id="reserved-attribute",
        ),
        pytest.param(
            "secrets: [KEY, DATA_DIR]",
            "5:18: spec.secrets[1]: 'DATA_DIR' is set by the runtime; expected another name",
            id="secret-of-the-runtime",
        ),
        pytest.param(
            "secrets: [LAUNCHDARKLY_SDK_KEY]",
            "5:13: spec.secrets[0]: 'LAUNCHDARKLY_SDK_KEY' is set by the runtime; "
            "expected another name",
            id="secret-of-launchdarkly",
        ),
        pytest.param(
            "flags: {port: 8080}",
            "5:3: spec.proxy.port: port 8080 is also spec.flags.port, line 5; 0 is any port",
            id="port-is-a-default",
        ),
        pytest.param(
            "flags: {server: launchdarkly, port: 9000}",
            "5:33: spec.flags.port: 'port' has no effect with server: launchdarkly, only with "
            "server: embedded; leave it out",
            id="port-of-launchdarkly",
        ),
        pytest.param(
            "flags: {api: 'https://app.eu.example.com'}",
            "5:11: spec.flags.api: 'api' has no effect with server: embedded, only with "
            "server: launchdarkly; leave it out",
            id="address-of-the-embedded-server",
        ),
        pytest.param(
            "proxy: {port: 9000, gateway_port: 9000}",
            "5:23: spec.proxy.gateway_port: port 9000 is also spec.proxy.port, line 5; "
            "0 is any port",
            id="ports-of-the-proxy",
        ),
    ],
)
def test_spec(small: str, addition: str, problem: str) -> None:
    text = small.replace("spec:\n", f"spec:\n  {addition}\n")
    (found,) = problems(text)
    path = problem.split(": ")[1]
    assert found.split(": ", 1)[1] == problem.split(": ", 1)[1]
    if path in {"spec.proxy.port"}:  # a default stands nowhere: its nearest ancestor is shown
        assert found.startswith("p:4:1: ")
    else:
        assert found == f"p:{problem}"


@pytest.mark.parametrize(
    ("env", "problem"),
    [
        pytest.param(
            "{A: '${services.article.url}/x'}",
            "found ${services.article.url}, expected one of gateway.url, monolith.url, "
            "services.articles.url, services.images.url. Did you mean 'services.articles.url'?",
            id="misspelt",
        ),
        pytest.param(
            "{A: '${HOME}'}",
            "found ${HOME}, expected one of gateway.url, monolith.url, services.articles.url, "
            "services.images.url",
            id="unknown",
        ),
        pytest.param(
            "{A: '${gateway.url}${}'}",
            "found ${}, expected one of gateway.url, monolith.url, services.articles.url, "
            "services.images.url",
            id="second-in-one-value",
        ),
    ],
)
@pytest.mark.parametrize(
    ("after", "path"),
    [
        pytest.param("command: [python, -m, articles]\n", "spec.services.articles", id="service"),
        pytest.param("command: [python, -m, monolith]\n", "spec.monolith.workload", id="monolith"),
    ],
)
def test_reference(small: str, after: str, path: str, env: str, problem: str) -> None:
    text = small.replace(after, f"{after}      env: {env}\n")
    (found,) = problems(text)
    assert found.split(": ", 1)[1] == f"{path}.env.A: {problem}"


@pytest.mark.parametrize(
    "value",
    ["${monolith.url}", "x${gateway.url}y${services.images.url}", "$HOME", "{a}", "$", ""],
)
def test_good_reference(small: str, value: str) -> None:
    after = "command: [python, -m, articles]\n"
    parse(small.replace(after, f"{after}      env: {{A: '{value}'}}\n"), "p")


@pytest.mark.parametrize("name", RESERVED)
def test_names_of_our_own_programs(small: str, name: str) -> None:
    text = small.replace("    images:", f"    {name}:")
    assert problems(text) == [
        f"p:11:5: spec.services.{name}: {name!r} is what a program of migrator itself is called; "
        "expected another name"
    ]


def test_a_hedge_alone(small: str) -> None:
    after = "command: [python, -m, articles]\n"
    text = small.replace(after, f"{after}      hedge: {{after: 250ms}}\n")
    assert problems(text) == [
        "p:11:7: spec.services.articles.hedge: a second attempt needs a second endpoint, "
        "found replicas: 1, expected 2 or more"
    ]
    parse(text.replace("hedge:", "replicas: 2\n      hedge:"), "p")


def test_equal_ports_of_services(small: str) -> None:
    text = small.replace("[python, -m, articles]", "[a]\n      port: 9000").replace(
        "[python, -m, images]", "[b]\n      port: 9000"
    )
    assert problems(text) == [
        "p:14:7: spec.services.images.port: port 9000 is also spec.services.articles.port, "
        "line 11; 0 is any port"
    ]


def test_any_port_may_be_asked_for_twice(small: str) -> None:
    parse(small.replace("spec:\n", "spec:\n  flags: {port: 0}\n  proxy: {port: 0}\n"), "p")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        pytest.param("", "https://app.launchdarkly.com", id="launchdarkly-itself"),
        pytest.param(", api: 'http://10.0.0.5:8030'", "http://10.0.0.5:8030", id="plain"),
        pytest.param(", api: 'https://flags.example.com/ld/'", "https://flags.example.com/ld",
                     id="with-a-path"),
        pytest.param(", port: 8765", "https://app.launchdarkly.com", id="a-default-is-no-choice"),
    ],
)  # fmt: skip
def test_addresses_of_launchdarkly(small: str, flags: str, expected: str) -> None:
    text = f"spec:\n  flags: {{server: launchdarkly{flags}}}\n  proxy: {{port: 8765}}\n"
    assert parse(small.replace("spec:\n", text), "p").spec.flags.api == expected


@pytest.mark.parametrize(
    "address", ["app.launchdarkly.com", "https://", "ftp://a", "https://u:p@a"]
)
def test_what_is_no_address_of_launchdarkly(small: str, address: str) -> None:
    text = f"spec:\n  flags: {{server: launchdarkly, api: '{address}'}}\n"
    (problem,) = problems(small.replace("spec:\n", text))
    assert "expected an address such as https://app.launchdarkly.com" in problem


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param(
            ("methods: [GET], service: articles", "methods: [GET], service: artikles"),
            f"16:52: {PUB}.routes[0].service: no service is called 'artikles', "
            "expected one of articles, images. Did you mean 'articles'?",
            id="service-of-a-route",
        ),
        pytest.param(
            ("      routes:\n", "      needs: [images, search]\n      routes:\n"),
            f"15:23: {PUB}.needs[1]: no service is called 'search', "
            "expected one of articles, images",
            id="needed-service",
        ),
        pytest.param(
            ("    publishing:", "    images-service:"),
            "14:5: spec.capabilities.images-service: 'images-service' is the flag of service "
            "'images'; choose another name",
            id="name-of-a-service-flag",
        ),
        pytest.param(("methods: [POST]", "methods: [POST, GET]"), None, id="different-paths"),
        pytest.param(
            ('"/articles", methods: [POST]', '"/articles/{name}", methods: [POST]'),
            None,
            id="same-path-other-method",
        ),
        pytest.param(
            ('"/articles", methods: [POST]', '"/articles/{name}", methods: [POST, GET]'),
            f"17:11: {PUB}.routes[1]: /articles/{{name}} takes the same requests as "
            f"{PUB}.routes[0], line 16",
            id="same-path-same-method",
        ),
        pytest.param(
            ('"/articles", methods: [POST]', '"/articles/{name}"'),
            None,
            id="a-named-method-wins-over-every-method",
        ),
    ],
)
def test_capability(small: str, change: tuple[str, str], problem: str | None) -> None:
    assert small.count(change[0]) == 1
    text = small.replace(*change)
    if problem is None:
        parse(text, "p")
    else:
        assert problems(text) == [f"p:{problem}"]


def test_equal_routes_of_two_capabilities(small: str) -> None:
    other = '    other: {routes: [{path: "/articles", methods: [POST], service: images}]}\n'
    assert problems(small + other) == [
        "p:18:22: spec.capabilities.other.routes[0]: /articles takes the same requests as "
        f"{PUB}.routes[1], line 17"
    ]


SEGMENT = "expected plain text, one {name}, or a * as the last one"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param("/", None, id="root"),
        pytest.param("/*", None, id="everything"),
        pytest.param("/a/{b}/{c}/*", None, id="parameters-and-rest"),
        pytest.param("/a-b_c.d~e%20", None, id="plain"),
        pytest.param("/a/*/b", f"found the segment '*', {SEGMENT}", id="star-in-the-middle"),
        pytest.param("/a*", f"found the segment 'a*', {SEGMENT}", id="star-in-a-segment"),
        pytest.param("/{a}x", f"found the segment '{{a}}x', {SEGMENT}", id="half-a-parameter"),
        pytest.param("/{}", f"found the segment '{{}}', {SEGMENT}", id="nameless"),
        pytest.param("/{1a}", f"found the segment '{{1a}}', {SEGMENT}", id="digit-first"),
        pytest.param("/a?b=c", f"found the segment 'a?b=c', {SEGMENT}", id="query"),
        pytest.param("/a#b", f"found the segment 'a#b', {SEGMENT}", id="fragment"),
        pytest.param("/a b", f"found the segment 'a b', {SEGMENT}", id="space"),
        pytest.param("/ä", f"found the segment 'ä', {SEGMENT}", id="not-ascii"),
        pytest.param(
            "/a/", "found an empty segment; leave out the doubled or trailing /", id="trailing"
        ),
        pytest.param(
            "//a//", "found an empty segment; leave out the doubled or trailing /", id="doubled"
        ),
        pytest.param("/{a}/{a}", "the parameter {a} is there twice", id="parameter-twice"),
    ],
)
def test_path(small: str, path: str, message: str | None) -> None:
    text = small.replace('path: "/articles"', f'path: "{path}"')
    if message is None:
        parse(text, "p")
    else:
        assert problems(text) == [f"p:17:12: {PUB}.routes[1].path: {message}"]


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        pytest.param("", "18:7: {}: found no step, expected at least one", id="empty"),
        pytest.param(
            "{stage: off}",
            "18:19: {}[0].stage: found 'off', which is where every rollout begins",
            id="off",
        ),
        pytest.param(
            "{stage: live}, {stage: shadow}",
            "18:34: {}[1].stage: shadow comes before live; stages only advance",
            id="back",
        ),
        pytest.param(
            "{stage: live, share: 5%}, {stage: live, share: 2.5%}",
            "18:58: {}[1].share: found 2.5% after 5%; shares only grow within a stage",
            id="shrink",
        ),
        pytest.param(
            "{stage: live, share: 5%}, {stage: complete}",
            "18:44: {}[1]: live is only at 5%; bring it to 100% first",
            id="stage-left-half-way",
        ),
    ],
)
def test_schedule(small: str, steps: str, problem: str) -> None:
    text = f"{small}      schedule: [{steps}]\n"
    assert problems(text) == [f"p:{problem.replace('{}', PUB + '.schedule')}"]


@given(st.data())
def test_steps_that_only_advance_are_fine(
    step_lists: st.SearchStrategy[list[dict[str, Any]]], data: st.DataObject
) -> None:
    text = yaml.safe_dump(plan_of(data.draw(step_lists)))
    assert parse(text, "p")


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(st.data())
def test_a_swap_of_different_steps_is_a_problem(
    step_lists: st.SearchStrategy[list[dict[str, Any]]], data: st.DataObject
) -> None:
    steps = data.draw(step_lists.filter(lambda steps: len(steps) > 1))
    at = data.draw(st.integers(0, len(steps) - 2))
    steps[at], steps[at + 1] = steps[at + 1], steps[at]
    assert all(".schedule[" in problem for problem in problems(yaml.safe_dump(plan_of(steps))))


def plan_of(steps: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "migrator.dev/v1alpha1",
        "kind": "Migration",
        "metadata": {"name": "m"},
        "spec": {
            "monolith": {"url": "http://old:80"},
            "services": {"s": {"command": ["s"]}},
            "capabilities": {
                "c": {"routes": [{"path": "/", "service": "s"}], "schedule": steps},
            },
        },
    }


@pytest.mark.timeout(30)
def test_thousands_of_equal_routes_are_judged_soon(small: str) -> None:
    routes = '        - {path: "/articles", methods: [POST], service: articles}\n' * 3000
    assert len(problems(small + routes)) == 3000


def test_a_step_needs_a_stage_that_the_flag_has() -> None:
    with pytest.raises(PlanErrors) as refused:
        parse(
            """\
apiVersion: migrator.dev/v1alpha1
kind: Migration
metadata: {name: shop}
spec:
  monolith: {url: "http://127.0.0.1:1"}
  services: {a: {command: [a]}}
  capabilities:
    users:
      routes: [{path: /users, service: a}]
      stages: 4
      schedule: [{stage: dualwrite}, {stage: live}]
""",
            "p.yaml",
        )
    assert [problem.message for problem in refused.value.problems] == [
        "found 'dualwrite', expected one of shadow, live, complete, which a flag with stages: 4 has"
    ]
