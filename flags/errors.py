"""Errors that the flag server raises on purpose."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pydantic import ValidationError

_MAX_PATH: Final = 200


class FlagsError(Exception):
    """Root of everything flags raises on purpose; `hint` says what to do."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class Rejected(FlagsError):
    """A request that cannot be done; nothing was changed.

    `status` and `code` are those of LaunchDarkly's REST API (`{"code": …, "message": …}`).
    """

    status = 400
    code = "invalid_request"


class NotFound(Rejected):
    status = 404
    code = "not_found"


class Conflict(Rejected):
    status = 409
    code = "conflict"


class Outdated(Conflict):
    """Somebody else changed it since it was read."""

    code = "optimistic_locking_error"


class Unauthorized(Rejected):
    status = 401
    code = "unauthorized"


class Forbidden(Rejected):
    status = 403
    code = "forbidden"


class TooLarge(Rejected):
    status = 413
    code = "request_entity_too_large"


class Unavailable(Rejected):
    """Nothing is wrong with the request; it may be repeated."""

    status = 503
    code = "service_unavailable"


def first_problem(error: ValidationError, where: str = "") -> str:
    """`where`, the field in it, and what is wrong there; never the value given."""
    problem = error.errors(include_url=False, include_input=False)[0]
    path = ".".join(str(part) for part in problem["loc"])[:_MAX_PATH]
    place = ": ".join(part for part in (where, path) if part)
    return f"{place or 'body'}: {problem['msg'].removeprefix('Value error, ')}"


@contextmanager
def rejecting(where: str = "") -> Iterator[None]:
    """What the pure parts find wrong, a `ValueError`, becomes `Rejected` with its place."""
    try:
        yield
    except ValidationError as error:
        raise Rejected(first_problem(error, where)) from None
    except ValueError as error:
        raise Rejected(f"{where}: {error}" if where else str(error)) from None
