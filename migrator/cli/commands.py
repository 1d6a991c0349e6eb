"""Which file has which command. Only the file of the command that is asked for is imported, because
programs that start each other wait for imports longer than for anything else.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_group

FILES: Final[Mapping[str, str]] = {
    **{name: name for name in ("init", "discover", "simulate", "up", "down", "logs", "history")},
    **dict.fromkeys(("status", "pause", "resume", "abort", "retry", "restart"), "rollout"),
    **dict.fromkeys(("promote", "rollback", "set"), "rollout"),
    **dict.fromkeys(("kill", "restore"), "switch"),
    "plan": "plan",
    **dict.fromkeys(("flags", "controller"), "serve"),
    **{name: name for name in ("proxy", "writes", "parity")},
}
"""The file below `migrator.cli` of each command or group, in the order of `--help`.

Each file has a function `register`, which adds its commands to a typer app.
"""


class Commands(TyperGroup):
    """The root group of commands; they are imported when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*FILES]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        # To suggest what a misspelt name meant, all of them must be there.
        files = [FILES[cmd_name]] if cmd_name in FILES else dict.fromkeys(FILES.values())
        if cmd_name not in self.commands:
            for file in files:
                self._add(file)
        return super().get_command(ctx, cmd_name)

    def _add(self, file: str) -> None:
        part = typer.Typer(rich_markup_mode=None)
        import_module(f"migrator.cli.{file}").register(part)
        self.commands.update(get_group(part).commands)
