"""`after` and `freeze` in a plan: what is refused and how; what falls back with what."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ldclient import Context

from evaluation_builders import a_world
from flag_builders import a_boolean, a_staged, within
from flags.model import Flag, Prerequisite, Serve
from migrator.plan.dependencies import all_needed, needed, service_flag
from migrator.plan.errors import PlanErrors
from migrator.plan.load import parse
from migrator.plan.model import After, Migration, Stage
from official_sdk import OfficialSdk

PLAN = """\
apiVersion: migrator.dev/v1alpha1
kind: Migration
metadata: {name: shop}
spec:
  monolith: {url: "http://127.0.0.1:1"}
  services: {a: {command: [a]}}
  freeze: FREEZE
  capabilities:
    users: {routes: [{path: /users, service: a}], after: USERS}
    posts: {routes: [{path: /posts, service: a}], after: POSTS}
    media: {routes: [{path: /media, service: a}], schedule: [{stage: shadow}]}
"""


def plan(users: str = "[]", posts: str = "[]", freeze: str = "[]") -> Migration:
    text = PLAN.replace("USERS", users).replace("POSTS", posts).replace("FREEZE", freeze)
    return parse(text, "plan.yaml")


def test_names_and_stages() -> None:
    posts = plan(posts="[users, {capability: media, stage: shadow}]").spec.capabilities["posts"]
    assert posts.after == ("users", After(capability="media", stage=Stage.SHADOW))


@pytest.mark.parametrize(
    ("users", "posts", "told"),
    [
        pytest.param("[]", "[user]", "no capability is called 'user'", id="unknown"),
        pytest.param("[]", "[{capability: media, stage: live}]", "never reaches live", id="stage"),
        pytest.param("[]", "[posts]", "posts waits for posts", id="itself"),
        pytest.param(
            "[posts]", "[users]", "users waits for posts, which waits for users", id="a circle"
        ),
        pytest.param("[]", "[{capability: media, stage: lve}]", "one of off", id="misspelt"),
    ],
)
def test_what_is_refused(users: str, posts: str, told: str) -> None:
    with pytest.raises(PlanErrors) as refused:
        plan(users, posts)
    assert told in "".join(problem.message for problem in refused.value.problems)


def test_a_freeze() -> None:
    text = '[{from: "22:00", to: "06:00", weekdays: [fri, sat], timezone: Europe/Berlin}]'
    (freeze,) = plan(freeze=text).spec.freeze
    assert freeze.model_dump(mode="json") == {
        "from": "22:00",
        "to": "06:00",
        "weekdays": ["fri", "sat"],
        "timezone": "Europe/Berlin",
    }


@pytest.mark.parametrize(
    ("freeze", "told"),
    [
        pytest.param('[{from: "25:00", to: "06:00"}]', "a time of day such as 08:30", id="time"),
        pytest.param('[{from: "01:00", to: "06:00", timezone: Mars}]', "a time zone", id="zone"),
        pytest.param('[{from: "01:00", to: "06:00", weekdays: [fry]}]', "one of mon", id="day"),
        pytest.param('[{frm: "01:00", to: "06:00"}]', "unknown key 'frm'", id="key"),
    ],
)
def test_what_is_no_freeze(freeze: str, told: str) -> None:
    with pytest.raises(PlanErrors) as refused:
        plan(freeze=freeze)
    assert told in "".join(problem.message for problem in refused.value.problems)


SERVICES = ("a", "b", "c", "d")
some = st.lists(st.sampled_from(SERVICES), unique=True, max_size=2)


@st.composite
def plans(draw: st.DrawFn) -> Migration:
    """Capabilities on a few services, each after some of those before it."""
    capabilities: dict[str, Any] = {}
    for number in range(draw(st.integers(1, 6))):
        before = draw(st.lists(st.sampled_from([*capabilities] or [""]), unique=True, max_size=2))
        capabilities[f"c{number}"] = {
            "routes": [
                {"path": f"/{number}/{service}", "service": service}
                for service in draw(some) or SERVICES[:1]
            ],
            "needs": draw(some),
            "after": [
                {"capability": name, "stage": stage} if stage else name
                for name in before
                if name
                for stage in draw(st.sampled_from([(None,), ("live",), ("complete",), ("shadow",)]))
            ],
        }
    document = {
        "apiVersion": "migrator.dev/v1alpha1",
        "kind": "Migration",
        "metadata": {"name": "any"},
        "spec": {
            "monolith": {"url": "http://127.0.0.1:1"},
            "services": {name: {"command": [name]} for name in SERVICES},
            "capabilities": capabilities,
        },
    }
    return parse(yaml.safe_dump(document), "plan.yaml")


def uses(plan: Migration, name: str) -> set[str]:
    """Worked out the other way round: what one links to, then what that links to."""
    capability = plan.spec.capabilities[name]
    found = {route.service for route in capability.routes} | set(capability.needs)
    for after in capability.after:
        link = After(capability=after) if isinstance(after, str) else after
        if link.stage is not Stage.SHADOW:
            found |= uses(plan, link.capability)
    return found


def flags_of(plan: Migration, off: set[str]) -> list[Flag]:
    """Everybody at `complete`, but for the services in `off`."""
    yes, complete = 0, list(Stage).index(Stage.COMPLETE)
    made = [
        within(
            a_boolean(service_flag(service)),
            on=service not in off,
            fallthrough=Serve(variation=yes),
            off_variation=1,
        )
        for service in all_needed(plan.spec.capabilities)
    ]
    for name in plan.spec.capabilities:
        services = needed(plan.spec.capabilities, name)
        made.append(
            within(
                a_staged(name),
                on=True,
                fallthrough=Serve(variation=complete),
                off_variation=0,
                prerequisites=tuple(
                    Prerequisite(key=service_flag(service), variation=yes) for service in services
                ),
            )
        )
    return made


@given(plans(), st.sets(st.sampled_from(SERVICES)))
def test_nothing_stays_new_that_needs_a_service_that_is_off(plan: Migration, off: set[str]) -> None:
    """Directly or through what it links to; and what needs none of them stays where it is. As the
    official SDK sees it, at once: there is no order in between."""
    sdk = OfficialSdk(a_world(*flags_of(plan, off)))
    for name in plan.spec.capabilities:
        stage = json.loads(sdk.evaluate(name, Context.create("anybody")).value)
        assert stage == ("off" if uses(plan, name) & off else "complete")


@pytest.mark.parametrize(
    ("posts", "services"),
    [
        pytest.param("[]", ("p",), id="alone"),
        pytest.param("[users]", ("p", "a"), id="after"),
        pytest.param("[media]", ("p", "m", "a"), id="after what is after another"),
        pytest.param("[{capability: media, stage: live}]", ("p", "m", "a"), id="live"),
        pytest.param("[{capability: media, stage: shadow}]", ("p",), id="old, too"),
    ],
)
def test_services_that_are_needed(posts: str, services: tuple[str, ...]) -> None:
    text = PLAN.replace(
        "{a: {command: [a]}}", "{a: {command: [a]}, p: {command: [p]}, m: {command: [m]}}"
    )
    text = text.replace("/posts, service: a", "/posts, service: p")
    text = text.replace("/media, service: a}]", "/media, service: m}], after: [users]")
    text = text.replace(", schedule: [{stage: shadow}]", "")
    text = text.replace("USERS", "[]").replace("POSTS", posts).replace("FREEZE", "[]")
    assert needed(parse(text, "plan.yaml").spec.capabilities, "posts") == services
