"""Errors that migrator raises on purpose, named by what the catcher does next."""


class MigratorError(Exception):
    """Root of everything migrator raises on purpose.

    `str(error)` names the place, the value and what was expected; `hint` says what to do.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class InvalidInput(MigratorError):
    """What the person gave is wrong; nothing was changed. Trying again unchanged cannot help."""

    exit_code = 2


class StateError(InvalidInput):
    """A file of the state folder is missing, unreadable or corrupt."""


class Unavailable(MigratorError):
    """A part that is needed does not answer; trying again later can help."""
