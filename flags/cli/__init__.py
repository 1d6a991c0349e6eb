"""The command line of the flag server: `serve`, `export`, `import`, `tokens`."""

import typer

from flags.cli.exchange import export_environment, import_environment
from flags.cli.serve import serve
from flags.cli.tokens import tokens_app

app = typer.Typer(help="The flag server.", no_args_is_help=True, rich_markup_mode=None)
app.command("serve")(serve)
app.command("export")(export_environment)
app.command("import")(import_environment)
app.add_typer(tokens_app, name="tokens")
