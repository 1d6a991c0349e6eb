"""The controller: observe, decide by the pure engine, record, act."""

from migrator.controller.run import run

__all__ = ["run"]
