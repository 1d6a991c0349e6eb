"""Metrics of users' own in a plan: what they may say, and each slip with its place."""

import pytest

from migrator.plan.errors import PlanErrors
from migrator.plan.load import parse
from migrator.plan.model import Metric

PLAN = """\
apiVersion: migrator.dev/v1alpha1
kind: Migration
metadata: {{name: cms}}
spec:
  flags: {flags}
  monolith: {{url: "http://10.0.0.5:8000"}}
  services: {{cart: {{command: [a]}}}}
  capabilities:
    shop:
      routes: [{{path: /cart, service: cart}}]
      analysis:
        metrics:
{metrics}
"""
PLACE = "spec.capabilities.shop.analysis.metrics"
COUNTS = "count: 'a{side=\"${origin}\"}', total: 'b{side=\"${origin}\"}'"
URL = "url: 'http://127.0.0.1:9090'"


def read(*metrics: str, flags: str = "{}") -> tuple[Metric, ...]:
    lines = "\n".join(f"          - {{{each}}}" for each in metrics)
    plan = parse(PLAN.format(metrics=lines, flags=flags), "p")
    return plan.spec.capabilities["shop"].analysis.metrics


def test_every_source_and_limit() -> None:
    failures, queue, orders, judge = read(
        f"name: failures, prometheus: {{{URL}, {COUNTS}}}, max_increase: 1%, min_total: 500",
        f"name: queue, prometheus: {{{URL}, value: queue_depth}}, max: 80, min: 1.5, "
        "consecutive: 3, interval: 5s",
        "name: orders, track: {count: paid, total: checkout}, max_decrease: 0.5%",
        "name: judge, webhook: {url: 'http://127.0.0.1:8000/judge'}, max_ratio: 1.2",
    )
    assert failures.is_proportion
    assert (failures.max_increase, failures.min_total, failures.interval) == (1000, 500, 15.0)
    assert (queue.max, queue.min, queue.consecutive, queue.needs_old) == (80.0, 1.5, 3, False)
    assert (orders.max_decrease, orders.needs_old) == (500, True)
    assert (judge.max_ratio, judge.needs_old) == (1.2, True)
    both = "{old: 'monolith_orders', new: 'shop_orders'}"
    read(f"name: a, prometheus: {{{URL}, value: {both}}}, max_ratio: 2")


LIMIT = "max_increase: 1%"


@pytest.mark.parametrize(
    ("metric", "problem"),
    [
        pytest.param(
            f"name: a, {LIMIT}",
            f"{PLACE}[0]: found no source, expected one of prometheus, webhook, track or otlp",
            id="no-source",
        ),
        pytest.param(
            f"name: a, {LIMIT}, track: {{count: a, total: b}}, webhook: {{url: 'http://a'}}",
            f"{PLACE}[0]: found webhook and track, expected one of",
            id="two-sources",
        ),
        pytest.param(
            "name: a, webhook: {url: 'http://a'}",
            f"{PLACE}[0]: found no limit, expected max_increase or max_decrease, or some of",
            id="no-limit",
        ),
        pytest.param(
            f"name: a, webhook: {{url: 'http://a'}}, {LIMIT}, max: 3",
            f"{PLACE}[0]: found max_increase and max: max_increase is of a proportion",
            id="both-kinds",
        ),
        pytest.param(
            f"name: a, webhook: {{url: 'http://a'}}, {LIMIT}, max_decrease: 1%",
            f"{PLACE}[0]: found max_increase and max_decrease: max_increase",
            id="both-ways",
        ),
        pytest.param(
            "name: a, webhook: {url: 'http://a'}, max: 1, min: 2",
            f"{PLACE}[0].min: found 2, expected at most max: 1",
            id="nothing-fits",
        ),
        pytest.param(
            "name: a, webhook: {url: 'http://a'}, max_increase: 0%",
            f"{PLACE}[0].max_increase: found '0%', input should be greater than 0",
            id="no-effect-is-too-small",
        ),
        pytest.param(
            "name: a, track: {count: a, total: b}, max: 3",
            f"{PLACE}[0].track: counts need a limit of max_increase or max_decrease",
            id="events-are-counted",
        ),
        pytest.param(
            f"name: a, prometheus: {{{URL}, value: 'a'}}, {LIMIT}",
            f"{PLACE}[0].prometheus: found no 'count'; a proportion needs count and total",
            id="no-count",
        ),
        pytest.param(
            f"name: a, prometheus: {{{URL}, {COUNTS}}}, max: 3",
            f"{PLACE}[0].prometheus.count: found 'count'; a value needs value",
            id="no-value",
        ),
        pytest.param(
            "name: a, otlp: {old: a, new: b, value: c}, max_increase: 1%",
            f"{PLACE}[0].otlp.value: found 'value'; a proportion needs count and total",
            id="pushed-value",
        ),
        pytest.param(
            f"name: a, prometheus: {{{URL}, value: 'a'}}, max_ratio: 3",
            f"{PLACE}[0].prometheus.value: asks both origins the same; expected ${{origin}} in it",
            id="the-same-twice",
        ),
        pytest.param(
            f"name: a, prometheus: {{{URL}, value: 'a{{b=\"${{orign}}\"}}'}}, max: 3",
            f"{PLACE}[0].prometheus.value: found ${{orign}}, expected ${{origin}} or "
            "${capability}",
            id="misspelt-place",
        ),
        pytest.param(
            "name: a, webhook: {url: 'http://user:pw@a'}, max: 3",
            f"{PLACE}[0].webhook.url: found 'http://user:pw@a', expected",
            id="credentials",
        ),
        pytest.param(
            "name: a, webhook: {url: 'http://a'}, max: 3, interval: 1ms",
            f"{PLACE}[0].interval: found '1ms', ",
            id="too-often",
        ),
        pytest.param(
            "name: a, webhook: {url: 'http://a'}, max: 3, consecutive: 1",
            f"{PLACE}[0].consecutive: found 1, input should be greater than or equal to 2",
            id="one-look",
        ),
        pytest.param(
            "name: a, promtheus: {}, max: 3",
            f"{PLACE}[0].promtheus: unknown key 'promtheus', expected one of name, prometheus,",
            id="misspelt-key",
        ),
    ],
)
def test_slips(metric: str, problem: str) -> None:
    with pytest.raises(PlanErrors) as caught:
        read(metric)
    assert any(problem in str(each) for each in caught.value.problems), caught.value.problems


def test_names_are_unique() -> None:
    with pytest.raises(PlanErrors, match=r"metrics\[1\].name: 'a' is there twice"):
        read(*["name: a, webhook: {url: 'http://a'}, max: 3"] * 2)


def test_launchdarkly_itself_tells_no_counts() -> None:
    metric = "name: a, track: {count: a, total: b}, max_increase: 1%"
    with pytest.raises(PlanErrors, match="LaunchDarkly has no API for counts of custom events"):
        read(metric, flags="{server: launchdarkly}")
