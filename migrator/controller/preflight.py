"""Before anything starts: do the keys, the token and the names of the plan fit LaunchDarkly?

Called by `migrator up` when the flag server is not its own. Creates the missing flags, so that what
the token may not do is said at once and in one place.
"""

import re
from typing import Final

import httpx

from migrator.controller.flags import ensure_flags
from migrator.errors import InvalidInput
from migrator.flagaccess import SDK_KEY
from migrator.flagclient import FlagClient, Target
from migrator.plan.model import Migration

_CLIENT_SIDE_ID: Final = re.compile(r"[0-9a-f]{24}|[0-9a-f]{32}")


async def preflight(plan: Migration, target: Target, sdk_key: str) -> None:
    """Raises InvalidInput for what a person must mend, Unavailable if nobody answers."""
    async with FlagClient(target, timeout=10.0) as client:
        environment = await client.environment()
        await _check_sdk_key(plan, sdk_key, environment.id)
        await ensure_flags(client, plan)


async def _check_sdk_key(plan: Migration, sdk_key: str, expected: str) -> None:
    """The key must be known, and of the plan's environment. SDKs cope with a server that does not
    answer, so that is no error here."""
    flags = plan.spec.flags
    try:
        async with (
            httpx.AsyncClient(timeout=5.0, trust_env=flags.base.startswith("https:")) as http,
            http.stream(
                "GET", f"{flags.base}/sdk/latest-all", headers={"Authorization": sdk_key}
            ) as answer,
        ):
            status, found = answer.status_code, answer.headers.get("x-ld-envid", "")
    except httpx.HTTPError:
        return
    if status in (401, 403):
        raise InvalidInput(
            f"{flags.base} refuses the SDK key in ${SDK_KEY} ({status})",
            hint=f"use the SDK key of the environment {flags.environment!r} of the project "
            f"{flags.project!r}",
        )
    known = _CLIENT_SIDE_ID.fullmatch(found) and _CLIENT_SIDE_ID.fullmatch(expected)
    if known and found != expected:
        raise InvalidInput(
            f"the SDK key in ${SDK_KEY} is of another environment (client-side id {found}) than "
            f"{flags.environment!r} of the project {flags.project!r} ({expected})",
            hint="use the SDK key of that environment, or correct spec.flags.project and "
            "spec.flags.environment",
        )
