"""A scenario's document, checked against the plan. Pure."""

from collections.abc import Iterator

from pydantic import ValidationError

from migrator.errors import InvalidInput
from migrator.plan.document import read
from migrator.plan.model import Migration
from migrator.simulate.scenario import BUILT_IN, Scenario


def built_in(name: str, plan: Migration) -> Scenario:
    """Raises InvalidInput."""
    if name not in BUILT_IN:
        raise InvalidInput(
            f"found no scenario {name!r}, neither a file nor built in",
            hint=f"there are: {', '.join(BUILT_IN)}",
        )
    return BUILT_IN[name](plan)


def parse(text: str, file: str, plan: Migration) -> Scenario:
    """Raises InvalidInput, or PlanErrors for what is no YAML."""
    try:
        scenario = Scenario.model_validate(read(text, file).data or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "document"
        said = first["msg"].removeprefix("Value error, ")
        raise InvalidInput(f"{file}: {place}: found {first['input']!r}, {said}") from None
    for place, found, known in _names(scenario, plan):
        if found not in known:
            raise InvalidInput(
                f"{file}: {place}: found {found!r}, expected one of {', '.join(known)}"
            )
    return scenario


def _names(scenario: Scenario, plan: Migration) -> Iterator[tuple[str, str, list[str]]]:
    for index, fault in enumerate(scenario.faults):
        if fault.service is not None:
            yield f"faults.{index}.service", fault.service, list(plan.spec.services)
    for index, act in enumerate(scenario.people):
        yield f"people.{index}.capability", act.capability, list(plan.spec.capabilities)
