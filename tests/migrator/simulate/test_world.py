"""Whole migrations on a virtual clock: what each scenario ends in, and what never happens."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.errors import InvalidInput
from migrator.plan.load import parse as parse_plan
from migrator.plan.model import Migration
from migrator.rollout.desired import OFF, desired_flag
from migrator.rollout.events import Kind
from migrator.rollout.state import fold
from migrator.rollout.transitions import Phase
from migrator.simulate.read import built_in, parse
from migrator.simulate.scenario import BUILT_IN, Scenario
from migrator.simulate.world import Result, simulate

PLAN = """\
apiVersion: migrator.dev/v1alpha1
kind: Migration
metadata: {name: shop}
spec:
  monolith: {url: "http://127.0.0.1:1"}
  services: {cart: {command: [a]}, posts: {command: [b]}}
  capabilities:
    cart:
      routes: [{path: /cart, service: cart}]
      schedule: fast
    posts:
      routes: [{path: /posts, service: posts}]
      schedule: fast
      after: [{capability: cart, stage: live}]
"""


@pytest.fixture(scope="module")
def plan() -> Migration:
    return parse_plan(PLAN, "plan.yaml")


def kinds(result: Result, name: str) -> list[Kind]:
    return [event.kind for event in result.events if event.capability == name]


ENDS: dict[str, tuple[Phase, Kind]] = {
    "clean": (Phase.COMPLETE, Kind.COMPLETED),
    "errors": (Phase.ROLLED_BACK, Kind.ROLLED_BACK),
    "slow": (Phase.ROLLED_BACK, Kind.ROLLED_BACK),
    "outage": (Phase.COMPLETE, Kind.INTERRUPTED),
    "wrong-answers": (Phase.COMPLETE, Kind.COMPLETED),  # the plan does not ask for parity
    "human": (Phase.COMPLETE, Kind.FLAG_CHANGED_BY_OTHER),
    "no-traffic": (Phase.WAITING, Kind.HELD),
}


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_scenarios(plan: Migration, name: str) -> None:
    phase, kind = ENDS[name]
    result = simulate(plan, built_in(name, plan))
    assert result.rollouts["cart"].phase is phase
    assert kind in kinds(result, "cart")
    reached = phase is Phase.COMPLETE
    assert (result.rollouts["posts"].phase is Phase.COMPLETE) is reached
    if not reached:
        assert kinds(result, "posts") == []
        assert result.waiting_for["posts"] == "waits for cart, until everybody is at live"


def test_the_same_seed_gives_the_same_run(plan: Migration) -> None:
    scenario = built_in("errors", plan)
    assert simulate(plan, scenario) == simulate(plan, scenario)
    assert simulate(plan, scenario) != simulate(plan, scenario, seed=2)


def test_a_killed_service_pauses(plan: Migration) -> None:
    scenario = Scenario.model_validate(
        {
            "faults": [{"at": "3m", "lasts": "1m", "service": "cart", "killed": True}],
            "people": [
                {"at": "3m30s", "capability": "cart", "say": "resume"},
                {"at": "5m", "capability": "cart", "say": "resume"},
            ],
        }
    )
    result = simulate(plan, scenario)
    assert Kind.KILLED in kinds(result, "cart")
    assert result.refused == ("cannot resume cart: cart-service is off",)
    assert result.rollouts["cart"].phase is Phase.COMPLETE


def at_least(parity: str) -> Migration:
    limit = f"schedule: fast\n      analysis: {{parity: {{min: {parity}, min_compared: 50}}}}"
    return parse_plan(PLAN.replace("schedule: fast", limit, 1), "plan.yaml")


def stages(result: Result) -> set[str]:
    """Of the steps that the first capability has entered."""
    steps = result.rollouts["cart"].steps
    return {
        str(steps[event.data["step"]].stage)
        for event in result.events
        if event.capability == "cart" and event.kind is Kind.STEP_ENTERED
    }


@settings(max_examples=4, deadline=None)
@given(
    wrong=st.integers(3, 100),
    requests=st.sampled_from([5.0, 20.0, 200.0]),
    seed=st.integers(0, 1000),
)
def test_parity_stops_wrong_answers_before_anybody_gets_one(
    wrong: int, requests: float, seed: int
) -> None:
    scenario = {
        "requests": requests,
        "faults": [{"at": 0.0, "service": "cart", "wrong_answers": f"{wrong}%"}],
    }
    result = simulate(at_least("99.5%"), Scenario.model_validate(scenario), seed=seed)
    assert stages(result) <= {"dualwrite", "shadow"}
    assert result.rollouts["cart"].phase is Phase.ROLLED_BACK
    assert "of the reads agree" in result.rollouts["cart"].reason


def test_parity_stops_nobody_whose_answers_are_right() -> None:
    result = simulate(at_least("99.5%"), Scenario())
    assert result.rollouts["cart"].phase is Phase.COMPLETE


FAULTS = st.fixed_dictionaries(
    {"at": st.sampled_from(["30s", "3m", "6m", "9m"])},
    optional={
        "lasts": st.sampled_from(["2s", "1m"]),
        "service": st.sampled_from(["cart", "posts"]),
        "error_rate": st.sampled_from(["1%", "20%", "100%"]),
        "wrong_answers": st.sampled_from(["1%", "100%"]),
        "killed": st.booleans(),
        "traffic_factor": st.sampled_from([0.0, 0.1, 3.0]),
    },
)
PEOPLE = st.fixed_dictionaries(
    {
        "at": st.sampled_from(["1m", "4m", "8m"]),
        "capability": st.sampled_from(["cart", "posts"]),
    },
    optional={
        "flag": st.booleans(),
        "say": st.sampled_from(["promote", "pause", "resume", "abort", "retry", "restart"]),
    },
)


@settings(max_examples=5, deadline=None)
@given(st.lists(FAULTS, max_size=3), st.lists(PEOPLE, max_size=3), st.integers(0, 9))
def test_whatever_happens(
    faults: list[dict[str, Any]], people: list[dict[str, Any]], seed: int
) -> None:
    """A replay gives the same state, also of any moment; abort and rollback end with the flag off;
    nobody begins before those that come first."""
    plan = parse_plan(PLAN, "plan.yaml")
    scenario = Scenario.model_validate({"faults": faults, "people": people, "requests": 5.0})
    result = simulate(plan, scenario, seed=seed)
    for name, rollout in result.rollouts.items():
        own = [event for event in result.events if event.capability == name]
        assert fold(own, name) == rollout
        for length in range(len(own)):
            then = fold(own[:length], name)
            if then.phase in (Phase.ABORTED, Phase.ROLLED_BACK):
                assert desired_flag(then) == OFF
            if own[length].kind is Kind.STARTED and name == "posts":
                cart = [
                    e for e in result.events if e.capability == "cart" and e.seq <= own[length].seq
                ]
                shown = desired_flag(fold(cart, "cart"))
                assert shown is not None
                assert shown.weights[0][0] in ("live", "rampdown", "complete")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("requests: -1", "s.yaml: requests: found -1", id="value"),
        pytest.param("speed: 3", "s.yaml: speed: found 3", id="key"),
        pytest.param(
            "faults: [{at: 3m, service: crt}]", "expected one of cart, posts", id="service"
        ),
        pytest.param("people: [{at: 3m, capability: x}]", "people.0.capability", id="capability"),
    ],
)
def test_what_is_no_scenario(plan: Migration, text: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        parse(text, "s.yaml", plan)


def test_an_unknown_scenario(plan: Migration) -> None:
    with pytest.raises(InvalidInput, match="no scenario 'eruption'") as refused:
        built_in("eruption", plan)
    assert (
        refused.value.hint
        == "there are: clean, errors, slow, outage, wrong-answers, human, no-traffic"
    )
