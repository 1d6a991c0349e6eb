"""What happens to a simulated migration: traffic, faults, people. Pure data, and the built-in ones.

Times are counted from the start of the simulation.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import Field

from migrator.plan.model import Migration, Model, Name
from migrator.plan.schedule import steps
from migrator.plan.units import Duration, Share
from migrator.rollout.desired import NEW_IS_ASKED
from migrator.rollout.verbs import Verb


class Fault(Model):
    """What is wrong from `at`, for as long as it lasts."""

    at: Duration
    lasts: Duration | None = None
    """None: to the end."""
    service: Name | None = None
    """Whose requests are hit; None: every service's."""
    error_rate: Share | None = None
    wrong_answers: Share | None = None
    """Of the answers: those that say 200 and something else than the monolith. Only parity sees
    them, where both sides get the same reads."""
    latency_factor: Annotated[float, Field(gt=0, le=1000)] | None = None
    killed: bool = False
    """Its kill switch is off."""
    traffic_factor: Annotated[float, Field(ge=0, le=100)] | None = None
    """Of all requests, whichever side answers; 0 stops them."""


class Act(Model):
    """What a person does at `at`: turn a flag, or say a verb."""

    at: Duration
    capability: Name
    flag: bool | None = None
    """Turn its flag on or off, behind the controller's back."""
    say: Verb | None = None


class Scenario(Model):
    requests: Annotated[float, Field(ge=0, le=10_000)] = 20.0
    """For each capability and second."""
    error_rate: Share = 100
    """Of both sides without a fault."""
    median: Duration = 0.03
    """Of the latency of both sides."""
    approve: bool = True
    """Whether somebody promotes as soon as a step waits for approval."""
    faults: Annotated[tuple[Fault, ...], Field(max_length=100)] = ()
    people: Annotated[tuple[Act, ...], Field(max_length=100)] = ()


def first_live(plan: Migration) -> tuple[str, float]:
    """The first capability, and when some of its users are at the service, if all goes well."""
    name, capability = next(iter(plan.spec.capabilities.items()))
    at = 0.0
    for step in steps(capability):
        if step.stage in NEW_IS_ASKED:
            return name, at + step.hold / 2
        at += step.hold
    return name, at


def _fault(plan: Migration, **what: object) -> Scenario:
    name, at = first_live(plan)
    service = plan.spec.capabilities[name].routes[0].service
    return Scenario.model_validate({"faults": [{"at": at, "service": service, **what}]})


def _wrong_answers(plan: Migration) -> Scenario:
    service = next(iter(plan.spec.capabilities.values())).routes[0].service
    return Scenario.model_validate(
        {"faults": [{"at": 0.0, "service": service, "wrong_answers": "5%"}]}
    )


def _human(plan: Migration) -> Scenario:
    name, at = first_live(plan)
    acts = [
        {"at": at, "capability": name, "flag": False},
        {"at": at + 600.0, "capability": name, "say": "resume"},
    ]
    return Scenario.model_validate({"people": acts})


def _no_traffic(plan: Migration) -> Scenario:
    _, at = first_live(plan)
    return Scenario.model_validate({"faults": [{"at": at, "traffic_factor": 0.0}]})


BUILT_IN: Final[Mapping[str, Callable[[Migration], Scenario]]] = MappingProxyType(
    {
        "clean": lambda _: Scenario(),
        "errors": lambda plan: _fault(plan, error_rate="20%"),
        "slow": lambda plan: _fault(plan, latency_factor=4.0),
        "outage": lambda plan: _fault(plan, error_rate="100%", lasts=2.0).model_copy(
            update={"requests": 200.0}  # a few failures among few users are no outage
        ),
        "wrong-answers": _wrong_answers,
        "human": _human,
        "no-traffic": _no_traffic,
    }
)
"""By name; each hits the first capability once some of its users are at the service, but wrong
answers from the beginning: they are to be found before anybody gets one."""
