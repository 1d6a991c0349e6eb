"""A plan written as YAML is the same plan when it is read."""

from collections.abc import Callable
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrator.plan.dump import dump
from migrator.plan.load import parse
from migrator.plan.model import Migration


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40, deadline=None)
@given(st.data())
def test_round_trip(plan_documents: st.SearchStrategy[dict[str, Any]], data: st.DataObject) -> None:
    text = yaml.safe_dump(data.draw(plan_documents))
    plan = parse(text, "plan.yaml")
    again = dump(plan)
    assert parse(again, "again.yaml") == plan
    assert dump(parse(again, "again.yaml")) == again


def test_defaults_are_left_out(plan_with: Callable[..., Migration]) -> None:
    plan = plan_with(("metadata: {name: cms}", "metadata: {name: cms}"))
    assert set(yaml.safe_load(dump(plan))["spec"]) == {"monolith", "services", "capabilities"}


def test_units_are_written_as_people_write_them(plan_with: Callable[..., Migration]) -> None:
    plan = plan_with(
        (
            "    publishing:\n",
            "    publishing:\n"
            "      schedule: [{stage: live, share: 5%, hold: 90m}, {stage: live}]\n",
        )
    )
    schedule = yaml.safe_load(dump(plan))["spec"]["capabilities"]["publishing"]["schedule"]
    assert schedule == [{"stage": "live", "share": "5%", "hold": "1h30m"}, {"stage": "live"}]
