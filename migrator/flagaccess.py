"""Where a plan's flags live and with which secrets they are reached. Pure.

Called by `migrator up`, the controller and the command line. With `server: embedded` addresses and
secrets are made here; with `server: launchdarkly` the plan has the addresses and the environment
the secrets: they are never written anywhere.
"""

import re
from collections.abc import Mapping
from typing import Final

from migrator.errors import InvalidInput
from migrator.flagclient.target import Target
from migrator.plan.model import Flags
from migrator.secrets import CONTROLLER, Secrets

SDK_KEY: Final = "LAUNCHDARKLY_SDK_KEY"
ACCESS_TOKEN: Final = "LAUNCHDARKLY_ACCESS_TOKEN"  # noqa: S105 - a variable's name
_WHAT: Final[Mapping[str, str]] = {
    SDK_KEY: "the SDK key of the environment",
    ACCESS_TOKEN: "an API access token with the Writer role",
}
_PREFIXES: Final[Mapping[str, str]] = {
    "sdk-": "an SDK key",
    "api-": "an API access token",
    "mob-": "a mobile key",
}
_OWN_PREFIX: Final[Mapping[str, str]] = {SDK_KEY: "sdk-", ACCESS_TOKEN: "api-"}
_SECRET: Final = re.compile(r"[!-~]{1,512}")
_RENEW: Final = (
    "it is wrong, expired or was revoked: make another one with the Writer role at Organization "
    "settings, Authorization"
)
_WHERE: Final = (
    "LaunchDarkly shows SDK keys at the project's environments and makes access tokens at "
    "Organization settings, Authorization"
)


def from_environment(environment: Mapping[str, str], *names: str) -> tuple[str, ...]:
    """The values of the variables `names`. Raises InvalidInput that tells all that is wrong with
    them, and never a value."""
    values = [environment.get(name, "").strip() for name in names]
    problems = [
        problem
        for name, value in zip(names, values, strict=True)
        if (problem := _problem(name, value))
    ]
    if problems:
        raise InvalidInput(
            "spec.flags.server is launchdarkly, but " + "; ".join(problems),
            hint=f"set it in the environment, not in the plan: {_WHERE}",
        )
    return tuple(values)


def _problem(name: str, value: str) -> str | None:
    if not value:
        return f"${name} is not set, expected {_WHAT[name]}"
    if _SECRET.fullmatch(value) is None:
        return f"${name} has characters that no key has, expected {_WHAT[name]}"
    for prefix, what in _PREFIXES.items():
        if value.startswith(prefix) and prefix != _OWN_PREFIX[name]:
            return f"${name} holds {what}, expected {_WHAT[name]}"
    return None


def sdk_variables(
    flags: Flags, address: str, secrets: Secrets, environment: Mapping[str, str]
) -> dict[str, str]:
    """What every proxy and every workload finds in its environment.

    `address` is the embedded server's. Raises InvalidInput.
    """
    if flags.server == "embedded":
        key, uris = secrets.sdk_key, (address, address, address)
    else:
        (key,) = from_environment(environment, SDK_KEY)
        uris = (flags.base, flags.stream, flags.events)
    names = ("LAUNCHDARKLY_BASE_URI", "LAUNCHDARKLY_STREAM_URI", "LAUNCHDARKLY_EVENTS_URI")
    return {SDK_KEY: key, **dict(zip(names, uris, strict=True))}


def controller_variables(flags: Flags, environment: Mapping[str, str]) -> dict[str, str]:
    """What the controller alone finds in its environment. Raises InvalidInput."""
    if flags.server == "embedded":
        return {}
    (token,) = from_environment(environment, ACCESS_TOKEN)
    return {ACCESS_TOKEN: token}


def target(
    flags: Flags, address: str, who: str, secrets: Secrets, environment: Mapping[str, str]
) -> Target:
    """Where `who` changes the plan's flags. Raises InvalidInput if there is no token."""
    if flags.server == "launchdarkly":
        (token,) = from_environment(environment, ACCESS_TOKEN)
        return Target(
            address=flags.api,
            token=token,
            project=flags.project,
            environment=flags.environment,
            author=who,
            signatures=True,
            name="LaunchDarkly",
            token_from=f"${ACCESS_TOKEN}",
            token_hint=_RENEW,
            away_hint="look at spec.flags.api and the network; what runs already runs on with the "
            "flags that it knows",
        )
    tokens = secrets.flags_tokens
    if who not in tokens:
        people = ", ".join(name for name in tokens if name != CONTROLLER)
        raise InvalidInput(
            f"{who} has no token of the flag server in secrets.json of the state folder",
            hint=f"run it as {people}, or start anew with `migrator up` as {who}",
        )
    return Target(
        address=address, token=tokens[who], project=flags.project, environment=flags.environment
    )
