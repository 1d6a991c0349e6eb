"""What a plan says about the proxy, as the proxy's own configuration document.

Pure. Keys of `spec.proxy` that the proxy's document has under the same name are passed on as they
are, so a new one needs a line in the plan's model and none here.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from migrator.plan.dependencies import needed, service_flag
from migrator.plan.model import EndpointRules, Migration, Proxy
from routing.config import Address, Capability, EndpointStream, Listen, ProxyConfig, Upstream

PASSED_ON: Final = tuple(name for name in Proxy.model_fields if name in ProxyConfig.model_fields)
OF_THE_LISTENER: Final = tuple(name for name in Proxy.model_fields if name in Listen.model_fields)


def proxy_config(
    plan: Migration,
    *,
    edge: int,
    gateway: int,
    gateway_host: str,
    monolith: str,
    services: Mapping[str, Sequence[str]],
    endpoints: EndpointStream | None = None,
    folder: Path | None = None,
) -> ProxyConfig:
    """`edge` and `gateway` are ports, `monolith` an origin, `services` the endpoints of each, and
    `endpoints` where to hear of changes. Relative paths begin in `folder`; None leaves them.

    Raises pydantic's ValidationError for what contradicts itself.
    """
    said = plan.spec.proxy
    values = {name: getattr(said, name) for name in PASSED_ON}
    listener = {name: getattr(said, name) for name in OF_THE_LISTENER}
    capabilities = {
        name: Capability(
            flag=name,
            switches=tuple(map(service_flag, needed(plan.spec.capabilities, name))),
            routes=capability.routes,
            parity=capability.parity,
        )
        for name, capability in plan.spec.capabilities.items()
    }
    config = ProxyConfig(
        migration=plan.metadata.name,
        listen=Listen(**{**listener, "port": edge}),
        gateway=Address(host=gateway_host, port=gateway),
        context=plan.spec.context,
        monolith=_upstream(plan.spec.monolith, (monolith,)),
        services={
            name: _upstream(plan.spec.services.get(name), urls) for name, urls in services.items()
        },
        endpoints=endpoints,
        capabilities=capabilities,
        **values,
    )
    return config if folder is None else _placed(config, folder)


def _upstream(said: EndpointRules | None, endpoints: Sequence[str]) -> Upstream:
    """With what differs from the defaults, so that an origin of which nothing is said stays one
    that costs nothing. `said` None: of a service that is not there."""
    if said is None:
        return Upstream(endpoints=tuple(endpoints))
    rules = {
        name: getattr(said, name)
        for name, field in type(said).model_fields.items()
        if name in Upstream.model_fields and getattr(said, name) != field.default
    }
    return Upstream(endpoints=tuple(endpoints), **rules)


def _placed(value: Any, folder: Path) -> Any:
    """`value` with the paths in it beginning in `folder`."""
    if isinstance(value, Path):
        return folder / value
    if isinstance(value, BaseModel):
        return value.model_copy(update={name: _placed(each, folder) for name, each in value})
    if isinstance(value, dict):
        return {name: _placed(each, folder) for name, each in value.items()}
    if isinstance(value, tuple):
        return tuple(_placed(each, folder) for each in value)
    return value
