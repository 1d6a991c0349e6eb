"""The flags that a plan needs: their keys, how they begin, and making the missing ones.

Called by `migrator up` and the controller when they start, and by the command line for their keys.
"""

import logging
from typing import Any, Final

from migrator.errors import InvalidInput
from migrator.flagclient import Flag, FlagClient, Forbidden, NotSupported
from migrator.plan.dependencies import all_needed, needed, service_flag
from migrator.plan.model import Migration, Stage
from migrator.plan.schedule import stages_of
from migrator.rollout.events import CONTROLLER

OPS_TAG: Final = "ops"
KEPT_OFF: Final = "kept-off"
"""Tag of a service's flag that the controller had switched off when a person wanted it off, too."""

logger = logging.getLogger(__name__)


async def ensure_flags(client: FlagClient, plan: Migration) -> dict[str, Flag]:
    """Create the plan's flags that are missing, and return those of capabilities among them.

    Those that exist keep what they say. Raises InvalidInput if one of them cannot serve: archived,
    or with other variations.
    """
    flags = await client.list_flags(flag_keys(plan))
    capabilities = plan.spec.capabilities
    for service in sorted(all_needed(capabilities)):
        key = service_flag(service)
        flag = flags.get(key) or await client.create(_service_flag_body(service))
        flags[key] = _usable(flag, (True, False))
        # Version 1 and off: created a moment ago and touched by nobody since.
        if not flag.on and flag.version <= 1:
            flags[key] = await client.turn(key, on=True, comment="in service")
    made: dict[str, Flag] = {}
    for name, capability in capabilities.items():
        stages = stages_of(capability)
        flag = flags.get(name) or await _create_stages(client, name, plan.spec.context.kind, stages)
        _usable(flag, tuple(map(str, stages)))
        if name not in flags:
            made[name] = flag
        have = {p.key for p in flag.environment.prerequisites}
        missing = [
            {
                "kind": "addPrerequisite",
                "key": service_flag(service),
                "variationId": flags[service_flag(service)].variation_id(True),
            }
            for service in needed(capabilities, name)
            if service_flag(service) not in have
        ]
        if missing:
            flag = await client.patch(name, missing, "services that it needs")
            if name in made:
                made[name] = flag
    return made


async def _create_stages(
    client: FlagClient, name: str, context_kind: str, stages: tuple[Stage, ...]
) -> Flag:
    """A migration flag; where the account has none (LaunchDarkly sells them apart, and its EU and
    federal instances lack them), a string flag with the same values in the same order."""
    try:
        return await client.create(_capability_flag_body(name, context_kind, len(stages)))
    except (NotSupported, Forbidden) as error:
        logger.info("flags.no_migration_flags key=%s %s", name, error)
    return await client.create(_stages_flag_body(name, stages))


def _usable(flag: Flag, values: tuple[bool | str, ...]) -> Flag:
    """`flag`, if the rollout can be told by it. Raises InvalidInput."""
    if flag.archived:
        raise InvalidInput(
            f"flag {flag.key} is archived: no SDK sees it",
            hint="restore it in the flag server, or rename what the plan calls so",
        )
    found = [variation.value for variation in flag.variations]
    if any(not _has(found, value) for value in values):
        raise InvalidInput(
            f"flag {flag.key} exists with the variations {found}, expected {list(values)}",
            hint="it belongs to something else: rename what the plan calls so, or that flag",
        )
    return flag


def _has(found: list[Any], value: bool | str) -> bool:
    return any(type(each) is type(value) and each == value for each in found)


async def claim(client: FlagClient, flag: Flag, comment: str) -> Flag:
    """Make it known that a person wants the flag of a service to be as it is.

    Turning off what the controller has turned off already changes nothing, and leaves no trace: its
    probe would turn it on again. A tag says so, until the flag is turned on.
    """
    tagged = KEPT_OFF in flag.tags
    if flag.on and tagged:
        return await unclaimed(client, flag, comment)
    if not flag.on and not tagged:
        entries = await client.audit(flag.key, limit=1)
        if entries and entries[0].by == CONTROLLER:
            return await client.patch(flag.key, [_tag("addTags")], comment)
    return flag


async def unclaimed(client: FlagClient, flag: Flag, comment: str) -> Flag:
    """Without that tag, which stays where the flag was turned on in a dashboard."""
    if KEPT_OFF not in flag.tags:
        return flag
    return await client.patch(flag.key, [_tag("removeTags")], comment)


def _tag(kind: str) -> dict[str, Any]:
    return {"kind": kind, "values": [KEPT_OFF]}


def flag_keys(plan: Migration) -> tuple[str, ...]:
    """The keys of all flags of the plan."""
    capabilities = plan.spec.capabilities
    return (*capabilities, *map(service_flag, all_needed(capabilities)))


def _service_flag_body(service: str) -> dict[str, Any]:
    return {
        "key": service_flag(service),
        "name": f"{service} service",
        "description": f"Off: every capability that needs {service} goes to the monolith.",
        "kind": "boolean",
        "variations": [{"value": True, "name": "on"}, {"value": False, "name": "off"}],
        "defaults": {"onVariation": 0, "offVariation": 1},
        "tags": [OPS_TAG],
        "temporary": False,
    }


def _capability_flag_body(name: str, context_kind: str, stage_count: int) -> dict[str, Any]:
    return {
        "key": name,
        "name": name,
        "purpose": "migration",
        "migrationSettings": {"contextKind": context_kind, "stageCount": stage_count},
        "temporary": True,
    }


def _stages_flag_body(name: str, stages: tuple[Stage, ...]) -> dict[str, Any]:
    off = stages.index(Stage.OFF)
    return {
        "key": name,
        "name": name,
        "kind": "multivariate",
        "variations": [{"value": str(stage), "name": str(stage)} for stage in stages],
        "defaults": {"onVariation": off, "offVariation": off},
        "temporary": True,
    }
