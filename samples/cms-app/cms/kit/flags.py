"""LaunchDarkly in a service: the official SDK, and the context that the request came with."""

import base64
import binascii
import json

from flask import Request
from ldclient import Context, LDClient
from ldclient.config import Config

from cms.kit.identity import USER
from cms.kit.settings import Settings

CONTEXT = "X-Migrator-Context"
"""The context's JSON as base64url, put there by the proxy; passed on with every call."""
DECISIONS = "X-Migrator-Decisions"
"""What the proxy decided for it, signed; passed on too, so that a change in the middle of a user's
action waits for the next one."""


class Flags:
    def __init__(self, settings: Settings) -> None:
        self._client = LDClient(
            Config(
                settings.sdk_key,
                base_uri=settings.base_uri,
                stream_uri=settings.stream_uri,
                events_uri=settings.events_uri,
                initial_reconnect_delay=0.2,
                send_events=False,
                diagnostic_opt_out=True,
            ),
            start_wait=10,
        )

    @property
    def ready(self) -> bool:
        return self._client.is_initialized()

    def stage(self, capability: str, request: Request) -> str:
        """The capability's stage for the user of this request."""
        return str(self._client.variation(capability, context_of(request), "off"))

    def enabled(self, service: str) -> bool:
        """Whether the service is switched on; the flag server being away changes nothing."""
        nobody = Context.builder("service").kind("service").build()
        return bool(self._client.variation(f"{service}-service", nobody, True))


def context_of(request: Request) -> Context:
    """From the proxy's header, else from the user's cookie."""
    header = request.headers.get(CONTEXT, "")
    try:
        data = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
        context = Context.from_dict(data)
        if context.valid:
            return context
    except (binascii.Error, ValueError, TypeError):
        pass
    return Context.builder(request.cookies.get(USER) or "nobody").build()
