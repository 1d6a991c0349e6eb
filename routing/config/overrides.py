"""Whose overrides count."""

from pathlib import Path

from routing.config.base import Model


class Overrides(Model):
    key_file: Path
    """A key in each line; `migrator proxy override` signs with the first, all verify."""
