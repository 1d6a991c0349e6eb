"""Which environment a request is for, by the key it brings.

Server-side and mobile keys come in `Authorization`, without a scheme word; a browser's client-side
id in the path. That is no secret, so an unknown one is 404 and not 401.
"""

from collections.abc import Mapping

from flags.errors import NotFound, Unauthorized
from flags.streams.client import Available, for_browsers, for_mobile
from flags.streams.hub import EnvironmentHub, Hub


def by_sdk_key(hub: Hub, headers: Mapping[str, str]) -> EnvironmentHub:
    """Raises `Unauthorized`."""
    found = hub.by_secret(f"sdk:{headers.get('authorization', '')}")
    if found is None:
        raise Unauthorized("invalid SDK key")
    return found


def by_mobile_key(hub: Hub, headers: Mapping[str, str]) -> EnvironmentHub:
    """Raises `Unauthorized`."""
    found = hub.by_secret(f"mobile:{headers.get('authorization', '')}")
    if found is None:
        raise Unauthorized("invalid mobile key")
    return found


def by_client_side_id(hub: Hub, client_side_id: str) -> EnvironmentHub:
    """Raises `NotFound`."""
    found = hub.by_secret(f"client:{client_side_id}")
    if found is None:
        raise NotFound("unknown client-side id")
    return found


def by_auth(
    hub: Hub, headers: Mapping[str, str], query: Mapping[str, str]
) -> tuple[EnvironmentHub, Available]:
    """Of a client-side SDK of the second generation, and what is available to it.

    Browsers name their client-side id in `auth`, others send a mobile key. Raises `NotFound` or
    `Unauthorized`.
    """
    if "auth" in query:
        return by_client_side_id(hub, query["auth"]), for_browsers
    return by_mobile_key(hub, headers), for_mobile
