"""The plan becomes the programs that run it on one machine. Pure.

Called by `migrator up`. Decides commands, environments, order and addresses; starts nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from migrator.flagaccess import controller_variables, sdk_variables
from migrator.plan.model import Migration, MonolithWorkload, Service, Workload
from migrator.plan.proxy import proxy_config
from migrator.runtimes.local.spec import ProcessSpec
from migrator.secrets import Secrets
from migrator.state import Addresses, StateDir
from routing.config import REVEAL, EndpointStream

LOOPBACK: Final = "127.0.0.1"
FLAGS, WORKLOADS, PROXY, LAST = range(4)
"""Levels of the start order."""
_REFERENCE: Final = re.compile(r"\$\{([a-z0-9.-]+)\}")
_OURS: Final = ("LAUNCHDARKLY_", "MIGRATOR_")
"""Variables of our own environment that no program inherits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    specs: tuple[ProcessSpec, ...]
    addresses: Addresses
    routes: dict[str, Any]
    """The proxy's configuration document."""
    credentials: dict[str, Any] | None
    """The embedded flag server's credentials document."""


def wanted_ports(plan: Migration) -> dict[str, int]:
    """Port by user; 0 where any free one will do."""
    spec = plan.spec
    ports = {
        "proxy": spec.proxy.port,
        "gateway": spec.proxy.gateway_port,
        "proxy-admin": 0,
        "controller": 0,
        **{
            replica: service.port if replica == name else 0
            for name, service in spec.services.items()
            for replica in replicas(name, service)
        },
    }
    if spec.flags.server == "embedded":
        ports["flag server"] = spec.flags.port
    if isinstance(spec.monolith, MonolithWorkload):
        ports["monolith"] = spec.monolith.workload.port
    return ports


def replicas(name: str, service: Service) -> tuple[str, ...]:
    """Names of a service's processes; a dot is in no service's name."""
    return (name, *(f"{name}.{number}" for number in range(2, service.replicas + 1)))


def compose(
    plan: Migration,
    *,
    folder: Path,
    ports: Mapping[str, int],
    secrets: Secrets,
    state: StateDir,
    environment: Mapping[str, str],
    python: str,
) -> Composition:
    """`folder` is the plan file's; `environment` is ours: all but secrets is inherited.

    Raises InvalidInput if `environment` lacks the secrets of LaunchDarkly and they are needed.
    """
    spec = plan.spec
    embedded = spec.flags.server == "embedded"
    addresses = _addresses(plan, ports)
    inherited = {k: v for k, v in environment.items() if not k.startswith(_OURS)}
    inherited["PATH"] = f"{Path(python).parent}:{inherited.get('PATH', '/usr/bin:/bin')}"
    flags = sdk_variables(spec.flags, addresses.flags, secrets, environment)
    references = {
        "gateway.url": addresses.gateway,
        "monolith.url": addresses.monolith,
        **{f"services.{name}.url": url for name, url in addresses.services.items()},
    }

    pushed = any(m.otlp for c in spec.capabilities.values() for m in c.analysis.metrics)

    def workload(
        name: str,
        work: Workload,
        place: str,
        *,
        service: str | None = None,
        keep_probing: bool = False,
    ) -> ProcessSpec:
        port = ports[name]
        return ProcessSpec(
            name=name,
            service=service,
            keep_probing=keep_probing,
            command=work.command,
            cwd=(folder / work.cwd).resolve(),
            env={
                **inherited,
                **flags,
                **(_pushing(name, service or name, addresses, secrets) if pushed else {}),
                **secrets.plan,
                **{k: substitute(v, references) for k, v in work.env.items()},
                "PORT": str(port),
                "DATA_DIR": str(state.data / (service or name)),
                "GATEWAY_URL": addresses.gateway,
            },
            port=port,
            ready=f"http://{LOOPBACK}:{port}{work.ready}",
            level=WORKLOADS,
            ready_timeout=work.ready_timeout,
            stop_timeout=work.stop_timeout,
            place=place,
        )

    def ours(
        name: str, level: int, address: str, *arguments: str, env: Mapping[str, str] = {}
    ) -> ProcessSpec:
        return ProcessSpec(
            name=name,
            command=(python, "-m", "migrator", *arguments),
            cwd=state.root,
            env={**inherited, **env},
            port=int(address.rpartition(":")[2]),
            ready=f"{address}/readyz",
            level=level,
            workers_linger=name == "proxy",
        )

    specs = [
        *(
            workload(
                *(replica, service, f"spec.services.{name}"),
                service=name,
                keep_probing=service.replicas > 1,
            )
            for name, service in spec.services.items()
            for replica in replicas(name, service)
        ),
        ours(
            *("proxy", PROXY, addresses.proxy_admin, "proxy", "serve"),
            *("--config", str(state.routes), "--state", str(state.proxy)),
            *("--admin-port", str(ports["proxy-admin"]), "--take-over"),
            env=flags,
        ),
        ours(
            *("controller", LAST, addresses.controller, "controller", "run"),
            *("--state", str(state.root)),
            env=controller_variables(spec.flags, environment),
        ),
    ]
    if embedded:
        specs.append(
            ours(
                *("flag-server", FLAGS, addresses.flags, "flags", "serve"),
                *("--host", spec.flags.host, "--port", str(ports["flag server"])),
                *("--database", str(state.flags_database)),
                *("--credentials", str(state.credentials)),
            )
        )
    if isinstance(spec.monolith, MonolithWorkload):
        specs.append(workload("monolith", spec.monolith.workload, "spec.monolith.workload"))
    return Composition(
        specs=tuple(specs),
        addresses=addresses,
        routes=proxy_config(
            plan,
            edge=ports["proxy"],
            gateway=ports["gateway"],
            gateway_host=LOOPBACK,
            monolith=addresses.monolith,
            services={
                name: [_origin(LOOPBACK, ports[replica]) for replica in replicas(name, service)]
                for name, service in spec.services.items()
            },
            endpoints=EndpointStream(
                url=f"{addresses.controller}/v1/endpoints", token_file=state.endpoints_token
            ),
            folder=folder.resolve(),
        ).model_dump(mode="json", context=REVEAL),
        credentials=_credentials(plan, secrets) if embedded else None,
    )


def substitute(text: str, references: Mapping[str, str]) -> str:
    """`text` with each `${name}` replaced; unknown ones are refused when the plan is checked."""
    return _REFERENCE.sub(lambda match: references.get(match[1], match[0]), text)


def _pushing(name: str, service: str, addresses: Addresses, secrets: Secrets) -> dict[str, str]:
    """What OpenTelemetry's SDKs need to push metrics to the controller."""
    return {
        "OTEL_SERVICE_NAME": service,
        "OTEL_RESOURCE_ATTRIBUTES": f"service.instance.id={name}",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{addresses.controller}/v1/metrics",
        "OTEL_EXPORTER_OTLP_METRICS_HEADERS": f"authorization=Bearer%20{secrets.metrics_token}",
        "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf",
    }


def _addresses(plan: Migration, ports: Mapping[str, int]) -> Addresses:
    spec = plan.spec
    return Addresses(
        proxy=_origin(spec.proxy.host, ports["proxy"], "https" if spec.proxy.tls else "http"),
        gateway=_origin(LOOPBACK, ports["gateway"]),
        proxy_admin=_origin(LOOPBACK, ports["proxy-admin"]),
        flags=_origin(spec.flags.host, ports["flag server"])
        if spec.flags.server == "embedded"
        else spec.flags.api,
        controller=_origin(LOOPBACK, ports["controller"]),
        monolith=_origin(LOOPBACK, ports["monolith"])
        if isinstance(spec.monolith, MonolithWorkload)
        else spec.monolith.url,
        services={name: _origin(LOOPBACK, ports[name]) for name in spec.services},
    )


def _origin(host: str, port: int, scheme: str = "http") -> str:
    """Where to reach what listens on `host`: a wildcard is reached on loopback."""
    reachable = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104 - not bound here
    return (
        f"{scheme}://[{reachable}]:{port}" if ":" in reachable else f"{scheme}://{reachable}:{port}"
    )


def _credentials(plan: Migration, secrets: Secrets) -> dict[str, Any]:
    return {
        "project": plan.spec.flags.project,
        "environment": plan.spec.flags.environment,
        "sdk_key": secrets.sdk_key,
        "mobile_key": secrets.mobile_key,
        "client_side_id": secrets.client_side_id,
        "session_secret": secrets.session_secret,
        "tokens": secrets.flags_tokens,
    }
