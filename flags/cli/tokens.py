"""`flags tokens`: API tokens of members, by role."""

import json
import os
from typing import Annotated

import typer

from flags.cli.rest import DEFAULT_SERVER, TOKEN, RestClient, Server
from flags.errors import FlagsError
from flags.roles import Role

tokens_app = typer.Typer(
    help="Members' API tokens; needs one of an admin.", no_args_is_help=True, rich_markup_mode=None
)
Json = Annotated[bool, typer.Option("--json", help="For scripts.")]


@tokens_app.command("list")
def list_tokens(as_json: Json = False, server: Server = DEFAULT_SERVER) -> None:
    """List tokens. Their secrets are not kept, only their ends."""
    with RestClient(server, os.environ.get(TOKEN)) as client:
        found = client.ask("GET", "/api/v2/tokens").json()["items"]
    if as_json:
        typer.echo(json.dumps(found))
        return
    for token in found:
        role = Role(token["role"]).label
        line = f"{token['_id']}  {role:8}  {token['memberId']:20}  {token['name']}"
        typer.echo(f"{line}  {token['token']}")


@tokens_app.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    role: Annotated[str, typer.Option(help="viewer, operator or admin.")] = "operator",
    member: Annotated[str | None, typer.Option(help="Whose it is; without it yours.")] = None,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Make a token and print it: it is shown this once.

    Example: migrator flags tokens create "release robot" --role operator --member robot
    """
    known = {r.label: r for r in Role}
    if role not in known:
        raise FlagsError(f"--role: expected one of {', '.join(known)}, found {role!r}")
    wanted = {"name": name, "role": str(known[role])}
    if member is not None:
        wanted["memberId"] = member
    with RestClient(server, os.environ.get(TOKEN)) as client:
        typer.echo(client.ask("POST", "/api/v2/tokens", json=wanted).json()["token"])


@tokens_app.command("revoke")
def revoke_token(
    token_id: Annotated[str, typer.Argument(help="Its id, from `list`.")],
    server: Server = DEFAULT_SERVER,
) -> None:
    """End a token and its sessions at once."""
    with RestClient(server, os.environ.get(TOKEN)) as client:
        client.ask("DELETE", f"/api/v2/tokens/{token_id}")
