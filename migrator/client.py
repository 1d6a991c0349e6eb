"""Client of the controller's API, for the command line.

A thin shell: requests, errors with what to do, the event stream with reconnection.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Self

import httpx

from migrator.errors import InvalidInput, MigratorError, Unavailable

RECONNECT: Final = 0.3
"""Seconds between two attempts to reach a controller that restarts."""


class ControllerClient:
    """Use as an async context manager."""

    def __init__(self, origin: str, token: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=origin,
            headers={"Authorization": f"Bearer {token}"},
            timeout=5.0,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def status(self) -> dict[str, Any]:
        """The document of `migrator.controller.status`. Raises Unavailable."""
        return await self._ask("GET", "/v1/status")

    async def act(
        self,
        name: str,
        verb: str,
        *,
        by: str,
        reason: str,
        details: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The capability's status after `verb`. `details`: what the verb needs besides.

        Raises InvalidInput, MigratorError, Unavailable.
        """
        return await self._ask(
            "POST",
            f"/v1/capabilities/{name}/{verb}",
            {"by": by, "reason": reason, **(details or {})},
        )

    async def events(self, after: int = 0) -> AsyncIterator[dict[str, Any]]:
        """Every event after number `after`, for ever; survives restarts of the controller."""
        while True:
            try:
                async with self._http.stream(
                    "GET",
                    "/v1/events",
                    params={"after": after},
                    timeout=httpx.Timeout(5, read=None),
                ) as answer:
                    if not answer.is_success:
                        await answer.aread()
                        raise _refused(answer)
                    async for line in answer.aiter_lines():
                        if line.startswith("data: "):
                            event: dict[str, Any] = json.loads(line[6:])
                            after = event["seq"]
                            yield event
            except httpx.TransportError:
                pass
            await asyncio.sleep(RECONNECT)

    async def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        try:
            answer = await self._http.request(method, path, json=body)
        except httpx.TransportError as error:
            raise Unavailable(
                f"the controller at {self._http.base_url} does not answer: "
                f"{str(error) or type(error).__name__}",
                hint="`migrator up PLAN` starts it; `migrator kill` works without it",
            ) from None
        if not answer.is_success:
            raise _refused(answer)
        document: dict[str, Any] = answer.json()
        return document


def _refused(answer: httpx.Response) -> MigratorError:
    try:
        said = answer.json()
        message, hint = str(said["message"]), said.get("hint")
    except (ValueError, KeyError, TypeError):
        message, hint = f"the controller answered {answer.status_code}", None
    if answer.status_code == 401:
        hint = "secrets.json in the state folder is of another start; use the right --state"
    kind = InvalidInput if answer.status_code in (400, 404) else MigratorError
    return kind(message, hint=hint)
