"""Calls to other services, through the gateway: the proxy decides who answers."""

from collections.abc import Mapping
from typing import Any

import httpx
from flask import has_request_context, request

from cms.kit.flags import CONTEXT, DECISIONS
from cms.kit.identity import session_of

TIMEOUT = 3.0


class GatewayError(Exception):
    """No usable answer."""


class Gateway:
    def __init__(self, origin: str) -> None:
        self._http = httpx.Client(base_url=origin, timeout=TIMEOUT, trust_env=False)

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """The JSON; None if there is no such thing. Asked twice before it raises GatewayError."""
        for last in (False, True):
            try:
                answer = self._http.get(path, params=params, headers=passed_on())
                if answer.status_code == 404:
                    return None
                answer.raise_for_status()
                return answer.json()
            except (httpx.HTTPError, ValueError) as error:
                if last:
                    raise GatewayError(f"GET {path}: {error!r}") from error
        return None

    def post(self, path: str, body: object, headers: Mapping[str, str]) -> Any:
        """The JSON. Raises GatewayError."""
        try:
            answer = self._http.post(path, json=body, headers=headers)
            answer.raise_for_status()
            return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise GatewayError(f"POST {path}: {error!r}") from error


def passed_on() -> dict[str, str]:
    """Whose request this is, for the next program on the way."""
    if not has_request_context():
        return {}
    names = (CONTEXT, DECISIONS)
    headers = {name: value for name in names if (value := request.headers.get(name))}
    if session := session_of(request):
        headers["Authorization"] = f"Bearer {session}"
    return headers
