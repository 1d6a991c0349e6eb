"""`after` and `freeze` in a plan: what is refused, and how it is said."""

import pytest

from migrator.plan.errors import PlanErrors
from migrator.plan.load import parse
from migrator.plan.model import After, Migration, Stage

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
