"""What a stream says of endpoints, and what is known after it. Pure.

    event: snapshot
    data: {"services": {"articles": ["http://10.0.0.5:8080", "http://10.0.0.6:8080"]}}

    event: change
    data: {"services": {"articles": ["http://10.0.0.6:8080"]}}

A snapshot comes first and says everything: what it leaves out is where the configuration says. A
change has all endpoints of the services that it names. Names that the configuration does not have
are kept for one that does; other events, and other keys beside `services`, are left to the future.
"""

import json
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter, ValidationError

from routing.config import Endpoints, Located, ProxyConfig
from routing.event_stream import Event

MAX_EVENT: Final = 1024 * 1024
"""Bytes."""
MAX_SERVICES: Final = 1024
MAX_ENDPOINTS: Final = 4096
"""Of all services together."""

_SERVICES: Final = TypeAdapter[dict[str, tuple[str, ...]]](
    Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=64)], Endpoints],
        Field(max_length=MAX_SERVICES),
    ]
)


class BadUpdate(ValueError):
    """An event cannot be obeyed; what was known before it stays."""


def updated(known: Located | None, event: Event) -> Located | None:
    """What is known after `event`; None: it says nothing of that. `known` None: nothing came before
    on this stream. Raises BadUpdate."""
    if event.name == "snapshot":
        return _bounded(_services(event.data))
    if event.name == "change":
        if known is None:
            raise BadUpdate("a change came before the snapshot")
        return _bounded({**known, **_services(event.data)})
    return None


def kept(places: Located, url: str, config: ProxyConfig) -> dict[str, Any]:
    """JSON for the next start: `places`, from `url`, under `config`."""
    configured = {name: upstream.endpoints for name, upstream in config.services.items()}
    return {"url": url, "configured": configured, "services": places}


def recalled(text: bytes, url: str, config: ProxyConfig) -> Located:
    """What `text`, JSON of `kept`, says for `config`: nothing of services whose configured
    endpoints are others now, for it may be older than those. Raises BadUpdate."""
    try:
        document = json.loads(text)
        configured = document["configured"]
        if document["url"] != url:
            return {}
        return {
            name: places
            for name, places in _bounded(_checked(document["services"])).items()
            if name in config.services
            and list(config.services[name].endpoints) == configured.get(name)
        }
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise BadUpdate(str(error) or type(error).__name__) from None


def _services(data: str) -> dict[str, tuple[str, ...]]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise BadUpdate("the data is not JSON") from None
    if not isinstance(document, dict) or "services" not in document:
        raise BadUpdate("the data has no services")
    return _checked(document["services"])


def _checked(services: object) -> dict[str, tuple[str, ...]]:
    try:
        return _SERVICES.validate_python(services)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, ("services", *first["loc"])))
        raise BadUpdate(f"{place[:200]}: {first['msg'][:500]}") from None


def _bounded(places: Located) -> Located:
    count = sum(map(len, places.values()))
    if len(places) > MAX_SERVICES or count > MAX_ENDPOINTS:
        raise BadUpdate(
            f"{count} endpoints of {len(places)} services, expected {MAX_ENDPOINTS} of "
            f"{MAX_SERVICES} at most"
        )
    return places
