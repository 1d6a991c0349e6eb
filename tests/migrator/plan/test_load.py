"""Bad plans: every problem at once, each with its place, what was found, what was expected."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrator.errors import InvalidInput
from migrator.plan.document import MAX_SIZE
from migrator.plan.errors import PlanErrors
from migrator.plan.load import load, parse
from migrator.plan.model import MonolithUrl, Stage

Change = tuple[str, str]
ROUTE = '        - {path: "/articles/{id}", methods: [GET], service: articles}\n'
OF_MONOLITH = (
    "health_check, outlier_detection, healthy_panic_threshold, slow_start_window, circuit_breaker, "
    "retry_budget, workload, url"
)
MONOLITH = "    workload:\n      command: [python, -m, monolith]\n"


def problems(text: str) -> list[str]:
    with pytest.raises(PlanErrors) as caught:
        parse(text, "p.yaml")
    return [str(problem) for problem in caught.value.problems]


def changed(text: str, *changes: Change) -> str:
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param(
            ("v1alpha1", "v2"),
            "1:1: apiVersion: found 'migrator.dev/v2', expected one of migrator.dev/v1alpha1. "
            "Did you mean 'migrator.dev/v1alpha1'?",
            id="api-version",
        ),
        pytest.param(
            ("spec:", "sepc:"),
            "4:1: sepc: unknown key 'sepc', expected one of apiVersion, kind, metadata, spec. "
            "Did you mean 'spec'?",
            id="misspelt-key-is-not-also-missing",
        ),
        pytest.param(
            ("metadata: {name: cms}\n", ""),
            "1:1: metadata: the key 'metadata' is missing",
            id="missing-key",
        ),
        pytest.param(
            ("{name: cms}", "{}"),
            "3:1: metadata.name: the key 'name' is missing",
            id="missing-name",
        ),
        pytest.param(
            ("name: cms", "name: My_App"),
            "3:12: metadata.name: found 'My_App', "
            "expected lower-case letters, digits and single hyphens",
            id="name",
        ),
        pytest.param(
            ("name: cms", "name: 5"),
            "3:12: metadata.name: found 5, expected text, in quotes",
            id="number-for-text",
        ),
        pytest.param(
            ("{name: cms}", "cms"),
            "3:1: metadata: found 'cms', expected a mapping",
            id="no-mapping",
        ),
        pytest.param(
            (MONOLITH, "    url: ftp://old.example\n"),
            "6:5: spec.monolith.url: found 'ftp://old.example', "
            "expected an origin such as http://10.0.0.5:8000",
            id="origin",
        ),
        pytest.param(
            (MONOLITH, MONOLITH + "    url: http://old.example\n"),
            "5:3: spec.monolith: found workload and url, expected one of them",
            id="both-of-a-choice",
        ),
        pytest.param(
            ("monolith:\n" + MONOLITH, "monolith: {}\n"),
            "5:3: spec.monolith: found nothing, expected workload or url",
            id="none-of-a-choice",
        ),
        pytest.param(
            ("monolith:\n" + MONOLITH, "monolith: {health_check: {path: /}}\n"),
            "5:3: spec.monolith: found health_check, expected workload or url",
            id="rules-and-no-choice",
        ),
        pytest.param(
            (MONOLITH, MONOLITH + "    health_check: {path: /, interval: 5}\n"),
            "8:29: spec.monolith.health_check.interval: found 5, "
            "expected a duration such as 250ms, 30s, 5m or 1h30m",
            id="rules-of-any-choice",
        ),
        pytest.param(
            (MONOLITH, MONOLITH + "    health_check: {pth: /}\n"),
            "8:20: spec.monolith.health_check.pth: unknown key 'pth', expected one of path, "
            "interval, timeout, healthy_threshold, unhealthy_threshold. Did you mean 'path'?",
            id="misspelt-in-any-choice",
        ),
        pytest.param(
            ("monolith:\n" + MONOLITH, "monolith:\n"),
            "5:3: spec.monolith: found None, expected a mapping",
            id="null-for-a-choice",
        ),
        pytest.param(
            ("    workload:\n", "    workloda:\n"),
            f"6:5: spec.monolith.workloda: unknown key 'workloda', expected one of {OF_MONOLITH}. "
            "Did you mean 'workload'?",
            id="misspelt-choice",
        ),
        pytest.param(
            ("monolith:\n" + MONOLITH, "monolith: {zzz: 5}\n"),
            f"5:14: spec.monolith.zzz: unknown key 'zzz', expected one of {OF_MONOLITH}",
            id="unknown-choice",
        ),
        pytest.param(
            ("command: [python, -m, monolith]", "comand: [python]"),
            "7:7: spec.monolith.workload.comand: unknown key 'comand', expected one of command, "
            "cwd, port, env, ready, ready_timeout, stop_timeout. Did you mean 'command'?",
            id="keys-are-those-of-the-choice-made",
        ),
        pytest.param(
            ("[python, -m, articles]", "python -m articles"),
            "10:7: spec.services.articles.command: found 'python -m articles', expected a list",
            id="text-for-list",
        ),
        pytest.param(
            ("[python, -m, articles]", "[]"),
            "10:7: spec.services.articles.command: found [], expected at least one",
            id="empty-list",
        ),
        pytest.param(
            ("[python, -m, articles]", "[python, 8]"),
            "10:25: spec.services.articles.command[1]: found 8, expected text, in quotes",
            id="item",
        ),
        pytest.param(
            ("[python, -m, articles]", "[a]\n      port: 70000"),
            "11:7: spec.services.articles.port: found 70000, "
            "input should be less than or equal to 65535",
            id="port",
        ),
        pytest.param(
            ("[python, -m, articles]", "[a]\n      env: {1A: x}"),
            "11:13: spec.services.articles.env.1A: found '1A', "
            "expected letters, digits and underscores, no digit first",
            id="key-of-a-mapping",
        ),
        pytest.param(
            ("    articles:", "    Articles!:"),
            "9:5: spec.services.Articles!: found 'Articles!', "
            "expected lower-case letters, digits and single hyphens",
            id="service-name",
        ),
        pytest.param(
            ("methods: [GET]", "methods: [get]"),
            "16:46: spec.capabilities.publishing.routes[0].methods[0]: found 'get', expected one "
            "of GET, HEAD, OPTIONS, TRACE, POST, PUT, PATCH, DELETE. Did you mean 'GET'?",
            id="method-in-small-letters",
        ),
        pytest.param(
            ("methods: [GET]", "methods: []"),
            "16:36: spec.capabilities.publishing.routes[0].methods: found [], "
            "expected at least one",
            id="no-method",
        ),
        pytest.param(
            ('"/articles/{id}"', '"articles"'),
            "16:12: spec.capabilities.publishing.routes[0].path: found 'articles', "
            "expected a path that begins with /",
            id="path",
        ),
        pytest.param(
            (ROUTE, ROUTE + "      schedule: standrad\n"),
            "17:7: spec.capabilities.publishing.schedule: found 'standrad', "
            "expected one of standard, careful, fast, manual. Did you mean 'standard'?",
            id="schedule-name",
        ),
    ],
)
def test_bad_plan(small: str, change: Change, problem: str) -> None:
    if change[0] == ROUTE:  # the routes are a block: what comes after them ends it
        change = (small[small.index(ROUTE) :], change[1])
    assert problems(changed(small, change)) == [f"p.yaml:{problem}"]


@pytest.mark.parametrize(
    ("rest", "found"),
    [
        pytest.param(
            "schedule: [{stage: liv, share: 5, hold: 5, min_requests: -1, aproval: true}]",
            [
                "18:19: spec.capabilities.publishing.schedule[0].stage: found 'liv', expected one "
                "of off, dualwrite, shadow, live, rampdown, complete. Did you mean 'live'?",
                "18:31: spec.capabilities.publishing.schedule[0].share: found 5, "
                "expected a percentage from 0% to 100%, such as 5% or 0.5%",
                "18:41: spec.capabilities.publishing.schedule[0].hold: found 5, "
                "expected a duration such as 250ms, 30s, 5m or 1h30m",
                "18:50: spec.capabilities.publishing.schedule[0].min_requests: found -1, "
                "input should be greater than or equal to 0",
                "18:68: spec.capabilities.publishing.schedule[0].aproval: unknown key 'aproval', "
                "expected one of stage, share, hold, min_requests, approval, before_leaving, "
                "webhook. Did you mean 'approval'?",
            ],
            id="all-of-a-step",
        ),
        pytest.param(
            "schedule: [{share: 0%}, live]",
            [
                "18:18: spec.capabilities.publishing.schedule[0].stage: the key 'stage' is missing",
                "18:19: spec.capabilities.publishing.schedule[0].share: found '0%', "
                "input should be greater than 0",
                "18:31: spec.capabilities.publishing.schedule[1]: found 'live', expected a mapping",
            ],
            id="steps",
        ),
        pytest.param(
            "schedule: {stage: live}",
            [
                "18:7: spec.capabilities.publishing.schedule: found {'stage': 'live'}, "
                "expected one of standard, careful, fast, manual",
            ],
            id="mapping-for-a-schedule",
        ),
        pytest.param(
            "analysis: {error_rate: {max_increase: 1}, latency: {p99: {max_ratio: 1.0}}}",
            [
                "18:31: spec.capabilities.publishing.analysis.error_rate.max_increase: found 1, "
                "expected a percentage from 0% to 100%, such as 5% or 0.5%",
                "18:65: spec.capabilities.publishing.analysis.latency.p99.max_ratio: found 1.0, "
                "input should be greater than 1",
            ],
            id="limits",
        ),
        pytest.param(
            "analysis: {latency: {p99: {max_ratio: inf, min_increase: 1000d}}}",
            [
                "18:34: spec.capabilities.publishing.analysis.latency.p99.max_ratio: found 'inf', "
                "input should be less than or equal to 1000",
                "18:50: spec.capabilities.publishing.analysis.latency.p99.min_increase: "
                "found '1000d', expected a duration from 0s to 366d",
            ],
            id="infinite-limits",
        ),
    ],
)
def test_problems_of_a_capability(small: str, rest: str, found: list[str]) -> None:
    assert problems(f"{small}      {rest}\n") == [f"p.yaml:{problem}" for problem in found]


@pytest.mark.parametrize(
    ("context", "found"),
    [
        pytest.param(
            "{key: [{cookie: a, header: b}, {}, uid, {coookie: a}, {cookie: 'a b'}]}",
            [
                "5:19: spec.context.key[0]: found cookie and header, expected one of them",
                "5:43: spec.context.key[1]: found nothing, "
                "expected cookie or header or query or claim or client",
                "5:47: spec.context.key[2]: found 'uid', expected a mapping",
                "5:53: spec.context.key[3].coookie: unknown key 'coookie', "
                "expected one of cookie, header, query, claim, client. Did you mean 'cookie'?",
                "5:67: spec.context.key[4].cookie: found 'a b', "
                "expected a name of HTTP (RFC 9110 token)",
            ],
            id="sources",
        ),
        pytest.param(
            "{kind: a b, attributes: {plan: {heder: x}}}",
            [
                "5:13: spec.context.kind: found 'a b', "
                "expected letters, digits, dots, hyphens and underscores",
                "5:44: spec.context.attributes.plan.heder: unknown key 'heder', "
                "expected one of cookie, header, query, claim, client. Did you mean 'header'?",
            ],
            id="kind-and-attribute",
        ),
    ],
)
def test_problems_of_the_context(small: str, context: str, found: list[str]) -> None:
    text = changed(small, ("spec:\n", f"spec:\n  context: {context}\n"))
    assert problems(text) == [f"p.yaml:{problem}" for problem in found]


@pytest.mark.parametrize("name", ["routes", "needs", "schedule", "analysis", "command", "spec"])
def test_a_capability_may_be_called_like_a_key(small: str, name: str) -> None:
    text = changed(small, ("    publishing:", f"    {name}:"))
    assert name in parse(text, "p.yaml").spec.capabilities
    assert problems(text + "      zone: /\n") == [
        f"p.yaml:18:7: spec.capabilities.{name}.zone: unknown key 'zone', "
        "expected one of routes, needs, stages, after, max_write_age, schedule, analysis, parity"
    ]


def test_problems_of_the_whole_document_in_its_order(small: str) -> None:
    text = changed(
        small, ("name: cms", "name: A"), ("[python, -m, images]", "[]"), ("[GET]", "[FETCH]")
    )
    with pytest.raises(PlanErrors) as caught:
        parse(text, "p.yaml")
    assert [p.line for p in caught.value.problems] == [3, 12, 16]
    assert str(caught.value).startswith("the plan has 3 problems\np.yaml:3:12: ")
    assert caught.value.exit_code == 2


def test_the_line_is_shown_with_a_caret(small: str) -> None:
    with pytest.raises(PlanErrors) as caught:
        parse(changed(small, ("name: cms", "name: A")), "p.yaml")
    assert str(caught.value).splitlines()[2:] == ["    metadata: {name: A}", " " * 15 + "^"]


def test_a_problem_in_shared_text_is_shown_at_the_key_that_uses_it(small: str) -> None:
    text = changed(
        small,
        ("[python, -m, articles]", "&c []"),
        ("[python, -m, images]", "*c"),
    )
    assert [problem[:12] for problem in problems(text)] == ["p.yaml:10:7:", "p.yaml:12:7:"]


def test_long_values_are_shortened(small: str) -> None:
    (problem,) = problems(changed(small, ("name: cms", f"name: {'X' * 500}")))
    assert len(problem) < 200


def test_starter_is_valid() -> None:
    text = (files("migrator.plan") / "starter.yaml").read_text()
    plan = parse(text, "starter.yaml")
    assert list(plan.spec.capabilities) == ["publishing"]


def test_the_samples_plan_is_valid() -> None:
    plan = load(Path(__file__).parents[3] / "samples" / "cms-app" / "migration.yaml")
    assert plan.spec.capabilities


def test_a_full_plan(small: str) -> None:
    """The shape of a real one: anchors, a monolith elsewhere, own steps, limits."""
    text = changed(
        small[: small.index("  services:")],
        ("monolith:\n" + MONOLITH, "monolith: {url: 'http://10.0.0.5:8000'}\n"),
        ("spec:\n", "spec:\n  secrets: [SESSION_KEY]\n"),
    )
    plan = parse(
        text
        + """\
  services:
    articles: &service
      command: [python, -m, articles]
      env: {MONOLITH: "${monolith.url}", OTHER: "${services.images.url}/x"}
      ready: /health
    images:
      <<: *service
      command: [python, -m, images]
      port: 9001
  capabilities:
    publishing:
      routes:
        - {path: /, service: articles}
        - {path: "/images/*", service: images, access: read}
      needs: [images]
      schedule:
        - {stage: shadow, hold: 2s}
        - {stage: live, share: 0.5%, hold: 1m30s, min_requests: 20, approval: true}
        - {stage: live}
        - {stage: complete}
      analysis:
        error_rate: {max_increase: 2.5%}
        latency: {p99: {max_ratio: 2, min_increase: 40ms}}
""",
        "p.yaml",
    )
    spec, capability = plan.spec, plan.spec.capabilities["publishing"]
    assert spec.monolith == MonolithUrl(url="http://10.0.0.5:8000")
    assert (spec.services["images"].ready, spec.services["images"].port) == ("/health", 9001)
    steps = capability.schedule
    assert not isinstance(steps, str)
    assert (steps[1].stage, steps[1].share, steps[1].hold) == (Stage.LIVE, 500, 90.0)
    assert capability.analysis.error_rate.max_increase == 2500
    assert capability.analysis.latency.p99.min_increase == 0.04


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_plan_has_problems_or_is_a_plan(
    plan_documents: st.SearchStrategy[dict[str, Any]], data: st.DataObject
) -> None:
    """Any value at any place: never an exception of another kind, never zero problems."""
    document = data.draw(plan_documents)
    node: Any = document
    while True:
        key = data.draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
        inner = node[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        node = inner
    node[key] = data.draw(st.sampled_from([None, True, 7, "zz", "5%", [], {}, [{}], {"url": 1}]))
    try:
        outcome: object = parse(yaml.safe_dump(document), "p.yaml")
    except PlanErrors as error:
        outcome = error.problems
    assert outcome


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        pytest.param(lambda p: None, "No such file or directory", id="missing"),
        pytest.param(lambda p: p.mkdir(), "Is a directory", id="folder"),
        pytest.param(lambda p: p.write_bytes(b"name: \xff"), "is not UTF-8 (byte 6)", id="binary"),
        pytest.param(
            lambda p: p.write_bytes("ä".encode() * MAX_SIZE), "larger than 1048576 bytes", id="huge"
        ),
    ],
)
def test_unreadable(tmp_path: Path, prepare: Callable[[Path], object], message: str) -> None:
    file = tmp_path / "plan.yaml"
    prepare(file)
    with pytest.raises(InvalidInput) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert message in str(caught.value)


@pytest.mark.timeout(30)
def test_an_endless_file_is_refused() -> None:
    with pytest.raises(InvalidInput, match="larger than"):
        load(Path("/dev/zero"))


def test_load_names_the_file(tmp_path: Path, small: str) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(small)
    assert load(file).metadata.name == "cms"
    file.write_text(changed(small, ("cms", "C")))
    with pytest.raises(PlanErrors) as caught:
        load(file)
    assert caught.value.problems[0].file == str(file)
