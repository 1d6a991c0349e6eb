"""What a refusal of a flag server means, in words that say what to do. Pure."""

from typing import Final

from migrator.errors import InvalidInput, MigratorError, Unavailable
from migrator.flagclient.target import Target

ACTIONS: Final = (
    "createFlag",
    "updateOn",
    "updateFallthrough",
    "updatePrerequisites",
)
"""LaunchDarkly's names of what the token must be allowed to do, besides reading."""


class FlagNotFound(MigratorError):
    """There is no such flag."""


class Forbidden(InvalidInput):
    """The token is known and lacks a right."""


class NotSupported(MigratorError):
    """The server does not take this body: 400 or 405."""


def refused(
    target: Target, method: str, path: str, status: int, message: str, *, flag: str | None
) -> MigratorError:
    """The error for an answer that no repetition can mend; `flag`: the key in the path."""
    place = f"{method} {target.address}{path.partition('?')[0]}: {status} {message}"
    match status:
        case 401:
            return InvalidInput(
                f"{target.name} does not know the access token of {target.token_from} ({place})",
                hint=target.token_hint,
            )
        case 403:
            resource = f"proj/{target.project}:env/{target.environment}:flag/*"
            return Forbidden(
                f"the access token of {target.token_from} lacks a role for this ({place})",
                hint=f"give it the Writer role, or a custom role that allows {', '.join(ACTIONS)} "
                f"on {resource}; an environment that requires approvals refuses everybody",
            )
        case 404 if flag is not None:
            return FlagNotFound(
                f"{target.name} has no flag {flag} in project {target.project} ({place})",
                hint="the controller makes missing flags anew; `migrator status` lists what it has",
            )
        case 404:
            return InvalidInput(
                f"{target.name} has no project {target.project!r} with an environment "
                f"{target.environment!r} that this token may see ({place})",
                hint="correct spec.flags.project and spec.flags.environment: they are keys, not "
                "names",
            )
        case 400 | 405:
            return NotSupported(
                f"{target.name} refuses this: {place}", hint="the message says what it expects"
            )
        case 409:
            return Unavailable(
                f"somebody else changes the same at the same time ({place})", hint="try again"
            )
        case status if status >= 500:
            return unavailable(target, f"{status} {message} ({method} {path.partition('?')[0]})")
        case _:
            return MigratorError(f"{target.name} answers unexpectedly: {place}")


def no_project(target: Target) -> InvalidInput:
    return InvalidInput(
        f"{target.name} has no project {target.project!r} (spec.flags.project), or the access "
        f"token of {target.token_from} may not see it",
        hint="give the project's key, not its name, or make the project; a custom role needs "
        f"viewProject on proj/{target.project}",
    )


def no_environment(target: Target) -> InvalidInput:
    return InvalidInput(
        f"project {target.project!r} of {target.name} has no environment "
        f"{target.environment!r} (spec.flags.environment)",
        hint="give the environment's key, not its name, or make the environment",
    )


def unavailable(target: Target, problem: str) -> Unavailable:
    return Unavailable(
        f"{target.name} at {target.address} does not answer: {problem}", hint=target.away_hint
    )


def rate_limited(target: Target, seconds: float) -> Unavailable:
    return Unavailable(
        f"{target.name} at {target.address} limits the rate of requests; it asks to wait "
        f"{seconds:.0f} s",
        hint="try again then; fewer clients with the same access token help",
    )
