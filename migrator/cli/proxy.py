"""`migrator proxy …`: run the proxy, check its configuration, ask where a request would go.

`migrator up` starts `serve`; on a cluster it is a workload of its own. The other commands start and
change nothing.
"""

import os
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from migrator.cli.options import JsonOption, StateOption
from migrator.cli.output import console, print_json
from migrator.errors import InvalidInput
from migrator.plan.units import parse_duration
from migrator.state import find_state
from routing.config import ProxyConfig
from routing.errors import BadMessage, RoutingError
from routing.explain import Explanation, explain
from routing.overrides import COOKIE, Override, write_override
from routing.stages import Access, Side, Stage
from routing.table import RouteTable

proxy_app = typer.Typer(help="The flag-aware proxy.", no_args_is_help=True, rich_markup_mode=None)

ConfigFile = Annotated[
    Path, typer.Argument(help="JSON document of `proxy serve`.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the group to the root command."""
    app.add_typer(proxy_app, name="proxy")


@proxy_app.command()
def serve(
    config: Annotated[Path, typer.Option(help="JSON document with listeners, origins and routes.")],
    state: Annotated[
        Path, typer.Option(help="Folder for the last known flags, of this proxy alone.")
    ],
    admin_host: Annotated[str, typer.Option(help="Address of /readyz, /routes and /stats.")] = (
        "127.0.0.1"
    ),
    admin_port: Annotated[int, typer.Option(help="Its TCP port; 0 takes a free one.")] = 0,
    take_over: Annotated[
        bool,
        typer.Option(
            "--take-over",
            help="Replace the proxy that runs with this state folder, without losing a request.",
        ),
    ] = False,
) -> None:
    """Route requests to the monolith and the services by flags.

    The SDK key and the addresses of the flag server come from LAUNCHDARKLY_SDK_KEY,
    LAUNCHDARKLY_BASE_URI, LAUNCHDARKLY_STREAM_URI and LAUNCHDARKLY_EVENTS_URI. With `endpoints` in
    the document it follows a stream of where the services are.

    Example: migrator proxy serve --config routes.json --state /var/lib/migrator-proxy
    """
    from routing.server import ServerSettings
    from routing.server import serve as run

    raise typer.Exit(
        run(
            ServerSettings(
                config=config,
                state=state,
                admin_host=admin_host,
                admin_port=admin_port,
                take_over=take_over,
            )
        )
    )


@proxy_app.command()
def check(config: ConfigFile, as_json: JsonOption = False) -> None:
    """Report whether `proxy serve` would accept this configuration.

    Example: migrator proxy check .migrator/cms/routes.json
    """
    loaded = _load(config)
    capabilities = len(loaded.capabilities)
    routes = sum(len(each.routes) for each in loaded.capabilities.values())
    if as_json:
        print_json({"valid": True, "capabilities": capabilities, "routes": routes})
    else:
        console().print(f"{config}: valid, {capabilities} capabilities, {routes} routes")


@proxy_app.command()
def routes(config: ConfigFile, as_json: JsonOption = False) -> None:
    """Show which requests belong to which capability and service.

    Example: migrator proxy routes .migrator/cms/routes.json
    """
    loaded = _load(config)
    rows = [
        {"capability": name, "flag": capability["flag"], **rule}
        for name, capability in loaded.shown()["capabilities"].items()
        for rule in capability["routes"]
    ]
    if as_json:
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("methods", "path", "capability", "flag", "service", ""):
        table.add_column(heading, overflow="fold")
    for route in RouteTable(loaded.capabilities).routes:
        methods = " ".join(route.methods or ("any",))
        table.add_row(
            *(methods, route.path, route.capability, route.flag, route.service, route.conditions)
        )
    table.add_row("any", "everything else", "", "", f"monolith, {loaded.monolith}")
    console().print(table)


@proxy_app.command("explain")
def show_explanation(
    target: Annotated[str, typer.Argument(help="Path and query.", metavar="/PATH")],
    method: Annotated[str, typer.Option("--method", "-X", help="Request method.")] = "GET",
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", help='A field, such as "Cookie: session=…"; repeatable.'),
    ] = None,
    client: Annotated[
        str,
        typer.Option(help="Address that the request comes from: a user's, or a trusted peer's."),
    ] = "127.0.0.1",
    gateway: Annotated[
        bool, typer.Option("--gateway", help="As a service's call, not a user's.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(help="JSON document of a proxy that runs alone.")
    ] = None,
    proxy_state: Annotated[
        Path | None, typer.Option(help="That proxy's state folder; needs $LAUNCHDARKLY_SDK_KEY.")
    ] = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which route, flag, stage and origin a request gets, and why.

    Nothing is sent: the flags are those that the proxy kept on disk, which it does whenever one
    changes, and LaunchDarkly's SDK evaluates them here. So are the endpoints of services, if the
    proxy follows a stream of them.

    Example: migrator proxy explain /articles/7 -X PUT -H "X-User: alice"
    """
    from routing.endpoint_follower import recall
    from routing.jwks import known_verifier
    from routing.key_files import load_keyrings
    from routing.known_flags import known_flags
    from routing.outcomes import Outcomes
    from routing.trust import Trust

    loaded, folder, key = _proxy(config, proxy_state, state)
    head = _head(method, target, header or [])
    with known_flags(folder, key) as evaluate:
        trust = Trust(
            load_keyrings(loaded, folder),
            known_verifier(loaded.context, folder, Outcomes(), on_unknown_key=lambda: None),
        )
        try:
            told = explain(
                *(loaded, head, evaluate, trust, time.time()),
                peer=client,
                edge=not gateway,
                located=recall(folder, loaded),
            )
        except BadMessage as error:
            raise InvalidInput(
                f"{method} {target}: the proxy refuses this request with {error.status}: {error}",
                hint="correct the method, the path or the fields",
            ) from None
    if as_json:
        print_json(told.document())
    else:
        _print(told, client)


@proxy_app.command()
def override(
    stages: Annotated[
        list[str], typer.Argument(help="Which capability, at which stage.", metavar="NAME=STAGE")
    ],
    lasts: Annotated[str, typer.Option("--for", help="How long it counts, such as 1h.")],
    who: Annotated[str, typer.Option(help="Who will use it; it says so inside.")],
    config: Annotated[
        Path | None, typer.Option(help="JSON document of a proxy that runs alone.")
    ] = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a signed field and cookie that give a tester's requests a stage.

    The proxy's configuration names the key in `overrides`. A flag that is off stays off.

    Example: migrator proxy override publishing=live --for 1h --who alice
    """
    from routing.key_files import override_keyring

    loaded = _load(config if config is not None else find_state(state).routes)
    if loaded.overrides is None:
        raise InvalidInput(
            "this proxy takes no overrides", hint="add overrides.key_file to its configuration"
        )
    asked = Override(
        time.time() + _seconds(lasts), who, dict(_stage(each, loaded) for each in stages)
    )
    token = write_override(asked, override_keyring(loaded.overrides)).decode()
    told = {"header": f"X-Migrator-Override: {token}", "cookie": f"{COOKIE}={token}"}
    if as_json:
        print_json(told)
        return
    for line in told.values():
        console().print(line, soft_wrap=True)


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidInput(f"--for {text}: {error}") from None


def _stage(text: str, config: ProxyConfig) -> tuple[str, Stage]:
    """What `NAME=STAGE` says."""
    name, _, stage = text.partition("=")
    if name not in config.capabilities:
        known = ", ".join(sorted(config.capabilities)) or "none"
        raise InvalidInput(f"{text!r}: expected a capability: {known}")
    if stage not in list(Stage):
        raise InvalidInput(f"{text!r}: expected a stage: {', '.join(Stage)}")
    return name, Stage(stage)


def _load(config: Path) -> ProxyConfig:
    """Raises InvalidInput, so that wrong documents have the exit code of wrong input."""
    from routing.server import load_config

    try:
        return load_config(config)
    except RoutingError as error:
        raise InvalidInput(str(error), hint=error.hint) from None


def _proxy(
    config: Path | None, proxy_state: Path | None, option: Path | None
) -> tuple[ProxyConfig, Path, str]:
    """Configuration, state folder and SDK key of the proxy that is meant."""
    if config is not None and proxy_state is not None:
        key = os.environ.get("LAUNCHDARKLY_SDK_KEY", "")
        if not key:
            raise InvalidInput(
                "the environment lacks LAUNCHDARKLY_SDK_KEY",
                hint="set it to the key that the proxy runs with",
            )
        return _load(config), proxy_state, key
    if config is not None or proxy_state is not None:
        raise InvalidInput("--config and --proxy-state belong together", hint="give both or none")
    # Not at the top: `serve` needs no plan, and would wait for it.
    from migrator import flagaccess
    from migrator.plan.load import load
    from migrator.secrets import load_secrets

    state = find_state(option)
    instance = state.load_instance()
    flags = flagaccess.sdk_variables(
        load(state.plan).spec.flags, instance.addresses.flags, load_secrets(state), os.environ
    )
    return _load(state.routes), state.proxy, flags["LAUNCHDARKLY_SDK_KEY"]


def _head(method: str, target: str, fields: list[str]) -> bytes:
    """The request head as a client would send it."""
    lines = [f"{method} {target} HTTP/1.1"]
    if not any(field.lower().startswith("host:") for field in fields):
        lines.append("Host: localhost")
    for line in (*lines, *fields):
        if "\r" in line or "\n" in line:
            raise InvalidInput(f"{line!r}: expected one line without line ends")
    return "".join(f"{line}\r\n" for line in (*lines, *fields)).encode() + b"\r\n"


def _print(told: Explanation, peer: str) -> None:
    route, evaluation, decision = told.route, told.evaluation, told.decision
    kind, key = told.context.get("kind"), told.context.get("key")
    rows = [("request", f"{told.method} {told.path}")]
    if told.client != peer:
        rows.append(("client", f"{told.client}, as {peer} says, which is trusted"))
    who = f"{kind} {key}" if key is not None else "several kinds"
    rows.append(("context", f"{who} (nobody named: a fresh id, minted)" if told.minted else who))
    if route is None or evaluation is None:
        rows.append(("route", "none matches, so the monolith answers"))
    else:
        rows.append(("route", f"{route}, a {told.access}"))
        version = "unknown" if evaluation.version is None else evaluation.version
        rows.append(("flag", f"{route.flag}, version {version}"))
        rows.append(("stage", f"{evaluation.stage}, because {evaluation.reason}"))
    new = decision.origin is Side.NEW
    name = f"service {route.service}" if route is not None and new else "monolith"
    if told.redirect is not None:
        rows.append(("redirect", f"to {told.redirect}"))
    else:
        source = ", as the stream of endpoints said last" if told.source == "kept" else ""
        rows.append(("origin", f"{name}, {told.origin}{source}"))
        rows.append(("target", told.target))
    if told.fallback is not None and told.redirect is None:
        rows.append(("if it fails", f"safe requests go to the monolith, {told.fallback}"))
    if decision.also is not None and route is not None:
        other = f"service {route.service}" if decision.also is Side.NEW else "monolith"
        what = "a copy goes to" if told.access is Access.READ else "then it goes to"
        rows.append((what, other))
    table = Table(box=None, pad_edge=False, show_header=False)
    for row in rows:
        table.add_row(*row)
    console().print(table)
