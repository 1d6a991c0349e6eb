"""Plans of all shapes, and a small one to break."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st

from migrator.plan.load import parse
from migrator.plan.model import Migration
from migrator.plan.units import FULL_SHARE, format_duration, format_share

SMALL = """\
apiVersion: migrator.dev/v1alpha1
kind: Migration
metadata: {name: cms}
spec:
  monolith:
    workload:
      command: [python, -m, monolith]
  services:
    articles:
      command: [python, -m, articles]
    images:
      command: [python, -m, images]
  capabilities:
    publishing:
      routes:
        - {path: "/articles/{id}", methods: [GET], service: articles}
        - {path: "/articles", methods: [POST], service: articles}
"""
names = st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,4}){0,2}", fullmatch=True)
words = st.text(
    st.characters(codec="utf-8", exclude_characters="$"), max_size=12
) | st.sampled_from(["", "off", "tRuE", "NULL", "null", "1e5", "0x1F", "07", "1_0", "~", "<<", "="])
durations = st.integers(0, 10**12).map(lambda micro: format_duration(micro / 1_000_000))
seconds = st.integers(1, 86_400).map(format_duration)
shares = st.integers(0, FULL_SHARE).map(format_share)
sources = st.from_regex(r"[A-Za-z-]{1,8}", fullmatch=True).flatmap(
    lambda name: st.sampled_from([{"cookie": name}, {"header": name}])
)
STAGES = ("dualwrite", "shadow", "live", "rampdown", "complete")


@st.composite
def schedules(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Steps that only advance; each stage is brought to 100 % before the next one."""
    steps: list[dict[str, Any]] = []
    for stage in sorted(draw(st.sets(st.sampled_from(STAGES), min_size=1)), key=STAGES.index):
        weights = sorted(draw(st.sets(st.integers(1, FULL_SHARE - 1), max_size=3)))
        for weight in (*weights, FULL_SHARE):
            step: dict[str, Any] = {"stage": stage, "share": format_share(weight)}
            step |= draw(
                st.fixed_dictionaries(
                    {},
                    optional={
                        "hold": durations,
                        "min_requests": st.integers(0, 10**6),
                        "approval": st.booleans(),
                    },
                )
            )
            steps.append(step)
    return steps


_required = {"command": st.lists(words, min_size=1, max_size=3)}
_optional = {
    "cwd": words,
    "env": st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,6}", fullmatch=True), words),
    "ready": st.just("/health"),
    "ready_timeout": durations,
    "stop_timeout": durations,
}
workloads = st.fixed_dictionaries(_required, optional=_optional)
services = st.fixed_dictionaries(
    _required,
    optional={
        **_optional,
        "replicas": st.integers(1, 64),
        "health_check": st.fixed_dictionaries({"path": st.just("/h"), "timeout": seconds}),
        "slow_start_window": seconds,
        "outlier_detection": st.fixed_dictionaries({"consecutive_5xx": st.integers(1, 9)}),
    },
)

proxies = st.fixed_dictionaries(
    {},
    optional={
        "workers": st.integers(1, 64),
        "trusted": st.lists(st.sampled_from(["10.0.0.0/8", "2001:db8::/32"]), max_size=2),
        "forwarded": st.sampled_from(["x-forwarded", "rfc7239", "both"]),
        "limits": st.fixed_dictionaries({"body": st.none() | st.integers(0, 10**9)}),
        "timeouts": st.fixed_dictionaries(
            {}, optional={"idle": seconds, "total": st.none() | seconds}
        ),
        "tls": st.fixed_dictionaries(
            {
                "certificates": st.just([{"certificate": "a.pem", "key": "a-key.pem"}]),
                "minimum": st.sampled_from(["1.2", "1.3"]),
            }
        ),
    },
)
changes = st.fixed_dictionaries(
    {},
    optional={
        "host": st.just("*.example.org"),
        "headers": st.just({"x-plan": "gold", "x-beta": True}),
        "rewrite": st.just({"path": "/v2/{id}"}),
        "response_headers": st.just({"remove": ["x-powered-by"]}),
    },
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Plans as plain data, valid ones only."""
    running = draw(st.dictionaries(names.map("s-".__add__), services, min_size=1, max_size=3))
    service = st.sampled_from(sorted(running))
    capabilities: dict[str, Any] = {}
    for name in draw(st.sets(names.map("c-".__add__), min_size=1, max_size=3)):
        routes = [
            {"path": f"/{name}/{{id}}", "service": draw(service), **draw(changes)},
            {
                "path": f"/{name}/*",
                "service": draw(service),
                "methods": draw(st.lists(st.sampled_from(["GET", "PUT"]), min_size=1, max_size=2)),
                "access": draw(st.sampled_from(["read", "write", None])),
            },
        ]
        capability: dict[str, Any] = {"routes": routes, "needs": draw(st.lists(service))}
        capability |= draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "schedule": schedules() | st.sampled_from(["standard", "careful", "fast"]),
                    "analysis": st.fixed_dictionaries(
                        {
                            "error_rate": st.fixed_dictionaries({"max_increase": shares}),
                            "latency": st.fixed_dictionaries(
                                {
                                    "p99": st.fixed_dictionaries(
                                        {
                                            "max_ratio": st.floats(1.001, 1000),
                                            "min_increase": durations,
                                        }
                                    )
                                }
                            ),
                        }
                    ),
                },
            )
        )
        capabilities[name] = capability
    spec: dict[str, Any] = {"services": running, "capabilities": capabilities}
    spec["monolith"] = draw(
        st.fixed_dictionaries({"workload": workloads}) | st.just({"url": "http://10.0.0.5:8000"})
    )
    spec |= draw(
        st.fixed_dictionaries(
            {},
            optional={
                "context": st.fixed_dictionaries(
                    {"kind": st.just("account"), "key": st.lists(sources, max_size=3)},
                    optional={"attributes": st.dictionaries(names.map("a".__add__), sources)},
                ),
                "proxy": proxies,
                "secrets": st.lists(st.just("SESSION_KEY"), max_size=1),
            },
        )
    )
    return {
        "apiVersion": "migrator.dev/v1alpha1",
        "kind": "Migration",
        "metadata": {"name": draw(names)},
        "spec": spec,
    }


@pytest.fixture(scope="session")
def plan_documents() -> st.SearchStrategy[dict[str, Any]]:
    return documents()


@pytest.fixture(scope="session")
def step_lists() -> st.SearchStrategy[list[dict[str, Any]]]:
    return schedules()


@pytest.fixture
def small() -> str:
    """The YAML of a valid plan; tests break it."""
    return SMALL


@pytest.fixture
def plan_with() -> Callable[..., Migration]:
    """The small plan after textual replacements; the result must be valid."""

    def build(*changes: tuple[str, str]) -> Migration:
        text = SMALL
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        return parse(text, "plan.yaml")

    return build
