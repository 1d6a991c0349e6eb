"""Every refusal says what to do, and never the token."""

import pytest

from migrator.errors import InvalidInput, MigratorError, Unavailable
from migrator.flagclient.errors import (
    FlagNotFound,
    Forbidden,
    NotSupported,
    no_environment,
    no_project,
    rate_limited,
    refused,
    unavailable,
)
from migrator.flagclient.target import Target

TOKEN = "api-very-secret-5511"
TARGET = Target(
    address="https://app.example.com",
    token=TOKEN,
    project="cms",
    environment="production",
    name="LaunchDarkly",
    token_from="$LAUNCHDARKLY_ACCESS_TOKEN",
)


@pytest.mark.parametrize(
    ("status", "flag", "kind", "words"),
    [
        (401, None, InvalidInput, ("$LAUNCHDARKLY_ACCESS_TOKEN", "401")),
        (403, "shop", Forbidden, ("403", "Writer", "updateOn", "proj/cms:env/production:flag/*")),
        (404, "shop", FlagNotFound, ("shop", "cms")),
        (404, None, InvalidInput, ("'cms'", "'production'", "spec.flags.project")),
        (400, None, NotSupported, ("400", "what it said")),
        (405, None, NotSupported, ("405",)),
        (409, "shop", Unavailable, ("409", "try again")),
        (418, None, MigratorError, ("418",)),
        (501, None, Unavailable, ("501", "https://app.example.com")),
    ],
)
def test_refusals(
    status: int, flag: str | None, kind: type[MigratorError], words: tuple[str, ...]
) -> None:
    error = refused(
        TARGET, "PATCH", "/api/v2/flags/cms/shop?x=1", status, "what it said", flag=flag
    )
    told = f"{error} {error.hint}"
    assert type(error) is kind
    assert all(word in told for word in words), told
    assert "PATCH" in told
    assert "?x=1" not in told
    assert TOKEN not in told


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (no_project(TARGET), ("'cms'", "spec.flags.project", "key")),
        (no_environment(TARGET), ("'production'", "'cms'", "spec.flags.environment")),
        (unavailable(TARGET, "refused"), ("https://app.example.com", "refused")),
        (rate_limited(TARGET, 42.4), ("42 s",)),
    ],
)
def test_the_rest(error: MigratorError, words: tuple[str, ...]) -> None:
    told = f"{error} {error.hint}"
    assert all(word in told for word in words), told
    assert error.hint
    assert TOKEN not in told


def test_a_target_does_not_show_its_token() -> None:
    assert TOKEN not in repr(TARGET)
