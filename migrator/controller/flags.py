"""The flags that a plan needs: their keys, how they begin, and making the missing ones.

Called by the controller when it starts and by the command line for their keys.
"""

from typing import Any, Final

from migrator.flagclient import FlagClient
from migrator.plan.check import service_flag
from migrator.plan.model import Capability, Migration, Stage

OPS_TAG: Final = "ops"


async def ensure_flags(client: FlagClient, plan: Migration) -> None:
    """Create the plan's flags that are missing. Those that exist keep what they say."""
    flags = await client.list_flags()
    services = {
        name for capability in plan.spec.capabilities.values() for name in needed(capability)
    }
    for service in sorted(services):
        key = service_flag(service)
        flag = flags.get(key) or await client.create(_service_flag_body(service))
        flags[key] = flag
        # Version 1 and off: created a moment ago and touched by nobody since.
        if not flag.on and flag.version <= 1:
            flags[key] = await client.turn(key, on=True, comment="in service")
    for name, capability in plan.spec.capabilities.items():
        flag = flags.get(name) or await client.create(
            _capability_flag_body(name, plan.spec.context.kind)
        )
        have = {p.key for p in flag.environment.prerequisites}
        missing = [
            {
                "kind": "addPrerequisite",
                "key": service_flag(service),
                "variationId": flags[service_flag(service)].variation_id(True),
            }
            for service in needed(capability)
            if service_flag(service) not in have
        ]
        if missing:
            await client.patch(name, missing, "services that it needs")


def needed(capability: Capability) -> tuple[str, ...]:
    """The services that a capability needs, each once, in the plan's order."""
    return tuple(
        dict.fromkeys((*(route.service for route in capability.routes), *capability.needs))
    )


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


def _capability_flag_body(name: str, context_kind: str) -> dict[str, Any]:
    return {
        "key": name,
        "name": name,
        "purpose": "migration",
        "migrationSettings": {"contextKind": context_kind, "stageCount": len(Stage)},
        "temporary": True,
    }
