"""Rules that hold between parts of a plan. Pure."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from pydantic import ValidationError

from migrator.plan.dependencies import find_dependencies, service_flag
from migrator.plan.document import Path, show_path
from migrator.plan.errors import nearest
from migrator.plan.finding import Finding
from migrator.plan.metrics import find_slips
from migrator.plan.model import Capability, Migration, MonolithWorkload, Route, Stage, Step
from migrator.plan.proxy import proxy_config
from migrator.plan.schedule import stages_of
from migrator.plan.units import FULL_SHARE, format_share
from routing.errors import InvalidConfig, RouteConflict
from routing.table import Route as TableRoute
from routing.table import RouteTable, route_of

STANDARD_ENV: Final = ("PORT", "DATA_DIR", "GATEWAY_URL", "PATH")
RESERVED: Final = ("proxy", "proxy-admin", "gateway", "controller", "monolith", "flag-server")
"""Names of our own programs and ports."""
_OTHER: Final = {"embedded": "launchdarkly", "launchdarkly": "embedded"}
_ONLY: Final = {"embedded": ("host", "port"), "launchdarkly": ("api", "base", "stream", "events")}
_PARAMETER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_REFERENCE: Final = re.compile(r"\$\{([^}]*)\}")
_ORDER: Final = {stage: index for index, stage in enumerate(Stage)}


def check(plan: Migration, line: Callable[[Path], int]) -> Iterator[Finding]:
    """Everything that contradicts itself; `line` gives the line of a path, for messages."""
    yield from _flags(plan)
    yield from _secrets(plan)
    yield from _references(plan)
    yield from _ports(plan, line)
    yield from _names(plan)
    yield from _hedges(plan)
    yield from _routes(plan, line)
    yield from _proxy(plan)
    yield from find_dependencies(plan)
    for name, capability in plan.spec.capabilities.items():
        path: Path = ("spec", "capabilities", name)
        yield from _services(plan, capability, path)
        yield from _flag_key(plan, name, path)
        metrics = capability.analysis.metrics
        yield from find_slips(metrics, plan.spec.flags, (*path, "analysis", "metrics"))
        if not isinstance(capability.schedule, str):
            yield from _schedule(capability.schedule, (*path, "schedule"))
            yield from _stages(capability, capability.schedule, (*path, "schedule"))


def _flags(plan: Migration) -> Iterator[Finding]:
    """Settings of the other kind of flag server would have no effect."""
    flags = plan.spec.flags
    for name in _ONLY[_OTHER[flags.server]]:
        if getattr(flags, name) != type(flags).model_fields[name].default:
            yield Finding(
                ("spec", "flags", name),
                f"{name!r} has no effect with server: {flags.server}, only with "
                f"server: {_OTHER[flags.server]}; leave it out",
            )


def _secrets(plan: Migration) -> Iterator[Finding]:
    for index, name in enumerate(plan.spec.secrets):
        if name in STANDARD_ENV or name.startswith("LAUNCHDARKLY_"):
            yield Finding(
                ("spec", "secrets", index), f"{name!r} is set by the runtime; expected another name"
            )


def _proxy(plan: Migration) -> Iterator[Finding]:
    """What contradicts itself in the proxy's document; addresses do not matter for that."""
    somewhere, elsewhere = "http://127.0.0.1", "http://127.0.0.2"
    try:
        proxy_config(
            plan,
            edge=0,
            gateway=0,
            gateway_host="127.0.0.1",
            monolith=somewhere,
            services=dict.fromkeys(_named_services(plan), (somewhere, elsewhere)),
        )
    except ValidationError as error:
        for each in error.errors(include_url=False):
            yield Finding(("spec", "proxy"), each["msg"].removeprefix("Value error, "))


def _named_services(plan: Migration) -> Iterator[str]:
    """Also those that are not there, which `_services` reports."""
    yield from plan.spec.services
    for capability in plan.spec.capabilities.values():
        yield from (route.service for route in capability.routes)


def _references(plan: Migration) -> Iterator[Finding]:
    known = ["gateway.url", "monolith.url", *(f"services.{n}.url" for n in plan.spec.services)]
    workloads = [(("spec", "services", n), w) for n, w in plan.spec.services.items()]
    places: list[tuple[Path, dict[str, str]]] = [(path, w.env) for path, w in workloads]
    if isinstance(plan.spec.monolith, MonolithWorkload):
        monolith = plan.spec.monolith.workload
        places.append((("spec", "monolith", "workload"), monolith.env))
    for path, env in places:
        for key, value in env.items():
            for reference in _REFERENCE.findall(value):
                if reference not in known:
                    yield Finding(
                        (*path, "env", key),
                        f"found ${{{reference}}}, expected one of {', '.join(known)}",
                        nearest(reference, known),
                    )


def _ports(plan: Migration, line: Callable[[Path], int]) -> Iterator[Finding]:
    spec = plan.spec
    used: list[tuple[int, Path]] = [
        (spec.flags.port if spec.flags.server == "embedded" else 0, ("spec", "flags", "port")),
        (spec.proxy.port, ("spec", "proxy", "port")),
        (spec.proxy.gateway_port, ("spec", "proxy", "gateway_port")),
        *((w.port, ("spec", "services", name, "port")) for name, w in spec.services.items()),
    ]
    if isinstance(spec.monolith, MonolithWorkload):
        used.append((spec.monolith.workload.port, ("spec", "monolith", "workload", "port")))
    first: dict[int, Path] = {}
    for port, path in used:
        if port and port in first:
            other = first[port]
            yield Finding(
                path, f"port {port} is also {show_path(other)}, line {line(other)}; 0 is any port"
            )
        first.setdefault(port, path)


def _names(plan: Migration) -> Iterator[Finding]:
    for name in plan.spec.services:
        if name in RESERVED:
            yield Finding(
                ("spec", "services", name),
                f"{name!r} is what a program of migrator itself is called; expected another name",
            )


def _hedges(plan: Migration) -> Iterator[Finding]:
    for name, service in plan.spec.services.items():
        if service.hedge is not None and service.replicas == 1:
            yield Finding(
                ("spec", "services", name, "hedge"),
                "a second attempt needs a second endpoint, found replicas: 1, expected 2 or more",
            )


def _services(plan: Migration, capability: Capability, path: Path) -> Iterator[Finding]:
    known = list(plan.spec.services)
    named = [
        *((r.service, (*path, "routes", i, "service")) for i, r in enumerate(capability.routes)),
        *((name, (*path, "needs", i)) for i, name in enumerate(capability.needs)),
    ]
    for name, where in named:
        if name not in known:
            yield Finding(
                where,
                f"no service is called {name!r}, expected one of {', '.join(known) or '(none)'}",
                nearest(name, known),
            )


def _flag_key(plan: Migration, name: str, path: Path) -> Iterator[Finding]:
    for service in plan.spec.services:
        if name == service_flag(service):
            yield Finding(path, f"{name!r} is the flag of service {service!r}; choose another name")


def _template(route: Route, path: Path) -> Iterator[Finding]:
    segments = route.path.removeprefix("/").split("/")
    names: list[str] = []
    for index, segment in enumerate(segments):
        last = index == len(segments) - 1
        parameter = _PARAMETER.fullmatch(segment)
        if parameter:
            names.append(parameter[1])
        elif segment == "*" and last:
            continue
        elif any(c in segment for c in "{}*?#") or any(c <= " " or c > "~" for c in segment):
            yield Finding(
                path,
                f"found the segment {segment!r}, expected plain text, one {{name}}, "
                "or a * as the last one",
            )
        elif not segment and route.path != "/":
            yield Finding(path, "found an empty segment; leave out the doubled or trailing /")
    for name in {n for n in names if names.count(n) > 1}:
        yield Finding(path, f"the parameter {{{name}}} is there twice")


def _routes(plan: Migration, line: Callable[[Path], int]) -> Iterator[Finding]:
    """What the proxy's own table refuses, and what is surely a slip."""
    table = RouteTable({})
    places: dict[TableRoute, Path] = {}
    for name, capability in plan.spec.capabilities.items():
        for index, rule in enumerate(capability.routes):
            place: Path = ("spec", "capabilities", name, "routes", index)
            slips = list(_template(rule, (*place, "path")))
            yield from slips
            if slips:
                continue
            try:
                route = route_of(rule, name, name)
                places[route] = place
                table.add(route)
            except RouteConflict as conflict:
                first = places[conflict.first]
                yield Finding(
                    place,
                    f"{rule.path} takes the same requests as {show_path(first)}, "
                    f"line {line(first)}",
                )
            except InvalidConfig as error:
                yield Finding(place, str(error))


def _stages(capability: Capability, schedule: tuple[Step, ...], path: Path) -> Iterator[Finding]:
    """A flag can only show the stages that it has."""
    stages = stages_of(capability)
    for index, step in enumerate(schedule):
        if step.stage not in stages:
            yield Finding(
                (*path, index, "stage"),
                f"found {str(step.stage)!r}, expected one of {', '.join(stages[1:])}, which a flag "
                f"with stages: {capability.stages} has",
            )


def _schedule(schedule: tuple[Step, ...], path: Path) -> Iterator[Finding]:
    if not schedule:
        yield Finding(path, "found no step, expected at least one")
    before = Step.model_construct(stage=Stage.OFF, share=FULL_SHARE)
    for index, step in enumerate(schedule):
        where = (*path, index)
        if step.stage is Stage.OFF:
            yield Finding((*where, "stage"), "found 'off', which is where every rollout begins")
        elif _ORDER[step.stage] < _ORDER[before.stage]:
            yield Finding(
                (*where, "stage"), f"{step.stage} comes before {before.stage}; stages only advance"
            )
        elif step.stage is before.stage and step.share < before.share:
            yield Finding(
                (*where, "share"),
                f"found {format_share(step.share)} after {format_share(before.share)}; "
                "shares only grow within a stage",
            )
        elif step.stage is not before.stage and before.share < FULL_SHARE:
            yield Finding(
                where,
                f"{before.stage} is only at {format_share(before.share)}; bring it to 100% first",
            )
        before = step
